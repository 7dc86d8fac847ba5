"""Records in flash sectors that are taken in turn: finding the end after a cut, writing, erasing
ahead, reading in order. `records` shows what lies where.
"""

import array
import struct

import micropython
from micropython import const

from . import framing, records
from .event_queue import restore

_PAGE = const(256)
_STORED = const(23)
_CHECKED = const(20)
_HEADER = const(20)
NO_SEQUENCE = const(0x3FFFFFFF)
_TRIES = const(2)


@micropython.viper
def word(data: ptr8, at: int) -> int:
    """Four bytes as an integer, which must be below 2^30."""
    return (
        int(data[at]) | int(data[at + 1]) << 8 | int(data[at + 2]) << 16 | int(data[at + 3]) << 24
    )


@micropython.viper
def sequence_at(stored: ptr8, at: int, base: int) -> int:
    """The sequence of an event in flash, in a sector where none is below `base`."""
    low = int(stored[at]) | int(stored[at + 1]) << 8 | int(stored[at + 2]) << 16
    return base + ((low - base) & 0xFFFFFF)


@micropython.viper
def same(a: ptr8, a_at: int, b: ptr8, b_at: int, count: int) -> int:
    k = 0
    while k < count:
        if a[a_at + k] != b[b_at + k]:
            return 0
        k += 1
    return 1


@micropython.viper
def is_blank(data: ptr8, start: int, end: int) -> int:
    """1 where data[start:end] is 0xFF."""
    while start < end:
        if data[start] != 0xFF:
            return 0
        start += 1
    return 1


_FILLED = bytearray(b"\xff" * 256)


def fill(page):
    """0xFF to the first 256 bytes."""
    framing.copy(_FILLED, 0, page, 0, _PAGE)


def page_is_blank(page):
    """True where all 256 bytes are 0xFF."""
    return page == _FILLED


