"""All findings about one board, in the order in which to read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wrench import fleet
from wrench.board import Board
from wrench.doctor import computer, link
from wrench.doctor.finding import Finding, bad, doubtful, good
from wrench.errors import LinkError, PortError
from wrench.transport import attached, choose


def examine(
    port: str | None = None,
    seconds: float = link.LISTEN_S,
    step: Callable[[str], None] = lambda text: None,
) -> Iterator[Finding]:
    """Look at the computer and at one board (`port` as `--port`); yields what is found as it is
    found. `step` is told what takes time. Listening, `seconds` long, needs a board that operates.
    """
    try:
        ports = choose(port)
    except PortError as error:
        yield _out_of_reach(error)
        if not attached():
            yield from computer.findings(None)
        return
    yield good("board", ports.title)
    yield from computer.findings(ports)
    step("asking the board who it is")
    try:
        board = fleet.look(ports)
    except PortError as error:
        yield _out_of_reach(error)
        return
    yield from what_runs(board)
    if board.state == "operating":
        step(f"listening for {seconds:g} s")
        try:
            with Board(port) as opened:
                heard = link.listen(opened, seconds)
            yield from link.findings(heard, emulated=ports.board is not None)
        except LinkError as error:
            yield link.silent(error)


def _out_of_reach(error: PortError) -> Finding:
    seen, _, remedy = error.args[0].partition("; ")
    return bad("board", seen, remedy)


def what_runs(board: fleet.Attached) -> Iterator[Finding]:
    """MicroPython, firmware and board file of one board."""
    if board.state != "operating":
        yield bad("state", board.state, board.to_do)
    else:
        yield good("state", "it operates")
    if board.micropython is not None:
        about = "MicroPython"
        if board.runs_firmware:
            yield good(about, board.micropython)
        else:
            remedy = f"{board.flash_command} installs one on which the firmware runs"
            yield bad(about, board.micropython, remedy)
    if board.up_to_date is None:
        return
    firmware = f"{board.firmware_hash:08x} for {board.board_name}"
    if board.up_to_date:
        yield good("firmware", f"{firmware}, as this wrench has it")
    elif fleet.board_named(board.board_name, board.ports.board) is None:
        yield doubtful(
            "firmware",
            f"{firmware}; that board file is not known here",
            "run wrench where its file is, or `wrench flash --board FILE`",
        )
    else:
        yield doubtful("firmware", firmware, board.to_do)
