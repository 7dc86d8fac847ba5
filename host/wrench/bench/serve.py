"""Runs a virtual bench for other programs: its serial functions as ports, paced, until told to end.

One thread does it all: it waits for clients until the next step is due, begins that step, and takes
the one before. So the emulator computes while this process sleeps, serves or moves the machine.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

from wrench.bench.assemble import Assembly
from wrench.bench.boot_port import BootOutlet
from wrench.bench.emulator import StepSeen
from wrench.bench.flash_file import FlashFile
from wrench.bench.ports import Outlet, PtyPort, TcpPort
from wrench.bench.registry import Registration, RunningBench
from wrench.bench.virtual import CONSOLE, LINK, Pacer
from wrench.bootsel import BENCH
from wrench.cache import cache_folder
from wrench.errors import BenchError

FIRST_PORT = 5310
_PORTS_TRIED = 40
_FLASH_EVERY_S = 1.0
_LATE_AFTER_S = 10.0
_LATE_FACTOR = 0.9
_STATES = (
    "the board shows no ports",
    "the board shows its console: maintenance, or no firmware",
    "the board operates: console and link",
)
_IN_BOOTSEL = "the board is in BOOTSEL: it has no image, or was asked to"
_SETTLED_S = 0.3
_RESET_REASONS = {1: " by its watchdog", 2: " by its firmware"}


class BenchServer:
    """A bench with its ports open.

    Parameters:
        assembly: what to run.
        first_port: the console's TCP port, the link's is the next; None finds two free ones.
        pty: offer each function as a pseudo-terminal as well.
        pace: most device seconds in a second of the clock. Something finite: an idle chip could
            run a thousand times as fast as real, and every time-out on the host would be over.
        flash_file: where the flash chip's content is kept, if it is.
        say: is told in a sentence what happens to the board.

    Raises:
        BenchError: a port is taken, or there are no pseudo-terminals.
    """

    def __init__(
        self,
        assembly: Assembly,
        *,
        first_port: int | None = None,
        pty: bool = False,
        pace: float = 1.0,
        flash_file: FlashFile | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._bench = assembly.bench
        self._pacer = Pacer(pace)
        self._pace = pace
        self._flash_file = flash_file
        self._say = say
        self._outlets = [Outlet(self._bench, function) for function in (CONSOLE, LINK)]
        self.console, self.link = _listen(first_port, self._outlets)
        self._boot_outlet = BootOutlet(self._bench)
        self._boot = TcpPort(0, self._boot_outlet)
        self._ptys: list[PtyPort] = []
        if pty:
            folder = cache_folder("benches")
            for name, outlet in zip(("console", "link"), self._outlets, strict=True):
                self._ptys.append(PtyPort(folder / f"{os.getpid()}-{name}", outlet))
        title = assembly.board.title
        if flash_file and flash_file.number > 1:
            title += f", number {flash_file.number}"
        self._registration = Registration(
            RunningBench(
                pid=os.getpid(),
                title=f"{title} (emulated)",
                board=str(assembly.board.path.resolve()),
                console=self.console.url,
                link=self.link.url,
                console_pty=self.console_pty,
                link_pty=self.link_pty,
            )
        )
        self._saved_counts: dict[str, int] | None = None
        self._save_due_s = 0.0
        self._state = 0
        self._state_since_s = 0.0
        self._told_state = -1
        self._lag_from = (time.monotonic(), 0.0)
        self._told_late = False
        self._bench.on_step.append(self._watch)

    @property
    def console_pty(self) -> str | None:
        """Path of the console's pseudo-terminal."""
        return str(self._ptys[0].path) if self._ptys else None

    @property
    def link_pty(self) -> str | None:
        """Path of the link's pseudo-terminal."""
        return str(self._ptys[1].path) if self._ptys else None

    def run(self, ended: Callable[[], bool]) -> None:
        """Serve until `ended` says so. Raises BenchError when the emulator dies."""
        while not ended():
            self._serve_clients(self._pacer.ahead_s(self._bench.now_s))
            for outlet in (*self._outlets, self._boot_outlet):
                outlet.before_step()
            self._bench.step()
            boot = f"{BENCH}127.0.0.1:{self._boot.number}" if self._bench.in_bootsel else None
            self._registration.shows(self._bench.serial_functions, boot)
            self._keep_flash()
            self._notice_lag()

    def close(self) -> None:
        """Keep the flash chip's content, hang up on the clients and close the ports."""
        try:
            self._bench.settle()
            if self._flash_file and self._flash_changed():
                self._flash_file.save(self._bench.read_flash())
        except BenchError:
            pass  # the emulator has died; what was kept last stays
        finally:
            for outlet in (*self._outlets, self._boot_outlet):
                outlet.close()
            for port in (self.console, self.link, self._boot, *self._ptys):
                port.close()
            self._registration.withdraw()

    def __enter__(self) -> BenchServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve_clients(self, wait_s: float) -> None:
        """Listen to clients for that long, and at least once."""
        until = time.monotonic() + wait_s
        while True:
            for pty in self._ptys:
                pty.poll()
            busy = [o for o in (*self._outlets, self._boot_outlet) if o.wants_input]
            clients = {o.client.fileno(): o for o in busy if o.client is not None}
            ports = {port.fileno(): port for port in (self.console, self.link, self._boot)}
            left_s = max(0.0, until - time.monotonic())
            readable, _, _ = select.select([*ports, *clients], [], [], left_s)
            for descriptor in readable:
                if descriptor in ports:
                    ports[descriptor].accept()
                else:
                    clients[descriptor].pump()
            if not readable or time.monotonic() >= until:
                return

    # ---- what happens to the board ---------------------------------------------------------------
    def _watch(self, seen: StepSeen) -> None:
        now_s = seen.now_ns / 1e9
        for _, reason in seen.resets:
            self._say(f"{now_s:9.2f} s  the chip was reset{_RESET_REASONS.get(reason, '')}")
        state = len(_STATES) if seen.boot_pipe else min(seen.serial_functions, len(_STATES) - 1)
        if state != self._state:
            self._state, self._state_since_s = state, now_s
        settled = now_s - self._state_since_s >= _SETTLED_S
        if settled and self._state != self._told_state:
            self._told_state = self._state
            self._say(f"{now_s:9.2f} s  {(*_STATES, _IN_BOOTSEL)[self._state]}")

    def _flash_changed(self) -> bool:
        seen = self._bench.seen
        return seen is not None and any(seen.flash.values()) and seen.flash != self._saved_counts

    def _keep_flash(self) -> None:
        if self._flash_file is None or time.monotonic() < self._save_due_s:
            return
        self._save_due_s = time.monotonic() + _FLASH_EVERY_S
        if self._flash_changed():
            content = self._bench.read_flash()
            assert self._bench.seen
            self._saved_counts = dict(self._bench.seen.flash)
            self._flash_file.save(content)

    def _notice_lag(self) -> None:
        now, (wall, device_s) = time.monotonic(), self._lag_from
        if now - wall < _LATE_AFTER_S:
            return
        factor = (self._bench.now_s - device_s) / (now - wall)
        self._lag_from = (now, self._bench.now_s)
        late = self._pace == 1.0 and factor < _LATE_FACTOR
        if late and not self._told_late:
            self._say(
                f"{self._bench.now_s:9.2f} s  this computer runs the bench at {factor:.2f} of "
                "real time"
            )
        self._told_late = late


def _listen(first: int | None, outlets: list[Outlet]) -> tuple[TcpPort, TcpPort]:
    """The console's port and the link's: two neighbours."""
    if first is not None:
        return _pair(first, outlets)
    for number in range(FIRST_PORT, FIRST_PORT + _PORTS_TRIED, 2):
        try:
            return _pair(number, outlets)
        except BenchError:
            continue
    return TcpPort(0, outlets[0]), TcpPort(0, outlets[1])


def _pair(first: int, outlets: list[Outlet]) -> tuple[TcpPort, TcpPort]:
    console = TcpPort(first, outlets[0])
    try:
        return console, TcpPort(first + 1, outlets[1])
    except BenchError:
        console.close()
        raise
