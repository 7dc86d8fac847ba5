"""Spectra one above the other: over time, or over the shaft's speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wrench.analysis.measurement import FloatArray, Part
from wrench.analysis.spectrum import Segmenter, lines, mean_squares

PlaceOf = Callable[[FloatArray], FloatArray]
"""Turns middles of segments (k,) into places among the rows (k,), NaN for none."""

_COLUMNS = 800


@dataclass(frozen=True)
class Waterfall:
    """RMS amplitude of each line (rows, columns), NaN where there is nothing.

    `edges` (rows + 1,) bound the rows in s, or in rpm; `frequency` (columns + 1,) bounds the
    columns in Hz, or in orders. A column is the highest of the lines in it. `length` of a segment
    is in s, or in turns.
    """

    frequency: FloatArray
    edges: FloatArray
    amplitude: FloatArray
    length: float

    @property
    def resolution(self) -> float:
        """1 / length of a segment."""
        return 1.0 / self.length

    @property
    def rows_filled(self) -> int:
        """Rows in which there is something."""
        return int(np.sum(np.isfinite(self.amplitude).any(axis=1)))


class Stack:
    """Puts spectra of segments into rows and averages the mean squares of each row.

    Parameters
    ----------
    rate
        Samples a second, or a turn.
    count
        Samples in a segment.
    edges
        Of the rows, rising, (rows + 1,).
    highest
        Frequency to which lines are kept.
    spread
        A segment goes into every row between it and its neighbours, not only into that of its
        middle: for segments that may last longer than a row.
    """

    def __init__(
        self, rate: float, count: int, edges: FloatArray, highest: float, *, spread: bool = False
    ) -> None:
        self._segmenter = Segmenter(rate, count)
        # From the middle of a segment halfway to the next one's.
        self._reach = 0.25 * self._segmenter.count / rate if spread else 0.0
        frequency = lines(rate, self._segmenter.count)
        self._kept = int(np.searchsorted(frequency, highest, "right"))
        self._frequency = frequency[: self._kept]
        self._edges = edges
        columns = min(_COLUMNS, self._kept)
        self._starts = np.floor(np.arange(columns) * self._kept / columns).astype(np.int64)
        self._sums = np.zeros((len(edges) - 1, columns))
        self._counts = np.zeros(len(edges) - 1)
        self._row = -1
        self._sum = np.zeros(self._kept)
        self._number = 0

    def add(self, part: Part, place_of: PlaceOf | None = None) -> None:
        """Take a part. A segment goes into the row that its middle lies in; `place_of` turns
        middles into what `edges` are in.
        """
        for middles, segments in self._segmenter.feed(part):
            first, last = (
                self._rows(middles + reach, place_of) for reach in (-self._reach, self._reach)
            )
            for low, high, square in zip(first, last, mean_squares(segments), strict=True):
                for row in range(max(low, 0), min(high, len(self._sums) - 1) + 1):
                    self._put(row, square[: self._kept])

    def _rows(self, at: FloatArray, place_of: PlaceOf | None) -> list[int]:
        """Which row each lies in, -1 for none before the first, and for what has no place."""
        places = at if place_of is None else place_of(at)
        rows = np.searchsorted(self._edges, places, "right") - 1
        rows[~np.isfinite(places)] = -1
        return rows.tolist()

    def result(self) -> Waterfall:
        """What has come so far."""
        self._close()
        with np.errstate(invalid="ignore"):
            mean = self._sums / self._counts[:, np.newaxis]
        mean[self._counts == 0] = np.nan
        bounds = np.append(self._frequency[self._starts], self._frequency[-1])
        length = self._segmenter.count / self._segmenter.rate
        return Waterfall(bounds, self._edges, np.sqrt(mean), length)

    def _put(self, row: int, square: FloatArray) -> None:
        if row != self._row:
            self._close()
            self._row = row
        self._sum += square
        self._number += 1

    def _close(self) -> None:
        """Whole lines are kept for one row only: two hundred would take 100 MB."""
        if self._number:
            mean = self._sum / self._number
            columns = np.maximum.reduceat(mean, self._starts)
            self._sums[self._row] += columns * self._number
            self._counts[self._row] += self._number
        self._sum[:] = 0.0
        self._number = 0
