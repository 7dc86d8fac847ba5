"""What the shaft itself shows: overall velocity, lines at its multiples, and noise that is loud
once a turn.

Unbalance shows at once a turn, misalignment at twice as well (ISO 13373-3, annex on unbalance and
misalignment); both are named together, since a phase between two planes would be needed to part
them for certain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.signal import windows
from scipy.stats import kurtosis

from wrench.analysis.measurement import FloatArray
from wrench.diagnosis.envelopes import EnvelopeLines
from wrench.units import STANDARD_GRAVITY

_LINES = 5
_HALF_WIDTH = 0.03
_SLOW_RPM = 600.0
_LOW_HZ, _LOW_SLOW_HZ, _HIGH_HZ = 10.0, 2.0, 1000.0
_CARPET_FROM = 0.08
_CARPET_TO = 0.45


@dataclass(frozen=True, slots=True)
class Levels:
    """Of one axis: velocity RMS in mm/s over `band_hz`, acceleration RMS and peak in g, kurtosis
    (Pearson's: 3 for noise), the velocities RMS in mm/s of the shaft's first five multiples (NaN
    where the speed is not known), and the RMS in g of the upper part of the spectrum."""

    axis: str
    velocity_mm_s: float
    band_hz: tuple[float, float]
    acceleration_g: float
    peak_g: float
    kurtosis: float
    orders_mm_s: tuple[float, ...]
    carpet_g: float

    @property
    def is_whole_band(self) -> bool:
        """The band is that of the standards, so that the velocity has a zone."""
        return self.band_hz[0] <= _LOW_HZ and self.band_hz[1] >= _HIGH_HZ

    @property
    def share_of_shaft(self) -> float:
        """How much of the velocity's power the shaft's first three multiples have, 0 to 1."""
        power = float(np.nansum(np.square(self.orders_mm_s[:3])))
        return min(1.0, power / max(self.velocity_mm_s**2, 1e-12))


def levels(
    acceleration: FloatArray, rate_hz: float, axes: tuple[str, ...], speed_hz: float | None
) -> list[Levels]:
    """Of every axis of (n, axes) in g, without its mean."""
    count = len(acceleration)
    slow = speed_hz is not None and 60.0 * speed_hz < _SLOW_RPM
    low_hz = _LOW_SLOW_HZ if slow else _LOW_HZ
    low_hz = max(low_hz, 2.0 * rate_hz / count)
    high_hz = min(_HIGH_HZ, 0.45 * rate_hz)
    weight = windows.hann(count, sym=False)
    spectrum = np.asarray(fft.rfft(acceleration * weight[:, np.newaxis], axis=0))
    frequency = np.arange(len(spectrum)) * rate_hz / count
    power = np.abs(spectrum) ** 2 * (2.0 / (count * float(np.sum(weight**2))))
    inside = (frequency >= low_hz) & (frequency <= high_hz)
    per_g = 1000.0 * STANDARD_GRAVITY / (2.0 * math.pi * np.maximum(frequency, 1e-9))
    velocity = power * (per_g**2)[:, np.newaxis]
    carpet = (frequency >= _CARPET_FROM * rate_hz) & (frequency <= _CARPET_TO * rate_hz)
    found = []
    for column, name in enumerate(axes):
        values = acceleration[:, column]
        orders = tuple(
            math.nan
            if speed_hz is None
            else _line(velocity[:, column], frequency, order * speed_hz, speed_hz)
            for order in range(1, _LINES + 1)
        )
        found.append(
            Levels(
                name,
                float(np.sqrt(np.sum(velocity[inside, column]))),
                (low_hz, high_hz),
                float(np.sqrt(np.mean(values**2))),
                float(np.max(np.abs(values))),
                float(kurtosis(values, fisher=False)),
                orders,
                float(np.sqrt(np.sum(power[carpet, column]))),
            )
        )
    return found


def depth_once_a_turn(lines: EnvelopeLines) -> tuple[float, float]:
    """How deeply the noise of the whole bank is modulated once a turn, and the same of noise that
    is not, both relative to the mean of the squared envelope."""
    rows = [at for at, row in enumerate(lines.rows) if row.whitening == "cepstrum"]
    if not rows:
        return 0.0, 0.0
    # The first row of an axis is its widest band.
    firsts = {lines.rows[at].axis: at for at in reversed(rows)}
    best, floor = 0.0, 0.0
    for row in firsts.values():
        half = max(3.0 * lines.order_step, _HALF_WIDTH)
        first = max(1, math.ceil((1.0 - half) / lines.order_step))
        after = int((1.0 + half) / lines.order_step) + 1
        excess = lines.power[row, first:after] - lines.background[row, first:after]
        depth = math.sqrt(max(0.0, float(np.sum(excess)) / lines.spread))
        if depth > best:
            best = depth
            floor = math.sqrt(float(np.median(lines.background[row])))
    return best, floor


def _line(power: FloatArray, frequency: FloatArray, at_hz: float, speed_hz: float) -> float:
    half = max(0.02 * at_hz, 2.5 * float(frequency[1]))
    half = min(half, 0.4 * speed_hz)
    inside = (frequency >= at_hz - half) & (frequency <= at_hz + half)
    return float(np.sqrt(np.sum(power[inside])))
