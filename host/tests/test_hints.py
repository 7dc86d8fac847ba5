"""Every fault, alarm and limit has a hint, and every hint a fault, alarm or limit."""

from __future__ import annotations

import pytest

from wrench.hints import (
    FAULT_HINTS,
    LIMIT_HINTS,
    REASON_HINTS,
    Hint,
    fault_hint,
    limit_hint,
    reason_hint,
)
from wrench_firmware import wire

ALL = [*FAULT_HINTS.items(), *LIMIT_HINTS.items()]


def test_there_is_a_hint_for_every_name_of_the_wire_in_its_order() -> None:
    assert tuple(FAULT_HINTS) == wire.FAULTS
    assert tuple(LIMIT_HINTS) == wire.LIMITS
    assert tuple(REASON_HINTS) == wire.REASONS


@pytest.mark.parametrize(("name", "hint"), ALL)
def test_a_hint_is_one_or_two_sentences_each_a_person_can_act_on(name: str, hint: Hint) -> None:
    for sentence in hint:
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert sentence.count(". ") == 0
    assert len(str(hint)) <= 240, name


def test_no_two_hints_are_the_same() -> None:
    faults = [hint for name, hint in FAULT_HINTS.items() if name != "none"]
    assert len({hint.means for hint in faults}) == len({hint.look for hint in faults}) == 28
    assert len({hint.means for hint in LIMIT_HINTS.values()}) == len(LIMIT_HINTS)


def test_hints_are_found_by_name() -> None:
    assert "emergency stop" in str(fault_hint("e-stop"))
    assert "resonates" in limit_hint("critical speed").means
    with pytest.raises(KeyError):
        fault_hint("gremlins")
    with pytest.raises(KeyError):
        limit_hint("e-stop")


@pytest.mark.parametrize("reason", wire.REASONS)
def test_what_to_do_about_a_refusal_ends_its_sentence(reason: str) -> None:
    hint = reason_hint(reason)
    assert hint[0].islower()
    assert not hint.endswith(".")
    assert hint != reason
