"""The `wrench` command. Each subcommand lives in the module of its name and stays thin."""

from __future__ import annotations

import sys

import click

from wrench import __version__
from wrench.cli import control, recording
from wrench.cli.bench import bench
from wrench.cli.boards import boards
from wrench.cli.demo import demo
from wrench.cli.flash import flash, maintenance
from wrench.cli.image import image
from wrench.cli.report import report, view
from wrench.cli.setup import setup
from wrench.errors import WrenchError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wrench")
def wrench() -> None:
    """Run a machine with an improvised bearing: slower, watched, and stopped in time."""


wrench.add_command(boards)
wrench.add_command(demo)
wrench.add_command(image)
wrench.add_command(bench)
wrench.add_command(flash)
wrench.add_command(maintenance)
for command in (control.run, control.stop, control.reset, control.status, control.monitor):
    wrench.add_command(command)
for command in (
    recording.record,
    recording.capture,
    recording.info,
    recording.export,
    recording.recover,
):
    wrench.add_command(command)
wrench.add_command(report)
wrench.add_command(view)
wrench.add_command(setup)


def main() -> None:
    """Entry point: one clear sentence and an exit code for every error a user can act on."""
    try:
        wrench(standalone_mode=False)
    except WrenchError as error:
        click.echo(f"wrench: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("wrench: interrupted", err=True)
        sys.exit(130)
