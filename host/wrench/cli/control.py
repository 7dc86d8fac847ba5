"""`wrench run`, `stop`, `reset`, `status`: a board over its link."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import click

from wrench import operation, readout
from wrench.cli.options import JSON, PORT, Duration, Speed
from wrench.cli.signals import asked_to_end
from wrench.link import Frame, Link
from wrench.transport import BoardConnection


@click.command()
@click.option("--speed", "permille", type=Speed(), required=True, help="Of rated speed, as 60%.")
@click.option("--for", "duration_s", type=Duration(), help="As 30s or 2min; default: until Ctrl-C.")
@PORT
def run(permille: int, duration_s: float | None, port: str | None) -> None:
    """Run the motor for as long as this command lives; it stops when it ends, however it ends."""
    losses = readout.Losses()
    with asked_to_end() as ended, _link(port) as link:

        def show(now: Frame) -> None:
            click.echo(readout.line(now, losses.update(now, link.decoder)))

        operation.run(link, permille, duration_s=duration_s, ended=ended, show=show)
        click.echo("stopped")


@click.command()
@PORT
def stop(port: str | None) -> None:
    """Stop the motor."""
    with _link(port) as link:
        link.stop()
    click.echo("stopped")


@click.command()
@PORT
def reset(port: str | None) -> None:
    """Clear a trip whose cause has gone; the motor stays off."""
    with _link(port) as link:
        link.command("reset_trip")
        now = operation.status(link)
    click.echo("the trip is cleared; the motor is off")
    click.echo(readout.ceiling(now))


@click.command()
@PORT
@JSON
def status(port: str | None, as_json: bool) -> None:
    """Tell who the board is and what it does now."""
    with _link(port) as link:
        greeting, now = link.hello(), operation.status(link)
    state = {"board": readout.values(greeting), "status": readout.values(now)}
    if as_json:
        click.echo(json.dumps(state, indent=2))
        return
    click.echo(readout.identity(greeting))
    click.echo(readout.line(now, readout.Losses()))
    for line in readout.explained(now):
        click.echo(line)


@contextmanager
def _link(port: str | None) -> Iterator[Link]:
    opened = BoardConnection(port).open_link()
    try:
        link = Link(opened)
        link.hello()
        yield link
    finally:
        opened.close()
