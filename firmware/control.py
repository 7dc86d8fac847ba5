"""The control tick: 200 times a second, between two bytecodes of the loop.

It reads what protects the motor, asks the protection, and stops the motor or feeds the watchdog and
the guard's dead-man. At every fourth tick the governor decides the speed. It writes no frame, no
event and no flash: the loop finds out what has changed.
"""

import gc
import time

import machine
import micropython
from micropython import const

from . import protection, sleep_rp2
from . import quantities as q
from .conditions import (
    COMMAND_PERMILLE,
    DUTY_PERMILLE,
    EDGES,
    INTERVAL_US,
    LOST,
    SAMPLES,
    TICK_BEFORE_US,
    advance,
)
from .governor import LIMIT_CURRENT, LIMIT_SUPPLY, LIMIT_VIBRATION, LIMITING, STARTING
from .guard_rp2 import CAUSE, CAUSE_CURRENT, CAUSE_DEAD_MAN, DEAD_MAN
from .inputs import sense
from .protection import evaluate

TICK_HZ = const(200)
TICK_MS = const(5)
TICK_US = const(5000)
_DEAD_MAN_TURNS = const(300)  # 60 ms at 5,000 turns a second
_SPEED_MS = const(20)
_LATE_US = const(6000)
_WATCHDOG_RUNNING_MS = const(250)
_WATCHDOG_AT_REST_MS = const(2000)
_PHASE_MASK = const(3)
_TENTH = const(20)  # ticks in 100 ms


@micropython.viper
def _observe(
    observed: ptr32, tacho: ptr32, engine: ptr32, lost: int, duty: int, command: int
) -> int:
    """What the conditions look at, in their order; returns the us since the tick before."""
    observed[EDGES] = int(tacho[0]) & 0x3FFFFFFF
    observed[DUTY_PERMILLE] = duty
    observed[COMMAND_PERMILLE] = command
    observed[SAMPLES] = int(engine[0]) & 0x3FFFFFFF
    observed[LOST] = int(engine[1]) + lost
    now = int(ptr32(0x40054028)[0])
    interval = (now - int(observed[TICK_BEFORE_US])) & 0x3FFFFFFF
    observed[INTERVAL_US] = interval
    observed[TICK_BEFORE_US] = now
    return interval


