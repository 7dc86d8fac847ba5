"""Events in words: the same words in the log, on the screen, in a recording and in a report."""

from __future__ import annotations

import pytest

from wrench.blackbox import Event
from wrench.chronicle import described, told
from wrench_firmware import wire

FAULT = {name: number for number, name in enumerate(wire.FAULTS)}
LIMIT = {name: number for number, name in enumerate(wire.LIMITS)}


@pytest.mark.parametrize(
    ("name", "detail", "value", "text"),
    [
        ("boot", 0, 4, "boot 4, by power-on"),
        ("run", 1, 700, "run towards 70 %, by link"),
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
        ("reset", 1, FAULT["stall"], "trip reset by link: stall"),
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


def logged(
    *entries: tuple[int, str] | tuple[int, str, int] | tuple[int, str, int, int],
) -> list[str]:
    """What a log of (second, event, value, count) says; each boot begins another."""
    events: list[Event] = []
    boot = 2
    for number, (second, name, *numbers) in enumerate(entries):
        boot += name == "boot"
        value, count = [*numbers, *(0, 1)[len(numbers) :]]
        code = wire.EVENTS.index(name) if name in wire.EVENTS else 254
        detail = FAULT["e-stop"] if name == "trip" else 1
        span_us = 4_000_000 * (count > 1)
        events.append(Event(number, second * 1_000_000, boot, code, detail, value, count, span_us))
    return list(told(events))


def test_a_start_and_a_change_of_speed_are_told_apart() -> None:
    assert logged(
        (1, "boot"), (2, "run", 600), (5, "run", 400), (7, "stop"), (20, "run", 300), (30, "trip")
    )[1:] == [
        "start towards 60 %, by link",
        "speed changed to 40 %, by link",
        "stop, by link",
        "start towards 30 %, by link",
        "TRIP: e-stop",
    ]


@pytest.mark.parametrize("before", ["stop", "trip", "maintenance", "boot"])
def test_what_ends_a_run_makes_the_next_one_a_start(before: str) -> None:
    assert logged((1, "boot"), (2, "run", 600), (5, before), (6, "run", 400))[-1].startswith(
        "start towards 40 %"
    )


def test_where_the_log_does_not_tell_a_run_is_neither() -> None:
    assert logged((2, "run", 600))[0] == "run towards 60 %, by link", "its boot is not kept"
    run, before = wire.EVENTS.index("run"), wire.EVENTS.index("stop")
    other_boot = [Event(1, 9, 3, before, 1, 0, 1, 0), Event(2, 10, 4, run, 1, 600, 1, 0)]
    assert list(told(other_boot))[1] == "run towards 60 %, by link"
    several = logged((1, "boot"), (2, "run", 600, 2))
    assert several[1] == "run towards 60 %, by link; the first of 2 within 4 s"
    lost = logged((1, "boot"), (2, "run", 600), (3, "events lost", 4), (9, "run", 400))
    assert lost[-1] == "run towards 40 %, by link"


def test_an_event_that_stands_for_several_says_so_and_hides_what_came_between() -> None:
    said = logged(
        (1, "boot"), (2, "stop", 0, 3), (4, "run", 600), (5, "run", 500), (9, "run", 400, 2)
    )
    assert said[1] == "stop, by link; the first of 3 within 4 s"
    assert said[2].startswith("run towards 60 %"), "a stop may have come until second 6"
    assert said[4] == "run towards 40 %, by link; the first of 2 within 4 s"
    assert logged((1, "boot"), (3, "wall time", 0, 700))[1] == "wall time set"
