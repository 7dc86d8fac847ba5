"""Tables and sentences on a terminal, within its width."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence

_LEAST_WORDS = 20


def terminal_columns(*, err: bool = False) -> int | None:
    """How wide the terminal is that standard output goes to, or standard error; None where it goes
    elsewhere: there a line stays a line."""
    stream = sys.stderr if err else sys.stdout
    return shutil.get_terminal_size().columns if stream.isatty() else None


def aligned(rows: Sequence[Sequence[str]], columns: int | None = None) -> list[str]:
    """Rows with their columns one below the other, as lines without trailing blanks. In `columns`
    the last cell of a row goes on below itself."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    begins = sum(widths[:-1]) + 2 * len(widths[:-1])
    lines: list[str] = []
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines += folded(line.rstrip(), columns, begins)
    return lines


def folded(text: str, columns: int | None, indent: int = 2) -> list[str]:
    """A line as several that fit into `columns`, broken between words; all but the first are
    indented. As it is where `columns` is None, or too few for any."""
    if columns is None or len(text) <= columns or columns - indent < _LEAST_WORDS:
        return [text]
    # What is left of the indent stays as it is: a table's blanks are no places to break at.
    head, rest = text[:indent], text[indent:]
    first, *more = textwrap.wrap(
        rest, columns - indent, break_long_words=False, break_on_hyphens=False
    )
    return [head + first, *(" " * indent + line for line in more)]
