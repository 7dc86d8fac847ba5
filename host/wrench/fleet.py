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
    a sentence what to do. `runs_firmware` says whether the firmware can run on its MicroPython.
    """

    ports: BoardPorts
    state: str
    to_do: str
    greeting: Frame | None = None
    board_name: str | None = None
    board_hash: int | None = None
    firmware_hash: int | None = None
    micropython: str | None = None
    runs_firmware: bool | None = None

    @property
    def up_to_date(self) -> bool | None:
        """Whether its firmware and its board file are those of this wrench; None where that cannot
        be told."""
        if self.firmware_hash is None or self.board_name is None:
            return None
        return not self.outdated

    @property
    def outdated(self) -> str:
        """What on it is not as this wrench would install it, as a clause; empty where nothing is,
        or where that cannot be told."""
        if self.firmware_hash is None or self.board_name is None:
            return ""
        board = board_named(self.board_name, self.ports.board)
        found = []
        if self.firmware_hash != current_firmware_hash():
            found.append("its firmware is another one")
        if board is not None and board.hash != self.board_hash:
            found.append("its board file has changed")
        return ", and ".join(found)

    @property
    def flash_command(self) -> str:
        """As the function of that name."""
        return flash_command(self.ports, self.board_name)


def all_attached() -> list[Attached]:
    """Every board on USB and every running bench; opens their ports for a moment."""
    return [look(ports) for ports in attached()]


def look(ports: BoardPorts) -> Attached:
    """What one board is. Raises PortError for a port that belongs to no known board and cannot be
    opened."""
    if ports.boot is not None:
        to_do = f"install its image and its firmware with {flash_command(ports)}"
        return Attached(ports, "BOOTSEL", to_do)
    if ports.link is not None:
        return _operating(ports)
    if ports.console is not None:
        return _at_its_console(ports)
    return Attached(ports, "no ports", "look at its power and its cable, or wait until it is up")


def flash_command(ports: BoardPorts, board_name: str | None = None) -> str:
    """How to flash a board, for messages: where neither its bench nor its firmware says how it is
    wired, somebody has to."""
    known = board_named(board_name, ports.board) is not None
    return "`wrench flash`" if known else "`wrench flash --board FILE`"


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
        return _not_opened(ports, error)
    try:
        greeting = Link(port).hello(_LOOK_S)
    except (LinkError, PortError):
        to_do = f"reset it, and see `wrench doctor`; or mend it with {flash_command(ports)}"
        return Attached(ports, "silent", to_do)
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
        runs_firmware=True,
    )
    return replace(seen, to_do=_renewal(seen))


def _at_its_console(ports: BoardPorts) -> Attached:
    try:
        console = BoardConnection(ports.console).open_console(_LOOK_S)
    except PortError as error:
        return _not_opened(ports, error)
    try:
        runs = interpreter(console)
        name, board_hash, firmware_hash = ast.literal_eval(
            RawRepl(console).exec(_INSTALLED).decode()
        )
        RawRepl(console).exit_raw_repl()
    except (FlashError, TransportError, ValueError, SyntaxError, PortError):
        to_do = f"unplug it, plug it in, and install with {flash_command(ports)}"
        return Attached(ports, "silent", to_do)
    finally:
        console.close()
    seen = Attached(
        ports,
        "console",
        "",
        board_name=name,
        board_hash=board_hash,
        firmware_hash=firmware_hash,
        micropython=str(runs),
        runs_firmware=runs.fits,
    )
    if name is None or firmware_hash is None:
        to_do = f"it has no firmware; install it with {seen.flash_command}"
    else:
        back = f"it is in maintenance; {seen.flash_command} has it operate again"
        to_do = _renewal(seen) or back
    return replace(seen, to_do=to_do)


def _not_opened(ports: BoardPorts, error: PortError) -> Attached:
    if not ports.key:
        raise error
    return Attached(ports, "in use", error.args[0].partition("; ")[2] or error.args[0])


def _renewal(seen: Attached) -> str:
    return f"{seen.outdated}; install with {seen.flash_command}" if seen.outdated else ""
