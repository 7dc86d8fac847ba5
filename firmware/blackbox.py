"""What happened, and how the machine shook when it stopped: kept over resets and power cuts.

Pure: storage and clock are given. `append` and `trip` only queue, in RAM, and may be called from
the control tick as from the loop; `service` moves one page at most to flash, when the caller says
that the core can spare it (interrupts are off for 0.4 ms, 3 ms at worst). Room is erased ahead by
`erase_ahead`, one sector a call, while the motor is off. Where room runs out before that, events
wait in RAM, trips still have theirs. `records` shows what lies where.

A record that a power cut tore fails its CRC and is passed over, its place is not used again, and
nothing that can be read is ever written to. A page is read back after it has been programmed; what
differs is written again elsewhere.

An event that comes again within 10 s is not written by itself: it opens a group, which counts in
RAM and is written once after a minute, then after two, four, up to half an hour while the event
goes on.

Costs on the RP2040, emulated at 125 MHz, no XIP cache misses (`test_storage_on_chip.py` prints
them); nothing is allocated:

    append                        8,100 cycles; 5,000 where it is counted in a group
    service, nothing to do        1,900; 2,100 on average while a group counts
    service, one event to flash   163,000 (1.3 ms), of which the call to program a page is 77,000;
                                  interrupts are off in that alone
    service, a page of a capture  180,000 (1.4 ms)
    service, a sector erased      47.5 ms
    read                          62,000 an event, and 1,000,000 (8 ms) to find the first one
    recover, 64 sectors           504,000 (4 ms) where little has been written
"""

import array

import micropython
from micropython import const

from . import framing, records
from .captures import Captures
from .event_queue import (
    BOOT,
    CAPTURING,
    EVENTS,
    GROUP_BYTES,
    GROUP_WORDS,
    GROUPS,
    LOST,
    OPEN,
    SEQUENCE,
    STATE_WORDS,
    TRIPS,
    UNTOLD,
    close_one,
    drop,
    entry,
    first_from,
    gather,
    pending,
    put,
    store,
    untold,
)
from .rings import NO_SEQUENCE, Cursor, Ring, fill, word

NOTHING = const(0)
PROGRAMMED = const(1)
ERASED = const(2)

_PAGE = const(256)
_EVENT = const(24)
_STORED = const(23)
_CHECKED = const(20)
_QUEUED_EVENTS = const(64)
_QUEUED_TRIPS = const(8)


