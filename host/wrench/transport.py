"""Ports: what a link or a REPL is spoken over, and how a board's two serial functions are found.

A board's link is shared with every other `wrench` process (`wrench.sharing`); its console is not.
"""

from __future__ import annotations

import errno
import fnmatch
import glob
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import serial
from serial.tools import list_ports

from wrench import bootsel, sharing
from wrench.bench import registry
from wrench.errors import PortError
from wrench.tcp_port import TcpPort

# Raspberry Pi's USB vendor, and MicroPython's product on an RP2040.
_VENDOR, _PRODUCT = 0x2E8A, 0x0005
_LOOK_EVERY_S = 0.05
_STARTING_S, _SHORTLY_S = 5.0, 2.0
_WRITE_S = 5.0
_LOCATION = re.compile(r"\d+-\d+(\.\d+)*")
_DEVICE_ON_WINDOWS = re.compile(r"COM\d+", re.IGNORECASE)
_T = TypeVar("_T")


class Port(Protocol):
    """The part of pyserial's interface that Wrench uses."""

    @property
    def timeout(self) -> float | None: ...
    @timeout.setter
    def timeout(self, seconds: float | None, /) -> None: ...
    @property
    def port(self) -> str | None: ...
    @property
    def in_waiting(self) -> int: ...
    def read(self, size: int = 1, /) -> bytes: ...
    def write(self, data: bytes, /) -> int | None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class BoardPorts:
    """Where a board's two serial functions are; None for one that does not show now.

    `key` stays the same while ports vanish and come back; it is empty for a port that belongs to
    nothing known. `board` is the path of the board's file where the bench tells it.
    `serial_number` and `location` are those of USB, such as "e6614c311b7e6f35" and "1-1.2". `boot`
    is the way to the board's boot ROM (`wrench.bootsel`); None while it is not in BOOTSEL.
    """

    title: str
    console: str | None
    link: str | None
    key: str = ""
    board: str | None = None
    serial_number: str | None = None
    location: str | None = None
    boot: str | None = None


def attached() -> list[BoardPorts]:
    """Boards on USB and running virtual benches."""
    return [_shown(bench) for bench in registry.running()] + _on_usb()


def choose(port: str | None) -> BoardPorts:
    """The board that `port` means; with None, the only one attached.

    `port` is the name of either of a board's serial devices, a pattern that fits the devices of one
    board alone ("/dev/ttyACM*"), a board's USB serial number or USB location ("1-1.2"), or any URL
    of pyserial's. A device or a URL that belongs to no board is taken as both its console and its
    link. Raises PortError where `port` could mean none, or several.
    """
    if port is None:
        return _only(attached())
    if "://" in port:
        return _of_device(port) or BoardPorts(port, port, port)
    if glob.has_magic(port):
        return _of_pattern(port)
    if (board := _of_device(port)) is not None:
        return board
    if _names_a_device(port):
        return BoardPorts(port, port, port)
    return _of_usb(port)


def open_port(url: str | None, what: str = "port", timeout_s: float = 1.0) -> Port:
    """Open a device name or any pyserial URL for this process alone; raises PortError with what to
    do. `timeout_s` is that of its reads."""
    url = _there(url, what)
    scheme = url.partition("://")[0].lower()
    if scheme == "socket":
        return TcpPort(url, timeout_s)
    limits: dict[str, Any] = {"timeout": timeout_s, "write_timeout": _WRITE_S}
    if scheme == "rfc2217":
        del limits["write_timeout"]  # pyserial has none there, and says so with an exception
    elif "://" not in url:
        limits["exclusive"] = True
    try:
        return SerialPort(serial.serial_for_url(url, **limits))
    except (serial.SerialException, OSError, ValueError) as error:
        raise _port_error(url, error) from error


