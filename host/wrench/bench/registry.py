"""Which virtual benches run on this machine: each leaves a small file, by which the other commands find its ports."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from wrench.cache import cache_folder


@dataclass(frozen=True)
class RunningBench:
    """A bench in another process; `console` and `link` are pyserial URLs."""

    pid: int
    title: str
    console: str
    link: str


def register(bench: RunningBench) -> Path:
    """Make a bench known; the caller removes the file when the bench ends."""
    path = cache_folder("benches") / f"{bench.pid}.json"
    staged = path.with_suffix(".new")
    staged.write_text(json.dumps(asdict(bench)))
    staged.replace(path)
    return path


def running() -> list[RunningBench]:
    """Every bench whose process lives; files of dead ones are removed."""
    found: list[RunningBench] = []
    for path in sorted(cache_folder("benches").glob("*.json")):
        try:
            bench = RunningBench(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            continue
        if _alive(bench.pid):
            found.append(bench)
        else:
            path.unlink(missing_ok=True)
    return found


def _alive(pid: int) -> bool:
    if os.name == "nt":
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)  # pyright: ignore[reportAttributeAccessIssue]
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)  # pyright: ignore[reportAttributeAccessIssue]
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
