"""The cross compiler, CMake and Ninja: those on the PATH, or unpacked into the cache.

Nothing is ever installed. MicroPython for the RP2040 is C and assembler, so that neither
libstdc++ (1.9 GB unpacked) nor a compiler for this machine is needed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wrench.errors import ImageError
from wrench.image import debian
from wrench.image.cache import cache_dir, explained_os_errors, need_space
from wrench.image.progress import Progress, Step

GCC = "arm-none-eabi-gcc"
_PACKAGES = {
    GCC: ("gcc-arm-none-eabi", "binutils-arm-none-eabi", "libnewlib-arm-none-eabi"),
    "cmake": ("cmake", "cmake-data"),
    "ninja": ("ninja-build",),
}
_NEVER_UNPACKED = {"libc6", "libgcc-s1", "gcc-12-base", "gcc-14-base"}
"""Every program on the machine runs with its own copy of these; another one would break them."""
_MULTILIB = "thumb/v6-m"
"""The RP2040's Cortex-M0+. Libraries for other cores are left out: 0.7 GB."""
_NEEDED_BYTES = 700 << 20
_PROBE = """
#include <math.h>
#include <stdio.h>
#include <string.h>
int main(void) { char text[8]; return snprintf(text, sizeof(text), "%d", (int)sqrtf(9.0f)); }
"""
_PASSED_ON = ("HOME", "TMPDIR", "TZ", "USER")


@dataclass(frozen=True)
class Toolchain:
    """Programs that compile for the RP2040."""

    env: Mapping[str, str]
    """The whole environment in which they run."""
    compiler: str
    """The compiler's own description of its version."""


def find(log: Path | None = None) -> Toolchain | None:
    """Return a toolchain that is on the PATH or in the cache, or None."""
    roots = (None, _root()) if _complete().is_file() else (None,)
    for env in map(_environment, roots):
        if not _missing(env["PATH"]):
            compiler = _version(env)
            if compiler is not None and (log is None or _links(env, log)):
                return Toolchain(env, compiler)
    return None


def provide(progress: Progress, log: Path, keep_open: int) -> Toolchain:
    """Return a toolchain; fetch what is missing and unpack it into the cache.

    Raises:
        ImageError: it cannot be had on this machine.
    """
    present = find(log)
    if present is not None:
        progress(Step("toolchain", f"{present.compiler}, present", done=True))
        return present
    codename = debian.require_debian()
    need_space(_NEEDED_BYTES, "the cross compiler")
    debs = cache_dir() / "toolchain" / "debs"
    unpacked_list = cache_dir() / "toolchain" / "unpacked"
    with explained_os_errors():
        debs.mkdir(parents=True, exist_ok=True)
        _complete().unlink(missing_ok=True)

    progress(Step("toolchain", f"not installed: asking the mirror for {codename}'s"))
    apt = debian.Apt(debian.apt_state("own"), debian.own_lines(), log, keep_open)
    apt.update(lambda part: progress(Step("toolchain", "package lists", part * 0.1)))
    names = _packages_to_unpack(apt, log)
    size_mb = sum(names.values()) / 1e6

    def on_download(part: float) -> None:
        text = f"downloading {len(names)} packages, {size_mb:.0f} MB"
        progress(Step("toolchain", text, 0.1 + part * 0.5))

    on_download(0.0)
    apt.download(sorted(names), debs, on_download)

    done = set(unpacked_list.read_text().split()) if unpacked_list.is_file() else set()
    files = {name: _file_of(name, debs) for name in names}
    for count, (name, path) in enumerate(sorted(files.items())):
        progress(Step("toolchain", f"unpacking {name}", 0.6 + 0.4 * count / len(files)))
        if path.name not in done:
            debian.unpack_deb(path, _root(), _is_wanted)
            done.add(path.name)
            with explained_os_errors():
                unpacked_list.write_text("\n".join(sorted(done)) + "\n")
    _link_newlib()
    with explained_os_errors():
        _complete().write_text("")
    present = find(log)
    if present is None:
        with explained_os_errors():
            _complete().unlink()
            unpacked_list.unlink(missing_ok=True)
        raise ImageError(
            f"the unpacked cross compiler does not work here (the log is {log}); install "
            "gcc-arm-none-eabi, libnewlib-arm-none-eabi, cmake and ninja-build with apt"
        )
    with explained_os_errors():
        shutil.rmtree(debs, ignore_errors=True)
    apt.forget()
    progress(Step("toolchain", f"{present.compiler}, unpacked in {_root()}", done=True))
    return present


