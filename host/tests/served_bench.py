"""`wrench bench up` in a process of its own, and other commands beside it."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from own_cache import link_cache

from wrench.bench.flash_file import FlashFile
from wrench.cli import main

PATIENCE_S = 40.0
"""For what takes a second on a computer that does nothing else."""

WRENCH = [sys.executable, "-c", "from wrench.cli import main; main()"]
IN_BOOTSEL = "the board is in BOOTSEL"
OPERATES, CONSOLE_ONLY = "the board operates", "the board shows its console"


class Lines:
    """A command in a process of its own, and the lines that it has printed."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.said.append(line.rstrip())

    def wait_for(self, text: str, since: int = 0) -> str:
        """The first line with that text."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            ended = not self._reader.is_alive()
            for line in self.said[since:]:
                if text in line:
                    return line
            if ended:
                break
            time.sleep(0.02)
        raise AssertionError(f"{text!r} was not said:\n" + "\n".join(self.said))

    def end(self, number: int = signal.SIGINT) -> int:
        """Its exit code after that signal."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
        self._reader.join(PATIENCE_S)
        return code


class Up(Lines):
    """`wrench bench up`."""

    def __init__(self, *options: str) -> None:
        super().__init__([*WRENCH, "bench", "up", *options])

    def children(self) -> list[int]:
        """Its child processes."""
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        )
        pairs = [line.split() for line in listed.stdout.splitlines()]
        return [int(pid) for pid, parent in pairs if int(parent) == self.process.pid]


@dataclass
class Told:
    """How a command ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class Terminal(io.StringIO):
    """Text for a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def wrench(*arguments: str, columns: int | None = None, typed: str = "") -> Told:
    """A command as `wrench` runs it, without the time that another Python takes to start; on a
    terminal of so many columns, else in a pipe."""
    shown = io.StringIO if columns is None else Terminal
    out, err, code = shown(), shown(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["wrench", *arguments])
        patch.setattr(sys, "stdin", io.StringIO(typed))
        if columns is not None:
            patch.setenv("COLUMNS", str(columns))
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return Told(code, out.getvalue(), err.getvalue())


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], within_s: float = PATIENCE_S) -> bool:
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@contextlib.contextmanager
def cache_with_flashed_board(folder: Path, flashed_flash: bytes) -> Iterator[Path]:
    """A cache in which the board is flashed."""
    with pytest.MonkeyPatch.context() as patch:
        link_cache(folder, patch)
        with FlashFile("pico-adxl345") as file:
            file.save(flashed_flash)
        yield folder


@contextlib.contextmanager
def operating_bench(folder: Path, flashed_flash: bytes) -> Iterator[Up]:
    """A bench whose board has the firmware and operates, at the pace of the clock."""
    with cache_with_flashed_board(folder, flashed_flash):
        bench = Up()
        try:
            bench.wait_for(OPERATES)
            yield bench
        finally:
            bench.end()
