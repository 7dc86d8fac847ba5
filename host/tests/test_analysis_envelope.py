"""What modulates a carrier is found at its frequency, with its amplitude, at any speed."""

from __future__ import annotations

import numpy as np
import pytest
from known_signals import BEARING_608, BEARING_6205, RATE_HZ, of, ringing, strikes, times

from wrench.analysis import faults
from wrench.analysis.analyse import analyse
from wrench.analysis.envelope import Band, choose_band, envelope
from wrench.analysis.faults import Reading
from wrench.analysis.measurement import Measurement, Part, Series
from wrench.analysis.result import Choices, EnvelopeResult


def found_in(
    measurement: Measurement, band_hz: tuple[float, float] | None = None
) -> EnvelopeResult:
    found = analyse(measurement, Choices(band_hz=band_hz)).envelope
    assert found is not None
    return found


def amplitude_at(found: EnvelopeResult, at: float) -> float:
    spectrum = found.spectrum
    near = np.abs(spectrum.frequency - at) < 1.5 * spectrum.resolution
    return float(np.max(spectrum.amplitude[near]))


def modulated(
    carrier_hz: float, turns: np.ndarray, order: float, depth: float, seconds: float
) -> np.ndarray:
    carrier = np.sin(2.0 * np.pi * carrier_hz * times(seconds))
    return 0.4 * (1.0 + depth * np.cos(2.0 * np.pi * order * turns)) * carrier


def test_an_envelope_is_the_magnitude_of_the_analytic_signal() -> None:
    signal = modulated(1000.0, times(4.0), 30.0, 0.5, 4.0)
    made = envelope(Part(2.0, 6.0, signal), RATE_HZ, Band(700.0, 1300.0, ""))
    assert made is not None
    part, rate_hz = made
    time_s = part.start_s - 2.0 + np.arange(len(part.values)) / rate_hz
    expected = 0.4 * (1.0 + 0.5 * np.cos(2.0 * np.pi * 30.0 * time_s))
    assert part.values == pytest.approx(expected, abs=0.002)
    assert part.end_s < 6.0


def test_what_lies_outside_the_band_has_no_envelope() -> None:
    band = Band(700.0, 1300.0, "")
    for hz, expected in ((1000.0, 1.0), (700.0, 1.0), (645.0, 0.0), (1355.0, 0.0), (300.0, 0.0)):
        made = envelope(Part(0.0, 4.0, np.sin(2.0 * np.pi * hz * times(4.0))), RATE_HZ, band)
        assert made is not None
        inside = made[0].values[100:-100]
        assert inside == pytest.approx(expected, abs=0.05), hz


@pytest.mark.parametrize("order", [0.37, 2.574, 5.2])
def test_a_modulated_carrier_shows_the_modulation(order: float) -> None:
    signal = modulated(1000.0, 30.0 * times(20.0), order, 0.5, 20.0)
    without_speed = found_in(of(signal), (700.0, 1300.0))
    assert without_speed.speed_hz is None
    expected = 0.4 * 0.5 / np.sqrt(2.0)
    assert amplitude_at(without_speed, 30.0 * order) == pytest.approx(expected, rel=0.01)
    with_speed = found_in(of(signal, rpm=1800.0), (700.0, 1300.0))
    assert with_speed.speed_hz == pytest.approx(30.0)
    assert amplitude_at(with_speed, order) == pytest.approx(expected, rel=0.01)


