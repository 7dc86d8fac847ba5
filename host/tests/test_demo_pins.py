"""The demo believes the motor driver's pins alone."""

from __future__ import annotations

import pytest

from wrench.bench.emulator import PinSeen, StepSeen
from wrench.boards import load_board
from wrench.boards.schema import Motor
from wrench.demo.pins import MotorPins

WITH_ENABLE = load_board("pico-adxl345").motor
WITHOUT = load_board("pico-mpu6050-two-pwm").motor
STEP_NS = 5e6


def seen(motor: Motor, step: int, pwm: float, enable: float = 1.0) -> StepSeen:
    """A step in which each pin was high for that part of it, from its beginning on."""
    begin_ns = step * STEP_NS
    pins: dict[int, PinSeen] = {}
    for pin, high in ((motor.pwm_pin, pwm), (motor.enable_pin, enable)):
        if pin is not None:
            falls = 0.0 < high < 1.0
            edges = [begin_ns + high * STEP_NS] if falls else []
            pins[pin] = PinSeen(high, int(high == 1.0), 0, int(falls), edges)
    now_ns = begin_ns + STEP_NS
    return StepSeen(now_ns, 0.0, True, pins, [], 2, [0, 0], 0, [], [], {}, None)


def test_a_driver_may_have_no_enable_input() -> None:
    assert WITHOUT.enable_pin is None
    assert WITH_ENABLE.enable_pin is not None


@pytest.mark.parametrize("motor", [WITH_ENABLE, WITHOUT], ids=["enable", "no enable"])
def test_the_motor_is_off_when_pwm_was_high_for_the_last_time(motor: Motor) -> None:
    pins = MotorPins(motor)
    pins.see(seen(motor, 0, 0.0))
    assert (pins.duty, pins.off_s) == (0.0, None), "it was never on"
    pins.see(seen(motor, 1, 1.0))
    assert (pins.duty, pins.off_s) == (1.0, None)
    pins.see(seen(motor, 2, 0.25))
    assert pins.duty == 0.25
    pins.see(seen(motor, 3, 0.0))
    assert pins.duty == 0.0
    assert pins.off_s == pytest.approx(0.01125)


def test_an_enable_that_falls_first_is_what_counts() -> None:
    pins = MotorPins(WITH_ENABLE)
    pins.see(seen(WITH_ENABLE, 0, 1.0, enable=0.5))
    pins.see(seen(WITH_ENABLE, 1, 1.0, enable=0.0))
    assert (pins.duty, pins.off_s) == (0.0, pytest.approx(0.0025))


def test_a_reset_begins_device_time_anew() -> None:
    pins = MotorPins(WITH_ENABLE)
    pins.see(seen(WITH_ENABLE, 0, 1.0))
    reset = seen(WITH_ENABLE, 1, 0.0)
    reset.resets.append((6e6, 2))
    pins.see(reset)
    assert pins.off_s is None
    pins.see(seen(WITH_ENABLE, 2, 0.5))
    pins.see(seen(WITH_ENABLE, 3, 0.0))
    assert pins.off_s == pytest.approx(0.0125 - 0.006)
