"""The shaft's mean speed, made exact by its own harmonics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage
from scipy.signal import windows

from wrench.analysis import fourier
from wrench.analysis.measurement import FloatArray
from wrench.diagnosis.envelopes import background

_HARMONICS = 20
_CLEAR = 1.25
_APART = 0.0015


@dataclass(frozen=True, slots=True)
class FoundSpeed:
    """A speed in Hz; `clearness` is how far its harmonics stand above those of usual speeds nearby,
    in units of how far those of the second best do."""

    speed_hz: float
    clearness: float

    @property
    def is_clear(self) -> bool:
        """Not found by chance."""
        return self.clearness > _CLEAR


def refine(
    acceleration: FloatArray, rate_hz: float, speed_hz: float, *, within: float = 0.01
) -> FoundSpeed:
    """The speed near `speed_hz` whose first twenty harmonics stand out the most, over all axes.

    `acceleration` is (n, axes) and finite.
    """
    reach_hz = (_HARMONICS + 1.5) * speed_hz * (1.0 + within)
    strength, spacing = _lines(acceleration, rate_hz, reach_hz, speed_hz)
    step = max(0.25 * spacing / (_HARMONICS * speed_hz), 1e-6)
    speeds = speed_hz * (1.0 + np.arange(-within, within + step, step))
    score = np.zeros(len(speeds))
    for harmonic in range(1, _HARMONICS + 1):
        at = np.round(harmonic * speeds / spacing).astype(np.int64)
        score += np.where(at < len(strength), strength[np.minimum(at, len(strength) - 1)], 0.0)
    best = int(np.argmax(score))
    middle = float(np.median(score))
    other = score[np.abs(speeds / speeds[best] - 1.0) > _APART]
    second = float(np.max(other)) if len(other) else middle
    clearness = (float(score[best]) - middle) / max(second - middle, 1.0)
    plateau = speeds[score >= score[best] - 1e-9]
    return FoundSpeed(float(np.mean(plateau)), clearness)


def _lines(
    acceleration: FloatArray, rate_hz: float, reach_hz: float, speed_hz: float
) -> tuple[FloatArray, float]:
    """How far lines stand above what is around them, on a logarithmic scale, and their spacing."""
    count = len(acceleration)
    weight = windows.hann(count, sym=False)[:, np.newaxis]
    length = fourier.fast_length(2 * count, real=True)
    centred = (acceleration - np.mean(acceleration, axis=0)) * weight
    power = np.abs(np.asarray(fft.rfft(centred, length, axis=0))) ** 2
    spacing = rate_hz / length
    power = power[: int(reach_hz / spacing) + 2].T.astype(np.float32)
    around = background(power, max(8.0, 0.8 * speed_hz / spacing))
    strength = np.log1p(power / np.maximum(around, 1e-30)).sum(axis=0)
    return np.asarray(ndimage.maximum_filter1d(strength, 3), dtype=np.float64), spacing


_SLOWEST_HZ, _FASTEST_HZ = 4.0, 250.0
_FEW = 8
_CLEAR_BLIND = 1.3
_LINE = 3.5
"""Logarithm of a line's power over what is around it: 33 times."""


def estimate(acceleration: FloatArray, rate_hz: float) -> FoundSpeed:
    """The shaft's speed with nothing told: the fundamental from 4 to 250 Hz whose first eight
    harmonics stand out the most over what lies half-way between them.

    A fundamental is preferred to the half of it, whose odd harmonics are empty. Mains and gears can
    deceive it: a speed that is told is better.
    """
    strength, spacing = _lines(acceleration, rate_hz, min(0.45 * rate_hz, 2000.0), 30.0)
    ratio = max(0.25 * spacing / (_FEW * 60.0), 5e-5)
    speeds = np.exp(np.arange(np.log(_SLOWEST_HZ), np.log(_FASTEST_HZ), ratio))
    speeds = speeds[speeds > 4.0 * rate_hz / len(acceleration)]
    score = np.zeros(len(speeds))
    last = len(strength) - 1
    for harmonic in range(1, _FEW + 1):
        on = np.minimum(np.round(harmonic * speeds / spacing).astype(np.int64), last)
        between = np.minimum(np.round((harmonic - 0.5) * speeds / spacing).astype(np.int64), last)
        score += np.minimum(strength[on], 6.0) - np.minimum(strength[between], 6.0)
    best = int(np.argmax(score))
    ratio_to = speeds / speeds[best]
    related = np.zeros(len(speeds), dtype=bool)
    for simple in (1.0, 0.5, 2.0, 1.0 / 3.0, 3.0, 0.25, 4.0, 1.5, 2.0 / 3.0):
        related |= np.abs(ratio_to / simple - 1.0) < 0.01
    second = float(np.max(score[~related])) if (~related).any() else 0.0
    return FoundSpeed(float(speeds[best]), float(score[best]) / max(second, 1.0))


def is_clear_blind(found: FoundSpeed) -> bool:
    """An estimate without anything told is to be believed."""
    return found.clearness > _CLEAR_BLIND


def shows(acceleration: FloatArray, rate_hz: float, speed_hz: float) -> bool:
    """One of the first three multiples of a speed has a line, within 1 %."""
    strength, spacing = _lines(acceleration, rate_hz, 4.0 * speed_hz, speed_hz)
    for harmonic in (1, 2, 3):
        at, half = harmonic * speed_hz / spacing, max(2.0, 0.01 * harmonic * speed_hz / spacing)
        near = strength[int(at - half) : int(at + half) + 2]
        if len(near) and float(np.max(near)) > _LINE * acceleration.shape[1]:
            return True
    return False
