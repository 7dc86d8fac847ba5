"""How likely a part is to fail within the horizon, by whoever knows."""

from __future__ import annotations

import math
from typing import Protocol


class Watcher(Protocol):
    """Estimates of boards that watch a part themselves."""

    def failure_probability(self, board: str, horizon_h: float) -> float | None:
        """Of failing within so many operating hours from now, 0 to 1; None where it cannot tell."""
        ...


def from_rate(failures_per_h: float, horizon_h: float) -> float:
    """The probability of a failure within the horizon at a constant rate: 1 - exp(-rate × time)."""
    return -math.expm1(-failures_per_h * horizon_h)
