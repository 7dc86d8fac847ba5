"""What stops the motor for good, and what slows it down: one table, a row for each protection.

A row watches one quantity of `quantities`, above a level or below one. Reaching `alarm` tells,
`limit` slows the motor down, `trip` held for `delay_ms` stops it; each is left only when the value
has come back by `hysteresis`, the delay only begins anew. The first row of the table that trips
names the fault, so the order is that of causes before what they bring about. A quantity that is
BROKEN, or that the board has a level for and nobody has measured, has reached every level, and its
delay is over.

Fault numbers are places in `wire.FAULTS`, limit numbers places in `wire.LIMITS`.
"""

import array

import micropython
from micropython import const

from . import limits
from . import quantities as q
from .conditions import LATE_US, SEIZED, stall_delay_ms

NONE = const(0)
VIBRATION = const(1)
ACCELERATION_PEAK = const(2)
CREST_FACTOR = const(3)
ENVELOPE = const(4)
OVER_CURRENT = const(5)
SHORT_CIRCUIT = const(6)
STALL = const(7)
SEIZURE = const(8)
BEARING_TOO_HOT = const(9)
DRIVER_TOO_HOT = const(10)
BROWN_OUT = const(11)
SUPPLY_TOO_HIGH = const(12)
OVER_SPEED = const(13)
TACHO_LOST = const(14)
ESTOP = const(15)
DRIVER_FAULT = const(16)
SENSOR_ABSENT = const(17)
SENSOR_SILENT = const(18)
SENSOR_STUCK = const(19)
SENSOR_SATURATED = const(20)
SENSOR_NOISY = const(21)
WRONG_SENSOR = const(22)
SAMPLES_LOST = const(23)
LINK_LOST = const(24)
CONTROL_OVERRUN = const(25)
FIRMWARE_HUNG = const(26)
FIRMWARE_EXCEPTION = const(27)
SETTINGS_CORRUPT = const(28)

LIMIT_VIBRATION = const(6)
LIMIT_ACCELERATION_PEAK = const(7)
LIMIT_CREST_FACTOR = const(8)
LIMIT_ENVELOPE = const(9)
LIMIT_CURRENT = const(10)
LIMIT_BEARING = const(11)
LIMIT_DRIVER = const(12)
LIMIT_SUPPLY = const(13)

# When a row is in force. The first three are what `check` is told.
TURNING = const(2)  # the motor may be driven
OWNED = const(4)  # ... for a host that must stay there
AT_REST = const(8)  # neither
_ALWAYS = const(1)
_WINDOWED = const(16)  # turning, and a window has closed since the run began
_WHEN = const(31)
# Further flags of a row:
_TOLERANT = const(32)  # one of several: a broken one is an alarm, and never a trip
_HAS_ALARM = const(64)
_HAS_LIMIT = const(128)
_HAS_TRIP = const(256)
_BELOW = const(512)

# Which level of a row, as in `wire.LEVELS`.
ALARM = const(0)
LIMIT = const(1)
TRIP = const(2)

# Levels of a row that may be changed, one bit each.
_ALARM_ALONE = const(1)
_ALARM_TRIP = const(5)
_LIMIT_TRIP = const(6)
_ALL_LEVELS = const(7)

# Why a level was not changed.
DONE = const(0)
UNKNOWN = const(1)  # no such protection on this board, or no such level
FIXED = const(2)  # it cannot be changed
LESS_PROTECTIVE = const(3)  # than the board file; with the local act, than the ceiling
OUT_OF_ORDER = const(4)  # levels must rise (fall) from alarm to limit to trip
OUT_OF_RANGE = const(5)

# What `excess_permille` says of a limit that does not bind, and whose level is out of reach.
INSIDE = const(-1)
# The value is back inside the limit level by less than the hysteresis.
HOLDING = const(-2)

_LEVEL_MOST = const(1000000)

# A row of 16 words. Values are shifted, and those of a row that looks below also mirrored, so that
# every comparison is of numbers from 0 to 2^31 - 1, and what is BROKEN or ABSENT is above all.
_ROW_WORDS = const(16)
_QUANTITY = const(0)
_MIRROR = const(1)
_QUIET = const(2)  # under it nothing happens and nothing has to be undone
_FLAGS = const(3)
_ALARM_ON = const(4)
_ALARM_OFF = const(5)
_LIMIT_ON = const(6)
_LIMIT_OFF = const(7)
_TRIP_ON = const(8)
_SPAN = const(9)  # from limit to trip
_DELAY_MS = const(10)
_FAULT = const(11)
_LIMIT = const(12)
_STATE = const(13)
_HELD = const(14)  # 1 + milliseconds beyond the trip level, 0 inside
_LEAST = const(15)  # the lowest level there is

