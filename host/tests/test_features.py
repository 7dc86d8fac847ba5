"""Features of known signals, from the real MicroPython VM, against double precision in NumPy.

The velocity reference is the documented chain's ideal, applied in the frequency domain to the very
samples that the firmware got: analogue Butterworth filters and an exact integrator. Signals repeat
with the window, so that their spectrum is exact. The envelope's is SciPy's bilinear Butterworth
filters, and SciPy's Hilbert envelope where the carrier is narrow.
"""

from __future__ import annotations

import array
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import viper_on_cpython
from hypothesis import given, settings
from hypothesis import strategies as st
from micropython_vm import Vm
from numpy.typing import NDArray
from scipy import signal as scipy_signal

from wrench_firmware.wire import AXIS_FEATURES

Signal = NDArray[np.float64]

RATE_HZ = 3200
WINDOW = 3200
COUNT_UG = 3906
FULL_SCALE = 4096
ENVELOPE_HZ = (500, 1400)
UM_S2_PER_COUNT = COUNT_UG * 9.80665
TIME_S = np.arange(WINDOW) / RATE_HZ
BLOCK = 32


def features_of(window: int = WINDOW, rate_hz: int = RATE_HZ, **more: Any) -> dict[str, Any]:
    """Arguments of `Features`: the ADXL345 at 16 g, unless `more` says otherwise."""
    given = {
        "window_samples": window,
        "rate_hz": rate_hz,
        "count_ug": COUNT_UG,
        "full_scale_counts": FULL_SCALE,
        "envelope_low_hz": rate_hz * 5 / 32,
        "envelope_high_hz": rate_hz * 14 / 32,
    }
    return {**given, **more}


@pytest.fixture(scope="module")
def vm() -> Iterator[Vm]:
    vm = Vm("features_device.py")
    yield vm
    vm.close()


class Measure:
    """Asks the VM for the features of signals, three at a time; the third repetition counts."""

    def __init__(self, vm: Vm, folder: Path) -> None:
        self._vm = vm
        self._path = folder / "samples.bin"
        self._shaft_path = folder / "shaft.bin"

    def windows(
        self,
        *axes: Signal,
        repeats: int = 3,
        block: int = BLOCK,
        shaft_q32: NDArray[np.int64] | None = None,
        **more: Any,
    ) -> Any:
        columns = [np.asarray(a, dtype=np.float64) for a in axes]
        columns += [np.zeros(len(columns[0]))] * (3 - len(columns))
        samples = np.rint(np.stack(columns, axis=1)).clip(-32768, 32767).astype("<i2")
        self._path.write_bytes(samples.tobytes())
        shaft = ""
        if shaft_q32 is not None:
            self._shaft_path.write_bytes((shaft_q32 & 0xFFFFFFFF).astype("<u4").tobytes())
            shaft = str(self._shaft_path)
        more = features_of(**more)
        return self._vm.ask("windows", more, str(self._path), repeats, block, shaft)

    def last(self, *axes: Signal, **more: Any) -> dict[str, Any]:
        return self.windows(*axes, **more)[-1]


@pytest.fixture
def measure(vm: Vm, tmp_path: Path) -> Measure:
    return Measure(vm, tmp_path)


def sine(frequency_hz: float, amplitude: float, phase: float = 0.3) -> Signal:
    return amplitude * np.sin(2 * np.pi * frequency_hz * TIME_S + phase)


def rms_mg(signal: Signal) -> float:
    return float(np.std(np.rint(signal))) * COUNT_UG / 1000


def peak_mg(signal: Signal) -> float:
    counts = np.rint(signal)
    return float(np.max(np.abs(counts - counts.mean()))) * COUNT_UG / 1000


def velocity_um_s(
    signal: Signal,
    rate_hz: int = RATE_HZ,
    band_hz: tuple[float, float] = (10, 1000),
    count_ug: int = COUNT_UG,
) -> float:
    spectrum = np.fft.rfft(np.rint(signal))[1:]
    f = np.arange(1, len(spectrum) + 1) * rate_hz / len(signal)
    high, low = 0.91 * band_hz[0], min(band_hz[1], rate_hz / 2.56)
    gain = 1 / np.sqrt(1 + (high / f) ** 6) / np.sqrt(1 + (f / low) ** 4) / (2 * np.pi * f)
    power = np.abs(spectrum * gain) ** 2 * 2
    power[-1] /= 2
    return count_ug * 9.80665 * math.sqrt(float(np.sum(power))) / len(signal)


def kurtosis(signal: Signal) -> float:
    away = np.rint(signal) - np.rint(signal).mean()
    return float(np.mean(away**4) / np.mean(away**2) ** 2)


def mean_samples(rate_hz: float) -> int:
    """How many samples make up a mean of the envelope: 1/800 to 1/400 s."""
    return 2 ** max(0, math.floor(math.log2(rate_hz / 400)))


def envelope_mg(
    signal: Signal, rate_hz: int, band_hz: tuple[float, float], count_ug: int = COUNT_UG
) -> float:
    """The documented chain in double precision, for the third repetition of `signal`."""
    high = scipy_signal.butter(2, band_hz[0], "high", output="sos", fs=rate_hz)
    low = scipy_signal.butter(2, band_hz[1], output="sos", fs=rate_hz)
    passed = scipy_signal.sosfilt(high, np.tile(np.rint(signal), 3))
    passed = np.abs(scipy_signal.sosfilt(low, passed))[-len(signal) :]
    means = passed.reshape(-1, mean_samples(rate_hz)).mean(axis=1)
    return float(np.std(means)) * math.pi / 2 * count_ug / 1000


