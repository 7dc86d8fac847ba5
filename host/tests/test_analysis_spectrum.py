"""A known amplitude is read within 1 % in every representation, wherever it lies."""

from __future__ import annotations

import numpy as np
import pytest
from known_signals import RATE_HZ, of, sine, times

from wrench.analysis.analyse import analyse
from wrench.analysis.measurement import Part
from wrench.analysis.result import Choices
from wrench.analysis.spectrum import Spectrum, segment_samples, welch
from wrench.analysis.trend import Windowed


def one_part(values: np.ndarray, start_s: float = 0.0, rate_hz: float = RATE_HZ) -> Part:
    return Part(start_s, start_s + len(values) / rate_hz, values)


def highest(spectrum: Spectrum) -> tuple[float, float]:
    top = int(np.argmax(spectrum.mean_square))
    return float(spectrum.frequency[top]), float(spectrum.amplitude[top])


# Lines are 0.5 Hz apart: from on a line to halfway between two.
@pytest.mark.parametrize("off_hz", [0.0, 0.1, 0.17, 0.25])
@pytest.mark.parametrize("frequency_hz", [12.0, 130.0, 1400.0])
def test_a_sine_has_its_amplitude_and_its_velocity(frequency_hz: float, off_hz: float) -> None:
    at_hz = frequency_hz + off_hz
    # Gravity must not leak into the lines.
    result = analyse(of(1.0 + sine(at_hz, 12.0, peak=0.2)))
    found_hz, amplitude_g = highest(result.spectra["x"])
    assert found_hz == pytest.approx(at_hz, abs=0.07)
    assert amplitude_g == pytest.approx(0.2 / np.sqrt(2.0), rel=0.01)
    if frequency_hz < 1000.0:
        velocity_hz, velocity = highest(result.velocity["x"])
        assert velocity_hz == pytest.approx(at_hz, abs=0.07)
        expected = 0.2 * 9806.65 / (2.0 * np.pi * at_hz) / np.sqrt(2.0)
        assert velocity == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("frequency_hz", [40.0, 81.3, 333.37])
def test_the_same_amplitude_stands_in_the_trend_and_the_waterfall(frequency_hz: float) -> None:
    result = analyse(of(1.0 + sine(frequency_hz, 20.0, peak=0.5)))
    panels = {panel.key: panel.lines["x"].value for panel in result.panels}
    assert panels["acceleration"] == pytest.approx(0.5 / np.sqrt(2.0), rel=0.01)
    assert panels["peak"] == pytest.approx(0.5, rel=0.01)
    assert panels["crest"] == pytest.approx(np.sqrt(2.0), rel=0.01)
    assert panels["kurtosis"] == pytest.approx(1.5, rel=0.01)
    expected = 0.5 * 9806.65 / (2.0 * np.pi * frequency_hz) / np.sqrt(2.0)
    assert panels["velocity"] == pytest.approx(expected, rel=0.01)
    assert result.over_time is not None
    rows = np.nanmax(result.over_time.amplitude, axis=1)
    assert rows == pytest.approx(0.5 / np.sqrt(2.0), rel=0.01)
    assert result.overall["x"].rms_g == pytest.approx(0.5 / np.sqrt(2.0), rel=0.01)
    assert result.overall["x"].mean_g == pytest.approx(1.0, abs=0.001)
    extremes = result.extremes["x"]
    assert np.nanmax(extremes.high) == pytest.approx(1.5, rel=0.01)
    assert np.nanmin(extremes.low) == pytest.approx(0.5, rel=0.01)


def test_the_rms_of_a_band_is_that_of_what_lies_in_it() -> None:
    rng = np.random.default_rng(3)
    signal = sine(60.0, 30.0, 0.3) + sine(300.0, 30.0, 0.4) + 0.1 * rng.standard_normal(96000)
    spectrum = analyse(of(signal)).spectra["x"]
    assert spectrum.rms(50.0, 70.0) == pytest.approx(0.3 / np.sqrt(2.0), rel=0.01)
    assert spectrum.rms(290.0, 310.0) == pytest.approx(0.4 / np.sqrt(2.0), rel=0.01)
    # White noise spreads evenly over 1,600 Hz.
    assert spectrum.rms(400.0, 1600.0) == pytest.approx(0.1 * np.sqrt(0.75), rel=0.02)
    assert spectrum.rms(0.0, 1600.0) == pytest.approx(float(np.std(signal)), rel=0.01)


