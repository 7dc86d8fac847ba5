"""Events of a board in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wrench.blackbox import Event
from wrench.levels import WATCHED
from wrench.units import counted, unit_of
from wrench_firmware import wire


def told(events: Iterable[Event]) -> Iterator[str]:
    """What each event of a log says, which is in order of time: as `described`, and besides whether
    a run began or its speed was changed, where the events before it tell, and for how many alike it
    stands."""
    boot, turning = -1, None
    blurred_us = 0  # until then, an event that stands for several may hide others
    for event in events:
        if event.boot != boot:
            boot, turning, blurred_us = event.boot, None, 0
        text = described(event.name, event.detail, event.value)
        if event.name == "run":
            text = _run(event.detail, event.value, turning if event.count == 1 else None)
        if event.count > 1 and event.name not in _NEVER_ALIKE:
            text += f"; the first of {event.count} within {max(1, round(event.span_us / 1e6))} s"
        yield text
        if event.name in _ENDS_OR_BEGINS:
            if event.count > 1:
                blurred_us = max(blurred_us, event.time_us + event.span_us)
            known = event.time_us >= blurred_us and event.name != "events lost"
            turning = event.name == "run" if known else None


def described(name: str, detail: int, value: int | None) -> str:
    """What an event says, by its name in `wire.EVENTS`; another name is told as it is. `value` is
    None, or one of the wire's two numbers for it, where there was no reading."""
    about = _ABOUT.get(name)
    return about(detail, wire.ABSENT if value is None else value) if about else name


def _boot(detail: int, value: int) -> str:
    return f"boot {value}, by {_named(wire.RESET_CAUSES, detail)}"


def _run(detail: int, value: int, turning: bool | None = None) -> str:
    return f"{_COMMANDED[turning]} {value / 10:g} %, {_who(detail)}"


def _limit(detail: int, value: int) -> str:
    limit = limit_named(detail)
    return "nothing holds the speed" if limit == "none" else f"held by {limit} at {value / 10:g} %"


def _trip(detail: int, value: int) -> str:
    return f"TRIP: {_valued(detail, value)}"


def _alarm(detail: int, value: int) -> str:
    return f"alarm: {_valued(detail, value)}"


def _alarm_over(detail: int, value: int) -> str:
    return f"alarm over: {_valued(detail, value)}"


def _probation(detail: int, value: int) -> str:
    earned = f"step {detail}" if detail else "begins anew"
    return f"probation: {earned}" + (f", up to {value / 10:g} %" if value else "")


def _settings(detail: int, value: int) -> str:
    del value
    return "settings could not be written to flash" if detail else "factory settings and levels"


def _levels(detail: int, value: int) -> str:
    fault, level = _named(wire.FAULTS, detail >> 2), _named(wire.LEVELS, detail & 3)
    return f"{level} of {fault} set to {_amount(fault, value)}"


def _self_test(detail: int, value: int) -> str:
    del value
    return f"self-test failed: {_named(wire.FAULTS, detail)}" if detail else "self-test passed"


_COMMANDED = {None: "run towards", False: "start towards", True: "speed changed to"}
_ENDS_OR_BEGINS = ("boot", "run", "stop", "trip", "maintenance", "events lost")
_NEVER_ALIKE = ("wall time",)  # its count is another number

_ABOUT = {
    "boot": _boot,
    "run": _run,
    "stop": lambda detail, value: f"stop, {_who(detail)}",
    "limit": _limit,
    "trip": _trip,
    "reset": lambda detail, value: f"trip reset {_who(detail)}: {_named(wire.FAULTS, value)}",
    "alarm": _alarm,
    "alarm over": _alarm_over,
    "probation": _probation,
    "maintenance": lambda detail, value: "maintenance: operation ends",
    "settings": _settings,
    "levels": _levels,
    "unlocked": lambda detail, value: "unlocked at the board: levels may go above the board file's",
    "new bearing": lambda detail, value: f"new bearing, number {value}",
    "wall time": lambda detail, value: "wall time set",
    "self-test": _self_test,
    "samples lost": lambda detail, value: f"{counted(value, 'sample')} lost",
    "events lost": lambda detail, value: f"{counted(value, 'event')} lost",
    "exception": lambda detail, value: "the firmware met an exception",
}


def _who(by_link: int) -> str:
    return "by link" if by_link else "at the button"


def _valued(fault_number: int, value: int) -> str:
    fault = fault_named(fault_number)
    amount = _amount(fault, value)
    return f"{fault}, {amount}" if amount else fault


def _amount(fault: str, value: int) -> str:
    """The value of what a protection watches; nothing where that says no more than its name."""
    if value == wire.BROKEN:
        return "its sensor is broken"
    if fault not in WATCHED or value == wire.ABSENT or unit_of(WATCHED[fault]).flag:
        return ""
    return unit_of(WATCHED[fault]).shown(value)


def fault_named(number: int) -> str:
    """A fault by its number, which events have as their detail; one that is none is "unknown"."""
    return _named(wire.FAULTS, number)


def limit_named(number: int) -> str:
    """A limit likewise."""
    return _named(wire.LIMITS, number)


def _named(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else f"unknown {number}"
