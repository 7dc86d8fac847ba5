"""The shaft's speed: which stretch of a measurement is steady, and the angle at every instant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wrench.analysis.measurement import FloatArray, Measurement, Series

STEADY = 0.02
"""A steady speed stays within this fraction of its mean, up and down."""
_ENOUGH_S = 5.0
_MOST_S = 120.0
_LEAST_RPM = 30.0
_UNKNOWN_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a measurement that spectra are made of, and why that one, in words.

    The speeds are None where the speed is not known.
    """

    start_s: float
    end_s: float
    why: str
    speed_rpm: float | None = None
    lowest_rpm: float | None = None
    highest_rpm: float | None = None


class Shaft:
    """Where the shaft stands, by its speed over time (linear between what was measured)."""

    def __init__(self, speed_rpm: Series) -> None:
        known = np.isfinite(speed_rpm.value)
        self._time_s = speed_rpm.time_s[known]
        self._speed_hz = np.maximum(speed_rpm.value[known], 0.0) / 60.0
        steps = np.diff(self._time_s) * 0.5 * (self._speed_hz[1:] + self._speed_hz[:-1])
        self._turns = np.concatenate([[0.0], np.cumsum(steps)])

    @property
    def is_known(self) -> bool:
        """There is a speed at all."""
        return len(self._time_s) > 0

    def speed_hz(self, time_s: FloatArray) -> FloatArray:
        """Turns a second at each time (n,); NaN more than 2 s away from what was measured."""
        speed = np.interp(time_s, self._time_s, self._speed_hz)
        return np.where(self._is_near(time_s), speed, np.nan)

    def turns(self, time_s: FloatArray) -> FloatArray:
        """Turns since the first known speed at rising times (n,); before and after what was
        measured the speed is taken as constant."""
        first, last = self._time_s[0], self._time_s[-1]
        inside = np.clip(time_s, first, last)
        at = np.clip(np.searchsorted(self._time_s, inside, "right") - 1, 0, len(self._time_s) - 1)
        elapsed = inside - self._time_s[at]
        speed = np.interp(inside, self._time_s, self._speed_hz)
        turns = self._turns[at] + 0.5 * elapsed * (self._speed_hz[at] + speed)
        turns += np.minimum(time_s - first, 0.0) * self._speed_hz[0]
        return turns + np.maximum(time_s - last, 0.0) * self._speed_hz[-1]

    def _is_near(self, time_s: FloatArray) -> np.ndarray:
        after = np.clip(np.searchsorted(self._time_s, time_s), 1, max(1, len(self._time_s) - 1))
        before = after - 1
        after = np.minimum(after, len(self._time_s) - 1)
        away = np.minimum(
            np.abs(time_s - self._time_s[before]), np.abs(time_s - self._time_s[after])
        )
        return away <= _UNKNOWN_AFTER_S


def find_stretch(
    measurement: Measurement, start_s: float | None = None, end_s: float | None = None
) -> Stretch:
    """The stretch to analyse.

    What lies between `start_s` and `end_s` where either is given; else the latest 120 s at most
    of a speed that was steady for 5 s or more; else the longest steady stretch; else, where
    the shaft's speed is not known, the last 120 s.
    """
    whole = (0.0, measurement.duration_s)
    speed = measurement.speed_rpm
    if start_s is not None or end_s is not None:
        begin = whole[0] if start_s is None else start_s
        end = whole[1] if end_s is None else end_s
        return _told(speed, begin, end, "as asked for")
    if speed is None or not speed.is_known:
        why = "the whole recording" if whole[1] <= _MOST_S else f"the last {_MOST_S:g} s"
        return _told(None, max(0.0, whole[1] - _MOST_S), whole[1], why)
    found = list(_steady(speed, measurement.duration_s))
    if not found:
        return _told(
            speed, *whole, "the whole recording: the shaft never turns at a steady speed in it"
        )
    enough = [one for one in found if one[1] - one[0] >= _ENOUGH_S]
    if enough:
        begin, end = enough[-1]
        begin, which = max(begin, end - _MOST_S), "latest"
    else:
        begin, end = max(found, key=lambda one: one[1] - one[0])
        which = "longest"
    why = f"the {which} {end - begin:.3g} s of steady speed, within ±{100 * STEADY:g} %"
    if (begin, end) == whole:
        why = f"the whole recording; its speed stays within ±{100 * STEADY:g} %"
    return _told(speed, begin, end, why)


def _told(speed: Series | None, start_s: float, end_s: float, why: str) -> Stretch:
    if speed is None:
        return Stretch(start_s, end_s, why)
    inside = speed.within(start_s, end_s)
    value = inside.value[np.isfinite(inside.value)]
    if not len(value):
        grid = np.linspace(start_s, end_s, 101)
        shaft = Shaft(speed)
        value = 60.0 * shaft.speed_hz(grid) if shaft.is_known else value
        value = value[np.isfinite(value)]
    if not len(value) or float(np.max(value)) < _LEAST_RPM:
        return Stretch(start_s, end_s, why)
    low, high = float(np.min(value)), float(np.max(value))
    return Stretch(start_s, end_s, why, float(np.mean(value)), low, high)


def _steady(speed: Series, duration_s: float) -> Iterator[tuple[float, float]]:
    """Stretches one after the other in which a turning shaft's speed is steady."""
    known = np.isfinite(speed.value)
    times, values = speed.time_s[known].tolist(), speed.value[known].tolist()
    first, low, high = 0, np.inf, 0.0
    for at, value in enumerate(values):
        goes_on = at > first and times[at] - times[at - 1] <= 2 * _UNKNOWN_AFTER_S
        low, high = min(low, value), max(high, value)
        if goes_on and low >= _LEAST_RPM and high - low <= STEADY * (high + low):
            continue
        if at - first >= 2:
            yield (0.0 if first == 0 else times[first]), times[at - 1]
        first, low, high = at, value, value
    if len(values) - first >= 2 and low >= _LEAST_RPM:
        yield (0.0 if first == 0 else times[first]), duration_s
