"""`wrench limits`: how far the speed may go, and the levels of every protection."""

from __future__ import annotations

import json

import click

from wrench.board import Board
from wrench.cli import completion
from wrench.cli.options import JSON, PORT, Speed
from wrench.cli.tables import aligned
from wrench.levels import CEILING, WATCHED, Protection, protection_named
from wrench.link import Frame
from wrench.units import Unit, unit_of
from wrench_firmware import wire


@click.group(invoke_without_command=True)
@PORT
@JSON
@click.pass_context
def limits(ctx: click.Context, port: str | None, as_json: bool) -> None:
    """Show every protection: what is measured now, and the levels that tell (alarm), slow down
    (limit) and stop (trip)."""
    ctx.obj = port
    if ctx.invoked_subcommand is not None:
        return
    with Board(port) as board:
        now, found = board.status(), board.protections()
    if as_json:
        click.echo(json.dumps(_as_json(now, found), indent=2))
        return
    click.echo(_speeds(now))
    click.echo("\n".join(aligned([_HEAD, *(_row(one) for one in found)])))
    changed = [line for one in found for line in _changes(one)]
    click.echo("\n".join(changed) if changed else "all levels are the board file's")


@limits.command("set")
@click.argument("protection", shell_complete=completion.protections)
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="[LEVEL] VALUE",
    shell_complete=completion.levels,
)
@PORT
@click.pass_obj
def set_(outer: str | None, protection: str, words: tuple[str, ...], port: str | None) -> None:
    """Set a level, as `wrench limits set over-current trip 3.5A`, or how far the speed may go, as
    `wrench limits set speed 55%`.

    What protects more than the board file is taken at once. What protects less needs its button,
    held while power comes.
    """
    if protection == CEILING:
        permille = Speed().convert(" ".join(words), None, None)
        with Board(port or outer) as board:
            board.set_ceiling(permille)
            click.echo(_speeds(board.status()))
        return
    try:
        protection = protection_named(protection)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="PROTECTION") from error
    level, *value = words
    if level not in wire.LEVELS or not value:
        raise click.UsageError(
            f"give a level ({', '.join(wire.LEVELS)}) and a value, such as `{protection} trip 3.5A`"
        )
    try:
        unit = unit_of(WATCHED[protection]) if protection in WATCHED else Unit("")
        wanted = unit.read(" ".join(value))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="VALUE") from error
    with Board(port or outer) as board:
        board.set_level(protection, level, wanted)
        now = board.protection(protection)
    click.echo("\n".join(aligned([_HEAD, _row(now)])))


_HEAD = ["PROTECTION", "NOW", "ALARM", "LIMIT", "TRIP", "DELAY"]


def _row(one: Protection) -> list[str]:
    levels = [one.unit.shown(one.level(name)) for name in wire.LEVELS]
    return [one.name, one.unit.shown(one.value), *levels, _delay(one)]


def _delay(one: Protection) -> str:
    if one.trip is None:
        return "-"
    return f"{one.delay_ms} ms" if one.delay_ms else "at once"


def _changes(one: Protection) -> list[str]:
    return [
        f"{one.name}: {level} is {one.unit.shown(one.level(level))}, in the board file "
        f"{one.unit.shown(one.board_level(level))}"
        for level in one.changed
    ]


def _speeds(now: Frame) -> str:
    cap, ceiling = now["derate_cap_permille"], now["ceiling_permille"]
    below = "the derate cap" if ceiling == cap else f"below the derate cap of {cap / 10:g} %"
    return f"speed up to {ceiling / 10:g} % of rated speed, {below}"


def _as_json(now: Frame, found: list[Protection]) -> dict[str, object]:
    return {
        "ceiling_permille": now["ceiling_permille"],
        "derate_cap_permille": now["derate_cap_permille"],
        "protections": [one.as_json() for one in found],
    }
