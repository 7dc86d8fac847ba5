"""What is in a recording's file and where: from its summary, or, where it has none because its
writing was cut short, from the records themselves."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import lz4.frame
import numpy as np
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import (
    Attachment,
    AttachmentIndex,
    Channel,
    ChunkIndex,
    Footer,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
)
from mcap.writer import MCAP0_MAGIC
from numpy.typing import NDArray

from wrench.errors import RecordingError
from wrench.recording.chunk import INDEX_ENTRY
from wrench.units import counted

_FEW = 16
_CHANNEL = struct.Struct("<H")
_RECORD_HEAD = struct.Struct("<BQ")
_LARGEST_CHUNK = 1 << 28  # bytes; room is taken before anything is unpacked
_CHUNK_HEAD = struct.Struct("<QQQI")
_INDEX_HEAD = struct.Struct("<HI")
_MESSAGE_HEAD = struct.Struct("<HIQQ")
_DATA_END_BYTES = _RECORD_HEAD.size + 4
_FOOTER_AND_MAGIC_BYTES = _RECORD_HEAD.size + 20 + len(MCAP0_MAGIC)
_LAST_OPCODE = max(Opcode)
_DAMAGED = (McapError, struct.error, ValueError, EOFError, zstandard.ZstdError, RuntimeError)


@dataclass
class Contents:
    """Where everything is.

    `is_complete` says that the file has its summary. `data_bytes` is where its data end: of a file
    without a summary, with the last whole record. `indexes` has the message indexes that had to be
    made anew, as that of the last chunk of such a file: by the chunk's offset and channel, rows of
    log time and offset. `problems` are sentences.
    """

    size: int
    is_complete: bool = True
    data_bytes: int = 0
    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    chunks: list[ChunkIndex] = field(default_factory=list)
    attachments: list[AttachmentIndex] = field(default_factory=list)
    metadata: list[MetadataIndex] = field(default_factory=list)
    counts: dict[int, int] | None = None
    indexes: dict[int, dict[int, NDArray[Any]]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_contents(data: memoryview, path: Path) -> Contents:
    """What is in a file with these bytes. Raises RecordingError where it is no MCAP file."""
    if bytes(data[: len(MCAP0_MAGIC)]) != MCAP0_MAGIC:
        raise RecordingError(
            f"{path} is no recording; give a file that `wrench record` has made, or another .mcap"
        )
    try:
        return _from_summary(data)
    except _DAMAGED:
        return _from_records(data)


def nothing_recorded(path: Path) -> RecordingError:
    """What to tell of a file that ends before its first chunk does."""
    return RecordingError(
        f"{path} was cut before anything was recorded; there is nothing in it to read"
    )


def chunk_data(data: memoryview, index: ChunkIndex) -> bytes:
    """The uncompressed records of a chunk. Raises RecordingError where it is damaged."""
    try:
        return _chunk_data(data, index)
    except _DAMAGED as error:
        raise RecordingError(
            f"the chunk at byte {index.chunk_start_offset} is damaged; mend the file with "
            "`wrench recover`"
        ) from error


def index_rows(
    data: memoryview,
    contents: Contents,
    index: ChunkIndex,
    channel_id: int,
    records: bytes | None = None,
) -> NDArray[Any]:
    """Log time and offset of each message of a channel in a chunk: an array of `INDEX_ENTRY`.

    With the chunk's `records`, an index that does not fit them is made anew. Raises RecordingError
    where the index is damaged and the chunk too.
    """
    if index.chunk_start_offset not in contents.indexes:
        try:
            rows = _rows_in_file(data, index, channel_id)
            if records is not None:
                _check_places(rows, records, channel_id)
            return rows
        except _DAMAGED:
            whole = chunk_data(data, index) if records is None else records
            contents.indexes[index.chunk_start_offset] = made_indexes(whole)
    made = contents.indexes[index.chunk_start_offset]
    return made.get(channel_id, np.empty(0, INDEX_ENTRY))


def metadata_at(data: memoryview, index: MetadataIndex) -> Metadata | None:
    """Metadata of a file, or None where they are damaged."""
    try:
        _, stream = stream_at(data, index.offset, index.length)
        return Metadata.read(stream)
    except _DAMAGED:
        return None


def attachment_at(data: memoryview, index: AttachmentIndex) -> Attachment | None:
    """A file that is attached, or None where it is damaged."""
    try:
        _, stream = stream_at(data, index.offset, index.length)
        found = Attachment.read(stream)
    except _DAMAGED:
        return None
    told = data[index.offset + index.length - 4 : index.offset + index.length]
    content = data[index.offset + _RECORD_HEAD.size : index.offset + index.length - 4]
    return found if zlib.crc32(content) == int.from_bytes(told, "little") else None


def messages_in(records: bytes) -> Iterator[tuple[int, int, int]]:
    """Channel, log time and offset of each message in a chunk's records."""
    at = 0
    while at < len(records):
        opcode, length = _RECORD_HEAD.unpack_from(records, at)
        if opcode == Opcode.MESSAGE:
            channel_id, _, log_time, _ = _MESSAGE_HEAD.unpack_from(records, at + _RECORD_HEAD.size)
            yield channel_id, log_time, at
        at += _RECORD_HEAD.size + length


