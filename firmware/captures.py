"""Waveforms around the last trips, and how things stood then."""

import array
import struct

from micropython import const

from . import event_queue, framing, records
from .rings import Ring, fill, sector_is_blank, word

ABSENT = const(0)
TORN = const(1)
COMPLETE = const(2)

_PAGE = const(256)
_TRIES = const(2)
_NO_SAMPLES = bytearray()


class Captures:
    """Slots for waveforms, and their directory.

    A slot is marked before its erase and when it has been found blank; a capture is entered in the
    directory when it begins and when it is whole. What a cut leaves is one of those four.
    """

    def __init__(self, box):
        self._box = box
        self._storage = box._storage
        layout = box.layout
        self._layout = layout
        self.slots = layout.slots
        self._ring = Ring(
            box._storage,
            records.DIRECTORY_RING,
            layout.directory,
            layout.directory_sectors,
            _PAGE,
            records.DIRECTORY_ROOM,
        )
        self.states = array.array("i", [ABSENT] * layout.slots)
        self._places = array.array("i", [0] * layout.slots)
        self._last = 0  # number of the last capture
        self._ready = 0  # the number for which a slot is erased
        self._marked = 0
        self._erased = 0  # sectors of the next slot
        self._phase = 0
        self._head = bytearray(_PAGE + 4)
        self._head_view = memoryview(self._head)[:_PAGE]
        self._chain = bytearray(12)
        self._check = bytearray(_PAGE)
        self._samples = _NO_SAMPLES
        self._ring_bytes = 0
        self._from = 0
        self._done = 0
        self._bytes = 0
        self._tries = 0

    def recover(self):
        """Find what is there."""
        ring = self._ring
        ring.recover()
        number = ring.oldest_number()
        check = self._check
        while number and number <= ring.number:
            end = ring.slot if number == ring.number else ring.slots
            for slot in range(1, end):
                self._storage.read(ring.first + number % ring.sectors, slot, check)
                if framing.crc_matches(check, _PAGE, framing.CRC_TABLE):
                    self._enter(number * ring.slots + slot)
            number = ring.next_number(number)

    def _enter(self, place):
        check = self._check
        kind = check[0]
        capture = word(check, 4)
        slot = capture % self.slots
        if kind == records.ERASING:
            self.states[slot] = ABSENT
            self._marked = capture
        elif kind == records.ERASED:
            self._ready = capture
        elif kind in (records.BEGUN, records.ENDED):
            self.states[slot] = COMPLETE if kind == records.ENDED else TORN
            self._places[slot] = place
            self._last = max(self._last, capture)

    def start(
        self,
        samples,
        ring_triples,
        first,
        triples,
        quantities,
        sequence,
        fault,
        rate_hz,
        scale_ug,
    ):
        """See `BlackBox.capture`."""
        box = self._box
        number = self._last + 1
        head = self._head
        fill(head)
        self._samples = samples
        self._ring_bytes = ring_triples * records.TRIPLE_BYTES
        self._from = first * records.TRIPLE_BYTES
        self._done = 0
        self._bytes = min(triples, records.MOST_TRIPLES) * records.TRIPLE_BYTES
        count = min(len(quantities), records.MOST_QUANTITIES)
        struct.pack_into("<BBHI", head, 0, 0, number % self.slots, box.boot, number)
        box._clock(head, 8)
        struct.pack_into(
            "<IIIHBB",
            head,
            16,
            sequence,
            rate_hz,
            scale_ug,
            self._bytes // records.TRIPLE_BYTES,
            fault,
            count,
        )
        for k in range(count):
            struct.pack_into("<i", head, records.CAPTURE_HEAD_BYTES + 4 * k, quantities[k])
        for k in range(12):
            self._chain[k] = 0
        self._phase = 1

    def step(self, page):
        """Program one page; False where that must wait for an erase."""
        number = self._last + 1
        if self._phase == 1:
            if self._ready != number:
                return False
            if not self._note(records.BEGUN):
                return False
            self._ready = 0
            self._phase = 2
            return True
        if self._phase == 2 and self._done < self._bytes:
            self._data(page, (number % self.slots) * self._layout.slot_sectors)
            return True
        framing.copy(self._chain, 0, self._head, 32, 4)
        if not self._note(records.ENDED):
            return False
        self._last = number
        self._phase = 0
        self._samples = _NO_SAMPLES
        self._box._state[event_queue.CAPTURING] = 0
        return True

    def _data(self, page, slot_sector):
        count = min(_PAGE, self._bytes - self._done)
        samples = self._samples
        size = self._ring_bytes
        at = self._from + self._done
        if at >= size:
            at -= size
        fill(page)
        head = min(count, size - at)
        framing.copy(samples, at, page, 0, head)
        framing.copy(samples, 0, page, head, count - head)
        place = self._done // _PAGE
        pages = self._storage.sector_bytes // _PAGE
        sector = self._layout.captures + slot_sector + place // pages
        self._storage.program(sector, place % pages, page, 0, _PAGE)
        self._done += count
        # The page's CRC behind what was before, and the CRC of both in its place.
        whole = self._box._page
        framing.append_crc(whole, _PAGE, framing.CRC_TABLE)
        framing.copy(whole, _PAGE, self._chain, 4, 4)
        framing.append_crc(self._chain, 8, framing.CRC_TABLE)
        framing.copy(self._chain, 8, self._chain, 0, 4)

    def _note(self, kind):
        """Enter the head in the directory as `kind`."""
        ring = self._ring
        if not ring.position():
            return False
        head = self._head
        head[0] = kind
        framing.append_crc(head, records.CAPTURE_CHECKED_BYTES, framing.CRC_TABLE)
        number = self._last + 1
        place = ring.number * ring.slots + ring.slot
        if not ring.write(self._head_view, 1, number):
            return False
        slot = number % self.slots
        if kind >= records.BEGUN:
            self.states[slot] = COMPLETE if kind == records.ENDED else TORN
            self._places[slot] = place
        return True

    def erase_ahead(self, page):
        """Make the next slot ready, one sector or one mark a call; True where it did something."""
        if self._ring.erase_ahead(self._last + 1):
            return True
        number = self._last + 1
        if self._phase > 1 or self._ready == number:
            return False
        slot = number % self.slots
        if self._erased == 0:
            self.states[slot] = ABSENT
            if self._marked != number and self._mark(records.ERASING, number):
                self._marked = number
                return True
        if self._erased < self._layout.slot_sectors:
            sector = self._layout.slot_sector(slot) + self._erased
            self._storage.erase(sector)
            if not sector_is_blank(self._storage, sector, page):
                self._ring.bad_erases += 1
                self._tries += 1
                if self._tries < _TRIES:
                    return True
            self._tries = 0
            self._erased += 1  # what a worn sector spoils is seen by the check of the data
            return True
        if self._mark(records.ERASED, number):
            self._ready = number
            self._erased = 0
            return True
        return False

    def _mark(self, kind, number):
        ring = self._ring
        if not ring.position():
            return False
        page = self._box._page
        fill(page)
        struct.pack_into("<BBHI", page, 0, kind, number % self.slots, self._box.boot, number)
        framing.append_crc(page, records.CAPTURE_CHECKED_BYTES, framing.CRC_TABLE)
        return ring.write(self._box._page_view, 1, number)

    def size(self, slot):
        """Bytes of a slot: the directory's page and the waveform; 0 where it is empty."""
        if self.states[slot] == ABSENT:
            return 0
        self._read_page(slot, 0)
        triples = self._check[30] | self._check[31] << 8
        return _PAGE + min(triples, records.MOST_TRIPLES) * records.TRIPLE_BYTES

    def _read_page(self, slot, page):
        """Page 0 is the directory's."""
        check = self._check
        if page == 0:
            ring = self._ring
            place = self._places[slot]
            sector = ring.first + place // ring.slots % ring.sectors
            self._storage.read(sector, place % ring.slots, check)
            return
        pages = self._storage.sector_bytes // _PAGE
        sector = self._layout.slot_sector(slot) + (page - 1) // pages
        self._storage.read(sector, (page - 1) % pages, check)

    def copy(self, slot, offset, buffer, at, most):
        """See `BlackBox.read_capture`."""
        most = min(most, self.size(slot) - offset)
        done = 0
        while done < most:
            self._read_page(slot, (offset + done) // _PAGE)
            start = (offset + done) % _PAGE
            count = min(most - done, _PAGE - start)
            framing.copy(self._check, start, buffer, at + done, count)
            done += count
        return done