def check(found: dict[str, list[int]], axis: int, signal: Signal, within: float = 0.02) -> None:
    rms, peak = rms_mg(signal), peak_mg(signal)
    assert found["rms_mg"][axis] == pytest.approx(rms, rel=0.001, abs=0.6)
    assert found["peak_mg"][axis] == pytest.approx(peak, rel=0.001, abs=0.6)
    assert found["crest_centi"][axis] == pytest.approx(100 * peak / rms, rel=0.005, abs=0.6)
    assert found["velocity_um_s"][axis] == pytest.approx(velocity_um_s(signal), rel=within, abs=1)
    assert found["kurtosis_centi"][axis] == pytest.approx(100 * kurtosis(signal), rel=0.01, abs=1)
    wanted = envelope_mg(signal, RATE_HZ, ENVELOPE_HZ)
    assert found["envelope_mg"][axis] == pytest.approx(wanted, rel=0.02, abs=2.1)
    mean_mg = float(np.rint(signal).mean()) * COUNT_UG / 1000
    assert found["mean_mg"][axis] == pytest.approx(mean_mg, rel=0.001, abs=1)


# ---- accuracy -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "frequencies_hz", [(15, 20, 35), (50, 107, 200), (300, 450, 600), (700, 800, 900)]
)
@pytest.mark.parametrize("amplitude", [60, 200])
def test_a_sine_reads_within_two_percent(
    measure: Measure, frequencies_hz: tuple[int, ...], amplitude: float
) -> None:
    signals = [sine(f, amplitude) for f in frequencies_hz]
    found = measure.last(*signals)
    for axis, signal in enumerate(signals):
        check(found, axis, signal)


def test_the_crest_factor_of_a_sine_is_root_two(measure: Measure) -> None:
    assert measure.last(sine(50, 2000))["crest_centi"][0] == pytest.approx(141.4, abs=0.6)


@pytest.mark.parametrize("seed", [1, 2])
def test_broadband_reads_within_two_percent(measure: Measure, seed: int) -> None:
    noise = np.random.default_rng(seed)
    white = noise.normal(0, 300, WINDOW)
    spectrum = np.fft.rfft(noise.normal(0, 1, WINDOW))
    band = np.fft.irfft(np.where((np.arange(len(spectrum)) - 455) ** 2 < 440**2, spectrum, 0))
    impulses = np.zeros(WINDOW)
    ring = np.exp(-np.arange(60) / 12) * np.sin(2 * np.pi * 850 * np.arange(60) / RATE_HZ)
    for start in range(0, WINDOW - 60, 107):
        impulses[start : start + 60] += 900 * ring
    signals = [white, 200 * band, impulses + sine(47, 40)]
    found = measure.last(*signals)
    for axis, signal in enumerate(signals):
        check(found, axis, signal)


def test_gravity_and_mean_change_nothing(measure: Measure) -> None:
    signals = [sine(47, 90), sine(130, 33), sine(333, 250)]
    flat = measure.last(*signals)
    tilted = measure.last(signals[0] + 256, signals[1] - 257, signals[2] + 4096 - 250)
    assert tilted["rms_mg"] == flat["rms_mg"]
    assert tilted["peak_mg"] == flat["peak_mg"]
    assert tilted["crest_centi"] == flat["crest_centi"]
    assert tilted["velocity_um_s"] == pytest.approx(flat["velocity_um_s"], abs=1)
    assert tilted["kurtosis_centi"] == flat["kurtosis_centi"]
    assert tilted["envelope_mg"] == pytest.approx(flat["envelope_mg"], abs=1)
    assert tilted["mean_mg"] == pytest.approx([1000, -1004, 15022], abs=1)


def test_a_change_of_the_mean_leaves_the_window_s_own_mean(measure: Measure) -> None:
    windows = measure.windows(np.concatenate([sine(47, 90) + 256, sine(47, 90) - 1000]), repeats=1)
    for name in ("rms_mg", "peak_mg", "crest_centi", "kurtosis_centi"):
        assert windows[0][name] == windows[1][name]


@pytest.mark.parametrize("amplitude", [2, 4])
def test_quiet_signals_read_as_their_samples_are(measure: Measure, amplitude: float) -> None:
    # At 3,200 Hz the ADXL345's lowest bit is always 0: two counts are one step of the sensor.
    signals = [2 * np.rint(sine(f, amplitude) / 2) + 256 for f in (20, 100, 400)]
    found = measure.last(*signals)
    for axis, signal in enumerate(signals):
        check(found, axis, signal, within=0.03)


def test_a_mean_between_two_counts_is_no_vibration(measure: Measure) -> None:
    # Of 0 and 1 in turn, and of 0 with a 1 in every eight: the mean is a half, and an eighth.
    half, eighth = np.resize([0.0, 1.0], WINDOW), np.resize([1.0] + 7 * [0.0], WINDOW)
    found = measure.last(half, eighth + 256, -half - 4000)
    for axis, signal in enumerate((half, eighth, half)):
        assert found["rms_mg"][axis] == pytest.approx(rms_mg(signal), abs=0.51)
        crest = 100 * peak_mg(signal) / rms_mg(signal)
        assert found["crest_centi"][axis] == pytest.approx(crest, rel=0.015)


def test_a_machine_at_rest_reads_zero(measure: Measure) -> None:
    rest = np.full(WINDOW, 0.0)
    found = measure.last(rest + 256, rest - 4096, rest + 4095)
    for name in ("rms_mg", "peak_mg", "crest_centi", "kurtosis_centi", "envelope_mg"):
        assert found[name] == [0, 0, 0]
    assert max(found["velocity_um_s"]) <= 4  # K times less than 56/256 count-samples is nothing


def test_full_scale_reads_right_where_velocity_is_in_range(measure: Measure) -> None:
    signals = [sine(900, 4095), sine(400, 4095), sine(250, 4095)]
    found = measure.last(*signals)
    for axis, signal in enumerate(signals):
        check(found, axis, signal)


