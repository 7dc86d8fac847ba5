"""Which parts to buy: against all ways to buy, with losses added up from all that can happen."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wrench.errors import PartsError
from wrench.triage.choose import Market
from wrench.triage.parts import Part, PartsList
from wrench.triage.result import triage

ORDER = ("first", "second")
NEAR = 1e-5


def happenings(parts: tuple[Part, ...], bought: set[str]) -> Iterator[tuple[float, set[str]]]:
    """All that can happen, written as one would tell it: every cause comes or not, every part fails
    by itself or not, and every failure brings another part down or not."""
    coins: list[tuple[tuple[str, ...], float]] = []
    shared: dict[str, float] = {}
    for cause in {part.cause for part in parts if part.cause}:
        group = [part for part in parts if part.cause == cause]
        # The least hazard to the power of beta, as a probability to survive.
        shared[cause] = max((1 - part.probability) ** part.beta for part in group)
        coins.append((("cause", cause), 1 - shared[cause]))
    for part in parts:
        alone = shared.get(part.cause, 1.0)
        kept = 1 - (1 - part.probability) / alone if alone else 0.0
        chance = part.new_probability if part.name in bought else kept
        coins.append((("part", part.name), chance))
        coins += [(("raise", part.name, to), weight) for to, weight in part.raises.items()]
    unsure = [coin for coin in coins if 0 < coin[1] < 1]
    sure = {name for name, chance in coins if chance == 1}
    for sides in itertools.product((False, True), repeat=len(unsure)):
        weight = 1.0
        true = set(sure)
        for (name, chance), side in zip(unsure, sides, strict=True):
            weight *= chance if side else 1 - chance
            if side:
                true.add(name)
        failed = {
            part.name
            for part in parts
            if ("part", part.name) in true
            or (part.name not in bought and ("cause", part.cause) in true)
        }
        while (
            more := {
                to
                for part in parts
                if part.name in failed
                for to in part.raises
                if ("raise", part.name, to) in true
            }
            - failed
        ):
            failed |= more
        yield weight, failed


def expected(parts: PartsList, bought: set[str]) -> list[float]:
    """Of each class."""
    found = dict.fromkeys(parts.order, 0.0)
    for weight, failed in happenings(parts.parts, bought):
        for function in {part.function or part.name for part in parts.parts}:
            members = [part for part in parts.parts if (part.function or part.name) == function]
            if all(part.name in failed for part in members):
                found[members[0].criticality] += weight * members[0].loss
    return list(found.values())


def affordable(parts: PartsList, budget: Decimal) -> Iterator[set[str]]:
    for count in range(len(parts.parts) + 1):
        for some in itertools.combinations(parts.parts, count):
            names = {part.name for part in some}
            cost = sum((part.cost for part in some), Decimal(0))
            if cost <= budget and all(set(part.needs) <= names for part in some):
                yield names


def lexicographic_best(parts: PartsList, budget: Decimal) -> list[float]:
    candidates = [expected(parts, names) for names in affordable(parts, budget)]
    for k in range(len(parts.order)):
        least = min(one[k] for one in candidates)
        candidates = [one for one in candidates if one[k] <= least + 1e-9]
    return candidates[0]


def worse(one: tuple[float, ...] | list[float], other: list[float]) -> bool:
    """The first class that is not equal is worse."""
    for mine, its in zip(one, other, strict=True):
        if abs(mine - its) > NEAR:
            return mine > its
    return False


eighths = st.integers(0, 8).map(lambda n: n / 8)


@st.composite
def lists(draw: st.DrawFn) -> PartsList:
    names = [f"p{n}" for n in range(draw(st.integers(1, 5)))]
    parts: list[Part] = []
    coins = 0
    twins = draw(st.booleans()) and len(names) > 2
    for n, name in enumerate(names):
        raised = (
            draw(st.sets(st.sampled_from(names[n + 1 :]), max_size=1)) if names[n + 1 :] else ()
        )
        coins += len(raised)
        paired = twins and n < 2
        parts.append(
            Part(
                name,
                "first" if paired else draw(st.sampled_from(ORDER)),
                Decimal(draw(st.integers(0, 6))),
                draw(eighths),
                loss=3.0 if paired else float(draw(st.integers(0, 4))),
                new_probability=draw(st.sampled_from((0.0, 0.0, 0.25))),
                needs=tuple(draw(st.sets(st.sampled_from(names[:n]), max_size=1))) if n else (),
                cause=draw(st.sampled_from(("", "bearing"))),
                beta=0.5,
                raises={to: draw(st.sampled_from((0.25, 0.5, 1.0))) for to in raised},
                function="pair" if paired else "",
            )
        )
    return PartsList(tuple(parts), ORDER)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lists(), st.integers(1, 14).map(Decimal))
def test_no_other_way_to_buy_is_better(parts: PartsList, budget: Decimal) -> None:
    market = Market(parts)
    best = market.best(budget)
    names = {parts.parts[number].name for number in best.bought}
    assert best.cost == sum((part.cost for part in parts.parts if part.name in names), Decimal(0))
    assert names in list(affordable(parts, budget))
    told = expected(parts, names)
    assert list(best.expected) == pytest.approx(told, abs=1e-9)
    assert not worse(told, lexicographic_best(parts, budget))
    # What the next credit buys: better with that much, and with nothing less.
    better = market.next_better(budget)
    every = sum((part.cost for part in parts.parts), Decimal(0))
    dearer = [Decimal(b) for b in range(int(budget) + 1, int(every) + 1)]
    first = next((b for b in dearer if worse(told, lexicographic_best(parts, b))), None)
    assert (better.cost if better else None) == first


def two(**changes: object) -> PartsList:
    one = Part("one", "first", Decimal(5), 0.5, loss=1.0)
    other = Part("other", "second", Decimal(5), 1.0, loss=1e9)
    return PartsList((replace(one, **changes), other), ORDER)


def test_a_lower_class_never_outweighs_a_higher_one() -> None:
    assert [one.part.name for one in triage(two(), Decimal(5)).bought] == ["one"]
    backwards = replace(two(), order=ORDER[::-1])
    assert [one.part.name for one in triage(backwards, Decimal(5)).bought] == ["other"]


def test_a_part_that_needs_another_is_bought_with_it_or_not_at_all() -> None:
    assert [one.part.name for one in triage(two(needs=("other",)), Decimal(9)).bought] == ["other"]
    result = triage(two(needs=("other",)), Decimal(10))
    assert [one.part.name for one in result.bought] == ["one", "other"]
    assert result.bought[1].needed_by == ("one",)
    assert result.next is None


def test_of_equal_choices_the_cheapest_counts() -> None:
    twin = Part("dear", "first", Decimal(5), 0.5)
    parts = PartsList((twin, replace(twin, name="cheap", cost=Decimal(4))), ORDER)
    assert [one.part.name for one in triage(parts, Decimal(5)).bought] == ["cheap"]


def test_backups_that_share_a_cause_are_worth_more_than_those_that_do_not() -> None:
    def risk(beta: float) -> float:
        pump = Part(
            "a", "first", Decimal(5), 0.2, loss=1.0, function="pump", cause="oil", beta=beta
        )
        return Market(PartsList((pump, replace(pump, name="b")), ORDER)).expected(())[0]

    assert risk(0.0) == pytest.approx(0.04)
    assert risk(1.0) == pytest.approx(0.2)
    # 1 - 0.8**0.5 by the cause, else both by themselves.
    both = 1 - 0.8**0.5
    assert risk(0.5) == pytest.approx(both + (1 - both) * both**2)


def test_too_many_parts_that_bear_on_one_loss_are_refused() -> None:
    parts = [Part(f"p{n}", "first", Decimal(1), 0.1, raises={"end": 0.5}) for n in range(8)]
    with pytest.raises(PartsError, match=r"9 parts bear on the loss of 'end'.*leave out the least"):
        Market(PartsList((*parts, Part("end", "first", Decimal(1), 0.1)), ORDER))
