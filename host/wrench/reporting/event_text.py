"""Events in words: what happened, and what it means to the person in front of the machine."""

from __future__ import annotations

from wrench.analysis.measurement import Happening
from wrench.chronicle import described, fault_named, limit_named
from wrench.hints import FAULT_HINTS, LIMIT_HINTS

_MEANINGS = {
    "boot": "The board has started.",
    "run": "The motor was started, or another speed was asked for.",
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
    return described(event.name, event.detail, event.value)


def meaning(event: Happening) -> str:
    """What it means, and where to look first; empty where the words say it all."""
    name = event.name
    if name == "trip":
        hint = FAULT_HINTS.get(fault_named(event.detail))
        return "" if hint is None else str(hint)
    if name == "alarm":
        hint = FAULT_HINTS.get(fault_named(event.detail))
        look = "" if hint is None else f" {hint.look}"
        return f"Above its alarm level; if it goes on rising, the motor is stopped.{look}"
    if name == "limit":
        hint = LIMIT_HINTS.get(limit_named(event.detail))
        return "" if hint is None else str(hint)
    if name == "self-test":
        hint = FAULT_HINTS.get(fault_named(event.detail))
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