def open_shared(url: str | None, what: str = "port") -> Port:
    """Open a port that other `wrench` processes may have open too. Where there is no way to share
    one here, it is opened for this process alone. Raises PortError as `open_port` does."""
    url = _there(url, what)
    try:
        return sharing.connect(url)
    except sharing.SharingError:
        return open_port(url, what)


class SerialPort:
    """A pyserial port whose every failure is a PortError."""

    def __init__(self, device: Any) -> None:
        self._device = device

    @property
    def port(self) -> str | None:
        """Its name."""
        return self._device.port

    @property
    def timeout(self) -> float | None:
        """Of `read`, in seconds of the clock; None waits for ever."""
        return self._device.timeout

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        if seconds != self._device.timeout:
            self._guarded(lambda: setattr(self._device, "timeout", seconds))

    @property
    def in_waiting(self) -> int:
        """Bytes that `read` returns without waiting."""
        return self._guarded(lambda: self._device.in_waiting)

    def inWaiting(self) -> int:  # noqa: N802  (pyserial's old name, which mpremote uses)
        """Same as `in_waiting`."""
        return self.in_waiting

    def read(self, size: int = 1) -> bytes:
        """`size` bytes, or fewer when `timeout` passes before they have come."""
        return self._guarded(lambda: self._device.read(size))

    def write(self, data: bytes) -> int | None:
        """Send all of `data`."""
        return self._guarded(lambda: self._device.write(data))

    def reset_input_buffer(self) -> None:
        """Forget what has come."""
        self._guarded(self._device.reset_input_buffer)

    def close(self) -> None:
        """Close it; one that has gone closes too."""
        try:
            self._device.close()
        except (serial.SerialException, OSError):
            return

    def _guarded(self, action: Callable[[], _T]) -> _T:
        try:
            return action()
        except serial.SerialTimeoutException as error:
            raise PortError(
                f"{self.port} takes no more bytes; unplug the board and plug it in again"
            ) from error
        # pyserial raises TypeError where another thread or an error has closed it meanwhile.
        except (serial.SerialException, OSError, TypeError) as error:
            raise PortError(
                f"{self.port} has gone (the board was reset or unplugged); try again"
            ) from error


class BoardConnection:
    """One board, whose ports may vanish, come back, and have other names then.

    `port` as in `choose`. Times are seconds of the clock.
    """

    def __init__(self, port: str | None = None) -> None:
        self._asked = port
        self._known = choose(port)

    @property
    def title(self) -> str:
        """A name for messages."""
        return self._known.title

    @property
    def board(self) -> str | None:
        """Path of the board's file, where a bench tells it."""
        return self._known.board

    def look(self) -> BoardPorts:
        """Where the board's ports are now."""
        known = self._known
        if not known.key:
            return known
        by_number = known.serial_number is not None and self._asked == known.serial_number
        for board in attached():
            # Who names a board by its number means it wherever it is plugged in; in BOOTSEL all
            # have the same, and only the place tells.
            here = board.location is not None and board.location == known.location
            if board.key == known.key or here or (by_number and board.serial_number == self._asked):
                return board
        return replace(known, console=None, link=None, boot=None)

    def open_console(self, timeout_s: float | None = None) -> Port:
        """Open the REPL's port, for this process alone; waits that long for it to appear, by
        default as long as a board takes to start. Raises PortError."""
        if not self._known.key and self._known.console is not None:
            sharing.let_go(self._known.console)  # it was tried as the link
        return self._open(lambda ports: ports.console, "console", timeout_s, open_port)

    def open_link(self, timeout_s: float | None = None) -> Port:
        """Open the link's port, which other `wrench` processes may have open too; waits that long
        for it to appear, by default as long as a board takes to start. Raises PortError."""
        return self._open(lambda ports: ports.link, "link", timeout_s, open_shared)

    def wait_for(self, condition: Callable[[BoardPorts], bool], timeout_s: float) -> bool:
        """Wait until the board's ports are so; False when the time is over."""
        until = time.monotonic() + timeout_s
        while not condition(self.look()):
            if time.monotonic() >= until:
                return False
            time.sleep(_LOOK_EVERY_S)
        return True

    def _open(
        self,
        which: Callable[[BoardPorts], str | None],
        what: str,
        timeout_s: float | None,
        opened: Callable[[str | None, str], Port],
    ) -> Port:
        started = time.monotonic()
        while True:
            ports = self.look()
            # A board that shows its console is about to show the link too, or is in maintenance.
            shows = ports.console is not None
            until = started + (timeout_s or (_SHORTLY_S if shows else _STARTING_S))
            try:
                return opened(which(ports), what)
            except PortError as error:
                # Until the system has set a new port up, it may be there and not yet for us.
                if time.monotonic() >= until or not self._known.key:
                    raise self._explained(ports, which(ports), error) from error
            time.sleep(_LOOK_EVERY_S)

    def _explained(self, ports: BoardPorts, url: str | None, error: PortError) -> PortError:
        if url is not None:
            return error
        if ports.boot is not None:
            return PortError(
                f"{self.title} is in BOOTSEL; `wrench flash` installs its image and its firmware"
                + (" (with --board FILE)" if ports.board is None else "")
            )
        if ports.console is not None:
            return PortError(
                f"{self.title} shows its console and no link: it is in maintenance, or has no "
                "firmware; `wrench flash` installs it and starts it"
                + (" (with --board FILE where it is new)" if ports.board is None else "")
            )
        return PortError(f"{self.title} shows no port; is it powered, or still starting? Try again")


