"""Horizontal bars, and small graphs of one line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from wrench.monitor import styles
from wrench.monitor.frame import joined
from wrench.monitor.symbols import Symbols


def bar(
    fraction: float, width: int, symbols: Symbols, *, style: str, mark: float | None = None
) -> Text:
    """A bar of `width` columns, `fraction` of it filled (0 to 1), with a mark at that fraction.

    What lies above the mark is hatched: the bar is not meant to go there.
    """
    steps = len(symbols.parts) - 1
    filled, part = divmod(round(max(0.0, min(1.0, fraction)) * width * steps), steps)
    marked = None if mark is None else mark_column(mark, width)
    cells: list[tuple[str, str]] = []
    for column in range(width):
        if column == marked:
            cells.append((symbols.mark, styles.TITLE))
        elif column < filled:
            cells.append((symbols.parts[-1], style))
        elif column == filled and part:
            cells.append((symbols.parts[part], style))
        elif marked is not None and column > marked:
            cells.append((symbols.beyond, styles.FAINT))
        else:
            cells.append((" ", ""))
    return joined(cells)


def mark_column(mark: float, width: int) -> int:
    """The column in which `bar` puts a mark; a bar filled up to the mark ends just before it."""
    return min(width - 1, round(mark * width))


def sparkline(
    values: Sequence[float], width: int, symbols: Symbols, *, style: str, least_span: float = 0.0
) -> Text:
    """All values as one line of `width` columns, each the greatest of its share.

    The line spans their least to their greatest; `least_span` keeps noise from looking like news.
    """
    if not values or width < 1:
        return Text(" " * max(0, width))
    count = min(width, len(values))
    bins = [values[i * len(values) // count : (i + 1) * len(values) // count] for i in range(count)]
    tops = [max(piece) for piece in bins]
    low, high = min(tops), max(tops)
    if high - low < least_span:
        low = (low + high - least_span) / 2
        high = low + least_span
    top = len(symbols.levels) - 1
    scale = (top - 1) / (high - low) if high > low else 0.0
    text = "".join(symbols.levels[1 + round((value - low) * scale)] for value in tops)
    return Text(text.ljust(width), style=style)
