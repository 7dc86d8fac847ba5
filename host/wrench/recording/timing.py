"""What the waveform's blocks tell: its true rate, and where samples are missing."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wrench.sample_clock import NUMBER_MASK

_WRAP = 0xFFFF
_LEAST_BLOCKS = 3
_NEAR_US = 10_000_000


@dataclass(frozen=True)
class Break:
    """Where the waveform is interrupted: before block `before`.

    `numbered` samples are missing in the board's own count. `why` is "samples lost", "dropped by
    the board" or "frames lost"; where samples were lost, the board's count does not tell how many.
    """

    before: int
    numbered: int
    why: str


def breaks(blocks: NDArray[Any]) -> list[Break]:
    """Every interruption between blocks that follow each other in a recording."""
    if len(blocks) < 2:
        return []
    first = blocks["first_sample"].astype(np.int64)
    expected = first[:-1] + blocks["samples"][:-1]
    numbered = (first[1:] - expected) & NUMBER_MASK
    lost = np.diff(blocks["lost_samples"].astype(np.int64)) & _WRAP
    dropped = np.diff(blocks["dropped_frames"].astype(np.int64)) & _WRAP
    found: list[Break] = []
    for at in np.flatnonzero((numbered > 0) | (lost > 0)):
        why = (
            "samples lost" if lost[at] else "dropped by the board" if dropped[at] else "frames lost"
        )
        found.append(Break(int(at) + 1, int(numbered[at]), why))
    return found


def edges_us(blocks: NDArray[Any], rate: float) -> list[tuple[Break, float, float]]:
    """Every interruption with the device times of the last sample before it and of the first one
    behind it.

    A block is stamped when it is sent, so each side is a line through its earliest blocks of ten
    seconds; where no samples were lost both sides are on one line. `rate` serves where too few
    blocks tell it.
    """
    found = breaks(blocks)
    if not found:
        return []
    times_us = blocks["device_time_us"].astype(np.float64)
    first = blocks["first_sample"].astype(np.int64)
    numbers = np.concatenate([[0], np.cumsum(np.diff(first) & NUMBER_MASK)])
    ends = numbers + blocks["samples"].astype(np.int64) - 1
    restarts = [0, *(it.before for it in found if it.why == "samples lost"), len(blocks)]
    period_us = _prompt_period_us(ends, times_us, restarts[1:-1]) or 1e6 / rate
    late_us = times_us - ends * period_us
    edges: list[tuple[Break, float, float]] = []
    for it in found:
        begin = restarts[bisect_left(restarts, it.before) - 1]
        stop = restarts[bisect_right(restarts, it.before)]
        since = int(np.searchsorted(times_us, times_us[it.before - 1] - _NEAR_US))
        until = int(np.searchsorted(times_us, times_us[it.before] + _NEAR_US))
        before = late_us[max(begin, since) : it.before].min()
        behind = late_us[it.before : min(stop, until)].min()
        if it.why != "samples lost":
            before = behind = min(before, behind)
        start_us = float(before + ends[it.before - 1] * period_us)
        end_us = float(behind + numbers[it.before] * period_us)
        edges.append((it, start_us, max(start_us, end_us)))
    return edges


def _prompt_period_us(
    ends: NDArray[np.int64], times_us: NDArray[np.float64], restarts: list[int]
) -> float:
    """The period of the blocks that the board sent at once: how late the others are is chance. 0
    where there are too few."""
    period_us = 0.0
    parts = np.split(np.arange(len(ends)), restarts)
    for _ in range(2):
        xs = np.concatenate([ends[part] - ends[part].mean() for part in parts])
        ys = np.concatenate([times_us[part] - times_us[part].mean() for part in parts])
        if len(xs) < len(parts) + _LEAST_BLOCKS:
            break
        period_us = float(xs @ ys) / float(xs @ xs)
        late_us = times_us - ends * period_us
        parts = [part[late_us[part] <= np.median(late_us[part])] for part in parts]
    return period_us


def rate_hz(blocks: NDArray[Any]) -> tuple[float, float]:
    """Sampling rate against device time and its standard uncertainty, both in Hz; NaN where there
    are too few blocks.

    Least squares over the times at which the board sent the blocks. Stretches between which
    samples were lost share the rate and nothing else.
    """
    if len(blocks) < _LEAST_BLOCKS:
        return math.nan, math.nan
    counted = np.diff(blocks["first_sample"].astype(np.int64)) & NUMBER_MASK
    ends = np.concatenate([[0], np.cumsum(counted)]) + blocks["samples"].astype(np.int64)
    times_us = (blocks["device_time_us"] - blocks["device_time_us"][0]).astype(np.float64)
    restarts = [it.before for it in breaks(blocks) if it.why == "samples lost"]
    xs: list[NDArray[np.float64]] = []
    ys: list[NDArray[np.float64]] = []
    for part in np.split(np.arange(len(blocks)), restarts):
        xs.append(ends[part] - ends[part].mean())
        ys.append(times_us[part] - times_us[part].mean())
    x, y = np.concatenate(xs), np.concatenate(ys)
    spread = float(x @ x)
    freedom = len(x) - len(xs) - 1
    if spread == 0.0 or freedom < 1:
        return math.nan, math.nan
    period_us = float(x @ y) / spread
    residuals = y - period_us * x
    sd_us = math.sqrt(float(residuals @ residuals) / freedom / spread)
    rate = 1e6 / period_us
    return rate, rate * sd_us / period_us
