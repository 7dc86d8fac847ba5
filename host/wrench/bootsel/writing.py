"""Writing an image through the boot ROM: only what differs, verified, and in an order that a cut
does not hurt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wrench.bootsel.picoboot import FLASH_START, SECTOR_BYTES, Picoboot
from wrench.errors import FlashError

FLASH_BYTES = 2 << 20
_BLOCK_BYTES = 65_536  # the most in one command: a bar should move
_BLANK = b"\xff"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Written:
    """What was done: bytes written, of those in the image."""

    written_bytes: int
    image_bytes: int


def write_image(
    board: Picoboot, image: bytes, progress: Progress = lambda done, all_: None
) -> Written:
    """Bring flash from its start on to `image`, and read it back.

    The first sector, which the boot ROM looks at, is erased before all others and written after
    them: a board that loses power in between comes up in BOOTSEL by itself. `progress` is called
    with bytes done and bytes in all. Raises FlashError.
    """
    wanted = image.ljust(-(-len(image) // SECTOR_BYTES) * SECTOR_BYTES, _BLANK)
    present = _read(board, len(wanted))
    stale = [at for at in range(0, len(wanted), SECTOR_BYTES) if _differs(wanted, present, at)]
    if not stale:
        return Written(0, len(image))
    order = [at for at in stale if at] + [0]
    total = len(order) * SECTOR_BYTES
    board.erase(FLASH_START, SECTOR_BYTES)
    for done, at in enumerate(order):
        if at:
            board.erase(FLASH_START + at, SECTOR_BYTES)
        else:
            _check(_read(board, len(wanted))[SECTOR_BYTES:], wanted[SECTOR_BYTES:])
        board.write(FLASH_START + at, wanted[at : at + SECTOR_BYTES])
        progress((done + 1) * SECTOR_BYTES, total)
    _check(_read(board, SECTOR_BYTES), wanted[:SECTOR_BYTES])
    return Written(total, len(image))


def erase_all(board: Picoboot, progress: Progress = lambda done, all_: None) -> None:
    """Erase the whole flash chip of a Pico, 2 MiB: image, files, settings and black box.

    Raises FlashError.
    """
    for at in range(0, FLASH_BYTES, _BLOCK_BYTES):
        board.erase(FLASH_START + at, _BLOCK_BYTES)
        progress(at + _BLOCK_BYTES, FLASH_BYTES)


def _check(present: bytes, wanted: bytes) -> None:
    if present != wanted:
        raise FlashError(
            "the image did not arrive whole; flash again, with another cable if it persists"
        )


def _read(board: Picoboot, length: int) -> bytes:
    pieces = range(0, length, _BLOCK_BYTES)
    return b"".join(board.read(FLASH_START + at, min(_BLOCK_BYTES, length - at)) for at in pieces)


def _differs(wanted: bytes, present: bytes, at: int) -> bool:
    return wanted[at : at + SECTOR_BYTES] != present[at : at + SECTOR_BYTES]