def sector_is_blank(storage, sector, page):
    for k in range(storage.sector_bytes // _PAGE):
        storage.read(sector, k, page)
        if not page_is_blank(page):
            return False
    return True


class Ring:
    """Records of one size in sectors taken in turn; sectors up to `top` are erased."""

    def __init__(self, storage, kind, first, sectors, record_bytes, room):
        self._storage = storage
        self._kind = kind
        self.first = first
        self.sectors = sectors
        self.record_bytes = record_bytes
        self.room = room
        self.per_page = _PAGE // record_bytes
        self.slots = self.per_page * (storage.sector_bytes // _PAGE)
        self.number = 0  # of the sector that is written to, 0 for none yet
        self.slot = 1
        self.top = 0
        self.numbers = array.array("i", [0] * sectors)  # 0: no valid header
        self.bases = array.array("i", [0] * sectors)
        self.firsts = array.array("i", [-1] * sectors)  # sequence of the first record, -1: none
        self._tries = 0
        self._check = bytearray(_PAGE)
        self.bad_programs = 0
        self.bad_erases = 0

    def page_of(self, slot):
        """Page, in its sector, of the slot."""
        return slot // self.per_page

    def offset_of(self, slot):
        """Where in its page the slot begins."""
        return slot % self.per_page * self.record_bytes

    def recover(self):
        """Find what is there. Nothing is written."""
        check = self._check
        sectors = self.sectors
        for i in range(sectors):
            self._storage.read(self.first + i, 0, check)
            number = self._header(check)
            if number > 0 and number % sectors == i:
                self.numbers[i] = number
                self.bases[i] = word(check, 12)
                self.top = max(self.top, number)
        for i in range(sectors):
            if self.numbers[i] <= self.top - sectors:
                self.numbers[i] = 0
        number = self.top
        fresh = 0
        while number > max(0, self.top - sectors):
            i = number % sectors
            if self.numbers[i] == number:
                slot = self._end(i)
                if slot > 1:
                    self.number = number
                    self.slot = slot
                    return
                fresh = number
            number -= 1
        self.number = fresh
        self.slot = 1

    def _header(self, page):
        if not framing.crc_matches(page, _HEADER, framing.CRC_TABLE):
            return 0
        magic, kind, size, _, number, base, _ = struct.unpack_from(records.HEADER_FORMAT, page, 0)
        known = magic == records.HEADER_MAGIC and kind == self._kind
        if not known or size != self.record_bytes & 0xFF or max(number, base) >= NO_SEQUENCE:
            return 0
        return number

    def _end(self, i):
        """The slot behind the last one that is not blank; 1 in an erased sector."""
        check = self._check
        size = self.record_bytes
        page = self._storage.sector_bytes // _PAGE - 1
        while page >= 0:
            self._storage.read(self.first + i, page, check)
            k = self.per_page
            while k:
                if not is_blank(check, (k - 1) * size, k * size):
                    return page * self.per_page + k
                k -= 1
            page -= 1
        return 1

    def next_number(self, number):
        """The number of the next valid sector, or 0."""
        while number < self.top:
            number += 1
            if self.numbers[number % self.sectors] == number:
                return number
        return 0

    def oldest_number(self):
        """The number of the oldest valid sector, or 0."""
        return self.next_number(max(0, self.top - self.sectors))

    def free(self):
        """How many records have room without an erase."""
        count = self.slots - self.slot if self.number else 0
        number = self.next_number(self.number)
        while number and self.number:
            count += self.slots - 1
            number = self.next_number(number)
        return count

    def position(self):
        """True where `slot` of sector `number` can be written."""
        if self.number and self.slot < self.slots:
            return True
        number = self.next_number(self.number)
        if not number:
            return False
        self.number = number
        self.slot = 1
        return True

    def write(self, page, count, sequence):
        """Program `count` records that lie in `page` (256 bytes, 0xFF elsewhere) where they
        belong; True where they read back.
        """
        i = self.number % self.sectors
        sector = self.first + i
        at = self.page_of(self.slot)
        start = self.offset_of(self.slot)
        self._storage.program(sector, at, page, start, start + count * self.record_bytes)
        self._storage.sync()
        self._storage.read(sector, at, self._check)
        if not same(self._check, start, page, start, count * self.record_bytes):
            self.bad_programs += 1
            self.slot = (at + 1) * self.per_page
            return False
        if self.firsts[i] < 0:
            self.firsts[i] = sequence
        self.slot += count
        return True

    def erase_ahead(self, sequence):
        """Erase one sector where room is short: the oldest. `sequence` is the next one given.

        True where it has; its header is written when it is seen to be blank.
        """
        if self.free() >= self.room:
            return False
        number = max(self.top, self.sectors - 1) + 1
        if self.number and number >= self.number + self.sectors:
            return False
        i = number % self.sectors
        self.numbers[i] = 0
        self.firsts[i] = -1
        sector = self.first + i
        self._storage.erase(sector)
        check = self._check
        if sector_is_blank(self._storage, sector, check):
            fill(check)
            struct.pack_into(
                "<IBBHII",
                check,
                0,
                records.HEADER_MAGIC,
                self._kind,
                self.record_bytes & 0xFF,
                0,
                number,
                sequence,
            )
            framing.append_crc(check, _HEADER - 4, framing.CRC_TABLE)
            self._storage.program(sector, 0, check, 0, _HEADER)
            self._storage.sync()
            self._storage.read(sector, 0, check)
            if self._header(check) == number:
                self.numbers[i] = number
                self.bases[i] = sequence
                self.top = number
                self._tries = 0
                if not self.number:
                    self.number = number
                    self.slot = 1
                return True
        self.bad_erases += 1
        self._tries += 1
        if self._tries >= _TRIES:
            self._tries = 0
            self.top = number  # a worn sector is passed over until its turn comes again
        return True


class Cursor:
    """Goes through the valid events of a ring in order. `sequence` is the present one's."""

    def __init__(self, storage, ring):
        self._storage = storage
        self._ring = ring
        self._page = bytearray(_PAGE)
        self._checked = bytearray(_CHECKED + 4)
        self._held = -1
        self._number = 0
        self._slot = 0
        self._last = -1
        self._from = 0
        self.sequence = NO_SEQUENCE

    def to(self, wanted):
        """Go to the first event from sequence `wanted` on; cheap where that is the next one."""
        ring = self._ring
        self._held = -1
        number = self._number
        if wanted < self._from or not number or ring.numbers[number % ring.sectors] != number:
            start = number = ring.oldest_number()
            while number and number <= ring.number:
                first = ring.firsts[number % ring.sectors]
                if first > wanted:
                    break
                if first >= 0:
                    start = number
                number = ring.next_number(number)
            self.enter(start)
        elif self.sequence == NO_SEQUENCE:
            self.next()  # there may be new ones
        while self.sequence < wanted:
            self.next()
        self._from = wanted

    def enter(self, number):
        """Go to the first event of a sector, or of the next one that has any."""
        self._number = number
        self._slot = 0
        self._held = -1
        self._last = -1
        self.next()

    def next(self):
        """Go to the next valid event; `sequence` is NO_SEQUENCE where there is none."""
        ring = self._ring
        number = self._number
        self._from = self._last + 1
        while number and number <= ring.number:
            i = number % ring.sectors
            end = ring.slot if number == ring.number else ring.slots
            while self._slot + 1 < end:
                self._slot += 1
                if self._valid(i, number):
                    at = ring.offset_of(self._slot)
                    sequence = sequence_at(self._page, at, ring.bases[i])
                    if self._last < sequence < NO_SEQUENCE:
                        self._number = number
                        self._last = self.sequence = sequence
                        return
            following = ring.next_number(number)
            if not following or following > ring.number:
                break
            number = following
            self._slot = 0
        self._number = number
        self.sequence = NO_SEQUENCE

    def _valid(self, i, number):
        ring = self._ring
        page = ring.page_of(self._slot)
        if self._held != number * 64 + page:
            self._storage.read(ring.first + i, page, self._page)
            self._held = number * 64 + page
        at = ring.offset_of(self._slot)
        checked = self._checked
        framing.copy(self._page, at, checked, 0, _CHECKED)
        framing.append_crc(checked, _CHECKED, framing.CRC_TABLE)
        return same(self._page, at + _CHECKED, checked, _CHECKED, _STORED - _CHECKED)

    def copy(self, buffer, at):
        """The present event to buffer[at:], as it is read out."""
        ring = self._ring
        base = ring.bases[self._number % ring.sectors]
        restore(self._page, ring.offset_of(self._slot), base, buffer, at)

    @property
    def boot(self):
        """Boot count of the present event."""
        at = self._ring.offset_of(self._slot) + 9
        return self._page[at] | self._page[at + 1] << 8