_SHIFT = const(0x3FFFFFFE)
_MASK = 0x7FFFFFFF
_BEYOND = 0x7FFFFFF0
_NEVER = 0x7FFFFFEF
_NEVER_UNSHIFTED = const(0x3FFFFFF1)

# What all rows share, and what comes out:
_ALARMS = const(0)
_LIMITING = const(1)
_END = const(2)
_ALL = const(3)
_SHIFTED = const(4)
_BROKEN_FROM = const(5)
_WINDOWS = const(6)
_EXCESS = const(7)
_OUT_WORDS = const(21)

# What `levels` gives: those in force, the delay, those of the board file.
_TOLD_DELAY = const(3)
_TOLD_BOARD = const(4)

# How far below a level a quantity must fall that has no hysteresis in the board file.
_HYSTERESIS_SHARE = const(16)

# The motor's speed is read 50 times a second: twice in a row.
_OVERSPEED_DELAY_MS = const(20)
# A knock at the machine is over by then.
_NOISE_DELAY_MS = const(2000)
_STUCK_TRIP_MS = const(500)
# Four ticks without control: a jam is still off within 50 ms, and the guard's dead-man (60 ms) need
# not act.
_OVERRUN_TRIP_US = const(20000)
# One in ten: the delays, which count ticks, are no longer what they say.
_LATE_TICKS_TRIP = const(20)


@micropython.viper
def evaluate(values: ptr32, table: ptr32, out: ptr32, now: int) -> int:
    """Look at every row; the first fault whose delay is over, or 0. 100 cycles a quiet row, 600 one
    that trips, at 125 MHz, emulated.

    `now` is elapsed milliseconds * 16, and what `check` is told.
    """
    elapsed_ms = now >> 4
    when = _ALWAYS | AT_REST
    if now & TURNING:
        when = _ALWAYS | (now & (TURNING | OWNED))
        if int(out[_WINDOWS]):
            when |= _WINDOWED
    fault = 0
    alarms = 0
    limiting = 0
    shift = int(out[_SHIFTED])
    mask = int(out[_ALL])
    end = int(out[_END])
    row = 0
    while row < end:
        value = ((int(values[int(table[row])]) ^ int(table[row + _MIRROR])) + shift) & mask
        if value < int(table[row + _QUIET]):
            row += _ROW_WORDS
            continue
        flags = int(table[row + _FLAGS])
        state = int(table[row + _STATE])
        held = int(table[row + _HELD])
        excess = INSIDE
        if (flags & when) == 0:
            state = 0
            held = 0
        else:
            beyond = 0
            trip = 0
            if value >= int(out[_BROKEN_FROM]):
                beyond = 1
                state = 0
                if flags & (_HAS_ALARM | _HAS_TRIP):
                    state = 1
                if flags & _HAS_LIMIT:
                    state |= 2
                if flags & _HAS_TRIP:
                    trip = 1
                if flags & _TOLERANT:
                    trip = 0
                    state = 0
                    if flags & _HAS_ALARM:
                        state = 1
            else:
                if value >= int(table[row + _ALARM_ON]):
                    state |= 1
                elif value < int(table[row + _ALARM_OFF]):
                    state &= 2
                if value >= int(table[row + _LIMIT_ON]):
                    state |= 2
                elif value < int(table[row + _LIMIT_OFF]):
                    state &= 1
                if value >= int(table[row + _TRIP_ON]):
                    trip = 1
            if trip:
                if held == 0:
                    held = 1
                elif held <= int(table[row + _DELAY_MS]):
                    held += elapsed_ms
                if beyond or held > int(table[row + _DELAY_MS]):
                    if fault == 0:
                        fault = int(table[row + _FAULT])
            else:
                held = 0
            if state & 2:
                excess = HOLDING
                if beyond:
                    excess = 1000
                elif value >= int(table[row + _LIMIT_ON]):
                    excess = value - int(table[row + _LIMIT_ON])
                    if excess >= int(table[row + _SPAN]):
                        excess = 1000
                    else:
                        excess = (excess * 1000) // int(table[row + _SPAN])
                limiting |= 1 << int(table[row + _LIMIT])
            if state & 1:
                alarms |= 1 << int(table[row + _FAULT])
        if flags & _HAS_LIMIT:
            out[_EXCESS + int(table[row + _LIMIT])] = excess
        table[row + _STATE] = state
        table[row + _HELD] = held
        if state:
            table[row + _QUIET] = 0
        else:
            table[row + _QUIET] = int(table[row + _LEAST])
        row += _ROW_WORDS
    out[_ALARMS] = alarms
    out[_LIMITING] = limiting
    return fault