def limited_velocity(signal: Signal) -> float:
    """Velocity RMS in um/s of the third repetition, by the chain in double precision."""
    k = 1 - math.exp(-2 * math.pi * 9.1 / RATE_HZ)
    limit = 2**17 * 16 / (228 * 9 / 8)
    u = low = band = 0.0
    integrated = []
    for a in np.tile(signal, 3):
        v = u + 8 / 9 * a
        u = v * (1 - k) + 1 / 9 * a
        high = v - low - band
        band += k * high
        low += k * band
        integrated.append(min(limit, max(-limit, high)))
    spectrum = np.fft.rfft(np.array(integrated[-WINDOW:]))
    f = np.arange(len(spectrum)) * RATE_HZ / WINDOW
    passed = np.fft.irfft(spectrum / np.sqrt(1 + (f / 1000) ** 4))
    gain = (1 + math.pi * 9.1 / RATE_HZ) ** 2
    return float(np.sqrt(np.mean(passed**2))) * UM_S2_PER_COUNT / RATE_HZ / gain


@pytest.mark.parametrize("level", [4096, 32768])
def test_square_waves_at_full_scale_saturate_and_never_wrap(measure: Measure, level: int) -> None:
    # 8,176 count-samples are 98 mm/s: a slow square wave sits at that limit, a fast one below it.
    squares = [
        np.where(np.sin(2 * np.pi * f * TIME_S + 0.1) > 0, level - 1, -level) for f in (10, 40, 200)
    ]
    found = measure.last(*squares)
    for axis, signal in enumerate(squares):
        assert found["rms_mg"][axis] == pytest.approx(rms_mg(signal), rel=0.001)
        assert found["peak_mg"][axis] == pytest.approx(peak_mg(signal), rel=0.001)
        assert found["velocity_um_s"][axis] == pytest.approx(limited_velocity(signal), rel=0.01)


@pytest.mark.parametrize(
    ("rate_hz", "frequencies_hz"), [(1600, (20, 100, 400)), (800, (15, 50, 200))]
)
def test_slower_rates_read_the_band_that_they_cover(
    measure: Measure, rate_hz: int, frequencies_hz: tuple[int, ...]
) -> None:
    # Below 2,560 Hz the low-pass is at rate / 2.56.
    t = np.arange(WINDOW) / rate_hz
    signals = [100 * np.sin(2 * np.pi * f * t) for f in frequencies_hz]
    found = measure.last(*signals, rate_hz=rate_hz)
    for axis, signal in enumerate(signals):
        expected = velocity_um_s(signal, rate_hz)
        assert found["velocity_um_s"][axis] == pytest.approx(expected, rel=0.02)


def machine(rate_hz: int, seed: int) -> Signal:
    """A window of a machine with a defect in its bearing, all of it repeating; full scale is 1."""
    noise = np.random.default_rng(seed)
    t = np.arange(WINDOW) / rate_hz
    whole_s = WINDOW / rate_hz

    def line(hz: float) -> float:
        return max(1, round(hz * whole_s)) / whole_s

    turn = 2 * np.pi * line(min(35, rate_hz / 20)) * t
    signal = 0.12 * np.sin(turn + seed) + 0.04 * np.sin(2 * turn) + 0.06
    signal += 0.03 * np.sin(2 * np.pi * line(0.11 * rate_hz) * t)
    spectrum = np.fft.rfft(noise.normal(0, 1, WINDOW))
    spectrum[int(0.8 * len(spectrum)) :] = 0
    signal += 0.02 * np.fft.irfft(spectrum, WINDOW)
    for start_s in np.arange(0, whole_s, 1 / line(min(98, rate_hz / 16))):
        since = (t - start_s) % whole_s * rate_hz
        signal += 0.15 * np.exp(-since / 25) * np.sin(0.5 * np.pi * since)
    return 0.4 * signal


@pytest.mark.parametrize(
    ("count_ug", "full_scale"), [(3906, 4096), (488, 32768), (61, 32768), (24414, 2048)]
)
@pytest.mark.parametrize("rate_hz", [200, 400, 800, 1600, 3200, 6400, 10_000, 25_600])
def test_a_machine_reads_within_two_percent_at_every_rate_and_range(
    measure: Measure, rate_hz: int, count_ug: int, full_scale: int
) -> None:
    axes = (1,) if rate_hz > 10_000 else (0, 1, 2)
    signals = [np.rint(full_scale * machine(rate_hz, seed)) for seed in range(3)]
    more = {"count_ug": count_ug, "full_scale_counts": full_scale, "axes": axes, "present": axes}
    found = measure.last(*signals, rate_hz=rate_hz, **more)
    band = (rate_hz * 5 / 32, rate_hz * 14 / 32)
    for axis in axes:
        signal = signals[axis]
        mg = float(np.std(signal)) * count_ug / 1000
        assert found["rms_mg"][axis] == pytest.approx(mg, rel=0.002, abs=0.6)
        assert found["kurtosis_centi"][axis] == pytest.approx(100 * kurtosis(signal), rel=0.01)
        wanted = envelope_mg(signal, rate_hz, band, count_ug)
        assert found["envelope_mg"][axis] == pytest.approx(wanted, rel=0.02, abs=0.6)
        wanted = velocity_um_s(signal, rate_hz, count_ug=count_ug)
        assert found["velocity_um_s"][axis] == pytest.approx(wanted, rel=0.02)


def test_a_slow_machine_s_band_begins_at_2_hz(measure: Measure) -> None:
    rate_hz = 800
    t = np.arange(WINDOW) / rate_hz
    signals = [20 * np.sin(2 * np.pi * f * t) for f in (2, 3, 8)]
    found = measure.last(*signals, rate_hz=rate_hz, band_low_hz=2, band_high_hz=300)
    for axis, signal in enumerate(signals):
        expected = velocity_um_s(signal, rate_hz, (2, 300))
        assert found["velocity_um_s"][axis] == pytest.approx(expected, rel=0.02)


