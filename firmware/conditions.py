"""What is seen -> the quantities that say how the motor, the sensor and the board are doing. Pure:
counts and time come in, milliseconds and flags come out.

Write what is seen into `Conditions.observed` and call `update` at every control tick; call `window`
for every window of features. A quantity that the board cannot know stays ABSENT:

    has             stall  tacho lost  seizure
    tacho, current  yes    yes         yes, by current and speed
    tacho           yes    -           -
    current         -      -           only far above its level: there the speed need not be known
    neither         -      -           -

A motor that is driven and does not move stands. The first turn may take as long as one at
`STALL_RPM`, so that much is allowed before standing counts in a new run; a high current ends the
allowance, and makes the time count twice. Time in which the current is that of a motor that turns
counts as the tacho's silence as well: one that stands draws more, one that is cut off nothing.

A seizure is current above its level while the shaft is slower than a fraction of the command. It is
an integral over time, of 1 where both are just so and of the product

    (1 + 2 * excess of the current)^2 * (1 + shortfall of the speed)

where they are worse, both as fractions; it is one when it reaches `SEIZURE_DELAY_MS`. At two and a
half times the level that is a sixteenth of the delay. Between two edges of the tacho nothing is
known about the speed; a current of twice the level or more is then taken for a seizure until an
edge proves it wrong. Until the shaft has moved in this run, the integral grows at the slowest rate
unless the current is that high: a motor breaks away at more than its running current.
"""

import array

import micropython
from micropython import const

# Where to write in `observed`. Counts run on and may wrap at 2^30.
EDGES = const(0)  # of the tacho, since power-up
DUTY_PERMILLE = const(1)  # on the pin; 0 is off
COMMAND_PERMILLE = const(2)  # speed asked for, of rated speed
SAMPLES = const(3)  # from the sensor, since power-up
LOST = const(4)  # samples, since power-up
INTERVAL_US = const(5)  # since the control tick before
TICK_BEFORE_US = const(6)  # when that was: the tick's own
_OBSERVED = const(7)

# An interval of the control tick above this is late: 5 ms and the 20 % that it may be off.
LATE_US = const(6000)
SEIZED = const(1000)  # SEIZING where it is a seizure

# Of `quantities`, again, because viper takes no constant of another module.
_BROKEN = const(-0x3FFFFFFF)
_SPEED_RPM = const(0)
_CURRENT_MA = const(1)
_SENSOR_SILENT_MS = const(18)
_SENSOR_STUCK_MS = const(19)
_SENSOR_SATURATED = const(20)
_SENSOR_NOISY = const(21)
_SAMPLES_LOST = const(23)
_HEARTBEAT_AGE_MS = const(24)
_CONTROL_INTERVAL_US = const(25)
_STANDING_MS = const(26)
_SEIZING = const(27)
_TACHO_SILENT_MS = const(28)
_LATE_TICKS = const(29)

_COUNT_MASK = const(0x3FFFFFFF)
_LONGEST_STEP_MS = const(20)
_FOREVER_MS = const(1000000)
_LET_GO_MS = const(200)
_BUCKET_MS = const(250)
_COASTED_MS = const(3000)
_LIVE = const(16)
_PRESUMED_PERMILLE = const(1000)
_WORST_EXCESS_PERMILLE = const(4000)
_PACE_SHARE = const(5)

# Words of the state. First what the board says:
_TOP = const(0)
_MIN_DUTY = const(1)
_SLOWEST_MS = const(2)  # between two edges at STALL_RPM; 0 without a tacho
_EDGE_RPM = const(3)  # speed at one edge a millisecond
_RATED_RPM = const(4)
_HIGH_MA = const(5)  # 0 where the current is not measured
_SEIZURE_MA = const(6)
_SEIZURE_SPEED = const(7)
_SEIZURE_DELAY = const(8)
# then what has been:
_EDGES_BEFORE = const(9)
_GAP = const(10)
_MOVED = const(11)
_ALLOWED = const(12)
_STANDING = const(13)
_TACHO_SILENT = const(14)
_INTEGRAL = const(15)
_OFF = const(16)
_SAMPLES_BEFORE = const(17)
_SILENT = const(18)
_LOST_BEFORE = const(19)
_BEAT = const(20)
_BUCKET = const(21)
_LOST_NOW = const(22)  # then the three buckets before
_LONGEST_NOW = const(26)
_LATE_NOW = const(30)
_ALL = const(34)
_WORDS = const(35)


