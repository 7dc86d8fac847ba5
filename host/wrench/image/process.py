"""Running a child process that never outlives the work it was started for."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from wrench.image.cache import disk_full, explained_os_errors

_GRACE_S = 5.0
_TAIL_LINES = 200


class ChildError(Exception):
    """A child process ended with a status other than 0."""

    def __init__(self, command: Sequence[str], status: int, tail: Sequence[str]) -> None:
        super().__init__(f"{command[0]} ended with status {status}")
        self.status = status
        self.tail = list(tail)
        """The last lines of its output."""


def run(
    command: Sequence[str],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    keep_open: int | None = None,
    on_line: Callable[[str], bool] | None = None,
) -> list[str]:
    """Run a command, append its output to `log`, and return its last lines.

    `on_line` gets each line and returns True for one that is not worth logging.
    `keep_open` is a file descriptor that the child inherits.
    Whatever interrupts the call (Ctrl-C, SIGTERM, SIGHUP, an exception in `on_line`) ends the
    child and all its children first.

    Raises:
        ChildError: it ended with another status than 0.
        ImageError: the disk is full.
        FileNotFoundError: there is no such command.
    """
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    with explained_os_errors():
        log.parent.mkdir(parents=True, exist_ok=True)
        log_file = log.open("a", encoding="utf-8", errors="replace")
    with log_file, _terminate_as_interrupt():
        child = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=() if keep_open is None else (keep_open,),
            text=True,
            errors="replace",
        )
        try:
            assert child.stdout is not None
            with explained_os_errors():
                log_file.write(f"$ {' '.join(command)}\n")
                for raw_line in child.stdout:
                    line = raw_line.rstrip("\n")
                    if on_line is not None and on_line(line):
                        continue
                    log_file.write(line + "\n")
                    tail.append(line)
            status = child.wait()
        except BaseException:
            _end_group(child)
            raise
    if status:
        if any("No space left on device" in line for line in tail):
            raise disk_full()
        raise ChildError(command, status, tail)
    return list(tail)


def _end_group(child: subprocess.Popen[str]) -> None:
    """End a child and everything it has started; its session is its own, so no one else is hit."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE_S)
    if child.stdout is not None:
        child.stdout.close()


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP like Ctrl-C, so that they too end the child."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    saved = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in saved.items():
            signal.signal(number, handler)