def test_the_upper_edge_is_the_board_s(measure: Measure) -> None:
    signals = [sine(f, 800) for f in (100, 400, 600)]
    found = measure.last(*signals, band_high_hz=400)
    for axis, signal in enumerate(signals):
        expected = velocity_um_s(signal, band_hz=(10, 400))
        assert found["velocity_um_s"][axis] == pytest.approx(expected, rel=0.02)


# ---- which axes ---------------------------------------------------------------------------------
def test_the_worst_axis_counts(measure: Measure) -> None:
    window = measure.windows(sine(50, 30), sine(50, 90) + 500, sine(500, 200))[-1]
    assert window["worst_velocity_um_s"] == max(window["velocity_um_s"])
    assert window["worst_velocity_um_s"] == window["velocity_um_s"][1]
    for name in ("rms_mg", "peak_mg", "crest_centi", "kurtosis_centi", "envelope_mg"):
        assert window["worst_" + name] == max(window[name])
    assert window["worst_peak_mg"] == window["peak_mg"][2]


def test_all_axes_are_in_the_order_of_the_wire(measure: Measure) -> None:
    window = measure.last(sine(50, 30), sine(50, 90) + 500, sine(900, 200))
    names = [name.replace("{}_", "") for name, _ in AXIS_FEATURES]
    assert window["axes"] == [value for name in names for value in window[name]]


def test_an_axis_that_is_not_judged_is_measured_and_never_the_worst(measure: Measure) -> None:
    signals = sine(50, 30), sine(50, 900) + 500, sine(500, 20)
    window = measure.windows(*signals, axes=(0, 2))[-1]
    everything = measure.windows(*signals)[-1]
    for name in ("rms_mg", "peak_mg", "crest_centi", "kurtosis_centi", "velocity_um_s"):
        assert window[name] == everything[name]
        assert window["worst_" + name] == max(window[name][0], window[name][2])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_axis_that_is_not_there_is_not_looked_at(measure: Measure, axis: int) -> None:
    signals = [np.full(WINDOW, -32768.0)] * 3
    signals[axis] = sine(50, 90) + sine(900, 20)
    window = measure.windows(*signals, axes=(axis,), present=(axis,))[-1]
    check(window, axis, signals[axis])
    for name in ("rms_mg", "peak_mg", "crest_centi", "kurtosis_centi", "velocity_um_s", "mean_mg"):
        assert [value for place, value in enumerate(window[name]) if place != axis] == [0, 0]
    assert not window["saturated"]


# ---- stuck, saturated ---------------------------------------------------------------------------
def test_a_sensor_is_stuck_where_no_judged_axis_moves(measure: Measure) -> None:
    still = np.full(WINDOW, 256.0)
    blip = still.copy()
    blip[1717] += 1
    assert measure.last(still, still, still)["stuck"]
    assert not measure.last(still, still, blip)["stuck"]
    assert measure.last(still, still, blip, axes=(0, 1))["stuck"]


def test_a_sensor_is_stuck_or_not_in_each_window_anew(measure: Measure) -> None:
    signal = np.concatenate([sine(50, 9), np.full(WINDOW, 3.0), sine(50, 9)])
    windows = measure.windows(signal, signal, signal, repeats=1)
    assert [window["stuck"] for window in windows] == [False, True, False]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sensor_is_saturated_by_its_mean_or_by_samples_at_the_rail(
    measure: Measure, sign: int
) -> None:
    def saturated(signal: Signal, **more: Any) -> bool:
        return measure.last(sine(50, 90), sign * signal, **more)["saturated"]

    still = np.ones(WINDOW)
    assert saturated(still * 0.981 * FULL_SCALE)
    assert not saturated(still * 0.979 * FULL_SCALE)
    clipped = sine(50, 90)
    clipped[:32] = 4080
    assert not saturated(clipped)  # just 1 %
    clipped[3000] = 4095
    assert saturated(clipped)
    assert not saturated(clipped, axes=(0, 2))
    assert not saturated(clipped, full_scale_counts=8192)
    # At 3,200 Hz the ADXL345's lowest bit is always 0: its rail is 4094.
    loud = (sine(50, 4200) / 2).round() * 2
    assert saturated(loud.clip(-4096, 4094))
    assert not saturated(sine(50, 3900))


# ---- kurtosis -----------------------------------------------------------------------------------
def test_kurtosis_is_pearson_s(measure: Measure) -> None:
    noise = np.random.default_rng(4)
    gauss, uniform = noise.normal(0, 300, WINDOW), noise.uniform(-900, 900, WINDOW)
    found = measure.last(gauss, uniform, sine(50, 1000))["kurtosis_centi"]
    assert found[0] == pytest.approx(300, abs=20)
    assert found[1] == pytest.approx(180, abs=5)
    assert found[2] == pytest.approx(150, abs=1)


@pytest.mark.parametrize("level", [3, 60, 4095, 32767])
def test_kurtosis_of_the_ends_of_the_range(measure: Measure, level: int) -> None:
    square = np.where(np.arange(WINDOW) % 2, level, -level).astype(np.float64)
    slow = np.where(np.arange(WINDOW) % 1600 < 800, level, -level).astype(np.float64)
    spike = np.zeros(WINDOW)
    spike[999] = -level
    found = measure.last(square, slow, spike)["kurtosis_centi"]
    assert found[:2] == pytest.approx([100, 100], abs=1)
    # The spike of 3 counts has an RMS of a 19th of a count, too little to tell.
    assert found[2] == (0 if level == 3 else pytest.approx(100 * kurtosis(spike), rel=0.01))


def test_kurtosis_forgives_a_window_that_begins_elsewhere(measure: Measure) -> None:
    # Four standard deviations off the rest, and seven.
    quiet = np.random.default_rng(5).normal(0, 10, WINDOW)
    off = [quiet.copy() for _ in range(2)]
    off[0][:100] += 43
    off[1][:16] += 2000
    found = measure.last(*off)["kurtosis_centi"]
    assert found[0] == pytest.approx(100 * kurtosis(off[0]), rel=0.01)
    assert found[1] == 0


