"""What was chosen and why, what is left at risk, and what more money would buy."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from wrench.triage.choose import Choice, Market
from wrench.triage.parts import Part, PartsList


@dataclass(frozen=True)
class ClassRisk:
    """A class's expected loss within the horizon: with nothing bought, with the choice, and with
    everything bought."""

    name: str
    parts: int
    bought: int
    before: float
    after: float
    least: float


@dataclass(frozen=True)
class Bought:
    """A part of the choice: the expected loss that it alone avoids in each class beside the others,
    0 where none, and those of the choice that need it.

    What other parts of the choice need avoids more than it says here: without it they would be of
    no use.
    """

    part: Part
    avoids: dict[str, float]
    needed_by: tuple[str, ...]


@dataclass(frozen=True)
class Left:
    """A part that is not bought: what it would avoid in each class beside the choice, and what it
    would cost, each with all that it needs and that is not bought either."""

    part: Part
    avoids: dict[str, float]
    cost: Decimal
    also: tuple[str, ...]


@dataclass(frozen=True)
class Next:
    """The best choice of the smallest budget that buys more."""

    budget: Decimal
    more: Decimal
    added: tuple[Part, ...]
    dropped: tuple[Part, ...]
    avoids: dict[str, float]


@dataclass(frozen=True)
class Triage:
    """The answer. `left` is sorted by what would be avoided, in the order of the classes."""

    parts: PartsList
    budget: Decimal
    cost: Decimal
    classes: tuple[ClassRisk, ...]
    bought: tuple[Bought, ...]
    left: tuple[Left, ...]
    next: Next | None


def triage(parts: PartsList, budget: Decimal) -> Triage:
    """What to buy with a budget in the list's currency.

    Raises PartsError where too many parts bear on one loss, and WrenchError where no optimum is
    proven.
    """
    market = Market(parts)
    best = market.best(budget)
    better = market.next_better(budget)
    chosen = set(best.bought)
    before = market.expected(())
    least = market.expected(range(len(parts.parts)))
    classes = tuple(
        ClassRisk(
            name,
            sum(part.criticality == name for part in parts.parts),
            sum(parts.parts[number].criticality == name for number in chosen),
            before[k],
            best.expected[k],
            least[k],
        )
        for k, name in enumerate(parts.order)
        if any(part.criticality == name for part in parts.parts)
    )
    left = [_left(market, best, n) for n in range(len(parts.parts)) if n not in chosen]
    left.sort(key=lambda one: [-one.avoids.get(name, 0.0) for name in parts.order])
    bought = [_bought(market, best, number) for number in best.bought]
    bought.sort(key=lambda one: parts.order.index(one.part.criticality))
    return Triage(
        parts,
        budget,
        best.cost,
        classes,
        tuple(bought),
        tuple(left),
        None if better is None else _next(market, best, better, budget),
    )


def _bought(market: Market, best: Choice, number: int) -> Bought:
    part = market.parts.parts[number]
    chosen = set(best.bought)
    return Bought(
        part,
        market.avoided(chosen - {number}, chosen),
        tuple(market.parts.parts[one].name for one in best.bought if number in market.needs[one]),
    )


def _left(market: Market, best: Choice, number: int) -> Left:
    chosen = set(best.bought)
    together: set[int] = set()
    waiting = [number]
    while waiting:
        one = waiting.pop()
        if one not in together and one not in chosen:
            together.add(one)
            waiting += market.needs[one]
    return Left(
        market.parts.parts[number],
        market.avoided(chosen, chosen | together),
        market.cost(sorted(together)),
        tuple(market.parts.parts[one].name for one in sorted(together - {number})),
    )


def _next(market: Market, best: Choice, better: Choice, budget: Decimal) -> Next:
    def parts(numbers: set[int]) -> tuple[Part, ...]:
        return tuple(market.parts.parts[number] for number in sorted(numbers))

    now, then = set(best.bought), set(better.bought)
    return Next(
        better.cost,
        better.cost - budget,
        parts(then - now),
        parts(now - then),
        market.avoided(now, then),
    )
