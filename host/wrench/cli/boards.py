"""`wrench boards`: check board files, list those known, and tell their keys."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wrench.cli import completion
from wrench.cli.options import JSON
from wrench.cli.tables import aligned, folded, terminal_columns
from wrench.errors import BoardFileError

# What knows board files takes part of a second to import; `wrench boards --help` goes without.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from wrench import fleet
    from wrench.boards import Board, InvalidBoardError


@click.group(invoke_without_command=True)
@JSON
@click.pass_context
def boards(context: click.Context, as_json: bool) -> None:
    """Show the boards that are attached; or check and list board files."""
    if context.invoked_subcommand is not None:
        return
    from wrench import fleet

    found = fleet.all_attached()
    if as_json:
        click.echo(json.dumps([_facts(board) for board in found], indent=2))
        return
    if not found:
        click.echo(
            "no board is attached; plug one in, or start an emulated one in another terminal with "
            "`wrench bench up`"
        )
        return
    columns = terminal_columns()
    head = ("WHERE", "STATE", "BOARD", "MICROPYTHON", "UP TO DATE")
    lines = aligned([head, *(_attached_row(board) for board in found)], columns)
    for board in found:
        if board.to_do:
            lines += folded(f"{_where(board)}: {board.to_do}", columns)
    click.echo("\n".join(lines))


@boards.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", shell_complete=completion.board_files
)
@JSON
def check(files: tuple[str, ...], as_json: bool) -> None:
    """Check board files, given by path or by name, and show their pins or every problem."""
    from wrench.boards import InvalidBoardError

    results = [_try_load(file) for file in files]
    if as_json:
        click.echo(json.dumps([_as_json(*pair) for pair in zip(files, results, strict=True)]))
    else:
        click.echo("\n".join(_as_text(*pair) for pair in zip(files, results, strict=True)))
    bad = sum(isinstance(result, InvalidBoardError) for result in results)
    if bad:
        raise BoardFileError(
            f"{bad} of {len(files)} board file{'s' * (len(files) > 1)} cannot be used; "
            "correct what is listed and run the check again"
        )


@boards.command("list")
@JSON
def list_(as_json: bool) -> None:
    """List the board files that can be given by name."""
    from wrench.boards import known_boards

    if as_json:
        paths = known_boards()
        click.echo(json.dumps([_as_json(str(path), _try_load(path)) for path in paths], indent=2))
        return
    rows = [("NAME", "TITLE", "SENSOR", "MOTOR")]
    rows += [_row(path, _try_load(path)) for path in known_boards()]
    click.echo("\n".join(aligned(rows, terminal_columns())))


@boards.command()
def keys() -> None:
    """Print the table of all keys that a board file may have, as Markdown."""
    from wrench.boards.reference import markdown

    click.echo(markdown())


def _where(board: fleet.Attached) -> str:
    ports = board.ports
    return ports.location or ports.link or ports.console or ports.title


def _attached_row(board: fleet.Attached) -> tuple[str, ...]:
    return (
        _where(board),
        board.state,
        board.board_name or "-",
        board.micropython or "-",
        {True: "yes", False: "no", None: "-"}[board.up_to_date],
    )


def _facts(board: fleet.Attached) -> dict[str, Any]:
    from wrench import readout

    def hexadecimal(number: int | None) -> str | None:
        return None if number is None else f"{number:08x}"

    return {
        **asdict(board.ports),
        "state": board.state,
        "board_name": board.board_name,
        "board_hash": hexadecimal(board.board_hash),
        "firmware_hash": hexadecimal(board.firmware_hash),
        "micropython": board.micropython,
        "up_to_date": board.up_to_date,
        "to_do": board.to_do,
        "greeting": None if board.greeting is None else readout.values(board.greeting),
    }


def _try_load(file: str | Path) -> Board | InvalidBoardError:
    from wrench.boards import InvalidBoardError, load_board

    try:
        return load_board(file)
    except InvalidBoardError as error:
        return error


def _row(path: Path, result: Board | InvalidBoardError) -> tuple[str, str, str, str]:
    from wrench.boards import InvalidBoardError

    if isinstance(result, InvalidBoardError):
        return path.stem, f"(has problems; see `wrench boards check {path.stem}`)", "", ""
    return result.name, result.title, result.vibration.driver, result.motor.kind


def _as_text(file: str, result: Board | InvalidBoardError) -> str:
    from wrench.boards import InvalidBoardError
    from wrench.boards.rp2040 import specific_function

    if isinstance(result, InvalidBoardError):
        return "\n".join(problem.at(result.file) for problem in result.problems)
    pins = [(f"GP{use.gpio}", use.key, specific_function(use)) for use in result.pins]
    width = max(len(key) for _, key, _ in pins)
    table = [f"  {gpio:<4}  {key:<{width}}  {function}" for gpio, key, function in pins]
    return "\n".join([f"{file}: OK, hash {result.hash:08x}, {len(pins)} pins", *table])


def _as_json(file: str, result: Board | InvalidBoardError) -> dict[str, Any]:
    from wrench.boards import InvalidBoardError
    from wrench.boards.rp2040 import specific_function

    if isinstance(result, InvalidBoardError):
        problems = [{"key": p.key, "line": p.line, "message": p.text} for p in result.problems]
        return {"file": file, "ok": False, "problems": problems}
    pins = [
        {"gpio": use.gpio, "key": use.key, "function": specific_function(use)}
        for use in result.pins
    ]
    return {
        "file": file,
        "ok": True,
        "name": result.name,
        "title": result.title,
        "hash": f"{result.hash:08x}",
        "pins": pins,
        "problems": [],
    }
