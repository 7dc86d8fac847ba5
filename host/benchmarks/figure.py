"""A measured value beside its target."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value; `target` is a comparison such as ">= 2.0", empty where there is none."""

    name: str
    value: float
    unit: str
    target: str = ""

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