def made_indexes(records: bytes) -> dict[int, NDArray[Any]]:
    """The message indexes of a chunk with these records."""
    found: dict[int, list[tuple[int, int]]] = {}
    for channel_id, log_time, offset in messages_in(records):
        found.setdefault(channel_id, []).append((log_time, offset))
    return {channel_id: np.array(rows, INDEX_ENTRY) for channel_id, rows in found.items()}


def stream_at(data: memoryview, offset: int, length: int) -> tuple[int, ReadDataStream]:
    """Opcode and content of the record at an offset."""
    stream = ReadDataStream(BytesIO(data[offset : offset + length]))
    opcode = stream.read1()
    stream.read8()
    return opcode, stream


def _rows_in_file(data: memoryview, index: ChunkIndex, channel_id: int) -> NDArray[Any]:
    offset = index.message_index_offsets.get(channel_id)
    if offset is None:
        return np.empty(0, INDEX_ENTRY)
    opcode, length = _RECORD_HEAD.unpack_from(data, offset)
    of, size = _INDEX_HEAD.unpack_from(data, offset + _RECORD_HEAD.size)
    if (opcode, of, length) != (Opcode.MESSAGE_INDEX, channel_id, _INDEX_HEAD.size + size):
        raise ValueError("no index of that channel")
    begin = offset + _RECORD_HEAD.size + _INDEX_HEAD.size
    return np.frombuffer(data[begin : begin + size], INDEX_ENTRY)


def _check_places(rows: NDArray[Any], records: bytes, channel_id: int) -> None:
    """Indexes have no checksum. Raises ValueError where one leads to no messages of its channel."""
    if len(rows) <= _FEW:
        _check_each(rows["offset"].tolist(), records, channel_id)
        return
    places = rows["offset"].astype(np.int64)
    raw = np.frombuffer(records, np.uint8)
    last = len(raw) - _RECORD_HEAD.size - _MESSAGE_HEAD.size
    if places[0] < 0 or places[-1] > last or (np.diff(places) <= 0).any():
        raise ValueError("an index leads nowhere")
    of = raw[places + _RECORD_HEAD.size] + 256 * raw[places + _RECORD_HEAD.size + 1].astype(int)
    if (raw[places] != Opcode.MESSAGE).any() or (of != channel_id).any():
        raise ValueError("an index leads elsewhere")


def _check_each(places: list[int], records: bytes, channel_id: int) -> None:
    """The same for a few, in a tenth of the time: an hour has 20,000 such indexes."""
    last = len(records) - _RECORD_HEAD.size - _MESSAGE_HEAD.size
    before = -1
    for at in places:
        if not before < at <= last:
            raise ValueError("an index leads nowhere")
        if (
            records[at] != Opcode.MESSAGE
            or _CHANNEL.unpack_from(records, at + _RECORD_HEAD.size)[0] != channel_id
        ):
            raise ValueError("an index leads elsewhere")
        before = at


def _chunk_data(data: memoryview, index: ChunkIndex) -> bytes:
    at = index.chunk_start_offset + _RECORD_HEAD.size
    _, _, size, crc = _CHUNK_HEAD.unpack_from(data, at)
    if size > _LARGEST_CHUNK:
        raise ValueError("a chunk's size is damaged")
    begin = index.chunk_start_offset + index.chunk_length - index.compressed_size
    packed = data[begin : begin + index.compressed_size]
    if index.compression == "zstd":
        records = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
    elif index.compression == "lz4":
        records = lz4.frame.decompress(packed)
    else:
        records = bytes(packed)
    if len(records) != size or (crc and zlib.crc32(records) != crc):
        raise ValueError("the checksum is another")
    return records