# ---- envelope -----------------------------------------------------------------------------------
@pytest.mark.parametrize("carrier_hz", [720, 1130])
@pytest.mark.parametrize("rate_of_defect_hz", [30, 60])
def test_the_envelope_of_a_modulated_carrier_is_its_modulation(
    measure: Measure, carrier_hz: int, rate_of_defect_hz: int
) -> None:
    # 60 % of 1 g: an envelope of 600 mg amplitude about its mean.
    swing = 1 + 0.6 * np.sin(2 * np.pi * rate_of_defect_hz * TIME_S)
    carrier = sine(carrier_hz, 1000 / 3.906)
    # What twice the mean's rate and the carrier's harmonics fold into it stays within 3 %.
    found = measure.last(swing * carrier + sine(35, 256) + 256)["envelope_mg"][0]
    hilbert = np.abs(scipy_signal.hilbert(swing * carrier))
    assert np.std(hilbert) * 3.906 == pytest.approx(600 / math.sqrt(2), rel=0.01)
    mean = np.sinc(rate_of_defect_hz * mean_samples(RATE_HZ) / RATE_HZ)
    band = band_gain(carrier_hz)
    assert found == pytest.approx(np.std(hilbert) * 3.906 * mean * band, rel=0.03)


def band_gain(frequency_hz: float) -> float:
    """The band-pass's gain: bilinear Butterworth filters of order 2."""
    warped, high, low = (math.tan(math.pi * f / RATE_HZ) for f in (frequency_hz, *ENVELOPE_HZ))
    return 1 / math.sqrt((1 + (high / warped) ** 4) * (1 + (warped / low) ** 4))


@pytest.mark.parametrize("carrier_hz", [550, 700, 790, 810, 1000, 1330])
def test_a_steady_tone_is_hardly_any_envelope(measure: Measure, carrier_hz: int) -> None:
    found = measure.last(sine(carrier_hz, 1000 / 3.906))["envelope_mg"][0]
    assert found <= 120


def test_the_machine_s_slow_vibration_is_not_in_the_envelope(measure: Measure) -> None:
    assert measure.last(sine(35, 256), sine(70, 128))["envelope_mg"][:2] <= [6, 12]


def test_a_board_without_an_envelope_reads_none(measure: Measure) -> None:
    found = measure.last(sine(50, 90), sine(900, 90), envelope_low_hz=None, envelope_high_hz=None)
    assert found["envelope_mg"] == [0, 0, 0]
    assert found["velocity_um_s"][0] == pytest.approx(velocity_um_s(sine(50, 90)), rel=0.02)


# ---- once per turn ------------------------------------------------------------------------------
def steady_shaft(turns_per_s: float, samples: int, rate_hz: int = RATE_HZ) -> NDArray[np.int64]:
    """Phase and step of each block."""
    step = turns_per_s / rate_hz * 2**32
    first = np.arange(0, samples, BLOCK)
    phases = np.rint(first * step).astype(np.int64)
    return np.stack([phases, np.full(len(first), round(step), dtype=np.int64)], axis=1)


@pytest.mark.parametrize("turns_per_s", [3.3, 9.7, 33.4, 71.3, 166.7, 400.3])
@pytest.mark.parametrize("amplitude", [12, 300])
def test_the_amplitude_at_once_per_turn_is_right_at_constant_speed(
    measure: Measure, turns_per_s: float, amplitude: float
) -> None:
    t = np.arange(3 * WINDOW) / RATE_HZ
    turn = 2 * np.pi * turns_per_s * t
    beside = 0.5 * np.sin(2 * turn + 1) + 0.4 * np.sin(3 * turn) + 0.2 * np.sin(2 * np.pi * 613 * t)
    signal = amplitude * (np.sin(turn + 0.7) + beside) + 256
    found = measure.windows(
        signal,
        signal / 10,
        window=800,
        repeats=1,
        shaft_q32=steady_shaft(turns_per_s, len(t)),
    )[-1]
    assert found["once_per_turn_mg"] == pytest.approx(amplitude * 3.906, rel=0.02, abs=0.6)
    um_s = amplitude * UM_S2_PER_COUNT / (2 * math.pi * turns_per_s)
    assert found["once_per_turn_um_s"] == pytest.approx(um_s, rel=0.02)


def test_once_per_turn_is_taken_on_the_axis_of_the_worst_velocity(measure: Measure) -> None:
    t = np.arange(3 * WINDOW) / RATE_HZ
    signals = [a * np.sin(2 * np.pi * 35 * t) for a in (20, 90, 50)]
    shaft = steady_shaft(35, len(t))
    found = measure.windows(*signals, window=800, repeats=1, shaft_q32=shaft)[-1]
    assert found["once_per_turn_mg"] == pytest.approx(90 * 3.906, rel=0.02)
    judged = measure.windows(*signals, window=800, repeats=1, shaft_q32=shaft, axes=(0, 2))[-1]
    assert judged["once_per_turn_mg"] == pytest.approx(50 * 3.906, rel=0.02)


