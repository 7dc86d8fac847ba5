"""What a board has sent in the last seconds, as it came: what a capture writes."""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from wrench.link import Frame
from wrench.readout import Losses


class Counts(NamedTuple):
    """Frames that were lost on the way until a frame came, as `wrench.link.Decoder` counts them."""

    missing_frames: int
    bad_frames: int


@dataclass(frozen=True)
class Kept:
    """A frame, the wall time at which it came in ns since 1970, and what was lost until then."""

    frame: Frame
    came_ns: int
    counts: Counts


class Recent:
    """Frames of the newest `seconds` of device time, oldest first.

    Before them is nothing that the waveform was interrupted after: while nobody asked for it, or
    while there was no link, nothing was lost, and a recording would show it as lost.
    """

    def __init__(self, seconds: float, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._most_us = seconds * 1e6
        self._wall_ns = wall_ns
        self._kept: deque[Kept] = deque()
        self._interrupted = False

    def add(self, frame: Frame, losses: Losses) -> None:
        """Take a frame; `losses` are those of the link until now."""
        if self._interrupted and frame.name == "waveform":
            self.clear()
        counts = Counts(losses.missing, losses.broken)
        self._kept.append(Kept(frame, self._wall_ns(), counts))
        while frame.time_us - self._kept[0].frame.time_us > self._most_us:
            self._kept.popleft()

    def interrupted(self) -> None:
        """The waveform is not asked for any more, or the link is lost."""
        self._interrupted = True

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._interrupted = False

    def frames(self) -> list[Kept]:
        """What there is."""
        return list(self._kept)

    def frozen(self) -> Recent:
        """A copy that stays as it is now."""
        still = copy.copy(self)
        still._kept = self._kept.copy()
        return still
