"""`wrench log`: what the board remembers."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import click

from wrench.blackbox import Event
from wrench.board import Board
from wrench.chronicle import described
from wrench.cli.options import JSON, PORT, Duration
from wrench.cli.tables import aligned

_CLOCK = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?")


class Since(click.ParamType[dt.datetime]):
    """A time before now ("2h"), or a date ("2026-03-01", "2026-03-01 14:00") of this computer's
    time zone where it names none."""

    name = "when"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.datetime:
        """Fails where it is neither."""
        if isinstance(value, dt.datetime):
            return value
        text = str(value).strip()
        if _CLOCK.fullmatch(text):
            try:
                return dt.datetime.fromisoformat(text).astimezone()
            except ValueError:
                self.fail(f"{text!r} is no date; write it as 2026-03-01 or '2026-03-01 14:00'")
        ago_s = Duration().convert(text, param, ctx)
        return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=ago_s)


@click.command()
@click.option("--trips", "trips_only", is_flag=True, help="Only what stopped the motor for good.")
@click.option(
    "--since", type=Since(), metavar="WHEN", help="A duration ago, as 2h, or a date, as 2026-03-01."
)
@PORT
@JSON
def log(trips_only: bool, since: dt.datetime | None, port: str | None, as_json: bool) -> None:
    """Show the black box: the board's events, oldest first, with wall times where they are known.

    Where nobody told the board the time, an event has the number of its boot and the seconds since.
    """
    with Board(port) as board:
        events = board.log()
    shown = [event for event in events if _wanted(event, trips_only, since)]
    undated = sum(event.date is None for event in events) if since else 0
    if as_json:
        click.echo(json.dumps([_as_json(event) for event in shown], indent=2))
    elif shown:
        click.echo("\n".join(aligned([_HEAD, *(_row(event) for event in shown)])))
    else:
        click.echo("no such event")
    if undated:
        click.echo(f"{undated} events without a wall time are left out", err=True)


_HEAD = ["NUMBER", "WHEN", "BOOT", "SINCE BOOT", "EVENT"]


def _wanted(event: Event, trips_only: bool, since: dt.datetime | None) -> bool:
    if trips_only and event.name != "trip":
        return False
    return since is None or (event.date is not None and event.date >= since)


def _row(event: Event) -> list[str]:
    when = f"{event.date.astimezone():%Y-%m-%d %H:%M:%S}" if event.date else "-"
    text = described(event.name, event.detail, event.value)
    if event.count > 1 and event.name != "wall time":
        text += f"; {event.count} such within {event.span_us / 1e6:.0f} s"
    since_boot = f"{event.time_us / 1e6:.3f} s"
    return [str(event.sequence), when, str(event.boot), f"{since_boot:>13}", text]


def _as_json(event: Event) -> dict[str, Any]:
    return {
        "sequence": event.sequence,
        "date": event.date.isoformat() if event.date else None,
        "boot": event.boot,
        "time_us": event.time_us,
        "event": event.name,
        "detail": event.detail,
        "value": event.value,
        "count": event.count,
        "span_us": event.span_us,
        "text": described(event.name, event.detail, event.value),
    }
