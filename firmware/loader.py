"""Imports the firmware out of one file: /lib/wrench.pack, /lib/wrench_index.mpy says what is where.

On the filesystem each import of a small module costs 15 ms of looking for it and 6 ms a kB of
reading it in crumbs: for 40 modules more than the second within which the board is to be up. From
the pack it is read at once, and its place is known.
"""

import io
import os
import sys

from wrench_index import FILES, FOLDERS  # pyright: ignore[reportMissingImports]

_PACK = "/lib/wrench.pack"
_MOUNT = "/firmware"


class _Pack:
    """A read-only filesystem with what MicroPython's import asks for."""

    def __init__(self):
        self._file = open(_PACK, "rb")

    def mount(self, readonly, mkfs):
        """Called by `os.mount`."""

    def umount(self):
        """Called by `os.umount`."""
        self._file.close()

    def stat(self, path):
        """What `os.stat` gives: a file, a folder, or OSError."""
        path = path.strip("/")
        if path in FILES:
            return (0x8000, 0, 0, 0, 0, 0, FILES[path][1], 0, 0, 0)
        if path in FOLDERS:
            return (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        raise OSError(2)

    def open(self, path, mode):
        """A module's bytes."""
        offset, size = FILES[path.strip("/")]
        self._file.seek(offset)
        return io.BytesIO(self._file.read(size))


def release():
    """Everything has been imported and made: give the memory back."""
    os.umount(_MOUNT)  # pyright: ignore[reportAttributeAccessIssue]
    sys.path.remove(_MOUNT)
    FILES.clear()


os.mount(_Pack(), _MOUNT)  # pyright: ignore[reportAttributeAccessIssue]
sys.path.insert(0, _MOUNT)
