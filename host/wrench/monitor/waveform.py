"""The last seconds of the raw waveform, and its spectrum."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wrench.link import Frame
from wrench.sample_clock import NUMBER_MASK, counts_of


@dataclass(frozen=True)
class Block:
    """Samples that came in one frame. `counts` has a row for each: x, y, z. `first` counts samples
    since the board's start and does not wrap; `time_us` is device time at which the block was
    sent. `broken` where the sensor has lost some before them, nobody knows how many."""

    first: int
    time_us: int
    scale_ug: int
    counts: NDArray[np.int16]
    broken: bool = False


class Waveform:
    """The newest `seconds` of the waveform.

    `missing_samples` counts gaps between the blocks that came; a stretch in which no waveform was
    asked for is not counted.
    """

    def __init__(self, rate_hz: int, seconds: float) -> None:
        self.rate_hz = rate_hz
        self.missing_samples = 0
        self.blocks: deque[Block] = deque()
        self._most = max(1, round(rate_hz * seconds))
        self._held = 0
        self._interrupted = False
        self._lost = 0

    def add(self, frame: Frame) -> None:
        """Take a waveform frame; one whose tail is too short for its samples is taken as far as it
        goes."""
        counts = counts_of(frame)
        first: int = frame["first_sample"]
        if self.blocks:
            last = self.blocks[-1]
            end = last.first + len(last.counts)
            ahead = (first - end) & NUMBER_MASK
            if frame.time_us < last.time_us or ahead > NUMBER_MASK // 2:
                self.clear()  # the board has started anew
            else:
                self.missing_samples += 0 if self._interrupted else ahead
                first = end + ahead
        broken = bool(self.blocks) and frame.lost_samples != self._lost
        self._interrupted, self._lost = False, frame.lost_samples
        self.blocks.append(Block(first, frame.time_us, frame["scale_ug"], counts, broken))
        self._held += len(counts)
        while self._held > self._most and len(self.blocks) > 1:
            self._held -= len(self.blocks.popleft().counts)

    def interrupted(self) -> None:
        """The waveform was not asked for, or the link was lost: what follows may begin later."""
        self._interrupted = True

    def clear(self) -> None:
        """Forget the samples, not what was missing."""
        self.blocks.clear()
        self._held = 0

    @property
    def seconds(self) -> float:
        """How much there is."""
        return self._held / self.rate_hz

    def newest(self, samples: int, axis: int) -> NDArray[np.float64]:
        """Up to that many of the newest samples without a gap, oldest first, in g, of one axis."""
        picked: list[NDArray[np.float64]] = []
        found = 0
        begins: int | None = None
        for block in reversed(self.blocks):
            if found >= samples or (
                begins is not None and block.first + len(block.counts) != begins
            ):
                break
            picked.append(block.counts[:, axis].astype(np.float64) * (block.scale_ug / 1e6))
            found += len(block.counts)
            if block.broken:
                break
            begins = block.first
        if not picked:
            return np.zeros(0)
        return np.concatenate(picked[::-1])[-samples:]


@dataclass(frozen=True)
class Spectrum:
    """Amplitudes of acceleration in g (peak, not RMS), from 0 Hz in steps of `step_hz`."""

    step_hz: float
    amplitude_g: NDArray[np.float64]

    @property
    def highest(self) -> tuple[float, float]:
        """(Hz, g) of the highest line."""
        at = int(np.argmax(self.amplitude_g))
        return at * self.step_hz, float(self.amplitude_g[at])


def spectrum_samples(rate_hz: int) -> int:
    """How many samples `spectrum` should be given: a power of two, a second at most."""
    return 1 << max(6, rate_hz.bit_length() - 1)


def spectrum(acceleration_g: NDArray[np.float64], rate_hz: int) -> Spectrum:
    """The spectrum of samples without a gap: mean removed, Hann window, amplitudes corrected for
    it."""
    n = len(acceleration_g)
    window = np.hanning(n + 1)[:-1]
    lines = np.abs(np.fft.rfft((acceleration_g - acceleration_g.mean()) * window))
    return Spectrum(rate_hz / n, lines * (2.0 / window.sum()))
