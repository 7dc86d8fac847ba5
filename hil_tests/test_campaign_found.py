"""What campaigns of random faults have found stays mended."""

from __future__ import annotations

import pytest

from wrench.hil.campaign import survive
from wrench.hil.story import act, story

pytestmark = pytest.mark.needs("emulator")


def test_half_a_frame_left_behind_costs_nobody_an_answer() -> None:
    survive(story("pico-adxl345", "wrench", 39937, act("garbage", 0.005, size=3000, seed=994)))


def test_a_sensor_whose_clock_runs_away_at_rest_ends_the_next_run() -> None:
    survive(
        story(
            "pico-adxl345-i2c-pwm-enable",
            "wrench",
            7770,
            act("sensor", 0.005, what="clock runs away"),
            act("press_button", 0.005, seconds=3.3),
            clock_ppm=-100.0,
        )
    )


def test_no_run_begins_on_a_supply_that_is_too_low() -> None:
    survive(
        story(
            "pico-adxl345-i2c-pwm-enable",
            "wrench",
            33396,
            act("supply", 0.5, volts=5.0),
            act("run", 0.3, permille=500),
        )
    )


def test_a_trip_told_by_a_sensor_that_then_fell_silent_can_be_reset() -> None:
    knock = act("knock", 0.2, strength_g=20.0)
    survive(
        story(
            "pico-adxl345",
            "stock",
            7,
            act("mend_and_run", 0.5, permille=700),
            knock,
            knock,
            act("knock", 0.05, strength_g=20.0),
            act("sensor", 0.5, what="supply dips"),
        )
    )
