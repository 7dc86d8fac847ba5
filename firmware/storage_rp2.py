"""Where the black box and the settings lie: the raw tail of the flash (our own image), or files.

A storage has `sectors` of `sector_bytes`, in pages of 256, and:

    read(sector, page, buffer)                  fill the buffer from there on
    program(sector, page, buffer, start, end)   the bytes of buffer[start:end], which holds a whole
                                                page and 0xFF elsewhere, onto bytes that are 0xFF
    erase(sector)                               to 0xFF
    sync()                                      what has been programmed is to survive from now on
    guarantee                                   True where a power cut while the motor runs loses
                                                nothing that was programmed before it
    programming_erases                          True where `program` may take an erase's time
"""

import os

import micropython
from micropython import const

_PAGE = const(256)
_ERASE = const(6)  # ioctl MP_BLOCKDEV_IOCTL_BLOCK_ERASE

LOG_FOLDER = "/wrench_log"
SETTINGS_FILE = "/wrench_settings.bin"


@micropython.viper
def _blank(buffer: ptr8, first: int, end: int):
    while first < end:
        buffer[first] = 0xFF
        first += 1


class FlashStorage:
    """The raw region. Programming a page takes 0.4 ms (3 at worst), erasing a sector 45 ms (400 at
    worst), with interrupts off (W25Q16JV, AC characteristics).
    """

    guarantee = True
    programming_erases = False
    sector_bytes = 4096

    def __init__(self, start, length):
        import rp2

        self._flash = rp2.Flash(start=start, len=length)
        self.sectors = length // self.sector_bytes

    def read(self, sector, page, buffer):
        self._flash.readblocks(sector, buffer, page * _PAGE)

    def program(self, sector, page, buffer, start, end):
        self._flash.writeblocks(sector, buffer, page * _PAGE)

    def erase(self, sector):
        self._flash.ioctl(_ERASE, sector)

    def sync(self):
        pass


class FileStorage:
    """Sectors as files, for the stock image: 30 of up to 16 kB.

    A file system of its own moves and erases blocks when it likes, so that all of this belongs to
    a motor that is off. littlefs keeps a file as it was at its last `sync`, whatever is cut.
    """

    guarantee = False
    programming_erases = True
    sector_bytes = 16384
    sectors = 30

    def __init__(self, folder=LOG_FOLDER):
        self._folder = folder
        try:
            os.mkdir(folder)
        except OSError:
            pass
        # The file that is open, its sector and its length.
        self._file = None
        self._sector = -1
        self._length = 0
        self._writing = False
        self._there = bytearray(self.sectors)
        for entry in os.listdir(folder):
            if entry.isdigit() and int(entry) < self.sectors:
                self._there[int(entry)] = 1

    def _path(self, sector):
        return "%s/%02d" % (self._folder, sector)

    def _open(self, sector, writing):
        if self._sector == sector and (self._writing or not writing):
            return
        self.close()
        if writing:
            self._file = open(self._path(sector), "r+b" if self._there[sector] else "w+b")
            self._there[sector] = 1
        else:
            self._file = open(self._path(sector), "rb")
        self._sector = sector
        self._writing = writing
        self._length = self._file.seek(0, 2)

    def read(self, sector, page, buffer):
        size = len(buffer)
        got = 0
        at = page * _PAGE
        if self._there[sector]:
            self._open(sector, False)
            if at < self._length:
                self._file.seek(at)
                got = self._file.readinto(buffer)
        _blank(buffer, got, size)

    def program(self, sector, page, buffer, start, end):
        self._open(sector, True)
        at = page * _PAGE + start
        if self._length < at:
            self._file.seek(self._length)
            self._file.write(b"\xff" * (at - self._length))
        self._file.seek(at)
        self._file.write(memoryview(buffer)[start:end])
        self._length = max(self._length, page * _PAGE + end)

    def erase(self, sector):
        if self._sector == sector:
            self.close()
        if self._there[sector]:
            os.remove(self._path(sector))
            self._there[sector] = 0

    def sync(self):
        if self._writing:
            self.close()

    def close(self):
        """Close the open file, which keeps what was written to it."""
        if self._file:
            self._file.close()
        self._file = None
        self._sector = -1
        self._writing = False


class SettingsFile:
    """One file that holds the settings, replaced by renaming a new one onto it."""

    def __init__(self, path=SETTINGS_FILE):
        self._path = path

    def load(self, page):
        """Fill `page` from the file; returns True where there is one."""
        for k in range(len(page)):
            page[k] = 0xFF
        try:
            with open(self._path, "rb") as file:
                file.readinto(page)
        except OSError:
            return False
        return True

    def save(self, page):
        """Replace the file's content."""
        new = self._path + ".new"
        with open(new, "wb") as file:
            file.write(page)
        os.rename(new, self._path)


def open_storage():
    """The storage that this image has: (black box, settings' own)."""
    try:
        import wrench_image
    except ImportError:
        return FileStorage(), SettingsFile()
    storage = FlashStorage(wrench_image.RAW_START, wrench_image.RAW_LEN)
    return storage, storage
