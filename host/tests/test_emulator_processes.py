"""Processes of emulators that are kept for the next board."""

from __future__ import annotations

import subprocess
import sys

import pytest
from served_bench import alive

from wrench.bench.emulator import FLASH_BYTES, Emulator, processes
from wrench.errors import BenchError


@pytest.fixture(autouse=True)
def none_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_kept", [])


def emulator(flash: bytes = b"") -> Emulator:
    return Emulator(flash, watched=[], devices=[])


def test_a_process_that_has_ended_is_not_taken_again() -> None:
    one = emulator()
    one._process.kill()
    one._process.wait()
    with pytest.raises(BenchError, match="the emulator has stopped"):
        one.read_flash()
    one.close()
    another = emulator()
    assert another.read_flash() == b"\xff" * FLASH_BYTES
    another.close()


def test_the_process_that_was_kept_for_longest_makes_room() -> None:
    boards = [emulator(bytes([image])) for image in range(4)]
    pids = [board._process.pid for board in boards]
    for board in boards:
        board.close()
    assert [alive(pid) for pid in pids] == [False, True, True, True]
    again = emulator(bytes([3]))
    assert again._process.pid == pids[3]
    again.close()
    other = emulator(bytes([0]))
    assert other._process.pid not in pids
    other.close()
    for _, process in processes._kept:
        processes.end(process)


def test_when_a_command_is_over_no_process_of_it_is_left() -> None:
    code = (
        "from wrench.bench.emulator import Emulator\n"
        "board = Emulator(b'', watched=[], devices=[])\n"
        "print(board._process.pid)\n"
        "board.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not alive(int(done.stdout))
