"""One chunk of a recording: messages in the order of their times, and where each of them lies."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard
from mcap.opcode import Opcode
from numpy.typing import NDArray

from wrench.recording import schema

COMPRESSION = "zstd"
# A third of the time of the next level, for 1 % more bytes.
_LEVEL = 3
_HEAD = struct.Struct("<BQHIQQ")
_INDEX_HEAD = struct.Struct("<BQHI")
INDEX_ENTRY = np.dtype([("log_time", "<u8"), ("offset", "<u8")])


@dataclass(frozen=True)
class Message:
    """One message; `time_us` is device time."""

    channel_id: int
    time_us: int
    sequence: int
    payload: bytes


@dataclass(frozen=True)
class Chunk:
    """Messages ready to be written.

    `indexes` has, for each channel, a row for every message with its time and its place in the
    uncompressed records; `start_ns` and `end_ns` are the first and last log time.
    """

    compression: str
    compressed: bytes
    uncompressed_bytes: int
    crc: int
    start_ns: int
    end_ns: int
    indexes: dict[int, NDArray[Any]]


def index_record(channel_id: int, rows: NDArray[Any]) -> bytes:
    """The message index record of a channel in a chunk; `rows` as in `Chunk.indexes`."""
    head = _INDEX_HEAD.pack(Opcode.MESSAGE_INDEX, 6 + rows.nbytes, channel_id, rows.nbytes)
    return head + rows.tobytes()


def build(messages: Sequence[Message], samples: NDArray[Any], offset_ns: int) -> Chunk:
    """A chunk of messages and of the waveform's records, both in the order of their times; not both
    may be empty. `offset_ns` is added to device time to get log time."""
    times = np.array([it.time_us * 1000 + offset_ns for it in messages], np.uint64)
    records = [
        _HEAD.pack(
            Opcode.MESSAGE,
            _HEAD.size - schema.MESSAGE_HEAD_BYTES + len(it.payload),
            it.channel_id,
            it.sequence & 0xFFFFFFFF,
            it.time_us * 1000 + offset_ns,
            it.time_us * 1000,
        )
        + it.payload
        for it in messages
    ]
    lengths = np.array([len(record) for record in records], np.int64)
    after = np.searchsorted(samples["log_time"], times, "right").astype(np.int64)
    ends = np.cumsum(lengths)
    offsets = samples.itemsize * after + ends - lengths
    data = _interleaved(samples.tobytes(), [samples.itemsize * int(n) for n in after], records)
    indexes: dict[int, NDArray[Any]] = {}
    channels = np.array([it.channel_id for it in messages], np.int64)
    for channel_id in np.unique(channels):
        those = channels == channel_id
        indexes[int(channel_id)] = _index(times[those], offsets[those])
    if len(samples):
        # Before a sample lie the samples before it, and the messages that come after fewer.
        before = np.searchsorted(after, np.arange(len(samples)), "right")
        shifts = np.concatenate([[0], ends])[before]
        places = samples.itemsize * np.arange(len(samples)) + shifts
        indexes[int(samples["channel_id"][0])] = _index(samples["log_time"], places)
    starts = [int(rows["log_time"][0]) for rows in indexes.values()]
    stops = [int(rows["log_time"][-1]) for rows in indexes.values()]
    compressed = zstandard.ZstdCompressor(level=_LEVEL).compress(data)
    shorter = len(compressed) < len(data)
    return Chunk(
        COMPRESSION if shorter else "",
        compressed if shorter else data,
        len(data),
        zlib.crc32(data),
        min(starts),
        max(stops),
        indexes,
    )


def _interleaved(samples: bytes, places: Sequence[int], records: Sequence[bytes]) -> bytes:
    pieces: list[bytes] = []
    done = 0
    for place, record in zip(places, records, strict=True):
        if place > done:
            pieces.append(samples[done:place])
            done = place
        pieces.append(record)
    pieces.append(samples[done:])
    return b"".join(pieces)


def _index(times: NDArray[Any], offsets: NDArray[Any]) -> NDArray[Any]:
    rows = np.empty(len(times), INDEX_ENTRY)
    rows["log_time"] = times
    rows["offset"] = offsets
    return rows
