"""`wrench band`: the band of the envelope, and what the bearing draws in it."""

from __future__ import annotations

import json

import click

from wrench import bands, readout
from wrench.board import Board
from wrench.cli.options import JSON, PORT

_AXES = ("x", "y", "z")
_MOST_HZ = 65_535


@click.command()
@click.argument("low_hz", type=click.IntRange(1, _MOST_HZ), required=False)
@click.argument("high_hz", type=click.IntRange(1, _MOST_HZ), required=False)
@click.option(
    "--axis", type=click.Choice(_AXES), default="y", show_default=True, help="Of this axis."
)
@click.option(
    "--board", "of_board", is_flag=True, help="Look in the board file's band alone again."
)
@PORT
@JSON
def band(
    *,
    low_hz: int | None,
    high_hz: int | None,
    axis: str,
    of_board: bool,
    port: str | None,
    as_json: bool,
) -> None:
    """Show the envelope's band and the bearing's lines in it; with LOW_HZ and HIGH_HZ, have the
    board look there as well, until its next reset.

    For boards with a wideband sensor. Protections watch the board file's band, whatever is chosen.
    """
    if low_hz is not None and of_board:
        raise click.UsageError("give either a band or --board")
    if low_hz is not None and (high_hz is None or high_hz <= low_hz):
        raise click.UsageError(
            "give both ends of the band in Hz, the lower first: `wrench band 2000 5000`"
        )
    with Board(port) as board:
        if of_board:
            board.choose_band(0, 0)
        elif low_hz is not None and high_hz is not None:
            board.choose_band(low_hz, high_hz, axis)
        told = board.bands(by_host=low_hz is not None)
    click.echo(json.dumps(readout.values(told)) if as_json else bands.line(told))
