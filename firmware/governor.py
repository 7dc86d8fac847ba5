"""How fast the motor may turn, and why. Pure: no hardware, no clock; time comes in as an argument.

The command is the least of named limits (`LIMITS` of the wire); whichever is least is the one that
binds. Speeds are in 1/1000 of rated speed.

Modes, with what leads in and out of each, and who says so (the machine: the control tick or the
protection; the app: what runs at boot; a person: a command over the link or the button):

    boot         from power-up or any reset of the chip. The app leaves it to self-test; a fault
                 leads to tripped, a person to maintenance.
    self-test    the app checks what the board has, motor off. Left to idle by the app when all is
                 well, to tripped by a fault. The app may come back to it from idle.
    idle         motor off. Left to starting by a person's `run`, once a self-test has passed and
                 the minimum off time is over; to maintenance by a person.
    starting     the ramp after `run` holds the speed. The machine leaves it to running or limiting
                 when the ramp binds no more.
    running      at the speed of operator, derate cap, probation, or at the edge of the critical
                 band. The machine leaves it to limiting when a limit that protects binds.
    limiting     held lower by a limit that protects (vibration to supply). The machine leaves it
                 to running when none does.
    tripped      motor off, the first fault latched. A person leaves it to idle by `reset`, with the
                 cause gone, or to maintenance.
    maintenance  motor off, about to give the console to the host. Only a reset of the chip leaves
                 it.

A person's `stop` leads from starting, running and limiting to idle, at once: the motor coasts. A
fault leads from any mode but maintenance to tripped. `TABLE` holds all of it, the ticks excepted.
"""

import array

import micropython
from micropython import const

from .limits import HARD_CAP_PERMILLE

BOOT = const(0)
SELF_TEST = const(1)
IDLE = const(2)
STARTING = const(3)
RUNNING = const(4)
LIMITING = const(5)
TRIPPED = const(6)
MAINTENANCE = const(7)

SELF_TEST_BEGINS = const(0)
SELF_TEST_PASSED = const(1)
RUN = const(2)
CHANGE_SPEED = const(3)
STOP = const(4)
TRIP = const(5)
RESET = const(6)
MAINTAIN = const(7)
POWER_UP = const(8)

# What an event answers. From `REFUSED` on, it has changed nothing.
DONE = const(0)
REFUSED = const(16)
NOT_READY = const(16)  # no self-test has passed
NOT_RESET = const(17)  # tripped: reset first
TURNING = const(18)  # stop first
NOT_TURNING = const(19)  # nothing runs whose speed could change
NOT_TRIPPED = const(20)
CAUSE_PRESENT = const(21)  # the cause of the trip is still there
TOO_SOON = const(22)  # the minimum off time is not over
OUT_OF_RANGE = const(23)
NO_SELF_TEST = const(24)  # none has begun, or it is over
LEAVING = const(25)  # in maintenance: only a reset of the chip leads out

# What follows on each event (columns, in the order of their numbers) in each mode (rows): the new
# mode or the refusal. `run` in idle and `reset` have conditions of their own besides.
TABLE = (
    (  # boot
        SELF_TEST,
        NO_SELF_TEST,
        NOT_READY,
        NOT_TURNING,
        BOOT,
        TRIPPED,
        NOT_TRIPPED,
        MAINTENANCE,
        BOOT,
    ),
    (  # self-test
        SELF_TEST,
        IDLE,
        NOT_READY,
        NOT_TURNING,
        SELF_TEST,
        TRIPPED,
        NOT_TRIPPED,
        MAINTENANCE,
        BOOT,
    ),
    (  # idle
        SELF_TEST,
        IDLE,
        STARTING,
        NOT_TURNING,
        IDLE,
        TRIPPED,
        NOT_TRIPPED,
        MAINTENANCE,
        BOOT,
    ),
    (  # starting
        TURNING,
        NO_SELF_TEST,
        STARTING,
        STARTING,
        IDLE,
        TRIPPED,
        NOT_TRIPPED,
        TURNING,
        BOOT,
    ),
    (  # running
        TURNING,
        NO_SELF_TEST,
        RUNNING,
        RUNNING,
        IDLE,
        TRIPPED,
        NOT_TRIPPED,
        TURNING,
        BOOT,
    ),
    (  # limiting
        TURNING,
        NO_SELF_TEST,
        LIMITING,
        LIMITING,
        IDLE,
        TRIPPED,
        NOT_TRIPPED,
        TURNING,
        BOOT,
    ),
    (  # tripped: a self-test that was under way may still end
        NOT_RESET,
        TRIPPED,
        NOT_RESET,
        NOT_TURNING,
        TRIPPED,
        TRIPPED,
        IDLE,
        MAINTENANCE,
        BOOT,
    ),
    (  # maintenance
        LEAVING,
        LEAVING,
        LEAVING,
        LEAVING,
        MAINTENANCE,
        MAINTENANCE,
        LEAVING,
        MAINTENANCE,
        BOOT,
    ),
)

