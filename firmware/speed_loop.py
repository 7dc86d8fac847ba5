"""From the governor's command to a duty: by the tacho where there is one. Pure.

The speed over any revolution must stay below the cap, also in the revolution in which the load
vanishes: with one pulse a turn the loss is seen when that revolution is over, and by then a drill's
shaft has gained a tenth. No feedback can be fast enough; only the duty at that moment decides. So
the duty is never above the one at which the unloaded shaft turns at the cap (cap / free speed), and
the loop works below it. At the cap a loaded shaft is therefore slower than the cap; at speeds well
below, load is compensated in full.

    duty = command / free speed + correction,  0 <= duty <= cap / free speed
    correction = P (0.5) + I (2 1/s up, 4 1/s down, never below 0), at most what rated load takes

It moves when a pulse has come and at no other time: a tacho that is lost changes nothing.

The free speed is the board's. Where the shaft is seen to turn faster than it says, what is seen
counts until the end of the run; but until it is seen the promise is as good as the board's number.

Without a tacho the duty is the command.
"""

import micropython
from micropython import const

from .limits import HARD_CAP_PERMILLE

# A motor whose free speed the board does not know: 1.3 times rated is the most that is usual.
FREE_PERMILLE = const(1300)
_FREE_LEAST_PERMILLE = const(800)
_FREE_MOST_PERMILLE = const(2000)

# Of the cap: what a jump of the supply by a fifth adds to a revolution's mean before it is seen.
_RESERVE = const(985)
_LOAD_LEAST_PERMILLE = const(150)
_UP_PER_S = const(2)
_DOWN_PER_S = const(4)
# From one correction to the next. What a shaft lags behind a ramp is no load: integrated, it would
# be an overshoot.
_RAMPING = const(2)
# A speed that is news only once in a long revolution must not be integrated all the while.
_WEIGHT_MOST_MS = const(50)
_LEARNT_FROM_PERMILLE = const(100)  # below, the duty's own steps are too coarse


class SpeedLoop:
    """Duty for a command.

    Parameters
    ----------
    derate_cap_permille
        Of rated speed; of the duty where there is no tacho.
    rated_rpm
        10 to 60,000.
    pulses_per_rev
        1 to 64; 0 where there is no tacho.
    nominal_mv
        Supply that the rated speed belongs to, 3,000 to 60,000.
    free_rpm
        Speed of the unloaded shaft at duty 1 and nominal supply; 0 where it is not known.

    Attributes
    ----------
    duty_permille
        Of the last tick, at nominal supply.
    free_permille
        Free speed, of rated speed: the board's, or what was seen in this run.
    """

    def __init__(self, derate_cap_permille, rated_rpm, pulses_per_rev, nominal_mv, free_rpm=0):
        self._cap = min(derate_cap_permille, HARD_CAP_PERMILLE)
        self._rated_rpm = rated_rpm
        self._most_rpm = rated_rpm * 2
        self._has_tacho = pulses_per_rev > 0
        self._nominal_mv = nominal_mv
        free = free_rpm * 1000 // rated_rpm if free_rpm else FREE_PERMILLE
        self._board_free = min(max(free, _FREE_LEAST_PERMILLE), _FREE_MOST_PERMILLE)
        self._load_permille = max(1000 - 1000000 // self._board_free, _LOAD_LEAST_PERMILLE)
        self._edges = 0
        self.rest()

    def rest(self):
        """The motor is off: nothing is kept for the next run."""
        self.duty_permille = 0
        self.free_permille = self._board_free
        self._most = self._cap * _RESERVE // self._board_free
        self._sum_micro = 0
        self._correction = 0
        self._command = 0
        self._lately_micro = 0
        self._waited_ms = 0

    @micropython.native
    def tick(self, command_permille, speed_rpm, edges, elapsed_ms):
        """The duty in 1/1000 at nominal supply; 50 times a second. 6,200 cycles of 125 MHz on the
        emulated chip, 14,600 where a pulse has come.

        Parameters
        ----------
        command_permille
            The governor's, 0 to 1,000; 0 at rest.
        speed_rpm
            As last measured, 0 or more.
        edges
            Count of tacho pulses up to which `speed_rpm` is measured: all that matters is whether
            it changes.
        elapsed_ms
            Since the last call, 0 to 100.
        """
        if not command_permille:
            self.duty_permille = 0
            if self._lately_micro:
                self.rest()
            return 0
        if not self._has_tacho:
            self.duty_permille = min(command_permille, self._cap)
            return self.duty_permille
        most = self._most
        base = command_permille * 1000 // self.free_permille
        if edges == self._edges:
            if self._waited_ms < _WEIGHT_MOST_MS:
                self._waited_ms += elapsed_ms
        elif speed_rpm:
            self._edges = edges
            if speed_rpm > self._most_rpm:
                speed_rpm = self._most_rpm
            speed = speed_rpm * 1000 // self._rated_rpm
            lately = self._lately_micro // 1000
            if lately > _LEARNT_FROM_PERMILLE and speed * 1000 > lately * self.free_permille:
                self._learn(command_permille, speed, lately)
            room = most - base
            if room > self._load_permille:
                room = self._load_permille
            error = command_permille - speed
            weight_ms = self._waited_ms + elapsed_ms
            self._waited_ms = 0
            total = self._sum_micro
            if error < 0:
                total += error * weight_ms * _DOWN_PER_S
            elif command_permille <= self._command + _RAMPING:
                total += error * weight_ms * _UP_PER_S
            self._command = command_permille
            if total > room * 1000:
                total = room * 1000
            if total < 0:
                total = 0
            self._sum_micro = total
            correction = total // 1000 + (error >> 1)
            if correction > room:
                correction = room
            elif correction + (base >> 2) < 0:  # less would let the shaft coast, not slow it down
                correction = -(base >> 2)
            self._correction = correction
        duty = base + self._correction
        if duty > most:
            duty = most
        elif duty < 0:
            duty = 0
        micro = duty * 1000
        lately = self._lately_micro
        if micro < lately:  # falls by 1/1000 of the difference per ms: slower than any motor
            micro = lately - ((lately - micro) * elapsed_ms >> 10)
        self._lately_micro = micro
        self.duty_permille = duty
        return duty

    def _learn(self, command, speed, lately):
        """The shaft turns faster than any duty of the last second explains."""
        free = self.free_permille
        if speed * 2 > command * 3:  # it coasts from a higher speed, or something drives it
            self._lately_micro = min(speed * 1000 // free, 1000) * 1000
            return
        free += (((speed * 1000 - lately * free) // lately) >> 3) + 1
        if free > _FREE_MOST_PERMILLE:
            free = _FREE_MOST_PERMILLE
        self.free_permille = free
        self._most = self._cap * _RESERVE // free

    @micropython.native
    def at_supply(self, supply_mv):
        """The last duty, scaled down where the supply is above nominal. Call it at every control
        tick: a supply that jumps by 20 % in 5 ms is 2 % of the speed of a motor of 50 ms.
        """
        if supply_mv > self._nominal_mv:
            return self.duty_permille * self._nominal_mv // supply_mv
        return self.duty_permille
