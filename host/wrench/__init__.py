"""Keeps a machine with an improvised bearing running: slower, watched, and stopped in time.

`Board` is a board in operation, over its link (`wrench.board`). How a board is wired is another
thing, a board file (`wrench.boards`).
"""

from __future__ import annotations

# Not from `typing`: until this is imported, Ctrl-C ends a command with a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from wrench.board import Board

__version__ = "0.1.0"
__all__ = ["Board", "__version__"]


def __getattr__(name: str) -> object:
    # Only who asks for it waits for numpy.
    if name == "Board":
        from wrench.board import Board  # noqa: PLC0415

        return Board
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
