"""Since when: the interval holds the true beginning about as often as it says."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from wrench.analysis.load import load
from wrench.analysis.measurement import Measurement, Series
from wrench.diagnosis import onset

EVERY_S = 120.0
COUNT = 300
RUN_TO_ITS_END = "Bearing1_2_H_full.npz"


def sound(random: np.random.Generator) -> np.ndarray:
    """A trend that wanders a little, each sample like the one before."""
    noise = 0.1 * random.standard_normal(COUNT)
    for at in range(1, COUNT):
        noise[at] += 0.5 * noise[at - 1]
    return np.exp(noise)


def series(value: np.ndarray) -> Series:
    return Series(EVERY_S * np.arange(COUNT, dtype=np.float64), value)


@pytest.mark.parametrize("step", [0.4, 0.2])
def test_steady_trouble_lies_in_its_interval(step: float) -> None:
    random = np.random.default_rng(1)
    held = told = 0
    for _ in range(30):
        at = int(random.uniform(0.3, 0.8) * COUNT)
        since = np.maximum(0, np.arange(COUNT) - at) / COUNT
        risen = np.where(np.arange(COUNT) >= at, step + 1.2 * since, 0.0)
        found = onset.of_trend("acceleration", series(sound(random) * np.exp(risen)))
        if found is None:
            continue
        told += 1
        assert found.duty is None
        held += found.low_s <= EVERY_S * at <= found.high_s
    assert told >= 25
    assert held >= 0.8 * told


def test_nothing_begins_where_nothing_changes() -> None:
    random = np.random.default_rng(2)
    found = [onset.of_trend("acceleration", series(sound(random))) for _ in range(30)]
    assert sum(one is not None for one in found) <= 1


def test_trouble_that_comes_and_goes_has_a_duty_cycle() -> None:
    random = np.random.default_rng(3)
    duties = []
    for _ in range(20):
        at = int(random.uniform(0.3, 0.7) * COUNT)
        bouts = np.repeat(random.random(COUNT // 5), 5) < 0.35
        on = bouts & (np.arange(COUNT) >= at)
        found = onset.of_trend("envelope", series(sound(random) * np.where(on, 3.0, 1.0)))
        if found is None or found.duty is None:
            continue
        duties.append(found.duty)
        first_s = EVERY_S * int(np.argmax(on))
        assert found.low_s <= first_s <= found.high_s
    assert len(duties) >= 14
    assert np.mean(duties) == pytest.approx(0.35, abs=0.1)


def test_the_sentence_counts_back_from_the_end() -> None:
    value = np.where(np.arange(COUNT) < 114, 1.0, 2.0) * sound(np.random.default_rng(4)) ** 0.2
    measurement = Measurement(
        source="drill", duration_s=EVERY_S * COUNT, trends={"envelope": {"x": series(value)}}
    )
    found = onset.find(measurement)
    assert found is not None
    assert found.sentence(measurement.duration_s).startswith("it began 6.2 h before the end (")
    assert found.quantity == "envelope x"


def test_what_was_measured_at_another_speed_is_left_out() -> None:
    speed = np.where(np.arange(COUNT) < 200, 1000.0, 2000.0)
    value = sound(np.random.default_rng(5)) * (speed / 1000.0) ** 2
    measurement = Measurement(
        source="drill",
        duration_s=EVERY_S * COUNT,
        speed_rpm=series(speed),
        trends={"velocity": {"x": series(value)}},
    )
    assert onset.find(measurement) is None


def test_a_bearing_run_to_its_end_shows_when_that_began() -> None:
    folder = os.environ.get("WRENCH_DATA")
    if folder is None or not (Path(folder) / "femto" / RUN_TO_ITS_END).is_file():
        pytest.skip(f"needs femto/{RUN_TO_ITS_END} in the folder named by WRENCH_DATA")
    measurement = load(Path(folder) / "femto" / RUN_TO_ITS_END)
    found = onset.find(measurement)
    assert found is not None
    assert 0.7 * measurement.duration_s < found.low_s <= found.time_s <= found.high_s
