"""What stood already when that which is shown began: mode, limit, trip, alarms, and since when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wrench.analysis.measurement import Measurement, State
from wrench.chronicle import fault_named, limit_named

_TOLD_WITHIN_S = 1.0
"""An event comes with the status that shows it, or before."""


@dataclass(frozen=True)
class Standing:
    """What the board was in at `time_s`: the time asked for, or the first that is known.

    A `limit` held the speed, a `trip` the motor; both are empty where none did. `since_s` has when
    each of them and of the `alarms` began, None where that was before the recording.
    """

    time_s: float
    mode: str
    limit: str
    trip: str
    alarms: tuple[str, ...]
    since_s: dict[str, float | None]


def standing_at(measurement: Measurement, time_s: float) -> Standing | None:
    """What stood at a time; None where no board has told."""
    state = measurement.state_at(time_s)
    if state is None:
        return None
    trip = state.fault if state.mode == "tripped" else ""
    limit = state.limit if state.limit != "none" and not trip else ""
    since_s: dict[str, float | None] = {}
    for name in state.alarms:
        since_s[f"alarm {name}"] = _since(
            measurement, state, "alarm", name, lambda it, name=name: name in it.alarms
        )
    if limit:
        since_s[f"limit {limit}"] = _since(
            measurement, state, "limit", limit, lambda it: it.limit == limit
        )
    if trip:
        since_s[f"trip {trip}"] = _since(
            measurement, state, "trip", trip, lambda it: it.mode == "tripped" and it.fault == trip
        )
    at_s = max(time_s, state.time_s)
    return Standing(at_s, state.mode, limit, trip, state.alarms, since_s)


def standing_text(found: Standing) -> str:
    """The same in sentences."""

    def since(kind: str, name: str) -> str:
        at_s = found.since_s[f"{kind} {name}"]
        return "since before the recording" if at_s is None else f"since {at_s:.3f} s"

    text = f"Where this begins, at {found.time_s:.3f} s, the board is in mode “{found.mode}”"
    if found.trip:
        text += f", tripped by {found.trip} {since('trip', found.trip)}"
    elif found.limit:
        text += f", its speed held by {found.limit} {since('limit', found.limit)}"
    if not found.alarms:
        return f"{text}; no alarm stands."
    alarms = ", ".join(f"{name} {since('alarm', name)}" for name in found.alarms)
    return f"{text}. Alarms that stand already: {alarms}."


def _since(
    measurement: Measurement,
    state: State,
    event: str,
    name: str,
    holds: Callable[[State], bool],
) -> float | None:
    """When it began: with the event that told of it, else with the first status that showed it."""
    began = state
    for earlier in reversed([it for it in measurement.states if it.time_s < state.time_s]):
        if not holds(earlier):
            break
        began = earlier
    named = limit_named if event == "limit" else fault_named
    at_s = [
        it.time_s
        for it in measurement.happenings
        if it.name == event
        and named(it.detail) == name
        and began.time_s - _TOLD_WITHIN_S <= it.time_s <= began.time_s
    ]
    if at_s:
        return at_s[-1]
    return None if began is measurement.states[0] else began.time_s
