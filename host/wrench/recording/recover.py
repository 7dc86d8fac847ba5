"""Making a recording whole again whose writing was cut short, or whose chunks are damaged."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from mcap.records import ChunkIndex

from wrench.errors import RecordingError
from wrench.recording import contents as in_file
from wrench.recording.container import Summary, cannot_write, index_records

_COPIED_BYTES = 1 << 20


@dataclass(frozen=True)
class Recovered:
    """What was done to `path`: `chunks` are in it now; `left_out` were damaged, and `cut_bytes` at
    its end not whole. `was_whole` says that there was nothing to do."""

    path: Path
    chunks: int
    left_out: int
    cut_bytes: int
    was_whole: bool


@dataclass(frozen=True)
class _Plan:
    """The parts of the old file that are kept, and what comes after them."""

    parts: list[tuple[int, int]]
    tail: bytes
    done: Recovered


def recover(path: Path, output: Path | None = None, overwrite: bool = False) -> Recovered:
    """Give a recording its summary and index, and leave out what is damaged.

    Without `output` the file itself is completed: what was not whole at its end is cut off. Chunks
    that are damaged further inside can only be left out of a copy, `output`.

    Raises RecordingError.
    """
    plan = _planned(path, output)
    if plan.done.was_whole:
        return plan.done
    if output is not None and output.exists() and (not overwrite or output.samefile(path)):
        raise RecordingError(f"{output} is there already; give another name with -o")
    if output is None and len(plan.parts) > 1:
        raise RecordingError(
            f"{plan.done.left_out} chunks in {path} are damaged; write a copy without them with "
            "-o FILE"
        )
    try:
        if output is None:
            with path.open("r+b", buffering=0) as file:
                _complete(file, plan)
        else:
            with path.open("rb") as old, output.open("wb") as file:
                for begin, end in plan.parts:
                    _copy(old, file, begin, end)
                file.write(plan.tail)
    except OSError as error:
        raise cannot_write(output or path, error) from error
    return plan.done


def _planned(path: Path, output: Path | None) -> _Plan:
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as data,
        ):
            return _plan(data, path, output)
    except ValueError as error:  # of an empty file there is no map
        raise RecordingError(f"{path} is empty; there is nothing to recover") from error
    except OSError as error:
        raise RecordingError(f"{path} cannot be read ({error.strerror}); check the name") from error


def _plan(data: memoryview, path: Path, output: Path | None) -> _Plan:
    contents = in_file.read_contents(data, path)
    damaged = [it for it in contents.chunks if not _is_sound(data, it)]
    sound = [it for it in contents.chunks if it not in damaged]
    done = Recovered(
        output or path,
        len(sound),
        len(damaged),
        0 if contents.is_complete else contents.size - contents.data_bytes,
        contents.is_complete and not damaged and output is None,
    )
    end = contents.data_bytes
    indexes = b""
    places: dict[int, int] = {}
    last = contents.chunks[-1] if contents.chunks else None
    if last is not None and not contents.is_complete:
        # The index of the last chunk may have been cut.
        chunk_end = last.chunk_start_offset + last.chunk_length
        if end == chunk_end + last.message_index_length:
            end = chunk_end
            made = contents.indexes[last.chunk_start_offset]
            indexes, places = index_records(made, chunk_end)
            sound[-1] = replace(
                last, message_index_length=len(indexes), message_index_offsets=places
            )
    parts = list(_parts(damaged, end))
    summary = Summary()
    summary.schemas = list(contents.schemas.values())
    summary.channels = list(contents.channels.values())
    summary.attachments = [
        replace(it, offset=_moved(it.offset, damaged)) for it in contents.attachments
    ]
    summary.metadata = [replace(it, offset=_moved(it.offset, damaged)) for it in contents.metadata]
    for it in sound:
        counts = {
            channel_id: len(in_file.index_rows(data, contents, it, channel_id))
            for channel_id in contents.channels
        }
        moved = replace(
            it,
            chunk_start_offset=_moved(it.chunk_start_offset, damaged),
            message_index_offsets={
                channel_id: _moved(offset, damaged)
                for channel_id, offset in it.message_index_offsets.items()
            },
        )
        summary.add_chunk(moved, {id_: count for id_, count in counts.items() if count})
    size = sum(stop - begin for begin, stop in parts) + len(indexes)
    # Zero: the checksum of the data is not known, and would take reading all of it.
    return _Plan(parts, indexes + summary.records(size, 0), done)


def _is_sound(data: memoryview, index: ChunkIndex) -> bool:
    try:
        in_file.chunk_data(data, index)
    except RecordingError:
        return False
    return True


def _span(index: ChunkIndex) -> tuple[int, int]:
    """Where a chunk and its message indexes are."""
    begin = index.chunk_start_offset
    return begin, begin + index.chunk_length + index.message_index_length


def _parts(damaged: Sequence[ChunkIndex], end: int) -> Iterator[tuple[int, int]]:
    begin = 0
    for start, stop in map(_span, damaged):
        yield begin, start
        begin = stop
    if begin < end:
        yield begin, end


def _moved(offset: int, damaged: Sequence[ChunkIndex]) -> int:
    """Where something is once the damaged chunks are left out."""
    spans = map(_span, damaged)
    return offset - sum(stop - start for start, stop in spans if start < offset)


def _complete(file: BinaryIO, plan: _Plan) -> None:
    end = plan.parts[-1][1]
    file.truncate(end)
    file.seek(end)
    try:
        left = memoryview(plan.tail)
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except OSError:
        file.truncate(end)
        raise


def _copy(old: BinaryIO, new: BinaryIO, begin: int, end: int) -> None:
    old.seek(begin)
    left = end - begin
    while left > 0:
        data = old.read(min(left, _COPIED_BYTES))
        new.write(data)
        left -= len(data)