def wait_until_gone(port: Port, timeout_s: float) -> bool:
    """Read what comes until the port vanishes; False when it is still there after that time."""
    until = time.monotonic() + timeout_s
    try:
        while (left_s := until - time.monotonic()) > 0.0:
            port.timeout = min(left_s, 0.2)
            port.read(1)
            port.read(port.in_waiting)
    except PortError:
        return True
    return False


def _there(url: str | None, what: str) -> str:
    if url is None:
        raise PortError(
            f"the board shows no {what}; is its firmware running? `wrench flash` installs it"
        )
    return url


def _only(boards: list[BoardPorts]) -> BoardPorts:
    if not boards:
        raise PortError(
            "no board is attached; plug one in, or start an emulated one in another terminal with "
            "`wrench bench up`"
        )
    if len(boards) > 1:
        raise PortError(
            f"{len(boards)} boards are attached ({_listed(boards)}); say which one with --port"
        )
    return boards[0]


def _of_device(port: str) -> BoardPorts | None:
    """The board one of whose ports has this name."""
    benches = registry.running()
    known = sharing.canonical(port) if benches else port
    for bench in benches:
        if known in (bench.console, bench.link):
            return _shown(bench)
        if bench.console_pty and _same(port, (bench.console_pty, bench.link_pty)):
            # A second name of the same port: whoever came by the other would be in its way.
            return _shown(bench)
    for board in _on_usb():
        if _same(port, (board.console, board.link)):
            return board
    return None


def _of_pattern(pattern: str) -> BoardPorts:
    """The only board that has a device of such a name."""
    names = {info.device for info in list_ports.comports()} | set(glob.glob(pattern))
    names |= {pty for bench in registry.running() for pty in _ptys(bench)}
    found: dict[str, BoardPorts] = {}
    for name in sorted(names):
        if fnmatch.fnmatch(name, pattern):
            board = _of_device(name) or BoardPorts(name, name, name)
            found[board.key or name] = board
    if not found:
        raise PortError(f"no serial port fits {pattern}; {_attached_now()}")
    if len(found) > 1:
        raise PortError(
            f"{pattern} fits {len(found)} boards ({_listed(list(found.values()))}); say which one "
            "with --port"
        )
    return next(iter(found.values()))


