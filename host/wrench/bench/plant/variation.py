"""Slow randomness of the machine, as functions of absolute time.

Each process draws on its own grid in simulated time, so its value at an instant does not depend
on how the time before it was cut into steps. Time must not run backwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


class SlowVariation:
    """A stationary Gaussian process with zero mean, unit variance and exponential correlation.

    Ornstein–Uhlenbeck (Phys. Rev. 36, 1930), drawn exactly on a grid of `correlation_time_s`/20
    and interpolated linearly between.
    """

    def __init__(self, generator: np.random.Generator, correlation_time_s: float) -> None:
        # The bound method: a Generator in a slot of a hot loop costs an attribute look-up per draw.
        self._draw: Callable[[], float] = generator.standard_normal
        self._grid_s = correlation_time_s / 20.0
        self._decay = math.exp(-1.0 / 20.0)
        self._kick = math.sqrt(1.0 - self._decay**2)
        self._index = 0
        self._left = float(self._draw())
        self._right = self._next(self._left)

    def _next(self, value: float) -> float:
        return self._decay * value + self._kick * float(self._draw())

    def at(self, time_s: float) -> float:
        """The value at `time_s`."""
        position = time_s / self._grid_s
        while position >= self._index + 1:
            self._left, self._right = self._right, self._next(self._right)
            self._index += 1
        fraction = position - self._index
        return self._left + (self._right - self._left) * fraction


class Intermittence:
    """Something that comes and goes: 0 (absent) to 1 (present), with soft edges.

    Both states last a gamma-distributed time of shape 4 (standard deviation half the mean) and no
    shorter than two edges.

    Parameters
    ----------
    first_s
        Absent until this time.
    on_mean_s, off_mean_s
        Mean durations of the two states.
    edge_s
        Time to come or go.
    """

    def __init__(
        self,
        generator: np.random.Generator,
        *,
        first_s: float,
        on_mean_s: float,
        off_mean_s: float,
        edge_s: float = 0.05,
    ) -> None:
        self._generator = generator
        self._mean_s = (off_mean_s, on_mean_s)
        self._edge_s = edge_s
        self._present = 0
        self._since_s = -math.inf
        self._until_s = first_s

    def at(self, time_s: float) -> float:
        """The share that is present at `time_s`, 0 to 1."""
        while time_s >= self._until_s:
            self._since_s = self._until_s
            self._present = 1 - self._present
            lasts = float(self._generator.gamma(4.0, 0.25 * self._mean_s[self._present]))
            self._until_s += 2.0 * self._edge_s + lasts
        risen = min(1.0, (time_s - self._since_s) / self._edge_s)
        return risen if self._present else 1.0 - risen
