"""A reading of a board as a line that fits the terminal."""

from __future__ import annotations

from wrench import readout
from wrench.cli.tables import folded, terminal_columns
from wrench.link import Frame

_WIDE = 120
_INDENT = 10


def narrow() -> bool:
    """Whether the long line does not fit; in a pipe everything does."""
    columns = terminal_columns()
    return columns is not None and columns < _WIDE


def reading(now: Frame, losses: readout.Losses) -> str:
    """A line; on a narrow terminal losses and alarms go below, where there are any."""
    if not narrow():
        return readout.line(now, losses)
    lines = [readout.short_line(now)]
    for remark in readout.remarks(now, losses):
        lines += folded(" " * _INDENT + remark, terminal_columns(), _INDENT)
    return "\n".join(lines)