class BlackBox:
    """The event log and the captures of one board.

    `storage` is one of `storage_rp2`; `clock(target, at)` writes the device time in us as
    64 bits, little-endian, to target[at:]. Call `recover`, then `start`, then the rest.
    """

    def __init__(self, storage, clock):
        self._storage = storage
        self._clock = clock
        self.guarantee = storage.guarantee
        self.layout = layout = records.Layout(storage.sectors, storage.sector_bytes)
        self._trips = Ring(
            storage,
            records.TRIPS_RING,
            layout.trips,
            layout.trips_sectors,
            _STORED,
            records.TRIPS_ROOM,
        )
        self._events = Ring(
            storage,
            records.EVENTS_RING,
            layout.events,
            layout.events_sectors,
            _STORED,
            layout.events_room,
        )
        self._trips_cursor = Cursor(storage, self._trips)
        self._events_cursor = Cursor(storage, self._events)
        self._state = state = array.array("i", [0] * STATE_WORDS)
        state[EVENTS + 2] = _QUEUED_EVENTS
        state[TRIPS + 2] = _QUEUED_TRIPS
        state[SEQUENCE] = 1
        self._queued_events = bytearray(_QUEUED_EVENTS * _EVENT)
        self._queued_trips = bytearray(_QUEUED_TRIPS * _EVENT)
        self._groups = array.array("i", [0] * GROUPS * GROUP_WORDS)
        self._firsts = bytearray(GROUPS * GROUP_BYTES)
        self._stamp = bytearray(8)
        self._page = bytearray(_PAGE + 4)
        self._page_view = memoryview(self._page)[:_PAGE]
        self._stored = bytearray(_CHECKED + 4)
        self._known_boot = -1
        self._newest_found = -1
        self._erase_due = True
        self.captures = Captures(self)

    # -- boot ----------------------------------------------------------------------------
    def recover(self):
        """Find what is there; nothing is written. Returns False where the region has never been
        the black box's.
        """
        for cursor, ring in (
            (self._trips_cursor, self._trips),
            (self._events_cursor, self._events),
        ):
            ring.recover()
            self._see(cursor, ring)
        if self.slots:
            self.captures.recover()
        return bool(self._trips.top or self._events.top)

    def _see(self, cursor, ring):
        """Note the first sequence of each sector, and the newest event."""
        state = self._state
        number = ring.oldest_number()
        last_used = 0
        while number and number <= ring.number:
            i = number % ring.sectors
            state[SEQUENCE] = max(state[SEQUENCE], ring.bases[i])
            cursor.enter(number)
            if cursor.sequence != NO_SEQUENCE and cursor._number == number:
                ring.firsts[i] = cursor.sequence
                last_used = number
            number = ring.next_number(number)
        if last_used:
            cursor.enter(last_used)
            while cursor.sequence != NO_SEQUENCE:
                if cursor.sequence > self._newest_found:
                    self._newest_found = cursor.sequence
                    self._known_boot = cursor.boot
                cursor.next()
            state[SEQUENCE] = max(state[SEQUENCE], self._newest_found + 1)

    def start(self, boot_hint=0):
        """This boot's number: one more than the newest event's, or than `boot_hint` where there is
        none. Its first event should be queued now.
        """
        before = self._known_boot if self._known_boot >= 0 else boot_hint
        self._state[BOOT] = (before + 1) & 0xFFFF
        return self._state[BOOT]

    # -- what happened -------------------------------------------------------------------
    @micropython.native
    def append(self, code, detail, value):
        """Queue an event: `code` and `detail` 0 to 255, `value` an int32. Returns its sequence, -1
        where it is counted with others like it and has none yet, 0 where it is lost.
        """
        stamp = self._stamp
        self._clock(stamp, 0)
        kind = code << 8 | detail
        state = self._state
        if gather(state, self._groups, self._firsts, stamp, kind, value):
            return -1
        return put(state, EVENTS, self._queued_events, stamp, kind, value, 1)

    def trip(self, code, detail, value):
        """Queue an event that has its room reserved, is written before others and never counted
        with any; returns its sequence.
        """
        stamp = self._stamp
        self._clock(stamp, 0)
        return put(self._state, TRIPS, self._queued_trips, stamp, code << 8 | detail, value, 1)

    def set_wall_time(self, epoch_ms, device_us=None):
        """Note that it was `epoch_ms` (since 1970, UTC) when device time was `device_us` (now,
        where it is not given). Readers date the events of this boot by it, those before it too.
        """
        stamp = bytearray(8)
        if device_us is None:
            self._clock(stamp, 0)
        else:
            stamp[:] = device_us.to_bytes(8, "little")
        seconds = epoch_ms // 1000
        if seconds >= 0x80000000:
            seconds -= 0x100000000
        kind = records.WALL_TIME << 8
        put(self._state, EVENTS, self._queued_events, stamp, kind, seconds, epoch_ms % 1000)

    @property
    def boot(self):
        """Number of this boot, 0 to 65535."""
        return self._state[BOOT]

    @property
    def lost(self):
        """Events that found no room in RAM since the boot."""
        return self._state[LOST]

    @property
    def waiting(self):
        """Events and trips that are in RAM alone."""
        state = self._state
        return state[EVENTS + 1] + state[TRIPS + 1] + state[OPEN]

    @property
    def newest(self):
        """The last sequence given, 0 where there is none."""
        return self._state[SEQUENCE] - 1

    @property
    def oldest(self):
        """The first sequence that can be read, `newest` + 1 where there is none."""
        self._trips_cursor.to(0)
        self._events_cursor.to(0)
        return min(self._trips_cursor.sequence, self._events_cursor.sequence, self._oldest_queued())

    def _oldest_queued(self):
        """The first sequence that is not in flash yet."""
        state = self._state
        least = state[SEQUENCE]
        if state[EVENTS + 1]:
            least = min(least, word(self._queued_events, entry(state, EVENTS, 0)))
        if state[TRIPS + 1]:
            least = min(least, word(self._queued_trips, entry(state, TRIPS, 0)))
        return least

    @property
    def bad_programs(self):
        """Pages that did not read back."""
        return self._trips.bad_programs + self._events.bad_programs

    @property
    def bad_erases(self):
        """Sectors that were not blank after an erase."""
        return self._trips.bad_erases + self._events.bad_erases

    # -- to flash ------------------------------------------------------------------------
    @micropython.native
    def service(self, may_program, may_erase):
        """Do one thing at most: program a page (`may_program`), or erase a sector (`may_erase`:
        the motor is off). Returns NOTHING, PROGRAMMED or ERASED.

        On storage whose programming erases (files), nothing is done unless `may_erase`.
        """
        state = self._state
        if pending(state) or (may_erase and (self._erase_due or state[OPEN])):
            return self._serve(may_program, may_erase)
        return NOTHING

    @micropython.native
    def _serve(self, may_program, may_erase):
        state = self._state
        if state[OPEN] or state[UNTOLD]:
            self._tidy()
        if may_program and (may_erase or not self._storage.programming_erases):
            if state[TRIPS + 1] and self._write(self._trips, TRIPS, self._queued_trips):
                return PROGRAMMED
            if state[CAPTURING] and self.captures.step(self._page_view):
                self._erase_due = True
                return PROGRAMMED
            if state[EVENTS + 1] and self._write(self._events, EVENTS, self._queued_events):
                return PROGRAMMED
        if may_erase and self._erase_due and self.erase_ahead():
            return ERASED
        return NOTHING

    def _tidy(self):
        """Queue what has waited for its turn: one group that is due, or how many were lost."""
        state = self._state
        stamp = self._stamp
        self._clock(stamp, 0)
        if state[UNTOLD] and state[EVENTS + 1] < _QUEUED_EVENTS:
            lost = untold(state)
            kind = records.EVENTS_LOST << 8
            put(state, EVENTS, self._queued_events, stamp, kind, lost, 1)
        elif state[OPEN]:
            close_one(state, self._groups, self._firsts, stamp, self._queued_events)

    def _write(self, ring, q, entries):
        if not ring.position():
            self._erase_due = True
            return False
        state = self._state
        slot = ring.slot
        count = min(state[q + 1], ring.per_page - slot % ring.per_page)
        page = self._page
        stored = self._stored
        fill(page)
        at = ring.offset_of(slot)
        for k in range(count):
            store(entries, entry(state, q, k), stored)
            framing.append_crc(stored, _CHECKED, framing.CRC_TABLE)
            framing.copy(stored, 0, page, at, _STORED)
            at += _STORED
        if ring.write(self._page_view, count, word(entries, entry(state, q, 0))):
            drop(state, q, count)
        self._erase_due = True
        return True

    def erase_ahead(self):
        """Erase one sector where room is short; only while the motor is off (45 ms, 400 at worst).
        Returns True where it has; call again until it returns False.
        """
        sequence = self._oldest_queued()
        if self._trips.erase_ahead(sequence):
            return True
        if self.slots and self.captures.erase_ahead(self._page_view):
            return True
        if self._events.erase_ahead(sequence):
            return True
        self._erase_due = False
        return False

    # -- reading -------------------------------------------------------------------------
    def read(self, first_sequence, buffer, at=0, most=32):
        """Put up to `most` events from `first_sequence` on into buffer[at:], `record_bytes` each
        (`records.EVENT`), those still in RAM included; returns how many.
        """
        trips = self._trips_cursor
        events = self._events_cursor
        # No event is there from it on, and beyond it the search for one would never end.
        first_sequence = min(first_sequence, NO_SEQUENCE)
        trips.to(first_sequence)
        events.to(first_sequence)
        state = self._state
        wanted = first_sequence
        most = min(most, (len(buffer) - at) // _EVENT)
        count = 0
        to = at
        while count < most:
            trip = first_from(state, TRIPS, self._queued_trips, wanted)
            event = first_from(state, EVENTS, self._queued_events, wanted)
            queued = NO_SEQUENCE
            if trip >= 0:
                trip = entry(state, TRIPS, trip)
                queued = word(self._queued_trips, trip)
            if event >= 0:
                event = entry(state, EVENTS, event)
                queued = min(queued, word(self._queued_events, event))
            stored = min(trips.sequence, events.sequence)
            if stored == queued == NO_SEQUENCE:
                break
            if trips.sequence <= min(events.sequence, queued):
                wanted = trips.sequence + 1
                trips.copy(buffer, to)
                trips.next()
            elif events.sequence <= queued:
                wanted = events.sequence + 1
                events.copy(buffer, to)
                events.next()
            else:
                wanted = queued + 1
                if trip >= 0 and word(self._queued_trips, trip) == queued:
                    framing.copy(self._queued_trips, trip, buffer, to, _EVENT)
                else:
                    framing.copy(self._queued_events, event, buffer, to, _EVENT)
            count += 1
            to += _EVENT
        return count

    # -- captures ------------------------------------------------------------------------
    @property
    def slots(self):
        """How many captures there is room for; 0 in a small region."""
        return self.layout.slots

    @property
    def capturing(self):
        """True while a waveform is on its way to flash."""
        return self._state[CAPTURING] != 0

    def capture_state(self, slot):
        """ABSENT, TORN or COMPLETE."""
        return self.captures.states[slot]

    def capture_bytes(self, slot):
        """How many bytes `read_capture` gives of a slot, 0 where it is empty."""
        return self.captures.size(slot)

    def read_capture(self, slot, offset, buffer, at=0, most=512):
        """Put up to `most` bytes from `offset` on into buffer[at:]: the directory's page (256
        bytes, `records.CAPTURE`), then the waveform. Returns how many.
        """
        most = min(most, len(buffer) - at)
        return self.captures.copy(slot, offset, buffer, at, most)

    def capture(
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
        """Begin to save `triples` (4,096 at most) of int16 x, y, z from number `first` on, of the
        ring `samples` that holds `ring_triples`; with them as many of the int32 `quantities` as
        fit (54), and the `sequence` of the trip. `service` does the writing, and the samples must
        not change while `capturing`. Returns False where one is under way, or there is no room for
        any.
        """
        if not self.slots or self.capturing:
            return False
        self.captures.start(
            samples,
            ring_triples,
            first,
            triples,
            quantities,
            sequence,
            fault,
            rate_hz,
            scale_ug,
        )
        self._state[CAPTURING] = 1
        self._erase_due = True
        return True
