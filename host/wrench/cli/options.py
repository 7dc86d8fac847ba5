"""Options that several commands share, and how speeds and durations are written."""

from __future__ import annotations

import re
from typing import Any

import click

PORT = click.option(
    "--port",
    metavar="PORT",
    help="A board: device name or pattern, USB serial number or location, or a URL such as "
    "socket://HOST:PORT; default: the only board.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

_UNITS_S = {"": 1.0, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


class Speed(click.ParamType[int]):
    """A speed as a percentage of rated speed, "60%"; converts to 1/1000 of it."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Fails where it is not between 0.1 and 100 %."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:[.,]\d+)?)\s*%?", str(value).strip())
        permille = round(float(match[1].replace(",", ".")) * 10) if match else 0
        if not 1 <= permille <= 1000:
            self.fail(f"{value!r} is no speed; give a percentage of rated speed, such as 60%")
        return permille


class Duration(click.ParamType[float]):
    """A duration such as "500ms", "30s", "2min" or "1h"; converts to seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Fails where it is not above 0."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:[.,]\d+)?)\s*(ms|s|min|h|)", str(value).strip())
        seconds = float(match[1].replace(",", ".")) * _UNITS_S[match[2]] if match else 0.0
        if not seconds > 0.0:
            self.fail(f"{value!r} is no duration; give one such as 30s, 2min or 1h")
        return seconds


class Moment(Duration):
    """A time since the recording began, "0", "12.5", "90s" or "2min"; converts to seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Fails where it is no time, or below 0."""
        if re.fullmatch(r"0+([.,]0*)?\s*(ms|s|min|h|)", str(value).strip()):
            return 0.0
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is no time in a recording; give one such as 12.5, 90s or 2min")


def refuse_backwards(start_s: float | None, end_s: float | None, end: str) -> None:
    """Raises UsageError where the option `end`, such as "--to", is not after --from."""
    if start_s is not None and end_s is not None and end_s <= start_s:
        raise click.UsageError(
            f"{end} {end_s:g} s is not after --from {start_s:g} s; choose a later time"
        )
