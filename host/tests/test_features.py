"""Features of known signals, from the real MicroPython VM, against double precision in NumPy.

The velocity reference is the documented chain's ideal, applied in the frequency domain to the very
samples that the firmware got: analogue Butterworth filters and an exact integrator. Signals repeat
with the window, so that their spectrum is exact.
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

Signal = NDArray[np.float64]

RATE_HZ = 3200
WINDOW = 3200
COUNT_UG = 3906
UM_S2_PER_COUNT = COUNT_UG * 9.80665
TIME_S = np.arange(WINDOW) / RATE_HZ


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

    def windows(self, *axes: Signal, rate_hz: int = RATE_HZ, repeats: int = 3) -> Any:
        columns = [np.asarray(a, dtype=np.float64) for a in axes]
        columns += [np.zeros(WINDOW)] * (3 - len(columns))
        samples = np.rint(np.stack(columns, axis=1)).clip(-32768, 32767).astype("<i2")
        self._path.write_bytes(samples.tobytes())
        return self._vm.ask("windows", WINDOW, rate_hz, COUNT_UG, str(self._path), repeats)

    def last(self, *axes: Signal, rate_hz: int = RATE_HZ) -> dict[str, list[int]]:
        names = ("rms_mg", "peak_mg", "crest_centi", "velocity_um_s")
        return dict(zip(names, self.windows(*axes, rate_hz=rate_hz)[-1], strict=False))


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


def velocity_um_s(signal: Signal, rate_hz: int = RATE_HZ) -> float:
    spectrum = np.fft.rfft(np.rint(signal))[1:]
    f = np.arange(1, len(spectrum) + 1) * rate_hz / len(signal)
    gain = 1 / np.sqrt(1 + (9.1 / f) ** 6) / np.sqrt(1 + (f / 1000) ** 4) / (2 * np.pi * f)
    power = np.abs(spectrum * gain) ** 2 * 2
    power[-1] /= 2
    return UM_S2_PER_COUNT * math.sqrt(float(np.sum(power))) / len(signal)


def check(found: dict[str, list[int]], axis: int, signal: Signal, within: float = 0.02) -> None:
    rms, peak = rms_mg(signal), peak_mg(signal)
    assert found["rms_mg"][axis] == pytest.approx(rms, rel=0.001, abs=0.6)
    assert found["peak_mg"][axis] == pytest.approx(peak, rel=0.001, abs=0.6)
    assert found["crest_centi"][axis] == pytest.approx(100 * peak / rms, rel=0.005, abs=0.6)
    assert found["velocity_um_s"][axis] == pytest.approx(velocity_um_s(signal), rel=within, abs=1)


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


def test_a_change_of_the_mean_leaves_the_window_s_own_mean(measure: Measure) -> None:
    windows = measure.windows(
        np.concatenate([sine(47, 90) + 256, sine(47, 90) - 1000]),
        *(np.zeros(2 * WINDOW),) * 2,
        repeats=1,
    )
    assert windows[0][:3] == windows[1][:3]


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
    assert found["rms_mg"] == found["peak_mg"] == found["crest_centi"] == [0, 0, 0]
    assert max(found["velocity_um_s"]) <= 4  # K times less than 56/256 count-samples is nothing


def test_full_scale_reads_right_where_velocity_is_in_range(measure: Measure) -> None:
    signals = [sine(900, 4095), sine(400, 4095), sine(250, 4095)]
    found = measure.last(*signals)
    for axis, signal in enumerate(signals):
        check(found, axis, signal)


def limited_velocity(signal: Signal) -> float:
    """Velocity RMS in um/s of the third repetition, by the chain in double precision."""
    k = 2 * math.pi * 9.1 / RATE_HZ
    u = low = band = 0.0
    integrated = []
    for a in np.tile(signal, 3):
        v = u + 0.9 * a
        u = v * (1 - k) + 0.1 * a
        high = v - low - band
        band += k * high
        low += k * band
        integrated.append(min(8192.0, max(-8192.0, high)))
    spectrum = np.fft.rfft(np.array(integrated[-WINDOW:]))
    f = np.arange(len(spectrum)) * RATE_HZ / WINDOW
    passed = np.fft.irfft(spectrum / np.sqrt(1 + (f / 1000) ** 4))
    gain = (1 + math.pi * 9.1 / RATE_HZ) ** 2
    return float(np.sqrt(np.mean(passed**2))) * UM_S2_PER_COUNT / RATE_HZ / gain


@pytest.mark.parametrize("level", [4096, 32768])
def test_square_waves_at_full_scale_saturate_and_never_wrap(measure: Measure, level: int) -> None:
    # 8,192 count-samples are 98 mm/s: a slow square wave sits at that limit, a fast one below it.
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
    for axis, (signal, f) in enumerate(zip(signals, frequencies_hz, strict=True)):
        low_pass = math.sqrt(1 + (f / 1000) ** 4) / math.sqrt(1 + (f / (rate_hz / 2.56)) ** 4)
        expected = velocity_um_s(signal, rate_hz) * low_pass
        assert found["velocity_um_s"][axis] == pytest.approx(expected, rel=0.02)


def test_the_worst_axis_counts(measure: Measure) -> None:
    window = measure.windows(sine(50, 30), sine(50, 90) + 500, sine(500, 200))[-1]
    assert window[4] == max(window[1]) == window[1][2]
    assert window[5] == max(window[3]) == window[3][1]


def test_settled_is_false_until_the_step_of_gravity_is_forgotten(vm: Vm, tmp_path: Path) -> None:
    path = tmp_path / "samples.bin"
    path.write_bytes(np.full((RATE_HZ, 3), (256, -4096, 4095), dtype="<i2").tobytes())
    windows = vm.ask("windows", 160, RATE_HZ, COUNT_UG, str(path), 1)
    settled = [w[6] for w in windows]
    assert settled == sorted(settled)
    assert windows[0][5] > 10_000
    assert all(w[5] <= 10 for w in windows if w[6])
    assert 0.3 <= settled.index(True) * 160 / RATE_HZ <= 1


# ---- bits ---------------------------------------------------------------------------------------
K_Q16 = round(65536 * 2 * math.pi * 9.1 / RATE_HZ)


def worst_inputs(rate_hz: int) -> dict[str, NDArray[np.int16]]:
    """For each place in the chain up to the limiter, the int16 signal that drives it furthest."""
    k = round(65536 * 2 * math.pi * 9.1 / rate_hz) / 65536
    length = int(rate_hz / 2)
    responses: dict[str, Signal] = {
        n: np.zeros(length) for n in ("v", "u", "v-low", "high", "band", "low")
    }
    u = low = band = 0.0
    for i in range(length):
        a = float(i == 0)
        v = u + 230 * a
        u = v - k * v + 26 * a
        without_low = v - low
        high = without_low - band
        band += k * high
        low += k * band
        for name, value in zip(responses, (v, u, without_low, high, band, low), strict=True):
            responses[name][i] = value
    return {
        name: np.where(h[::-1] >= 0, 32767, -32768).astype(np.int16)
        for name, h in responses.items()
    }


def checked_words(signal: NDArray[np.int16], rate_hz: int) -> list[int]:
    """The kernel's words from the reference under CPython, which raises where 32 bits overflow."""
    names = viper_on_cpython.load("features")
    features = names["Features"](16, rate_hz, COUNT_UG)
    work = features._work
    wide, work[5] = work[5], 0
    triples = array.array("h", np.repeat(signal, 3).astype("<i2").tobytes())
    names["accumulate_reference"](triples, 0, len(signal), work)
    work[5] = wide
    return list(work)


