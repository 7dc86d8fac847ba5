"""A board watched without a screen: lines for people and logs, objects for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from wrench import readout
from wrench.link import Frame
from wrench.monitor.happenings import happening
from wrench.monitor.session import (
    Answer,
    Batch,
    Connected,
    Item,
    LinkReport,
    Session,
    Told,
    Waiting,
)

_WAIT_S = 0.2
_SECOND_US = 1_000_000
Say = Callable[[str], None]
Reading = Callable[[Frame, readout.Losses], str]


class _Thinned:
    """Lets a status through at most once in `every_s` seconds of device time."""

    def __init__(self, every_s: float) -> None:
        self._every_us = every_s * _SECOND_US
        self._due_us = 0.0
        self._last_us = 0

    def passes(self, status: Frame) -> bool:
        if status.time_us < self._last_us:  # another boot
            self._due_us = 0.0
        self._last_us = status.time_us
        if status.time_us < self._due_us:
            return False
        self._due_us = status.time_us + self._every_us
        return True


def print_lines(
    session: Session,
    say: Say,
    *,
    every_s: float = 1.0,
    ended: Callable[[], bool],
    reading: Reading = readout.line,
) -> None:
    """A `reading` for a status at most every `every_s` seconds of device time, and a line for each
    event and change of the link, until `ended` says so."""
    statuses = _Thinned(every_s)
    _each(session, ended, lambda item, report: _line(item, report, statuses, say, reading))


def print_objects(
    session: Session, say: Say, *, every_s: float = 0.0, ended: Callable[[], bool]
) -> None:
    """A JSON object a line, for each status (at most one in `every_s` seconds of device time),
    window of features, event and change of the link, until `ended` says so.

    `type` says which. Quantities are as on the wire, their units in their names.
    """
    statuses = _Thinned(every_s)

    def show(item: Item, report: LinkReport) -> None:
        found = _object(item, report, statuses)
        if found is not None:
            say(json.dumps(found))

    _each(session, ended, show)


def _each(
    session: Session, ended: Callable[[], bool], show: Callable[[Item, LinkReport], None]
) -> None:
    while not ended():
        batch: Batch = session.wait(_WAIT_S)
        for item in batch.items:
            show(item, batch.report)


def _line(item: Item, report: LinkReport, statuses: _Thinned, say: Say, reading: Reading) -> None:
    if isinstance(item, Frame):
        if item.name == "status" and statuses.passes(item):
            say(reading(item, report.losses))
        elif item.name == "event":
            told = happening(item["code"], item["detail"], item["value"])
            say(f"{item.time_us / _SECOND_US:8.1f} s  {told.text}")
    elif isinstance(item, Connected):
        if item.again:
            say(f"{'':8}    the board is there again")
    elif isinstance(item, Waiting):
        say(f"{'':8}    waiting for the board: {item.reason}")
    elif isinstance(item, Told):
        say(f"{'':8}    {item.text}")


def _object(item: Item, report: LinkReport, statuses: _Thinned) -> dict[str, Any] | None:
    if isinstance(item, Connected):
        found: dict[str, Any] = {"type": "connected", "board": readout.values(item.greeting)}
    elif isinstance(item, Waiting):
        found = {"type": "waiting", "reason": item.reason}
    elif isinstance(item, Told):
        found = {"type": "told", "text": item.text}
    elif isinstance(item, Answer):
        return None
    elif item.name == "status" and statuses.passes(item):
        found = {"type": "status"} | readout.values(item)
    elif item.name == "features":
        found = {"type": "features"} | readout.values(item)
    elif item.name == "event":
        told = happening(item["code"], item["detail"], item["value"])
        found = {"type": "event", "text": told.text} | readout.values(item)
    else:
        return None
    losses = report.losses
    return found | {
        "losses": {
            "missing_frames": losses.missing,
            "bad_frames": losses.broken,
            "dropped_frames": losses.frames,
            "lost_samples": losses.samples,
            "skipped_frames": report.skipped,
        }
    }