@micropython.viper
def _copy(source: ptr32, target: ptr32, count: int):
    i = 0
    while i < count:
        target[i] = int(source[i])
        i += 1


class Protection:
    """All protections of one board, from its constants; `values` is what `quantities` describes.

    `unlocked`, after the local act at power-up, lets levels go beyond the board file's, to the
    ceilings of `limits`. `first` keeps the values at the time of `snapshot`.
    """

    def __init__(self, board, values, unlocked=False):
        self.values = values
        self.unlocked = unlocked
        self.first = q.make_values()
        self.table = array.array("i")
        self._levels = array.array("i")  # alarm, limit, trip of each row, shifted and mirrored
        self._hysteresis = array.array("i")
        self._most = array.array("i")  # the least protective trip that a local act permits
        self._change = bytearray()  # one bit for each level that may be changed
        self._add_rows(board)
        self._board = array.array("i", self._levels)
        self._told = [0] * 7
        out = array.array("i", [INSIDE] * _OUT_WORDS)
        out[_ALARMS] = 0
        out[_LIMITING] = 0
        out[_END] = len(self.table)
        out[_ALL] = _MASK
        out[_SHIFTED] = _SHIFT
        out[_BROKEN_FROM] = _BEYOND
        out[_WINDOWS] = 0
        self.out = out

    # -- the table -----------------------------------------------------------------------
    def _add_rows(self, board):
        """The order is that in which faults are told."""
        add = self._add
        add(ESTOP, q.ESTOP_OPEN, trip=1)
        add(DRIVER_FAULT, q.DRIVER_FAULT, trip=1)
        late = LATE_US + 1
        add(CONTROL_OVERRUN, q.CONTROL_INTERVAL_US, late, None, _OVERRUN_TRIP_US, when=TURNING)
        add(CONTROL_OVERRUN, q.LATE_TICKS, trip=_LATE_TICKS_TRIP, when=TURNING)
        self._add_sensor(board)
        levels = board.SUPPLY_LEVELS
        for i in range(len(levels)):
            self._add_high_supply(q.SUPPLY_1_MV + i, levels[i])
        self._add_torque(board)
        if levels:
            self._add_low_supply(levels)
        if board.TACHO_PIN is not None and board.OVERSPEED_TRIP_RPM:
            most = max(board.MOTOR_RATED_SPEED_RPM, board.OVERSPEED_TRIP_RPM)
            add(
                OVER_SPEED,
                q.SPEED_RPM,
                trip=board.OVERSPEED_TRIP_RPM,
                delay_ms=_OVERSPEED_DELAY_MS,
                change=_ALARM_TRIP,
                most=most,
            )
        self._add_heat(board)
        self._add_vibration(board)
        timeout = board.LINK_TIMEOUT_MS
        add(
            LINK_LOST,
            q.HEARTBEAT_AGE_MS,
            timeout * 2 // 3,
            None,
            timeout,
            when=OWNED,
            change=_ALARM_TRIP,
        )

    def _add_sensor(self, board):
        """A sensor that cannot be believed forbids a run, so that most of it counts at rest too.
        Samples are lost at rest while flash is erased.
        """
        add = self._add
        add(WRONG_SENSOR, q.SENSOR_IDENTITY, trip=1)
        add(SENSOR_SILENT, q.SENSOR_SILENT_MS, trip=board.VIBRATION_STALE_MS)
        add(SENSOR_STUCK, q.SENSOR_STUCK_MS, 1, None, _STUCK_TRIP_MS)
        add(SENSOR_SATURATED, q.SENSOR_SATURATED, trip=1, delay_ms=board.VIBRATION_DELAY_MS)
        add(SENSOR_NOISY, q.SENSOR_NOISY, trip=1, delay_ms=_NOISE_DELAY_MS, when=AT_REST)
        trip = board.SAMPLES_LOST_TRIP + 1
        add(SAMPLES_LOST, q.SAMPLES_LOST, 1, None, max(trip, 2), when=TURNING)

    def _add_torque(self, board):
        add = self._add
        trip = board.CURRENT_TRIP_MA
        if trip is not None and board.SEIZURE_CURRENT_MA:
            half = SEIZED // 2
            add(SEIZURE, q.SEIZING, half, None, SEIZED, half // 2, when=TURNING)
        if board.TACHO_PIN is not None and board.STALL_RPM:
            stalled = stall_delay_ms(board)
            if trip is not None:
                add(TACHO_LOST, q.TACHO_SILENT_MS, stalled // 2, None, stalled, when=TURNING)
            add(STALL, q.STANDING_MS, stalled // 2, None, stalled, when=TURNING)
        if trip is None:
            return
        most = trip * limits.MOST_CURRENT_PERMILLE // 1000
        if board.CURRENT_INSTANT_MA:
            most = min(most, board.CURRENT_INSTANT_MA)
        hysteresis = board.CURRENT_HYSTERESIS_MA
        delay_ms = board.CURRENT_DELAY_MS
        add(
            OVER_CURRENT,
            q.CURRENT_MA,
            board.CURRENT_ALARM_MA,
            board.CURRENT_LIMIT_MA,
            trip,
            hysteresis,
            delay_ms,
            number=LIMIT_CURRENT,
            change=_ALL_LEVELS,
            most=max(most, trip),
        )
        # Backwards: braking harder than driving, or a sensor without its supply.
        add(
            OVER_CURRENT,
            q.CURRENT_MA,
            trip=-trip,
            hysteresis=hysteresis,
            delay_ms=delay_ms,
            when=TURNING,
            flags=_BELOW,
        )

    def _add_high_supply(self, quantity, levels):
        _, _, _, trip, hysteresis, delay_ms = levels
        self._add(
            SUPPLY_TOO_HIGH,
            quantity,
            None,
            None,
            trip,
            hysteresis,
            delay_ms,
            flags=_TOLERANT,
            change=_ALARM_TRIP,
            most=trip * limits.MOST_SUPPLY_PERMILLE // 1000,
        )

    def _add_low_supply(self, levels):
        """A brown-out is one of what feeds the motor; the loss of one of several is an alarm."""
        add = self._add
        _, _, trip, _, hysteresis, delay_ms = min(levels, key=_low_trip)
        add(
            BROWN_OUT,
            q.SUPPLY_MV,
            None,
            min([one[1] for one in levels]),
            trip,
            hysteresis,
            delay_ms,
            when=TURNING,
            flags=_BELOW,
            number=LIMIT_SUPPLY,
            change=_LIMIT_TRIP,
            most=trip * limits.LEAST_SUPPLY_PERMILLE // 1000,
        )
        if len(levels) > 1:
            # Each is below its own trip level, though one may be above another's.
            add(
                BROWN_OUT,
                q.SUPPLIES_HEALTHY,
                trip=0,
                delay_ms=delay_ms,
                when=TURNING,
                flags=_BELOW,
            )
        for i in range(len(levels)):
            alarm, _, _, _, hysteresis, _ = levels[i]
            add(
                BROWN_OUT,
                q.SUPPLY_1_MV + i,
                alarm,
                hysteresis=hysteresis,
                flags=_BELOW | _TOLERANT,
                change=_ALARM_ALONE,
                most=alarm * limits.LEAST_SUPPLY_PERMILLE // 1000,
            )

    def _add_heat(self, board):
        if board.BEARING_TEMPERATURE_TRIP_MDEGC is not None:
            self._add(
                BEARING_TOO_HOT,
                q.BEARING_MDEGC,
                board.BEARING_TEMPERATURE_ALARM_MDEGC,
                board.BEARING_TEMPERATURE_LIMIT_MDEGC,
                board.BEARING_TEMPERATURE_TRIP_MDEGC,
                board.BEARING_TEMPERATURE_HYSTERESIS_MDEGC,
                board.BEARING_TEMPERATURE_DELAY_MS,
                number=LIMIT_BEARING,
                change=_ALL_LEVELS,
                most=max(limits.MOST_BEARING_MDEGC, board.BEARING_TEMPERATURE_TRIP_MDEGC),
            )
        if board.DRIVER_TEMPERATURE_TRIP_MDEGC is not None:
            self._add(
                DRIVER_TOO_HOT,
                q.DRIVER_MDEGC,
                board.DRIVER_TEMPERATURE_ALARM_MDEGC,
                board.DRIVER_TEMPERATURE_LIMIT_MDEGC,
                board.DRIVER_TEMPERATURE_TRIP_MDEGC,
                board.DRIVER_TEMPERATURE_HYSTERESIS_MDEGC,
                board.DRIVER_TEMPERATURE_DELAY_MS,
                number=LIMIT_DRIVER,
                change=_ALL_LEVELS,
                most=max(limits.MOST_DRIVER_MDEGC, board.DRIVER_TEMPERATURE_TRIP_MDEGC),
            )

    def _add_vibration(self, board):
        for fault, quantity, alarm, limit, trip, hysteresis, number, most in (
            (
                VIBRATION,
                q.VELOCITY_UM_S,
                board.VELOCITY_ALARM_UM_S,
                board.VELOCITY_LIMIT_UM_S,
                board.VELOCITY_TRIP_UM_S,
                board.VELOCITY_HYSTERESIS_UM_S,
                LIMIT_VIBRATION,
                limits.MOST_VELOCITY_UM_S,
            ),
            (
                ACCELERATION_PEAK,
                q.PEAK_MG,
                board.PEAK_ALARM_MG,
                board.PEAK_LIMIT_MG,
                board.PEAK_TRIP_MG,
                None,
                LIMIT_ACCELERATION_PEAK,
                board.VIBRATION_RANGE_MG,
            ),
            (
                ENVELOPE,
                q.ENVELOPE_MG,
                board.ENVELOPE_ALARM_MG,
                board.ENVELOPE_LIMIT_MG,
                board.ENVELOPE_TRIP_MG,
                None,
                LIMIT_ENVELOPE,
                board.VIBRATION_RANGE_MG,
            ),
            (
                CREST_FACTOR,
                q.CREST_CENTI,
                board.CREST_ALARM_CENTI,
                board.CREST_LIMIT_CENTI,
                board.CREST_TRIP_CENTI,
                None,
                LIMIT_CREST_FACTOR,
                _LEVEL_MOST,
            ),
        ):
            there = [level for level in (alarm, limit, trip) if level is not None]
            if not there:
                continue
            if hysteresis is None:
                back = there[0] // _HYSTERESIS_SHARE
            else:
                back = hysteresis
            raised = there[-1] * limits.MOST_VIBRATION_PERMILLE // 1000
            self._add(
                fault,
                quantity,
                alarm,
                limit,
                trip,
                back,
                board.VIBRATION_DELAY_MS,
                when=_WINDOWED,
                number=number,
                change=_ALL_LEVELS,
                most=max(min(raised, most), there[-1]),
            )

    def _add(
        self,
        fault,
        quantity,
        alarm=None,
        limit=None,
        trip=None,
        hysteresis=0,
        delay_ms=0,
        when=_ALWAYS,
        flags=0,
        number=0,
        change=0,
        most=None,
    ):
        mirror = -1 if flags & _BELOW else 0
        row = array.array("i", [0] * _ROW_WORDS)
        row[_QUANTITY] = quantity
        row[_MIRROR] = mirror
        row[_FLAGS] = when | flags
        row[_DELAY_MS] = delay_ms
        row[_FAULT] = fault
        row[_LIMIT] = number
        self.table.extend(row)
        for level in (alarm, limit, trip):
            self._levels.append(_NEVER if level is None else _code(level, mirror))
        self._hysteresis.append(hysteresis)
        self._most.append(0 if most is None else _code(most, mirror))
        self._change.append(change)
        self._derive(len(self._hysteresis) - 1)

    def _derive(self, row):
        """What `evaluate` compares with, from the levels of a row. The control tick may come
        between any two lines: `quiet`, which sends it past the row, is opened last.
        """
        table = self.table
        levels = self._levels
        at = row * _ROW_WORDS
        alarm, limit, trip = [levels[3 * row + which] for which in (ALARM, LIMIT, TRIP)]
        back = self._hysteresis[row]
        least = min(alarm, limit, trip)
        table[at + _TRIP_ON] = trip
        table[at + _LIMIT_ON] = limit
        table[at + _LIMIT_OFF] = limit if limit == _NEVER else max(limit - back, 0)
        table[at + _ALARM_ON] = least
        table[at + _ALARM_OFF] = least if least == _NEVER else max(least - back, 0)
        span = trip - limit if trip != _NEVER else _decode(limit, table[at + _MIRROR]) // 2
        table[at + _SPAN] = max(span, 1)
        flags = table[at + _FLAGS] & ~(_HAS_ALARM | _HAS_LIMIT | _HAS_TRIP)
        for level, flag in ((alarm, _HAS_ALARM), (limit, _HAS_LIMIT), (trip, _HAS_TRIP)):
            if level != _NEVER:
                flags |= flag
        table[at + _FLAGS] = flags
        table[at + _LEAST] = least
        table[at + _QUIET] = 0

    # -- every control tick --------------------------------------------------------------
    @micropython.native
    def check(self, conditions, elapsed_ms):
        """The fault that is there now and past its delay, or NONE. Call at every control tick.

        `conditions` is AT_REST, or TURNING where the motor may be driven, with OWNED where the run
        needs its host. Brings `alarms`, `limiting` and `excess_permille` up to date.
        """
        return evaluate(self.values, self.table, self.out, conditions | elapsed_ms << 4)

    @property
    def alarms(self):
        """One bit for each fault whose alarm level is reached; the trip level where it has none."""
        return self.out[_ALARMS]

    @property
    def limiting(self):
        """One bit for each limit that is reached."""
        return self.out[_LIMITING]

    @micropython.native
    def excess_permille(self, limit):
        """How far a quantity is past its limit: 0 at it, 1000 at its trip level and beyond. INSIDE
        where it is not reached, HOLDING where it is back inside by less than the hysteresis.
        """
        return self.out[_EXCESS + limit]

    def window(self):
        """A window of settled features has closed: what they say of vibration may be judged."""
        self.out[_WINDOWS] = 1

    def forget(self):
        """A new run begins: delays start from nothing, windows of the time before do not count."""
        self.out[_WINDOWS] = 0
        table = self.table
        for at in range(0, len(table), _ROW_WORDS):
            table[at + _HELD] = 0
            table[at + _QUIET] = 0

    def snapshot(self):
        """Keep the values as they are, in `first`."""
        _copy(self.values, self.first, q.COUNT)

    def value_of(self, fault):
        """The value that a fault or alarm is about, ABSENT where there is none. Of several, as with
        supplies, the first that has reached a level at the last `check`; if none has, the first.
        """
        table = self.table
        first = -1
        for at in range(0, len(table), _ROW_WORDS):
            if table[at + _FAULT] == fault:
                if table[at + _STATE]:
                    return self.values[table[at + _QUANTITY]]
                if first < 0:
                    first = at
        return q.ABSENT if first < 0 else self.values[table[first + _QUANTITY]]

    def present(self, fault):
        """True while the cause of a latched fault is still there, or back by less than its
        hysteresis. What only firmware can tell (a crash, corrupt settings) is never there; a run's
        owner is no longer needed when the run is over.
        """
        if fault == SENSOR_ABSENT:
            fault = SENSOR_SILENT
        elif fault == SHORT_CIRCUIT:
            fault = OVER_CURRENT
        table = self.table
        for row in range(len(self._hysteresis)):
            at = row * _ROW_WORDS
            flags = table[at + _FLAGS]
            if table[at + _FAULT] != fault or flags & OWNED or not flags & _HAS_TRIP:
                continue
            value = _code(self.values[table[at + _QUANTITY]], table[at + _MIRROR])
            if value >= _BEYOND:
                if not flags & _TOLERANT:
                    return True
            elif value >= table[at + _TRIP_ON] - self._hysteresis[row]:
                return True
        return False

    # -- levels --------------------------------------------------------------------------
    def levels(self, fault):
        """Alarm, limit and trip in force, the delay of the trip in ms, and the three levels of the
        board file; ABSENT for a level that is not there. None without such a protection.

        It is the same list at every call: nothing is collected while the motor turns.
        """
        delay_ms = self._delay_ms(fault)
        if delay_ms < 0:
            return None
        told = self._told
        told[_TOLD_DELAY] = delay_ms
        for which in (ALARM, LIMIT, TRIP):
            told[which] = self._tell(self._levels, fault, which)
            told[_TOLD_BOARD + which] = self._tell(self._board, fault, which)
        return told

    def lower(self, fault, which, value):
        """Move a level to the protective side, or back as far as the board file's; DONE or the
        reason why not. `which` is ALARM, LIMIT or TRIP.
        """
        row = self._row_to_change(fault, which)
        if row < 0:
            there = 0 <= which <= TRIP and self._delay_ms(fault) >= 0
            return FIXED if there else UNKNOWN
        return self._set(row, which, value)

    def restore(self):
        """Every level as the board file has it."""
        for row in range(len(self._hysteresis)):
            for which in (ALARM, LIMIT, TRIP):
                self._levels[3 * row + which] = self._board[3 * row + which]
            self._derive(row)

    def export(self):
        """The levels that are not the board file's, as pairs of key and value in one flat array.

        A key is a quantity's number * 8, + 4 for a row that looks below, + ALARM, LIMIT or TRIP.
        """
        flat = array.array("i")
        for row in range(len(self._hysteresis)):
            mirror = self.table[row * _ROW_WORDS + _MIRROR]
            for which in (ALARM, LIMIT, TRIP):
                value = _value(self._levels, 3 * row + which, mirror)
                if value != _value(self._board, 3 * row + which, mirror):
                    flat.append(self._key(row) + which)
                    flat.append(value)
        return flat

    def import_levels(self, flat):
        """Set what `export` gave; returns how many pairs were refused, each of which leaves its
        level alone. Any integers may be in `flat`.
        """
        refused = len(flat) // 2
        for _ in range(3):  # a level of three may have to wait for the two others
            refused = 0
            for i in range(0, len(flat) - 1, 2):
                row, which = self._row_of_key(flat[i])
                if row < 0 or self._set(row, which, flat[i + 1]):
                    refused += 1
        return refused + len(flat) % 2

    def _set(self, row, which, value):
        levels = self._levels
        mirror = self.table[row * _ROW_WORDS + _MIRROR]
        if not 0 < value <= _LEVEL_MOST:
            return OUT_OF_RANGE
        code = _code(value, mirror)
        most = self._board[3 * row + which]
        if self.unlocked and self._most[row]:
            most = max(most, self._most[row])
        if code > most:
            return LESS_PROTECTIVE
        for other in (ALARM, LIMIT, TRIP):
            there = levels[3 * row + other]
            if there == _NEVER or other == which:
                continue
            if (code >= there) if other > which else (code <= there):
                return OUT_OF_ORDER
        levels[3 * row + which] = code
        self._derive(row)
        return DONE

    def _row_to_change(self, fault, which):
        if 0 <= which <= TRIP:
            for row in range(len(self._hysteresis)):
                same = self.table[row * _ROW_WORDS + _FAULT] == fault
                if same and self._change[row] >> which & 1:
                    return row
        return -1

    def _row_of_key(self, key):
        which = key & 3
        for row in range(len(self._hysteresis)):
            if key - which == self._key(row) and which <= TRIP and self._change[row] >> which & 1:
                return row, which
        return -1, 0

    def _key(self, row):
        at = row * _ROW_WORDS
        return self.table[at + _QUANTITY] * 8 + (4 if self.table[at + _MIRROR] else 0)

    def _delay_ms(self, fault):
        for at in range(0, len(self.table), _ROW_WORDS):
            if self.table[at + _FAULT] == fault:
                return self.table[at + _DELAY_MS]
        return -1

    def _tell(self, levels, fault, which):
        for row in range(len(self._hysteresis)):
            at = row * _ROW_WORDS
            if self.table[at + _FAULT] == fault:
                value = _value(levels, 3 * row + which, self.table[at + _MIRROR])
                if value >= 0:
                    return value
        return q.ABSENT


def _low_trip(levels):
    return levels[2]


def _code(value, mirror):
    """A value as `evaluate` compares it."""
    return ((value ^ mirror) + _SHIFT) & _MASK


def _decode(code, mirror):
    return (code - _SHIFT) ^ mirror


@micropython.viper
def _value(levels: ptr32, at: int, mirror: int) -> int:
    """A level, -1 where there is none. A code is too large for an integer that costs no memory."""
    value = int(levels[at]) - _SHIFT
    if value == _NEVER_UNSHIFTED:
        return -1
    return value ^ mirror
