"""`wrench time`: the board's idea of the wall time."""

from __future__ import annotations

import datetime as dt

import click

from wrench.board import Board
from wrench.cli.options import PORT


@click.command()
@PORT
def time(port: str | None) -> None:
    """Tell the board this computer's time, by which its events are dated.

    Every command does so where the board does not know it; this one does it again, after this
    computer's clock has been set right.
    """
    with Board(port) as board:
        now = dt.datetime.now(dt.UTC)
        board.set_time(now)
    click.echo(f"it is {now.astimezone():%Y-%m-%d %H:%M:%S} at the board")