def _packages_to_unpack(apt: debian.Apt, log: Path) -> dict[str, int]:
    path = _environment(None)["PATH"]
    absent = [tool for tool in _PACKAGES if shutil.which(tool, path=path) is None]
    # A compiler that is there but does not link lacks its C library: take both from one place.
    if GCC not in absent and not _links(_environment(None), log):
        absent.append(GCC)
    tools = {package for tool in absent for package in _PACKAGES[tool]}
    closure = apt.closure(sorted(tools))
    # libnewlib-dev has the headers. Installed tools that are not on the PATH count as absent.
    tools |= {"libnewlib-dev"} & closure.keys()
    unwanted = (debian.installed_packages() | _NEVER_UNPACKED) - tools
    return {name: size for name, size in closure.items() if name not in unwanted}


def _is_wanted(name: str) -> bool:
    parts = Path(name).parts
    if parts[:2] == ("usr", "share"):
        return len(parts) > 2 and parts[2].startswith("cmake")
    if "arm-none-eabi" not in parts:
        return True
    below = "/".join(parts[parts.index("arm-none-eabi") + 2 :])
    return not below.startswith(("arm/", "thumb/")) or below.startswith(f"{_MULTILIB}/")


def _link_newlib() -> None:
    """Make the two links that the packages' installation scripts would have made."""
    target = _root() / "usr/lib/arm-none-eabi"
    if not (target / "newlib").is_dir():
        return
    with explained_os_errors():
        for name, to in (("lib", "newlib"), ("include", "../../include/newlib")):
            (target / name).unlink(missing_ok=True)
            (target / name).symlink_to(to)


def _file_of(package: str, directory: Path) -> Path:
    for path in directory.glob(f"{package}_*.deb"):
        return path
    raise ImageError(f"the package {package} did not arrive; run it again to fetch it anew")


def _root() -> Path:
    return cache_dir() / "toolchain" / "root"


def _complete() -> Path:
    """The file that tells a whole unpacked toolchain from one that was interrupted."""
    return cache_dir() / "toolchain" / "complete"


def _environment(root: Path | None) -> dict[str, str]:
    """Return an environment without anything that could change what the compiler makes."""
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    path = os.environ.get("PATH", os.defpath)
    if root is not None:
        path = f"{root}/usr/bin:{path}"
        libraries = [*root.glob("usr/lib/*-linux-*"), *root.glob("lib/*-linux-*")]
        if libraries:
            env["LD_LIBRARY_PATH"] = ":".join(map(str, libraries))
    return env | {"PATH": path, "LC_ALL": "C.UTF-8"}


def _missing(path: str) -> list[str]:
    return [tool for tool in _PACKAGES if shutil.which(tool, path=path) is None]


def _version(env: Mapping[str, str]) -> str | None:
    compiler = shutil.which(GCC, path=env["PATH"]) or GCC
    result = subprocess.run(
        [compiler, "--version"], env=env, capture_output=True, text=True, check=False
    )
    return result.stdout.splitlines()[0] if result.returncode == 0 and result.stdout else None


def _links(env: Mapping[str, str], log: Path) -> bool:
    """Whether a small program that uses the C library compiles and links, and CMake starts."""
    compiler = shutil.which(GCC, path=env["PATH"]) or GCC
    options = ["-mcpu=cortex-m0plus", "-mthumb", "--specs=nosys.specs", "-x", "c", "-"]
    compile_it = [compiler, *options, "-lm", "-o", os.devnull]
    starts = [(["cmake", "--version"], ""), (["ninja", "--version"], "")]
    for command, text in [(compile_it, _PROBE), *starts]:
        program = shutil.which(command[0], path=env["PATH"]) or command[0]
        result = subprocess.run(
            [program, *command[1:]],
            env=env,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            with explained_os_errors():
                log.parent.mkdir(parents=True, exist_ok=True)
                with log.open("a") as file:
                    file.write(f"$ {' '.join(command)}\n{result.stderr}")
            return False
    return True


def identity(toolchain: Toolchain) -> str:
    """Return a short name for what CMake's build directories remember of a toolchain."""
    paths = [shutil.which(tool, path=toolchain.env["PATH"]) or tool for tool in _PACKAGES]
    text = "\0".join((toolchain.compiler, *paths))
    return hashlib.sha256(text.encode()).hexdigest()[:8]
