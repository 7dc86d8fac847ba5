"""Board files: the only place that knows the pins and the limits of one board as wired.

::

    boards/NAME.toml -> load_board -> Board -> Board.render -> wrench_board.py on the chip

`rp2040` knows the chip's pins, `schema` the file's keys, `rules` what must hold between values,
`render` the constants that the chip gets, `problems` how a fault in a file is told,
`reference` the table of keys in boards/README.md.
"""

from wrench.boards.load import known_boards, load_board
from wrench.boards.problems import InvalidBoardError, Problem
from wrench.boards.rp2040 import PinUse
from wrench.boards.schema import Board

__all__ = ["Board", "InvalidBoardError", "PinUse", "Problem", "known_boards", "load_board"]
