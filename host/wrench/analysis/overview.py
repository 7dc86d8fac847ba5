"""Long curves for drawing: the lowest and highest value in each column, so that no peak is lost."""

from __future__ import annotations

import numpy as np

from wrench.analysis.measurement import FloatArray, Part

COLUMNS = 1200
"""More than a page has room for."""


class Extremes:
    """The lowest and highest value of a curve in columns of equal time: `low` and `high`
    (columns,), NaN where there is nothing; `time_s` (columns,) are their middles.
    """

    def __init__(self, start_s: float, end_s: float, columns: int = COLUMNS) -> None:
        self._start_s = start_s
        self.width_s = (end_s - start_s) / columns
        self.time_s: FloatArray = (
            start_s + (np.arange(columns, dtype=np.float64) + 0.5) * self.width_s
        )
        self.low: FloatArray = np.full(columns, np.nan)
        self.high: FloatArray = np.full(columns, np.nan)

    def add(self, part: Part) -> None:
        """Take what lies in the columns."""
        count = len(part.values)
        interval_s = (part.end_s - part.start_s) / count
        times_s = part.start_s + np.arange(count) * interval_s
        columns = np.floor((times_s - self._start_s) / self.width_s + 1e-9).astype(np.int64)
        inside = (columns >= 0) & (columns < len(self.time_s))
        columns, values = columns[inside], part.values[inside]
        if not len(columns):
            return
        starts = np.flatnonzero(np.diff(columns, prepend=-1))
        at = columns[starts]
        self.low[at] = np.fmin(self.low[at], np.minimum.reduceat(values, starts))
        self.high[at] = np.fmax(self.high[at], np.maximum.reduceat(values, starts))


def thinned(
    x: FloatArray, y: FloatArray, *, columns: int = COLUMNS, logarithmic: bool = False
) -> tuple[FloatArray, FloatArray]:
    """A curve over rising `x` with at most two points a column: its lowest and its highest, in
    their order. Columns are equally wide, on a logarithmic scale where `logarithmic`; points that
    are NaN are left out where their column has others.
    """
    if len(x) <= 2 * columns:
        return x, y
    place = np.log(x) if logarithmic else x
    share = (place - place[0]) / (place[-1] - place[0])
    column = np.minimum((share * columns).astype(np.int64), columns - 1)
    # NaN sorts last: of a column, the first is the lowest, the last that is a number the highest.
    order = np.lexsort((y, column))
    starts = np.flatnonzero(np.diff(column[order], prepend=-1))
    numbers = np.add.reduceat((~np.isnan(y[order])).astype(np.int64), starts)
    lowest, highest = order[starts], order[starts + np.maximum(numbers, 1) - 1]
    picked = np.unique(np.concatenate([lowest, highest]))
    return x[picked], y[picked]
