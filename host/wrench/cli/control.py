"""`wrench run`, `stop`, `reset`, `status`: a board over its link."""

from __future__ import annotations

import json
from pathlib import Path

import click

from wrench import operation, readout
from wrench.board import Board
from wrench.cli.options import JSON, PORT, Duration, Speed
from wrench.cli.reading import narrow, reading
from wrench.cli.signals import asked_to_end
from wrench.cli.tables import folded, terminal_columns
from wrench.errors import RefusedError
from wrench.link import Frame


@click.command()
@click.option("--speed", "permille", type=Speed(), required=True, help="Of rated speed, as 60%.")
@click.option("--for", "duration_s", type=Duration(), help="As 30s or 2min; default: until Ctrl-C.")
@click.option(
    "--until-file",
    "until_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Stop when this file is there.",
)
@click.option("--take-over", is_flag=True, help="Also where another command's run goes on.")
@PORT
@JSON
def run(
    *,
    permille: int,
    duration_s: float | None,
    until_file: Path | None,
    take_over: bool,
    port: str | None,
    as_json: bool,
) -> None:
    """Run the motor for as long as this command lives; it stops when it ends, however it ends."""
    if until_file is not None and until_file.exists():
        raise click.BadParameter(
            f"{until_file} is there already; remove it first", param_hint="--until-file"
        )
    with asked_to_end() as asked, Board(port) as board:

        def ended() -> bool:
            return asked() or (until_file is not None and until_file.exists())

        def show(now: Frame) -> None:
            told = json.dumps(readout.values(now)) if as_json else reading(now, board.losses)
            click.echo(told)

        now = board.status()
        if operation.turns(now) and not take_over:
            raise RefusedError(
                f"the motor turns already, at {now['speed_command_permille'] / 10:g} %, in a run "
                "that another would end; stop it first with `wrench stop`, or give --take-over",
                "motor is turning",
            )
        board.run(permille)
        board.attend(duration_s, ended, show)
        board.stop()
    if not as_json:
        click.echo("stopped")


@click.command()
@PORT
def stop(port: str | None) -> None:
    """Stop the motor, whoever has started it."""
    with Board(port, greet=False) as board:
        board.stop()
    click.echo("stopped")


@click.command()
@PORT
@JSON
def reset(port: str | None, as_json: bool) -> None:
    """Clear a trip whose cause has gone; the motor stays off."""
    with Board(port) as board:
        board.reset()
        now = board.status()
    if as_json:
        click.echo(json.dumps(readout.values(now)))
        return
    _say(["the trip is cleared; the motor is off", readout.ceiling(now)])


@click.command()
@PORT
@JSON
def status(port: str | None, as_json: bool) -> None:
    """Tell who the board is and what it does now."""
    with Board(port) as board:
        greeting, now = board.greeting, board.status()
    state = {"board": readout.values(greeting), "status": readout.values(now)}
    if as_json:
        click.echo(json.dumps(state, indent=2))
        return
    if narrow():
        told = [readout.short_line(now), f"supply: {readout.supply(now).strip()}"]
    else:
        told = [readout.line(now, readout.Losses())]
    _say([readout.identity(greeting), *told, *readout.explained(now)])


def _say(lines: list[str]) -> None:
    for line in lines:
        click.echo("\n".join(folded(line, terminal_columns())))
