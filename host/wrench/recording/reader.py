"""A recording as numpy arrays: `Recording`.

>>> with Recording("run.mcap") as recording:                            # doctest: +SKIP
...     waveform = recording.waveform(10.0, 12.5)
...     status = recording.status()
>>> waveform.acceleration_g.shape                                       # doctest: +SKIP
(8063, 3)
>>> status["speed_rpm"].mean()                                          # doctest: +SKIP
1826.4
"""

from __future__ import annotations

import datetime as dt
import json
import math
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from mcap.records import ChunkIndex
from numpy.typing import NDArray

from wrench.errors import RecordingError
from wrench.recording import contents as in_file
from wrench.recording import schema, timing
from wrench.recording.container import is_being_recorded
from wrench.recording.recorder import CLOCK_METADATA, METADATA, OFFSET
from wrench.recording.timing import Break
from wrench.sample_clock import NUMBER_MASK

AXES = ("x", "y", "z")
_NS = 1_000_000_000
_WORKERS = 4
_T = TypeVar("_T")
# What protobuf says to a description that is none: not its bytes, not its names, not this message.
_UNKNOWN_LAYOUT = (DecodeError, TypeError, KeyError)


@dataclass(frozen=True)
class Gap:
    """Where samples are missing: between the samples at `start_s` and `end_s`.

    `missing_samples` is counted by the board where frames are missing, and estimated from the time
    that passed where the sensor's own samples were lost. `why` is "samples lost" (by the sensor),
    "dropped by the board" (the link had no room) or "frames lost" (on the way, or damaged in the
    file).
    """

    start_s: float
    end_s: float
    missing_samples: int
    why: str


@dataclass(frozen=True)
class Waveform:
    """Samples of the three axes.

    Attributes:
        time_s: float64, shape (n,): seconds of device time since the recording began, rising. Even
            within about 0.1 % where there is no gap; nothing stands in for samples in a gap.
        acceleration_g: float64, shape (n, 3): x, y, z in g (9.80665 m/s2), gravity included.
        rate_hz: measured against device time; NaN where there are too few samples to tell.
        rate_sd_hz: its standard uncertainty.
        gaps: those within, in order.
    """

    time_s: NDArray[np.float64]
    acceleration_g: NDArray[np.float64]
    rate_hz: float
    rate_sd_hz: float
    gaps: list[Gap]

    def __len__(self) -> int:
        return len(self.time_s)

    def stretches(self) -> list[Waveform]:
        """The same, cut at its gaps: pieces without any, with the rate of the whole."""
        cuts = np.searchsorted(self.time_s, [gap.start_s for gap in self.gaps], "right")
        return [
            Waveform(time_s, acceleration_g, self.rate_hz, self.rate_sd_hz, [])
            for time_s, acceleration_g in zip(
                np.split(self.time_s, cuts), np.split(self.acceleration_g, cuts), strict=True
            )
            if len(time_s)
        ]


@dataclass(frozen=True)
class Table:
    """Messages of one kind, a row each.

    Attributes:
        time_s: float64, shape (n,): seconds of device time since the recording began.
        columns: an array of length n for each field, by its name in the wire's definition. Numbers
            are float64 or integers in the wire's units, NaN where there was no reading; texts are
            `object` arrays of str. A field that numbers a list of names, such as `mode`, holds the
            name, and `mode_number` the number; `flags` and `alarms` the names of what is set,
            joined by commas, and `flags_bits` and `alarms_bits` the bits.
        units: by column; those that have none are left out.
    """

    time_s: NDArray[np.float64]
    columns: dict[str, NDArray[Any]]
    units: dict[str, str]

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.time_s)


@dataclass(frozen=True)
class Event:
    """Something that has happened, as the board told it.

    `name` is one of `wire.EVENTS`; `detail_name` says what `detail` stands for where it is a fault
    or a limit, and is empty otherwise. `value` is None where there was no reading.
    """

    time_s: float
    name: str
    detail: int
    detail_name: str
    value: float | None


