"""Motor drivers, seen from their inputs: what the pins did in a step, as a `Drive` of the machine.

One class a kind of `wrench.boards.schema.Motor`. Each gives the pins that it must see in `pins`.
"""

from __future__ import annotations

from typing import Protocol

from wrench.bench.emulator import PinSeen, StepSeen
from wrench.bench.plant import Drive
from wrench.boards.schema import Esc, Motor, PwmDirectionEnable, PwmEnable, TwoPwm

_OFF = Drive(0.0, False)
_ESC_SIGNAL_LOST_NS = 100e6
_ESC_ARMED_AFTER = 0.75
_ESC_SLACK_US = 30.0
_ESC_DEAD_BAND = 0.02
_ESC_WIDTHS_US = (700.0, 2500.0)


class MotorDriver(Protocol):
    """A driver with its motor's leads."""

    pins: list[int]

    def driven(self, seen: StepSeen) -> Drive:
        """What it does to the motor, from what its pins did in one step; steps come in order."""
        ...


def _while_enabled(duty: float, enable: PinSeen) -> Drive:
    """`duty` is the mean over the step of a PWM that the same moment turns off, or on."""
    if enable.high <= 0.0:
        return _OFF
    if enable.high >= 1.0:
        return Drive(duty, True)
    return Drive(_held(duty, enable.high), True, enable.high, enable.level == 1)


def _held(duty: float, share: float) -> float:
    """The duty during a share of the step, of which `duty` is the mean over all of it."""
    return min(1.0, max(-1.0, duty / share))


class OneWay:
    """PWM and enable inputs, and a direction input where the board has one."""

    def __init__(self, motor: PwmDirectionEnable | PwmEnable) -> None:
        self._pwm, self._enable = motor.pwm_pin, motor.enable_pin
        self._direction: int | None = None
        self._forward = 1
        if motor.kind == "pwm_direction_enable":
            self._direction = motor.direction_pin
            self._forward = 0 if motor.direction_inverted else 1
        others = [] if self._direction is None else [self._direction]
        self.pins = [self._pwm, self._enable, *others]

    def driven(self, seen: StepSeen) -> Drive:
        """Duty by PWM, while enabled."""
        duty = seen.pins[self._pwm].high
        if self._direction is not None:
            forward = (seen.pins[self._direction].high >= 0.5) == bool(self._forward)
            duty = duty if forward else -duty
        return _while_enabled(duty, seen.pins[self._enable])


class TwoInputs:
    """One PWM input for each direction. Without an enable input it lets go while both are low."""

    def __init__(self, motor: TwoPwm) -> None:
        self._forward, self._reverse = motor.pwm_pin, motor.reverse_pwm_pin
        self._enable = motor.enable_pin
        self._period_ns = 1e9 / motor.pwm_frequency_hz
        self._began_ns = 0.0
        enable = [] if self._enable is None else [self._enable]
        self.pins = [self._forward, self._reverse, *enable]

    def driven(self, seen: StepSeen) -> Drive:
        """Duty by the difference of both."""
        forward, reverse = seen.pins[self._forward], seen.pins[self._reverse]
        duty = forward.high - reverse.high
        if self._enable is None:
            return self._until_low(duty, forward if duty > 0.0 else reverse, seen.now_ns)
        return _while_enabled(duty, seen.pins[self._enable])

    def _until_low(self, duty: float, pin: PinSeen, end_ns: float) -> Drive:
        """An input that has been low for longer than a period of its PWM was let go of."""
        began_ns, self._began_ns = self._began_ns, end_ns
        if duty == 0.0:
            return _OFF
        if pin.level or not pin.edges_ns or end_ns - pin.edges_ns[-1] < 2.0 * self._period_ns:
            return Drive(duty, True)
        share = (pin.edges_ns[-1] - began_ns) / (end_ns - began_ns)
        return Drive(_held(duty, share), True, share) if share > 0.0 else _OFF


class RcController:
    """An RC-style controller: the length of a pulse is the throttle.

    From enable on it wants to see the shortest pulse for three quarters of the board's `arm_ms`
    without a break, then it listens. A pulse that stays away for 100 ms, or enable low, disarms it.
    """

    def __init__(self, motor: Esc) -> None:
        self._motor = motor
        self.pins = [motor.pwm_pin, motor.enable_pin]
        self._level = 0
        self._rise_ns: float | None = None
        self._width_us = 0.0
        self._heard_ns = 0.0
        self._quiet_since_ns: float | None = None
        self.armed = False

    def driven(self, seen: StepSeen) -> Drive:
        """Throttle by the last whole pulse."""
        enable = seen.pins[self._motor.enable_pin]
        self._hear(seen.pins[self._motor.pwm_pin], powered=enable.high > 0.0)
        if enable.level == 0 or seen.now_ns - self._heard_ns > _ESC_SIGNAL_LOST_NS:
            self._disarm()
        throttle = self._throttle * enable.high
        return Drive(throttle, True) if throttle > _ESC_DEAD_BAND else _OFF

    @property
    def _throttle(self) -> float:
        if not self.armed:
            return 0.0
        low, high = self._motor.min_us, self._motor.max_us
        return min(1.0, max(0.0, (self._width_us - low) / (high - low)))

    def _hear(self, pin: PinSeen, *, powered: bool) -> None:
        for at_ns in pin.edges_ns:
            self._level = 1 - self._level
            if self._level:
                self._rise_ns = at_ns
            elif self._rise_ns is not None:
                self._pulse((at_ns - self._rise_ns) / 1e3, at_ns, powered=powered)
        self._level = pin.level

    def _pulse(self, width_us: float, at_ns: float, *, powered: bool) -> None:
        shortest, longest = _ESC_WIDTHS_US
        if not powered or not shortest <= width_us <= longest:
            return
        self._width_us, self._heard_ns = width_us, at_ns
        if self.armed:
            return
        if width_us > self._motor.min_us + _ESC_SLACK_US:
            self._quiet_since_ns = None
            return
        if self._quiet_since_ns is None:
            self._quiet_since_ns = at_ns
        self.armed = at_ns - self._quiet_since_ns >= _ESC_ARMED_AFTER * 1e6 * self._motor.arm_ms

    def _disarm(self) -> None:
        self.armed = False
        self._quiet_since_ns = None


def driver_of(motor: Motor) -> MotorDriver:
    """The driver that a board file declares."""
    if motor.kind == "esc":
        return RcController(motor)
    if motor.kind == "two_pwm":
        return TwoInputs(motor)
    return OneWay(motor)