def test_once_per_turn_is_nothing_while_the_shaft_stands(measure: Measure) -> None:
    t = np.arange(3 * WINDOW) / RATE_HZ
    shaft = steady_shaft(35, len(t))
    shaft[len(shaft) * 2 // 3 :, 1] = 0
    windows = measure.windows(
        90 * np.sin(2 * np.pi * 35 * t), window=800, repeats=1, shaft_q32=shaft
    )
    values = [window["once_per_turn_um_s"] for window in windows]
    assert values[0] == 0  # the mean is not known before
    assert min(values[2:7]) > 0
    assert values[-3:] == [0, 0, 0]


def test_once_per_turn_leaves_other_frequencies_out(measure: Measure) -> None:
    t = np.arange(3 * WINDOW) / RATE_HZ
    signal = 300 * np.sin(2 * np.pi * 47.3 * t) + 2000
    found = measure.windows(signal, window=800, repeats=1, shaft_q32=steady_shaft(35, len(t)))[-1]
    # Eight turns: 300 / (pi 8 0.35).
    assert found["once_per_turn_mg"] <= 1.1 * 300 * 3.906 / (math.pi * 8 * 0.35)


@pytest.mark.parametrize("turns_per_s", [21.7, 33.4, 58.9])
def test_once_per_turn_takes_whole_turns_so_that_multiples_cancel(
    measure: Measure, turns_per_s: float
) -> None:
    turn = 2 * np.pi * turns_per_s * np.arange(3 * WINDOW) / RATE_HZ
    windows = measure.windows(
        300 * np.sin(2 * turn) + 200 * np.sin(3 * turn + 1) + 2000,
        window=800,
        repeats=1,
        shaft_q32=steady_shaft(turns_per_s, 3 * WINDOW),
    )
    # What a part of a sample too many leaves, of 1,400 mg.
    assert max(window["once_per_turn_mg"] for window in windows) <= 4


def pulsed_shaft(turns: Signal, rate_hz: int) -> NDArray[np.int64]:
    """Phase and step as a tacho with one pulse per turn gives them: the step from the last turn."""
    at_pulse = np.interp(np.arange(1, math.floor(turns[-1])), turns, np.arange(len(turns)))
    blocks = []
    for first in range(0, len(turns), BLOCK):
        seen = at_pulse[at_pulse <= first]
        if len(seen) < 2:
            blocks.append((0, 0))
            continue
        step = 1 / (seen[-1] - seen[-2])
        blocks.append((round((first - seen[-1]) * step * 2**32), round(step * 2**32)))
    return np.array(blocks, dtype=np.int64)


@pytest.mark.parametrize("per_turn", [-0.02, 0.01, 0.02, 0.05])
def test_an_accelerating_shaft_reads_within_two_percent(measure: Measure, per_turn: float) -> None:
    # The acceleration's amplitude stays, so that an error is the angle's alone.
    t = np.arange(2400) / RATE_HZ
    slope = per_turn * 30.0 * 30.0
    turns = 30 * t + slope * t**2 / 2
    windows = measure.windows(
        1000 * np.sin(2 * np.pi * turns) + 256,
        window=800,
        repeats=1,
        shaft_q32=pulsed_shaft(turns, RATE_HZ),
    )
    assert windows[-1]["once_per_turn_mg"] == pytest.approx(3906, rel=0.02)
    # At the mean speed of eight turns, the last of which is in the last window.
    slowest, fastest = sorted((30 + slope * 0.15, 30 + slope * 0.75))
    um_s = 1000 * UM_S2_PER_COUNT / (2 * math.pi)
    assert um_s / fastest * 0.98 <= windows[-1]["once_per_turn_um_s"] <= um_s / slowest * 1.02


def test_settled_is_false_until_the_step_of_gravity_is_forgotten(vm: Vm, tmp_path: Path) -> None:
    path = tmp_path / "samples.bin"
    path.write_bytes(np.full((RATE_HZ, 3), (256, -4096, 4095), dtype="<i2").tobytes())
    windows = vm.ask("windows", features_of(160), str(path), 1, 32, "")
    settled = [w["settled"] for w in windows]
    assert settled == sorted(settled)
    assert windows[0]["worst_velocity_um_s"] > 10_000
    assert all(w["worst_velocity_um_s"] <= 10 for w in windows if w["settled"])
    assert 0.3 <= settled.index(True) * 160 / RATE_HZ <= 1


# ---- bits ---------------------------------------------------------------------------------------
ANY_STEP = 0x0512_3456


def coefficients(rate_hz: int, **more: Any) -> Any:
    return viper_on_cpython.load("features")["Features"](**features_of(16, rate_hz, **more))._work


def velocity_responses(work: Any, length: int) -> dict[str, Signal]:
    """What each place before the limiter answers to a sample of 1."""
    k, now = work[3] / 65536, work[4]
    responses: dict[str, Signal] = {
        name: np.zeros(length) for name in ("v", "u", "v+low", "high", "band", "low")
    }
    u = low = band = 0.0
    for i in range(length):
        a = float(i == 0)
        v = u + now * a
        u = v - k * v + now * a / 8
        with_low = v + low
        high = with_low + band
        band -= k * high
        low += k * band
        for name, value in zip(responses, (v, u, with_low, high, band, low), strict=True):
            responses[name][i] = value
    return responses


def envelope_responses(work: Any, length: int) -> dict[str, Signal]:
    """What each place of the envelope's filters, and each sum on the way, answers to 1."""
    high_a1, high_a2, gain, low_a1, low_a2 = (w / 2048 for w in work[10:15])
    names = ("y", "h1", "sum", "h2", "x", "z", "l1", "low sum", "l2")
    responses: dict[str, Signal] = {name: np.zeros(length) for name in names}
    h1 = h2 = l1 = l2 = 0.0
    for i in range(length):
        a = 4096.0 * (i == 0)
        y = a + h1
        partial = h2 + high_a1 * y
        h1 = partial - 2 * a
        h2 = high_a2 * y + a
        x = gain * y
        z = x + l1
        low_partial = l2 + low_a1 * z
        l1 = low_partial + 2 * x
        l2 = low_a2 * z + x
        values = (y, h1, partial, h2, x, z, l1, low_partial, l2)
        for name, value in zip(names, values, strict=True):
            responses[name][i] = value
    return responses


def worst_inputs(rate_hz: int) -> dict[str, NDArray[np.int16]]:
    """For each place in the filters, the int16 signal that drives it furthest."""
    work = coefficients(rate_hz)
    responses = velocity_responses(work, int(rate_hz / 2))
    responses |= envelope_responses(work, 200)
    return {
        name: np.where(h[::-1] >= 0, 32767, -32768).astype(np.int16)
        for name, h in responses.items()
    }


def checked_words(
    signal: NDArray[np.int16], rate_hz: int, blocks: list[int], **more: Any
) -> list[list[int]]:
    """The kernels' words from the references under CPython, which raises where 32 bits overflow."""
    names = viper_on_cpython.load("features")
    features = names["Features"](**features_of(16, rate_hz, **more))
    work, shaft = features._work, features.shaft
    wide, work[0], shaft[2] = work[0], 0, 0
    shaft[0], shaft[1] = -ANY_STEP, ANY_STEP
    triples = array.array("h", np.repeat(signal, 3).astype("<i2").tobytes())
    first = turn = 0
    while first < len(signal):
        count = min(blocks[turn % len(blocks)], len(signal) - first)
        if not first:
            names["begin_window"](triples, first, count, work)
        for name in ("statistics", "velocity", "envelope"):
            names[name + "_reference"](triples, first, count, work)
        names["quadrature_reference"](triples, first, count, shaft)
        first += count
        turn += 1
    work[0] = shaft[2] = wide
    return [list(work), list(shaft)]


@pytest.mark.parametrize("rate_hz", [200, 400, 3200])
def test_no_int16_signal_takes_the_filters_out_of_32_bits(
    vm: Vm, tmp_path: Path, rate_hz: int
) -> None:
    path = tmp_path / "samples.bin"
    for name, signal in worst_inputs(rate_hz).items():
        path.write_bytes(np.repeat(signal, 3).astype("<i2").tobytes())
        found = vm.ask("words", features_of(16, rate_hz), str(path), [32], ANY_STEP)
        assert found == checked_words(signal, rate_hz, [32]), name


ONE_AXIS = {"axes": (0,), "present": (0,)}


@pytest.mark.parametrize(
    ("rate_hz", "more"),
    [(rate_hz, {}) for rate_hz in (200, 400, 800, 1600, 2560, 3200, 6400, 10_000)]
    + [
        (25_600, ONE_AXIS),
        (30_000, ONE_AXIS),
        (30_000, {**ONE_AXIS, "band_high_hz": 300}),
        (6400, {"band_low_hz": 2}),
        (200, {"band_low_hz": 2}),
    ],
)
def test_the_velocity_filters_stay_in_32_bits_whatever_comes_in(
    rate_hz: int, more: dict[str, Any]
) -> None:
    # The low-pass's states are Q12 of its input, limited to 2^17; the sum of the magnitudes of an
    # impulse response bounds what any input can do.
    work = coefficients(rate_hz, **more)
    b0, b1, a1, a2 = (w / 4096 for w in work[6:10])
    assert b0 + b1 == pytest.approx(1 + a1 + a2)
    y, s1, s2, partial = (np.zeros(4000) for _ in range(4))
    now1 = now2 = 0.0
    for i in range(4000):
        x = float(i == 0)
        y[i] = b0 * x + now1
        partial[i] = b1 * x - a1 * y[i]
        now1, now2 = partial[i] - now2, a2 * y[i]
        s1[i], s2[i] = now1, now2
    for response in (y, s1, s2, partial):
        assert float(np.sum(np.abs(response))) * 2**29 + 2**18 < 2**31
    # In quarters its square is summed.
    assert (float(np.sum(np.abs(y))) * 2**15 + 1) ** 2 < 2**31
    # The same bound for the filters before the limiter, which the worst inputs reach.
    responses = velocity_responses(work, 20_000)
    largest = max(float(np.sum(np.abs(response))) for response in responses.values())
    # Each step rounds K times a state by less than one, and that lasts for 1/K steps.
    assert largest * 32768 + 10 * 65536 / work[3] < 2**31
    assert work[3] < 32768


@pytest.mark.parametrize("rate_hz", [200, 3200, 10_000])
@pytest.mark.parametrize("low", [1 / 64, 0.1, 1 / 5])
@pytest.mark.parametrize("high", [0.205, 0.3, 0.45])
def test_the_envelope_s_filters_stay_in_32_bits_whatever_comes_in(
    rate_hz: int, low: float, high: float
) -> None:
    band = {"envelope_low_hz": low * rate_hz, "envelope_high_hz": high * rate_hz}
    work = coefficients(rate_hz, **band)
    sums = {
        name: float(np.sum(np.abs(response)))
        for name, response in envelope_responses(work, 4000).items()
    }
    # Rounding a state by one adds less than its own answer to 1/2048 of a sample for ever.
    for name, largest in sums.items():
        assert largest * (32768 + 4) < 2**31, name
    # A mean of such values before it is shifted.
    assert sums["z"] / 2048 * 32768 * work[15] / 6 < 2**31


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.one_of(st.integers(-32768, 32767), st.sampled_from([-32768, 32767, 0, 1])),
        min_size=1,
        max_size=40,
    ),
    st.integers(1, 20),
    st.lists(st.integers(1, 32), min_size=1, max_size=5),
)
def test_the_reference_is_plain_integer_arithmetic_however_it_is_fed(
    vm: Vm,
    tmp_path_factory: pytest.TempPathFactory,
    values: list[int],
    repeat: int,
    blocks: list[int],
) -> None:
    signal = np.array(values * repeat, dtype=np.int16)[:400]
    path = tmp_path_factory.getbasetemp() / "samples.bin"
    path.write_bytes(np.repeat(signal, 3).astype("<i2").tobytes())
    found = vm.ask("words", features_of(16), str(path), blocks, ANY_STEP)
    assert found == checked_words(signal, RATE_HZ, blocks)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**30 - 1), st.integers(0, 65535)), min_size=20))
