"""The black box on flash modelled to the bit: what is written stays, whenever power goes."""

from __future__ import annotations

import array
import datetime as dt
import random
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from flash_model import Clock, Flash, PowerCutError, storage_module
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from micropython_vm import Vm

from wrench.blackbox import Event, Region, dated, decode_capture, decode_events
from wrench_firmware import records, wire

blackbox = storage_module("blackbox")
captures = storage_module("captures")
storage = storage_module("storage_rp2")

SECOND = 1_000_000
SECTORS = 64
LEAST = 8
EVENT, TRIP = 1, wire.EVENTS.index("trip")
TRIPLES = 4096
QUANTITIES = array.array("i", [*range(38), -0x40000000, 0x7FFFFFFF])


class Board:
    """A black box that can be switched off and on again."""

    def __init__(self, flash: Any) -> None:
        self.flash = flash
        self.clock = Clock()
        self.boot(SECOND)

    def boot(self, now_us: int = 0, hint: int = 0) -> Board:
        self.clock.now_us = now_us
        self.box = blackbox.BlackBox(self.flash, self.clock)
        self.used = self.box.recover()
        self.box.start(hint)
        return self

    def rest(self) -> Board:
        """The motor is off for a while."""
        for _ in range(1000):
            if not self.box.service(True, True):
                return self
        raise AssertionError("there is always something to do")

    def read(self, first: int = 1, most: int = 32) -> list[Event]:
        buffer = bytearray(24 * most + 7)
        events: list[Event] = []
        while count := self.box.read(first, buffer, 7, most):
            events += decode_events(bytes(buffer[7 : 7 + 24 * count]))
            first = events[-1].sequence + 1
        return events

    def append(self, detail: int, value: int = 0) -> None:
        self.clock.now_us += 20 * SECOND
        assert self.box.append(EVENT, detail, value) > 0

    def capture(self, samples: bytes, first: int = 0, triples: int = TRIPLES) -> None:
        ring = bytearray(samples)
        sequence = self.box.trip(TRIP, 3, 0)
        assert self.box.capture(
            ring, len(ring) // 6, first, triples, QUANTITIES, sequence, 3, 3200, 3906
        )

    def read_capture(self, slot: int, most: int = 512) -> bytes:
        buffer = bytearray(most + 3)
        data = b""
        while count := self.box.read_capture(slot, len(data), buffer, 3, most):
            data += buffer[3 : 3 + count]
        assert len(data) == self.box.capture_bytes(slot)
        return data


@pytest.fixture
def board() -> Board:
    return Board(Flash(SECTORS)).rest()


def waveform(seed: int) -> bytes:
    return np.random.default_rng(seed).integers(-4096, 4096, 3 * TRIPLES, "<i2").tobytes()


# ---- what it keeps -------------------------------------------------------------------------------


def test_the_region_of_our_image_has_room_for_what_is_promised() -> None:
    layout = records.Layout(SECTORS)
    assert layout.events_kept >= 4000
    assert layout.trips_kept >= 256
    assert layout.slots - 1 >= 4
    assert layout.slot_sectors * layout.sector_bytes >= TRIPLES * records.TRIPLE_BYTES
    assert layout.events + layout.events_sectors == SECTORS
    assert records.Layout(LEAST).slots == 0
    with pytest.raises(ValueError, match="8 sectors"):
        records.Layout(LEAST - 1)


@pytest.mark.parametrize("sectors", [*range(LEAST, 40), SECTORS, 200])
def test_every_part_of_a_region_is_in_it_once(sectors: int) -> None:
    layout = records.Layout(sectors)
    parts = [
        (0, records.SETTINGS_SECTORS),
        (layout.trips, layout.trips_sectors),
        (layout.directory, layout.directory_sectors),
        (layout.captures, layout.slots * layout.slot_sectors),
        (layout.events, layout.events_sectors),
    ]
    taken = [sector for first, count in parts for sector in range(first, first + count)]
    assert taken == list(range(sectors))
    assert layout.events_kept > 0


def test_a_record_is_as_documented(board: Board) -> None:
    board.clock.now_us = 0x0123_4567_89AB
    board.box.append(7, 250, -5)
    board.rest()
    (event,) = board.read()
    assert event == Event(1, 0x0123_4567_89AB, 1, 7, 250, -5, 1, 0)
    assert Region(bytes(board.flash.data)).events() == [event]


