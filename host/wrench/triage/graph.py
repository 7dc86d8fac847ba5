"""Who depends on whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


def circle(edges: Mapping[str, Sequence[str]]) -> list[str]:
    """One circle, with its first name again at its end; empty where there is none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        # Each name of it is a predecessor of the next: against the direction of the edges.
        return list(reversed(error.args[1]))
    return []


def all_of(name: str, edges: Mapping[str, Sequence[str]]) -> set[str]:
    """All that can be reached from `name`, without itself where no circle leads there."""
    reached: set[str] = set()
    waiting = list(edges[name])
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting += edges[one]
    return reached


def causes_first(names: set[str], causes: Mapping[str, Sequence[str]]) -> list[str]:
    """The names in an order in which each comes after its causes among them."""
    within = {name: [one for one in causes[name] if one in names] for name in sorted(names)}
    return list(TopologicalSorter(within).static_order())
