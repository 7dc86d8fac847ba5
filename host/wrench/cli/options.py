"""Options that several commands share, and how speeds and durations are written."""

from __future__ import annotations

import re
from typing import Any

import click

from wrench.cli import completion

PORT = click.option(
    "--port",
    metavar="PORT",
    shell_complete=completion.ports,
    help="A board: device name or pattern, USB serial number or location, or a URL such as "
    "socket://HOST:PORT; default: the only board.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

_UNITS_S = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_AMOUNT = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-z]*)")


class Speed(click.ParamType[int]):
    """A speed as a percentage of rated speed, "60%"; converts to 1/1000 of it."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Fails where it is not between 0.1 and 100 %."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([+-]?\d+(?:[.,]\d+)?)\s*%?", str(value).strip())
        if not match:
            self.fail(f"{value!r} is not a speed; give a percentage of rated speed, such as 60%")
        permille = round(float(match[1].replace(",", ".")) * 10)
        if not 1 <= permille <= 1000:
            self.fail(f"{value!r} is out of range; give 0.1% to 100% of rated speed")
        return permille


class Duration(click.ParamType[float]):
    """A duration such as "500ms", "30s", "2min", "1h" or "3d"; a bare number is seconds. Converts
    to seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Fails where it is not above 0."""
        if isinstance(value, float):
            return value
        seconds = seconds_of(str(value))
        if seconds is None:
            self.fail(f"{value!r} is not a time; give a number and ms, s, min, h or d, such as 30s")
        if not seconds > 0.0:
            self.fail(f"{value!r} is no time at all; give more than 0, such as 30s")
        return seconds


def seconds_of(text: str) -> float | None:
    """The seconds of a duration such as "30s"; None for another text."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or (match[2] or "s") not in _UNITS_S:
        return None
    return float(match[1].replace(",", ".")) * _UNITS_S[match[2] or "s"]


class Moment(Duration):
    """A time since the recording began, "0", "12.5", "90s" or "2min"; converts to seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Fails where it is no time, or below 0."""
        seconds = value if isinstance(value, float) else seconds_of(str(value))
        if seconds is None:
            self.fail(f"{value!r} is no time in a recording; give one such as 12.5, 90s or 2min")
        return seconds


def refuse_backwards(start_s: float | None, end_s: float | None, end: str) -> None:
    """Raises UsageError where the option `end`, such as "--to", is not after --from."""
    if start_s is not None and end_s is not None and end_s <= start_s:
        raise click.UsageError(
            f"{end} {end_s:g} s is not after --from {start_s:g} s; choose a later time"
        )
