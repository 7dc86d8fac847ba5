"""Recordings that end badly: killed, the disk full, the board gone."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("SIGKILL and forkserver", allow_module_level=True)

import recording_child
from board_stream import ReplayServer
from test_recording_file import chunks_of, counted_strictly, read_strictly

from wrench.recording import Recording
from wrench.recording.recover import recover

RECORDINGS = 50
AT_ONCE = 10
PATIENCE_S = 60.0


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    made = ReplayServer(30.0)
    yield made
    made.close()


@dataclass
class Child:
    """A process that records into `path`."""

    process: Any
    path: Path
    said: Connection

    def heard(self) -> list[Any]:
        """What it has said, until it is gone."""
        found: list[Any] = []
        try:
            while self.said.poll(PATIENCE_S):
                found.append(self.said.recv())
        except (EOFError, OSError):
            return found
        raise AssertionError("the child goes on and on")


def start(url: str, path: Path, largest_bytes: int = 0) -> Child:
    context = recording_child.context()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=recording_child.record, args=(url, path, theirs, largest_bytes), daemon=True
    )
    process.start()
    theirs.close()
    return Child(process, path, ours)


def test_fifty_recordings_that_are_killed_lose_no_closed_chunk(
    server: ReplayServer, tmp_path: Path
) -> None:
    noise = random.Random(4)
    cut_inside = 0
    for first in range(0, RECORDINGS, AT_ONCE):
        children = [start(server.url, tmp_path / f"{first + n}.mcap") for n in range(AT_ONCE)]
        for child in children:
            assert child.said.poll(PATIENCE_S), "no chunk was ever closed"
        for child in children:
            time.sleep(noise.uniform(0.0, 0.2))
            child.process.kill()
            child.process.join()
        for child in children:
            sizes = child.heard()
            assert all(isinstance(size, int) for size in sizes), sizes
            size = child.path.stat().st_size
            assert size >= sizes[-1]
            cut_inside += size > sizes[-1]
            with Recording(child.path) as recording:
                assert not recording.is_complete
                counts = recording.topics
                samples = len(recording.waveform())
                assert recording.problems == [it for it in recording.problems if "cut short" in it]
            assert recover(child.path).chunks >= len(sizes)
            assert chunks_of(child.path)[len(sizes) - 1][1] <= sizes[-1]
            assert counted_strictly(child.path) == sum(counts.values())
            assert samples == counts.get("/waveform", 0)


@pytest.mark.parametrize("largest_bytes", [60_000, 150_000, 200_001])
def test_a_full_disk_ends_it_with_a_sentence_and_a_readable_file(
    server: ReplayServer, tmp_path: Path, largest_bytes: int
) -> None:
    child = start(server.url, tmp_path / "full.mcap", largest_bytes)
    *sizes, (samples, error) = child.heard()
    assert str(error).startswith("10 ")
    assert "full; make room" in error
    assert child.path.stat().st_size <= largest_bytes
    with Recording(child.path) as recording:
        blocks = len(recording.blocks())
        assert len(recording.waveform()) == samples
    assert recover(child.path).cut_bytes == 0
    assert len(chunks_of(child.path)) == len(sizes)
    with Recording(child.path) as recording:
        assert len(recording.blocks()) == blocks
    read_strictly(child.path)


def test_a_board_that_goes_away_leaves_a_whole_file(server: ReplayServer, tmp_path: Path) -> None:
    child = start(server.url, tmp_path / "gone.mcap")
    assert child.said.poll(PATIENCE_S)
    server.close()
    *_, (samples, error) = child.heard()
    assert str(error).startswith("5 ")
    with Recording(child.path) as recording:
        assert recording.is_complete
        assert len(recording.waveform()) == samples
    read_strictly(child.path)
