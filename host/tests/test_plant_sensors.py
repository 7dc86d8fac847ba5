"""The ADXL345's counts against its datasheet."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrench.bench.plant import Adxl345Signal

STILL = np.zeros((40_000, 3))
PERFECT = {"offset_g": (0.0, 0.0, 0.0), "gain_error": (0.0, 0.0, 0.0), "noise_lsb": (0.0,) * 3}


def test_lowest_bit_is_zero_at_3200_hz_in_full_resolution() -> None:
    counts = Adxl345Signal(1).counts(STILL)
    assert counts.dtype == np.int16
    assert np.all(counts % 2 == 0)
    assert len(np.unique(counts[:, 0])) > 10


@pytest.mark.parametrize(
    ("arguments", "quantum"),
    [
        ({"rate_hz": 3200.0}, 2),
        ({"rate_hz": 1600.0}, 2),
        ({"rate_hz": 800.0}, 1),
        ({"range_g": 2, "full_resolution": False}, 2),
        ({"range_g": 4, "full_resolution": False}, 1),
        ({"range_g": 16, "full_resolution": False}, 1),
    ],
)
def test_lowest_bit_depends_on_rate_and_format_as_the_datasheet_says(
    arguments: dict[str, float], quantum: int
) -> None:
    chip = Adxl345Signal(1, **arguments)  # pyright: ignore[reportArgumentType]
    ramp = np.linspace(-1.5, 1.5, 30_000)[:, np.newaxis].repeat(3, axis=1)
    assert math.gcd(*(int(value) for value in np.unique(chip.counts(ramp)))) == quantum


def test_one_g_is_256_counts() -> None:
    chip = Adxl345Signal(1, **PERFECT)
    assert chip.counts(np.array([[1.0, -1.0, 0.5]])).tolist() == [[256, -256, 128]]
    ten_bit = Adxl345Signal(1, range_g=16, full_resolution=False, **PERFECT)
    assert ten_bit.counts(np.array([[1.0, -1.0, 0.5]])).tolist() == [[32, -32, 16]]


def test_noise_is_that_of_3200_hz_and_greater_on_z() -> None:
    chip = Adxl345Signal(1, offset_g=(0.0, 0.0, 0.0))
    spread = chip.counts(STILL).std(axis=0)
    # √2 per doubling from 100 Hz: √32. Quantisation to 2 counts adds 2²/12.
    expected = np.hypot(np.array([0.75, 0.75, 1.1]) * math.sqrt(32.0), 2.0 / math.sqrt(12.0))
    assert spread == pytest.approx(expected, rel=0.03)


def test_noise_is_white() -> None:
    counts = Adxl345Signal(1).counts(STILL)[:, 0].astype(float)
    counts -= counts.mean()
    neighbour = np.mean(counts[1:] * counts[:-1]) / np.mean(counts**2)
    assert abs(neighbour) < 0.02


def test_offsets_and_gains_belong_to_the_chip_and_are_typical() -> None:
    chips = [Adxl345Signal(seed) for seed in range(60)]
    offsets = np.array([chip.offset_g for chip in chips])
    gains = np.array([chip.gain for chip in chips])
    assert np.all(np.abs(offsets) <= (0.035, 0.035, 0.040))
    assert np.all(np.abs(offsets).max(axis=0) > 0.02)
    assert np.all(np.abs(gains - 1.0) <= 0.01)
    assert np.array_equal(Adxl345Signal(3).offset_g, chips[3].offset_g)
    measured = chips[3].counts(STILL).mean(axis=0) / 256.0
    assert measured == pytest.approx(chips[3].offset_g, abs=1e-3)


@pytest.mark.parametrize(("range_g", "low", "high"), [(2, -512, 510), (16, -4096, 4094)])
def test_beyond_the_range_it_clips_and_counts(range_g: int, low: int, high: int) -> None:
    chip = Adxl345Signal(1, range_g=range_g, **PERFECT)
    counts = chip.counts(np.array([[99.0, -99.0, 0.0], [1.0, 1.0, 1.0]]))
    assert counts[0].tolist() == [high, low, 0]
    assert chip.clipped == 2


def test_true_rate_differs_from_nominal_within_four_per_cent() -> None:
    rates = [Adxl345Signal(seed).rate_hz for seed in range(40)]
    assert 3200.0 * 0.98 <= min(rates) < 3180.0
    assert 3220.0 < max(rates) <= 3200.0 * 1.02
    assert Adxl345Signal(1, rate_error=-0.04).rate_hz == pytest.approx(3072.0)
    chip = Adxl345Signal(1, rate_error=0.013)
    assert chip.bandwidth_hz == 1600.0
    assert chip.site().bandwidth_hz == 1600.0


@given(
    st.floats(-0.04, 0.04),
    st.lists(st.floats(1e-5, 0.02), min_size=1, max_size=40),
)
def test_instants_run_on_the_chips_own_clock(error: float, steps: list[float]) -> None:
    chip = Adxl345Signal(1, rate_error=error)
    start = 0.0
    instants: list[float] = []
    for step in steps:
        times = chip.instants(step)
        assert np.all((times >= 0.0) & (times <= step))
        instants.extend(start + times)
        start += step
    expected = np.arange(len(instants)) / chip.rate_hz
    assert np.asarray(instants) == pytest.approx(expected, abs=1e-9)
    assert len(instants) == pytest.approx(start * chip.rate_hz, abs=1.001)


def test_noise_does_not_depend_on_how_calls_are_cut() -> None:
    ramp = np.linspace(-3.0, 3.0, 3000).reshape(1000, 3)
    whole = Adxl345Signal(9).counts(ramp)
    chip = Adxl345Signal(9)
    pieces = [chip.counts(part) for part in np.split(ramp, [1, 17, 16 * 20, 999])]
    assert np.array_equal(np.concatenate(pieces), whole)


@given(st.floats(-30.0, 30.0), st.integers(0, 5))
def test_counts_always_fit_13_bits(level: float, seed: int) -> None:
    counts = Adxl345Signal(seed).counts(np.full((8, 3), level))
    assert counts.min() >= -4096
    assert counts.max() <= 4095


@pytest.mark.parametrize(
    "arguments", [{"range_g": 3}, {"rate_hz": 6400.0}, {"rate_hz": 0.0}, {"rate_error": 0.05}]
)
def test_a_chip_that_does_not_exist_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="ADXL345"):
        Adxl345Signal(1, **arguments)  # pyright: ignore[reportArgumentType]