LIMIT_NONE = const(0)
LIMIT_OPERATOR = const(1)
LIMIT_DERATE = const(2)
LIMIT_PROBATION = const(3)
LIMIT_RAMP = const(4)
LIMIT_CRITICAL = const(5)
LIMIT_VIBRATION = const(6)  # the first of those that protect
LIMIT_PEAK = const(7)
LIMIT_CREST = const(8)
LIMIT_ENVELOPE = const(9)
LIMIT_CURRENT = const(10)
LIMIT_BEARING_TEMPERATURE = const(11)
LIMIT_DRIVER_TEMPERATURE = const(12)
LIMIT_SUPPLY = const(13)

_LIMITS = const(14)
_FASTEST_PERMILLE = const(1000)
# Across the critical band the ramps are this much steeper, both ways.
_CROSSING = const(4)

# Vibration, once a window. One above the limit takes off a fraction of the speed that grows with
# the excess; one inside the hysteresis gives back less, so that the speed settles under the limit
# instead of hunting around it. Below the floor it is for the trip to act.
_VIBRATION_BACK_OFF_LEAST = const(10)
_VIBRATION_BACK_OFF_MOST = const(60)
_VIBRATION_GIVE_BACK = const(4)
_VIBRATION_FLOOR = const(350)
# Current and supply, ten times a second: the same law in smaller steps.
_ELECTRIC_BACK_OFF_LEAST = const(5)
_ELECTRIC_BACK_OFF_MOST = const(60)
_ELECTRIC_GIVE_BACK = const(1)
# A temperature follows the speed by minutes: taking off a step ten times a second would end at the
# floor before it had answered. Its limit is a straight line instead, from the allowed speed at the
# limit level down to the floor at the trip.
_COOLING_FALL_MOST = const(40)
_COOLING_RISE = const(1)
_FLOOR = const(100)