@pytest.mark.parametrize("rate_hz", [200, 400, 3200])
def test_no_int16_signal_takes_the_filters_out_of_32_bits(
    vm: Vm, tmp_path: Path, rate_hz: int
) -> None:
    path = tmp_path / "samples.bin"
    for name, signal in worst_inputs(rate_hz).items():
        path.write_bytes(np.repeat(signal, 3).astype("<i2").tobytes())
        found = vm.ask("words", rate_hz, str(path), [16])
        assert found == checked_words(signal, rate_hz), name


@pytest.mark.parametrize("rate_hz", [200, 400, 800, 1600, 2560, 3200, 6400, 10_000])
def test_the_low_pass_stays_in_32_bits_whatever_comes_in(rate_hz: int) -> None:
    # Its states are Q12 of 1/16 count-samples, limited to 2^17; the sum of the magnitudes of an
    # impulse response bounds what any input can do.
    work = viper_on_cpython.load("features")["Features"](16, rate_hz, COUNT_UG)._work
    k = work[0] / 65536
    b0, b1, a1, a2 = (w / 4096 for w in work[1:5])
    assert b0 + b1 == pytest.approx(1 + a1 + a2)
    y, s1, s2, partial = (np.zeros(400) for _ in range(4))
    now1 = now2 = 0.0
    for i in range(400):
        x = float(i == 0)
        y[i] = b0 * x + now1
        partial[i] = b1 * x - a1 * y[i]
        now1, now2 = partial[i] - now2, a2 * y[i]
        s1[i], s2[i] = now1, now2
    for response in (y, s1, s2, partial):
        assert float(np.sum(np.abs(response))) * 2**29 + 2**14 < 2**31
    # In quarters of a count-sample its square is summed.
    assert (float(np.sum(np.abs(y))) * 2**15 + 1) ** 2 < 2**31
    # The same bound for the filters before the limiter, which the worst inputs reach.
    u = low = band = 0.0
    total: dict[str, float] = dict.fromkeys(("v", "v-low", "high", "band", "low"), 0.0)
    for i in range(20_000):
        a = float(i == 0)
        v = u + 230 * a
        u = v - k * v + 26 * a
        high = v - low - band
        for name, value in (("v", v), ("v-low", v - low), ("high", high)):
            total[name] += abs(value)
        band += k * high
        low += k * band
        total["band"] += abs(band)
        total["low"] += abs(low)
    # Each step rounds K times a state by less than one, and that lasts for 1/K steps.
    assert max(total.values()) * 32768 + 10 / k < 2**31
    assert work[0] < 32768


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(-32768, 32767), min_size=1, max_size=40),
    st.integers(1, 60),
    st.lists(st.integers(1, 16), min_size=1, max_size=5),
)
def test_the_reference_is_plain_integer_arithmetic_however_it_is_fed(
    vm: Vm,
    tmp_path_factory: pytest.TempPathFactory,
    values: list[int],
    repeat: int,
    blocks: list[int],
) -> None:
    signal = np.array(values * repeat, dtype=np.int16)[:600]
    path = tmp_path_factory.getbasetemp() / "samples.bin"
    path.write_bytes(np.repeat(signal, 3).astype("<i2").tobytes())
    assert vm.ask("words", RATE_HZ, str(path), blocks) == checked_words(signal, RATE_HZ)


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
    features = names["Features"](n, RATE_HZ, COUNT_UG)
    features._work[5] = 0
    triples = array.array("h", np.repeat(signal, 3).astype("<i2").tobytes())
    assert features.add(triples, 0, n)
    path = tmp_path_factory.getbasetemp() / "samples.bin"
    path.write_bytes(triples.tobytes())
    found = vm.ask("windows", n, RATE_HZ, COUNT_UG, str(path), 1)[0]
    assert found[:4] == [
        list(features.rms_mg),
        list(features.peak_mg),
        list(features.crest_centi),
        list(features.velocity_um_s),
    ]
    exact = signal.astype(np.float64)
    rms = float(np.std(exact))
    assert found[0][0] == pytest.approx(rms * COUNT_UG / 1000, rel=0.001, abs=0.6)
    assert found[1][0] == pytest.approx(
        float(np.max(np.abs(exact - exact.mean()))) * COUNT_UG / 1000, rel=0.001, abs=0.8
    )


def test_the_longest_window_of_the_loudest_signal_fits(vm: Vm, tmp_path: Path) -> None:
    path = tmp_path / "samples.bin"
    n = 32752
    signals = [np.full(n, -32768), np.resize([-32768, 32767], n), np.arange(n) * 2 - 32768]
    path.write_bytes(np.stack(signals, axis=1).astype("<i2").tobytes())
    found = vm.ask("windows", n, RATE_HZ, COUNT_UG, str(path), 1)[0]
    for axis, signal in enumerate(signals):
        assert found[0][axis] == pytest.approx(np.std(signal) * COUNT_UG / 1000, rel=0.001)


def test_windows_take_nothing_from_the_heap(vm: Vm) -> None:
    assert vm.ask("allocated_bytes") == 0


@pytest.mark.parametrize(
    ("window", "rate_hz"), [(801, 3200), (0, 3200), (32768, 3200), (16, 100), (16, 20_000)]
)
def test_what_the_kernels_cannot_hold_is_refused(vm: Vm, window: int, rate_hz: int) -> None:
    assert "must be" in vm.ask("refused", window, rate_hz)
