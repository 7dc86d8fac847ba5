"""A quantity over time as a filled graph, with named levels across it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from wrench.monitor import styles
from wrench.monitor.frame import joined
from wrench.monitor.symbols import Symbols

_SPANS_S = (20, 40, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600)
_TICKS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)


@dataclass(frozen=True)
class Level:
    """A level of the quantity; at and above it, the graph has its style."""

    name: str
    value: float
    style: str


def span_s(elapsed_s: float) -> float:
    """A round length of time axis that has room for `elapsed_s`."""
    for span in _SPANS_S:
        if span >= elapsed_s:
            return float(span)
    return elapsed_s


def graph(
    points: Sequence[tuple[float, float | None]],
    width: int,
    height: int,
    symbols: Symbols,
    *,
    start_s: float,
    length_s: float,
    top: float,
    levels: Sequence[Level] = (),
    style: str = styles.GOOD,
    least_gutter: int = 8,
) -> list[Text]:
    """`height` lines of `width` columns, the last of them the time axis.

    Parameters
    ----------
    points
        (seconds, value), ascending in time. A column shows the greatest value of its time, and
        where it has none the one before; after a None nothing, until there is a value again.
    start_s, length_s
        What the time axis spans.
    top
        Value at the upper edge; the lower is 0.
    levels
        Drawn across and named at the left. Of two that fall on one line, the later one is named.
    least_gutter
        Columns for those names, at least; equal ones make the time axes of two graphs agree.
    """
    gutter = max([least_gutter, *(len(level.name) + 6 for level in levels)])
    columns = max(4, width - gutter)
    rows = max(1, height - 1)
    values = _columns(points, columns, start_s, length_s)
    named = {_row(level.value, rows, top): level for level in levels if level.value <= top}
    fills = [_fill(value, rows, len(symbols.levels) - 1, top) for value in values]
    colours = [_style(value, levels, style) for value in values]
    lines: list[Text] = []
    for row in reversed(range(rows)):
        level = named.get(row)
        if level:
            cells = [(f"{level.name:>{gutter - 6}} {level.value:4.4g} ", level.style)]
        else:
            cells = [(" " * gutter, "")]
        full = len(symbols.levels) - 1
        for column in range(columns):
            part = min(full, fills[column] - row * full)
            if part > 0:
                cells.append((symbols.levels[part], colours[column]))
            elif level:
                cells.append((symbols.level_line, level.style))
            else:
                cells.append((" ", ""))
        lines.append(joined(cells))
    lines.append(_axis(columns, gutter, symbols, start_s, length_s))
    return lines


def _columns(
    points: Sequence[tuple[float, float | None]], columns: int, start_s: float, length_s: float
) -> list[float | None]:
    values: list[float | None] = [None] * columns
    ends: set[int] = set()
    last = -1
    for time_s, value in points:
        at = int((time_s - start_s) / length_s * columns)
        if not 0 <= at < columns:
            continue
        if value is None:
            ends.add(at)
            continue
        ends.discard(at)
        held = values[at]
        values[at] = value if held is None else max(held, value)
        last = max(last, at)
    before: float | None = None
    for at in range(last + 1):
        if values[at] is None:
            values[at] = before
        before = None if at in ends else values[at]
    return values


def _row(value: float, rows: int, top: float) -> int:
    return min(rows - 1, int(value / top * rows))


def _fill(value: float | None, rows: int, parts: int, top: float) -> int:
    if value is None:
        return 0
    return max(1, min(rows * parts, round(value / top * rows * parts)))


def _style(value: float | None, levels: Sequence[Level], style: str) -> str:
    reached = [level for level in levels if value is not None and value >= level.value]
    return max(reached, key=lambda level: level.value).style if reached else style


def _axis(columns: int, gutter: int, symbols: Symbols, start_s: float, length_s: float) -> Text:
    marks = [symbols.horizontal] * columns
    step = next((tick for tick in _TICKS_S if tick / length_s * columns >= 9), _TICKS_S[-1])
    tick_s = -(-start_s // step) * step
    end = 0
    while tick_s <= start_s + length_s:
        label = f"{symbols.tick} {tick_s:g} s "
        at = int((tick_s - start_s) / length_s * columns)
        if at >= end and at + len(label) <= columns:
            marks[at : at + len(label)] = label
            end = at + len(label)
        tick_s += step
    return Text(" " * gutter + "".join(marks), style=styles.FAINT, no_wrap=True)
