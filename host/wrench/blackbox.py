"""The board's black box on the host: events with their dates, and waveforms as numbers.

What the bytes mean is the firmware's `records`; this reads them from the wire and from a copy of
the raw region alike.
"""

from __future__ import annotations

import datetime as dt
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wrench_firmware import records, wire

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_EVENT = struct.Struct(records.EVENT_FORMAT)
_HEADER = struct.Struct(records.HEADER_FORMAT)
_CAPTURE = struct.Struct(records.CAPTURE_FORMAT)
_OWN_CODES = {records.EVENTS_LOST: "events lost"}


@dataclass(frozen=True, slots=True)
class Event:
    """One record of the event log.

    `count` events like it happened from `time_us` on, over `span_us` (to about a second); `time_us`
    is device time since the board's boot number `boot`. `date` is known where a host has set the
    board's clock in that boot.
    """

    sequence: int
    time_us: int
    boot: int
    code: int
    detail: int
    value: int
    count: int
    span_us: int
    date: dt.datetime | None = None

    @property
    def name(self) -> str:
        """What happened."""
        if self.code < len(wire.EVENTS):
            return wire.EVENTS[self.code]
        return _OWN_CODES.get(self.code, f"event {self.code}")

    @property
    def wall_time_us(self) -> int:
        """Of a wall time record: the microseconds since 1970 that it tells."""
        return (self.value & 0xFFFFFFFF) * 1_000_000 + self.count * 1000


@dataclass(frozen=True)
class Capture:
    """A waveform around a trip, oldest sample first.

    `counts` has a row for each sample: x, y, z. `time_us` is device time at the trip in boot
    `boot`, `sequence` that of the trip's event, `quantities` the board's, in the order of its
    `quantities`. `whole` is False where a power cut, or a worn flash, left only a part.
    """

    slot: int
    number: int
    boot: int
    time_us: int
    sequence: int
    fault: str
    rate_hz: int
    scale_ug: int
    quantities: list[int]
    counts: NDArray[np.int16]
    whole: bool

    @property
    def acceleration_g(self) -> NDArray[np.float64]:
        """The waveform in g."""
        return self.counts.astype(float) * (self.scale_ug / 1e6)


