"""Signals whose analysis is known from theory, as measurements; bearings from the literature."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from wrench.analysis.load import constant_speed
from wrench.analysis.measurement import (
    PIECE_SAMPLES,
    FloatArray,
    Measurement,
    Piece,
    SampledWaveform,
    Series,
)
from wrench.boards.schema import Bearing

RATE_HZ = 3200.0
# Case Western Reserve University, Bearing Data Center, drive end: SKF 6205-2RS.
BEARING_6205 = Bearing(
    designation="6205-2RS", balls=9, ball_diameter_mm=7.94, pitch_diameter_mm=39.04
)
BEARING_608 = Bearing(designation="608", balls=7, ball_diameter_mm=3.969, pitch_diameter_mm=15.0)


def times(seconds: float, rate_hz: float = RATE_HZ) -> FloatArray:
    """Times of samples."""
    return np.arange(round(seconds * rate_hz), dtype=np.float64) / rate_hz


def sine(
    frequency_hz: float, seconds: float, peak: float = 1.0, rate_hz: float = RATE_HZ
) -> FloatArray:
    """A sine whose phase is nothing special."""
    return peak * np.sin(2.0 * np.pi * frequency_hz * times(seconds, rate_hz) + 0.7)


def of(
    signal: FloatArray,
    rate_hz: float = RATE_HZ,
    *,
    rpm: float | None = None,
    speed: Series | None = None,
    bearing: Bearing | None = None,
) -> Measurement:
    """A measurement of one axis (n,), or of several (n, axes), in one piece."""
    columns = signal.reshape(len(signal), -1)
    waveform = SampledWaveform(columns[np.newaxis], rate_hz, ("x", "y", "z")[: columns.shape[1]])
    if rpm is not None:
        speed = constant_speed(rpm, waveform.duration_s)
    return Measurement("known", waveform.duration_s, waveform, speed_rpm=speed, bearing=bearing)


def strikes(order: float, turns: FloatArray, seed: int, jitter: float = 0.01) -> FloatArray:
    """Where a spot is struck `order` times a turn, with random slip: the samples, one each."""
    rng = np.random.default_rng(seed)
    count = int(turns[-1] * order * 1.1) + 2
    at = np.cumsum((1.0 + jitter * rng.standard_normal(count)) / order)
    struck = np.zeros(len(turns))
    index = np.searchsorted(turns, at[at < turns[-1]])
    struck[np.minimum(index, len(turns) - 1)] = 1.0
    return struck


def ringing(struck: FloatArray, carrier_hz: float, rate_hz: float, decay_s: float) -> FloatArray:
    """Each strike makes a resonance ring."""
    time_s = np.arange(int(8 * decay_s * rate_hz)) / rate_hz
    ring = np.exp(-time_s / decay_s) * np.sin(2.0 * np.pi * carrier_hz * time_s)
    return np.convolve(struck, ring)[: len(struck)]


class Endless:
    """A waveform that is made while it is read, as long as wanted; remembers what was asked."""

    def __init__(self, make: Callable[[FloatArray], FloatArray], rate_hz: float = RATE_HZ) -> None:
        self._make = make
        self.rate_hz = rate_hz
        self.axes = ("x",)

    def pieces(self, start_s: float, end_s: float) -> Iterator[Piece]:
        """See `Waveform.pieces`."""
        first, after = round(start_s * self.rate_hz), round(end_s * self.rate_hz)
        for at in range(first, after, PIECE_SAMPLES):
            stop = min(after, at + PIECE_SAMPLES)
            time_s = np.arange(at, stop, dtype=np.float64) / self.rate_hz
            values = self._make(time_s)[:, np.newaxis]
            yield Piece(at / self.rate_hz, stop / self.rate_hz, values)
