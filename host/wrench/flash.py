"""Installing the firmware on a board's filesystem: only what changed, verified, and in an order
that survives a cut.

`/main.py` goes first and comes back last: between the two, the board boots to its REPL, where
flashing starts again.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wrench.deploy import Deployment
from wrench.errors import FlashError
from wrench.raw_repl import RawRepl, TransportError, TransportExecError
from wrench.transport import Port

START = "/main.py"
LEAST_VERSION = (1, 25, 0)
"""Of MicroPython."""
_MPY = (6, 3)  # what mpy-cross 1.25 writes
_WHO = """
import sys
i = sys.implementation
print((i[0], tuple(i[1][:3]), getattr(i, '_mpy', 0)))
"""
_MUTE = (
    "the board's REPL does not answer on {port}; unplug the board, hold BOOTSEL while you plug it "
    "in, and flash again (with --erase where it hangs every time)"
)
_OURS = ("/lib/wrench_", "/lib/wrench.")

# Streams a file in: USB's own flow control paces it, and a rename makes it appear whole or not at
# all.
_DEVICE = """
import os, sys, hashlib, micropython
def _sum(p):
    h = hashlib.sha256(); b = bytearray(1024); v = memoryview(b)
    with open(p, 'rb') as f:
        while True:
            n = f.readinto(b)
            if not n: return h.digest().hex()
            h.update(v[:n])
def _walk(d, out):
    for e in os.ilistdir(d):
        p = d.rstrip('/') + '/' + e[0]
        if e[1] & 0x4000: _walk(p, out)
        else: out.append((p, _sum(p)))
def _list():
    out = []
    for d in ('/lib',):
        try: _walk(d, out)
        except OSError: pass
    for p in ('/main.py', '/boot.py'):
        try: out.append((p, _sum(p)))
        except OSError: pass
    print(out)
def _put(p, n):
    d = ''
    for part in p.split('/')[1:-1]:
        d += '/' + part
        try: os.mkdir(d)
        except OSError: pass
    b = bytearray(1024); v = memoryview(b); r = sys.stdin.buffer.readinto
    micropython.kbd_intr(-1)
    try:
        sys.stdout.buffer.write(b'>')
        with open(p + '.new', 'wb') as f:
            while n:
                k = r(v[:min(n, 1024)])
                f.write(v[:k]); n -= k
        os.rename(p + '.new', p)
    finally:
        micropython.kbd_intr(3)
    print(_sum(p))
def _drop(p):
    try: os.remove(p)
    except OSError: pass
    d = p.rpartition('/')[0]
    while d.count('/') > 1:
        try: os.rmdir(d)
        except OSError: return
        d = d.rpartition('/')[0]
"""


@dataclass(frozen=True)
class FlashReport:
    """What flashing did: paths written and removed, and bytes sent."""

    written: list[str]
    removed: list[str]
    bytes_sent: int

    @property
    def changed(self) -> bool:
        """False where the board had everything already."""
        return bool(self.written or self.removed)


def plain(files: Mapping[str, bytes | str]) -> Deployment:
    """Files of any MicroPython program, by their path on the board."""
    found = {
        f"/{path.lstrip('/')}": text.encode() if isinstance(text, str) else text
        for path, text in files.items()
    }
    return Deployment({START: b"", **found}, 0)


def flash(
    console: Port,
    wanted: Deployment,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FlashReport:
    """Bring the filesystem behind an idle REPL to `wanted`; the caller resets the board afterwards.

    `progress` is called with bytes done and bytes in all. Raises FlashError.
    """
    repl = RawRepl(console)
    try:
        repl.enter_raw_repl(soft_reset=False)
        repl.exec(_DEVICE)
        present: dict[str, str] = dict(ast.literal_eval(repl.exec("_list()").decode()))
        stale = [p for p in present if p.startswith(_OURS) and p not in wanted.files]
        todo = [p for p, data in wanted.files.items() if present.get(p) != _sha256(data)]
        if not todo and not stale:
            return FlashReport([], [], 0)
        if START in present:
            repl.exec(f"_drop({START!r})")
        for path in stale:
            repl.exec(f"_drop({path!r})")
        todo = [p for p in todo if p != START] + [START]
        total = sum(len(wanted.files[p]) for p in todo)
        done = 0
        for path in todo:
            _put(repl, console, path, wanted.files[path])
            done += len(wanted.files[path])
            progress(done, total)
        return FlashReport(todo, stale, total)
    except TransportExecError as error:
        raise FlashError(
            f"the board refused a file ({_last_line(error.error_output)}); {_remedy(error)}"
        ) from error
    except TransportError as error:
        raise FlashError(_MUTE.format(port=console.port)) from error


@dataclass(frozen=True)
class Interpreter:
    """What runs at the REPL: its name ("micropython"), its version, and the version of the compiled
    modules that it takes, as (version, sub-version)."""

    name: str
    version: tuple[int, ...]
    mpy: tuple[int, int]

    @property
    def fits(self) -> bool:
        """True where the firmware can run on it."""
        return self.name == "micropython" and self.version >= LEAST_VERSION and self.mpy == _MPY

    def __str__(self) -> str:
        return f"{self.name} {'.'.join(map(str, self.version))}"


def interpreter(console: Port) -> Interpreter:
    """Ask an idle REPL what it is. Raises FlashError."""
    repl = RawRepl(console)
    try:
        repl.enter_raw_repl(soft_reset=False)
        said = repl.exec(_WHO)
        name, version, mpy = ast.literal_eval(said.decode())
    except (TransportError, ValueError, SyntaxError) as error:
        raise FlashError(_MUTE.format(port=console.port)) from error
    return Interpreter(name, tuple(version), (mpy & 0xFF, mpy >> 8 & 3))


def enter_bootsel(console: Port) -> None:
    """Have an idle REPL start the boot ROM's USB boot; the console vanishes. Raises FlashError."""
    try:
        repl = RawRepl(console)
        repl.enter_raw_repl(soft_reset=False)
        repl.exec_raw_no_follow("import machine; machine.bootloader()")
    except TransportError as error:
        raise FlashError(_MUTE.format(port=console.port)) from error


def restart(console: Port) -> None:
    """Reset the chip; its ports vanish and come back."""
    try:
        RawRepl(console).exec_raw_no_follow("import machine; machine.reset()")
    except TransportError as error:
        raise FlashError(
            f"the board did not take the restart ({error}); press its reset button"
        ) from error


def _put(repl: RawRepl, console: Port, path: str, data: bytes) -> None:
    repl.exec_raw_no_follow(f"_put({path!r}, {len(data)})")
    repl.read_until(1, b">", timeout=5)
    console.write(data)
    out, err = repl.follow(20)
    if err:
        raise TransportExecError(2, err.decode(errors="replace"))
    if out.decode().strip() != _sha256(data):
        raise FlashError(
            f"{path} did not arrive whole; flash again, with another cable if it persists"
        )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason given"


def _remedy(error: TransportExecError) -> str:
    if "28" in _last_line(error.error_output):
        return (
            "its filesystem is full: delete files of yours with `mpremote rm`, or flash again with "
            "--erase, which erases everything on the board"
        )
    return "flash again"
