"""What must be true once everything has been mended: the board answers, remembers, and runs."""

from __future__ import annotations

from wrench.blackbox import Event
from wrench.errors import LinkError, PortError, RefusedError
from wrench.hil.invariants import Violation
from wrench.hil.mending import mend, reset, take_back_levels
from wrench.hil.trial import Trial
from wrench.link import Link
from wrench_firmware import wire

_ANSWERS_S = 8.0
_RESETS_S = 20.0
_STARTS_S = 15.0
_KEPT_AFTER_S = {"stock": 10.0, "wrench": 0.1}
"""How long after a trip the black box of each image has it, whatever happens then."""


def audit(trial: Trial) -> None:
    """Mend everything and hold the board to its word. Raises Violation."""
    mend(trial)
    link = _answering(trial)
    try:
        _keeps_settings(trial, link)
        _recovers(trial, link)
        _remembers(trial, link)
        _runs(trial, link)
    except (LinkError, PortError) as error:
        raise Violation("answers", trial.now_s, str(error)) from error


def _answering(trial: Trial) -> Link:
    until_s = trial.now_s + _ANSWERS_S
    while trial.now_s < until_s:
        trial.pass_time(0.1)
        link = trial.link()
        if link is not None:
            try:
                link.hello()
                link.status()
            except (LinkError, PortError):
                trial.lose_link()
                continue
            return link
    raise Violation("answers", trial.now_s, f"no greeting within {_ANSWERS_S:g} s")


def _recovers(trial: Trial, link: Link) -> None:
    """Stopped, and reset where it has tripped."""
    link.stop()
    trial.known.owned = False
    until_s = trial.now_s + _RESETS_S
    mode = reason = ""
    while trial.now_s < until_s:
        trial.pass_time(0.2)
        mode = link.status()["mode"]
        if mode == "idle":
            return
        if mode == "tripped":
            take_back_levels(trial)
            reason = reset(trial)
    raise Violation("recovers", trial.now_s, f"{mode}, and a reset is refused: {reason}")


def _remembers(trial: Trial, link: Link) -> None:
    """The black box can be read, is in order, and has every trip that it had time to keep."""
    if trial.trips:
        trial.pass_time(max(0.0, trial.trips[-1].time_s + _KEPT_AFTER_S[trial.image] - trial.now_s))
    events = list(link.log())
    numbers = [event.sequence for event in events]
    if numbers != sorted(set(numbers)):
        raise Violation("log", trial.now_s, f"its events are numbered {numbers}")
    for trip in trial.trips:
        kept_s = trip.time_s + _KEPT_AFTER_S[trial.image]
        lost = any(trip.time_s - 1.0 < cut_s < kept_s for cut_s in trial.ended_s)
        if not lost and not _has(events, trip.boot, trip.fault):
            raise Violation(
                "log", trial.now_s, f"the trip {trip.fault!r} at {trip.time_s:.3f} s is not in it"
            )


def _has(events: list[Event], boot: int, fault: str) -> bool:
    number = wire.FAULTS.index(fault)
    return any(
        event.name == "trip" and event.detail == number and event.boot == boot & 0xFFFF
        for event in events
    )


def _keeps_settings(trial: Trial, link: Link) -> None:
    """Every setting can be read, is within its range, and is one that somebody has set."""
    for setting in link.settings():
        if not setting["least"] <= setting["value"] <= setting["most"]:
            raise Violation("settings", trial.now_s, f"{setting.values} is out of range")
    ceiling = link.setting(0)["value"]
    if ceiling not in trial.may_have_ceilings:
        raise Violation("settings", trial.now_s, f"nobody has set the ceiling to {ceiling}")


def _runs(trial: Trial, link: Link) -> None:
    """With the levels of the board file it runs again."""
    link.command("factory_reset")
    until_s = trial.now_s + _STARTS_S
    reason = ""
    while trial.now_s < until_s:
        trial.pass_time(0.3)
        try:
            link.run(300)
        except RefusedError as refusal:
            reason = refusal.reason
            if link.status()["mode"] == "tripped":
                reset(trial)
            continue
        trial.known.owned = True
        trial.pass_time(0.8)
        if trial.rig.duty_at_pin > 0.0:
            link.stop()
            return
    raise Violation("runs", trial.now_s, f"a run is refused: {reason}")
