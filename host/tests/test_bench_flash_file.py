"""The emulated board's flash chip between two runs, and the locks and files of running benches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wrench.bench import registry
from wrench.bench.emulator import FLASH_BYTES
from wrench.bench.flash_file import FlashFile
from wrench.bench.registry import Registration, RunningBench
from wrench.lock import hold, is_held

pytestmark = pytest.mark.usefixtures("own_cache")
CONTENT = bytes(range(256)) * (FLASH_BYTES // 256)


def test_a_board_finds_its_flash_as_it_was() -> None:
    with FlashFile("a-board") as file:
        assert file.load() == (None, None)
        file.save(CONTENT)
    with FlashFile("a-board") as file:
        assert file.load() == (CONTENT, None)
    with FlashFile("another") as file:
        assert file.load() == (None, None)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda raw: raw[:-1], "bytes long"),
        (lambda _: b"", "0 bytes long"),
        (lambda raw: raw[:1000] + b"?" + raw[1001:], "damaged"),
        (lambda raw: raw + raw, "bytes long"),
    ],
)
def test_a_file_that_is_not_whole_is_set_aside_and_told(damage, said: str) -> None:
    with FlashFile("a-board") as file:
        file.save(CONTENT)
        damaged = damage(file.path.read_bytes())
        file.path.write_bytes(damaged)
        content, note = file.load()
        assert content is None
        assert note is not None
        assert said in note
        aside = list(file.path.parent.glob("a-board.damaged-*"))
        assert [path.read_bytes() for path in aside] == [damaged]
        assert str(aside[0]) in note
        assert file.load() == (None, None)


def test_two_benches_of_one_board_have_a_file_each() -> None:
    with FlashFile("a-board") as first, FlashFile("a-board") as second:
        assert (first.number, second.number) == (1, 2)
        assert first.path != second.path
    with FlashFile("a-board") as again:
        assert again.path == first.path


def test_a_lock_ends_with_a_killed_holder(tmp_path: Path) -> None:
    path = tmp_path / "it.lock"
    code = (
        "import sys, time; from pathlib import Path; from wrench.lock import hold\n"
        "lock = hold(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        assert is_held(path)
        assert hold(path) is None
        holder.kill()
        holder.wait()
        assert not is_held(path)
        lock = hold(path)
        assert lock is not None
        lock.release()
    assert not path.exists()


def _bench(pid: int = 0) -> RunningBench:
    return RunningBench(pid or os.getpid(), "A board", "a.toml", "socket://c", "socket://l")


def test_a_bench_is_known_from_registration_to_withdrawal() -> None:
    registration = Registration(_bench())
    assert registry.running() == [_bench()]
    registration.shows(2)
    assert [bench.functions for bench in registry.running()] == [2]
    registration.withdraw()
    assert registry.running() == []


def test_files_of_killed_benches_are_forgotten(own_cache: Path) -> None:
    folder = own_cache / "benches"
    folder.mkdir(exist_ok=True)
    # The process number lives, as one that was given out again does; nobody holds the lock.
    stale = folder / f"{os.getpid()}.json"
    stale.write_text(json.dumps(_bench().__dict__))
    (folder / f"{os.getpid()}-console").symlink_to("/dev/pts/99")
    assert registry.running() == []
    assert list(folder.iterdir()) == []


def test_a_file_of_another_version_is_passed_over(own_cache: Path) -> None:
    registration = Registration(_bench())
    path = own_cache / "benches" / f"{os.getpid()}.json"
    path.write_text('{"pid": 1, "colour": "red"}')
    assert registry.running() == []
    path.write_text("{")
    assert registry.running() == []
    registration.withdraw()