def _of_usb(name: str) -> BoardPorts:
    """The board with this USB location or serial number."""
    boards = _on_usb()
    if _LOCATION.fullmatch(name):
        found = [board for board in boards if board.location == name]
        nothing = f"there is no board at USB location {name}"
    else:
        found = [board for board in boards if (board.serial_number or "").lower() == name.lower()]
        nothing = f"{name!r} is no serial port, and no board's USB serial number or location"
    if not found:
        raise PortError(f"{nothing}; {_attached_now()}")
    if len(found) > 1:
        raise PortError(
            f"{len(found)} boards have the USB serial number {name} ({_listed(found)}); say which "
            "one with --port and its location"
        )
    return found[0]


def _names_a_device(port: str) -> bool:
    """True for what can only be meant as a device's name, whether or not it is there."""
    if sys.platform == "win32":
        return _DEVICE_ON_WINDOWS.fullmatch(port) is not None or "\\" in port
    return "/" in port or os.path.exists(port)


def _listed(boards: list[BoardPorts]) -> str:
    return ", ".join(
        f"{board.title}: {board.link or board.console or board.location}" for board in boards
    )


def _attached_now() -> str:
    boards = attached()
    if not boards:
        return "no board is attached: plug one in, or start one with `wrench bench up`"
    return f"name one of those attached ({_listed(boards)}), or leave out --port"


def _ptys(bench: registry.RunningBench) -> list[str]:
    return [pty for pty in (bench.console_pty, bench.link_pty) if pty]


def _shown(bench: registry.RunningBench) -> BoardPorts:
    return BoardPorts(
        bench.title,
        bench.console if bench.functions > 0 else None,
        bench.link if bench.functions > 1 else None,
        f"bench {bench.pid}",
        bench.board,
        boot=bench.boot,
    )


def _on_usb() -> list[BoardPorts]:
    boards: dict[str, dict[int, str]] = {}
    numbers: dict[str, str | None] = {}
    places: dict[str, str | None] = {}
    for info in list_ports.comports():
        if (info.vid, info.pid) != (_VENDOR, _PRODUCT):
            continue
        # Linux: "1-1.2:1.0"; elsewhere the serial number keeps one board's ports together, in order
        # of name.
        place, _, interface = (info.location or "").partition(":")
        key = place if interface else info.serial_number or place or info.device
        functions = boards.setdefault(key, {})
        numbers[key], places[key] = info.serial_number, place or None
        number = int(interface.rpartition(".")[2]) if interface else 2 * len(functions)
        functions[number] = info.device
    found: list[BoardPorts] = []
    for key, functions in boards.items():
        link = next((functions[number] for number in sorted(functions) if number > 0), None)
        found.append(
            BoardPorts(
                f"the board at USB {key}",
                functions.get(0),
                link,
                f"usb {key}",
                serial_number=numbers[key],
                location=places[key],
            )
        )
    for place in bootsel.locations():
        title = f"the board in BOOTSEL at USB {place}"
        boot = bootsel.USB + place
        found.append(BoardPorts(title, None, None, f"usb {place}", location=place, boot=boot))
    return found


def _same(port: str, names: tuple[str | None, ...]) -> bool:
    """True where `port` is one of the names, or leads to the same device."""
    real = os.path.realpath(port)
    return any(name in (port, real) or real == os.path.realpath(name) for name in names if name)


def _port_error(url: str, error: Exception) -> PortError:
    number = getattr(error, "errno", None)
    text = str(error).lower()
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in text or "busy" in text:
        return PortError(f"{url} is in use by another program; close that one and try again")
    if number in (errno.EACCES, errno.EPERM) or "permission" in text or "access is denied" in text:
        return PortError(
            f"no permission to open {url}; add yourself to the group that owns it (often "
            "`dialout`), or close the program that has it"
        )
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO):
        return PortError(f"there is no {url}; plug the board in, or leave out --port")
    return PortError(f"cannot open {url}; check the name, or leave out --port")
