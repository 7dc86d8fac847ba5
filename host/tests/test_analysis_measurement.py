"""Measurements are read piece by piece; nothing is lost, nothing is joined that was apart."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from known_signals import BEARING_608, RATE_HZ, Endless, of, sine, times

from wrench.analysis.analyse import analyse, look_over
from wrench.analysis.load import constant_speed
from wrench.analysis.measurement import Measurement, Part, Piece, SampledWaveform, Series, parts
from wrench.analysis.overview import Extremes, thinned
from wrench.analysis.result import Choices
from wrench.analysis.shaft import Shaft, find_stretch
from wrench.errors import ReportError


def test_samples_that_are_no_numbers_cut_a_piece() -> None:
    values = np.arange(100.0)
    values[[10, 50, 51]] = np.nan
    piece = Piece(2.0, 3.0, np.column_stack([values, np.arange(100.0)]))
    cut = parts(piece, 0)
    assert [len(part.values) for part in cut] == [10, 39, 48]
    assert [part.start_s for part in cut] == pytest.approx([2.0, 2.11, 2.52])
    assert cut[1].end_s == pytest.approx(2.5)
    (whole,) = parts(piece, 1)
    assert len(whole.values) == 100


def test_a_range_leaves_out_its_end() -> None:
    waveform = SampledWaveform(np.arange(50.0).reshape(1, 50, 1), 10.0, ("x",))
    found = [piece.acceleration_g[:, 0].tolist() for piece in waveform.pieces(1.0, 2.0)]
    assert found == [[10, 11, 12, 13, 14, 15, 16, 17, 18, 19]]


def test_snippets_stay_apart() -> None:
    waveform = SampledWaveform(np.zeros((3, 10, 1)), 10.0, ("x",), np.array([0.0, 5.0, 10.0]))
    assert waveform.duration_s == pytest.approx(11.0)
    assert [piece.start_s for piece in waveform.pieces(0.0, 99.0)] == [0.0, 5.0, 10.0]
    assert [piece.start_s for piece in waveform.pieces(5.5, 10.2)] == [5.5, 10.0]


def test_gaps_are_found_and_counted() -> None:
    snippets = np.random.default_rng(1).standard_normal((4, 3200, 1))
    starts_s = np.array([0.0, 1.0, 2.5, 3.6])  # the second continues the first
    waveform = SampledWaveform(snippets, RATE_HZ, ("x",), starts_s)
    result = analyse(Measurement("gaps", 5.0, waveform))
    assert [(gap.start_s, gap.end_s) for gap in result.gaps] == [
        pytest.approx((2.0, 2.5)),
        pytest.approx((3.5, 3.6)),
    ]
    assert result.waveform_s == pytest.approx((0.0, 4.6))


def test_no_peak_is_lost_in_the_drawing() -> None:
    values = 0.01 * np.random.default_rng(1).standard_normal(1_000_000)
    values[777_777], values[123_456] = 9.0, -7.0
    extremes = Extremes(0.0, 100.0, 500)
    for at in range(0, 1_000_000, 33_333):
        cut = values[at : at + 33_333]
        extremes.add(Part(at / 1e4, (at + len(cut)) / 1e4, cut))
    assert np.nanmax(extremes.high) == 9.0
    assert np.nanmin(extremes.low) == -7.0
    assert extremes.time_s[int(np.nanargmax(extremes.high))] == pytest.approx(77.7777, abs=0.2)
    assert np.isfinite(extremes.low).all()
    x, y = thinned(np.arange(1e6), values, columns=300)
    assert len(x) <= 600
    assert (y.max(), y.min()) == (9.0, -7.0)
    assert x[int(np.argmax(y))] == 777_777.0
    assert np.all(np.diff(x) > 0)


def test_a_window_gets_the_whole_waveform_and_nothing_that_it_does_not_show() -> None:
    measurement = of(np.column_stack([sine(100.0, 20.0), sine(300.0, 20.0)]))
    window, report = look_over(measurement, Choices()), analyse(measurement)
    for axis, extremes in report.extremes.items():
        np.testing.assert_array_equal(window.extremes[axis].low, extremes.low)
        np.testing.assert_array_equal(window.extremes[axis].high, extremes.high)
    assert (window.samples, window.waveform_s) == (report.samples, report.waveform_s)
    assert report.over_time is not None
    assert window.over_time is None
    assert not window.panels


def test_thinning_on_a_logarithmic_scale_keeps_what_is_low() -> None:
    frequency = np.linspace(10.0, 1000.0, 100_000)
    curve = np.exp(-(((frequency - 17.0) / 0.2) ** 2))
    x, y = thinned(frequency, curve, columns=400, logarithmic=True)
    assert np.interp([16.9, 17.0, 17.1], x, y) == pytest.approx(
        np.interp([16.9, 17.0, 17.1], frequency, curve), abs=0.15
    )
    values = np.full(10_000, np.nan)
    values[5000] = 1.0
    _, kept = thinned(np.arange(10_000.0), values, columns=100)
    assert np.nanmax(kept) == 1.0


def test_memory_does_not_grow_with_the_length() -> None:
    def make(time_s: np.ndarray) -> np.ndarray:
        carrier = np.sin(2.0 * np.pi * 1000.0 * time_s)
        return (1.0 + np.sin(2.0 * np.pi * 77.2 * time_s)) * carrier

    peaks = []
    for minutes in (3, 9):
        duration_s = 60.0 * minutes
        measurement = Measurement(
            "long",
            duration_s,
            Endless(make),
            speed_rpm=constant_speed(1800.0, duration_s),
            bearing=BEARING_608,
        )
        tracemalloc.start()
        result = analyse(measurement)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert result.samples == round(duration_s * RATE_HZ)
        assert result.over_time is not None
        assert result.stretch.end_s - result.stretch.start_s <= 120.0
    assert peaks[1] < 1.3 * peaks[0]


# -- the stretch ---------------------------------------------------------------------------------


def at_speeds(*pieces: tuple[float, float, float]) -> Measurement:
    """A shaft that goes from one speed to another in so many seconds, piece after piece."""
    time_s, rpm = [0.0], [pieces[0][1]]
    for seconds, begin, end in pieces:
        steps = max(2, round(seconds / 0.08))
        time_s += list(time_s[-1] + seconds * np.arange(1, steps + 1) / steps)
        rpm += list(begin + (end - begin) * np.arange(1, steps + 1) / steps)
    waveform = Endless(lambda at: sine(50.0, len(at) / RATE_HZ))
    return Measurement(
        "speeds", time_s[-1], waveform, speed_rpm=Series(np.array(time_s), np.array(rpm))
    )


def test_the_latest_steady_stretch_is_analysed() -> None:
    run_up, cap, down, low = (4, 0, 2100), (12, 2100, 2090), (6, 2090, 1050), (9, 1050, 1045)
    measured = at_speeds((2, 0, 0), run_up, cap, down, low, (1, 1045, 0), (3, 0, 0))
    stretch = find_stretch(measured)
    assert stretch.start_s == pytest.approx(24.0, abs=0.4)
    assert stretch.end_s == pytest.approx(33.0, abs=0.2)
    assert stretch.speed_rpm == pytest.approx(1048.0, abs=6.0)


def test_a_long_run_is_judged_by_its_last_two_minutes() -> None:
    stretch = find_stretch(at_speeds((1000, 1800, 1800)))
    assert (stretch.start_s, stretch.end_s) == (880.0, 1000.0)


def test_a_speed_that_never_settles_leaves_the_whole() -> None:
    stretch = find_stretch(at_speeds((10, 500, 3000)))
    assert stretch.end_s - stretch.start_s < 10.0 or "never" in stretch.why
    standing = find_stretch(at_speeds((10, 0, 0)))
    assert standing.speed_rpm is None
    assert (standing.start_s, standing.end_s) == (0.0, 10.0)


def test_the_angle_is_the_integral_of_the_speed() -> None:
    shaft = Shaft(Series(np.array([0.0, 10.0, 20.0]), np.array([0.0, 600.0, np.nan])))
    assert shaft.turns(np.array([10.0])) == pytest.approx([50.0])
    assert shaft.turns(np.array([5.0])) == pytest.approx([12.5])
    # Beyond what was measured the speed stays.
    assert shaft.turns(np.array([12.0])) == pytest.approx([70.0])
    assert shaft.speed_hz(np.array([1.0, 11.0])) == pytest.approx([1.0, 10.0])
    assert np.isnan(shaft.speed_hz(np.array([15.0])))[0]


# -- what is asked for and is not there ------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        (Choices(start_s=5.0), "beyond the end of known"),
        (Choices(start_s=2.0, end_s=1.0), "not after"),
        (Choices(axis="q"), "choose one of: x"),
        (Choices(band_hz=(500.0, 1700.0)), "above half the rate"),
    ],
)
def test_what_is_not_there_is_refused_in_a_sentence(choices: Choices, says: str) -> None:
    with pytest.raises(ReportError, match=says):
        analyse(of(sine(50.0, 4.0)), choices)


def test_an_axis_of_no_waveform_is_refused() -> None:
    with pytest.raises(ReportError, match="leave --axis and --band out"):
        analyse(Measurement("none", 1.0), Choices(axis="x"))


def test_a_sensor_that_died_is_named_and_the_others_are_shown() -> None:
    both = np.column_stack([np.full(16000, np.nan), sine(100.0, 5.0)])
    result = analyse(of(both))
    assert result.axis == "y"
    assert list(result.spectra) == ["y"]
    assert "All samples of axis x are no numbers and are left out." in result.missing
    assert len(times(5.0)) == result.samples
