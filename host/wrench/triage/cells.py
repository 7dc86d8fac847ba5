"""What a cell says: numbers, percentages, rates, and the units beside them.

Every function raises ValueError with what is wrong and what to do.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

Mark = Literal[".", ","]

_NUMBER = re.compile(r"([+-]?)(\d+(?:[.,]\d+)*|[.,]\d+)(?:[eE]([+-]?\d+))?\s*(.*)", re.S)
_HOURS = {
    "h": 1.0,
    "hour": 1.0,
    "d": 24.0,
    "day": 24.0,
    "week": 168.0,
    "month": 730.5,
    "year": 8766.0,
    "a": 8766.0,
}
_RATE_UNIT = re.compile(r"(?:1?\s*/|per|_per_)\s*([a-z]+)")
_FIT = 1e-9
_WAYS = "write 0.12 or 12 %"


def number(text: str, mark: Mark | None) -> tuple[Decimal, str, Mark | None]:
    """A number, what stands behind it, and the decimal mark that it has, where it has one.

    `mark` is the decimal mark that the file has elsewhere; None where none was seen yet.
    """
    found = _NUMBER.fullmatch(text.replace("\N{MINUS SIGN}", "-"))
    if found is None:
        raise ValueError(f"{text!r} is no number; write one such as 120.5")
    sign, digits, exponent, unit = found.groups()
    marks = [character for character in digits if character in ".,"]
    if len(marks) > 1:
        raise ValueError(
            f"{text!r} has {len(marks)} marks; write it without any for thousands, as 1200.50"
        )
    own: Mark | None = None
    if marks:
        own = "." if marks[0] == "." else ","
        if mark is not None and own != mark:
            raise ValueError(
                f"{text!r} has a decimal {_called(own)}, and lines before it a decimal "
                f"{_called(mark)}; write one of them everywhere"
            )
    if exponent and len(exponent) > 3:
        raise ValueError(f"{text!r} is beyond all bounds; write a number between 1e-99 and 1e99")
    value = Decimal(f"{sign}{digits.replace(',', '.')}" + (f"e{exponent}" if exponent else ""))
    return value, unit.strip(), own


def probability(value: Decimal, unit: str, text: str) -> float:
    """0 to 1, of a number that is a part of 1 or has a percent sign."""
    if unit not in ("", "%"):
        raise ValueError(f"{text!r} is no probability; {_WAYS}")
    chance = float(value) / (100.0 if unit else 1.0)
    if chance < 0.0:
        raise ValueError(f"{text!r} is below 0; {_WAYS}")
    if chance > 1.0:
        raise ValueError(f"{text!r} is a probability above 1; {_WAYS}")
    return chance


def hours_of(unit: str) -> float:
    """The hours of a rate's unit: "1/h", "/year", "per day", or "FIT" (failures in 1e9 h)."""
    lowered = unit.strip().lower()
    if lowered == "fit":
        return 1.0 / _FIT
    found = _RATE_UNIT.fullmatch(lowered)
    name = found[1] if found else ""
    hours = _HOURS.get(name) or _HOURS.get(name.removesuffix("s"))
    if hours is None:
        raise ValueError(
            f"{unit!r} is no unit of a rate; write failures per hour, day, week, month or year, "
            "such as 0.3/year"
        )
    return hours


def name_and_unit(text: str) -> tuple[str, str]:
    """A column's name in lower case, and the unit behind it in brackets: "Cost [EUR]"."""
    found = re.fullmatch(r"\s*([^(\[]*?)\s*(?:[(\[]\s*([^)\]]*?)\s*[)\]])?\s*", text)
    name, unit = (text.strip(), "") if found is None else (found[1], found[2] or "")
    return re.sub(r"[\s-]+", "_", name.lower()), unit


def _called(mark: Mark) -> str:
    return "point" if mark == "." else "comma"