def _from_summary(data: memoryview) -> Contents:
    size = len(data)
    if bytes(data[-len(MCAP0_MAGIC) :]) != MCAP0_MAGIC:
        raise ValueError("the file does not end as one")
    opcode, stream = stream_at(data, size - _FOOTER_AND_MAGIC_BYTES, _FOOTER_AND_MAGIC_BYTES)
    if opcode != Opcode.FOOTER:
        raise ValueError("no footer")
    footer = Footer.read(stream)
    end = size - len(MCAP0_MAGIC)
    if not footer.summary_start:
        raise ValueError("no summary")
    # What the checksum covers ends just before itself.
    if (
        footer.summary_crc
        and zlib.crc32(data[footer.summary_start : end - 4]) != footer.summary_crc
    ):
        raise ValueError("the summary's checksum is another")
    contents = Contents(size, data_bytes=footer.summary_start - _DATA_END_BYTES)
    for opcode, stream, _, _ in _records(data, footer.summary_start, end):
        if opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
            _take_definition(contents, opcode, stream)
        elif opcode == Opcode.CHUNK_INDEX:
            contents.chunks.append(ChunkIndex.read(stream))
        elif opcode == Opcode.ATTACHMENT_INDEX:
            contents.attachments.append(AttachmentIndex.read(stream))
        elif opcode == Opcode.METADATA_INDEX:
            contents.metadata.append(MetadataIndex.read(stream))
        elif opcode == Opcode.STATISTICS:
            contents.counts = Statistics.read(stream).channel_message_counts
    return contents


def _from_records(data: memoryview) -> Contents:
    contents = Contents(len(data), is_complete=False, data_bytes=len(MCAP0_MAGIC))
    try:
        for opcode, stream, offset, length in _records(data, len(MCAP0_MAGIC), len(data)):
            if opcode in (Opcode.DATA_END, Opcode.FOOTER):
                break
            _take_record(contents, opcode, stream, offset, length)
            contents.data_bytes = offset + length
    except _DAMAGED:
        pass
    _check_end(data, contents)
    cut = len(data) - contents.data_bytes
    contents.problems.append(
        "its writing was cut short"
        + (f", {counted(cut, 'byte')} at its end cannot be read" if cut else "")
    )
    return contents


def _take_definition(contents: Contents, opcode: int, stream: ReadDataStream) -> None:
    if opcode == Opcode.SCHEMA:
        schema = Schema.read(stream)
        contents.schemas[schema.id] = schema
    else:
        channel = Channel.read(stream)
        contents.channels[channel.id] = channel


def _take_record(
    contents: Contents, opcode: int, stream: ReadDataStream, offset: int, length: int
) -> None:
    if opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
        _take_definition(contents, opcode, stream)
    elif opcode == Opcode.METADATA:
        contents.metadata.append(MetadataIndex(offset, length, Metadata.read(stream).name))
    elif opcode == Opcode.ATTACHMENT:
        it = Attachment.read(stream)
        contents.attachments.append(
            AttachmentIndex(
                offset, length, it.log_time, it.create_time, len(it.data), it.name, it.media_type
            )
        )
    elif opcode == Opcode.CHUNK:
        start_ns, end_ns, size, _ = _CHUNK_HEAD.unpack(stream.read(_CHUNK_HEAD.size))
        compression = stream.read_prefixed_string()
        contents.chunks.append(
            ChunkIndex(length, offset, compression, stream.read8(), end_ns, 0, {}, start_ns, size)
        )
    elif opcode == Opcode.MESSAGE_INDEX and contents.chunks:
        channel_id, _ = _INDEX_HEAD.unpack(stream.read(_INDEX_HEAD.size))
        last = contents.chunks[-1]
        last.message_index_offsets[channel_id] = offset
        last.message_index_length += length


def _check_end(data: memoryview, contents: Contents) -> None:
    """The last chunk may lack some of its indexes, and after a power cut its content."""
    while contents.chunks:
        last = contents.chunks[-1]
        try:
            records = _chunk_data(data, last)
            contents.indexes = {last.chunk_start_offset: made_indexes(records)}
        except _DAMAGED:
            contents.chunks.pop()
            contents.data_bytes = last.chunk_start_offset
            continue
        return


def _records(
    data: memoryview, begin: int, end: int
) -> Iterator[tuple[int, ReadDataStream, int, int]]:
    """Opcode, content, offset and length of each whole record."""
    at = begin
    while at + _RECORD_HEAD.size <= end:
        opcode, length = _RECORD_HEAD.unpack_from(data, at)
        begins = at + _RECORD_HEAD.size
        if begins + length > end:
            return
        if not 0 < opcode <= _LAST_OPCODE:
            raise ValueError("no record")
        # Of a chunk the head is enough, and of an index of messages.
        kept = 64 if opcode in (Opcode.CHUNK, Opcode.MESSAGE_INDEX) else length
        stream = ReadDataStream(BytesIO(data[begins : begins + min(kept, length)]))
        yield opcode, stream, at, _RECORD_HEAD.size + length
        at = begins + length
