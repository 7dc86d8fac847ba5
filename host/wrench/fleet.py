"""The boards that are attached: what each is, what runs on it, and whether that is what this wrench
would install."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from pathlib import Path

from wrench.boards import Board, known_boards, load_board
from wrench.deploy import current_firmware_hash
from wrench.errors import FlashError, LinkError, PortError
from wrench.flash import interpreter
from wrench.link import Frame, Link
from wrench.raw_repl import RawRepl, TransportError
from wrench.transport import BoardConnection, BoardPorts, attached

_LOOK_S = 1.0
_NAME_BYTES = 32  # of a greeting's `board_name`
_INSTALLED = """
out = []
for m, names in (('wrench_board', ('BOARD_NAME', 'BOARD_HASH')),
                 ('wrench_build', ('FIRMWARE_HASH',))):
    try:
        m = __import__(m)
        out += [getattr(m, n) for n in names]
    except (ImportError, AttributeError):
        out += [None] * len(names)
print(out)
"""


@dataclass(frozen=True)
class Attached:
    """One board.

    `state` is "operating", "console" (maintenance, or no firmware), "BOOTSEL", "silent" (ports that
    do not answer), "in use" or "no ports". Hashes are 32 bits; what is not known is None.
    `to_do` is empty for a board that operates with what this wrench would install, else it says in
    a sentence what to do.
    """

    ports: BoardPorts
    state: str
    to_do: str
    greeting: Frame | None = None
    board_name: str | None = None
    board_hash: int | None = None
    firmware_hash: int | None = None
    micropython: str | None = None

    @property
    def up_to_date(self) -> bool | None:
        """Whether its firmware and its board file are those of this wrench; None where that cannot
        be told."""
        if self.firmware_hash is None or self.board_name is None:
            return None
        return self.firmware_hash == current_firmware_hash() and not self.board_changed

    @property
    def board_changed(self) -> bool:
        """True where its board file is known here, and is not as it was when it was flashed."""
        board = board_named(self.board_name, self.ports.board)
        return board is not None and board.hash != self.board_hash


def all_attached() -> list[Attached]:
    """Every board on USB and every running bench; opens their ports for a moment."""
    return [look(ports) for ports in attached()]


def look(ports: BoardPorts) -> Attached:
    """What one board is."""
    if ports.boot is not None:
        return Attached(ports, "BOOTSEL", "install its image and its firmware with `wrench flash`")
    if ports.link is not None:
        return _operating(ports)
    if ports.console is not None:
        return _at_its_console(ports)
    return Attached(ports, "no ports", "look at its power and its cable, or wait until it is up")


def board_named(name: str | None, path: str | None = None) -> Board | None:
    """The board file of this name, as far as a board keeps it, or the one at this path; None where
    it is not known here."""
    if path is not None:
        return load_board(Path(path))
    for known in known_boards():
        if name and known.stem.encode()[:_NAME_BYTES] == name.encode():
            return load_board(known)
    return None


def _operating(ports: BoardPorts) -> Attached:
    connection = BoardConnection(ports.link)
    try:
        port = connection.open_link(_LOOK_S)
    except PortError as error:
        return Attached(ports, "in use", error.args[0].partition("; ")[2] or error.args[0])
    try:
        greeting = Link(port).hello(_LOOK_S)
    except (LinkError, PortError):
        return Attached(
            ports, "silent", "reset it, and see `wrench doctor`; or mend it with `wrench flash`"
        )
    finally:
        port.close()
    seen = Attached(
        ports,
        "operating",
        "",
        greeting,
        greeting["board_name"],
        greeting["board_hash"],
        greeting["firmware_hash"],
        f"{greeting['micropython_version']} ({greeting['image']})",
    )
    return replace(seen, to_do="" if seen.up_to_date else _outdated(seen))


def _at_its_console(ports: BoardPorts) -> Attached:
    try:
        console = BoardConnection(ports.console).open_console(_LOOK_S)
    except PortError as error:
        return Attached(ports, "in use", error.args[0].partition("; ")[2] or error.args[0])
    try:
        runs = interpreter(console)
        name, board_hash, firmware_hash = ast.literal_eval(
            RawRepl(console).exec(_INSTALLED).decode()
        )
        RawRepl(console).exit_raw_repl()
    except (FlashError, TransportError, ValueError, SyntaxError, PortError):
        return Attached(ports, "silent", "unplug it, plug it in, and install with `wrench flash`")
    finally:
        console.close()
    seen = Attached(ports, "console", "", None, name, board_hash, firmware_hash, str(runs))
    if name is None:
        return replace(seen, to_do="install the firmware with `wrench flash --board FILE`")
    to_do = "it is in maintenance; `wrench flash` has it operate again"
    return replace(seen, to_do=to_do if seen.up_to_date else _outdated(seen))


def _outdated(seen: Attached) -> str:
    what = "its board file has changed" if seen.board_changed else "its firmware is another one"
    if seen.firmware_hash != current_firmware_hash() and seen.board_changed:
        what = "its firmware is another one, and its board file has changed"
    return f"{what}; install with `wrench flash`"
