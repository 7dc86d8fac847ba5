"""Which virtual benches run on this computer: each leaves a small file by which other commands find
its ports, and holds a lock beside it, so that the file of a killed one is known to be stale."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from wrench.cache import cache_folder
from wrench.errors import BenchError
from wrench.lock import hold, is_held


@dataclass(frozen=True)
class RunningBench:
    """A bench in another process.

    `console` and `link` are pyserial URLs, `console_pty` and `link_pty` device paths where it has
    them. `board` is the path of the board's file. `functions` says how many serial functions the
    board shows now: 0 none, 1 the console, 2 the link as well. `boot` is where the boot ROM can be
    spoken to (`wrench.bootsel`); None while the board is not in BOOTSEL.
    """

    pid: int
    title: str
    board: str
    console: str
    link: str
    functions: int = 0
    console_pty: str | None = None
    link_pty: str | None = None
    boot: str | None = None


class Registration:
    """Makes a bench known until `withdraw`, or until its process ends."""

    def __init__(self, bench: RunningBench) -> None:
        self.bench = bench
        self._path = cache_folder("benches") / f"{bench.pid}.json"
        lock = hold(self._path.with_suffix(".lock"))
        if lock is None:
            raise BenchError("a bench of this process is registered already; withdraw it first")
        self._lock = lock
        self._write()

    def shows(self, functions: int, boot: str | None = None) -> None:
        """Tell how many serial functions the board shows now, and where its boot ROM is."""
        if (functions, boot) != (self.bench.functions, self.bench.boot):
            self.bench = replace(self.bench, functions=functions, boot=boot)
            self._write()

    def withdraw(self) -> None:
        """The bench has ended."""
        self._path.unlink(missing_ok=True)
        self._lock.release()

    def _write(self) -> None:
        staged = self._path.with_suffix(".new")
        staged.write_text(json.dumps(asdict(self.bench)))
        staged.replace(self._path)


def running() -> list[RunningBench]:
    """Every bench whose process lives, in the order of their process numbers; files of dead ones
    are removed."""
    found: list[RunningBench] = []
    for path in cache_folder("benches").glob("*.json"):
        if not is_held(path.with_suffix(".lock")):
            _forget(path)
            continue
        try:
            found.append(RunningBench(**json.loads(path.read_text())))
        except (OSError, ValueError, TypeError):
            continue
    return sorted(found, key=lambda bench: bench.pid)


def _forget(path: Path) -> None:
    for name in path.parent.glob(f"{path.stem}[.-]*"):
        name.unlink(missing_ok=True)
