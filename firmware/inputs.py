"""What the board measures besides vibration, into the shared quantities: speed, current,
temperatures, supplies, switches.
"""

import array

import micropython
from machine import I2C, Pin
from micropython import const

from . import quantities as q
from .guard_rp2 import CURRENT_COUNT, CURRENT_SUM, SLOW_CODE, TURNS

_EDGES = const(0)
_LAST_US = const(1)
_BEFORE_US = const(2)
_STANDSTILL_US = const(1500000)  # one edge in this time is 40 rpm at one pulse a turn
_PULLS = {"up": Pin.PULL_UP, "down": Pin.PULL_DOWN, "none": None}
_TABLE_STEP = const(512)  # of a code in 1/4
_FINEST_SCALE = const(16384)  # with a code in 1/16, the product stays a small integer
_SLOW_SHIFT = const(2)  # slow codes are in 1/4

# Words of the plan.
_ESTOP_MASK = const(0)
_FAULT_MASK = const(1)
_MEASURED = const(2)
_ZERO = const(3)  # in 1/16
_SHIFT = const(4)
_FACTOR = const(5)
_DIVISOR = const(6)
_SUM_BEFORE = const(7)
_COUNT_BEFORE = const(8)
_DIVIDER_COUNT = const(9)
_DIVIDERS = const(10)  # of each: the guard's word, uV per code, the quantity
_PLAN_WORDS = const(19)

_tacho = array.array("i", [0, 0, 0])


@micropython.viper
def _on_edge(pin):
    t = ptr32(_tacho)
    now = int(ptr32(0x40054028)[0]) & 0x3FFFFFFF
    t[2] = t[1]
    t[1] = now
    t[0] = int(t[0]) + 1


@micropython.viper
def _now_us() -> int:
    return int(ptr32(0x40054028)[0]) & 0x3FFFFFFF