@micropython.viper
def advance(observed: ptr32, state: ptr32, values: ptr32, elapsed_ms: int):
    """One control tick, of `elapsed_ms`. 1,100 cycles at a steady run, 1,800 in a jam,
    at 125 MHz, emulated."""
    # Where viper's integers have 64 bits, loads do not extend the sign: the quantities, of 31 bits,
    # do it by hand.
    top = int(state[_TOP])
    every = int(state[_ALL])
    step = elapsed_ms
    if step > _LONGEST_STEP_MS:
        # The core was deaf, in an erase of flash: it cannot say that nothing came.
        step = _LONGEST_STEP_MS

    beat = int(state[_BEAT]) + elapsed_ms
    if beat > _FOREVER_MS:
        beat = _FOREVER_MS
    state[_BEAT] = beat
    values[_HEARTBEAT_AGE_MS] = beat

    count = int(observed[SAMPLES])
    silent = 0
    # One whose samples are lost does say something.
    if count == int(state[_SAMPLES_BEFORE]) and int(observed[LOST]) == int(state[_LOST_BEFORE]):
        silent = int(state[_SILENT]) + step
        if silent > _FOREVER_MS:
            silent = _FOREVER_MS
    state[_SAMPLES_BEFORE] = count
    state[_SILENT] = silent
    values[_SENSOR_SILENT_MS] = silent

    # The last second, in four buckets.
    bucket = int(state[_BUCKET]) + elapsed_ms
    if bucket >= _BUCKET_MS:
        bucket = 0
        i = 3
        while i > 0:
            state[_LOST_NOW + i] = int(state[_LOST_NOW + i - 1])
            state[_LONGEST_NOW + i] = int(state[_LONGEST_NOW + i - 1])
            state[_LATE_NOW + i] = int(state[_LATE_NOW + i - 1])
            i -= 1
        state[_LOST_NOW] = 0
        state[_LONGEST_NOW] = 0
        state[_LATE_NOW] = 0
    state[_BUCKET] = bucket
    count = int(observed[LOST])
    state[_LOST_NOW] = int(state[_LOST_NOW]) + ((count - int(state[_LOST_BEFORE])) & _COUNT_MASK)
    state[_LOST_BEFORE] = count
    interval = int(observed[INTERVAL_US])
    if interval > int(state[_LONGEST_NOW]):
        state[_LONGEST_NOW] = interval
    if interval > LATE_US:
        state[_LATE_NOW] = int(state[_LATE_NOW]) + 1
    lost = 0
    longest = 0
    late = 0
    i = 0
    while i < 4:
        lost += int(state[_LOST_NOW + i])
        late += int(state[_LATE_NOW + i])
        interval = int(state[_LONGEST_NOW + i])
        if interval > longest:
            longest = interval
        i += 1
    values[_SAMPLES_LOST] = lost
    values[_CONTROL_INTERVAL_US] = longest
    values[_LATE_TICKS] = late

    # The shaft.
    slowest = int(state[_SLOWEST_MS])
    count = int(observed[EDGES])
    edges = (count - int(state[_EDGES_BEFORE])) & _COUNT_MASK
    state[_EDGES_BEFORE] = count
    gap = int(state[_GAP]) + step
    moving = 0
    if edges:
        if gap <= slowest:
            moving = 1
        gap = 0
    if gap > _FOREVER_MS:
        gap = _FOREVER_MS
    state[_GAP] = gap

    duty = int(observed[DUTY_PERMILLE])
    off = 0
    if duty < int(state[_MIN_DUTY]):
        off = int(state[_OFF]) + step
        if off > _FOREVER_MS:
            off = _FOREVER_MS
        if edges:
            if off >= _LET_GO_MS:
                off = _LET_GO_MS  # it coasts
    state[_OFF] = off
    if off >= _LET_GO_MS:
        state[_MOVED] = 0
        state[_ALLOWED] = slowest
        state[_STANDING] = 0
        state[_TACHO_SILENT] = 0
        state[_INTEGRAL] = 0
    elif off == 0:
        current = ((int(values[_CURRENT_MA]) + top) & every) - top
        known = int(state[_HIGH_MA])
        if current <= _BROKEN:
            known = 0
            current = 0
        if current < 0:
            current = 0 - current
        if current > 1000000:
            current = 1000000
        high = 0
        if known:
            if current >= known:
                high = 1
        if moving:
            state[_MOVED] = 1
            state[_STANDING] = 0
            state[_TACHO_SILENT] = 0
        elif slowest:
            allowed = int(state[_ALLOWED])
            if int(state[_MOVED]) + high:
                allowed = 0
            if allowed > 0:
                allowed -= step
                if allowed < 0:
                    allowed = 0
            else:
                standing = int(state[_STANDING]) + step
                if high:
                    standing += step
                if standing > _FOREVER_MS:
                    standing = _FOREVER_MS
                state[_STANDING] = standing
                quiet = int(state[_TACHO_SILENT]) + step
                if quiet > _FOREVER_MS:
                    quiet = _FOREVER_MS
                if high:
                    quiet = 0
                if current * _LIVE < known:
                    quiet = 0  # no motor is there to turn
                state[_TACHO_SILENT] = quiet
            state[_ALLOWED] = allowed

        level = int(state[_SEIZURE_MA])
        if level:
            integral = int(state[_INTEGRAL])
            if current < level:
                integral -= 2000 * step
                if integral < 0:
                    integral = 0
            else:
                excess = ((current - level) * 1000) // level
                if excess > _WORST_EXCESS_PERMILLE:
                    excess = _WORST_EXCESS_PERMILLE
                worse = ((1000 + 2 * excess) * (1000 + 2 * excess)) // 1000
                rate = 0
                slow = 0
                if slowest:
                    speed = ((int(values[_SPEED_RPM]) + top) & every) - top
                    if gap:
                        fastest = int(state[_EDGE_RPM]) // gap
                        if fastest < speed:
                            speed = fastest
                    if speed < 0:
                        speed = 0
                    wanted = (int(observed[COMMAND_PERMILLE]) * int(state[_RATED_RPM])) // 1000
                    wanted = (wanted * int(state[_SEIZURE_SPEED])) // 1000
                    if speed < wanted:
                        slow = 1
                        shortfall = ((wanted - speed) * 1000) // wanted
                        rate = 1000
                        if int(state[_MOVED]):
                            rate = (worse * (1000 + shortfall)) // 1000
                    elif edges:
                        integral = 0
                if edges:
                    presumed = slow
                else:
                    presumed = 1
                if excess < _PRESUMED_PERMILLE:
                    presumed = 0
                if presumed:
                    if rate < worse:
                        rate = worse
                integral += rate * step
                most = 2000 * int(state[_SEIZURE_DELAY])
                if integral > most:
                    integral = most
            state[_INTEGRAL] = integral
    if slowest:
        values[_STANDING_MS] = int(state[_STANDING])
        if int(state[_HIGH_MA]):
            values[_TACHO_SILENT_MS] = int(state[_TACHO_SILENT])
    if int(state[_SEIZURE_MA]):
        values[_SEIZING] = int(state[_INTEGRAL]) // int(state[_SEIZURE_DELAY])


