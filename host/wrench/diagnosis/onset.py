"""When a trouble began: the change-point of a trend, with an interval.

Steady trouble: level before, level and slope after, by least squares on the logarithm; the change
may lie at any sample. The posterior of its time under a flat prior gives the interval (Carlin,
Gelfand and Smith, "Hierarchical Bayesian analysis of changepoint problems", J. R. Stat. Soc. C 41
(1992)), with as many independent samples as the residuals' correlation leaves.

Intermittent trouble: samples that leave what was usual before are counted; the change is that of
their rate, and the duty cycle is their share since.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.stats import kurtosis

from wrench.analysis.measurement import FloatArray, Measurement, Series

QUANTITIES = ("envelope", "acceleration", "velocity", "kurtosis", "temperature", "current")
"""Trends that are looked at, and no others."""
SURE = 0.9
"""Probability of the interval."""
_LEAST = 20
_MOST = 2000
_MARGIN = 5
_SMOOTHED = 3
_CLEAR = 10.0
_CLEAR_BOUTS = 2.0
_OFF = 0.15
_AS_BEFORE = 1.5
_UNRELATED = 0.05
_STANDS_OUT = 4.0
_LEAST_RATIO = 1.15
_LEFT = 6.0
_SWITCHES = 3
_DUTY = (0.02, 0.85)
_BLOCK_S = 1.0
_SPEED = 0.1


@dataclass(frozen=True, slots=True)
class Onset:
    """When `quantity` began to change: `time_s` is the likeliest, `low_s` to `high_s` hold it with
    probability SURE, all since the measurement began. `before` and `after` are typical values.

    `duty` is the share of the time since in which an intermittent trouble was there; None for a
    steady one. `clearness` is how much better than no change it explains the trend, as a
    difference of the Bayesian information criterion.
    """

    quantity: str
    time_s: float
    low_s: float
    high_s: float
    before: float
    after: float
    duty: float | None
    clearness: float

    def sentence(self, end_s: float) -> str:
        """As seen from the measurement's end."""
        span = max(end_s - self.low_s, 1e-9)
        unit, per = _unit(span)
        ago, latest, first = ((end_s - at) / per for at in (self.time_s, self.high_s, self.low_s))
        text = (
            f"it began {ago:.2g} {unit} before the end ({latest:.2g} to {first:.2g} {unit}, "
            f"{100 * SURE:.0f} % sure): {self.quantity} went from {self.before:.3g} to "
            f"{self.after:.3g}"
        )
        if self.duty is not None:
            text += f", on and off: there for {100 * self.duty:.0f} % of the time since"
        return text


def find(measurement: Measurement) -> Onset | None:
    """The clearest onset in a measurement's trends, or in what its waveform gives; None where
    nothing changed."""
    found = [
        onset
        for name, series in trends(measurement)
        for onset in (of_trend(name, series),)
        if onset is not None
    ]
    return max(found, key=lambda one: one.clearness, default=None)


def trends(measurement: Measurement) -> Iterator[tuple[str, Series]]:
    """Every trend with its name; of waveforms where no board told any."""
    of_board: Mapping[str, Mapping[str, Series]] = measurement.trends
    some = False
    for quantity in QUANTITIES:
        for line, series in of_board.get(quantity, {}).items():
            some = True
            yield f"{quantity} {line}".strip(), _at_one_speed(series, measurement.speed_rpm)
    if not some:
        yield from _of_waveform(measurement)


