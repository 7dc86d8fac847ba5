"""The raw waveform as it comes: acceleration in g, with the device time of every sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wrench.link import Frame
from wrench.sample_clock import NUMBER_MASK, Block, SampleClock, counts_of


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

    `wrench.sample_clock.SampleClock` tells how the times are found.
    """

    def __init__(self, nominal_hz: float) -> None:
        self._clock = SampleClock(nominal_hz)
        self._next: int | None = None
        self._lost = 0
        self._sent_us = 0
        self._last_us = -np.inf

    def take(self, frame: Frame) -> Waveform:
        """The samples of a waveform frame."""
        counts = counts_of(frame)
        size = len(counts)
        first, missing, broken = self._placed(frame)
        times = np.zeros(0)
        if size:
            times = self._clock.times_us([Block(first, size, frame.time_us)])
            # After a break the line is a new one, and may begin before the old one's end.
            times = np.maximum(times, self._last_us + np.arange(1, size + 1) * 1e-3)
            self._last_us = float(times[-1])
        self._next, self._lost, self._sent_us = first + size, frame.lost_samples, frame.time_us
        return Waveform(first, times, counts * (frame["scale_ug"] / 1e6), missing, broken)

    def _placed(self, frame: Frame) -> tuple[int, int, bool]:
        """Number of the first sample, counted on beyond the board's 30 bits; samples missing before
        it; and whether the sensor lost some."""
        number: int = frame["first_sample"]
        if self._next is None:
            return number, 0, False
        ahead = (number - self._next) & NUMBER_MASK
        anew = ahead > NUMBER_MASK // 2 or frame.time_us < self._sent_us
        if anew:
            self._last_us = -np.inf
        broken = anew or frame.lost_samples != self._lost
        if broken:
            self._clock.restart()
        return (number, 0, True) if anew else (self._next + ahead, ahead, broken)
