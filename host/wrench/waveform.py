"""The raw waveform as it comes: acceleration in g, with the device time of every sample."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wrench.link import Frame

_WRAP = 1 << 30  # the board counts its samples in 30 bits
_BYTES_A_TRIPLE = 6
_HISTORY_US = 5_000_000
_LEAST_BLOCKS = 20


@dataclass(frozen=True)
class Waveform:
    """Samples that follow each other without a gap.

    `acceleration_g` has a row for each: x, y, z. `time_us` is the device time of each, rising.
    `first` is the number of the first one, counted since the board's start. Between these samples
    and those before, `missing` are known to be missing, lost on the way or for want of room at the
    board; where `broken` is True, the sensor has lost some besides, or the board has started anew,
    and nobody knows how many.
    """

    first: int
    time_us: NDArray[np.float64]
    acceleration_g: NDArray[np.float64]
    missing: int = 0
    broken: bool = False


class WaveformReader:
    """Waveform frames to samples with their times; `nominal_hz` is the sensor's rate as the board's
    greeting tells it, until it has been measured.

    The board stamps a block when it sends it, which is when it is whole, or some milliseconds later
    where it has something else to do first. So the samples lie on a line through the blocks of the
    last five seconds that touches the earliest of them.
    """

    def __init__(self, nominal_hz: float) -> None:
        self._period_us = 1e6 / nominal_hz
        self._ends: deque[tuple[int, int]] = deque()  # number of the last sample, and time
        self._next: int | None = None
        self._lost = 0
        self._last_us = -np.inf

    def take(self, frame: Frame) -> Waveform:
        """The samples of a waveform frame."""
        size = min(frame["samples"], len(frame.tail) // _BYTES_A_TRIPLE)
        counts = np.frombuffer(frame.tail, "<i2", 3 * size).reshape(-1, 3)
        first, missing, broken = self._placed(frame)
        end = first + size
        last = end - 1
        self._ends.append((last, frame.time_us))
        while frame.time_us - self._ends[0][1] > _HISTORY_US:
            self._ends.popleft()
        times = self._line_us(last) + (np.arange(first, end) - last) * self._period_us
        # The line may have been earlier by some microseconds when it was shorter.
        times = np.maximum(times, self._last_us + np.arange(1, size + 1) * 1e-3)
        if size:
            self._last_us = float(times[-1])
        self._next = end
        self._lost = frame.lost_samples
        scale_g = frame["scale_ug"] / 1e6
        return Waveform(first, times, counts * scale_g, missing, broken)

    def _placed(self, frame: Frame) -> tuple[int, int, bool]:
        """Number of the first sample, counted on beyond the board's 30 bits; samples missing before
        it; and whether the sensor lost some."""
        first: int = frame["first_sample"]
        if self._next is None:
            return first, 0, False
        ahead = (first - self._next) % _WRAP
        anew = ahead >= _WRAP // 2 or frame.time_us < self._ends[-1][1]
        if anew or frame.lost_samples != self._lost:
            self._ends.clear()
            self._last_us = -np.inf if anew else self._last_us
            return (first, 0, True) if anew else (self._next + ahead, ahead, True)
        return self._next + ahead, ahead, False

    def _line_us(self, number: int) -> float:
        """Device time of the sample with this number."""
        ends = np.array(self._ends, np.float64)
        origin_us = ends[-1, 1]
        numbers, times_us = ends[:, 0] - number, ends[:, 1] - origin_us
        if len(ends) >= _LEAST_BLOCKS:
            self._period_us = float(np.polyfit(numbers, times_us, 1)[0])
        return float(origin_us + np.min(times_us - numbers * self._period_us))
