"""The emulated board's flash chip between two runs: one file for each board, so that a flashed
board stays flashed.

A file is the chip's content followed by its SHA-256. It is replaced in one go, so that whatever
ends the bench leaves a whole one.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from wrench.bench.emulator import FLASH_BYTES
from wrench.cache import cache_folder
from wrench.lock import Lock, hold

_DIGEST_BYTES = 32


class FlashFile:
    """The first flash file of a board that no other bench works on, held until `release`.

    The second bench of the same board at the same time gets another file, and so on: they are
    different boards.
    """

    def __init__(self, board_name: str) -> None:
        folder = cache_folder("flash")
        number = 1
        while True:
            stem = board_name if number == 1 else f"{board_name}.{number}"
            lock = hold(folder / f"{stem}.lock")
            if lock is not None:
                break
            number += 1
        self._lock: Lock = lock
        self.number = number
        self.path: Path = folder / f"{stem}.flash"

    def load(self) -> tuple[bytes | None, str | None]:
        """The content, or None where there is none, and what there is to say about it.

        A file that is not whole is set aside under another name.
        """
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return None, None
        except OSError as error:
            return None, f"{self.path} cannot be read ({error.strerror}): the board starts bare."
        content = raw[:-_DIGEST_BYTES]
        if len(content) == FLASH_BYTES and _sealed(content) == raw:
            return content, None
        aside = self.path.with_suffix(f".damaged-{time.time_ns()}")
        self.path.replace(aside)
        what = "damaged" if len(raw) == FLASH_BYTES + _DIGEST_BYTES else f"{len(raw)} bytes long"
        return None, f"The board's flash file was {what} and is now {aside}: the board starts bare."

    def save(self, content: bytes) -> None:
        """Keep this content from now on."""
        staged = self.path.with_suffix(".new")
        staged.write_bytes(_sealed(content))
        staged.replace(self.path)

    def release(self) -> None:
        """Let another bench have the file."""
        self._lock.release()

    def __enter__(self) -> FlashFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _sealed(content: bytes) -> bytes:
    return content + hashlib.sha256(content).digest()
