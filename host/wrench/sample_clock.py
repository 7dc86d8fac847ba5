"""What a waveform frame brings: samples, their numbers, and the device time of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wrench.link import Frame

TRIPLE_BYTES = 6
NUMBER_MASK = (1 << 30) - 1
"""The board counts samples in 30 bits."""

_HISTORY_US = 10_000_000
_LEAST_BLOCKS, _LEAST_US = 20, 200_000
_FIT_EVERY_US = 500_000


@dataclass(frozen=True)
class Block:
    """A waveform frame: the number of its first sample, counted on beyond the board's 30 bits, how
    many there are, and the device time at which the board sent it."""

    first: int
    samples: int
    time_us: int

    @property
    def last(self) -> int:
        """Number of its last sample."""
        return self.first + self.samples - 1


class SampleClock:
    """Device time of every sample, from the times at which the board sent blocks of them.

    The board stamps a block when it sends it: at once, or up to some milliseconds later where it
    has something else to do first. So samples are placed on a line through the blocks of the last
    ten seconds, fitted twice a second, as low as the earliest of them; each stretch begins where
    the last one ended, and times always rise. Until there is a line, the sensor's nominal rate
    serves.
    """

    def __init__(self, nominal_hz: float) -> None:
        self._period_us = 1e6 / nominal_hz
        self._history: deque[Block] = deque()
        self._placed: tuple[int, float] | None = None
        self._line: tuple[int, float] | None = None
        self._fitted_us = 0

    def restart(self) -> None:
        """Samples were lost, nobody knows how many: what comes next is on a new line."""
        self._history.clear()
        self._placed = self._line = None
        self._fitted_us = 0

    def times_us(self, blocks: Sequence[Block]) -> NDArray[np.float64]:
        """Device times in us of the samples of these blocks, one after another.

        Blocks come in order, each once.
        """
        self._history.extend(blocks)
        while self._history[-1].time_us - self._history[0].time_us > _HISTORY_US:
            self._history.popleft()
        last = blocks[-1].last
        if self._line is None or self._history[-1].time_us - self._fitted_us > _FIT_EVERY_US:
            end_us = self._fitted_at(last)
        else:
            end_us = self._lowered_at(self._line, blocks)
        self._line = (last, end_us)
        numbers = np.concatenate([np.arange(it.first, it.last + 1) for it in blocks])
        numbers = numbers.astype(np.float64)
        if self._placed is None:
            begin_number, begin_us, period_us = last, end_us, self._period_us
        else:
            number, time_us = self._placed
            # Half a period: an earlier line may have run ahead, and times must rise all the same.
            end_us = max(end_us, time_us + (last - number) * self._period_us / 2)
            begin_number, begin_us = number, time_us
            period_us = (end_us - time_us) / (last - number)
        self._placed = (last, end_us)
        return begin_us + (numbers - begin_number) * period_us

    def _lowered_at(self, line: tuple[int, float], blocks: Sequence[Block]) -> float:
        """Time of the last of these blocks, on the line as it is, or lower where one is earlier."""
        number, at_us = line
        lowest_us = min(
            0.0, *(it.time_us - at_us - (it.last - number) * self._period_us for it in blocks)
        )
        return at_us + lowest_us + (blocks[-1].last - number) * self._period_us

    def _fitted_at(self, number: int) -> float:
        ends = np.array([it.last for it in self._history], np.float64) - number
        times_us = np.array([it.time_us for it in self._history], np.float64)
        origin_us = times_us[-1]
        times_us -= origin_us
        if len(ends) >= _LEAST_BLOCKS and -times_us[0] >= _LEAST_US:
            self._fitted_us = int(origin_us)
            period_us, _ = np.polyfit(ends, times_us, 1)
            late_us = times_us - ends * period_us
            # Those that the board sent at once tell the rate; how late the others are is chance.
            prompt = late_us <= np.median(late_us)
            self._period_us = float(np.polyfit(ends[prompt], times_us[prompt], 1)[0])
        return float(origin_us + np.min(times_us - ends * self._period_us))


def unwrapped(number: int, before: int | None) -> int:
    """A sample's number as the board counts it, counted on from the one before it."""
    if before is None:
        return number
    return before + ((number - before) & NUMBER_MASK)


def counts_of(frame: Frame) -> NDArray[np.int16]:
    """The samples of a waveform frame, a row of x, y, z each; of one whose tail is too short for
    its samples, as many as it has."""
    size = min(frame["samples"], len(frame.tail) // TRIPLE_BYTES)
    return np.frombuffer(frame.tail, "<i2", 3 * size).reshape(-1, 3)
