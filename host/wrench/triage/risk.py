"""Expected losses within the horizon, exactly, as tables over what is bought.

The model: a part that stays fails by itself, or by a cause that it shares with others, or because
another part's failure makes it fail.

- A shared cause is the beta-factor model's (K. N. Fleming, "A reliability model for common mode
  failures in redundant safety systems", 1975; A. Mosleh and others, NUREG/CR-4780, 1988; IEC
  61508-6, annex D): a share β of the hazard is an event that fails all parts of the group which
  have not been replaced. Where their hazards differ, that of the event is β times the least. What a
  part's own hazard is follows from its given probability, which stays as it is.
- Failures that raise others are a noisy OR (J. Pearl, "Probabilistic reasoning in intelligent
  systems", 1988, section 4.3.2): each failed part makes another fail with its own probability,
  independently, a new one too.
- What is lost is a function: of one part, or of parts that stand in for each other, which is lost
  when all of them have failed.

A loss depends on few parts: those of the function and all that can make them fail. Its expectation
is computed for each way to buy among them, by adding up all that can happen to them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from wrench.errors import PartsError
from wrench.triage import graph
from wrench.triage.parts import Part, PartsList

Floats: TypeAlias = npt.NDArray[np.float64]

MOST_PARTS = 8
"""More parts cannot bear on one loss: the table of it has a line for each way to buy them."""


@dataclass(frozen=True)
class Loss:
    """A function's expected loss within the horizon, in the unit of its class.

    `parts` are the numbers of those that bear on it. `expected[s]` is the loss where part
    `parts[k]` has been bought if bit `k` of `s` is set.
    """

    name: str
    criticality: str
    parts: tuple[int, ...]
    expected: Floats


def losses(parts: PartsList) -> list[Loss]:
    """Every loss of a list, in its order. Raises PartsError where too many parts bear on one."""
    every = parts.parts
    named = {part.name: part for part in every}
    number = {part.name: index for index, part in enumerate(every)}
    raised_by: dict[str, list[str]] = {part.name: [] for part in every}
    for part in every:
        for other in part.raises:
            raised_by[other].append(part.name)
    hazards = _shared_hazards(every)
    functions: dict[str, list[Part]] = {}
    for part in every:
        functions.setdefault(
            f"f {part.function}" if part.function else f"p {part.name}", []
        ).append(part)
    found: list[Loss] = []
    for members in functions.values():
        first = members[0]
        bearing = {part.name for part in members}
        for part in members:
            bearing |= graph.all_of(part.name, raised_by)
        if len(bearing) > MOST_PARTS:
            raise PartsError(
                f"line {first.line}: {len(bearing)} parts bear on the loss of "
                f"{first.function or first.name!r}, by `raises` and `function`, and at most "
                f"{MOST_PARTS} can; leave out the least likely"
            )
        names = graph.causes_first(bearing, raised_by)
        chance = _chance_of_all([named[name] for name in names], members, hazards)
        found.append(
            Loss(
                first.function or first.name,
                first.criticality,
                tuple(number[name] for name in names),
                first.loss * chance,
            )
        )
    return found


def _shared_hazards(every: Sequence[Part]) -> dict[str, float]:
    """The cumulative hazard of each common cause within the horizon."""
    least: dict[str, float] = {}
    for part in every:
        if part.cause:
            hazard = part.beta * _hazard(part.probability) if part.beta else 0.0
            least[part.cause] = min(least.get(part.cause, math.inf), hazard)
    return least


def _hazard(probability: float) -> float:
    return -math.log1p(-probability) if probability < 1.0 else math.inf


def _own(part: Part, shared: float) -> float:
    """Of a part that stays: that it fails neither by a shared cause nor by another part."""
    if not math.isfinite(_hazard(part.probability)):
        return 1.0 if math.isfinite(shared) else 0.0
    return -math.expm1(shared - _hazard(part.probability))


def _chance_of_all(
    names: Sequence[Part], members: Sequence[Part], hazards: dict[str, float]
) -> Floats:
    """The probability that all `members` fail, for each way to buy among `names`."""
    count = len(names)
    ways = np.arange(2**count)
    bought = (ways[:, None] >> np.arange(count)) & 1 == 1
    together = [name for name in names if name in members]
    # Outcomes in which a member has not failed are not needed.
    fails = bought[np.all(bought[:, [names.index(part) for part in together]], axis=1)]
    causes = sorted({part.cause for part in names if part.cause})
    total = np.zeros(len(ways))
    for event in range(2 ** len(causes)):
        happened = {cause: bool(event >> k & 1) for k, cause in enumerate(causes)}
        weight = 1.0
        for cause, is_so in happened.items():
            weight *= -math.expm1(-hazards[cause]) if is_so else math.exp(-hazards[cause])
        if weight == 0.0:
            continue
        product: Any = np.full((len(ways), len(fails)), weight)
        for k, part in enumerate(names):
            kept = 1.0 - _own(part, hazards[part.cause] if part.cause else 0.0)
            if part.cause and happened[part.cause]:
                kept = 0.0
            survives = np.where(bought[:, k], 1.0 - part.new_probability, kept)[:, None]
            others = np.ones(len(fails))
            for j, other in enumerate(names[:k]):
                if part.name in other.raises:
                    others = np.where(fails[:, j], others * (1.0 - other.raises[part.name]), others)
            survives = survives * others
            product = product * np.where(fails[:, k], 1.0 - survives, survives)
        total += product.sum(axis=1)
    return np.clip(total, 0.0, 1.0)
