"""A board's settings by name: what it keeps over a power cut. The table is the firmware's."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any

from wrench.link import Frame
from wrench.units import Unit, unit_of_wire

COUNTERS = ("bearings", "boots", "run_seconds", "levels")
"""What the board counts by itself: nobody sets it, and a factory reset leaves it alone."""

_SOURCE = "settings.py"
_TABLE = "TABLE"


@dataclass(frozen=True)
class SettingKind:
    """A row of the firmware's table: name, and unit in words."""

    name: str
    unit: str

    @property
    def readable(self) -> Unit:
        """How its value is written for people."""
        return unit_of_wire(self.unit)


@dataclass(frozen=True)
class Setting:
    """One setting of a board, in the wire's units; `number` is its place in the table."""

    number: int
    kind: SettingKind
    value: int
    factory: int
    least: int
    most: int

    @property
    def name(self) -> str:
        """Its name."""
        return self.kind.name

    @property
    def changed(self) -> bool:
        """True where it is set otherwise than the board file has it."""
        return self.value != self.factory and self.name not in COUNTERS

    def as_json(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "setting": self.name,
            "unit": self.kind.unit,
            "value": self.value,
            "factory": self.factory,
            "least": self.least,
            "most": self.most,
        }


@functools.cache
def kinds() -> tuple[SettingKind, ...]:
    """Every setting of this version's firmware, in the order of its table."""
    source = resources.files("wrench_firmware").joinpath(_SOURCE).read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and [_name(it) for it in node.targets] == [_TABLE]:
            assert isinstance(node.value, ast.Tuple)
            rows = [row for row in node.value.elts if isinstance(row, ast.Tuple)]
            return tuple(SettingKind(*map(ast.literal_eval, row.elts[:2])) for row in rows)
    raise AssertionError(f"{_SOURCE} has no {_TABLE}")


def named(frames: Iterable[Frame]) -> list[Setting]:
    """Settings as the board tells them, in the order of its table."""
    return [
        Setting(
            frame["setting"],
            kinds()[frame["setting"]],
            frame["value"],
            frame["factory"],
            frame["least"],
            frame["most"],
        )
        for frame in frames
    ]


def number_of(name: str) -> int:
    """A setting's place in the table. Raises ValueError with a sentence."""
    for number, kind in enumerate(kinds()):
        if kind.name == name.strip().lower().replace("-", "_"):
            return number
    listed = ", ".join(kind.name for kind in kinds())
    raise ValueError(f"there is no setting {name!r}; there are {listed}")


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""