def decode_events(data: bytes) -> list[Event]:
    """Events as the board's log message carries them."""
    return [
        Event(*numbers[:-1], span_us=numbers[-1] * records.SPAN_US)
        for numbers in _EVENT.iter_unpack(data[: len(data) // _EVENT.size * _EVENT.size])
    ]


def dated(events: Iterable[Event]) -> list[Event]:
    """The same events with dates: in each boot by the wall time that was set nearest in time."""
    events = list(events)
    known: dict[int, list[Event]] = {}
    for event in events:
        if event.code == records.WALL_TIME:
            known.setdefault(event.boot, []).append(event)
    result: list[Event] = []
    for event in events:
        marks = known.get(event.boot)
        if marks:
            mark = min(marks, key=lambda it: abs(it.time_us - event.time_us))
            us = mark.wall_time_us + event.time_us - mark.time_us
            event = replace(event, date=_EPOCH + dt.timedelta(microseconds=us))  # noqa: PLW2901
        result.append(event)
    return result


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def decode_capture(data: bytes) -> Capture | None:
    """A capture as the board's capture messages carry it, put together; None where it is none."""
    page, waveform = data[: records.PAGE_BYTES], data[records.PAGE_BYTES :]
    if not _is_directory_page(page):
        return None
    kind, slot, boot, number, time_us, sequence, rate_hz, scale_ug, triples, fault, n, check = (
        _CAPTURE.unpack_from(page)
    )
    if kind not in (records.BEGUN, records.ENDED):
        return None
    size = triples * records.TRIPLE_BYTES
    waveform = waveform[:size]
    whole = kind == records.ENDED and len(waveform) == size and _chain(waveform) == check
    if not whole:
        # Erased flash reads 0xFF: what was never written is no sample.
        waveform = waveform[: len(waveform) // 6 * 6]
        end = len(waveform.rstrip(b"\xff"))
        waveform = waveform[: (end + 5) // 6 * 6]
    # Every link reads the log's bytes here, and few ever see a waveform: only they wait for numpy.
    import numpy as np  # noqa: PLC0415

    return Capture(
        slot,
        number,
        boot,
        time_us,
        sequence,
        wire.FAULTS[fault] if fault < len(wire.FAULTS) else f"fault {fault}",
        rate_hz,
        scale_ug,
        list(struct.unpack_from(f"<{n}i", page, _CAPTURE.size)),
        np.frombuffer(waveform, "<i2").reshape(-1, 3),
        whole,
    )


class Region:
    """A copy of the raw region: what the board itself would read from it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.layout = records.Layout(len(data) // records.SECTOR_BYTES)

    def events(self) -> list[Event]:
        """All events of both rings, in order."""
        layout = self.layout
        found = [
            *self._ring(records.TRIPS_RING, layout.trips, layout.trips_sectors),
            *self._ring(records.EVENTS_RING, layout.events, layout.events_sectors),
        ]
        return sorted(found, key=lambda it: it.sequence)

    def captures(self) -> list[Capture]:
        """The captures, oldest first."""
        layout = self.layout
        slots: dict[int, bytes] = {}
        for page in self._directory():
            kind, slot = page[0], page[1]
            if kind == records.ERASING:
                slots.pop(slot, None)
            elif kind in (records.BEGUN, records.ENDED):
                slots[slot] = page
        found = []
        for slot, page in slots.items():
            at = layout.slot_sector(slot) * layout.sector_bytes
            size = layout.slot_sectors * layout.sector_bytes
            found.append(decode_capture(page + self._data[at : at + size]))
        return sorted((it for it in found if it), key=lambda it: it.number)

    def _sectors(self, ring: int, first: int, count: int) -> Iterator[tuple[int, bytes]]:
        """(base, content) of the valid sectors of a ring, oldest first."""
        found: list[tuple[int, int, bytes]] = []
        for place in range(count):
            at = (first + place) * records.SECTOR_BYTES
            sector = self._data[at : at + records.SECTOR_BYTES]
            magic, kind, _, _, number, base, check = _HEADER.unpack_from(sector)
            if magic != records.HEADER_MAGIC or kind != ring or number % count != place:
                continue
            if zlib.crc32(sector[: records.HEADER_BYTES - 4]) == check:
                found.append((number, base, sector))
        newest = max((number for number, _, _ in found), default=0)
        for number, base, sector in sorted(found):
            if number > newest - count:
                yield base, sector

    def _ring(self, ring: int, first: int, count: int) -> Iterator[Event]:
        size = records.STORED_BYTES
        for base, sector in self._sectors(ring, first, count):
            for page in range(0, len(sector), records.PAGE_BYTES):
                for at in range(page, page + records.PAGE_BYTES - size + 1, size):
                    event = _stored_event(sector[at : at + size], base)
                    if event:
                        yield event

    def _directory(self) -> Iterator[bytes]:
        layout = self.layout
        for _, sector in self._sectors(
            records.DIRECTORY_RING, layout.directory, layout.directory_sectors
        ):
            for at in range(records.PAGE_BYTES, len(sector), records.PAGE_BYTES):
                page = sector[at : at + records.PAGE_BYTES]
                if _is_directory_page(page):
                    yield page


def _stored_event(stored: bytes, base: int) -> Event | None:
    checked = stored[: records.STORED_CHECKED_BYTES]
    if zlib.crc32(checked) & 0xFFFFFF != int.from_bytes(stored[len(checked) :], "little"):
        return None
    low = int.from_bytes(stored[:3], "little")
    repeats = int.from_bytes(stored[17:20], "little")
    return Event(
        sequence=base + ((low - base) & 0xFFFFFF),
        time_us=int.from_bytes(stored[3:9], "little"),
        boot=int.from_bytes(stored[9:11], "little"),
        code=stored[11],
        detail=stored[12],
        value=int.from_bytes(stored[13:17], "little", signed=True),
        count=repeats & 0xFFF,
        span_us=(repeats >> 12) * records.SPAN_US,
    )


def _is_directory_page(page: bytes) -> bool:
    checked = records.CAPTURE_CHECKED_BYTES
    return len(page) == records.PAGE_BYTES and zlib.crc32(page[:checked]) == int.from_bytes(
        page[checked:], "little"
    )


def _chain(waveform: bytes) -> int:
    check = 0
    for at in range(0, len(waveform), records.PAGE_BYTES):
        page = waveform[at : at + records.PAGE_BYTES].ljust(records.PAGE_BYTES, b"\xff")
        check = zlib.crc32(struct.pack("<II", check, zlib.crc32(page)))
    return check