def test_the_last_events_stay_and_the_oldest_go(board: Board) -> None:
    layout = records.Layout(SECTORS)
    seen = set()
    for n in range(9000):
        board.append(n % 40, n)
        board.box.service(True, True)
        if n % 501 == 0:
            seen.add(len(board.rest().read(max(1, n - 4500))))
            values = [event.value for event in board.read(max(1, n - 4500))]
            assert values == list(range(n + 1))[-len(values) :]
            assert len(values) >= min(n + 1, layout.events_kept)
    assert max(seen) > layout.events_kept
    # Every sector of the ring has had its turn, and no more than that.
    erases = board.flash.erases[layout.events :]
    assert max(erases) - min(erases) <= 1


def test_a_flood_of_events_leaves_the_last_trips(board: Board) -> None:
    for n in range(400):
        board.clock.now_us += SECOND
        board.box.trip(TRIP, 3, n)
        board.rest()
    for n in range(12_000):
        board.append(n % 40, n)
        board.box.service(True, True)
    trips = [event.value for event in board.rest().read() if event.code == TRIP]
    assert len(trips) >= 256
    assert trips == list(range(400))[-len(trips) :]
    kept = [event.value for event in board.read() if event.code == EVENT]
    assert kept == list(range(12_000))[-len(kept) :]


def test_reading_may_start_anywhere_and_take_any_number(board: Board) -> None:
    for n in range(700):
        board.append(n % 40, n)
        if n % 30 == 0:
            board.box.trip(TRIP, 1, n)
        board.box.service(True, True)
    everything = board.read()
    assert [event.sequence for event in everything] == list(range(1, 725))
    order = random.Random(1)
    for _ in range(300):
        first, most = order.randrange(1, 740), order.randrange(1, 50)
        buffer = bytearray(24 * most)
        count = board.box.read(first, buffer, 0, most)
        assert decode_events(bytes(buffer[: 24 * count])) == everything[first - 1 :][:most]


@pytest.mark.parametrize("first", [0x3FFFFFFF, 0x40000000, 0x80000000, 0xFFFFFFFF])
def test_from_a_sequence_that_cannot_be_on_there_is_nothing(board: Board, first: int) -> None:
    board.append(3, 1)
    board.rest().append(4, 2)
    assert board.box.read(first, bytearray(48), 0, 2) == 0
    assert [event.value for event in board.read()] == [1, 2]


# ---- while the motor runs ------------------------------------------------------------------------


def test_nothing_is_erased_and_at_most_one_page_programmed_in_a_call(board: Board) -> None:
    before = sum(board.flash.erases)
    for n in range(300):
        board.append(n % 40)
        programs = board.flash.programs
        did = board.box.service(True, False)
        assert board.flash.programs - programs == (did == blackbox.PROGRAMMED) == 1
        assert board.box.service(True, False) == blackbox.NOTHING
    assert sum(board.flash.erases) == before


def test_without_permission_nothing_is_touched(board: Board) -> None:
    before = bytes(board.flash.data)
    for n in range(60):
        board.append(n)
        board.box.trip(TRIP, 1, n) if n < 8 else None
        assert board.box.service(False, False) == blackbox.NOTHING
    assert bytes(board.flash.data) == before
    assert len(board.read()) == 68, "they can be read from RAM"


def test_where_erased_room_runs_out_events_wait_and_trips_do_not(board: Board) -> None:
    room = 0
    while board.box.waiting == 0:
        board.append(room % 40, room)
        board.box.service(True, False)
        room += 1
    assert room > 2 * 175
    while board.box.lost == 0:
        board.clock.now_us += 20 * SECOND
        board.box.append(EVENT, 100 + room % 120, room)
        board.box.service(True, False)
        room += 1
    assert board.box.waiting >= 64
    for n in range(64):
        board.box.trip(TRIP, 2, n)
        assert board.box.service(True, False) == blackbox.PROGRAMMED
    again = Board(board.flash)
    assert [e.value for e in again.read() if e.code == TRIP] == list(range(64))
    # The motor stops: what waited is written, and how many were lost.
    events = board.rest().read()
    (lost,) = [event for event in events if event.code == records.EVENTS_LOST]
    assert lost.value == board.box.lost == 1
    assert lost in Board(board.flash).read()


def test_trips_are_written_first(board: Board) -> None:
    for n in range(30):
        board.append(n)
    sequence = board.box.trip(TRIP, 5, 1)
    board.box.service(True, False)
    assert [event.sequence for event in Board(board.flash).read()] == [sequence]
    assert [event.sequence for event in board.rest().read()] == list(range(1, 32))


