"""The sensors' counts against their datasheets, and what a faulty one gives."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrench.bench.plant import (
    MPU6050,
    MPU9250,
    Adxl345Signal,
    AnalogSignal,
    MpuSignal,
    SensorSignal,
)
from wrench.bench.plant.sensors import MpuParameters

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


# -- MPU-6050 and MPU-9250 ------------------------------------------------------------------------


def mpu(kind: MpuParameters = MPU6050, **arguments: object) -> MpuSignal:
    perfect = {"offset_g": (0.0,) * 3, "gain_error": (0.0,) * 3, "noise_ug": 0.0}
    return MpuSignal(kind, 1, **(perfect | arguments))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("range_g", [2, 4, 8, 16])
def test_an_mpu_gives_2048_counts_a_g_and_clips_at_its_range(range_g: int) -> None:
    chip = mpu(range_g=range_g)
    assert chip.counts(np.array([[1.0, -1.0, 0.5]])).tolist() == [[2048, -2048, 1024]]
    far = chip.counts(np.array([[99.0, -99.0, 0.0]]))
    assert far.tolist() == [[2048 * range_g - 1, -2048 * range_g, 0]]
    assert chip.clipped == 2


@pytest.mark.parametrize(
    ("kind", "density_ug", "bandwidth_hz"), [(MPU6050, 400.0, 260.0), (MPU9250, 300.0, 460.0)]
)
def test_an_mpus_noise_has_its_density_within_its_bandwidth(
    kind: MpuParameters, density_ug: float, bandwidth_hz: float
) -> None:
    chip = mpu(kind, noise_ug=None)
    assert chip.bandwidth_hz == chip.site().bandwidth_hz == bandwidth_hz
    x = chip.counts(STILL)[:, 0] / 2048.0
    power = np.abs(np.fft.rfft(x)) ** 2 * 2.0 / (1000.0 * len(x))
    frequency = np.fft.rfftfreq(len(x), 1e-3)
    inside = (frequency > 20.0) & (frequency < 0.7 * bandwidth_hz)
    assert 1e6 * np.sqrt(power[inside].mean()) == pytest.approx(density_ug, rel=0.05)
    if bandwidth_hz < 400.0:
        assert power[frequency > 400.0].mean() < 0.1 * power[inside].mean()


def test_an_mpus_offsets_gains_and_clock_are_those_of_its_datasheet() -> None:
    chips = [MpuSignal(MPU6050, seed) for seed in range(60)]
    offsets = np.array([chip.offset_g for chip in chips])
    assert np.all(np.abs(offsets) <= (0.050, 0.050, 0.080))
    assert np.all(np.abs(offsets).max(axis=0) > 0.04)
    assert np.all(np.abs(np.array([chip.gain for chip in chips]) - 1.0) <= 0.03)
    assert all(990.0 <= chip.rate_hz <= 1010.0 for chip in chips)
    with pytest.raises(ValueError, match="MPU-6050"):
        MpuSignal(MPU6050, 1, range_g=3)


# -- the ADC --------------------------------------------------------------------------------------


def analog(**arguments: object) -> AnalogSignal:
    piezo = {
        "axes": (1,),
        "rate_hz": 25_600.0,
        "volts_per_g": 0.1,
        "zero_g_v": 1.65,
        "range_g": 16.0,
        "bandwidth_hz": 10_000.0,
        "noise_codes": 0.0,
    }
    return AnalogSignal(1, **(piezo | arguments))  # pyright: ignore[reportArgumentType]


def test_an_analog_sensor_gives_the_codes_of_its_voltage_for_the_axes_that_are_wired() -> None:
    felt = np.array([[5.0, 1.0, -2.0]])
    assert analog().counts(felt).tolist() == [[round(1.75 / 3.3 * 4096)]]
    assert analog(axes=(0, 2)).counts(felt).tolist() == [
        [round(2.15 / 3.3 * 4096), round(1.45 / 3.3 * 4096)]
    ]
    at_3v = analog(reference_v=3.0).counts(felt)
    assert at_3v.tolist() == [[round(1.75 / 3.0 * 4096)]]


def test_the_adc_clips_at_ground_and_at_its_reference() -> None:
    sensor = analog()
    assert sensor.counts(np.array([[0.0, 40.0, 0.0], [0.0, -40.0, 0.0]])).tolist() == [[4095], [0]]
    assert sensor.clipped == 2


def test_the_adcs_noise_leaves_8_7_bits() -> None:
    codes = analog(noise_codes=2.8).counts(STILL)[:, 0]
    sine_rms = 2048.0 / math.sqrt(2.0)
    bits = (20.0 * math.log10(sine_rms / codes.std()) - 1.76) / 6.02
    assert bits == pytest.approx(8.7, abs=0.1)


def test_an_analog_sensor_whose_lead_is_cut_reads_zero() -> None:
    sensor = analog()
    sensor.cut()
    assert not sensor.counts(STILL).any()
    sensor.cut(False)
    assert sensor.counts(STILL[:1]).tolist() == [[2048]]


# -- what can be wrong with any of them -----------------------------------------------------------

ANY = [lambda: Adxl345Signal(3), lambda: MpuSignal(MPU9250, 3), lambda: analog(noise_codes=2.0)]


@pytest.mark.parametrize("make", ANY)
def test_a_stuck_sensor_repeats_its_last_sample(make: Callable[[], SensorSignal]) -> None:
    sensor = make()
    before = sensor.counts(STILL[:50])
    sensor.stick()
    stuck = sensor.counts(STILL[:50] + 1.0)
    assert stuck.shape == before.shape
    assert np.all(stuck == before[-1])
    sensor.stick(False)
    assert not np.all(sensor.counts(STILL[:50] + 1.0) == before[-1])


@pytest.mark.parametrize("make", ANY)
def test_a_saturated_sensor_is_at_both_ends_of_its_range(make: Callable[[], SensorSignal]) -> None:
    sensor = make()
    sensor.saturate()
    counts = sensor.counts(STILL[:400])
    assert len(np.unique(counts[:, 0])) == 2
    assert sensor.clipped == counts.size
    sensor.saturate(False)
    before = sensor.clipped
    sensor.counts(STILL[:400])
    assert sensor.clipped == before


@pytest.mark.parametrize("make", ANY)
def test_a_noisy_sensor_adds_the_noise_that_was_asked_for(make: Callable[[], SensorSignal]) -> None:
    quiet, noisy = make(), make()
    noisy.add_noise(0.5)
    spread_g = (noisy.counts(STILL).std(axis=0), quiet.counts(STILL).std(axis=0))
    per_g = quiet.counts(STILL[:1] + 1.0)[0].astype(float) - quiet.counts(STILL[:1])[0]
    added = np.sqrt(spread_g[0] ** 2 - spread_g[1] ** 2) / per_g
    assert added == pytest.approx(0.5, rel=0.1)
    noisy.add_noise(0.0)
    assert noisy.counts(STILL).std(axis=0) == pytest.approx(spread_g[1], rel=0.05)


def test_a_fault_does_not_shift_the_sensors_own_noise() -> None:
    healthy, faulty = Adxl345Signal(4), Adxl345Signal(4)
    faulty.add_noise(1.0)
    faulty.saturate()
    faulty.counts(STILL[:100])
    faulty.add_noise(0.0)
    faulty.saturate(False)
    healthy.counts(STILL[:100])
    assert np.array_equal(healthy.counts(STILL[:100]), faulty.counts(STILL[:100]))
