"""What the motor driver was told: the chip's pins, and not what the firmware says."""

from __future__ import annotations

import math

from wrench.bench.emulator import PinSeen, StepSeen
from wrench.boards.schema import Motor


class MotorPins:
    """Watches PWM, and enable where there is one; give `see` to `VirtualBench.on_step`.

    Parameters
    ----------
    motor
        Which pins.
    started_ns
        The bench's time at which the chip was last reset, where its own clock begins.

    Attributes
    ----------
    duty
        Fraction of the last step for which the motor was driven.
    off_s
        Device time at which all of them were high for the last time; None while the motor is
        driven, and before.
    """

    def __init__(self, motor: Motor, started_ns: float = 0.0) -> None:
        self._motor = motor
        self._started_ns = started_ns
        self._last_high_ns: float | None = None
        self.duty = 0.0
        self.off_s: float | None = None

    def see(self, seen: StepSeen) -> None:
        """Take one step."""
        if seen.resets:
            self._started_ns = seen.resets[-1][0]
            self._last_high_ns = self.off_s = None
        pins = [
            seen.pins[pin]
            for pin in (self._motor.pwm_pin, self._motor.enable_pin)
            if pin is not None
        ]
        self.duty = math.prod(pin.high for pin in pins)
        if self.duty > 0.0:
            self._last_high_ns = min(_last_high_ns(pin, seen) for pin in pins)
            self.off_s = None
        elif self._last_high_ns is not None:
            self.off_s = (self._last_high_ns - self._started_ns) / 1e9


def _last_high_ns(pin: PinSeen, seen: StepSeen) -> float:
    if pin.level or not pin.edges_ns:
        return seen.now_ns
    return pin.edges_ns[-1]
