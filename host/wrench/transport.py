"""Ports: what a link or a REPL is spoken over, and how a board's two serial functions are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import serial
from serial.tools import list_ports

from wrench.bench import registry
from wrench.errors import PortError

# Raspberry Pi's USB vendor, and MicroPython's product on an RP2040.
_VENDOR, _PRODUCT = 0x2E8A, 0x0005


class Port(Protocol):
    """The part of pyserial's interface that Wrench uses."""

    timeout: float | None

    @property
    def port(self) -> str | None: ...
    @property
    def in_waiting(self) -> int: ...
    def read(self, size: int = 1, /) -> bytes: ...
    def write(self, data: bytes, /) -> int | None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class BoardPorts:
    """Where a board's two serial functions are; `link` is None while only the console shows."""

    title: str
    console: str | None
    link: str | None


def attached() -> list[BoardPorts]:
    """Boards on USB and running virtual benches."""
    found = [BoardPorts(b.title, b.console, b.link) for b in registry.running()]
    boards: dict[str, dict[int, str]] = {}
    for info in list_ports.comports():
        if (info.vid, info.pid) != (_VENDOR, _PRODUCT):
            continue
        # Linux: "1-1.2:1.0"; elsewhere the serial number keeps one board's ports together, in order of name.
        place, _, interface = (info.location or "").partition(":")
        key = place or info.serial_number or info.device
        functions = boards.setdefault(key, {})
        number = int(interface.rpartition(".")[2]) if interface else 2 * len(functions)
        functions[number] = info.device
    for key, functions in boards.items():
        devices = [functions[n] for n in sorted(functions)]
        found.append(BoardPorts(f"board at USB {key}", devices[0], devices[1] if len(devices) > 1 else None))
    return found


def choose(port: str | None) -> BoardPorts:
    """The board that `port` belongs to; with None, the only one attached."""
    boards = attached()
    if port is None:
        if not boards:
            raise PortError(
                "no board is attached; plug one in, or start an emulated one in another terminal with `wrench bench up`"
            )
        if len(boards) > 1:
            names = ", ".join(str(b.link or b.console) for b in boards)
            raise PortError(f"{len(boards)} boards are attached ({names}); say which one with --port")
        return boards[0]
    for board in boards:
        if port in (board.console, board.link):
            return board
    return BoardPorts(port, port, port)


def open_port(url: str | None, what: str = "port") -> Port:
    """Open a device name or any pyserial URL; raises PortError with what to do."""
    if url is None:
        raise PortError(f"the board shows no {what}; is its firmware running? `wrench flash` installs it")
    try:
        return serial.serial_for_url(url, timeout=1.0, exclusive=True)  # pyright: ignore[reportReturnType]
    except (ValueError, NotImplementedError):
        try:
            return serial.serial_for_url(url, timeout=1.0)  # pyright: ignore[reportReturnType]
        except (serial.SerialException, OSError, ValueError) as error:
            raise _port_error(url, error) from error
    except (serial.SerialException, OSError) as error:
        raise _port_error(url, error) from error


def _port_error(url: str, error: Exception) -> PortError:
    text = str(error).lower()
    if "busy" in text or "lock" in text or "exclusive" in text:
        return PortError(f"{url} is in use by another program; close that one and try again")
    if "permission" in text:
        return PortError(f"no permission to open {url}; add yourself to the group that owns it (often `dialout`)")
    return PortError(f"cannot open {url}; check the name, or list what is attached with `wrench boards`")
