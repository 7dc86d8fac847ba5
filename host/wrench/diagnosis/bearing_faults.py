"""Which part of a bearing is damaged, if any: the evidence of each part, and what names one.

A fault is named only where all of this holds:

- its family stands above the decoys of the same spectra;
- it modulates the vibration deeply: a sound bearing shows faint lines of its races too, and with
  enough turns of the shaft any faint line is significant;
- the fundamental is its own: not the second harmonic of another family, not the sideband of one,
  and no unrelated family modulates much deeper;
- what this amounts to was right often enough on machines that are known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from wrench.analysis.measurement import FloatArray
from wrench.boards.schema import Bearing
from wrench.diagnosis.bearings import PARTS, fault_orders
from wrench.diagnosis.combs import SLIP, Scores, related, score, stand
from wrench.diagnosis.confidence import of_named, probability
from wrench.diagnosis.envelopes import EnvelopeLines
from wrench.diagnosis.families import Family, family, strongest

NAMED_FROM = 0.35
"""Least probability of a fault that is named."""
_DEEP = 0.25
_ABOVE_FLOOR = 6.0
_SIGNIFICANT = 0.05
# Sidebands of a deep modulation reach some decoys as well.
_VERY_DEEP = 0.5
_SIGNIFICANT_DEEP = 0.1
_FIRST_SHARE = 0.45
_BETWEEN = 0.7
_BESIDE = 1.0
_FOREIGN = 1.0
_FOREIGN_OF_CAGE = 0.8
_TOLERANCE = 0.03
_SHAFT_ERROR = 0.006
_SAME = 0.012


@dataclass(frozen=True, slots=True)
class Part:
    """The evidence that one part is damaged. `expected_order` is the kinematic one, `deepest` the
    order and depth of the deepest family that has nothing to do with it."""

    name: str
    expected_order: float
    family: Family
    deepest: tuple[float, float]
    probability: float
    objections: tuple[str, ...]

    @property
    def is_named(self) -> bool:
        """Nothing speaks against naming it."""
        return not self.objections

    @property
    def confidence(self) -> float:
        """That naming it is right, given that nothing speaks against it."""
        return of_named(self.probability)


def features(name: str, expected_order: float, found: Family, deepest: float) -> FloatArray:
    """What the probability is made of, (10,): see `wrench.diagnosis.confidence`."""
    depth = found.depth
    slip = abs(found.standing.order / expected_order - 1.0) / SLIP
    return np.array(
        [
            1.0,
            math.log(depth + 0.02),
            math.log((depth + 1e-3) / max(found.floor, 1e-6)),
            math.log1p(max(found.standing.excess, 0.0)),
            -math.log10((1.0 + found.standing.reached) / (1.0 + found.standing.decoys)),
            found.first_share,
            min(found.between / max(depth, 1e-9), 2.0),
            min(found.beside / max(depth, 1e-9), 2.0),
            min(3.0, max(-3.0, math.log((deepest + 0.02) / (depth + 0.02)))),
            slip if name != "cage" else 1.0,
        ]
    )


def look(lines: EnvelopeLines, bearing: Bearing) -> tuple[list[Part], Scores]:
    """The parts of a bearing, the likeliest first, and the scores that they were judged by."""
    scores = score(lines)
    expected = fault_orders(bearing)
    parts: list[Part] = []
    for name in PARTS:
        order = expected[name]
        found = family(lines, stand(scores, order))
        own = found.standing.order
        deepest = strongest(lines, scores, partial(related, to=own, apart=_TOLERANCE))
        chance = probability(features(name, order, found, deepest[1]))
        against = _objections(name, found, deepest[1], chance, hidden=lines.hidden)
        parts.append(Part(name, order, found, deepest, chance, against))
    parts.sort(key=lambda part: part.probability, reverse=True)
    return _without_twins(parts), scores


def _objections(
    name: str, found: Family, deepest: float, chance: float, *, hidden: float
) -> tuple[str, ...]:
    depth, order = max(found.depth, 1e-9), found.standing.order
    foreign = _FOREIGN_OF_CAGE if name == "cage" else _FOREIGN
    checks = (
        (
            found.standing.p > (_SIGNIFICANT_DEEP if found.depth > _VERY_DEEP else _SIGNIFICANT),
            f"{100 * found.standing.p:.0f} % of unrelated families reach as high",
        ),
        (
            found.depth < _DEEP or found.depth < _ABOVE_FLOOR * found.floor,
            f"it modulates the vibration by {100 * found.depth:.0f} % only",
        ),
        (found.is_beat, "its lines go with the discrete tones, as of tones that beat"),
        (
            abs(order - round(order)) < _SHAFT_ERROR * order + hidden and name != "cage",
            f"it may be {round(order)} times the shaft's speed",
        ),
        (found.first_share < _FIRST_SHARE, "its first line is not among its greatest"),
        (
            found.between > _BETWEEN * depth,
            "lines half-way between make it the harmonic of another family",
        ),
        (found.beside > _BESIDE * depth, "a greater line stands one shaft order beside it"),
        (deepest > depth / foreign, "a family that has nothing to do with it is deeper"),
        (chance < NAMED_FROM, f"its probability is {100 * chance:.0f} %"),
    )
    return tuple(text for holds, text in checks if holds)


def _without_twins(parts: list[Part]) -> list[Part]:
    """Where two parts' lines are the same within what can be told apart, neither is named."""
    first = parts[0]
    for other in parts[1:]:
        apart = abs(first.family.standing.order / other.family.standing.order - 1.0)
        near = abs(first.expected_order / other.expected_order - 1.0) < 2.0 * SLIP
        if near and apart < _SAME and {first.name, other.name} != {"ball", "cage"}:
            text = f"the {other.name} has its lines at the same orders"
            first = Part(
                first.name,
                first.expected_order,
                first.family,
                first.deepest,
                first.probability,
                (*first.objections, text),
            )
    return [first, *parts[1:]]
