"""What must hold at every instant of every story, whatever happens to board, machine and host.

Each rule is judged on the pins and on the true speed of the shaft, against what was done to the
machine; the bounds are those of the README's table, and of `hil_tests/test_protections.py`, where
each is met alone.
"""

from __future__ import annotations

from wrench.bench.emulator import StepSeen
from wrench.bench.virtual import STEP_NS
from wrench.hil.trial import NEVER_S, Trial

_STEP_S = STEP_NS / 1e9
ESTOP_S = 0.001
ESTOP_WRITING_S = 0.004
"""While a page of the log is being programmed."""
LINK_SILENT_S = 0.505
PORT_CLOSED_S = 0.05
_PAUSE_S = 0.1
TOLERANCE = 1.01
"""Of the cap: what a fair copy of the speed over one revolution may be above it, by a chip whose
clock is right. The speed is pulses against that clock: one that is 1 % fast sees the shaft turn 1 %
slower than it does, so that the shaft may be 1 % above the cap. One that is slow holds the cap all
the more, and every bound in time comes later by as much."""


class Violation(Exception):  # noqa: N818
    """A rule did not hold: `rule` names it, `time_s` is device time."""

    def __init__(self, rule: str, time_s: float, what: str) -> None:
        super().__init__(rule, time_s, what)
        self.rule = rule
        self.time_s = time_s
        self.what = what

    def __str__(self) -> str:
        return f"{self.rule} at {self.time_s:.3f} s: {self.what}"


class Invariants:
    """Watches a trial; raises Violation from the step that breaks a rule."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._writing_until_s = 0.0
        self._driven_s = self._run_began_s = -_PAUSE_S
        motor = trial.board.motor
        self._enable = motor.pwm_pin if motor.enable_pin is None else motor.enable_pin
        rate = trial.bench.clock.rate
        self._cap_rpm = max(1.0, rate) * motor.derate_cap * motor.rated_speed_rpm
        self._later = max(1.0, 1.0 / rate)
        self._cap_duty = motor.derate_cap
        trial.bench.on_step.append(self.check)

    def check(self, seen: StepSeen) -> None:
        """Judge one step."""
        trial, rig = self._trial, self._trial.rig
        now_s = seen.now_ns / 1e9
        for what, _, until_ns in seen.flash_writes:
            if what == "page program":
                self._writing_until_s = max(self._writing_until_s, until_ns / 1e9)
        if seen.powered and trial.known.tacho_good:
            if rig.highest_speed_rpm > TOLERANCE * self._cap_rpm:
                raise Violation("cap", now_s, f"the shaft turns at {rig.highest_speed_rpm:.0f} rpm")
        else:
            rig.forget_highest()
        driven_s = self._driven_until_s(seen, now_s)
        if driven_s is None:
            return
        if driven_s > self._driven_s + _PAUSE_S:
            self._run_began_s = driven_s
        self._driven_s = driven_s
        known = trial.known
        if not known.tacho_good and rig.duty_of(seen) > TOLERANCE * self._cap_duty:
            raise Violation("cap", now_s, f"the duty is {rig.duty_of(seen):.3f} without a tacho")
        if not known.asked_to_run:
            raise Violation("asked", driven_s, "nobody has asked for a run since the board began")
        writing = known.estop_open_s < self._writing_until_s + ESTOP_S
        bound_s = ESTOP_WRITING_S if writing else ESTOP_S
        self._within("e-stop", driven_s, known.estop_open_s, bound_s)
        blind_s = known.blind_s
        if known.blind_in_run:
            blind_s = max(blind_s, self._run_began_s)
        self._within("blind", driven_s, blind_s, known.blind_bound_s)
        for name, (since_s, within_s) in known.broken.items():
            self._within(name, driven_s, since_s, within_s)
        if known.owned:
            self._within("link lost", driven_s, known.heard_s, LINK_SILENT_S)
            self._within("port closed", driven_s, known.closed_s, PORT_CLOSED_S)
        self._within("latch", driven_s, known.tripped_s, _STEP_S)

    def _within(self, rule: str, driven_s: float, since_s: float, bound_s: float) -> None:
        bound_s *= self._later
        if since_s != NEVER_S and driven_s > since_s + bound_s:
            raise Violation(
                rule,
                driven_s,
                f"driven {1e3 * (driven_s - since_s):.2f} ms after it, not {1e3 * bound_s:g} ms",
            )

    def _driven_until_s(self, seen: StepSeen, now_s: float) -> float | None:
        """The last instant of the step at which the driver was enabled with a duty; None where it
        was not."""
        if self._trial.rig.duty_of(seen) <= 0.0:
            return None
        pin = seen.pins[self._enable]
        if pin.level or not pin.edges_ns:
            return now_s
        return pin.edges_ns[-1] / 1e9