def test_the_velocity_rms_of_many_sines_is_the_analytic_one() -> None:
    tones = {15.0: 0.01, 35.0: 0.05, 140.0: 0.2, 900.0: 1.0}
    signal = np.sum([sine(hz, 24.0, peak) for hz, peak in tones.items()], axis=0)
    outside = sine(5.0, 24.0, 0.01) + sine(1300.0, 24.0, 2.0)
    result = analyse(of(signal + outside))
    assert result.velocity_band_hz == (10.0, 1000.0)
    squares = [0.5 * (peak * 9806.65 / (2.0 * np.pi * hz)) ** 2 for hz, peak in tones.items()]
    assert result.velocity["x"].rms(10.0, 1000.0) == pytest.approx(np.sqrt(sum(squares)), rel=0.01)


def test_two_sines_are_told_apart_at_three_times_the_resolution() -> None:
    one = welch([one_part(sine(100.0, 8.0))], RATE_HZ, 3200)
    assert one is not None
    assert one.resolution == pytest.approx(1.0)
    for turn in np.linspace(0.0, 2.0 * np.pi, 9):
        other = np.sin(2.0 * np.pi * 103.0 * times(8.0) + turn)
        both = welch([one_part(sine(100.0, 8.0) + other)], RATE_HZ, 3200)
        assert both is not None
        middle, *peaks = np.interp([101.5, 100.0, 103.0], both.frequency, both.amplitude)
        assert min(peaks) > 1.5 * middle


def test_no_segment_crosses_a_gap() -> None:
    # The second half has another phase: across the joint the line would be torn in two.
    first, second = sine(100.0, 2.5), -sine(100.0, 2.5)
    torn = welch([one_part(np.concatenate([first, second]))], RATE_HZ, 3200)
    apart = welch([one_part(first), one_part(second, start_s=3.1)], RATE_HZ, 3200)
    assert torn is not None
    assert apart is not None
    assert highest(apart)[1] == pytest.approx(1.0 / np.sqrt(2.0), rel=0.005)
    assert highest(torn)[1] < 0.97 / np.sqrt(2.0)
    assert apart.averages == 8


def test_pieces_that_continue_each_other_are_one() -> None:
    signal = sine(100.0, 10.0)
    cuts = np.split(signal, [1000, 1017, 20000])
    starts = np.cumsum([0, *(len(cut) for cut in cuts[:-1])]) / RATE_HZ
    parts = [one_part(cut, start_s) for cut, start_s in zip(cuts, starts, strict=True)]
    whole = welch([one_part(signal)], RATE_HZ, 3200)
    pieced = welch(parts, RATE_HZ, 3200)
    assert whole is not None
    assert pieced is not None
    assert pieced.averages == whole.averages
    assert pieced.amplitude == pytest.approx(whole.amplitude, abs=1e-9)


@pytest.mark.parametrize(
    ("runs", "wanted", "expected"),
    [
        ([], 6400, 0),
        ([320], 6400, 128),  # four averages, overlapping by half, take 2.5 segments
        ([32000], 6400, 6400),
        ([2560] * 12, 51200, 2560),  # snippets: one segment each
        ([100, 100, 20000], 6400, 6400),  # what is short is left out
    ],
)
def test_segments_are_as_long_as_the_waveform_bears(
    runs: list[int], wanted: int, expected: int
) -> None:
    assert segment_samples(runs, wanted) == expected


def test_the_trends_band_is_what_its_windows_resolve() -> None:
    windowed = Windowed(RATE_HZ, 0.1, 10.0, 1000.0)
    assert windowed.low_hz == pytest.approx(20.0)
    windowed.add(one_part(sine(100.0, 0.35)))
    series = windowed.result()["velocity"]
    assert series.time_s == pytest.approx([0.1, 0.2, 0.3])


def test_a_chosen_stretch_is_the_one_that_is_seen() -> None:
    signal = np.concatenate([sine(100.0, 10.0, 0.1), sine(200.0, 10.0, 0.1)])
    result = analyse(of(signal), Choices(start_s=12.0, end_s=18.0))
    assert highest(result.spectra["x"])[0] == pytest.approx(200.0, abs=0.1)
    assert (result.start_s, result.end_s) == (12.0, 18.0)
    assert result.samples == round(6.0 * RATE_HZ)


def test_the_axis_with_the_most_vibration_is_shown() -> None:
    three = np.column_stack([sine(50.0, 5.0, 0.1), sine(50.0, 5.0, 0.3), 1.0 + 0 * times(5.0)])
    assert analyse(of(three)).axis == "y"
    assert analyse(of(three), Choices(axis="x")).axis == "x"
