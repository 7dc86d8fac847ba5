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
        enable = seen.pins[self._enable]
        duty = seen.pins[self._pwm].high * enable.high
        if self._direction is not None:
            forward = (seen.pins[self._direction].high >= 0.5) == bool(self._forward)
            duty = duty if forward else -duty
        return Drive(duty, enable.high > 0.5)


class TwoInputs:
    """One PWM input for each direction. Without an enable input it lets go while both are low."""

    def __init__(self, motor: TwoPwm) -> None:
        self._forward, self._reverse = motor.pwm_pin, motor.reverse_pwm_pin
        self._enable = motor.enable_pin
        enable = [] if self._enable is None else [self._enable]
        self.pins = [self._forward, self._reverse, *enable]

    def driven(self, seen: StepSeen) -> Drive:
        """Duty by the difference of both."""
        duty = seen.pins[self._forward].high - seen.pins[self._reverse].high
        if self._enable is None:
            return Drive(duty, duty != 0.0)
        enable = seen.pins[self._enable]
        return Drive(duty * enable.high, enable.high > 0.5)


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
