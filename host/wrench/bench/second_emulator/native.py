"""rp2040py's compiled modules, built for this very Python.

Its wheels are built for every Python at once (the limited API), which makes each access of the core
to memory a look-up by name. The C that they carry runs three times as fast once it is compiled
without that limit. Where there is no C compiler, or no headers of Python, the wheel's own modules
serve.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from wrench.cache import cache_folder

_PACKAGE = "rp2040py.native"
# Those that the core runs through, and that import one another's types.
_MODULES = ("_bit", "_cortex_m0_core", "_rp2040", "_simulation_clock", "_simulator")


def built_folder() -> Path | None:
    """Folder with the modules built for this Python, which is kept in the cache; builds them where
    it is not there (a quarter of a minute). None where they cannot be built.
    """
    name = f"{version('rp2040py')}-{sys.implementation.cache_tag}-{sysconfig.get_platform()}"
    folder = cache_folder("second-emulator") / name
    if folder.is_dir():
        return folder
    compiler = shutil.which(os.environ.get("CC", "cc"))
    headers = Path(sysconfig.get_paths()["include"])
    sources = [_source_folder() / f"{module}.c" for module in _MODULES]
    needed = [headers / "Python.h", *sources]
    if compiler is None or not all(file.is_file() for file in needed):
        return None
    staged = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=folder.parent))
    try:
        if _build(compiler, headers, sources, staged):
            staged.rename(folder)
    except OSError:
        if not folder.is_dir():  # another process was first where it is there
            raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return folder if folder.is_dir() else None


def _source_folder() -> Path:
    spec = importlib.util.find_spec("rp2040py")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "native"


def _build(compiler: str, headers: Path, sources: list[Path], into: Path) -> bool:
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    flags = ["-O1", "-shared", "-fPIC", "-fno-strict-aliasing", f"-I{headers}"]
    if sys.platform == "darwin":
        flags += ["-undefined", "dynamic_lookup"]

    def compiles(source: Path) -> bool:
        output = str(into / f"{source.stem}{suffix}")
        command = [compiler, *flags, "-o", output, str(source)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    with ThreadPoolExecutor(os.cpu_count()) as workers:
        return all(workers.map(compiles, sources))


class _Built(importlib.abc.MetaPathFinder):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        parent, _, name = fullname.rpartition(".")
        if parent != _PACKAGE:
            return None
        file = self._folder / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
        if not file.is_file():
            return None
        return importlib.util.spec_from_file_location(fullname, file)


def use(folder: Path) -> None:
    """Import rp2040py's compiled modules from there from now on."""
    sys.meta_path.insert(0, _Built(folder))