def test_the_root_is_exact(vm: Vm, pairs: list[tuple[int, int]]) -> None:
    edges = [(0, 0), (0, 1), (1, 0), (2**30 - 1, 65535), (2, 0), (2**28, 0), (2**28 - 1, 65535)]
    pairs = edges + pairs
    assert vm.ask("roots", pairs) == [math.isqrt((whole << 16) + part) for whole, part in pairs]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.one_of(st.integers(-4096, 4095), st.sampled_from([-32768, -32767, 32767, 0, 1, -1])),
        min_size=1,
        max_size=48,
    ),
    st.integers(1, 3),
)
def test_a_window_closes_without_overflow_whatever_is_in_it(
    vm: Vm, tmp_path_factory: pytest.TempPathFactory, values: list[int], blocks: int
) -> None:
    n = 16 * blocks
    signal = np.resize(np.array(values, dtype=np.int16), n)
    names = viper_on_cpython.load("features")
    features = names["Features"](**features_of(n))
    features._work[0] = features.shaft[2] = 0
    features.shaft[1] = ANY_STEP
    triples = array.array("h", np.repeat(signal, 3).astype("<i2").tobytes())
    closed = [features.add(triples, first, 16) for first in range(0, n, 16)]
    assert closed == [False] * (blocks - 1) + [True]
    path = tmp_path_factory.getbasetemp() / "samples.bin"
    path.write_bytes(triples.tobytes())
    found = vm.ask("windows", features_of(n), str(path), 1, 16, "")[0]
    for name in ("rms_mg", "peak_mg", "crest_centi", "kurtosis_centi", "velocity_um_s", "mean_mg"):
        assert found[name] == list(getattr(features, name))
    exact = signal.astype(np.float64)
    rms = float(np.std(exact))
    assert found["rms_mg"][0] == pytest.approx(rms * COUNT_UG / 1000, rel=0.001, abs=0.6)
    assert found["peak_mg"][0] == pytest.approx(
        float(np.max(np.abs(exact - exact.mean()))) * COUNT_UG / 1000, rel=0.001, abs=0.8
    )
    assert found["mean_mg"][0] == pytest.approx(exact.mean() * COUNT_UG / 1000, rel=0.001, abs=1)
    off = abs(exact[:16].mean() - exact.mean())
    if rms > 0.126 and off < 4 * rms:
        wanted = pytest.approx(100 * kurtosis(exact), rel=0.015, abs=1)
        assert found["kurtosis_centi"][0] == wanted


