"""MicroPython's sources: fetched from Debian, verified by its signatures, unpacked once for all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path, PurePosixPath

from wrench.errors import ImageError
from wrench.image import debian
from wrench.image.cache import cache_dir, explained_os_errors, write_atomic
from wrench.image.progress import Progress, Step

SUITE = "trixie"
"""The Debian release that has MicroPython 1.25.0 and libraries that fit it."""

_SOURCE_PACKAGES = ("micropython=1.25.0+ds-1", "mbedtls")
_BINARY_PACKAGES = ("pico-sdk-source=2.1.1-1", "tinyusb-source")
_LAYOUT = "2"
"""Goes up when the tree is laid out, or mended, differently."""


def fetched() -> dict[str, str] | None:
    """Return the sources that are in the cache as {file name: sha256}, or None."""
    try:
        names = json.loads(_stamp().read_bytes())
    except (OSError, ValueError):
        return None
    wanted = {"suite": SUITE, "packages": [*_SOURCE_PACKAGES, *_BINARY_PACKAGES]}
    if {key: names.get(key) for key in wanted} != wanted:
        return None
    return names["files"]


def tree_key(files: dict[str, str]) -> str:
    """Return a short name for an unpacked tree of these sources."""
    text = _LAYOUT + json.dumps(files, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def provide(progress: Progress, log: Path, keep_open: int) -> tuple[Path, dict[str, str]]:
    """Return the unpacked tree of MicroPython, and the files it came from with their sha256.

    Raises:
        ImageError: the sources cannot be fetched, or are damaged.
    """
    files = fetched()
    if files is not None and _tree(files).is_dir():
        progress(Step("sources", f"MicroPython's from Debian {SUITE}, present", done=True))
        return _tree(files) / "micropython", files
    if files is None or not _intact(files):
        files = _fetch(progress, log, keep_open)
    progress(Step("sources", _describe(files), done=True))
    _unpack(files, progress)
    return _tree(files) / "micropython", files


def _fetch(progress: Progress, log: Path, keep_open: int) -> dict[str, str]:
    directory = _directory()
    with explained_os_errors():
        _stamp().unlink(missing_ok=True)
        directory.mkdir(parents=True, exist_ok=True)
    progress(Step("sources", f"asking this machine's Debian mirror for {SUITE}'s"))
    apt = debian.Apt(debian.apt_state(SUITE), debian.mirror_lines(SUITE), log, keep_open)
    apt.update(lambda part: progress(Step("sources", "package lists", part * 0.5)))
    sizes = apt.files(_SOURCE_PACKAGES, source=True) | apt.files(_BINARY_PACKAGES, source=False)
    for path in directory.iterdir():
        if path.name not in sizes:
            with explained_os_errors():
                path.unlink()
    text = f"downloading {sum(sizes.values()) / 1e6:.0f} MB"
    apt.download_source(
        _SOURCE_PACKAGES,
        directory,
        lambda part: progress(Step("sources", text, 0.5 + part * 0.3)),
    )
    apt.download(
        _BINARY_PACKAGES,
        directory,
        lambda part: progress(Step("sources", text, 0.8 + part * 0.2)),
    )
    with explained_os_errors():
        files = {
            name: hashlib.sha256((directory / name).read_bytes()).hexdigest()
            for name in sorted(sizes)
        }
    described = {
        "suite": SUITE,
        "packages": [*_SOURCE_PACKAGES, *_BINARY_PACKAGES],
        "files": files,
    }
    apt.forget()
    write_atomic(_stamp(), json.dumps(described, indent=2).encode() + b"\n")
    return files


def _intact(files: dict[str, str]) -> bool:
    for name, sha256 in files.items():
        path = _directory() / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            return False
    return True


def _unpack(files: dict[str, str], progress: Progress) -> None:
    tree = _tree(files)
    partial = tree.with_name(tree.name + ".partial")
    with explained_os_errors():
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
    micropython = partial / "micropython"
    steps = (
        ("micropython_*.orig.tar.*", _place_micropython),
        ("mbedtls_*.orig.tar.*", _place_mbedtls),
    )
    for count, (pattern, place) in enumerate(steps):
        progress(Step("unpack", pattern.partition("_")[0], count / 4))
        debian.unpack_tar(_one(pattern), partial, place)
    for count, name in enumerate(("pico-sdk", "tinyusb")):
        progress(Step("unpack", name, (2 + count) / 4))
        debian.unpack_deb(_one(f"{name}-source_*.deb"), partial)
        link = micropython / "lib" / name
        with explained_os_errors():
            if link.is_dir() and not link.is_symlink():
                shutil.rmtree(link)
            link.symlink_to(os.path.relpath(partial / "usr/src" / name, link.parent))
    with explained_os_errors():
        # MicroPython's build asks for this file; our manifests use nothing from that library.
        (partial / "micropython-lib").mkdir()
        (partial / "micropython-lib" / "README.md").write_text("")
        _align_frozen_code(micropython / "tools/mpy-tool.py")
        os.replace(partial, tree)
    progress(Step("unpack", f"in {tree}", done=True))


def _align_frozen_code(tool: Path) -> None:
    """Native code for the ARMv6-M loads its constants relative to a word-aligned program counter
    (py/asmthumb.c, asm_thumb_mov_reg_i32). MicroPython 1.25 freezes it aligned to half a word, so
    that every second function gets wrong ones.
    """
    text = tool.read_text()
    if text.count("aligned (2)") != 1:
        raise ImageError(f"{tool.name} is not as expected; use the sources of MicroPython 1.25.0")
    tool.write_text(text.replace("aligned (2)", "aligned (4)"))


def _place_micropython(name: str) -> str | None:
    parts = PurePosixPath(name).parts[1:]
    if not parts or parts[0] in ("docs", "tests") or parts[:2] == ("lib", "mbedtls"):
        return None
    if parts[0] == "ports" and parts[1:2] not in ((), ("rp2",)):
        return None
    return str(PurePosixPath("micropython", *parts))


def _place_mbedtls(name: str) -> str | None:
    parts = PurePosixPath(name).parts[1:]
    if parts[:1] not in (("library",), ("include",)):
        return None
    return str(PurePosixPath("micropython/lib/mbedtls", *parts))


def _one(pattern: str) -> Path:
    paths = sorted(path for path in _directory().glob(pattern) if not path.name.endswith(".asc"))
    if not paths:
        with explained_os_errors():
            _stamp().unlink(missing_ok=True)
        raise ImageError(f"the sources lack {pattern}; run it again to fetch them anew")
    return paths[-1]


def _describe(files: dict[str, str]) -> str:
    return ", ".join(
        name.removesuffix(".dsc").removesuffix("_all.deb")
        for name in sorted(files)
        if name.endswith((".dsc", ".deb"))
    )


def _directory() -> Path:
    return cache_dir() / "sources"


def _stamp() -> Path:
    return _directory() / "fetched.json"


def _tree(files: dict[str, str]) -> Path:
    return cache_dir() / "build" / f"tree-{tree_key(files)}"