class Recording:
    """A recording, opened by its path; use it in a `with` statement, or call `close`.

    Opening reads the summary alone. Times are seconds of device time since the recording's first
    message; a range leaves out its end, and None means from the beginning or to the end. What a
    range does not touch is not read.

    A file whose writing was cut short opens too, up to its last whole chunk; `is_complete` is False
    then. A chunk that is damaged is left out. `problems` has a sentence for each such thing. One
    that `is_being_recorded` is as it was when it was opened, and that is no problem.

    Raises RecordingError where the file cannot be read or is no recording of Wrench.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            with self.path.open("rb") as file:
                self.is_being_recorded = is_being_recorded(file)
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError as error:
            raise RecordingError(f"there is no {path}; check the name") from error
        except ValueError as error:  # of an empty file there is no map
            raise RecordingError(f"{path} is empty; record again") from error
        except OSError as error:
            raise RecordingError(f"{path} cannot be read ({error.strerror})") from error
        self._data = memoryview(self._map)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self._contents = in_file.read_contents(self._data, self.path)
        self._channels = {it.topic: it.id for it in self._contents.channels.values()}
        self._problems = dict.fromkeys([] if self.is_being_recorded else self._contents.problems)
        self._messages: dict[str, list[tuple[int, bytes]]] | None = None
        self._tables: dict[str, Table] = {}
        self._blocks: NDArray[Any] | None = None
        self.metadata = self._read_metadata()
        self._check_metadata()
        for type_ in (_SAMPLE, _BLOCK):
            channel = self._contents.channels.get(self._channels.get(type_.topic, -1))
            if channel and self._contents.schemas[channel.schema_id].data != type_.schema:
                version = self.metadata[METADATA].get("wrench_version")
                raise RecordingError(
                    f"the waveform in {self.path} is laid out as by wrench {version}; read it with "
                    "that version"
                )
        clock = self.metadata.get(CLOCK_METADATA, {})
        self._offset_ns = int(clock.get(OFFSET, 0))
        chunks = self._contents.chunks
        self._start_ns = min((it.message_start_time for it in chunks), default=0)
        self._end_ns = max((it.message_end_time for it in chunks), default=0)

    def _check_metadata(self) -> None:
        """Raises RecordingError where it is not known who has sent the messages, or when."""
        if not self._contents.is_complete and not self._contents.chunks:
            raise in_file.nothing_recorded(self.path)
        if METADATA in self.metadata:
            try:
                json.loads(self.metadata[METADATA]["greeting"])
                if self._contents.chunks:
                    int(self.metadata[CLOCK_METADATA][OFFSET])
            except (KeyError, ValueError) as error:
                raise self._undescribed() from error
            return
        named = {it.name for it in self._contents.metadata}
        if METADATA in named:
            raise self._undescribed()
        raise RecordingError(
            f"{self.path} is no recording of Wrench; give a file that `wrench record` has made"
        )

    def _undescribed(self) -> RecordingError:
        return RecordingError(
            f"what {self.path} says of its board and clock is damaged; read its messages with "
            "another program for MCAP"
        )

    # ---- the file ------------------------------------------------------------------------------

    @property
    def is_complete(self) -> bool:
        """Whether its writing was ended in order: it has its summary."""
        return self._contents.is_complete

    @property
    def problems(self) -> list[str]:
        """What is wrong with the file, a sentence each, as far as has been read."""
        return list(self._problems)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._contents.size

    @property
    def greeting(self) -> dict[str, Any]:
        """Who the board is: the fields of its greeting, texts as str."""
        return json.loads(self.metadata[METADATA]["greeting"])

    @property
    def board_file(self) -> str | None:
        """The text of the board's file (TOML), None where the recorder did not know it."""
        for index in self._contents.attachments:
            if index.name == self.metadata[METADATA].get("board_file"):
                found = in_file.attachment_at(self._data, index)
                if found is not None:
                    return found.data.decode("utf-8-sig", errors="replace")
                self._problems["the board's file in it is damaged"] = None
        return None

    @property
    def started(self) -> dt.datetime | None:
        """Wall time at the recording's beginning; None of an empty one."""
        if not self._start_ns:
            return None
        return dt.datetime.fromtimestamp(self._start_ns / _NS, dt.UTC)

    @property
    def start_time_us(self) -> int:
        """Device time at the recording's beginning, in us since the board's reset."""
        return (self._start_ns - self._offset_ns) // 1000

    @property
    def duration_s(self) -> float:
        """Device time from the first message to the last."""
        return (self._end_ns - self._start_ns) / _NS

    @property
    def schemas(self) -> dict[str, str]:
        """The name of each topic's message type."""
        known, channels = self._contents.schemas, self._contents.channels
        return {it.topic: known[it.schema_id].name for it in channels.values()}

    @property
    def topics(self) -> dict[str, int]:
        """How many messages each topic has."""
        counts = self._contents.counts
        if counts is None:
            counts = dict.fromkeys(self._channels.values(), 0)
            for chunk in self._contents.chunks:
                for channel_id in counts:
                    counts[channel_id] += len(self._rows(chunk, channel_id))
        return {topic: counts.get(channel_id, 0) for topic, channel_id in self._channels.items()}

    def close(self) -> None:
        """Let go of the file; arrays that were read stay."""
        self._data.release()
        with suppress(BufferError):  # an error on its way holds a part of it, and goes with it
            self._map.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- what it holds -------------------------------------------------------------------------

    def waveform(self, start_s: float | None = None, end_s: float | None = None) -> Waveform:
        """The samples of a range; none (shape (0, 3)) where there is no waveform.

        A second of three axes at 3,200 Hz takes 0.1 MB of memory, an hour 0.4 GB.
        """
        sequence, time_s, acceleration_g, blocks = self._samples(start_s, end_s)
        rate, sd = timing.rate_hz(blocks)
        gaps = _gaps_between(sequence, time_s, blocks, self._known(rate))
        return Waveform(time_s, acceleration_g, rate, sd, gaps)

    def pieces(
        self, start_s: float | None = None, end_s: float | None = None, longest_s: float = 60.0
    ) -> Iterator[Waveform]:
        """The samples of a range, piece by piece, each of `longest_s` at most: for what is too long
        to be held at once. A gap between two pieces is the first of the later one's `gaps`."""
        at = max(0.0, start_s or 0.0)
        stop = self.duration_s + 1.0 if end_s is None else end_s
        last: Waveform | None = None
        while at < stop:
            piece = self.waveform(at, min(at + longest_s, stop))
            if len(piece):
                if last is not None:
                    between = self._gap_after(last, piece)
                    piece.gaps[:0] = between
                yield piece
                last = piece
            at += longest_s

    def rate(self, start_s: float | None = None, end_s: float | None = None) -> tuple[float, float]:
        """The waveform's rate in Hz and its standard uncertainty, measured against device time by
        least squares over a range; NaN where there is too little of it."""
        return timing.rate_hz(self.blocks(start_s, end_s))

    def gaps(self) -> list[Gap]:
        """Where samples of the waveform are missing, from the times of its blocks."""
        blocks = self.blocks()
        rate = self._known(timing.rate_hz(blocks)[0])
        found: list[Gap] = []
        for it, *edges_us in timing.edges_us(blocks, rate):
            start_s, end_s = self._time_s(np.array(edges_us) * 1000)
            found.append(_gap(float(start_s), float(end_s), it, rate))
        return found

    def status(self) -> Table:
        """The status frames; empty where there are none."""
        return self.table("/status")

    def features(self) -> Table:
        """The features of every window of vibration, by axis: `rms_x_mg`, `velocity_z_um_s`, …"""
        return self.table("/features")

    def losses(self) -> Table:
        """What was lost since the recording began, told once a second and at the end."""
        return self.table(schema.LOSSES_TOPIC)

    def events(self) -> list[Event]:
        """What happened, in order."""
        table = self.table("/event")
        if not len(table):
            return []
        return [
            Event(float(time_s), name, int(detail), text, None if np.isnan(value) else float(value))
            for time_s, name, detail, text, value in zip(
                table.time_s,
                table["code"],
                table["detail"],
                table["detail_name"],
                table["value"],
                strict=True,
            )
        ]

    def table(self, topic: str) -> Table:
        """All messages of a topic but the waveform's; empty where the recording has none."""
        if topic not in self._tables:
            messages, _ = self._all_but_samples()
            self._tables[topic] = self._decoded(topic, messages.get(topic, []))
        return self._tables[topic]

    def blocks(self, start_s: float | None = None, end_s: float | None = None) -> NDArray[Any]:
        """The frames that brought the waveform: a structured array with the fields of
        `schema.BLOCK`, in order. Those whose device time lies in the range."""
        if self._blocks is None and (start_s is not None or end_s is not None):
            chunks = self._chunks_within(start_s, end_s)
            channel_id = self._channels.get(schema.BLOCKS_TOPIC)
            found = self._from_each(
                chunks, lambda it, data: self._fixed(it, data, channel_id, _BLOCK)
            )
            blocks = _joined(found, _BLOCK)
        else:
            _, blocks = self._all_but_samples()
        begin, stop = self._range_ns(start_s, end_s)
        at_ns = blocks["publish_time"].astype(np.int64) + self._offset_ns
        return blocks[(at_ns >= begin) & (at_ns < stop)]

    # ---- reading -------------------------------------------------------------------------------

    def _samples(
        self, start_s: float | None, end_s: float | None
    ) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64], NDArray[Any]]:
        """Number, time and acceleration of a range's samples, and the blocks that brought them."""
        waveform_id = self._channels.get(schema.WAVEFORM_TOPIC)
        blocks_id = self._channels.get(schema.BLOCKS_TOPIC)
        begin, stop = self._range_ns(start_s, end_s)

        def of(chunk: ChunkIndex, data: bytes) -> tuple[NDArray[Any], ...]:
            rows = self._fixed(chunk, data, waveform_id, _SAMPLE)
            log_ns = rows["log_time"].astype(np.int64)
            rows = rows[(log_ns >= begin) & (log_ns < stop)]
            values = np.empty((len(rows), len(AXES)))
            for axis, name in enumerate(AXES):
                values[:, axis] = rows[f"{name}_g"]
            blocks = self._fixed(chunk, data, blocks_id, _BLOCK)
            return rows["sequence"].copy(), self._time_s(rows["publish_time"]), values, blocks

        # A block is as much later than its samples as it took the board to collect it.
        chunks = self._chunks_within(start_s, None if end_s is None else end_s + 1.0)
        found = self._from_each(chunks, of)
        if not found:
            empty = np.empty(0, np.uint32), np.empty(0), np.empty((0, len(AXES)))
            return (*empty, np.empty(0, _BLOCK.record))
        sequence, time_s, values, blocks = (
            np.concatenate(parts) for parts in zip(*found, strict=True)
        )
        return sequence, time_s, values, _those_of(blocks, sequence)

    def _known(self, rate: float) -> float:
        """The rate, or where too few blocks tell it, what the sensor is set to."""
        return float(self.greeting["sample_rate_hz"] or 1) if math.isnan(rate) else rate

    def _gap_after(self, last: Waveform, piece: Waveform) -> list[Gap]:
        start_s, end_s = float(last.time_s[-1]), float(piece.time_s[0])
        both = self.waveform(start_s, end_s + 0.5 / 1e6)
        return both.gaps

    def _all_but_samples(self) -> tuple[dict[str, list[tuple[int, bytes]]], NDArray[Any]]:
        """Time and content of each topic's messages, and all blocks; read once, in one pass."""
        if self._messages is not None and self._blocks is not None:
            return self._messages, self._blocks
        blocks_id = self._channels.get(schema.BLOCKS_TOPIC)
        topics = {
            topic: channel_id
            for topic, channel_id in self._channels.items()
            if topic not in (schema.WAVEFORM_TOPIC, schema.BLOCKS_TOPIC)
        }

        def of(
            chunk: ChunkIndex, data: bytes
        ) -> tuple[dict[str, list[tuple[int, bytes]]], NDArray[Any]]:
            messages = {
                topic: [
                    _message(data, int(at)) for at in self._rows(chunk, channel_id, data)["offset"]
                ]
                for topic, channel_id in topics.items()
            }
            return messages, self._fixed(chunk, data, blocks_id, _BLOCK)

        found = self._from_each(self._contents.chunks, of)
        self._blocks = _joined([blocks for _, blocks in found], _BLOCK)
        self._messages = {
            topic: [message for part, _ in found for message in part[topic]] for topic in topics
        }
        return self._messages, self._blocks

    def _decoded(self, topic: str, messages: Sequence[tuple[int, bytes]]) -> Table:
        if not messages:
            return Table(np.empty(0), {}, {})
        channel = self._contents.channels[self._channels[topic]]
        try:
            type_, fields = _decoder(self._contents.schemas[channel.schema_id])
            decoded = [type_.FromString(payload) for _, payload in messages]
        except _UNKNOWN_LAYOUT:
            problem = f"the {len(messages)} messages of {topic} cannot be read: what says how they"
            self._problems[f"{problem} are laid out is damaged"] = None
            return Table(np.empty(0), {}, {})
        columns = {
            it.name: np.array([getattr(row, it.name) for row in decoded], _DTYPES[it.cpp_type])
            for it in fields
            if it.cpp_type in _DTYPES
        }
        times = np.array([time_ns for time_ns, _ in messages], np.uint64)
        return Table(self._time_s(times), columns, dict(channel.metadata))

    def _from_each(
        self, chunks: Sequence[ChunkIndex], read: Callable[[ChunkIndex, bytes], _T]
    ) -> list[_T]:
        """What `read` makes of each sound chunk, in order."""

        def one(chunk: ChunkIndex) -> _T | None:
            try:
                return read(chunk, in_file.chunk_data(self._data, chunk))
            except RecordingError:
                return None

        # Unpacking and checksums let other threads run.
        with ThreadPoolExecutor(_WORKERS) as workers:
            found = list(workers.map(one, chunks))
        for chunk, part in zip(chunks, found, strict=True):
            if part is None:
                at_s = (chunk.message_start_time - self._start_ns) / _NS
                long_s = (chunk.message_end_time - chunk.message_start_time) / _NS
                self._problems[f"the {long_s:.1f} s from {at_s:.1f} s on are damaged"] = None
        return [part for part in found if part is not None]

    def _chunks_within(self, start_s: float | None, end_s: float | None) -> list[ChunkIndex]:
        begin, stop = self._range_ns(start_s, end_s)
        return [
            it
            for it in self._contents.chunks
            if it.message_end_time >= begin and it.message_start_time < stop
        ]

    def _range_ns(self, start_s: float | None, end_s: float | None) -> tuple[int, int]:
        begin = self._start_ns if start_s is None else self._start_ns + round(start_s * _NS)
        stop = self._end_ns + 1 if end_s is None else self._start_ns + round(end_s * _NS)
        return begin, stop

    def _rows(self, chunk: ChunkIndex, channel_id: int, data: bytes | None = None) -> Any:
        return in_file.index_rows(self._data, self._contents, chunk, channel_id, data)

    def _fixed(
        self, chunk: ChunkIndex, data: bytes, channel_id: int | None, type_: schema.FixedType
    ) -> NDArray[Any]:
        """The records of a channel whose messages have a fixed layout."""
        empty = np.empty(0, type_.record)
        if channel_id is None:
            return empty
        offsets = self._rows(chunk, channel_id, data)["offset"]
        size = type_.record.itemsize
        if not len(offsets):
            return empty
        raw = np.frombuffer(data, np.uint8)
        windows = np.lib.stride_tricks.as_strided(raw, (len(raw) - size + 1, size), (1, 1))
        return windows[offsets].view(type_.record)[:, 0]

    def _time_s(self, publish_ns: NDArray[Any]) -> NDArray[np.float64]:
        start_ns = self._start_ns - self._offset_ns
        return (publish_ns.astype(np.int64) - start_ns) / _NS

    def _read_metadata(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for index in self._contents.metadata:
            it = in_file.metadata_at(self._data, index)
            if it is not None:
                found[it.name] = it.metadata
        return found


_SAMPLE, _BLOCK = schema.SAMPLE, schema.BLOCK
_DTYPES: dict[int, Any] = {
    FieldDescriptor.CPPTYPE_DOUBLE: np.float64,
    FieldDescriptor.CPPTYPE_FLOAT: np.float64,
    FieldDescriptor.CPPTYPE_UINT32: np.int64,
    FieldDescriptor.CPPTYPE_UINT64: np.int64,
    FieldDescriptor.CPPTYPE_ENUM: np.int64,
    FieldDescriptor.CPPTYPE_STRING: object,
}


def _gap(start_s: float, end_s: float, it: Break, rate: float) -> Gap:
    missing = it.numbered
    if it.why == "samples lost":
        missing = max(missing, round((end_s - start_s) * rate) - 1, 1)
    return Gap(start_s, end_s, missing, it.why)


def _joined(parts: list[NDArray[Any]], type_: schema.FixedType) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, type_.record)


