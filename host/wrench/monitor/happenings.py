"""Events of the board in words and colours."""

from __future__ import annotations

from typing import NamedTuple

from wrench.chronicle import described, limit_named
from wrench.monitor import styles

# A limit that lasts while nothing is wrong; any other protects something.
ORDINARY_LIMITS = ("none", "operator", "derate cap", "probation", "ramp", "critical speed")

_STYLES = {
    "run": styles.GOOD,
    "stop": styles.GOOD,
    "trip": styles.BAD,
    "alarm over": styles.GOOD,
    "samples lost": styles.BAD,
    "events lost": styles.BAD,
    "exception": styles.BAD,
    "maintenance": styles.PLAIN,
    "wall time": styles.PLAIN,
}
"""By event; another one is to be watched."""


class Happening(NamedTuple):
    """Something that has happened, in a few words, and how it is coloured."""

    text: str
    style: str


def happening(code: str, detail: int, value: int | None) -> Happening:
    """An event by its name in `wire.EVENTS` (or another name, which is told as it is)."""
    return Happening(described(code, detail, value), _style(code, detail))


def _style(code: str, detail: int) -> str:
    if code == "limit":
        return styles.GOOD if limit_named(detail) in ORDINARY_LIMITS else styles.LIMITED
    if code == "self-test":
        return styles.BAD if detail else styles.GOOD
    if code == "settings" and detail:
        return styles.BAD
    if code == "boot" and not detail:
        return styles.PLAIN
    return _STYLES.get(code, styles.WATCH)
