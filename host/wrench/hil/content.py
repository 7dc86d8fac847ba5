"""What the flash chip of an emulated board holds: an image, and the firmware for a board."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from wrench.bench.assemble import flashed
from wrench.boards import Board, load_board
from wrench.image import Progress, find_named

BOARD = load_board("pico-adxl345")
"""The board of a test that names none."""


def variant(name: str, of: Board = BOARD, /, **changes: str) -> Board:
    """A board like `of`, in whose file the lines of some keys are others, or more; `changes` maps
    the name of a section, with "__" for a dot, to the lines that are put first in it. A section
    given as "" is left out.
    """
    assert of.path is not None
    text = "\n" + of.path.read_text()
    for section, lines in changes.items():
        title = f"[{section.replace('__', '.')}]"
        before, found, after = text.partition(f"\n{title}")
        body, more, rest = after.partition("\n[")
        if not lines:
            assert found, title
            text = f"{before}{more}{rest}"
            continue
        new = {line.partition("=")[0].strip() for line in lines.splitlines()}
        kept = [line for line in body.splitlines() if line.partition("=")[0].strip() not in new]
        text = "\n".join([before, title, lines, *kept[1:]]) + more + rest
    path = Path(_folder(), f"{name}.toml")
    path.write_text(text)
    return load_board(path)


@cache
def _folder() -> str:
    return tempfile.mkdtemp(prefix="wrench-boards-")


_contents: dict[tuple[str, int, str], bytes] = {}


def content_of(board: Board, image: str = "stock") -> bytes:
    """Flash content with that kind of image and the firmware for a board."""
    key = (board.name, board.hash, image)
    if key not in _contents:
        _contents[key] = flashed(board, image)
    return _contents[key]


def prepare(wanted: Iterable[tuple[str, str]], progress: Progress | None = None) -> None:
    """Have the image and the content of each of these, (board, kind of image), in the cache before
    many processes look for them at once. Raises BoardFileError, ImageError, BenchError, FlashError.
    """
    wanted = list(wanted)
    for image in dict.fromkeys(image for _, image in wanted):
        find_named(image, progress)
    for board, image in wanted:
        content_of(load_board(board), image)


def content_with(changed: Mapping[str, str], board: Board = BOARD, image: str = "stock") -> bytes:
    """The same with other texts for some modules of the firmware."""
    return flashed(board, image, {path: text.encode() for path, text in changed.items()})
