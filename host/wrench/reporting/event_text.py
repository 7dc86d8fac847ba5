"""Events in words: what happened, and what it means to the person in front of the machine."""

from __future__ import annotations

from wrench.analysis.measurement import Happening
from wrench.hints import FAULT_HINTS, LIMIT_HINTS
from wrench_firmware import wire

# The quantity that a fault or alarm is about: how many of the wire's units make one, and the unit.
_QUANTITIES = {
    "vibration": (1000, "mm/s"),
    "acceleration peak": (1000, "g"),
    "crest factor": (100, ""),
    "envelope": (1000, "g"),
    "over-current": (1000, "A"),
    "short circuit": (1000, "A"),
    "stall": (1000, "s standing"),
    "seizure": (10, "% of a seizure"),
    "bearing too hot": (1000, "°C"),
    "driver too hot": (1000, "°C"),
    "brown-out": (1000, "V"),
    "supply too high": (1000, "V"),
    "over-speed": (1, "rpm"),
    "tacho lost": (1000, "s silent"),
    "sensor silent": (1000, "s"),
    "sensor stuck": (1000, "s"),
    "samples lost": (1, "in a second"),
}
_MEANINGS = {
    "boot": "The board has started.",
    "run": "The motor was started.",
    "stop": "The motor was stopped, as asked for.",
    "reset": "The trip was cleared; the motor stays off.",
    "alarm over": "The alarm's value has fallen back below its level.",
    "maintenance": "The board left operation for maintenance.",
    "levels": "A protective level was changed.",
    "unlocked": "Levels and limits may be raised until power goes: somebody held the button.",
    "new bearing": "A bearing was installed; probation begins anew.",
    "wall time": "A host told the board the time.",
    "stray bytes": "Bytes came to the board's port that were no command.",
    "samples lost": "The vibration sensor lost samples.",
    "exception": "The firmware met something that it could not handle, and stopped the motor.",
}


def happened(event: Happening) -> str:
    """What happened, in a few words."""
    name, detail, value = event.name, event.detail, event.value
    number = 0 if value is None else value
    if name in ("trip", "alarm", "alarm over"):
        fault = _of(wire.FAULTS, detail)
        reading = _reading(fault, value)
        return f"{name}: {fault}{', ' + reading if reading else ''}"
    if name == "limit":
        limit = _of(wire.LIMITS, detail)
        if limit == "none":
            return "nothing limits the speed"
        return f"{limit} holds {number / 10:g} % of rated speed"
    if name == "run":
        by = "over the link" if detail else "at the board"
        return f"run towards {number / 10:g} % of rated speed, {by}"
    if name == "stop":
        return f"stop, {'over the link' if detail else 'at the board'}"
    if name == "reset":
        by = "over the link" if detail else "at the board"
        return f"reset of {_of(wire.FAULTS, number)}, {by}"
    if name == "boot":
        return f"boot {number}, by {_of(wire.RESET_CAUSES, detail)}"
    if name == "self-test":
        return f"self-test: {_of(wire.FAULTS, detail) if detail else 'passed'}"
    if name == "probation":
        return f"probation: step {detail}" if detail else "probation begins anew"
    if name == "levels":
        level = _of(wire.LEVELS, detail & 3)
        fault = _of(wire.FAULTS, detail >> 2)
        reading = _reading(fault, value)
        return f"{level} of {fault} is now {reading or number}"
    if name == "settings":
        return "settings could not be kept" if detail else "factory settings"
    if name == "new bearing":
        return f"new bearing, number {number}"
    return name


def meaning(event: Happening) -> str:
    """What it means, and where to look first; empty where the words say it all."""
    name = event.name
    if name == "trip":
        hint = FAULT_HINTS.get(_of(wire.FAULTS, event.detail))
        return "" if hint is None else str(hint)
    if name == "alarm":
        hint = FAULT_HINTS.get(_of(wire.FAULTS, event.detail))
        look = "" if hint is None else f" {hint.look}"
        return f"Above its alarm level; if it goes on rising, the motor is stopped.{look}"
    if name == "limit":
        hint = LIMIT_HINTS.get(_of(wire.LIMITS, event.detail))
        return "" if hint is None else str(hint)
    if name == "self-test":
        hint = FAULT_HINTS.get(_of(wire.FAULTS, event.detail))
        return str(hint) if event.detail and hint else "The board found nothing wrong with itself."
    if name == "probation":
        return str(LIMIT_HINTS["probation"])
    if name == "settings":
        return (
            "The flash did not take the settings; they are lost with power."
            if event.detail
            else "Every setting and level is as the board file has it."
        )
    return _MEANINGS.get(name, "")


def _reading(fault: str, value: int | None) -> str:
    if value is None or value in (wire.ABSENT, wire.BROKEN):
        return ""
    if fault not in _QUANTITIES:
        return ""
    per_unit, unit = _QUANTITIES[fault]
    return f"{value / per_unit:.4g}{' ' + unit if unit else ''}"


def _of(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else f"unknown {number}"