def of_trend(name: str, series: Series) -> Onset | None:
    """The onset in one trend of positive values; None where it has none, or too few samples."""
    known = np.isfinite(series.value) & (series.value > 0.0)
    time_s, value = series.time_s[known], series.value[known]
    if len(value) < _LEAST:
        return None
    if len(value) > _MOST:
        step = -(-len(value) // _MOST)
        length = len(value) // step * step
        time_s = time_s[:length].reshape(-1, step).mean(axis=1)
        value = np.median(value[:length].reshape(-1, step), axis=1)
    steady = _steady(name, time_s, value)
    broken = _intermittent(name, time_s, value)
    if broken is not None and (steady is None or broken.clearness > steady.clearness):
        return broken
    if steady is not None and broken is not None and broken.duty is not None:
        return broken if broken.duty < _DUTY[1] else steady
    return steady


def _steady(name: str, time_s: FloatArray, value: FloatArray) -> Onset | None:
    height = np.log(ndimage.median_filter(value, _SMOOTHED, mode="nearest"))
    count = len(height)
    clock = (time_s - time_s[0]) / max(float(time_s[-1] - time_s[0]), 1e-12)
    places = np.arange(_MARGIN, count - _MARGIN)
    residual = np.array([_residual(clock, height, int(at)) for at in places])
    whole = float(np.sum((height - np.mean(height)) ** 2))
    best = int(np.argmin(residual))
    at = int(places[best])
    left = _leftover(clock, height, at)
    noise = max(float(np.std(left)), 1e-9)
    free = max(6.0, count / _memory(left / noise))
    smallest = max(float(residual[best]), 1e-12 * count)
    clearness = free * math.log(max(whole, 1e-12 * count) / smallest) - 3.0 * math.log(free)
    before = float(np.median(value[:at]))
    after = float(np.median(value[-max(3, (count - at) // 4) :]))
    shift = abs(math.log(after / before))
    usual = 1.4826 * float(np.median(np.abs(height[:at] - np.median(height[:at]))))
    if clearness < _CLEAR or shift < max(_STANDS_OUT * usual, math.log(_LEAST_RATIO)):
        return None
    weight = np.exp(-0.5 * free * np.log(np.maximum(residual, smallest) / smallest))
    low, middle, high = _interval(time_s[places], weight)
    return Onset(name, middle, low, high, before, after, None, clearness)


def _intermittent(name: str, time_s: FloatArray, value: FloatArray) -> Onset | None:
    first = value[: max(_LEAST // 2, len(value) // 10)]
    middle = float(np.median(first))
    spread = 1.4826 * float(np.median(np.abs(np.log(first / middle))))
    out = np.log(value / middle) > max(_LEFT * spread, math.log(1.0 + _LEAST_RATIO - 0.9))
    switches = int(np.sum(np.diff(out.astype(np.int8)) != 0))
    count, hits = len(out), int(np.sum(out))
    if switches < 2 * _SWITCHES or hits < _MARGIN:
        return None
    before = np.concatenate([[0], np.cumsum(out)])[_MARGIN : count - _MARGIN]
    places = np.arange(_MARGIN, count - _MARGIN, dtype=np.float64)
    chance = _likelihood(before, places) + _likelihood(hits - before, count - places)
    none = float(_likelihood(np.array([float(hits)]), np.array([float(count)]))[0])
    best = int(np.argmax(chance))
    # Samples within one bout say the same: the bouts are what is independent.
    alike = max(1.0, hits / (0.5 * switches))
    clearness = 2.0 * (float(chance[best]) - none) / alike - 2.0 * math.log(count / alike)
    at = round(places[best])
    duty = float(np.mean(out[at:]))
    late = out[(at + count) // 2 :]
    between = np.log(value[at:][~out[at:]] / middle)
    if clearness < _CLEAR_BOUTS or not _DUTY[0] < duty < _DUTY[1]:
        return None
    # On and off, not a slow rise through the threshold: between bouts it is as before, to the end.
    if float(np.mean(~late)) < _OFF or float(np.median(between)) > _AS_BEFORE * max(spread, 0.02):
        return None
    weight = np.exp((chance - chance[best]) / alike)
    low, likeliest, high = _interval(time_s[_MARGIN : count - _MARGIN], weight)
    after = float(np.median(value[at:][out[at:]]))
    return Onset(name, likeliest, low, high, middle, after, duty, clearness)


def _memory(residual: FloatArray) -> float:
    """How many neighbouring samples say the same: the sum of the autocorrelation, both ways, to
    where it dies away."""
    total = 1.0
    for lag in range(1, len(residual) // 4):
        correlation = float(np.mean(residual[lag:] * residual[:-lag]))
        if correlation < _UNRELATED:
            break
        total += 2.0 * correlation
    return total


def _likelihood(hits: FloatArray, count: FloatArray) -> FloatArray:
    """Greatest log-likelihood of so many hits in so many trials."""
    share = np.clip(hits / np.maximum(count, 1), 1e-9, 1.0 - 1e-9)
    return hits * np.log(share) + (count - hits) * np.log(1.0 - share)


def _residual(clock: FloatArray, height: FloatArray, at: int) -> float:
    return float(np.sum(_leftover(clock, height, at) ** 2))


def _leftover(clock: FloatArray, height: FloatArray, at: int) -> FloatArray:
    """What a level before and a line after leave."""
    left = height[:at] - np.mean(height[:at])
    moment, later = clock[at:] - np.mean(clock[at:]), height[at:] - np.mean(height[at:])
    slope = float(moment @ later) / max(float(moment @ moment), 1e-15)
    return np.concatenate([left, later - slope * moment])


def _interval(time_s: FloatArray, weight: FloatArray) -> tuple[float, float, float]:
    share = weight * np.gradient(time_s)
    total = np.cumsum(share) / np.sum(share)
    tail = 0.5 * (1.0 - SURE)
    low, high = np.interp([tail, 1.0 - tail], total, time_s)
    spacing = float(np.median(np.diff(time_s)))
    likeliest = float(time_s[int(np.argmax(weight))])
    return (
        min(float(low), likeliest - spacing),
        likeliest,
        max(float(high), likeliest + spacing),
    )


def _at_one_speed(series: Series, speed_rpm: Series | None) -> Series:
    """Without what was measured at another speed than the usual one."""
    if speed_rpm is None or not speed_rpm.is_known:
        return series
    known = np.isfinite(speed_rpm.value)
    speed = np.interp(series.time_s, speed_rpm.time_s[known], speed_rpm.value[known])
    turning = speed[speed > 30.0]
    if not len(turning):
        return series
    usual = float(np.median(turning))
    near = np.abs(speed / usual - 1.0) < _SPEED
    return Series(series.time_s, np.where(near, series.value, np.nan))


def _of_waveform(measurement: Measurement) -> Iterator[tuple[str, Series]]:
    """Acceleration and kurtosis of each second, or of each snippet."""
    waveform = measurement.waveform
    if waveform is None:
        return
    times: list[float] = []
    levels: list[float] = []
    peaks: list[float] = []
    length = max(16, int(_BLOCK_S * waveform.rate_hz))
    for piece in waveform.pieces(0.0, measurement.duration_s):
        values = piece.acceleration_g
        for first in range(0, len(values), length):
            block = values[first : first + length]
            if len(block) < min(length, len(values)) or not np.isfinite(block).all():
                continue
            block = block - np.mean(block, axis=0)
            worst = block[:, int(np.argmax(np.std(block, axis=0)))]
            times.append(piece.start_s + first / waveform.rate_hz)
            levels.append(float(np.std(worst)))
            peaks.append(float(kurtosis(worst, fisher=False)))
    time_s = np.asarray(times)
    yield "acceleration (g RMS)", Series(time_s, np.asarray(levels))
    yield "kurtosis", Series(time_s, np.asarray(peaks))


def _unit(span_s: float) -> tuple[str, float]:
    for name, seconds in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if span_s >= 2.0 * seconds:
            return name, seconds
    return "s", 1.0
