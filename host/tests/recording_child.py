"""Processes that record, to be killed: each says on a pipe what it has closed."""

from __future__ import annotations

import multiprocessing
import resource
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from wrench.errors import WrenchError
from wrench.link import Link
from wrench.recording.container import RecordingFile
from wrench.recording.session import Session
from wrench.transport import open_port


def context() -> Any:
    """Children of a process that has imported everything, which costs a second, and has no
    threads."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["wrench.recording.session", "wrench.transport"])
    return made


def record(url: str, path: Path, closed: Connection, largest_bytes: int = 0) -> None:
    """Record from a port. Sends, after each chunk that is on the disk, the file's size; at the end
    how many samples it says are in it, and the error. The file may grow to `largest_bytes`, as on a
    full disk."""
    if largest_bytes:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_bytes, largest_bytes))
    add_chunk = RecordingFile.add_chunk

    def telling(self: RecordingFile, made: Any) -> None:
        add_chunk(self, made)
        closed.send(self.size)

    RecordingFile.add_chunk = telling
    session = Session(Link(open_port(url)), path)
    try:
        session.run()
    except WrenchError as error:
        assert session.progress is not None
        closed.send((session.progress.samples, f"{error.exit_code} {error}"))
