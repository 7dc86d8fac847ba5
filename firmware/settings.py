"""What an operator has set and what the machine has earned, kept over power cuts.

Pure: the store is given. A cut leaves the old values or the new ones. In the raw region, values are
written as one page behind the newest one, in turn in two sectors; the other sector is erased only
when this one is full, and holds older values. On the stock image they are a file that is replaced
by renaming. Saved only while the motor is off: an erase may be due.

A page: magic, schema version, bytes in all, number of the save, the schema's values as int32, and
the CRC-32/ISO-HDLC of all that; the rest is 0xFF.
"""

import array
import struct

import micropython
from micropython import const

from . import framing, records

_MAGIC = const(0x31537257)  # "WrS1"
_PAGE = const(256)
_HEAD = const(12)
_HEAD_FORMAT = "<IHHI"
_MOST_SAVES = const(0x3FFFFFFF)
_TRIES = const(3)

VERSION = const(2)

OPERATOR_CEILING = const(0)
PROBATION_STEP = const(1)
PROBATION_HEALTHY_MS = const(2)
PROBATION_HOLD = const(3)
BEARINGS = const(4)
BOOTS = const(5)
RUN_SECONDS = const(6)
LEVELS = const(7)
COUNT = const(8)

MOST_LEVELS = const(24)

# name, unit, factory value, least, most. The order is that of the constants above.
TABLE = (
    ("ceiling_permille", "1/1000 of rated speed, the operator's lasting limit", 1000, 0, 1000),
    ("probation_step", "caps of the board's probation passed", 0, 0, 15),
    ("probation_healthy_ms", "ms of healthy running in this step", 0, 0, 0x3FFFFFFF),
    ("probation_hold", "step of the probation not passed; 15: none", 15, 0, 15),
    ("bearings", "bearings installed", 0, 0, 65535),
    ("boots", "boots, modulo 65536, when last saved", 0, 0, 65535),
    ("run_seconds", "s that the motor was driven, in all", 0, 0, 0x3FFFFFFF),
    ("levels", "pairs of (level, value) that follow", 0, 0, MOST_LEVELS),
)

# The fields of each schema version, in order; 24 pairs follow those of version 2.
_FIELDS = {
    1: ("ceiling_permille", "probation_step", "probation_healthy_ms", "run_seconds"),
    2: tuple([row[0] for row in TABLE]),
}
_PAIRS = {1: 0, 2: MOST_LEVELS}

FRESH = const(0)
LOADED = const(1)
MIGRATED = const(2)
CORRUPT = const(3)


class PagedStore:
    """Two sectors of a raw storage, from sector `first` on."""

    def __init__(self, storage, first=0):
        self._storage = storage
        self._first = first
        self._pages = storage.sector_bytes // _PAGE
        self._sector = 0  # with the newest page
        self._next = 0  # page in it that is free
        self._blank = True

    def load(self, page, valid):
        """Fill `page` with the one for which `valid` (0: it is not) is highest; True where there is
        one.
        """
        best = 0
        where = -1
        for sector in range(records.SETTINGS_SECTORS):
            for k in range(self._pages):
                self._storage.read(self._first + sector, k, page)
                if not _is_blank(page):
                    number = valid(page)
                    if number > best:
                        best = number
                        where = sector * self._pages + k
        if where < 0:
            # Whatever is there is erased before the first save.
            self._sector = 1
            self._next = self._pages
            return False
        self._sector = where // self._pages
        self._next = self._pages
        while self._next:
            self._storage.read(self._first + self._sector, self._next - 1, page)
            if not _is_blank(page):
                break
            self._next -= 1
        self._storage.read(self._first + self._sector, where % self._pages, page)
        return True

    def save(self, page, check):
        """Write `page` behind the newest one; `check` is another page, to read it back. Raises
        OSError where the flash does not keep it.
        """
        for _ in range(_TRIES):
            if self._next >= self._pages:
                self._sector = 1 - self._sector
                self._storage.erase(self._first + self._sector)
                self._next = 0
            self._next += 1
            self._storage.program(self._first + self._sector, self._next - 1, page, 0, _PAGE)
            self._storage.sync()
            self._storage.read(self._first + self._sector, self._next - 1, check)
            if page == check:
                return
        raise OSError(5)


class FileStore:
    """`storage_rp2.SettingsFile`."""

    def __init__(self, file):
        self._file = file

    def load(self, page, valid):
        return self._file.load(page) and valid(page) > 0

    def save(self, page, check):
        self._file.save(page)
        if not self._file.load(check) or page != check:
            raise OSError(5)


@micropython.viper
def _is_blank(page: ptr8) -> int:
    k = 0
    while k < _PAGE:
        if page[k] != 0xFF:
            return 0
        k += 1
    return 1


