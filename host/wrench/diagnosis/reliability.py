"""Whether a confidence is what it says: claims of one confidence should be right that often."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from wrench.reporting.whole import write_whole

EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)


@dataclass(frozen=True, slots=True)
class Claim:
    """A verdict with a confidence, and whether it was right."""

    confidence: float
    is_right: bool


@dataclass(frozen=True, slots=True)
class Bin:
    """Claims of a range of confidences: how many, their mean confidence, the share that is right,
    and the ends of the 95 % interval of that share (Wilson)."""

    count: int
    confidence: float
    accuracy: float
    low: float
    high: float


def bins(claims: Sequence[Claim]) -> list[Bin]:
    """The claims by confidence, without ranges that have none."""
    found = []
    for low, high in pairwise(EDGES):
        inside = [one for one in claims if low < one.confidence <= high]
        if inside:
            found.append(gathered(inside))
    return found


def gathered(claims: Sequence[Claim]) -> Bin:
    """All of some claims as one."""
    count = len(claims)
    confidence = float(np.mean([one.confidence for one in claims]))
    accuracy = float(np.mean([one.is_right for one in claims]))
    low, high = _wilson(accuracy, count)
    return Bin(count, confidence, accuracy, low, high)


def lines(claims: Sequence[Claim]) -> list[str]:
    """The diagram in words, a range to a line."""
    return [
        f"said {one.confidence:.3f}, right {one.accuracy:.3f} ({one.low:.3f} to {one.high:.3f}) "
        f"of {one.count}"
        for one in bins(claims)
    ]


def draw(claims: Sequence[Claim], path: Path) -> int:
    """Write the diagram (.png); its size in bytes. Raises ReportError where it cannot be."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (only where something is drawn)

    from wrench.reporting import style  # noqa: PLC0415

    with style.styled():
        figure = Figure(figsize=(4.2, 4.2), layout="constrained")
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=style.GREY, linestyle="--", linewidth=0.8)
        for one in bins(claims):
            axes.plot([one.confidence] * 2, [one.low, one.high], color=style.BLUE)
            axes.plot(one.confidence, one.accuracy, "o", color=style.BLUE)
            axes.annotate(f"  {one.count}", (one.confidence, one.accuracy), fontsize=7.5)
        axes.set_xlim(0.4, 1.01)
        axes.set_ylim(0.4, 1.01)
        axes.set_xlabel("confidence")
        axes.set_ylabel("right, with 95 % interval; beside: how many")
        axes.set_title("Reliability")
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=150)
    return write_whole(path, file.getvalue())


def _wilson(share: float, count: int) -> tuple[float, float]:
    z = 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))