def slowest_gap_ms(board):
    """Milliseconds between two edges of the tacho at STALL_RPM, 0 where there is no tacho."""
    if board.TACHO_PIN is None or not board.STALL_RPM:
        return 0
    return max(60000 // (board.STALL_RPM * board.TACHO_PULSES_PER_REV), 1)


def stall_delay_ms(board):
    """_STANDING_MS at which a motor has stalled: the board's delay, but never so short that a shaft
    at STALL_RPM would stand between two edges.
    """
    return max(board.STALL_DELAY_MS, slowest_gap_ms(board) * 5 // 4 + 10)


class Conditions:
    """Keeps the condition quantities of `values` up to date.

    `observed` is where inputs, motor and sampler write what they see (EDGES and so on).
    """

    def __init__(self, board, values):
        self.values = values
        self.observed = array.array("i", [0] * _OBSERVED)
        self._noise_trip_mg = board.NOISE_TRIP_MG
        state = array.array("i", [0] * _WORDS)
        self.state = state
        state[_TOP] = 0x40000000
        state[_ALL] = 0x7FFFFFFF
        state[_MIN_DUTY] = max(board.MOTOR_MIN_DUTY_PERMILLE, 1)
        slowest = slowest_gap_ms(board)
        state[_SLOWEST_MS] = slowest
        state[_ALLOWED] = slowest
        if slowest:
            state[_EDGE_RPM] = 60000 // board.TACHO_PULSES_PER_REV
        state[_RATED_RPM] = board.MOTOR_RATED_SPEED_RPM
        measured = board.CURRENT_TRIP_MA is not None
        if measured:
            level = board.SEIZURE_CURRENT_MA or board.CURRENT_LIMIT_MA or board.CURRENT_TRIP_MA
            state[_HIGH_MA] = level * 7 // 8  # the limit on it holds a standing motor at its level
        if measured and board.SEIZURE_CURRENT_MA:
            state[_SEIZURE_MA] = board.SEIZURE_CURRENT_MA
            state[_SEIZURE_SPEED] = board.SEIZURE_SPEED_PERMILLE or 0
            state[_SEIZURE_DELAY] = max(board.SEIZURE_DELAY_MS, 1)
        state[_OFF] = _LET_GO_MS
        values[_SENSOR_STUCK_MS] = 0
        values[_SENSOR_SATURATED] = 0
        values[_SENSOR_NOISY] = 0
        self._link_timeout_ms = board.LINK_TIMEOUT_MS
        self._paced = False
        advance(self.observed, state, values, 0)

    @micropython.native
    def update(self, elapsed_ms):
        """One control tick, `elapsed_ms` (0 to 10,000) after the one before."""
        advance(self.observed, self.state, self.values, elapsed_ms)

    def window(self, window_ms, stuck, saturated, rms_mg):
        """A window of features has closed.

        `stuck`: no judged axis changed in it. `saturated`: the sensor's range was reached in it.
        `rms_mg` is judged as noise where the whole window lies beyond the coasting down of 3 s.
        """
        values = self.values
        if stuck:
            values[_SENSOR_STUCK_MS] = min(values[_SENSOR_STUCK_MS] + window_ms, _FOREVER_MS)
        else:
            values[_SENSOR_STUCK_MS] = 0
        values[_SENSOR_SATURATED] = 1 if saturated else 0
        trip = self._noise_trip_mg
        at_rest = self.state[_OFF] >= _COASTED_MS + window_ms
        values[_SENSOR_NOISY] = 1 if trip and at_rest and rms_mg > trip else 0

    def pace(self, nominal_ms, took_ms, samples):
        """A window of so many samples has closed, `took_ms` after the one before.

        What a sensor whose clock is off by more than a fifth tells of frequencies is wrong: while
        the motor is driven, its samples count as lost. The first window of a run has begun before
        it, when flash may have been erased, and says nothing.
        """
        if self._paced and self.state[_OFF] == 0:
            off_ms = took_ms - nominal_ms
            if off_ms < 0:
                off_ms = -off_ms
            if off_ms * _PACE_SHARE > nominal_ms:
                self.state[_LOST_NOW] += samples
        self._paced = True

    def heartbeat(self):
        """The operator who owns the run is there."""
        self.state[_BEAT] = 0
        self.values[_HEARTBEAT_AGE_MS] = 0

    def link_closed(self):
        """The operator's port is closed: no heartbeat can come."""
        self.state[_BEAT] = max(self.state[_BEAT], self._link_timeout_ms)

    def forget(self):
        """A new run begins: what was seen at rest does not count against it."""
        state = self.state
        for i in range(_LOST_NOW, _ALL):
            state[i] = 0
        state[_LOST_BEFORE] = self.observed[LOST]
        self.heartbeat()
        self._paced = False
        values = self.values
        values[_SAMPLES_LOST] = 0
        values[_CONTROL_INTERVAL_US] = 0
        values[_LATE_TICKS] = 0