# ---- repeated events -----------------------------------------------------------------------------


def repeats(board: Board, seconds: float, every_s: float) -> None:
    for _ in range(int(seconds / every_s)):
        board.clock.now_us += int(every_s * SECOND)
        board.box.append(EVENT, 9, 77)
        board.box.service(True, True)


def test_the_first_is_written_at_once_and_its_like_are_counted(board: Board) -> None:
    repeats(board, 30, 0.5)
    (first,) = Board(board.flash).read()
    assert first.count == 1
    repeats(board, 100, 0.5)
    board.clock.now_us += 200 * SECOND
    events = board.rest().read()
    assert sum(event.count for event in events) == 260
    assert len(events) <= 4
    for event in events:
        assert event.value == 77
    for before, after in pairwise(events):
        assert before.time_us + before.span_us < after.time_us + records.SPAN_US
        assert after.time_us - before.time_us - before.span_us < 3 * SECOND


def test_weeks_of_an_event_that_goes_on_fit(board: Board) -> None:
    day = 24 * 3600
    repeats(board, 2 * day, 5)
    events = board.rest().read()
    per_day = len(events) / 2
    assert sum(event.count for event in events) + board.box.waiting >= 2 * day / 5 - 400
    assert records.Layout(SECTORS).events_kept / per_day > 6 * 7


def test_what_comes_seldom_is_not_counted_together(board: Board) -> None:
    repeats(board, 600, 12)
    assert [event.count for event in board.rest().read()] == [1] * 50


def test_a_flood_of_many_kinds_is_counted_when_no_room_is_left(board: Board) -> None:
    for n in range(5000):
        board.clock.now_us += 5000
        board.box.append(EVENT, n % 12, n)
    assert board.box.lost == 0
    board.clock.now_us += 60 * SECOND
    events = board.rest().read()
    assert sum(event.count for event in events) == 5000
    assert len(events) == 24


# ---- time ----------------------------------------------------------------------------------------


def test_a_boot_is_dated_once_its_wall_time_is_known(board: Board) -> None:
    board.append(1)
    board.clock.now_us = 500 * SECOND
    at = dt.datetime(2039, 6, 1, 12, 0, 0, 250_000, tzinfo=dt.UTC)  # beyond 31 bits of seconds
    board.box.set_wall_time(int(at.timestamp() * 1000), 400 * SECOND)
    board.append(2)
    board.rest()
    board.boot(SECOND)
    board.append(3)
    events = dated(board.rest().read())
    dates = {event.detail: event.date for event in events if event.code == EVENT}
    assert dates == {
        1: at - dt.timedelta(seconds=400 - 21),
        2: at + dt.timedelta(seconds=120),
        3: None,
    }


def test_the_boot_count_is_one_more_than_the_newest_event_s(board: Board) -> None:
    assert board.box.boot == 1
    for boot in range(2, 6):
        board.append(1)
        assert board.rest().boot().box.boot == boot
    assert board.boot().box.boot == 5, "a boot that wrote nothing has not been"
    assert Board(Flash(SECTORS)).boot(hint=65535).box.boot == 0


# ---- power cuts ----------------------------------------------------------------------------------


