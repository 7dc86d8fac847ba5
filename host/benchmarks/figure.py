"""A measured value beside its target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Figure:
    """One measured value; `target` is a comparison such as ">= 2.0", empty where there is none.

    `spread` is the difference between the greatest and the least where it was measured several
    times, by the luck of seeds and phases; `value` is the worst of them then.
    """

    name: str
    value: float
    unit: str
    target: str = ""
    spread: float = 0.0

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if not self.target:
            return None
        sign, _, limit = self.target.partition(" ")
        return {
            ">=": self.value >= float(limit),
            "<=": self.value <= float(limit),
            "==": self.value == float(limit),
        }[sign]

    @property
    def more_is_better(self) -> bool:
        """Less is, where there is no target."""
        return self.target.startswith(">=")


def worst(measure: Callable[[int], Iterator[Figure]]) -> Iterator[Figure]:
    """Measure the same figures with each of SEEDS, and keep the worst of each."""
    for same in zip(*(list(measure(seed)) for seed in SEEDS), strict=True):
        values = [figure.value for figure in same]
        least, most = min(values), max(values)
        value = least if same[0].more_is_better else most
        yield replace(same[0], value=value, spread=most - least)
