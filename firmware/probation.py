"""How a bearing earns the derate cap: by healthy running, one rising cap after the other. Pure.

A bearing just installed, and one that has just tripped, starts at step 0. What speaks of the
bearing sends it back: vibration of any kind, current, stall, seizure, heat of the bearing. What
speaks of the surroundings (an e-stop, a lost link, a supply) leaves what was earned.

The operator may hold it at a lower step, for as long as wanted; nobody can hurry it.
"""

import micropython
from micropython import const

# Of `FAULTS` on the wire: from vibration to bearing too hot. Short circuit is among them because a
# shaft that locks is seen first as a current that no winding draws while it turns.
_FIRST_OF_THE_BEARING = const(1)
_LAST_OF_THE_BEARING = const(9)

_NEAR_PERCENT = const(80)
_LONGEST_S = const(1000000)  # in ms it is still a small integer on the chip


class Probation:
    """What the bearing has earned.

    Parameters
    ----------
    caps_permille
        Rising caps below the derate cap, of rated speed; empty: no probation.
    step_s
        Healthy running at each cap that earns the next, in s (1 to 1,000,000).
    derate_cap_permille
        What is earned in the end.

    Attributes
    ----------
    step
        Earned so far: the place in `caps_permille`; as many as there are is the derate cap.
    healthy_ms
        Earned at this step. With `step`, all that has to survive a reset.
    held_step
        The operator's; as many as there are caps is no hold.
    ceiling_permille
        What is allowed now.
    """

    def __init__(self, caps_permille, step_s, derate_cap_permille):
        self._caps = caps_permille
        self.steps = len(caps_permille)
        self._step_ms = min(step_s, _LONGEST_S) * 1000
        self._derate_cap_permille = derate_cap_permille
        self.held_step = self.steps
        self.restore(0, 0)

    def restore(self, step, healthy_ms):
        """Go on from what was kept. What cannot be is taken for nothing earned."""
        if not (0 <= step <= self.steps and 0 <= healthy_ms <= self._step_ms):
            step = 0
            healthy_ms = 0
        self.step = step
        self.healthy_ms = healthy_ms
        self._set_ceiling()

    def new_bearing(self):
        """Another bearing is in: nothing is earned yet."""
        self.restore(0, 0)

    def hold(self, step):
        """Stay at `step` or below; as many as there are caps, or more, is no hold."""
        self.held_step = min(max(step, 0), self.steps)
        self._set_ceiling()

    def trip(self, fault):
        """A trip with this fault; True where it has cost something earned."""
        if not _FIRST_OF_THE_BEARING <= fault <= _LAST_OF_THE_BEARING:
            return False
        lost = self.step > 0 or self.healthy_ms > 0
        self.restore(0, 0)
        return lost and self.steps > 0

    @micropython.native
    def healthy(self, elapsed_ms, speed_permille, operator_permille, disturbed):
        """Time has passed in a run.

        It counts at 80 % of the present cap or more, or of the operator's speed where that is
        lower; but never below half of the cap, which would prove little about the next. At a step
        held below the one earned nothing counts, and at the one earned no more than it needs.

        Parameters
        ----------
        elapsed_ms
            0 to 10,000.
        speed_permille
            The governor's command; 0 at rest.
        operator_permille
            The speed asked for, or the operator's lasting limit where that is lower.
        disturbed
            True while an alarm stands or a limit that protects binds.

        Returns
        -------
        The step that has been reached by it, or 0.
        """
        step = self.step
        if disturbed or step >= self.steps or self.held_step < step:
            return 0
        cap = self.ceiling_permille
        near = cap if operator_permille > cap else operator_permille
        if speed_permille * 100 < near * _NEAR_PERCENT or speed_permille * 2 < cap:
            return 0
        self.healthy_ms += elapsed_ms
        if self.healthy_ms < self._step_ms:
            return 0
        self.healthy_ms = self._step_ms
        if self.held_step == step:
            return 0
        self.step = step + 1
        self.healthy_ms = 0
        self._set_ceiling()
        return self.step

    def _set_ceiling(self):
        step = self.step if self.step < self.held_step else self.held_step
        cap = self._derate_cap_permille
        self.ceiling_permille = min(self._caps[step], cap) if step < self.steps else cap
