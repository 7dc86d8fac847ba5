"""Lines of an exact width, frames around them, and one block beside another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, zip_longest

from rich.text import Text

from wrench.monitor import styles
from wrench.monitor.symbols import Symbols


def joined(cells: Iterable[tuple[str, str]]) -> Text:
    """A line from (characters, style) pairs; neighbours of one style become one span."""
    parts = [
        ("".join(text for text, _ in run), style)
        for style, run in groupby(cells, key=lambda cell: cell[1])
    ]
    return Text.assemble(*parts, no_wrap=True)


def fit(line: Text | str, width: int) -> Text:
    """A copy of `line`, cut or padded to `width` columns."""
    fitted = Text(line, no_wrap=True) if isinstance(line, str) else line.copy()
    fitted.truncate(width, overflow="crop", pad=True)
    return fitted


def spread(left: Text | str, right: Text | str, width: int) -> Text:
    """`left` and `right` at the two ends of one line; the right one only where there is room."""
    left = Text(left) if isinstance(left, str) else left
    right = Text(right) if isinstance(right, str) else right
    room = width - left.cell_len
    if right.cell_len + 1 > room:
        return fit(left, width)
    return fit(Text.assemble(left, " " * (room - right.cell_len), right), width)


def framed(
    lines: Sequence[Text],
    width: int,
    symbols: Symbols,
    *,
    title: Text | str = "",
    note: Text | str = "",
    foot: Text | None = None,
) -> list[Text]:
    """`lines` in a frame of `width` columns; each is cut or padded to `width` - 4.

    `title` and `note` are at the left and the right of the upper edge, the note where there is
    room. `foot`, of the width of a line, stands in the lower edge, which shows through its spaces.
    """
    upper_left, upper_right, lower_left, lower_right = symbols.corners
    edge = symbols.horizontal
    inner = width - 4
    title = Text(title, style=styles.TITLE) if isinstance(title, str) else title
    note = Text(note, style=styles.FAINT) if isinstance(note, str) else note
    top = Text.assemble((upper_left + edge, styles.FAINT))
    used = 0
    if title.cell_len:
        title = title.copy()
        title.truncate(inner - 2, overflow="crop")
        top.append(" ").append_text(title).append(" ")
        used = title.cell_len + 2
    if note.cell_len and used + note.cell_len + 3 <= inner:
        top.append(edge * (inner - used - note.cell_len - 2), styles.FAINT)
        top.append(" ").append_text(note).append(" ")
    else:
        top.append(edge * (inner - used), styles.FAINT)
    top.append(edge + upper_right, styles.FAINT)
    side = (symbols.vertical, styles.FAINT)
    framed_lines = [top]
    framed_lines += [Text.assemble(side, " ", fit(line, inner), " ", side) for line in lines]
    framed_lines.append(_lower_edge(foot, inner, edge, lower_left, lower_right))
    return [fit(line, width) for line in framed_lines]


def ruled(
    lines: Sequence[Text],
    width: int,
    symbols: Symbols,
    *,
    title: Text | str = "",
    note: Text | str = "",
) -> list[Text]:
    """As `framed`, where room is short: a line above with title and note, nothing at the other
    sides but a column that parts it from a neighbour; lines are cut or padded to `width` - 1.
    """
    edge = symbols.horizontal
    title = Text(title, style=styles.TITLE) if isinstance(title, str) else title
    note = Text(note, style=styles.FAINT) if isinstance(note, str) else note
    inner = width - 1
    top = title.copy()
    top.truncate(inner - 2, overflow="crop")
    top = Text.assemble(top, " ")
    if note.cell_len and top.cell_len + note.cell_len + 3 <= inner:
        top.append(edge * (inner - top.cell_len - note.cell_len - 1), styles.FAINT)
        top.append(" ").append_text(note)
    else:
        top.append(edge * (inner - top.cell_len), styles.FAINT)
    return [fit(Text.assemble(fit(line, inner), " "), width) for line in (top, *lines)]


def _lower_edge(foot: Text | None, inner: int, edge: str, left: str, right: str) -> Text:
    bottom = Text.assemble((left + edge, styles.FAINT))
    if foot is None:
        bottom.append(edge * inner, styles.FAINT)
    else:
        fitted = fit(foot, inner)
        fitted.plain = "".join(
            edge if mark == " " and fitted.plain[max(0, at - 1) : at + 2].isspace() else mark
            for at, mark in enumerate(fitted.plain)
        )
        bottom.append_text(fitted)
    bottom.append(edge + right, styles.FAINT)
    return bottom


def beside(*blocks: Iterable[Text]) -> list[Text]:
    """Blocks from left to right, each with lines of one width and all with as many lines."""
    return [Text.assemble(*(part or "" for part in row)) for row in zip_longest(*blocks)]
