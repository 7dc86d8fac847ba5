"""How fast the motor may turn, and why. Pure: no hardware, no clock; time comes in as an argument.

The command is the least of named limits (`wire.LIMITS`); whichever is least is the one that binds.
Speeds are in 1/1000 of rated speed.

Modes (`wire.MODES`):

    boot         from reset until the self-test is done. Left to idle by `ready`, to tripped.
    idle         motor off, ready. Left to starting by `run`, to maintenance by `maintain`.
    starting     ramping up after `run`. Left to running when the ramp no longer binds.
    running      at the operator's speed or the derate cap. Left to limiting when a limit that
                 protects something binds.
    limiting     held lower by such a limit. Left to running when it no longer binds.
    tripped      motor off, the first fault latched. Left to idle by `reset`, with the cause gone,
                 or to maintenance.
    maintenance  motor off, about to give the console to the host. Left by a reset of the chip.

`stop` leads from starting, running and limiting to idle. A fault leads from any mode but
maintenance to tripped.
"""

from micropython import const

from .limits import HARD_CAP_PERMILLE

BOOT = const(0)
IDLE = const(1)
STARTING = const(2)
RUNNING = const(3)
LIMITING = const(4)
TRIPPED = const(5)
MAINTENANCE = const(6)

LIMIT_NONE = const(0)
LIMIT_OPERATOR = const(1)
LIMIT_DERATE = const(2)
LIMIT_RAMP = const(3)
LIMIT_VIBRATION = const(4)
LIMIT_SUPPLY = const(5)

# A window above the limit takes off a fraction of the speed that grows with the excess; one below
# it gives back less, so that the speed settles under the limit instead of hunting around it.
_BACK_OFF_LEAST_PERMILLE = const(10)
_BACK_OFF_MOST_PERMILLE = const(60)
_GIVE_BACK_PERMILLE = const(4)
_SLOWEST_PERMILLE = const(350)


class Governor:
    """The state machine. Call `window` for every window of features and `tick` at every control
    tick.
    """

    def __init__(
        self,
        derate_cap_permille,
        ramp_up_permille_s,
        ramp_down_permille_s,
        velocity_limit_um_s,
        velocity_hysteresis_um_s,
        rated_rpm=0,
    ):
        self.cap_permille = min(derate_cap_permille, HARD_CAP_PERMILLE)
        self._ramp_up = ramp_up_permille_s
        self._ramp_down = ramp_down_permille_s
        self._velocity_limit = velocity_limit_um_s
        self._velocity_release = velocity_limit_um_s - velocity_hysteresis_um_s
        self.mode = BOOT
        self.fault = 0
        self.limit = LIMIT_NONE
        self.command_permille = 0
        self.operator_permille = 0
        self.ceiling_permille = self.cap_permille
        self.vibration_permille = self.cap_permille
        self._micro = 0  # the command in millionths: a ramp moves less than 1/1000 a tick
        self._rated_rpm = rated_rpm
        self._trim_micro = 0

    def ready(self):
        """The self-test is done."""
        if self.mode == BOOT:
            self.mode = IDLE

    def run(self, speed_permille):
        """Start, or change the speed of a run. The caller has checked that nothing forbids it."""
        self.operator_permille = speed_permille
        if self.mode == IDLE:
            self.mode = STARTING
            self.vibration_permille = self.cap_permille
            self._micro = 0

    def hold_below(self, ceiling_permille):
        """The operator's lasting limit: from zero to the derate cap."""
        self.ceiling_permille = min(ceiling_permille, self.cap_permille)

    def stop(self):
        """End a run in order."""
        if self.turning:
            self._rest(IDLE)

    def trip(self, fault):
        """Latch the first fault; later ones do not replace it."""
        if self.mode == MAINTENANCE:
            return
        if self.mode != TRIPPED:
            self.fault = fault
            self._rest(TRIPPED)

    def reset(self):
        """Leave tripped. The caller has checked that the cause is gone."""
        if self.mode == TRIPPED:
            self.fault = 0
            self._rest(IDLE)

    def maintain(self):
        """Leave operation. Only from idle or tripped; the caller has checked."""
        if not self.turning:
            self._rest(MAINTENANCE)

    @property
    def turning(self):
        """True in the modes in which the motor may be driven."""
        return STARTING <= self.mode <= LIMITING

    def _rest(self, mode):
        self.mode = mode
        self.limit = LIMIT_NONE
        self.command_permille = 0
        self.operator_permille = 0
        self._micro = 0
        self._trim_micro = 0

    def window(self, velocity_um_s):
        """A window of features has closed while the motor turns."""
        if velocity_um_s >= self._velocity_limit:
            excess = (velocity_um_s - self._velocity_limit) * 250 // self._velocity_limit
            back_off = min(max(excess, _BACK_OFF_LEAST_PERMILLE), _BACK_OFF_MOST_PERMILLE)
            held = min(self.vibration_permille, self.command_permille)
            held -= held * back_off // 1000
            self.vibration_permille = max(held, min(_SLOWEST_PERMILLE, self.cap_permille))
        elif velocity_um_s < self._velocity_release and self.vibration_permille < self.cap_permille:
            self.vibration_permille = min(
                self.vibration_permille + _GIVE_BACK_PERMILLE, self.cap_permille
            )

    def tick(self, elapsed_ms):
        """Advance by `elapsed_ms`; returns the command in 1/1000 of rated speed, 0 where the motor
        must be off.
        """
        if not STARTING <= self.mode <= LIMITING:
            return 0
        wanted = self.operator_permille
        limit = LIMIT_OPERATOR
        if self.ceiling_permille < wanted:
            wanted = self.ceiling_permille
        if self.cap_permille <= wanted:
            wanted = self.cap_permille
            limit = LIMIT_DERATE
        if self.vibration_permille < wanted:
            wanted = self.vibration_permille
            limit = LIMIT_VIBRATION
        target = wanted * 1000
        micro = self._micro
        if micro < target:
            micro += self._ramp_up * elapsed_ms
            if micro >= target:
                micro = target
            else:
                limit = LIMIT_RAMP
        elif micro > target:
            micro -= self._ramp_down * elapsed_ms
            if micro < target:
                micro = target
        self._micro = micro
        if (
            self.mode == LIMITING
            and limit == LIMIT_RAMP
            and wanted == self.vibration_permille < self.cap_permille
        ):
            limit = LIMIT_VIBRATION  # it gives back in steps; the ramp between them binds nothing
        self.limit = limit
        if limit == LIMIT_VIBRATION:
            self.mode = LIMITING
        elif limit != LIMIT_RAMP or self.mode == LIMITING:
            self.mode = RUNNING
        self.command_permille = micro // 1000
        return self.command_permille

    def duty(self, speed_rpm, elapsed_ms):
        """The duty in 1/1000 for the present command, where the shaft turns at `speed_rpm`.

        A lightly loaded motor turns faster than its duty says; what is above the command is
        integrated away within a second or so. Nothing is ever added: without a tacho, or under
        load, the duty is the command.
        """
        if self._rated_rpm:
            excess = speed_rpm * 1000 // self._rated_rpm - self.command_permille
            trim = self._trim_micro + excess * elapsed_ms * 2
            self._trim_micro = min(max(trim, 0), self._micro)
        return self.command_permille - self._trim_micro // 1000