class Witness:
    """A board, what was ever queued, and what must be there because it was written whole."""

    def __init__(self, sectors: int, fill: bytes) -> None:
        self.flash = Flash(sectors, fill=fill)
        self.queued: dict[int, Event] = {}
        self.written: dict[int, Event] = {}
        self.cuts = 0
        self.board = Board(self.flash)
        self.watch()
        self.kinds = 0

    def watch(self) -> None:
        """What a call of `service` queues, and perhaps writes, is to be seen in between."""
        box = self.board.box
        tidy = box._tidy

        def tidied() -> None:
            tidy()
            self.note()

        box._tidy = tidied

    def note(self) -> None:
        """Look at what is in RAM: what has left it since is in flash."""
        box = self.board.box
        waiting = {}
        for q, entries in ((5, box._queued_events), (8, box._queued_trips)):
            first, count, size = box._state[q : q + 3]
            for k in range(count):
                at = (first + k) % size * 24
                (event,) = decode_events(bytes(entries[at : at + 24]))
                waiting[event.sequence] = event
        self.queued.update(waiting)
        for sequence in [s for s in self.in_ram if s not in waiting]:
            self.written[sequence] = self.queued[sequence]
        self.in_ram = set(waiting)

    in_ram: set[int] = set()  # noqa: RUF012

    def do(self, what: str, count: int) -> None:
        box = self.board.box
        for _ in range(count):
            self.board.clock.now_us += SECOND
            self.kinds += 1
            if what == "trip":
                box.trip(TRIP, self.kinds % 200, self.kinds)
            elif what == "same":
                box.append(EVENT, 0, self.kinds)
            elif what != "rest":
                box.append(EVENT + self.kinds % 3, self.kinds % 251, -self.kinds)
            self.note()
            box.service(True, what != "run")
            self.note()

    def cut(self) -> None:
        self.cuts += 1
        self.in_ram = set()
        self.board.boot(SECOND)
        self.watch()
        self.check()

    def check(self) -> None:
        seen = self.board.read()
        assert seen == Region(bytes(self.flash.data)).events()
        sequences = [event.sequence for event in seen]
        assert sequences == sorted(set(sequences))
        for event in seen:
            assert event == self.queued[event.sequence]
        there = set(sequences)
        layout = self.board.box.layout
        for is_trip, kept in ((True, layout.trips_kept), (False, layout.events_kept)):
            ring = [s for s, e in sorted(self.written.items()) if (e.code == TRIP) == is_trip]
            # A torn page costs the places on it.
            promised = ring[-max(0, kept - 11 * self.cuts) :] if kept > 11 * self.cuts else []
            assert there.issuperset(promised)
        # What was queued and never written has given its number back.
        newest = max(there, default=0)
        self.queued = {s: e for s, e in self.queued.items() if s <= newest}


steps = st.tuples(
    st.sampled_from(["run", "stop", "trip", "same", "rest"]),
    st.integers(1, 60),
    st.one_of(st.none(), st.tuples(st.integers(1, 12), st.integers(0, 1000))),
)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    st.integers(LEAST, 12),
    st.sampled_from([b"\xff", b"\0", b"littlefs\x2f\xe0\0\x10"]),
    st.lists(steps, max_size=30),
)
@example(9, b"\xff", [("stop", 400, None), ("stop", 400, (3, 1)), ("stop", 500, (9, 5))] * 4)
def test_whenever_power_goes_what_was_written_is_there(
    sectors: int, fill: bytes, plan: list[tuple[str, int, tuple[int, int] | None]]
) -> None:
    witness = Witness(sectors, fill)
    for what, count, cut in plan:
        if cut:
            witness.flash.cut(*cut)
        try:
            witness.do(what, count)
        except PowerCutError:
            witness.cut()
    witness.flash.cut(10**9, 0)
    # And it goes on working: everything queued now is read back later.
    witness.do("rest", 40)
    before = set(witness.written)
    witness.do("stop", 30)
    witness.do("rest", 5)
    assert len(set(witness.written) - before) == 30
    witness.cut()


@pytest.mark.parametrize("sectors", [LEAST, 12])
def test_every_single_operation_may_be_the_last(sectors: int) -> None:
    """One story, cut at each of its operations in turn, in several ways."""
    operations = 0
    while True:
        operations += 1
        for seed in range(6):
            witness = Witness(sectors, b"\xff")
            witness.flash.cut(operations, seed)
            try:
                witness.do("rest", 8)
                witness.do("stop", 20)
                witness.do("trip", 3)
                witness.do("run", 20)
            except PowerCutError:
                witness.cut()
                witness.do("rest", 8)
                witness.do("stop", 5)
                witness.check()
            else:
                assert operations > 40
                return


def test_sectors_that_wear_out_are_passed_over() -> None:
    flash = Flash(16)
    layout = records.Layout(16)
    flash.worn = {layout.events + 1, layout.events + 4, layout.events + 5}
    board = Board(flash).rest()
    for n in range(5000):
        board.append(n % 40, n)
        board.box.service(True, True)
        board.box.service(True, True)
    values = [event.value for event in board.rest().read()]
    assert len(values) >= layout.events_kept - 4 * 175
    assert values == list(range(5000))[-len(values) :]
    assert board.box.bad_erases > 0
    assert [event.value for event in Board(flash).read()] == values