def test_the_longest_window_of_the_loudest_signal_fits(vm: Vm, tmp_path: Path) -> None:
    path = tmp_path / "samples.bin"
    n = 32752
    signals = [np.full(n, -32768), np.resize([-32768, 32767], n), np.arange(n) * 2 - 32768]
    path.write_bytes(np.stack(signals, axis=1).astype("<i2").tobytes())
    found = vm.ask("windows", features_of(n, full_scale_counts=32768), str(path), 1, 16, "")[0]
    for axis, signal in enumerate(signals):
        rms = np.std(signal) * COUNT_UG / 1000
        assert found["rms_mg"][axis] == pytest.approx(rms, rel=0.001)
    assert found["kurtosis_centi"][:2] == [0, 100]
    # It begins 1.7 standard deviations off its mean.
    assert found["kurtosis_centi"][2] == pytest.approx(180, abs=2)
    assert found["saturated"]


@pytest.mark.parametrize("turns_per_sample", [0.01, 0.49, -0.3, 0.0001])
def test_an_average_of_the_loudest_signal_fits(vm: Vm, turns_per_sample: float) -> None:
    del vm
    names = viper_on_cpython.load("features")
    features = names["Features"](**features_of(16000, full_scale_counts=32768))
    shaft, scales = features.shaft, features._turn_scales
    shaft[2] = features._work[0] = 0
    for level in (32767, -32768):
        # What the sums can be at most, after the most samples: all of one sign.
        shaft[8], shaft[9], shaft[11] = 16000, 0, 8
        shaft[4] = shaft[5] = level * 2 * 16000
        shaft[6] = shaft[7] = round(2548 * math.copysign(1, turns_per_sample))
        features._results[30] = 8 * level
        assert names["close_turns"](shaft, features._results, scales, features._once) == 1
        assert all(0 <= value <= 0x3FFFFFFF for value in features._once)
    shaft[0], shaft[1] = -1, round(turns_per_sample * 2**32)
    triples = array.array("h", [32767] * 96)
    for _ in range(520):
        names["take_turn"](triples, 0, 32, shaft)


def test_windows_take_nothing_from_the_heap(vm: Vm) -> None:
    assert vm.ask("allocated_bytes") == 0


@pytest.mark.parametrize(
    ("what", "more"),
    [
        ("window_samples", {"window_samples": 801}),
        ("window_samples", {"window_samples": 0}),
        ("window_samples", {"window_samples": 32768}),
        ("rate_hz", {"rate_hz": 100}),
        ("rate_hz", {"rate_hz": 20_000}),
        ("rate_hz", {"rate_hz": 30_001, "present": (0,), "axes": (0,)}),
        ("full_scale_counts", {"full_scale_counts": 0}),
        ("full_scale_counts", {"full_scale_counts": 40_000}),
        ("judged axis", {"present": (0, 1)}),
        ("band_low_hz", {"rate_hz": 10_000, "band_low_hz": 2}),
        ("band_low_hz", {"band_low_hz": 161}),
        ("band_high_hz", {"band_high_hz": 10}),
        ("envelope_low_hz", {"envelope_low_hz": 49}),
        ("envelope_low_hz", {"envelope_low_hz": 641}),
        ("envelope_high_hz", {"envelope_high_hz": 1441}),
        ("envelope_high_hz", {"envelope_high_hz": 500}),
    ],
)
def test_what_the_kernels_cannot_hold_is_refused(vm: Vm, what: str, more: dict[str, Any]) -> None:
    given = {**features_of(16), "envelope_low_hz": 500, "envelope_high_hz": 1400, **more}
    message = vm.ask("refused", given)
    assert message
    assert what in message
    assert "must be" in message