class Governor:
    """The state machine.

    Parameters
    ----------
    board
        Has DERATE_CAP_PERMILLE, RAMP_UP_PERMILLE_PER_S and RAMP_DOWN_PERMILLE_PER_S (1 to 10,000),
        MOTOR_MIN_OFF_MS (0 to 60,000), CRITICAL_LOW_PERMILLE and CRITICAL_HIGH_PERMILLE (0 to
        1,000, or both None).

    Attributes
    ----------
    mode, fault, limit
        Numbers of the wire. `fault` is the first one since the last reset, `limit` what binds.
    command_permille
        Of rated speed; above 0 in starting, running and limiting alone.
    cap_permille, operator_permille, ceiling_permille, probation_permille, supply_ceiling_permille
        Derate cap; speed asked for; the operator's lasting limit; what probation allows; what the
        supplies can feed.
    """

    def __init__(self, board):
        self.cap_permille = min(board.DERATE_CAP_PERMILLE, HARD_CAP_PERMILLE)
        self._ramp_up = board.RAMP_UP_PERMILLE_PER_S
        self._ramp_down = board.RAMP_DOWN_PERMILLE_PER_S
        self._min_off_ms = board.MOTOR_MIN_OFF_MS
        low = board.CRITICAL_LOW_PERMILLE
        # A band without width is none.
        self._low = _FASTEST_PERMILLE if low is None else low
        self._high = _FASTEST_PERMILLE if low is None else board.CRITICAL_HIGH_PERMILLE
        self._held = array.array("i", [0] * _LIMITS)
        self.power_up()

    def power_up(self):
        """As after any reset of the chip: nothing runs, nothing is known. Part of the constructor.

        The minimum off time counts from here: a compressor whose power failed must wait, too.
        """
        self.mode = BOOT
        self.fault = 0
        self._tested = 0
        self._off_ms = 0
        self.ceiling_permille = self.cap_permille
        self.probation_permille = self.cap_permille
        self.supply_ceiling_permille = self.cap_permille
        self._rest()

    # -- events: each answers DONE or a refusal ------------------------------------------
    def self_test_begins(self):
        """The app begins to check the board, motor off."""
        outcome = TABLE[self.mode][SELF_TEST_BEGINS]
        if outcome >= REFUSED:
            return outcome
        self.mode = outcome
        self._tested = 1
        return DONE

    def self_test_passed(self):
        """All that was checked is well. After a trip during the test it is noted; mode stays."""
        outcome = TABLE[self.mode][SELF_TEST_PASSED]
        if outcome >= REFUSED:
            return outcome
        if not self._tested:
            return NO_SELF_TEST
        self.mode = outcome
        self._tested = 2
        return DONE

    def run(self, speed_permille):
        """Start, or change the speed of a run (1 to 1,000)."""
        outcome = TABLE[self.mode][RUN]
        if outcome >= REFUSED:
            return outcome
        if not 0 < speed_permille <= _FASTEST_PERMILLE:
            return OUT_OF_RANGE
        if self.mode == IDLE:
            if self._tested != 2:
                return NOT_READY
            if self._off_ms < self._min_off_ms:
                return TOO_SOON
            self._rest()
        self.mode = outcome
        self.operator_permille = speed_permille
        self._allow()
        return DONE

    def change_speed(self, speed_permille):
        """Change the speed of a run (1 to 1,000); never starts one."""
        outcome = TABLE[self.mode][CHANGE_SPEED]
        if outcome >= REFUSED:
            return outcome
        return self.run(speed_permille)

    def stop(self):
        """End a run in order: motor off at once, the shaft coasts. Allowed in every mode."""
        outcome = TABLE[self.mode][STOP]
        if outcome != self.mode:
            self._end(outcome)
        return DONE

    def trip(self, fault):
        """Motor off, `fault` (1 or more) latched; later ones do not replace it."""
        outcome = TABLE[self.mode][TRIP]
        if outcome != self.mode:
            self.fault = fault
            self._end(outcome)
        return DONE

    def reset(self, cause_present):
        """Leave tripped, if the cause of the latched fault is gone."""
        outcome = TABLE[self.mode][RESET]
        if outcome >= REFUSED:
            return outcome
        if cause_present:
            return CAUSE_PRESENT
        self.fault = 0
        self.mode = outcome
        return DONE

    def maintain(self):
        """Leave operation; only a reset of the chip leads back."""
        outcome = TABLE[self.mode][MAINTAIN]
        if outcome >= REFUSED:
            return outcome
        self.mode = outcome
        return DONE

    @property
    def turning(self):
        """True in the modes in which the motor may be driven."""
        return STARTING <= self.mode <= LIMITING

    # -- limits --------------------------------------------------------------------------
    def hold_below(self, ceiling_permille):
        """The operator's lasting limit: from zero to the derate cap; survives runs and trips."""
        self.ceiling_permille = min(max(ceiling_permille, 0), self.cap_permille)
        self._allow()

    def hold_probation(self, permille):
        """What the bearing's probation allows: from zero to the derate cap, which is no limit."""
        self.probation_permille = min(max(permille, 0), self.cap_permille)
        self._allow()

    @micropython.native
    def hold_supply(self, permille):
        """What the supplies can feed: from zero to the derate cap, which is no limit. Any time."""
        permille = min(max(permille, 0), self.cap_permille)
        if permille != self.supply_ceiling_permille:
            self.supply_ceiling_permille = permille
            self._find_least()

    def held_permille(self, limit):
        """What `restrain` lets through now; the derate cap where the limit does not bind."""
        return self._held[limit]

    @micropython.native
    def restrain(self, limit, excess_permille):
        """How a limit that protects is kept.

        Call at each window for the kinds of vibration and every 100 ms for the others.

        Parameters
        ----------
        limit
            LIMIT_VIBRATION to LIMIT_SUPPLY.
        excess_permille
            How far its quantity is past the limit level: 0 at it, 1,000 at the trip level; below 0
            between the limit level and its hysteresis, where the speed stays; None inside the
            hysteresis, where speed is given back.
        """
        if not STARTING <= self.mode <= LIMITING:
            return
        held = self._held
        before = now = held[limit]
        if excess_permille is None:
            if before == self.cap_permille:
                return
        elif excess_permille > 1000:
            excess_permille = 1000
        if LIMIT_BEARING_TEMPERATURE <= limit <= LIMIT_DRIVER_TEMPERATURE:
            now = self._cooled(before, excess_permille)
        elif excess_permille is None:
            now += _VIBRATION_GIVE_BACK if limit < LIMIT_CURRENT else _ELECTRIC_GIVE_BACK
        elif excess_permille >= 0:
            now = self._backed_off(limit, before, excess_permille)
        if now > self.cap_permille:
            now = self.cap_permille
        if now == before:
            return
        held[limit] = now
        if now < self._least_permille:
            self._least_permille = now
            self._least_limit = limit
            self._settled = False
        elif limit == self._least_limit:
            self._find_least()

    @micropython.native
    def _backed_off(self, limit, held, excess_permille):
        command = self.command_permille
        if command > held:
            return held  # the ramp is still on its way down to what was taken off last
        if limit < LIMIT_CURRENT:
            back_off = min(
                max(excess_permille * 3 >> 3, _VIBRATION_BACK_OFF_LEAST), _VIBRATION_BACK_OFF_MOST
            )
            floor = _VIBRATION_FLOOR
        else:
            back_off = min(
                max(excess_permille >> 3, _ELECTRIC_BACK_OFF_LEAST), _ELECTRIC_BACK_OFF_MOST
            )
            floor = _FLOOR
        # From the speed that was too fast, which may be below what the limit allows.
        return max(command - max(command * back_off // 1000, 1), floor)

    @micropython.native
    def _cooled(self, held, excess_permille):
        if excess_permille is None:
            return held + _COOLING_RISE
        if excess_permille < 0:
            return held
        allowed = self._allowed
        line = allowed - max((allowed - _FLOOR) * excess_permille // 1000, 1)
        if line < _FLOOR:
            line = _FLOOR
        if line < held:
            return max(line, min(held, allowed) - _COOLING_FALL_MOST)
        return held + _COOLING_RISE if line > held else held

    @micropython.native
    def _find_least(self):
        """Which of the limits that protect is the lowest: the tick looks at no other."""
        held = self._held
        least = self.supply_ceiling_permille
        which = LIMIT_SUPPLY
        limit = LIMIT_VIBRATION
        while limit < _LIMITS:
            if held[limit] < least:
                least = held[limit]
                which = limit
            limit += 1
        self._least_permille = least
        self._least_limit = which
        self._settled = False

    def _allow(self):
        """The least of the limits that change by events alone, and its name."""
        allowed = self.operator_permille
        limit = LIMIT_OPERATOR
        if self.ceiling_permille < allowed:
            allowed = self.ceiling_permille
        if self.cap_permille <= allowed:
            allowed = self.cap_permille
            limit = LIMIT_DERATE
        if self.probation_permille < self.cap_permille and self.probation_permille <= allowed:
            allowed = self.probation_permille
            limit = LIMIT_PROBATION
        self._allowed = allowed
        self._allowed_limit = limit
        self._settled = False

    def _end(self, mode):
        """The motor goes off now, if it was on."""
        if STARTING <= self.mode <= LIMITING:
            self._off_ms = 0
        self.mode = mode
        self._rest()

    def _rest(self):
        """Nothing is asked for, nothing is held."""
        self.limit = LIMIT_NONE
        self.command_permille = 0
        self.operator_permille = 0
        self._micro = 0  # the command in millionths: a ramp moves less than 1/1000 a tick
        limit = LIMIT_VIBRATION
        while limit < _LIMITS:
            self._held[limit] = self.cap_permille
            limit += 1
        self._find_least()
        self._allow()

    # -- the control tick ----------------------------------------------------------------
    @micropython.native
    def tick(self, elapsed_ms):
        """Advance by `elapsed_ms` (0 to 1,000); call it in every mode. Returns the command in
        1/1000 of rated speed, 0 where the motor must be off. On the emulated chip 2,400 cycles of
        125 MHz where nothing changes, 12,700 on a ramp.
        """
        if self._settled:  # nothing has changed since the command was where it belongs
            return self.command_permille
        mode = self.mode
        if not STARTING <= mode <= LIMITING:
            if self._off_ms < self._min_off_ms:
                self._off_ms += elapsed_ms
            return 0
        wanted = self._allowed
        limit = self._allowed_limit
        if self._least_permille < wanted:
            wanted = self._least_permille
            limit = self._least_limit
        protects = limit >= LIMIT_VIBRATION
        low = self._low
        if low < wanted < self._high:
            wanted = low
            limit = LIMIT_CRITICAL
        micro = self._micro
        target = wanted * 1000
        if micro != target:
            if micro < target:
                step = self._ramp_up * elapsed_ms
                if low * 1000 < micro < self._high * 1000:
                    step *= _CROSSING
                micro += step
                if micro >= target:
                    micro = target
                elif mode != LIMITING or not protects:
                    # A limit that protects gives back in steps; the ramp between binds nothing.
                    limit = LIMIT_RAMP
            else:
                step = self._ramp_down * elapsed_ms
                if low * 1000 < micro < self._high * 1000:
                    step *= _CROSSING
                micro -= step
                if micro < target:
                    micro = target
            self._micro = micro
            self.command_permille = micro // 1000
        self.limit = limit
        if limit == LIMIT_RAMP:
            if mode == LIMITING:
                self.mode = RUNNING
        elif protects:
            self.mode = LIMITING
        else:
            self.mode = RUNNING
        self._settled = micro == target
        return self.command_permille
