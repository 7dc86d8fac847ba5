"""Waterfalls put each spectrum in its row."""

from __future__ import annotations

import numpy as np
import pytest
from known_signals import RATE_HZ, of, sine, times

from wrench.analysis.analyse import analyse
from wrench.analysis.measurement import Series
from wrench.analysis.result import Analysis, Choices
from wrench.analysis.waterfall import Waterfall


def line_of(waterfall: Waterfall, row: int) -> float:
    """The highest column of a row, its middle."""
    column = int(np.nanargmax(waterfall.amplitude[row]))
    return float(0.5 * (waterfall.frequency[column] + waterfall.frequency[column + 1]))


def test_rows_follow_the_time() -> None:
    signal = np.concatenate([sine(200.0, 20.0, 0.3), sine(700.0, 20.0, 0.6)])
    rows = analyse(of(signal)).over_time
    assert rows is not None
    assert rows.resolution <= 1.01
    middles = 0.5 * (rows.edges[1:] + rows.edges[:-1])
    width = float(rows.frequency[1] - rows.frequency[0])
    for row, middle_s in enumerate(middles):
        if abs(middle_s - 20.0) < 1.5:
            continue  # a segment across the change has both
        expected = (200.0, 0.3) if middle_s < 20.0 else (700.0, 0.6)
        assert line_of(rows, row) == pytest.approx(expected[0], abs=width + rows.resolution)
        peak = float(np.nanmax(rows.amplitude[row]))
        assert peak == pytest.approx(expected[1] / np.sqrt(2.0), rel=0.01)


def test_two_lines_of_a_waterfall_are_told_apart() -> None:
    rows = analyse(of(sine(101.0, 40.0) + sine(109.0, 40.0))).over_time
    assert rows is not None
    middles = 0.5 * (rows.frequency[1:] + rows.frequency[:-1])
    row = rows.amplitude[len(rows.amplitude) // 2]
    at = [int(np.argmin(np.abs(middles - hz))) for hz in (101.0, 105.0, 109.0)]
    assert min(row[at[0]], row[at[2]]) > 3.0 * row[at[1]]


def test_a_gap_stays_empty() -> None:
    signal = sine(200.0, 30.0)
    signal[round(10 * RATE_HZ) : round(20 * RATE_HZ)] = np.nan
    rows = analyse(of(signal)).over_time
    assert rows is not None
    middles = 0.5 * (rows.edges[1:] + rows.edges[:-1])
    filled = np.asarray(np.isfinite(rows.amplitude).all(axis=1))
    assert not filled[(middles > 10.5) & (middles < 19.5)].any()
    assert filled[(middles < 9.0) | (middles > 21.0)].all()


def run_up() -> Analysis:
    """From 600 to 3,000 rpm in a minute: the shaft's second order, and a resonance at 500 Hz."""
    seconds = 60.0
    time_s = times(seconds)
    speed_hz = 10.0 + 40.0 * time_s / seconds
    turns = np.cumsum(speed_hz) / RATE_HZ
    signal = 0.3 * np.sin(2.0 * np.pi * 2.0 * turns) + sine(500.0, seconds, 0.1)
    told = np.arange(0.0, seconds + 0.05, 0.1)
    speed = Series(told, 60.0 * (10.0 + 40.0 * told / seconds))
    return analyse(of(signal, speed=speed), Choices(0.0, seconds))


def test_rows_follow_the_speed() -> None:
    rows = run_up().over_speed
    assert rows is not None
    middles = 0.5 * (rows.edges[1:] + rows.edges[:-1])
    columns = 0.5 * (rows.frequency[1:] + rows.frequency[:-1])
    seen = 0
    for row, rpm in enumerate(middles):
        if not np.isfinite(rows.amplitude[row]).all():
            continue
        seen += 1
        low = columns < 300.0
        top = float(columns[low][int(np.argmax(rows.amplitude[row][low]))])
        assert top == pytest.approx(2.0 * rpm / 60.0, abs=2.0 * rows.resolution)
        fixed = np.abs(columns - 500.0) < 20.0
        assert np.max(rows.amplitude[row][fixed]) == pytest.approx(0.1 / np.sqrt(2.0), rel=0.02)
    assert seen > 30


def test_a_steady_speed_has_no_waterfall_over_speed() -> None:
    assert analyse(of(sine(100.0, 20.0), rpm=1800.0)).over_speed is None


def test_what_is_too_short_has_no_waterfall() -> None:
    result = analyse(of(sine(100.0, 0.1)))
    assert result.over_time is None
    assert "The recording is too short for a waterfall." in result.missing
