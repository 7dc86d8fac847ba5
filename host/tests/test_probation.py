"""How a bearing earns the derate cap, and what costs it again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from control_traces import probation_trace
from firmware_host import firmware_module
from hypothesis import given, settings
from hypothesis import strategies as st
from micropython_vm import Vm

from wrench_firmware import wire

probation = firmware_module("probation")

CAPS = (300, 450, 600)
STEP_S = 60
CAP = 700
MINUTE = 60_000
FULL = 1000  # asked for more than any cap


def bearing(step: int = 0, healthy_ms: int = 0, caps: tuple[int, ...] = CAPS) -> Any:
    subject = probation.Probation(caps, STEP_S, CAP)
    subject.restore(step, healthy_ms)
    return subject


def run(subject: Any, seconds: int, *, asked: int = FULL, disturbed: bool = False) -> list[int]:
    """Healthy seconds at the present cap; the steps that were reached."""
    gained = []
    for _ in range(10 * seconds):
        speed = min(subject.ceiling_permille, asked)
        if step := subject.healthy(100, speed, asked, disturbed):
            gained.append(step)
    return gained


def test_a_new_bearing_earns_one_cap_after_the_other() -> None:
    subject = bearing()
    caps = [subject.ceiling_permille]
    for expected in (1, 2, 3):
        assert run(subject, STEP_S - 1) == []
        assert run(subject, 1) == [expected]
        caps.append(subject.ceiling_permille)
    assert caps == [300, 450, 600, 700]
    assert run(subject, 600) == []
    assert (subject.step, subject.ceiling_permille) == (3, CAP)


def test_without_steps_there_is_no_probation() -> None:
    subject = bearing(caps=())
    assert subject.ceiling_permille == CAP
    assert run(subject, 1000) == []
    assert not subject.trip(wire.FAULTS.index("vibration"))
    assert subject.ceiling_permille == CAP


@pytest.mark.parametrize(
    ("speed", "asked", "counts"),
    [
        (300, FULL, True),
        (240, FULL, True),  # 80 % of the cap
        (239, FULL, False),
        (200, 200, True),  # all that was asked for
        (160, 200, True),
        (159, 200, False),
        (150, 150, True),  # half of the cap
        (149, 149, False),  # proves little about the next cap
        (0, 0, False),
        (0, FULL, False),
    ],
)
def test_time_counts_only_near_the_speed_that_is_to_be_proved(
    speed: int, asked: int, counts: bool
) -> None:
    subject = bearing()
    subject.healthy(100, speed, asked, False)
    assert subject.healthy_ms == (100 if counts else 0)


def test_an_alarm_pauses_and_takes_nothing() -> None:
    subject = bearing()
    run(subject, 59)
    assert run(subject, 600, disturbed=True) == []
    assert subject.healthy_ms == 59_000
    assert run(subject, 1) == [1]


# Spelled out: what speaks of the bearing.
OF_THE_BEARING = {
    "vibration",
    "acceleration peak",
    "crest factor",
    "envelope",
    "over-current",
    "short circuit",
    "stall",
    "seizure",
    "bearing too hot",
}


@pytest.mark.parametrize("fault", wire.FAULTS[1:])
def test_what_speaks_of_the_bearing_sends_it_back_and_nothing_else(fault: str) -> None:
    subject = bearing(step=2, healthy_ms=1234)
    lost = subject.trip(wire.FAULTS.index(fault))
    assert lost == (fault in OF_THE_BEARING)
    kept = (0, 0, 300) if lost else (2, 1234, 600)
    assert (subject.step, subject.healthy_ms, subject.ceiling_permille) == kept


def test_a_trip_that_costs_nothing_says_so() -> None:
    assert not bearing().trip(1)
    assert bearing(healthy_ms=1).trip(1)


def test_another_bearing_starts_from_the_first_step() -> None:
    subject = bearing(step=3)
    subject.new_bearing()
    assert (subject.step, subject.healthy_ms, subject.ceiling_permille) == (0, 0, 300)


def test_the_operator_holds_it_lower_and_lets_it_go_again() -> None:
    subject = bearing(step=2)
    subject.hold(0)
    assert subject.ceiling_permille == 300
    assert run(subject, 600) == []
    assert (subject.step, subject.healthy_ms) == (2, 0)
    subject.hold(99)
    assert subject.ceiling_permille == 600
    assert run(subject, STEP_S) == [3]


def test_held_where_it_is_it_earns_no_more_than_that_step() -> None:
    subject = bearing()
    subject.hold(0)
    assert run(subject, 600) == []
    assert (subject.step, subject.healthy_ms) == (0, MINUTE)
    subject.hold(1)
    assert run(subject, 1) == [1]
    assert run(subject, 600) == []
    assert subject.ceiling_permille == 450


@pytest.mark.parametrize("step", [1, 2, 3, 99])
def test_no_hold_hurries_it(step: int) -> None:
    subject = bearing()
    subject.hold(step)
    assert (subject.step, subject.ceiling_permille) == (0, 300)


@pytest.mark.parametrize("kept", [(4, 0), (-1, 0), (1, -1), (1, MINUTE + 1), (2**29, 2**29)])
def test_what_cannot_have_been_earned_is_nothing(kept: tuple[int, int]) -> None:
    subject = bearing(*kept)
    assert (subject.step, subject.healthy_ms) == (0, 0)


def test_what_was_earned_survives_a_reset() -> None:
    subject = bearing()
    run(subject, 100)
    again = bearing(subject.step, subject.healthy_ms)
    assert run(again, 19) == []
    assert run(again, 1) == [2]


def test_a_step_above_the_derate_cap_is_the_derate_cap() -> None:
    assert bearing(caps=(900,)).ceiling_permille == CAP


events = st.one_of(
    st.tuples(
        st.just("healthy"),
        st.sampled_from([0, 20, 100, 10_000]),
        st.integers(0, 1000),
        st.integers(0, 1000),
        st.booleans(),
    ),
    st.tuples(st.just("hold"), st.integers(-1, 5)),
    st.tuples(st.just("trip"), st.integers(1, len(wire.FAULTS) - 1)),
    st.just(("new_bearing",)),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(50, 690), max_size=4, unique=True).map(sorted).map(tuple),
    st.integers(1, 30),
    st.lists(events, max_size=80),
)
def test_it_never_rises_but_by_healthy_time(
    caps: tuple[int, ...], step_s: int, history: list[tuple[Any, ...]]
) -> None:
    subject = probation.Probation(caps, step_s, CAP)
    hold = len(caps)
    healthy_ms = 0  # since the last step or loss
    for name, *arguments in history:
        before = subject.step
        answer = getattr(subject, name)(*arguments)
        if name == "hold":
            hold = arguments[0]
        if name == "healthy" and not arguments[3]:
            healthy_ms += arguments[0]
        allowed = (*caps, CAP)[max(0, min(subject.step, hold, len(caps)))]
        assert subject.ceiling_permille == allowed
        assert 0 <= subject.healthy_ms <= healthy_ms
        if subject.step > before:
            assert (name, answer) == ("healthy", before + 1)
            assert subject.step == before + 1
            assert healthy_ms >= step_s * 1000
        if subject.step != before:
            healthy_ms = 0


def test_the_longest_probation_is_counted_in_small_integers() -> None:
    subject = probation.Probation((300,), 10**9, CAP)
    subject.restore(0, 999_999_000)
    for _ in range(10):
        subject.healthy(100, 300, FULL, False)
    assert subject.step == 1
    assert 1_000_000_000 + 10_000 < 1 << 30


@pytest.fixture(scope="module")
def vm() -> Iterator[Vm]:
    vm = Vm("control_device.py")
    yield vm
    vm.close()


def test_micropython_counts_as_cpython_does(vm: Vm) -> None:
    noise = random.Random(7)
    cases = []
    for _ in range(60):
        history: list[tuple[Any, ...]] = [("restore", noise.randint(0, 3), 0)]
        for name in noise.choices(["healthy"] * 12 + ["hold", "trip", "new_bearing"], k=60):
            arguments = {
                "healthy": (1000, noise.randint(100, 700), FULL, noise.random() < 0.1),
                "hold": (noise.randint(0, 4),),
                "trip": (noise.randint(1, 28),),
            }.get(name, ())
            history.append((name, *arguments))
        cases.append(((CAPS, noise.randint(1, 9), CAP), history))
    for first in range(0, len(cases), 20):
        batch = cases[first : first + 20]
        assert vm.ask("probation", batch) == [probation_trace(probation, *case) for case in batch]
