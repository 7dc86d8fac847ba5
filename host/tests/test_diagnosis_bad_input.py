"""What is wrong with a recording is said in words, with what could still be concluded."""

from __future__ import annotations

import numpy as np
import pytest
from struck_bearing import RATE_HZ, bearing, vibration

from wrench.diagnosis.diagnose import Diagnosis, Machine, diagnose
from wrench.diagnosis.window import Window

RPM = 2100.0


@pytest.fixture(scope="module")
def struck() -> np.ndarray:
    return vibration("outer", RPM, 6.0)


def judge(values: np.ndarray, rpm: float | None = RPM, rate_hz: float = RATE_HZ) -> Diagnosis:
    return diagnose(Window(values, rate_hz, ("x", "y", "z"), rpm), Machine(bearing=bearing()))


def told(found: Diagnosis) -> str:
    return " | ".join(found.complaints)


def test_samples_that_are_no_numbers_are_left_out(struck: np.ndarray) -> None:
    broken = struck.copy()
    broken[1000:1010] = np.nan
    found = judge(broken)
    assert "10 of " in told(found)
    assert "are no numbers" in told(found)
    assert found.verdict == "outer race"


def test_nothing_but_nan(struck: np.ndarray) -> None:
    found = judge(np.full_like(struck, np.nan))
    assert "too few to judge anything" in told(found)
    assert found.verdict == "undetermined"
    assert found.confidence is None


def test_clipped_is_said_and_the_fault_is_still_named(struck: np.ndarray) -> None:
    found = judge(np.clip(struck, -0.06, 0.06))
    assert "clipped: " in told(found)
    assert "0.06 g" in told(found)
    assert found.verdict == "outer race"


def test_what_is_not_clipped_is_not_called_so(struck: np.ndarray) -> None:
    assert "clipped" not in told(judge(struck))


def test_short(struck: np.ndarray) -> None:
    found = judge(struck[: int(0.3 * RATE_HZ)])
    assert "short: 10 turns of the shaft; 20 are needed" in told(found)
    assert found.verdict == "undetermined"
    assert found.velocity_mm_s is not None


def test_silent(struck: np.ndarray) -> None:
    found = judge(np.ones_like(struck))
    assert "the recording is silent: check the sensor" in told(found)
    assert found.verdict == "undetermined"


def test_one_silent_axis_is_left_out(struck: np.ndarray) -> None:
    half = struck.copy()
    half[:, 2] = 0.0
    found = judge(half)
    assert "axis z is silent" in told(found)
    assert found.ready.axes == ("x", "y")
    assert found.verdict == "outer race"


def test_speed_not_told() -> None:
    quiet = np.random.default_rng(1).standard_normal((40000, 3)) * 0.01
    found = judge(quiet, rpm=None)
    assert "the speed is not told, and no shaft stands out" in told(found)
    assert found.verdict == "undetermined"


def test_a_speed_that_is_not_told_is_found_where_the_shaft_shows() -> None:
    time_s = np.arange(int(4.0 * RATE_HZ)) / RATE_HZ
    values = 0.01 * np.random.default_rng(1).standard_normal((len(time_s), 3))
    for harmonic in range(1, 9):
        line = 0.02 / harmonic * np.cos(2.0 * np.pi * harmonic * 35.0 * time_s)
        values += line[:, np.newaxis]
    found = judge(values, rpm=None)
    assert found.speed_rpm == pytest.approx(RPM, rel=0.002)
    assert "the speed is not told; by its harmonics the shaft turns at" in told(found)


def test_a_wrong_sampling_rate_is_seen_by_the_shaft() -> None:
    time_s = np.arange(int(4.0 * RATE_HZ)) / RATE_HZ
    values = 0.01 * np.random.default_rng(1).standard_normal((len(time_s), 3))
    for harmonic in range(1, 9):
        line = 0.02 / harmonic * np.cos(2.0 * np.pi * harmonic * 35.0 * time_s)
        values += line[:, np.newaxis]
    found = judge(values, rate_hz=0.45 * RATE_HZ)
    assert "check the speed and the sampling rate" in told(found)


def test_a_slow_sampler_is_said_to_miss_small_faults(struck: np.ndarray) -> None:
    assert "a small fault rings above that" in told(judge(struck[::10], rate_hz=RATE_HZ / 10))


def test_a_shaft_that_stands(struck: np.ndarray) -> None:
    found = judge(struck, rpm=0.0)
    assert "the shaft does not turn" in told(found)
    assert found.verdict == "undetermined"
