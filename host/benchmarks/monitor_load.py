"""What the live screen costs: CPU time of `wrench monitor` in a second of device time.

The board is emulated and paced to real time, its drill runs, and the monitor, in a process of its
own on a terminal of its own, shows everything: status, features and the 3,200 Hz waveform.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator

import psutil
from figure import Figure

from wrench.bench.assemble import assemble, flashed
from wrench.bench.serve import BenchServer
from wrench.bench.virtual import VirtualBench
from wrench.boards import load_board

_SIZES = ((80, 24), (200, 60))
_BOOT_S, _BUTTON_S = 4.0, 1.5
_SETTLE_S, _MEASURE_S = 12.0, 30.0
_LOOK_S = 0.02
_WALL_AT_MOST = 8.0


class _Screen:
    """`wrench monitor` on a pseudo-terminal whose other end is read and forgotten."""

    def __init__(self, url: str, columns: int, lines: int) -> None:
        import fcntl  # noqa: PLC0415  (Windows has none of these)
        import pty  # noqa: PLC0415
        import struct  # noqa: PLC0415
        import termios  # noqa: PLC0415

        self._master, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        environment = os.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
        for name in ("COLUMNS", "LINES", "NO_COLOR", "LC_ALL"):
            environment.pop(name, None)
        command = "from wrench.cli import main; main()"
        self.process = psutil.Popen(
            [sys.executable, "-c", command, "monitor", "--port", url],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment,
            start_new_session=True,
        )
        os.close(terminal)
        self.drawn = bytearray()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65_536)
            except OSError:
                return
            self.drawn += data
            del self.drawn[:-200_000]

    def cpu_s(self) -> float:
        """User and system time so far."""
        times = self.process.cpu_times()
        return times.user + times.system

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()
        os.close(self._master)


def load(content: bytes) -> Iterator[Figure]:
    """CPU seconds of the monitor in a device second, at two sizes of the terminal, with the
    firmware on the flash `content`. Linux and macOS only."""
    if sys.platform == "win32":
        return
    for columns, lines in _SIZES:
        spent = _spent(content, columns, lines)
        yield Figure(f"monitor at full rate, {columns}x{lines}", spent, "CPU s per s", "<= 0.25")


def _spent(content: bytes, columns: int, lines: int) -> float:
    assembly = assemble(load_board("pico-adxl345"), content)
    over = threading.Event()
    with assembly.bench as bench, BenchServer(assembly) as server:
        thread = threading.Thread(target=server.run, args=(over.is_set,))
        thread.start()
        try:
            _pass(bench, _BOOT_S)
            assembly.machine.press_button()
            _pass(bench, _BUTTON_S)
            assembly.machine.press_button(False)
            screen = _Screen(server.link.url, columns, lines)
            _pass(bench, _SETTLE_S)
            cpu_s, device_s = screen.cpu_s(), bench.now_s
            _pass(bench, _MEASURE_S)
            spent = (screen.cpu_s() - cpu_s) / (bench.now_s - device_s)
            shows = b"g peak" in screen.drawn
            screen.close()
        finally:
            over.set()
            thread.join()
    if not shows:
        raise SystemExit("the monitor has not shown the waveform")
    return spent


def _pass(bench: VirtualBench, device_s: float) -> None:
    """Wait while the bench's other thread lets that much device time pass."""
    until_s = bench.now_s + device_s
    give_up = time.monotonic() + _WALL_AT_MOST * device_s + 10.0
    while bench.now_s < until_s:
        if time.monotonic() > give_up:
            raise SystemExit("the bench stands still")
        time.sleep(_LOOK_S)


if __name__ == "__main__":
    for measured in load(flashed(load_board("pico-adxl345"))):
        print(f"{measured.name:42} {measured.value:.3f} {measured.unit}  {measured.target}")