def test_a_page_that_does_not_read_back_is_written_again(board: Board) -> None:
    board.append(1, 10)
    flash = board.flash
    program = flash.program

    def weak_program(sector: int, page: int, buffer: Any, start: int, end: int) -> None:
        program(sector, page, buffer, start, end)
        flash.data[sector * 4096 + page * 256 + start + 6] ^= 0x04

    flash.program = weak_program
    board.box.service(True, False)
    flash.program = program
    assert board.box.bad_programs == 1
    assert [event.value for event in board.rest().read()] == [10]
    assert [event.value for event in Board(flash).read()] == [10]


def test_bits_that_rot_cost_one_record(board: Board) -> None:
    for n in range(200):
        board.append(n % 40, n)
        board.rest()
    board.flash.data[records.Layout(SECTORS).events * 4096 + 256 + 40] ^= 0x10
    values = [event.value for event in Board(board.flash).read()]
    assert len(values) == 199
    assert values == sorted(values)


# ---- captures ------------------------------------------------------------------------------------


def test_a_waveform_comes_back_as_it_was(board: Board) -> None:
    samples = waveform(1)
    board.clock.now_us = 77 * SECOND
    board.capture(samples, first=1000)
    board.rest()
    assert not board.box.capturing
    (slot,) = [k for k in range(5) if board.box.capture_state(k) == captures.COMPLETE]
    for source in (board, Board(board.flash)):
        capture = decode_capture(source.read_capture(slot))
        assert capture
        assert capture.whole
        expected = np.roll(np.frombuffer(samples, "<i2").reshape(-1, 3), -1000, axis=0)
        assert np.array_equal(capture.counts, expected)
        assert capture.quantities == list(QUANTITIES)
        assert (capture.boot, capture.time_us, capture.sequence) == (1, 77 * SECOND, 1)
        assert (capture.fault, capture.rate_hz, capture.scale_ug) == (wire.FAULTS[3], 3200, 3906)
        assert decode_capture(source.read_capture(slot, 100)) is not None
    (from_region,) = Region(bytes(board.flash.data)).captures()
    assert np.array_equal(from_region.counts, capture.counts)


def test_the_last_four_captures_stay(board: Board) -> None:
    for number in range(1, 60):
        board.capture(waveform(number), triples=TRIPLES if number % 3 else 100)
        board.rest()
        found = Region(bytes(board.flash.data)).captures()
        assert [it.number for it in found] == list(range(max(1, number - 3), number + 1))
        assert all(it.whole for it in found)
        assert len(found[-1].counts) == (TRIPLES if number % 3 else 100)
        board.boot(SECOND)
    erases = board.flash.erases
    layout = board.box.layout
    assert max(erases[layout.captures : layout.events]) <= 60 // 5 + 1


def test_a_capture_needs_no_erase_where_the_motor_has_rested(board: Board) -> None:
    before = sum(board.flash.erases)
    board.capture(waveform(2))
    calls = 0
    while board.box.capturing:
        assert board.box.service(True, False) == blackbox.PROGRAMMED
        calls += 1
    assert calls == 1 + 1 + 96 + 1  # the trip, its entry, the pages, the entry that it is whole
    assert sum(board.flash.erases) == before


def test_a_capture_waits_for_its_slot_where_there_was_no_rest() -> None:
    board = Board(Flash(SECTORS))
    board.capture(waveform(3))
    for _ in range(10):
        assert board.box.service(True, False) == blackbox.NOTHING
    assert board.box.capturing
    board.rest()
    (capture,) = Region(bytes(board.flash.data)).captures()
    assert capture.whole


def test_while_one_is_under_way_another_is_refused(board: Board) -> None:
    board.capture(waveform(1))
    assert not board.box.capture(bytearray(6), 1, 0, 1, QUANTITIES, 9, 1, 1, 1)
    small = Board(Flash(LEAST)).rest()
    assert small.box.slots == 0
    assert not small.box.capture(bytearray(6), 1, 0, 1, QUANTITIES, 9, 1, 1, 1)