class Control:
    """The tick and what it works on. `fault_at` is the engine's count of samples at the last trip;
    `late` counts ticks that came after more than 6 ms; `turned` is whether the governor let the
    motor turn at the last one, for those who ask often: the governor's own word costs a call.
    """

    def __init__(self, parts):
        self.guard = parts.guard
        self.motor = parts.motor
        self.governor = parts.governor
        self.protection = parts.protection
        self.conditions = parts.conditions
        self.inputs = parts.inputs
        self.speed_loop = parts.speed_loop
        self.probation = parts.probation
        self.supplies = parts.supplies
        self.sampler = parts.sampler
        self.values = parts.values
        self._guard_words = parts.guard.words
        self._plan = parts.inputs.plan
        self._conditions_state = parts.conditions.state
        self._rows = parts.protection.table
        self._outcome = parts.protection.out
        self._observed = parts.conditions.observed
        self._engine = parts.sampler.counts
        self._tacho = parts.inputs.tacho
        self._estop_mask = parts.inputs.estop_mask
        self.watchdog = None
        self.owned_by_link = False
        self.loop_came_round = False
        self.window_closed = False
        self.step_gained = 0
        self.late = 0
        self.turned = False
        self.ran = False
        self.fault_at = 0
        self.fault_value = q.ABSENT
        self.exception = None
        self._nominal_mv = parts.board.MOTOR_SUPPLY_NOMINAL_MV

    def start(self):
        """Time begins now."""
        self._observed[TICK_BEFORE_US] = time.ticks_us()

    @micropython.native
    def tick(self, _timer):
        """An exception here stops the motor for good."""
        try:
            n = sleep_rp2.tick(TICK_US)
            governor = self.governor
            motor = self.motor
            values = self.values
            words = self._guard_words
            observed = self._observed
            duty = motor.duty_permille
            sense(values, words, self._plan)
            interval = _observe(
                observed,
                self._tacho,
                self._engine,
                self.sampler.lost,
                duty,
                governor.command_permille,
            )
            elapsed_ms = TICK_MS
            if interval > _LATE_US:
                self.late += 1
                elapsed_ms = interval // 1000  # a late tick is a longer one: delays are of time
                self.inputs.held_up()
            advance(observed, self._conditions_state, values, elapsed_ms)
            turning = STARTING <= governor.mode <= LIMITING
            self.turned = turning
            conditions = protection.TURNING if turning else protection.AT_REST
            if self.owned_by_link:
                conditions |= protection.OWNED
            fault = evaluate(values, self._rows, self._outcome, elapsed_ms << 4 | conditions)
            if words[CAUSE]:
                fault = self._killed()
            if fault:
                motor.off()
                if not governor.fault:
                    self._trip(fault)
            elif not turning:
                motor.off()
            elif duty and values[q.SUPPLY_MV] > self._nominal_mv:
                motor.drive(self.speed_loop.at_supply(values[q.SUPPLY_MV]))
            phase = n & _PHASE_MASK
            if phase == 0:
                self._set_speed()
            elif phase == 2:
                self.inputs.read_slow()
                if self.window_closed:
                    self.window_closed = False
                    self._restrain(LIMIT_VIBRATION, LIMIT_CURRENT)
            elif phase == 3 and n % _TENTH == 3:
                self._slowly()
            self._feed()
            words[DEAD_MAN] = _DEAD_MAN_TURNS if turning else -1
        except BaseException as error:
            self.motor.off()
            self.governor.trip(protection.FIRMWARE_EXCEPTION)
            self.exception = error
            self._feed()  # with the motor off, a board that answers says more than a reset one

    @micropython.native
    def _feed(self):
        if self.loop_came_round:
            self.loop_came_round = False
            if self.watchdog:
                self.watchdog.feed()

    def _killed(self):
        """What the guard has found, as a fault."""
        cause = self.guard.cause
        if cause & CAUSE_CURRENT:
            return protection.SHORT_CIRCUIT
        if cause & CAUSE_DEAD_MAN:
            return protection.CONTROL_OVERRUN
        if self.guard.cause_gpio & self._estop_mask:
            return protection.ESTOP
        return protection.DRIVER_FAULT

    def _trip(self, fault):
        self.fault_at = self._engine[0]
        self.fault_value = self.protection.value_of(fault)
        self.protection.snapshot()
        self.governor.trip(fault)
        self.owned_by_link = False

    @micropython.native
    def _set_speed(self):
        governor = self.governor
        values = self.values
        motor = self.motor
        self.supplies.update(governor.command_permille, motor.duty_permille)
        governor.hold_supply(self.supplies.ceiling_permille)
        command = governor.tick(_SPEED_MS)
        edges = self.inputs.read_speed()
        loop = self.speed_loop
        loop.tick(command, values[q.SPEED_RPM], edges, _SPEED_MS)
        if not command:
            motor.off()
            return
        motor.drive(loop.at_supply(values[q.SUPPLY_MV]))

    @micropython.native
    def _restrain(self, first, end):
        governor = self.governor
        levels = self.protection
        while first < end:
            excess = levels.excess_permille(first)
            if excess == protection.INSIDE:
                governor.restrain(first, None)
            else:
                governor.restrain(first, excess)  # HOLDING is below 0, too
            first += 1

    @micropython.native
    def _slowly(self):
        """Ten times a second."""
        self._restrain(LIMIT_CURRENT, LIMIT_SUPPLY + 1)
        governor = self.governor
        if governor.turning:
            probation = self.probation
            disturbed = self.protection.alarms or self.protection.limiting
            asked = min(governor.operator_permille, governor.ceiling_permille)
            gained = probation.healthy(100, governor.command_permille, asked, disturbed)
            if gained:
                self.step_gained = gained
                governor.hold_probation(probation.ceiling_permille)

    def begin_run(self):
        """A run may follow: delays and counters start from nothing, and what is garbage is
        collected, so that no tick of it is late: it makes none by itself.
        """
        # The collector stays on. A host whose commands cost memory would end the run without it;
        # with it, one tick in many such commands is late.
        gc.collect()
        self.ran = True
        self.watchdog = machine.WDT(timeout=_WATCHDOG_RUNNING_MS)
        self.conditions.forget()
        self.protection.forget()

    def rest(self):
        """A run is over, or was refused: now an erase of flash may take 400 ms at worst."""
        self.ran = False
        gc.collect()
        self.watchdog = machine.WDT(timeout=_WATCHDOG_AT_REST_MS)
