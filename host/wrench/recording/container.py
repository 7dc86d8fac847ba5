"""The file itself: MCAP records appended and kept whole, whatever ends the writing.

Records are those of the `mcap` library; only what comes by the thousand, messages and their index,
is laid out in `chunk`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import sys
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any, BinaryIO

from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Attachment,
    AttachmentIndex,
    Channel,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)
from mcap.writer import MCAP0_MAGIC
from numpy.typing import NDArray

from wrench import __version__
from wrench.errors import RecordingError
from wrench.recording import chunk, schema

_CHUNK_HEAD = struct.Struct("<BQQQQI")
_FOOTER_HEAD = struct.Struct("<BQQQ")
_FOOTER_BYTES = 20
_BEYOND = 1 << 62


class Summary:
    """What stands at the end of a file: where everything in it is."""

    def __init__(self) -> None:
        self.schemas: list[Schema] = []
        self.channels: list[Channel] = []
        self.chunks: list[ChunkIndex] = []
        self.attachments: list[AttachmentIndex] = []
        self.metadata: list[MetadataIndex] = []
        self.counts: defaultdict[int, int] = defaultdict(int)

    def add_chunk(self, index: ChunkIndex, counts: Mapping[int, int]) -> None:
        """A chunk has been added, with so many messages in each channel."""
        self.chunks.append(index)
        for channel_id, count in counts.items():
            self.counts[channel_id] += count

    def records(self, offset: int, data_crc: int) -> bytes:
        """Everything from the end of the data, which is at `offset`, to the end of the file."""
        head = record_bytes(DataEnd(data_crc))
        start = offset + len(head)
        body = b""
        groups: list[tuple[int, Iterable[McapRecord]]] = [
            (Opcode.SCHEMA, self.schemas),
            (Opcode.CHANNEL, self.channels),
            (Opcode.STATISTICS, [self._statistics()]),
            (Opcode.CHUNK_INDEX, self.chunks),
            (Opcode.ATTACHMENT_INDEX, self.attachments),
            (Opcode.METADATA_INDEX, self.metadata),
        ]
        offsets: list[SummaryOffset] = []
        for opcode, members in groups:
            group = b"".join(record_bytes(it) for it in members)
            if group:
                offsets.append(SummaryOffset(opcode, start + len(body), len(group)))
            body += group
        offset_start = start + len(body)
        body += b"".join(record_bytes(it) for it in offsets)
        footer = _FOOTER_HEAD.pack(Opcode.FOOTER, _FOOTER_BYTES, start, offset_start)
        crc = zlib.crc32(footer, zlib.crc32(body))
        return head + body + record_bytes(Footer(start, offset_start, crc)) + MCAP0_MAGIC

    def _statistics(self) -> Statistics:
        return Statistics(
            attachment_count=len(self.attachments),
            channel_count=len(self.channels),
            channel_message_counts=dict(self.counts),
            chunk_count=len(self.chunks),
            message_count=sum(self.counts.values()),
            metadata_count=len(self.metadata),
            message_start_time=min((it.message_start_time for it in self.chunks), default=0),
            message_end_time=max((it.message_end_time for it in self.chunks), default=0),
            schema_count=len(self.schemas),
        )


class RecordingFile:
    """A recording that is being written.

    Whatever is appended is on the disk when the call returns, or is not in the file at all. Raises
    RecordingError where the disk is full or fails; the file then ends with what was appended last.
    """

    def __init__(self, path: Path, overwrite: bool = False) -> None:
        self.path = path
        self.size = 0
        self._crc = 0
        self._summary = Summary()
        try:
            self._file = _opened(path, overwrite)
        except FileExistsError as error:
            raise RecordingError(
                f"{path} is there already; give another name, or overwrite it with --force"
            ) from error
        except OSError as error:
            raise RecordingError(
                f"{path} cannot be written ({error.strerror}); give another name with -o"
            ) from error
        try:
            take_for_writing(self._file, path)
            self._file.truncate(0)
            self._append(HEAD)
        except OSError as error:
            self._file.close()
            raise cannot_write(path, error) from error
        except RecordingError:
            self._file.close()
            raise

    def add_metadata(self, name: str, values: Mapping[str, str]) -> None:
        """Add named values."""
        data, index = metadata_records(Metadata(name, dict(values)), self.size)
        self._append(data)
        self._summary.metadata.append(index)

    def add_attachment(self, name: str, media_type: str, data: bytes, time_ns: int) -> None:
        """Add a file; `time_ns` is when, since 1970."""
        attached = Attachment(time_ns, time_ns, name, media_type, data)
        record, index = attachment_records(attached, self.size)
        self._append(record)
        self._summary.attachments.append(index)

    def add_chunk(self, made: chunk.Chunk) -> None:
        """Add a chunk and its index, and before it the channels that have not been used yet."""
        schemas, channels = _described(made.indexes.keys() - self._summary.counts.keys())
        before = b"".join(record_bytes(it) for it in (*schemas, *channels))
        data, index = chunk_records(made, self.size + len(before))
        self._append(before + data)
        self._summary.schemas += schemas
        self._summary.channels += channels
        self._summary.add_chunk(index, {id_: len(rows) for id_, rows in made.indexes.items()})

    def close(self) -> None:
        """Add the summary and close. Where there is no room left for a summary, the file ends
        without one, and is whole in every other way; raises RecordingError then."""
        try:
            self._append(self._summary.records(self.size, self._crc))
        finally:
            self._file.close()

    def _append(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):  # a disk that has failed may refuse this too
                self._file.seek(self.size)
                self._file.truncate(self.size)
            raise cannot_write(self.path, error) from error
        self.size += len(data)
        self._crc = zlib.crc32(data, self._crc)


def _described(channel_ids: Set[int]) -> tuple[list[Schema], list[Channel]]:
    types = [it for it in schema.TYPES if schema.CHANNELS[it.topic] in channel_ids]
    schemas = [
        Schema(schema.CHANNELS[it.topic], it.schema, schema.ENCODING, it.name) for it in types
    ]
    channels = [
        Channel(made.id, it.topic, schema.ENCODING, it.units, made.id)
        for it, made in zip(types, schemas, strict=True)
    ]
    return schemas, channels


def metadata_records(it: Metadata, offset: int) -> tuple[bytes, MetadataIndex]:
    """Named values as they stand at `offset` in a file, and the entry for the summary."""
    data = record_bytes(it)
    return data, MetadataIndex(offset, len(data), it.name)


def attachment_records(it: Attachment, offset: int) -> tuple[bytes, AttachmentIndex]:
    """An attached file as it stands at `offset` in a file, and the entry for the summary."""
    data = record_bytes(it)
    index = AttachmentIndex(
        offset, len(data), it.log_time, it.create_time, len(it.data), it.name, it.media_type
    )
    return data, index


def chunk_records(made: chunk.Chunk, offset: int) -> tuple[bytes, ChunkIndex]:
    """A chunk's record and its message indexes as they stand at `offset` in a file, and the entry
    for the summary."""
    compression = made.compression.encode()
    tail_bytes = 4 + len(compression) + 8
    head = _CHUNK_HEAD.pack(
        Opcode.CHUNK,
        _CHUNK_HEAD.size - schema.MESSAGE_HEAD_BYTES + tail_bytes + len(made.compressed),
        made.start_ns,
        made.end_ns,
        made.uncompressed_bytes,
        made.crc,
    )
    head += struct.pack("<I", len(compression)) + compression
    head += struct.pack("<Q", len(made.compressed))
    length = len(head) + len(made.compressed)
    indexes, places = index_records(made.indexes, offset + length)
    entry = ChunkIndex(
        chunk_length=length,
        chunk_start_offset=offset,
        compression=made.compression,
        compressed_size=len(made.compressed),
        message_end_time=made.end_ns,
        message_index_length=len(indexes),
        message_index_offsets=places,
        message_start_time=made.start_ns,
        uncompressed_size=made.uncompressed_bytes,
    )
    return head + made.compressed + indexes, entry


def index_records(indexes: Mapping[int, NDArray[Any]], offset: int) -> tuple[bytes, dict[int, int]]:
    """The message index records of a chunk as they stand at `offset` in a file, and where that of
    each channel is."""
    places: dict[int, int] = {}
    data = b""
    for channel_id, rows in indexes.items():
        places[channel_id] = offset + len(data)
        data += chunk.index_record(channel_id, rows)
    return data, places


def record_bytes(record: McapRecord) -> bytes:
    """A record as it stands in a file."""
    builder = RecordBuilder()
    record.write(builder)
    return builder.end()


HEAD = MCAP0_MAGIC + record_bytes(Header("", f"wrench {__version__}"))
"""What every recording begins with."""


def take_for_writing(file: BinaryIO, path: Path) -> None:
    """Keep other recorders, and whoever mends, away from an open file until it is closed; others
    read it all the same. Raises RecordingError where one of them has it."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415

            # What is locked can there not be read by others: a byte that no recording reaches.
            file.seek(_BEYOND)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(0)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        raise RecordingError(
            f"{path} is being recorded; end that first, or give another name"
        ) from error
    except OSError:
        return  # not every file system has locks


def is_being_recorded(file: BinaryIO) -> bool:
    """Whether a recorder, or whoever mends, has an open file. Keeps nobody away for longer than it
    takes to ask."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415

            file.seek(_BEYOND)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(_BEYOND)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(file.fileno(), fcntl.LOCK_UN)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        return False  # not every file system has locks
    return False


def _opened(path: Path, overwrite: bool) -> BinaryIO:
    """A new file, or an old one with its content still there, without a buffer."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags if overwrite else flags | os.O_EXCL, 0o666)
    return open(descriptor, "r+b", buffering=0)


def cannot_write(path: Path, error: OSError) -> RecordingError:
    """What to tell of a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return RecordingError(
            f"the disk of {path} is full; make room, or record to another disk with -o"
        )
    return RecordingError(f"{path} cannot be written on ({error.strerror}); check its disk")
