"""How large the screen of a page may be; what asks for more would only take memory."""

from __future__ import annotations

MOST_COLUMNS, MOST_LINES = 1000, 500
USUAL_SIZE = (80, 24)


def size(columns: object, lines: object) -> tuple[int, int] | None:
    """Both, where they are whole numbers that a screen can have; else None."""
    if not isinstance(columns, int) or not isinstance(lines, int):
        return None
    fit = 0 < columns <= MOST_COLUMNS and 0 < lines <= MOST_LINES
    return (columns, lines) if fit else None
