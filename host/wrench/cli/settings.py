"""`wrench settings`: what the board keeps over a power cut."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from wrench.board import Board
from wrench.board_settings import Setting, number_of
from wrench.cli import completion
from wrench.cli.options import JSON, PORT
from wrench.cli.tables import aligned, terminal_columns
from wrench.levels import Protection


class SettingName(click.ParamType[str]):
    """The name of a setting."""

    name = "setting"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Fails where there is none of that name."""
        try:
            number_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)


@click.group()
def settings() -> None:
    """Show and change what the board keeps over a power cut."""


@settings.command()
@click.argument("name", type=SettingName(), required=False, shell_complete=completion.settings)
@PORT
@JSON
def get(name: str | None, port: str | None, as_json: bool) -> None:
    """Show all settings, or one."""
    with Board(port) as board:
        found = board.settings() if name is None else [board.setting(name)]
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found], indent=2))
    else:
        click.echo("\n".join(aligned([_HEAD, *(_row(one) for one in found)], terminal_columns())))


@settings.command("set")
@click.argument("name", type=SettingName(), shell_complete=completion.settings)
@click.argument("value", type=int)
@PORT
def set_(name: str, value: int, port: str | None) -> None:
    """Change a setting, as `wrench settings set ceiling_permille 550`; most are the board's own."""
    with Board(port) as board:
        board.set_setting(name, value)
        now = board.setting(name)
    click.echo("\n".join(aligned([_HEAD, _row(now)], terminal_columns())))


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
@click.option("--yes", is_flag=True, help="Do not ask first.")
@PORT
def factory(yes: bool, port: str | None) -> None:
    """Set every setting and level as the board file has it; the motor must be off.

    The counts of boots, bearings and running time stay; probation begins anew.
    """
    if not yes and not _agreed():
        click.echo("nothing was changed")
        return
    with Board(port) as board:
        board.factory_reset()
    click.echo("every setting and level is as the board file has it")


def _agreed() -> bool:
    try:
        return click.confirm("Forget every setting and level that was changed?", err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo(err=True)
        raise click.UsageError("nobody is there to be asked; say --yes") from None


_HEAD = ["SETTING", "VALUE", "FACTORY", "RANGE", "MEANING"]


def _row(one: Setting) -> list[str]:
    return [one.name, str(one.value), str(one.factory), f"{one.least} to {one.most}", one.kind.unit]


def _levels(one: Protection) -> list[str]:
    return [
        f"{one.name} {level}: {one.unit.shown(one.level(level))}, board file "
        f"{one.unit.shown(one.board_level(level))}"
        for level in one.changed
    ]
