"""Making a recording whole again whose writing was cut short, or whose chunks are damaged."""

from __future__ import annotations

import mmap
import os
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from mcap.records import Attachment, ChunkIndex, Metadata

from wrench.errors import RecordingError
from wrench.recording import contents as in_file
from wrench.recording.chunk import Chunk
from wrench.recording.container import (
    HEAD,
    Summary,
    attachment_records,
    cannot_write,
    chunk_records,
    index_records,
    metadata_records,
    record_bytes,
    take_for_writing,
)
from wrench.recording.contents import Contents
from wrench.units import counted


@dataclass(frozen=True)
class Recovered:
    """What was done to `path`: `chunks` are in it now; `left_out` were damaged, and `cut_bytes` at
    its end not whole. `was_whole` says that there was nothing to do."""

    path: Path
    chunks: int
    left_out: int
    cut_bytes: int
    was_whole: bool


def recover(path: Path, output: Path | None = None, overwrite: bool = False) -> Recovered:
    """Give a recording its summary and index, and leave out what is damaged.

    Without `output` the file itself is completed: what was not whole at its end is cut off. Chunks
    that are damaged further inside can only be left out of a copy, `output`.

    Raises RecordingError, also where the file is still being recorded.
    """
    try:
        with path.open("r+b" if output is None else "rb", buffering=0) as file:
            if output is None:
                take_for_writing(file, path)
                return _completed(file, path)
            if output.exists() and (not overwrite or output.samefile(path)):
                raise RecordingError(f"{output} is there already; give another name with -o")
            return _copied(file, path, output)
    except ValueError as error:  # of an empty file there is no map
        raise RecordingError(f"{path} is empty; there is nothing to recover") from error
    except OSError as error:
        raise RecordingError(f"{path} cannot be read ({error.strerror}); check the name") from error


def _completed(file: BinaryIO, path: Path) -> Recovered:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as data:
        contents = _contents(data, path)
        damaged = [it for it in contents.chunks if not _is_sound(data, it)]
        if damaged:
            raise RecordingError(
                f"{path} has {counted(len(damaged), 'damaged chunk')}; write a copy of the rest "
                "with -o FILE"
            )
        end, tail = _tail(data, contents)
    if contents.is_complete:
        return Recovered(path, len(contents.chunks), 0, 0, True)
    try:
        file.truncate(end)
        file.seek(end)
        _write_all(file, tail)
        os.fsync(file.fileno())
    except OSError as error:
        file.truncate(end)
        raise cannot_write(path, error) from error
    cut = contents.size - contents.data_bytes
    return Recovered(path, len(contents.chunks), 0, cut, False)


def _contents(data: memoryview, path: Path) -> Contents:
    contents = in_file.read_contents(data, path)
    if not contents.is_complete and not contents.chunks:
        raise in_file.nothing_recorded(path)
    return contents


def _tail(data: memoryview, contents: Contents) -> tuple[int, bytes]:
    """Where the file ends that is kept of one without a summary, and what comes there."""
    end = contents.data_bytes
    indexes = b""
    chunks = list(contents.chunks)
    if chunks:
        # The index of the last chunk may have been cut.
        last = chunks[-1]
        chunk_end = last.chunk_start_offset + last.chunk_length
        if end == chunk_end + last.message_index_length:
            end = chunk_end
            made = in_file.made_indexes(in_file.chunk_data(data, last))
            indexes, places = index_records(made, chunk_end)
            chunks[-1] = replace(
                last, message_index_length=len(indexes), message_index_offsets=places
            )
    summary = Summary()
    summary.schemas = list(contents.schemas.values())
    summary.channels = list(contents.channels.values())
    summary.attachments = contents.attachments
    summary.metadata = contents.metadata
    for it in chunks:
        counts = {
            channel_id: len(in_file.index_rows(data, contents, it, channel_id))
            for channel_id in contents.channels
        }
        summary.add_chunk(it, {id_: count for id_, count in counts.items() if count})
    # Zero: the checksum of the data is not known, and would take reading all of it.
    return end, indexes + summary.records(end + len(indexes), 0)


def _copied(file: BinaryIO, path: Path, output: Path) -> Recovered:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as data:
        contents = _contents(data, path)
        try:
            with output.open("wb") as copy:
                chunks = _write_copy(data, contents, copy)
        except OSError as error:
            output.unlink(missing_ok=True)
            raise cannot_write(output, error) from error
    cut = 0 if contents.is_complete else contents.size - contents.data_bytes
    return Recovered(output, chunks, len(contents.chunks) - chunks, cut, False)


def _write_copy(data: memoryview, contents: Contents, copy: BinaryIO) -> int:
    """Write all that is sound; returns how many chunks."""
    size = crc = 0

    def append(part: bytes) -> None:
        nonlocal size, crc
        copy.write(part)
        size += len(part)
        crc = zlib.crc32(part, crc)

    summary = Summary()
    append(HEAD)
    for index in contents.metadata:
        it = in_file.metadata_at(data, index)
        if isinstance(it, Metadata):
            record, entry = metadata_records(it, size)
            append(record)
            summary.metadata.append(entry)
    for index in contents.attachments:
        it = in_file.attachment_at(data, index)
        if isinstance(it, Attachment):
            record, entry = attachment_records(it, size)
            append(record)
            summary.attachments.append(entry)
    summary.schemas = list(contents.schemas.values())
    summary.channels = list(contents.channels.values())
    append(b"".join(record_bytes(it) for it in (*summary.schemas, *summary.channels)))
    for index in contents.chunks:
        made = _chunk_at(data, index)
        if made is not None:
            record, entry = chunk_records(made, size)
            append(record)
            summary.add_chunk(entry, {id_: len(rows) for id_, rows in made.indexes.items()})
    append(summary.records(size, crc))
    return len(summary.chunks)


def _chunk_at(data: memoryview, index: ChunkIndex) -> Chunk | None:
    """A chunk of a file with its index made anew; None where it is damaged."""
    try:
        records = in_file.chunk_data(data, index)
    except RecordingError:
        return None
    indexes = in_file.made_indexes(records)
    if not indexes:
        return None
    end = index.chunk_start_offset + index.chunk_length
    return Chunk(
        index.compression,
        bytes(data[end - index.compressed_size : end]),
        len(records),
        zlib.crc32(records),
        min(int(rows["log_time"].min()) for rows in indexes.values()),
        max(int(rows["log_time"].max()) for rows in indexes.values()),
        indexes,
    )


def _is_sound(data: memoryview, index: ChunkIndex) -> bool:
    try:
        in_file.chunk_data(data, index)
    except RecordingError:
        return False
    return True


def _write_all(file: BinaryIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
