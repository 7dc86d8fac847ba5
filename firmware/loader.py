"""Imports the firmware out of one file: /lib/wrench.pack, /lib/wrench_index.mpy says what is where.

On the filesystem each import of a small module costs 15 ms of looking for it and 6 ms a kB of
reading it in crumbs: for 40 modules more than the second within which the board is to be up. From
the pack it is read in larger pieces, and its place is known.
"""

import gc
import io
import os
import sys

from wrench_index import FILES, FOLDERS  # pyright: ignore[reportMissingImports]

_PACK = "/lib/wrench.pack"
_MOUNT = "/firmware"


_PIECE = 255  # bytes, the most that MicroPython asks for
_GET_BUFFER_SIZE = 11  # MP_STREAM_GET_BUFFER_SIZE
# What is left over by imports would scatter what stays over the whole heap: of 47 kB free in the
# end, no piece had 1 kB. 20 ms each time.
_COLLECT_AFTER = 49152


# Made once: an import asks four times, and what it leaves behind has to be collected.
_FILE = (0x8000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
_FOLDER = (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
_ABSENT = OSError(2)


class _Module(io.IOBase):
    """The bytes of one module. Imports do not overlap: its code is read before any of it runs."""

    def __init__(self, file, size):
        self._file = file
        self._left = size

    def readinto(self, buffer):
        """Called by the import."""
        if self._left < len(buffer):
            buffer = memoryview(buffer)[: self._left]
        self._left -= len(buffer)
        return self._file.readinto(buffer)

    def ioctl(self, request, argument):
        """Called by the import."""
        return _PIECE if request == _GET_BUFFER_SIZE else 0


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
        if path in FILES:
            return _FILE
        if path in FOLDERS:
            return _FOLDER
        raise _ABSENT

    def open(self, path, mode):
        """A module's bytes."""
        offset, size = FILES[path]
        # By way of the beginning: littlefs 2.5 to 2.10.0 (MicroPython 1.25 has 2.8) reads the wrong
        # block after a seek from the end of one (littlefs #1058).
        self._file.seek(0)
        self._file.seek(offset)
        return _Module(self._file, size)


def release():
    """Everything has been imported and made: give the memory back."""
    os.umount(_MOUNT)  # pyright: ignore[reportAttributeAccessIssue]
    sys.path.remove(_MOUNT)
    FILES.clear()
    gc.threshold(-1)  # pyright: ignore[reportAttributeAccessIssue]


gc.threshold(_COLLECT_AFTER)  # pyright: ignore[reportAttributeAccessIssue]
os.mount(_Pack(), _MOUNT)  # pyright: ignore[reportAttributeAccessIssue]
sys.path.insert(0, _MOUNT)