@micropython.viper
def _shaft_angle(
    shaft: ptr32, tacho: ptr32, counts: ptr32, first: int, sample_ns: int, pulses: int
):
    """The shaft's angle at sample number `first` and from each sample to the next, in turns, as
    `features.Features.shaft` wants them; 0, 0 where the shaft stands. 1,500 cycles.
    """
    pulse_us = (int(tacho[1]) - int(tacho[2])) & 0x3FFFFFFF
    shaft[0] = 0
    shaft[1] = 0
    if pulse_us == 0 or pulse_us > 1000000 // pulses:
        return
    since_us = (int(ptr32(0x40054028)[0]) - int(tacho[1])) & 0x3FFFFFFF
    if since_us > 2 * pulse_us + 10000:
        return
    turn_us = pulse_us * pulses
    age_us = ((int(counts[0]) - first) & 0x3FFFFFFF) * (sample_ns // 1000)
    at_us = since_us + (int(tacho[0]) % pulses) * pulse_us - age_us
    while at_us < 0:
        at_us += turn_us
    while at_us >= turn_us:
        at_us -= turn_us
    # Both as the 32 bits of a fraction of a turn: in us, and in 16 ns.
    part = at_us
    whole = turn_us
    k = 0
    while k < 2:
        result = 0
        i = 0
        while i < 32:
            part <<= 1
            result <<= 1
            if part >= whole:
                part -= whole
                result |= 1
            i += 1
        shaft[k] = result
        k += 1
        part = sample_ns // 16
        whole = turn_us * 125 // 2
        if part >= whole:
            return


@micropython.viper
def sense(values: ptr32, guard: ptr32, plan: ptr32):
    """What protects the motor: the switches' levels, the mean current since the last call, the
    supplies on dividers; out of the guard's words, as `plan` says. 900 cycles.
    """
    pins = int(ptr32(0xD0000004)[0])
    values[q.ESTOP_OPEN] = 1 if pins & int(plan[_ESTOP_MASK]) else 0
    fault_mask = int(plan[_FAULT_MASK])
    values[q.DRIVER_FAULT] = 1 if fault_mask and not (pins & fault_mask) else 0
    if int(plan[_MEASURED]):
        turns = int(guard[TURNS])
        total = int(guard[CURRENT_SUM])
        count = int(guard[CURRENT_COUNT])
        # A turn between the three would mix two of them: the next tick takes both.
        if turns == int(guard[TURNS]):
            taken = count - int(plan[_COUNT_BEFORE])
            if taken > 0:
                code = ((total - int(plan[_SUM_BEFORE])) << 4) // taken - int(plan[_ZERO])
                code = (code >> int(plan[_SHIFT])) * int(plan[_FACTOR]) // int(plan[_DIVISOR])
                values[q.CURRENT_MA] = code
                plan[_SUM_BEFORE] = total
                plan[_COUNT_BEFORE] = count
    i = _DIVIDERS
    end = i + 3 * int(plan[_DIVIDER_COUNT])
    while i < end:
        supply = int(guard[int(plan[i])]) * int(plan[i + 1]) // 4000
        values[int(plan[i + 2])] = supply
        # `supplies` finds the bus 50 times a second; a rise must not wait, for the duty follows it.
        if supply > int(values[q.SUPPLY_MV]):
            values[q.SUPPLY_MV] = supply
        i += 3


def _scale(per_code):
    """How a code in 1/16 becomes thousandths of what one code is worth: shift, factor, divisor."""
    return (0, per_code, 16000) if per_code < _FINEST_SCALE else (4, per_code, 1000)


class _Thermistor:
    """A thermistor on one of the guard's slow channels."""

    def __init__(self, guard, pin, quantity, table, code_min, code_max):
        self._guard = guard
        self._slot = guard.measure_slowly(pin)
        self._quantity = quantity
        self._table = table
        self._least = code_min << _SLOW_SHIFT
        self._most = code_max << _SLOW_SHIFT

    @micropython.native
    def read(self, values):
        code = self._guard.slow_code(self._slot)
        if not self._least <= code <= self._most:
            values[self._quantity] = q.BROKEN
            return
        table = self._table
        at = code // _TABLE_STEP
        rest = code - at * _TABLE_STEP
        values[self._quantity] = table[at] + (table[at + 1] - table[at]) * rest // _TABLE_STEP


class _Monitored:
    """A supply's voltage from a power monitor on I2C."""

    def __init__(self, monitor, quantity):
        self._monitor = monitor
        self._quantity = quantity

    @micropython.native
    def read(self, values):
        try:
            values[self._quantity] = self._monitor.read_mv()
        except OSError:
            values[self._quantity] = q.BROKEN


def _monitor(kind, bus, address, shunt_uohm):
    if kind == 1:
        from .drivers.ina226 import Ina226

        return Ina226(bus, address, shunt_uohm)
    from .drivers.ina219 import Ina219

    return Ina219(bus, address, shunt_uohm)


class Inputs:
    """Reads what the board has into `values` (`quantities`). A quantity that it does not measure
    stays ABSENT; one whose sensor is broken becomes BROKEN.
    """

    def __init__(self, board, values, guard):
        self._values = values
        self._guard = guard
        self._estop_pin = Pin(board.ESTOP_PIN, Pin.IN, Pin.PULL_UP)
        self.estop_mask = 1 << board.ESTOP_PIN
        guard.watch_pin(board.ESTOP_PIN, 1)
        self.plan = array.array("i", [0] * _PLAN_WORDS)
        self.plan[_ESTOP_MASK] = self.estop_mask
        if board.MOTOR_FAULT_PIN is not None:
            self._fault_pin = Pin(board.MOTOR_FAULT_PIN, Pin.IN, Pin.PULL_UP)
            self.plan[_FAULT_MASK] = 1 << board.MOTOR_FAULT_PIN
            guard.watch_pin(board.MOTOR_FAULT_PIN, 0)
        self._start_tacho(board)
        self._start_current(board)
        self._sample_ns = 1000000000 // board.VIBRATION_RATE_HZ
        self._slow = []
        self._start_temperatures(board)
        self._start_supplies(board)
        self._at = 0

    def _start_tacho(self, board):
        self.tacho = _tacho
        self.pulses = board.TACHO_PULSES_PER_REV or 1
        self.has_tacho = board.TACHO_PIN is not None
        self._edges_before = 0
        self._doubtful_reads = 0
        self._edge_us_before = 0
        if not self.has_tacho:
            return
        edge = Pin.IRQ_FALLING if board.TACHO_EDGE == "falling" else Pin.IRQ_RISING
        self._tacho_pin = Pin(board.TACHO_PIN, Pin.IN, _PULLS[board.TACHO_PULL])
        self._tacho_pin.irq(_on_edge, edge, hard=True)
        self._values[q.SPEED_RPM] = 0

    def _start_current(self, board):
        if board.CURRENT_PIN is None:
            return
        plan = self.plan
        plan[_MEASURED] = 1
        plan[_ZERO] = board.CURRENT_ZERO_CODE * 16
        scale_ua = board.CURRENT_UA_PER_CODE
        plan[_SHIFT], plan[_FACTOR], plan[_DIVISOR] = _scale(scale_ua)
        instant_ma = board.CURRENT_INSTANT_MA
        codes = instant_ma * 1000 // scale_ua if instant_ma else 4096
        self._guard.watch_current(board.CURRENT_PIN, board.CURRENT_ZERO_CODE, codes)

    def _start_temperatures(self, board):
        for pin, quantity, table, code_min, code_max in (
            (
                board.BEARING_TEMPERATURE_PIN,
                q.BEARING_MDEGC,
                board.BEARING_TEMPERATURE_TABLE_MDEGC,
                board.BEARING_TEMPERATURE_CODE_MIN,
                board.BEARING_TEMPERATURE_CODE_MAX,
            ),
            (
                board.DRIVER_TEMPERATURE_PIN,
                q.DRIVER_MDEGC,
                board.DRIVER_TEMPERATURE_TABLE_MDEGC,
                board.DRIVER_TEMPERATURE_CODE_MIN,
                board.DRIVER_TEMPERATURE_CODE_MAX,
            ),
        ):
            if pin is not None:
                self._slow.append(
                    _Thermistor(self._guard, pin, quantity, table, code_min, code_max)
                )

    def _start_supplies(self, board):
        bus = None
        for number, (kind, pin, address, uv_per_code, shunt_uohm, _) in enumerate(board.SUPPLIES):
            quantity = q.SUPPLY_1_MV + number
            if kind == 0:
                self._add_divider(pin, quantity, uv_per_code)
                continue
            if bus is None:
                bus = I2C(
                    board.SUPPLY_I2C_NUMBER,
                    sda=Pin(board.SUPPLY_SDA_PIN),
                    scl=Pin(board.SUPPLY_SCL_PIN),
                    freq=400_000,
                )
            try:
                monitor = _monitor(kind, bus, address, shunt_uohm)
            except OSError as error:
                print("supply:", error)
                self._values[quantity] = q.BROKEN
                continue
            self._slow.append(_Monitored(monitor, quantity))

    def _add_divider(self, pin, quantity, uv_per_code):
        plan = self.plan
        at = _DIVIDERS + 3 * plan[_DIVIDER_COUNT]
        plan[at] = SLOW_CODE + self._guard.measure_slowly(pin)
        plan[at + 1] = uv_per_code
        plan[at + 2] = quantity
        plan[_DIVIDER_COUNT] += 1

    # -- at every control tick: `sense` --------------------------------------------------
    @micropython.native
    def read(self):
        """What protects the motor: the switches, the current, the supply."""
        sense(self._values, self._guard.words, self.plan)

    def shaft_angle(self, shaft, counts, first):
        """Fill `shaft` for a block that begins with sample number `first`."""
        if self.has_tacho:
            _shaft_angle(shaft, _tacho, counts, first, self._sample_ns, self.pulses)

    # -- 50 times a second ---------------------------------------------------------------
    @micropython.native
    def read_speed(self):
        """The speed; returns the count of tacho edges that it was made of."""
        if self.has_tacho:
            self._read_tacho()
        return self._edges_before

    @micropython.native
    def read_slow(self):
        """What changes slowly, one after the other."""
        slow = self._slow
        at = self._at
        if at < len(slow):
            slow[at].read(self._values)
            at += 1
        self._at = at if at < len(slow) else 0

    def held_up(self):
        """Interrupts were off for a while, as for an erase: the tacho's edge that waited has its
        time too late, and the one after it seems to come too soon.
        """
        self._doubtful_reads = 2

    @micropython.native
    def _read_tacho(self):
        edges = _tacho[_EDGES]
        last = _tacho[_LAST_US]
        values = self._values
        if edges == self._edges_before:
            waited = (_now_us() - last) & 0x3FFFFFFF
            if waited > _STANDSTILL_US:
                values[q.SPEED_RPM] = 0
                self._doubtful_reads = 0
            elif waited > 20000:  # it cannot be faster than this, or an edge would have come
                fastest = 60000000 // waited // self.pulses
                if fastest < values[q.SPEED_RPM]:
                    values[q.SPEED_RPM] = fastest
            return
        span = (last - self._edge_us_before) & 0x3FFFFFFF
        turned = edges - self._edges_before
        self._edges_before = edges
        self._edge_us_before = last
        if self._doubtful_reads:
            self._doubtful_reads -= 1
            return
        if 0 < span < _STANDSTILL_US:
            values[q.SPEED_RPM] = 60000000 // span * turned // self.pulses