@pytest.mark.parametrize("seed", range(3))
def test_a_capture_cut_anywhere_is_torn_or_whole_and_spoils_no_other(seed: int) -> None:
    flash = Flash(SECTORS)
    board = Board(flash).rest()
    whole: dict[int, bytes] = {}
    wanted: set[bytes] = set()
    order = random.Random(seed)
    for number in range(1, 60):
        samples = waveform(number)
        wanted.add(samples)
        flash.cut(order.randrange(1, 250), number)
        try:
            board.rest()
            board.capture(samples)
            board.rest()
        except PowerCutError:
            board.boot(SECOND)
        found = Region(bytes(flash.data)).captures()
        for it in found:
            if it.whole:
                assert it.counts.tobytes() == whole.setdefault(it.number, it.counts.tobytes())
                assert it.counts.tobytes() in wanted
        newest = max((it.number for it in found), default=0)
        assert {number for number in whole if number > newest - 4} <= {
            it.number for it in found if it.whole
        }
        for slot in range(board.box.slots):
            state = board.box.capture_state(slot)
            capture = decode_capture(board.read_capture(slot)) if state else None
            mine = [it for it in found if it.slot == slot]
            assert (capture is not None) == (state != captures.ABSENT)
            if capture:
                assert [capture.number] == [it.number for it in mine]
                assert not capture.whole or state == captures.COMPLETE
                assert not capture.whole or capture.counts.tobytes() == whole[capture.number]
    assert len(whole) > 10


# ---- files ---------------------------------------------------------------------------------------


def test_on_files_everything_waits_for_the_motor_to_stop(tmp_path: Any) -> None:
    files = storage.FileStorage(str(tmp_path / "log"))
    board = Board(files).rest()
    assert not board.box.guarantee
    for n in range(50):
        board.append(n, n)
        assert board.box.service(True, False) == blackbox.NOTHING
    samples = waveform(4)
    board.capture(samples)
    assert board.box.service(True, False) == blackbox.NOTHING
    assert Board(storage.FileStorage(str(tmp_path / "log"))).read() == []
    board.rest()
    again = Board(storage.FileStorage(str(tmp_path / "log")))
    assert [event.value for event in again.read() if event.code == EVENT] == list(range(50))
    (slot,) = [k for k in range(again.box.slots) if again.box.capture_state(k)]
    capture = decode_capture(again.read_capture(slot))
    assert capture
    assert capture.whole
    assert capture.counts.tobytes() == samples


def test_files_are_bounded_and_rotated(tmp_path: Any) -> None:
    board = Board(storage.FileStorage(str(tmp_path / "log"))).rest()
    layout = board.box.layout
    assert layout.events_kept >= 4000
    for n in range(3 * layout.events_kept):
        board.append(n % 40, n)
        if n % 8 == 7:
            board.box.service(True, True)
    values = [event.value for event in board.rest().read()]
    assert len(values) >= layout.events_kept
    assert values == list(range(3 * layout.events_kept))[-len(values) :]
    sizes = [path.stat().st_size for path in (tmp_path / "log").iterdir()]
    assert max(sizes) <= 16384
    assert sum(sizes) <= 30 * 16384


def test_a_file_s_torn_tail_is_passed_over(tmp_path: Any) -> None:
    folder = tmp_path / "log"
    board = Board(storage.FileStorage(str(folder))).rest()
    for n in range(30):
        board.append(n, n)
    board.rest()
    path = folder / f"{board.box.layout.events:02}"
    path.write_bytes(path.read_bytes()[:-10])
    board = Board(storage.FileStorage(str(folder)))
    assert [event.value for event in board.read()] == list(range(29))
    board.append(99, 99)
    assert [event.value for event in board.rest().read()] == [*range(29), 99]
    again = Board(storage.FileStorage(str(folder)))
    assert [event.value for event in again.read()] == [*range(29), 99]


# ---- on the real MicroPython ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def vm() -> Iterator[Vm]:
    vm = Vm("blackbox_device.py")
    yield vm
    vm.close()


@pytest.mark.parametrize(("sectors", "seed"), [(8, 1), (9, 2), (32, 3), (64, 4)])
def test_micropython_writes_the_same_bytes(vm: Vm, sectors: int, seed: int) -> None:
    import blackbox_device  # noqa: PLC0415  (needs the module loaded as above)

    region, log = vm.ask("story", sectors, seed, 600)
    ours = blackbox_device.story(blackbox, sectors, seed, 600)
    assert log == ours[1]
    assert region == ours[0]
    assert len(log) > 100


def test_formats_agree_with_their_tables() -> None:
    assert "<" + "".join(code for _, code, _ in records.EVENT) == records.EVENT_FORMAT
    assert struct.calcsize(records.EVENT_FORMAT) == records.EVENT_BYTES
    assert "<" + "".join(code for _, code, _ in records.CAPTURE) == records.CAPTURE_FORMAT
    assert struct.calcsize(records.CAPTURE_FORMAT) == records.CAPTURE_HEAD_BYTES
    assert struct.calcsize(records.HEADER_FORMAT) == records.HEADER_BYTES
