"""Events of the board in words."""

from __future__ import annotations

from typing import NamedTuple

from wrench.monitor import styles
from wrench_firmware import wire

# A limit that lasts while nothing is wrong; any other protects something.
ORDINARY_LIMITS = ("none", "operator", "derate cap", "probation", "ramp", "critical speed")

# What an alarm or a trip was about: wire units in one of these, and how it is written.
_QUANTITIES = {
    "vibration": (1000, "{:.2f} mm/s"),
    "acceleration peak": (1000, "{:.1f} g"),
    "crest factor": (100, "{:.1f}"),
    "envelope": (1000, "{:.2f} g"),
    "over-current": (1000, "{:.2f} A"),
    "short circuit": (1000, "{:.2f} A"),
    "stall": (1, "{:.0f} ms without a turn"),
    "bearing too hot": (1000, "{:.1f} °C"),
    "driver too hot": (1000, "{:.1f} °C"),
    "supply too high": (1000, "{:.2f} V"),
    "over-speed": (1, "{:.0f} rpm"),
    "tacho lost": (1, "{:.0f} ms without a pulse"),
    "sensor silent": (1, "{:.0f} ms"),
    "sensor stuck": (1, "{:.0f} ms"),
    "samples lost": (1, "{:.0f} in a second"),
}


class Happening(NamedTuple):
    """Something that has happened, in a few words, and how it is coloured."""

    text: str
    style: str


def happening(code: str, detail: int, value: int) -> Happening:
    """An event by its name in `wire.EVENTS` (or another name, which is told as it is)."""
    if code == "boot":
        return Happening(
            f"boot {value}, by {_name(wire.RESET_CAUSES, detail)}",
            styles.PLAIN if detail == 0 else styles.WATCH,
        )
    if code == "run":
        who = "over the link" if detail else "at the button"
        return Happening(f"run towards {value / 10:g} %, {who}", styles.GOOD)
    if code == "stop":
        return Happening(f"stop, {'over the link' if detail else 'at the button'}", styles.GOOD)
    if code == "limit":
        return _limit(_name(wire.LIMITS, detail), value)
    if code == "trip":
        fault = _name(wire.FAULTS, detail)
        return Happening(f"TRIP: {fault}{_about(fault, value)}", styles.BAD)
    if code == "reset":
        who = "over the link" if detail else "at the button"
        return Happening(f"trip reset {who}: {_name(wire.FAULTS, value)}", styles.WATCH)
    if code == "alarm":
        fault = _name(wire.FAULTS, detail)
        return Happening(f"alarm: {fault}{_about(fault, value)}", styles.WATCH)
    if code == "alarm over":
        fault = _name(wire.FAULTS, detail)
        return Happening(f"alarm over: {fault}{_about(fault, value)}", styles.GOOD)
    if code == "probation":
        text = f"probation: step {detail} earned" if detail else "probation begins anew"
        return Happening(text, styles.WATCH)
    if code == "self-test":
        if detail == 0:
            return Happening("self-test passed", styles.GOOD)
        return Happening(f"self-test FAILED: {_name(wire.FAULTS, detail)}", styles.BAD)
    if code == "settings":
        if detail:
            return Happening("settings could NOT be written to flash", styles.BAD)
        return Happening("settings and levels as the board file has them", styles.WATCH)
    if code == "levels":
        fault, level = _name(wire.FAULTS, detail >> 2), _name(wire.LEVELS, detail & 3)
        return Happening(f"{level} level of {fault} changed{_about(fault, value)}", styles.WATCH)
    if code == "new bearing":
        return Happening(f"new bearing, number {value}", styles.WATCH)
    if code == "samples lost":
        return Happening(f"{value} samples lost" if value else "samples lost", styles.BAD)
    if code == "exception":
        return Happening("the firmware met an exception", styles.BAD)
    return Happening(code, styles.WATCH if code == "unlocked" else styles.PLAIN)


def _limit(limit: str, command_permille: int) -> Happening:
    held = f"{command_permille / 10:.0f} %"
    if limit == "none":
        return Happening("no limit holds the speed", styles.GOOD)
    style = styles.GOOD if limit in ORDINARY_LIMITS else styles.LIMITED
    return Happening(f"held by {limit} at {held}", style)


def _about(fault: str, value: int) -> str:
    """The value of what the protection watches, where it tells something."""
    if fault not in _QUANTITIES or value in (wire.ABSENT, wire.BROKEN):
        return ""
    per_unit, form = _QUANTITIES[fault]
    return f", {form.format(value / per_unit)}"


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else f"unknown {number}"
