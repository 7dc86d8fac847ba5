"""The `wrench` command. Each subcommand lives in the module of its name and stays thin."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from wrench import __version__
from wrench.errors import WrenchError

_COMMANDS = {
    "analyse": ("analyse", "Say what is wrong with a machine, by a recording."),
    "bench": ("bench", "Run an emulated board and the machine around it."),
    "boards": ("boards", "Show the boards that are attached; check and list board files."),
    "capture": ("recording", "Record so many seconds of the waveform."),
    "demo": ("demo", "Watch a bearing wear out, without hardware."),
    "doctor": ("doctor", "Find what is wrong with computer, cable and board."),
    "evaluate": ("evaluate", "Judge the diagnosis on recordings whose truth is known."),
    "export": ("recording", "Write a recording in a format that other programs read."),
    "flash": ("flash", "Install the firmware on a board, start it and verify it."),
    "hil": ("hil", "Test a board, emulated or real, and try to break it."),
    "image": ("image", "Get or build the MicroPython image."),
    "info": ("recording", "Tell what is in a recording."),
    "limits": ("limits", "Show and set how far the speed may go, and protective levels."),
    "log": ("log", "Show the black box: what the board remembers."),
    "maintenance": ("flash", "Stop operating and give the board's console to mpremote."),
    "monitor": ("monitor", "Watch a board until q or Ctrl-C."),
    "record": ("recording", "Record everything that a board sends, until Ctrl-C."),
    "recover": ("recording", "Make a recording whole again whose writing was cut short."),
    "report": ("report", "Make a report of a recording."),
    "reset": ("control", "Clear a trip whose cause has gone; the motor stays off."),
    "run": ("control", "Run the motor for as long as this command lives."),
    "settings": ("settings", "Show and change what the board keeps over a power cut."),
    "setup": ("setup", "Get ready what the virtual bench needs."),
    "status": ("control", "Tell who the board is and what it does now."),
    "stop": ("control", "Stop the motor, whoever has started it."),
    "time": ("time", "Tell the board this computer's time."),
    "triage": ("triage", "Choose the parts to buy first."),
    "view": ("report", "Look at a recording in a window."),
}
"""The module of each command in this package, where it has the command's name, and what the command
does: the list of all commands imports none of them."""


class Commands(click.Group):
    """Commands that are imported when they are asked for: a `wrench stop` must not wait for what
    draws and computes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them; None for a name that is none."""
        if cmd_name in _COMMANDS:
            return getattr(import_module(f"{__name__}.{_COMMANDS[cmd_name][0]}"), cmd_name)
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """All of them, each in a line."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in sorted(_COMMANDS.items())])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Their names, and the options before them."""
        named = [
            CompletionItem(name, help=told)
            for name, (_, told) in sorted(_COMMANDS.items())
            if name.startswith(incomplete)
        ]
        return named + click.Command.shell_complete(self, ctx, incomplete)

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
        from wrench.cli.tables import folded, terminal_columns  # noqa: PLC0415

        click.echo("\n".join(folded(f"wrench: {error}", terminal_columns(err=True))), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("wrench: interrupted", err=True)
        sys.exit(130)
