"""`wrench log`: what the board remembers."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import click

from wrench.blackbox import Event
from wrench.board import Board
from wrench.chronicle import told
from wrench.cli.options import JSON, PORT, seconds_of
from wrench.cli.tables import aligned, terminal_columns

_DAYS_AGO = {"today": 0, "yesterday": 1}


class Since(click.ParamType[dt.datetime]):
    """A time before now ("2h", "2h ago"), the beginning of a day ("today", "yesterday"), or an ISO
    date, a date with a time, or a time of today, in this computer's time zone where it names
    none."""

    name = "when"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.datetime:
        """Fails where it is none of these."""
        if isinstance(value, dt.datetime):
            return value
        text = str(value).strip()
        now = dt.datetime.now()
        try:
            # A number alone could be a year.
            ago_s = None if text.isdigit() else seconds_of(text.removesuffix("ago"))
            if ago_s is not None:
                return (now - dt.timedelta(seconds=ago_s)).astimezone()
            if text in _DAYS_AGO:
                day = now.date() - dt.timedelta(days=_DAYS_AGO[text])
                return dt.datetime.combine(day, dt.time()).astimezone()
            if ":" in text and "-" not in text:
                return dt.datetime.combine(now.date(), dt.time.fromisoformat(text)).astimezone()
            return dt.datetime.fromisoformat(text).astimezone()
        except (ValueError, OverflowError):
            self.fail(
                f"{text!r} is not a time; give how long ago (30min, 2h, 3d), today, yesterday, "
                "14:00, 2026-03-01 or '2026-03-01 14:00'"
            )


@click.command()
@click.option("--trips", "trips_only", is_flag=True, help="Only what stopped the motor for good.")
@click.option(
    "--since",
    type=Since(),
    metavar="WHEN",
    help="How long ago, as 30min, 2h or 3d; today or yesterday; or a time or date, as 14:00, "
    "2026-03-01 or '2026-03-01 14:00'.",
)
@PORT
@JSON
def log(trips_only: bool, since: dt.datetime | None, port: str | None, as_json: bool) -> None:
    """Show the black box: the board's events, oldest first, with wall times where they are known.

    Every event has the number of its boot and the seconds since; the time and the date need a
    host that told the board the time in that boot.
    """
    with Board(port) as board:
        events = board.log()
    texts = zip(events, told(events), strict=True)
    shown = [(event, text) for event, text in texts if _wanted(event, trips_only, since)]
    undated = sum(event.date is None for event in events) if since else 0
    if as_json:
        click.echo(json.dumps([_as_json(*one) for one in shown], indent=2))
    elif shown:
        click.echo("\n".join(aligned([_HEAD, *(_row(*one) for one in shown)], terminal_columns())))
    else:
        click.echo("no such event")
    if undated:
        click.echo(f"{undated} events without a wall time are left out", err=True)


_HEAD = ["WHEN", "BOOT", "SECONDS", "EVENT"]


def _wanted(event: Event, trips_only: bool, since: dt.datetime | None) -> bool:
    if trips_only and event.name != "trip":
        return False
    return since is None or (event.date is not None and event.date >= since)


def _row(event: Event, text: str) -> list[str]:
    when = f"{event.date.astimezone():%Y-%m-%d %H:%M:%S}" if event.date else "-"
    return [when, f"{event.boot:>4}", f"{event.time_us / 1e6:>9.3f}", text]


def _as_json(event: Event, text: str) -> dict[str, Any]:
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
        "text": text,
    }
