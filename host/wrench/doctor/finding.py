"""One thing that the doctor has looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How it stands. `UNKNOWN`: it could not be looked at."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it stands, what was seen, and what to do about it, which is empty
    where nothing has to be done."""

    about: str
    verdict: Verdict
    seen: str
    remedy: str = ""


def good(about: str, seen: str) -> Finding:
    """It is as it should be."""
    return Finding(about, Verdict.GOOD, seen)


def doubtful(about: str, seen: str, remedy: str) -> Finding:
    """It works, and may be the reason for trouble."""
    return Finding(about, Verdict.DOUBTFUL, seen, remedy)


def bad(about: str, seen: str, remedy: str) -> Finding:
    """It keeps the board from working."""
    return Finding(about, Verdict.BAD, seen, remedy)


def unknown(about: str, seen: str, remedy: str = "") -> Finding:
    """It could not be looked at here."""
    return Finding(about, Verdict.UNKNOWN, seen, remedy)
