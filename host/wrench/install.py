"""Installing the firmware on a board as it is: running, in maintenance, or bare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wrench.boards import Board, known_boards, load_board
from wrench.deploy import Deployment, deployment
from wrench.errors import FlashError, LinkError, PortError, RefusedError
from wrench.flash import FlashReport, flash, restart
from wrench.link import Frame, Link
from wrench.transport import BoardConnection, wait_until_gone

GONE_S = 3.0
_PROMPT, _PROMPT_S = b">>> ", 2.0
BACK_S = 12.0
"""Wall time for a board to boot and show its ports; it takes about 1.2 s of its own time."""


@dataclass(frozen=True)
class Installed:
    """What installing did, and how the board greets since."""

    report: FlashReport
    greeting: Frame


def install(
    connection: BoardConnection,
    board: Board,
    *,
    step: Callable[[str], None] = lambda text: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Installed:
    """Bring a board's firmware to what this wrench carries for `board`, start it and verify it.

    A running board is put into maintenance first. `step` is told what begins, `progress` is called
    with bytes done and bytes in all.

    Raises:
        RefusedError: the motor turns.
        PortError: no port, a busy one, or one that does not come back.
        FlashError: the board does not take the firmware, or does not start it.
    """
    step(f"compiling for {board.name}")
    wanted = deployment(board)
    if connection.look().link is not None:
        step("entering maintenance")
        enter_maintenance(connection)
    console = connection.open_console(BACK_S)
    try:
        step("comparing with what the board has")
        report = flash(console, wanted, progress)
        step("starting it")
        restart(console)
        wait_until_gone(console, GONE_S)
    finally:
        console.close()
    return Installed(report, verify(connection, board, wanted))


def enter_maintenance(connection: BoardConnection) -> None:
    """Have a running board stop operating and give its console to the host.

    Does nothing where it shows no link: it is there already. Raises RefusedError with the board's
    reason, and LinkError where the board does not answer.
    """
    if connection.look().link is None:
        return
    port = connection.open_link()
    try:
        try:
            Link(port).command("maintenance")
        except RefusedError:
            raise
        except LinkError:
            if connection.look().key:
                raise
            return  # a port of which nothing is known may well be the console itself
        if not wait_until_gone(port, GONE_S):
            raise LinkError(
                f"{connection.title} does not leave operation; reset it with its service jumper "
                "fitted and try again"
            )
    finally:
        port.close()
    _await_prompt(connection)


def _await_prompt(connection: BoardConnection) -> None:
    """A Ctrl-C that comes before the start-up has seen that maintenance is asked for would leave
    the request standing, for the boot after the next as well."""
    console = connection.open_console(BACK_S)
    try:
        console.timeout = _PROMPT_S
        console.write(b"\r")
        said = b""
        while not said.endswith(_PROMPT) and (byte := console.read(1)):
            said += byte
    finally:
        console.close()


def verify(connection: BoardConnection, board: Board, wanted: Deployment) -> Frame:
    """Wait for the board to operate; returns its greeting. Raises FlashError where it is not the
    firmware and the board that are wanted."""
    try:
        port = connection.open_link(BACK_S)
    except PortError as error:
        raise FlashError(
            f"the firmware is installed and does not start ({error.args[0].partition(';')[0]}); "
            "see why with `wrench maintenance` and `mpremote`"
        ) from error
    try:
        greeting = Link(port).hello()
    finally:
        port.close()
    if greeting["firmware_hash"] != wanted.firmware_hash or greeting["board_hash"] != board.hash:
        raise FlashError(
            f"the board runs firmware {greeting['firmware_hash']:08x} for board "
            f"{greeting['board_hash']:08x}, not {wanted.firmware_hash:08x} for {board.hash:08x}; "
            "flash again"
        )
    return greeting


def board_of(connection: BoardConnection, given: str | Path | None) -> Board:
    """The board file to install: the given one, that of the bench, or what the board says it is.

    Raises FlashError where nothing tells: another board's pins could start a motor.
    """
    if given is not None:
        return load_board(given)
    if connection.board is not None:
        return load_board(Path(connection.board))
    if connection.look().link is not None:
        port = connection.open_link()
        try:
            name = Link(port).hello()["board_name"].decode(errors="replace")
        except LinkError:
            name = ""
        finally:
            port.close()
        for path in known_boards():
            if name and path.stem[:24] == name:
                return load_board(path)
    raise FlashError(
        "this board does not say how it is wired; name its file with --board "
        "(`wrench boards list` shows those known)"
    )
