"""Processes of emulators, kept from one board to the next: what V8 has compiled and the core has
translated of an image's code serves the next board that has it."""

from __future__ import annotations

import atexit
import hashlib
import os
import subprocess
from dataclasses import dataclass

_MOST_KEPT = 3  # about 170 MB each
_IMAGE_BYTES = 0x40000  # of MicroPython, which is larger; files come after it

Process = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a process is good for: of another purpose it would have to begin anew. A forked process
    has none of its parent's."""

    owner: int
    command: tuple[str, ...]
    core: str
    image: bytes

    @classmethod
    def of(cls, command: list[str], core: str, flash: bytes) -> Purpose:
        """That of a board with this flash chip."""
        image = hashlib.sha256(flash[:_IMAGE_BYTES]).digest()
        return cls(os.getpid(), tuple(command), core, image)


_kept: list[tuple[Purpose, Process]] = []


def taken(purpose: Purpose) -> Process:
    """A process for a board: a kept one, or one just started."""
    for at, (theirs, process) in enumerate(_kept):
        if theirs == purpose:
            del _kept[at]
            return process
    return started(list(purpose.command))


def started(command: list[str]) -> Process:
    """A new process."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a terminal's signals are for the parent, which ends it
    )


def keep(purpose: Purpose, process: Process) -> None:
    """This one has no board any more; the one kept for longest makes room for it."""
    mine = [pair for pair in _kept if pair[0].owner == purpose.owner]
    if len(mine) >= _MOST_KEPT:
        _kept.remove(mine[0])
        end(mine[0][1])
    _kept.append((purpose, process))


@atexit.register
def _end_kept() -> None:
    """With this one, theirs end: when a command is over no process of it is left."""
    mine = [process for purpose, process in _kept if purpose.owner == os.getpid()]
    for process in mine:
        _let_go(process)
    for process in mine:
        end(process)


def _let_go(process: Process) -> None:
    """Close its pipes, which ends it."""
    for pipe in (process.stdin, process.stdout):
        if pipe:
            try:
                pipe.close()
            except BrokenPipeError:
                continue


def end(process: Process) -> None:
    """End a process, by force where it does not hear."""
    _let_go(process)
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stderr:
        process.stderr.close()
