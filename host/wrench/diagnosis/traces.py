"""Discrete lines of a fault at high multiples, where a sound bearing has none.

A defect that strikes almost as regularly as a clock leaves no random envelope: its lines stand in
the spectrum of the signal itself, up to where the housing rings. The races of a sound bearing make
such lines too (its stiffness varies as the balls pass), but low ones only. Lines high up are a
trace: enough to say that a bearing is not to be called healthy, not enough to name a fault.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage
from scipy.signal import windows

from wrench.analysis import fourier
from wrench.analysis.measurement import FloatArray
from wrench.diagnosis.combs import SLIP, related
from wrench.diagnosis.envelopes import background

_FROM_ORDER = 50.0
_HIGHEST = 0.45
_MOST_LINES = 40
_LEAST_LINES = 8
_STEP = 5e-5
_WITHIN = math.log(1.8)
_STRONGEST = 5.0
_SHAFT = 0.02
_SHAFT_ERROR = 2.5e-4


@dataclass(frozen=True, slots=True)
class Trace:
    """Lines of a part above fifty orders: the `order` of their fundamental, how many standard
    deviations of decoys their mean height lies above the decoys' (`excess`), and the share of
    decoys that reach it (`p`)."""

    order: float
    excess: float
    p: float


class HighLines:
    """Heights of the lines of a signal, (n,) over equal times or angles, above fifty orders."""

    def __init__(self, acceleration: FloatArray, rate_hz: float, speed_hz: float) -> None:
        count = len(acceleration)
        weight = windows.hann(count, sym=False)
        length = fourier.fast_length(2 * count, real=True)
        centred = (acceleration - np.mean(acceleration)) * weight
        power = (np.abs(np.asarray(fft.rfft(centred, length))) ** 2).astype(np.float32)
        self._step = rate_hz / length / speed_hz
        orders = np.arange(len(power)) * self._step
        height = np.log1p(power / np.maximum(background(power, 1.0 / self._step), 1e-30))
        height = ndimage.maximum_filter1d(np.minimum(height, _STRONGEST), 3)
        shaft = np.maximum(_SHAFT, np.maximum(1.5 * self._step, _SHAFT_ERROR * orders))
        height[np.abs(orders - np.round(orders)) < shaft] = np.nan
        self._end = _HIGHEST * rate_hz / speed_hz
        self._height = height

    def trace(self, order: float) -> Trace | None:
        """Of a fault order; None where the spectrum is too short for it."""
        first = math.ceil(_FROM_ORDER / order)
        harmonics = np.arange(first, min(first + _MOST_LINES, int(self._end / order)))
        if len(harmonics) < _LEAST_LINES:
            return None
        steps = np.arange(-_WITHIN, _WITHIN, _STEP)
        fundamentals = order * np.exp(steps)
        total = np.zeros(len(steps))
        counted = np.zeros(len(steps))
        last = len(self._height) - 1
        for harmonic in harmonics:
            at = np.round(harmonic * fundamentals / self._step).astype(np.int64)
            height = self._height[np.minimum(at, last)]
            good = np.isfinite(height) & (at <= last)
            total += np.where(good, height, 0.0)
            counted += good
        mean = total / np.sqrt(np.maximum(counted, 1.0))
        reach = int(SLIP / _STEP)
        wide = ndimage.maximum_filter1d(mean, 2 * reach + 1)
        inside = slice(len(steps) // 2 - reach, len(steps) // 2 + reach)
        decoys = np.array(
            [
                wide[at]
                for at in range(reach, len(steps) - reach, reach // 2)
                if not related(float(fundamentals[at]), order, 2.2 * SLIP)
            ]
        )
        best = int(np.argmax(mean[inside])) + inside.start
        if len(decoys) < 5:
            return None
        middle = float(np.median(decoys))
        spread = 1.4826 * float(np.median(np.abs(decoys - middle)))
        excess = (float(mean[best]) - middle) / max(spread, 0.02 * middle, 1e-9)
        reached = int(np.sum(decoys >= mean[best]))
        return Trace(float(fundamentals[best]), excess, (1.0 + reached) / (1.0 + len(decoys)))