def test_a_changing_speed_does_not_smear_the_orders() -> None:
    seconds = 30.0
    time_s = times(seconds)
    speed_hz = 25.0 + 10.0 * time_s / seconds
    turns = np.cumsum(speed_hz) / RATE_HZ
    signal = modulated(1000.0, turns, 3.58, 0.5, seconds)
    told = np.arange(0.0, seconds, 0.08)
    speed = Series(told, 60.0 * (25.0 + 10.0 * told / seconds))
    found = analyse(
        of(signal, speed=speed), Choices(start_s=0.0, end_s=30.0, band_hz=(700.0, 1300.0))
    ).envelope
    assert found is not None
    assert amplitude_at(found, 3.58) == pytest.approx(0.4 * 0.5 / np.sqrt(2.0), rel=0.01)
    over_time = analyse(of(signal, speed=speed), Choices(0.0, 30.0, None, (700.0, 1300.0)))
    rows = over_time.envelope_over_time
    assert rows is not None
    tops = np.nanargmax(rows.amplitude, axis=1)
    filled = np.isfinite(rows.amplitude).any(axis=1)
    assert rows.frequency[tops[filled]] == pytest.approx(3.58, abs=rows.resolution)


def test_the_band_that_rings_is_chosen() -> None:
    rng = np.random.default_rng(5)
    turns = 30.0 * times(10.0, 12000.0)
    struck = ringing(strikes(3.585, turns, 1), 3300.0, 12000.0, 0.002)
    noise = 0.5 * rng.standard_normal(len(turns)) + np.sin(2.0 * np.pi * 30.0 * turns / 30.0)
    band = choose_band([Part(0.0, 10.0, struck + noise)], 12000.0, 300.0)
    assert band is not None
    assert band.low_hz < 3300.0 < band.high_hz
    assert band.width_hz < 3000.0
    assert "kurtosis" in band.why


@pytest.mark.parametrize("name", ["BPFO", "BPFI"])
@pytest.mark.parametrize("slip", [-0.012, 0.0, 0.012])
def test_strikes_with_slip_stand_out_in_their_band(name: str, slip: float) -> None:
    rng = np.random.default_rng(2)
    turns = 30.0 * times(20.0)
    order = faults.fundamental_orders(BEARING_608)[name] * (1.0 + slip)
    signal = ringing(strikes(order, turns, 4), 1000.0, RATE_HZ, 0.002)
    signal += 0.02 * rng.standard_normal(len(turns))
    found = found_in(of(signal, rpm=1800.0, bearing=BEARING_608))
    by_name = {one.mark.name: one for one in found.readings}
    assert by_name[name].order == pytest.approx(order, rel=0.004)
    assert height(by_name[name]) > 20.0
    other = "BPFI" if name == "BPFO" else "BPFO"
    assert height(by_name[other]) < 6.0


def height(reading: Reading) -> float:
    return reading.amplitude / reading.around


# -- orders ------------------------------------------------------------------------------------


def test_orders_of_a_6205_are_the_published_ones() -> None:
    orders = faults.fundamental_orders(BEARING_6205)
    # Bearing Data Center: 3.5848, 5.4152, 0.39828; its 4.7135 is the ball striking both races.
    assert orders["BPFO"] == pytest.approx(3.5848, abs=2e-4)
    assert orders["BPFI"] == pytest.approx(5.4152, abs=2e-4)
    assert orders["FTF"] == pytest.approx(0.39828, abs=4e-5)
    assert orders["BSF"] == pytest.approx(2.357, abs=4e-4)
    assert 2.0 * orders["BSF"] == pytest.approx(4.7135, abs=4e-4)


def test_marks_allow_for_slip_and_the_shaft_has_none() -> None:
    marks = {mark.name: mark for mark in faults.marks(BEARING_6205)}
    assert (marks["2x"].low, marks["2x"].high) == (2.0, 2.0)
    assert marks["2 BPFO"].low == pytest.approx(0.98 * 7.1696, abs=1e-3)
    assert marks["2 BPFO"].high == pytest.approx(1.02 * 7.1696, abs=1e-3)
    assert [mark.name for mark in faults.marks(None)] == ["1x", "2x", "3x"]


def test_what_a_short_stretch_cannot_tell_apart_is_said() -> None:
    signal = modulated(1000.0, 30.0 * times(0.3), 3.5848, 0.5, 0.3)
    result = analyse(of(signal, rpm=1800.0, bearing=BEARING_6205))
    assert any("cannot be told from each other" in sentence for sentence in result.missing)