class Settings:
    """The values of `TABLE`, by index in `values`, and the pairs in `levels`.

    `store` is a PagedStore or a FileStore; `ceiling_permille` the factory value of the operator's
    limit, which is the board's cap. `corrupt` is True where values were there and none can
    be read: the factory's are in force, and the board must not run before a person has seen it.
    """

    def __init__(self, store, ceiling_permille=1000):
        self._store = store
        self._ceiling_permille = ceiling_permille
        self.values = array.array("i", [self.factory(k) for k in range(COUNT)])
        self.levels = array.array("i", [0] * (2 * MOST_LEVELS))
        self.corrupt = False
        self._number = 0
        self._page = bytearray(_PAGE)
        self._check = bytearray(_PAGE)

    def load(self, used):
        """Read what was saved. `used`: the black box finds its records beside it
        (`BlackBox.recover`), so that something must have been.

        Returns FRESH (a new board: save before the black box erases anything), LOADED, MIGRATED
        (from an older schema; not yet saved) or CORRUPT.
        """
        self._defaults()
        self._number = 0
        self.corrupt = False
        if not self._store.load(self._page, self._valid):
            self.corrupt = used
            return CORRUPT if used else FRESH
        version = self._take()
        return LOADED if version == VERSION else MIGRATED

    def _defaults(self):
        for k in range(COUNT):
            self.values[k] = self.factory(k)
        for k in range(2 * MOST_LEVELS):
            self.levels[k] = 0

    def _valid(self, page):
        """The number of the save in a page, or 0."""
        magic, version, length, number = struct.unpack_from(_HEAD_FORMAT, page, 0)
        if magic != _MAGIC or version not in _FIELDS or not 0 < number <= _MOST_SAVES:
            return 0
        if length != _HEAD + 4 * len(_FIELDS[version]) + 8 * _PAIRS[version] + 4:
            return 0
        return number if framing.crc_matches(page, length, framing.CRC_TABLE) else 0

    def _take(self):
        page = self._page
        _, version, _, self._number = struct.unpack_from(_HEAD_FORMAT, page, 0)
        at = _HEAD
        for name in _FIELDS[version]:
            for k in range(COUNT):
                if TABLE[k][0] == name:
                    # A later firmware's range may be narrower than that which saved it.
                    value = struct.unpack_from("<i", page, at)[0]
                    self.values[k] = max(TABLE[k][3], min(value, TABLE[k][4]))
            at += 4
        for k in range(2 * _PAIRS[version]):
            self.levels[k] = struct.unpack_from("<i", page, at + 4 * k)[0]
        return version

    def get(self, index):
        """A value."""
        return self.values[index]

    def factory(self, index):
        """Its factory value."""
        return self._ceiling_permille if index == OPERATOR_CEILING else TABLE[index][2]

    def least(self, index):
        """Its least."""
        return TABLE[index][3]

    def most(self, index):
        """Its most."""
        return TABLE[index][4]

    def set(self, index, value):
        """Change a value in RAM; False, and no change, where it is out of its range."""
        row = TABLE[index]
        if not row[3] <= value <= row[4]:
            return False
        self.values[index] = value
        return True

    def save(self):
        """Write the values; only while the motor is off (a page, now and then an erase as well).

        Raises OSError where they cannot be kept; the old ones are then still there.
        """
        if self._number == 0:
            self._save()  # from the start there are two to choose from
        self._save()
        self.corrupt = False

    def _save(self):
        page = self._page
        for k in range(_PAGE):
            page[k] = 0xFF
        length = _HEAD + 4 * COUNT + 8 * MOST_LEVELS + 4
        number = self._number + 1
        struct.pack_into(_HEAD_FORMAT, page, 0, _MAGIC, VERSION, length, number)
        at = _HEAD
        for k in range(COUNT):
            struct.pack_into("<i", page, at, self.values[k])
            at += 4
        for k in range(2 * MOST_LEVELS):
            struct.pack_into("<i", page, at, self.levels[k])
            at += 4
        framing.append_crc(page, at, framing.CRC_TABLE)
        self._store.save(page, self._check)
        self._number = number

    def factory_reset(self):
        """The factory's values, saved; the counters of boots, bearings and running time stay."""
        kept = self.values[BEARINGS], self.values[BOOTS], self.values[RUN_SECONDS]
        self._defaults()
        self.values[BEARINGS], self.values[BOOTS], self.values[RUN_SECONDS] = kept
        self.save()


def open_settings(store, ceiling_permille=1000):
    """Settings on the second of what `storage_rp2.open_storage` gives."""
    paged = hasattr(store, "program")
    return Settings(PagedStore(store) if paged else FileStore(store), ceiling_permille)
