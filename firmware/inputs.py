"""What the board measures besides vibration: speed, current, temperature, supply, switches."""

import array

import micropython
from machine import ADC, Pin
from micropython import const

_EDGES = const(0)
_LAST_US = const(1)
_STANDSTILL_US = const(1500000)  # one edge in this time is 40 rpm at one pulse a turn
_PULLS = {"up": Pin.PULL_UP, "down": Pin.PULL_DOWN, "none": None}
_TABLE_STEP = const(128)

_tacho = array.array("i", [0, 0])


@micropython.viper
def _on_edge(pin):
    t = ptr32(_tacho)
    t[0] = int(t[0]) + 1
    t[1] = int(ptr32(0x40054028)[0]) & 0x3FFFFFFF


@micropython.viper
def _adc_code(channel: int) -> int:
    """One conversion, 12 bits (datasheet section 4.9.6). 2 us of it are the converter's;
    ADC.read_u16 takes 20 us.
    """
    adc = ptr32(0x4004C000)
    adc[0] = 0x5 | (channel << 12)
    while not (adc[0] & 0x100):
        pass
    return int(adc[1])


@micropython.viper
def _now_us() -> int:
    return int(ptr32(0x40054028)[0]) & 0x3FFFFFFF


def _channel(pin):
    """The ADC channel of a pin, made an analog input, or -1 where there is none."""
    if pin is None:
        return -1
    ADC(pin)
    return pin - 26


class Inputs:
    """Read with `read` at every control tick. A quantity that the board does not measure stays
    None.
    """

    def __init__(self, board):
        self._estop = Pin(board.ESTOP_PIN, Pin.IN, Pin.PULL_UP)
        self._pulses = board.TACHO_PULSES_PER_REV or 1
        self.has_tacho = board.TACHO_PIN is not None
        if self.has_tacho:
            edge = Pin.IRQ_FALLING if board.TACHO_EDGE == "falling" else Pin.IRQ_RISING
            pin = Pin(board.TACHO_PIN, Pin.IN, _PULLS[board.TACHO_PULL])
            pin.irq(_on_edge, edge, hard=True)
            self._tacho_pin = pin
        self._current = _channel(board.CURRENT_PIN)
        self._current_zero = board.CURRENT_ZERO_CODE
        self._current_ua = board.CURRENT_UA_PER_CODE
        self._bearing = _channel(board.BEARING_TEMPERATURE_PIN)
        self._bearing_table = board.BEARING_TEMPERATURE_TABLE_MDEGC
        self._bearing_min = board.BEARING_TEMPERATURE_CODE_MIN
        self._bearing_max = board.BEARING_TEMPERATURE_CODE_MAX
        self._supply = _channel(board.SUPPLY_PIN)
        self._supply_uv = board.SUPPLY_UV_PER_CODE
        self._edges_before = 0
        self._edge_us_before = 0
        self.speed_rpm = 0
        self.current_ma = 0
        self.bearing_mdegc = 0
        self.bearing_sensor_broken = False
        self.supply_mv = 0
        self.estop_open = True

    def read(self):
        """Read everything that protects the motor: the e-stop and the current at every tick."""
        self.estop_open = self._estop.value() == 1
        if self._current >= 0:
            code = _adc_code(self._current) - self._current_zero
            self.current_ma += (code * self._current_ua // 1000 - self.current_ma) >> 2

    def read_slow(self):
        """Read what changes slowly: speed, supply and temperature, every fourth tick."""
        if self.has_tacho:
            self._read_tacho()
        if self._supply >= 0:
            self.supply_mv = _adc_code(self._supply) * self._supply_uv // 1000
        if self._bearing >= 0:
            code = _adc_code(self._bearing)
            self.bearing_sensor_broken = not self._bearing_min <= code <= self._bearing_max
            code = min(max(code, self._bearing_min), self._bearing_max)
            table = self._bearing_table
            at = code // _TABLE_STEP
            rest = code - at * _TABLE_STEP
            self.bearing_mdegc = table[at] + (table[at + 1] - table[at]) * rest // _TABLE_STEP

    def _read_tacho(self):
        edges = _tacho[_EDGES]
        last = _tacho[_LAST_US]
        if edges == self._edges_before:
            waited = (_now_us() - last) & 0x3FFFFFFF
            if waited > _STANDSTILL_US:
                self.speed_rpm = 0
            elif waited > 20000:  # it cannot be faster than this, or an edge would have come
                self.speed_rpm = min(self.speed_rpm, 60000000 // waited // self._pulses)
            return
        span = (last - self._edge_us_before) & 0x3FFFFFFF
        turned = edges - self._edges_before
        self._edges_before = edges
        self._edge_us_before = last
        if 0 < span < _STANDSTILL_US:
            self.speed_rpm = 60000000 // span * turned // self._pulses
