"""How long work tells what it is doing: plain values handed to a callable, no printing here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One report. `phase` groups reports into one line of a display."""

    phase: str
    text: str
    fraction: float | None = None
    """0.0 to 1.0 where it is known."""
    done: bool = False
    """The last report of its phase."""


Progress = Callable[[Step], None]


def silent(step: Step) -> None:
    """The progress that nobody watches."""
