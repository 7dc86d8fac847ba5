"""A bearing whose geometry nobody knows: its fault is found as a family of lines with no prior.

Which part it is cannot be told for certain; what can be told is how often something strikes in a
turn, and how its strength comes and goes. An inner race passes the load once a turn, so that its
lines have others beside them at one shaft order; an outer race stands still.
"""

from __future__ import annotations

from dataclasses import dataclass

from wrench.diagnosis.combs import Scores, stand
from wrench.diagnosis.envelopes import EnvelopeLines
from wrench.diagnosis.families import Family, family, strongest

_DEEP = 0.3
_ABOVE_FLOOR = 8.0
_SIGNIFICANT = 0.02
_NARROW = 0.004
_KNOWN = 0.02
_LEAST_EXCESS = 1.5
_SECOND = 2.0
_BESIDE = 0.25
_OUTER_SHARE, _INNER_SHARE = 0.4, 0.6


@dataclass(frozen=True, slots=True)
class Unknown:
    """A family of its own, deep and significant; `comes_and_goes` once a turn or not."""

    family: Family
    comes_and_goes: bool

    @property
    def order(self) -> float:
        """How often something strikes in a turn of the shaft."""
        return self.family.standing.order

    @property
    def elements(self) -> int:
        """How many rolling elements a bearing would have with this fault: 0.4 of them pass a spot
        on the outer race in a turn, 0.6 one on the inner, for usual dimensions."""
        return round(self.order / (_INNER_SHARE if self.comes_and_goes else _OUTER_SHARE))


def find(lines: EnvelopeLines, scores: Scores, known: tuple[float, ...] = ()) -> Unknown | None:
    """The deepest family that is none of the `known` orders, nor twice or half of one, nor the
    shaft's; None where none is deep and significant."""

    def is_known(order: float) -> bool:
        ratios = (order / (one * simple) for one in known for simple in (0.5, 1.0, 2.0))
        return any(abs(ratio - 1.0) < _KNOWN for ratio in ratios)

    order, depth = strongest(lines, scores, is_known)
    if depth < _DEEP:
        return None
    standing = stand(scores, order, slip=_NARROW)
    found = family(lines, standing)
    if standing.p > _SIGNIFICANT or standing.excess < _LEAST_EXCESS:
        return None
    if found.depth < max(_DEEP, _ABOVE_FLOOR * found.floor):
        return None
    if found.is_beat or found.harmonics[1] < _SECOND * found.floor:
        return None
    return Unknown(found, found.beside > _BESIDE * found.depth)
