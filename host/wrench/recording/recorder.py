"""Frames into a recording: collected for a second at most, then put on the disk as a chunk."""

from __future__ import annotations

import json
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wrench import __version__, readout
from wrench.boards import Board
from wrench.link import Frame
from wrench.recording import chunk, schema
from wrench.recording.chunk import Message
from wrench.recording.container import RecordingFile, cannot_write
from wrench.sample_clock import Block, SampleClock, counts_of, unwrapped
from wrench_firmware import wire

METADATA = "wrench"
CLOCK_METADATA = "wrench.clock"
OFFSET = "log_time_minus_publish_time_ns"
BOARD_FILE_TYPE = "application/toml"

_CHUNK_S = 0.8  # with what writing takes, no more than the last second is lost
_CHUNK_BYTES = 4_000_000
_QUEUED_CHUNKS = 100  # while a disk does not answer
_SECOND_US = 1_000_000
_SAMPLE = schema.SAMPLE
_WAVEFORM_ID = schema.CHANNELS[schema.WAVEFORM_TOPIC]


@dataclass(frozen=True)
class _Samples:
    """Placed samples, a row each."""

    numbers: NDArray[np.int64]
    times_us: NDArray[np.float64]
    acceleration_g: NDArray[np.float64]


class Recorder:
    """Writes what a board sends into a file.

    `board` is the board's file where it is known; it is attached. `waveform_s` ends the recording
    that many seconds of device time after its first sample; `full` says so. Without `waveform`,
    that of the board is left out. `received` counts the samples to be recorded, of each axis, and
    `written` those that are in the file, over `written_s` seconds of device time.

    Frames are given to `take` as they come, and at least ten times a second `tick` is called; the
    disk is written to in a thread of its own. Everything raises RecordingError where the disk is
    full or fails, once; the file is then as whole as the disk allows.

    `wall_ns` tells wall time, in ns since 1970, and `monotonic_s` a time that never goes back, by
    which chunks are written.
    """

    def __init__(
        self,
        path: Path,
        greeting: Frame,
        *,
        board: Board | None = None,
        waveform: bool = True,
        waveform_s: float | None = None,
        overwrite: bool = False,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.losses = readout.Losses()
        self.received = 0
        self.written = 0
        self.written_s = 0.0
        self.full = False
        self._waveform = waveform
        self._waveform_us = math.inf if waveform_s is None else waveform_s * _SECOND_US
        self._wall_ns = wall_ns
        self._monotonic_s = monotonic_s
        self._offset_ns: int | None = None
        self._least_ns = math.inf
        self._begun_ns = math.inf
        self._first_us: int | None = None
        self._last_us = 0
        self._messages: list[Message] = []
        self._events: list[Frame] = []
        self._blocks: list[Block] = []
        self._values: list[NDArray[np.float64]] = []
        self._placed: list[_Samples] = []
        self._first_block: Block | None = None
        self._last_block: Block | None = None
        self._bytes = 0
        self._due_s = self._monotonic_s() + _CHUNK_S
        self._board_name = greeting["board_name"]
        self._clock = SampleClock(max(1, greeting["sample_rate_hz"]))
        self._number: int | None = None
        self._lost_samples: int | None = None
        self._waveform_began_us: float | None = None
        self._losses_due_us = 0
        self._sequences = dict.fromkeys(schema.CHANNELS.values(), 0)
        self._file = RecordingFile(path, overwrite)
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue(_QUEUED_CHUNKS)
        self._error: Exception | None = None
        self._told = False
        self._writer = threading.Thread(target=self._write, name="recording", daemon=True)
        self._writer.start()
        self._describe(greeting, board)

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return self._file.size

    @property
    def duration_s(self) -> float:
        """Device time from the first frame to the last."""
        return 0.0 if self._first_us is None else (self._last_us - self._first_us) / _SECOND_US

    @property
    def rate_hz(self) -> float:
        """Samples a second of device time, over all blocks so far; 0 where there are too few."""
        first, last = self._first_block, self._last_block
        if first is None or last is None or last.time_us == first.time_us:
            return 0.0
        return (last.last - first.last) / (last.time_us - first.time_us) * _SECOND_US

    def take(self, frame: Frame, decoder: readout.Counts) -> None:
        """Record a frame; `decoder` has counted until it came. Once it is `full`, nothing more."""
        if self.full:
            return
        self._least_ns = min(self._least_ns, self._wall_ns() - frame.time_us * 1000)
        if self._first_us is None:
            self._first_us = frame.time_us
        self._last_us = frame.time_us
        self.losses.update(frame, decoder)
        if frame.name == "waveform":
            if self._waveform:
                self._take_block(frame)
        else:
            type_ = schema.FRAMES[frame.name]
            self._add(type_.topic, frame.time_us, type_.encode(frame))
            if frame.name == "event":
                self._events.append(frame)
        if frame.time_us >= self._losses_due_us:
            self._losses_due_us = frame.time_us + _SECOND_US
            self._add_losses()
        self.tick()

    def tick(self) -> None:
        """Write what has been collected, where it is time."""
        self._raise()
        if self._monotonic_s() >= self._due_s or self._bytes >= _CHUNK_BYTES:
            self._seal(final=False)

    def wait(self) -> None:
        """Wait until what has been put into chunks so far is on the disk."""
        done = threading.Event()
        self._queue.put(done.set)
        done.wait()
        self._raise()

    def close(self) -> None:
        """Write what is left and the summary."""
        if self._first_us is not None:
            self._add_losses()
        self._seal(final=True)
        self._queue.put(self._file.close)
        self._queue.put(None)
        self._writer.join()
        self._raise()

    def _describe(self, greeting: Frame, board: Board | None) -> None:
        identity = {name: str(value) for name, value in readout.values(greeting).items()}
        identity["greeting"] = json.dumps(readout.values(greeting))
        identity["wrench_version"] = __version__
        identity["wire_schema_hash"] = f"{wire.schema_hash():08x}"
        identity["board_hash"] = f"{greeting['board_hash']:08x}"
        identity["firmware_hash"] = f"{greeting['firmware_hash']:08x}"
        identity["board_file"] = "" if board is None or board.path is None else board.path.name
        self._queue.put(lambda: self._file.add_metadata(METADATA, identity))
        if board is not None and board.path is not None:
            name, text = board.path.name, board.path.read_bytes()
            now_ns = self._wall_ns()
            self._queue.put(lambda: self._file.add_attachment(name, BOARD_FILE_TYPE, text, now_ns))

    def _take_block(self, frame: Frame) -> None:
        first, scale_ug, triples = frame["first_sample"], frame["scale_ug"], counts_of(frame)
        samples = len(triples)
        if not samples:
            return
        if self._lost_samples is not None and frame.lost_samples != self._lost_samples:
            self._place_blocks()
            self._clock.restart()
            if self.full:
                return
        self._lost_samples = frame.lost_samples
        number = unwrapped(first, self._number)
        self._number = number + samples
        self.received += samples
        self._last_block = Block(number, samples, frame.time_us)
        self._first_block = self._first_block or self._last_block
        self._blocks.append(self._last_block)
        self._values.append(triples * (scale_ug / 1e6))
        self._bytes += samples * _SAMPLE.record.itemsize
        payload = schema.BLOCK.encode(
            frame.time_us,
            first,
            samples,
            scale_ug,
            frame.sequence,
            frame.dropped_frames,
            frame.lost_samples,
        )
        self._add(schema.BLOCKS_TOPIC, frame.time_us, payload)

    def _add(self, topic: str, time_us: int, payload: bytes) -> None:
        channel_id = schema.CHANNELS[topic]
        sequence = self._sequences[channel_id]
        self._sequences[channel_id] = sequence + 1
        self._messages.append(Message(channel_id, time_us, sequence, payload))
        self._bytes += len(payload)

    def _add_events(self) -> None:
        """Events as log messages, which tell wall time and so wait until the clock has begun."""
        if self._offset_ns is None or not self._events:
            return
        for frame in self._events:
            at_ns = frame.time_us * 1000 + self._offset_ns
            text = schema.LOG.encode(frame, at_ns, self._board_name)
            self._add(schema.LOG_TOPIC, frame.time_us, text)
        self._events = []
        self._messages.sort(key=lambda it: it.time_us)

    def _add_losses(self) -> None:
        payload = schema.losses_message(self._last_us, self.losses)
        self._add(schema.LOSSES_TOPIC, self._last_us, payload)

    def _place_blocks(self) -> None:
        if not self._blocks:
            return
        blocks, values = self._blocks, np.concatenate(self._values)
        self._blocks, self._values = [], []
        times_us = self._clock.times_us(blocks)
        numbers = np.concatenate([np.arange(it.first, it.last + 1) for it in blocks])
        if self._waveform_began_us is None:
            self._waveform_began_us = float(times_us[0])
        since_us = times_us - self._waveform_began_us
        kept = int(np.searchsorted(since_us, self._waveform_us))
        if kept < len(numbers):
            self.full = True
            self._last_us = next(
                it.time_us for it in blocks if it.last >= numbers[max(0, kept - 1)]
            )
        self.received -= len(numbers) - kept
        if kept:
            self._placed.append(_Samples(numbers[:kept], times_us[:kept], values[:kept]))

    def _seal(self, *, final: bool) -> None:
        self._due_s = self._monotonic_s() + _CHUNK_S
        self._bytes = 0
        self._place_blocks()
        if self._offset_ns is None and self._messages:
            self._begin_clock()
        self._add_events()
        messages, placed = self._messages, self._placed
        self._messages, self._placed = [], []
        if self.full:
            messages = [it for it in messages if it.time_us <= self._last_us]
        elif placed and not final:
            # What comes later than the last sample waits: the next samples may come before it.
            last_us = placed[-1].times_us[-1]
            self._messages = [it for it in messages if it.time_us > last_us]
            messages = [it for it in messages if it.time_us <= last_us]
        if (messages or placed) and self._offset_ns is not None:
            offset_ns = self._offset_ns
            self._queue.put(lambda: self._add_chunk(messages, placed, offset_ns))

    def _add_chunk(self, messages: list[Message], placed: list[_Samples], offset_ns: int) -> None:
        # After an error nothing more is tried than closing the file.
        if self._error is None:
            made = _chunk(messages, placed, offset_ns)
            self._file.add_chunk(made)
            self.written += sum(len(it.numbers) for it in placed)
            self._begun_ns = min(self._begun_ns, made.start_ns)
            self.written_s = (made.end_ns - self._begun_ns) / 1e9

    def _begin_clock(self) -> None:
        # Of the frames so far, the one that waited least on its way tells wall time best.
        offset_ns = self._offset_ns = int(self._least_ns)
        told = {
            "device_time": "publish_time of every message, in ns since the board's reset",
            OFFSET: str(offset_ns),
        }
        self._queue.put(lambda: self._file.add_metadata(CLOCK_METADATA, told))

    def _write(self) -> None:
        while (job := self._queue.get()) is not None:
            try:
                job()
            except OSError as error:
                self._error = self._error or cannot_write(self.path, error)
            except Exception as error:
                self._error = self._error or error

    def _raise(self) -> None:
        if self._error is not None and not self._told:
            self._told = True
            raise self._error


def _chunk(messages: list[Message], placed: list[_Samples], offset_ns: int) -> chunk.Chunk:
    records = _SAMPLE.empty(sum(len(it.numbers) for it in placed), _WAVEFORM_ID)
    if placed:
        times_us = np.concatenate([it.times_us for it in placed])
        values = np.concatenate([it.acceleration_g for it in placed])
        numbers = np.concatenate([it.numbers for it in placed])
        records["sequence"] = numbers & 0xFFFFFFFF
        records["publish_time"] = np.rint(times_us * 1000.0).astype(np.uint64)
        records["log_time"] = records["publish_time"] + np.uint64(offset_ns)
        for axis, column in zip("xyz", values.T, strict=True):
            records[f"{axis}_g"] = column
    return chunk.build(messages, records, offset_ns)
