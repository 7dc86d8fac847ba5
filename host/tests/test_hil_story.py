"""Stories of a campaign: made by their seed, written as code, shrunk to the least that fails."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

from wrench.hil import campaign
from wrench.hil.acts import KINDS
from wrench.hil.campaign import ACTS, BOARDS, Told, made, shrunk
from wrench.hil.invariants import Violation
from wrench.hil.story import Act, Story, act, story


def test_a_seed_tells_the_same_stories_and_another_one_others() -> None:
    assert made(1, 5) == made(1, 5)
    assert made(1, 5) != made(2, 5)
    assert made(1, 5) != made(1, 9)
    assert {(made(1, n).board, made(1, n).image) for n in range(len(BOARDS))} == set(BOARDS)


def test_every_kind_of_act_comes_and_can_be_drawn() -> None:
    come = {act.name for n in range(60) for act in made(3, n).acts}
    assert come == KINDS.keys()
    assert all(0.005 <= act.then_s <= 1.0 for n in range(10) for act in made(3, n).acts)
    assert len(made(3, 0).acts) == ACTS


def test_what_mends_is_no_fault() -> None:
    assert KINDS["estop"].fault({"pressed": True, "after_ms": 0.0})
    assert not KINDS["estop"].fault({"pressed": False, "after_ms": 0.0})
    assert not KINDS["sensor"].fault({"what": "healthy"})
    assert KINDS["jam"].fault({})
    assert not KINDS["run"].fault({"permille": 700})


def test_a_story_as_code_is_the_same_story() -> None:
    told = made(7, 2)
    survived: list[Story] = []
    names = {"survive": survived.append, "story": story, "act": act}
    exec(told.as_code("again") + "\ntest_again()\n", names)
    assert survived == [told]


def test_a_violation_comes_whole_from_another_process() -> None:
    there = Violation("cap", 1.25, "the shaft turns at 2,400 rpm")
    here = pickle.loads(pickle.dumps(Told(made(1, 1), 3, 1, 2.0, there)))
    assert here.violation is not None
    assert (here.violation.rule, here.violation.time_s) == ("cap", 1.25)
    assert str(here.violation) == "cap at 1.250 s: the shaft turns at 2,400 rpm"


def failing(when: Callable[[list[str]], str]) -> Callable[[Story], Told]:
    """Tells stories without a board: `when` gives the rule that such acts break, or ""."""

    def tell(it: Story) -> Told:
        rule = when([one.name for one in it.acts])
        return Told(it, 0, 0, 1.0, Violation(rule, 1.0, "so") if rule else None)

    return tell


def test_a_story_is_shrunk_to_what_breaks_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    def when(names: list[str]) -> str:
        return "cap" if "jam" in names and "run" in names[: names.index("jam")] else ""

    acts = [*made(1, 0).acts[:20], act("run", 0.5, permille=700), *made(1, 4).acts[:20]]
    acts = [one for one in acts if one.name != "jam"] + [act("jam", 0.9)]
    monkeypatch.setattr(campaign, "tell", failing(when))
    least = shrunk(campaign.tell(Story("pico-adxl345", "stock", 1, tuple(acts))))
    assert [one.name for one in least.story.acts] == ["run", "jam"]
    assert [one.then_s for one in least.story.acts] == [0.005, 0.005]


def test_shrinking_keeps_to_the_rule_that_was_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def when(names: list[str]) -> str:
        return "cap" if {"jam", "run"} <= set(names) else "log" if "jam" in names else ""

    acts = (Act("run", 0.005), Act("stop", 0.005), Act("jam", 0.005))
    monkeypatch.setattr(campaign, "tell", failing(when))
    least = shrunk(campaign.tell(Story("pico-adxl345", "stock", 1, acts)))
    assert [one.name for one in least.story.acts] == ["run", "jam"]
    assert least.violation
    assert least.violation.rule == "cap"
