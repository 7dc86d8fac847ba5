"""The `wrench` command. Each subcommand lives in the module of its name and stays thin."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

import click

from wrench import __version__
from wrench.errors import WrenchError

_MODULES = {
    "bench": "bench",
    "boards": "boards",
    "capture": "recording",
    "demo": "demo",
    "doctor": "doctor",
    "export": "recording",
    "flash": "flash",
    "image": "image",
    "info": "recording",
    "limits": "limits",
    "log": "log",
    "maintenance": "flash",
    "monitor": "monitor",
    "record": "recording",
    "recover": "recording",
    "report": "report",
    "reset": "control",
    "run": "control",
    "settings": "settings",
    "setup": "setup",
    "status": "control",
    "stop": "control",
    "time": "time",
    "view": "report",
}
"""The module of each command in this package, where it has the command's name."""


class Commands(click.Group):
    """Commands that are imported when they are asked for: a `wrench stop` must not wait for what
    draws and computes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them."""
        return sorted({*_MODULES, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them; None for a name that is none."""
        if cmd_name in _MODULES:
            return getattr(import_module(f"{__name__}.{_MODULES[cmd_name]}"), cmd_name)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is asked for, imported; says so to who wants to know."""
        found = super().resolve_command(ctx, args)
        if ctx.obj is not None:
            ctx.obj()
        return found


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wrench")
def wrench() -> None:
    """Run a machine with an improvised bearing: slower, watched, and stopped in time."""


def main(begins: Callable[[], None] | None = None) -> None:
    """One clear sentence and an exit code for every error a user can act on. `begins` is called
    when a command has been imported, before it does anything."""
    try:
        wrench(standalone_mode=False, obj=begins)
    except WrenchError as error:
        click.echo(f"wrench: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("wrench: interrupted", err=True)
        sys.exit(130)
