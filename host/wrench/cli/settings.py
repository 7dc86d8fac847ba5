"""`wrench settings`: what the board keeps over a power cut."""

from __future__ import annotations

import json

import click
from click.shell_completion import CompletionItem

from wrench.board import Board
from wrench.board_settings import Setting, kinds
from wrench.cli.options import JSON, PORT
from wrench.cli.tables import aligned
from wrench.levels import Protection


def _names(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    return [CompletionItem(kind.name) for kind in kinds() if kind.name.startswith(typed)]


@click.group()
def settings() -> None:
    """Show and change what the board keeps over a power cut."""


@settings.command()
@click.argument("name", required=False, shell_complete=_names)
@PORT
@JSON
def get(name: str | None, port: str | None, as_json: bool) -> None:
    """Show all settings, or one."""
    with Board(port) as board:
        try:
            found = board.settings() if name is None else [board.setting(name)]
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found], indent=2))
    else:
        click.echo("\n".join(aligned([_HEAD, *(_row(one) for one in found)])))


@settings.command("set")
@click.argument("name", shell_complete=_names)
@click.argument("value")
@PORT
def set_(name: str, value: str, port: str | None) -> None:
    """Change a setting, as `wrench settings set ceiling_permille 550`; most are the board's own."""
    with Board(port) as board:
        try:
            board.set_setting(name, _number(value))
            now = board.setting(name)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    click.echo("\n".join(aligned([_HEAD, _row(now)])))


@settings.command()
@PORT
@JSON
def diff(port: str | None, as_json: bool) -> None:
    """Show settings and levels that are not those of the board file."""
    with Board(port) as board:
        changed = [one for one in board.settings() if one.changed]
        levels = [one for one in board.protections() if one.changed]
    if as_json:
        told = {
            "settings": [one.as_json() for one in changed],
            "levels": [one.as_json() for one in levels],
        }
        click.echo(json.dumps(told, indent=2))
        return
    lines = [
        f"{one.name}: {one.kind.readable.shown(one.value)}, factory "
        f"{one.kind.readable.shown(one.factory)}"
        for one in changed
    ]
    lines += [line for one in levels for line in _levels(one)]
    click.echo("\n".join(lines) if lines else "all is as the board file has it")


@settings.command()
@click.confirmation_option(prompt="Forget every setting and level that was changed?")
@PORT
def factory(port: str | None) -> None:
    """Set every setting and level as the board file has it; the motor must be off.

    The counts of boots, bearings and running time stay; probation begins anew.
    """
    with Board(port) as board:
        board.factory_reset()
    click.echo("every setting and level is as the board file has it")


_HEAD = ["SETTING", "VALUE", "FACTORY", "RANGE", "MEANING"]


def _row(one: Setting) -> list[str]:
    return [one.name, str(one.value), str(one.factory), f"{one.least} to {one.most}", one.kind.unit]


def _levels(one: Protection) -> list[str]:
    return [
        f"{one.name} {level}: {one.unit.shown(one.level(level))}, board file "
        f"{one.unit.shown(one.board_level(level))}"
        for level in one.changed
    ]


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is no whole number") from None
