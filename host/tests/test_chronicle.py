"""Events in words: the same words in the log, on the screen, in a recording and in a report."""

from __future__ import annotations

import pytest

from wrench.chronicle import described
from wrench_firmware import wire

FAULT = {name: number for number, name in enumerate(wire.FAULTS)}
LIMIT = {name: number for number, name in enumerate(wire.LIMITS)}


@pytest.mark.parametrize(
    ("name", "detail", "value", "text"),
    [
        ("boot", 0, 4, "boot 4, by power-on"),
        ("run", 1, 700, "run towards 70 %, over the link"),
        ("stop", 0, 0, "stop, at the button"),
        ("limit", LIMIT["vibration"], 415, "held by vibration at 41.5 %"),
        ("limit", LIMIT["none"], 0, "nothing holds the speed"),
        ("trip", FAULT["vibration"], 4_700, "TRIP: vibration, 4.70 mm/s"),
        ("trip", FAULT["e-stop"], 1, "TRIP: e-stop"),
        ("trip", FAULT["sensor silent"], None, "TRIP: sensor silent"),
        (
            "alarm",
            FAULT["bearing too hot"],
            wire.BROKEN,
            "alarm: bearing too hot, its sensor is broken",
        ),
        ("alarm over", FAULT["over-current"], wire.ABSENT, "alarm over: over-current"),
        ("reset", 1, FAULT["stall"], "trip reset over the link: stall"),
        ("levels", FAULT["over-current"] << 2 | 2, 3_500, "trip of over-current set to 3.50 A"),
        ("probation", 2, 550, "probation: step 2, up to 55 %"),
        ("self-test", FAULT["wrong sensor"], 0, "self-test failed: wrong sensor"),
        ("settings", 1, 0, "settings could not be written to flash"),
        ("what a later board tells", 1, 2, "what a later board tells"),
        ("trip", 200, 5, "TRIP: unknown 200"),
    ],
)
def test_an_event_in_words(name: str, detail: int, value: int | None, text: str) -> None:
    assert described(name, detail, value) == text


@pytest.mark.parametrize("name", wire.EVENTS)
@pytest.mark.parametrize("value", [0, wire.ABSENT, wire.BROKEN, None])
def test_every_event_has_words(name: str, value: int | None) -> None:
    assert described(name, 0, value)