def _counted_on(sequence: NDArray[Any]) -> NDArray[np.int64]:
    """Sample numbers from 0 on, across the wrap of the file's 32 bits."""
    steps = np.diff(sequence.astype(np.int64)) & 0xFFFFFFFF
    return np.concatenate([[0], np.cumsum(steps)])


def _gaps_between(
    sequence: NDArray[Any], time_s: NDArray[np.float64], blocks: NDArray[Any], rate: float
) -> list[Gap]:
    """Gaps between samples with these numbers and times: where the numbers jump, and where the
    blocks say that the sensor has lost some, which have no numbers."""
    if not len(sequence):
        return []
    numbers = _counted_on(sequence)
    starts = (blocks["first_sample"].astype(np.int64) - int(sequence[0])) & NUMBER_MASK
    told = {int(np.searchsorted(numbers, starts[it.before])): it for it in timing.breaks(blocks)}
    jumps = [int(at) + 1 for at in np.flatnonzero(np.diff(numbers) > 1)]
    found: list[Gap] = []
    for at in sorted({*jumps, *told}):
        why = told[at].why if at in told else "frames lost"
        if 0 < at < len(numbers) and (why == "samples lost" or at in jumps):
            numbered = int(numbers[at] - numbers[at - 1]) - 1
            found.append(
                _gap(float(time_s[at - 1]), float(time_s[at]), Break(at, numbered, why), rate)
            )
    return found


def _those_of(blocks: NDArray[Any], sequence: NDArray[Any]) -> NDArray[Any]:
    """The blocks that brought at least one of the samples with these numbers."""
    if not len(sequence) or not len(blocks):
        return blocks[:0]
    first = int(sequence[0])
    span = int(_counted_on(sequence)[-1])
    starts = (blocks["first_sample"].astype(np.int64) - first) & NUMBER_MASK
    starts[starts > NUMBER_MASK // 2] -= NUMBER_MASK + 1
    return blocks[(starts <= span) & (starts + blocks["samples"] > 0)]


def _message(data: bytes, at: int) -> tuple[int, bytes]:
    """Publish time and content of the message at an offset in a chunk's records."""
    length = int.from_bytes(data[at + 1 : at + 9], "little")
    publish_ns = int.from_bytes(data[at + 23 : at + 31], "little")
    return publish_ns, data[at + 31 : at + 9 + length]


def _decoder(of: Any) -> tuple[Any, list[Any]]:
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(of.data).file:
        pool.AddSerializedFile(file.SerializeToString())
    type_ = message_factory.GetMessageClass(pool.FindMessageTypeByName(of.name))
    return type_, list(type_.DESCRIPTOR.fields)
