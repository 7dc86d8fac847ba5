"""The diagnosis on synthetic machines: how often it names what is not there, and whether its
confidence is what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wrench.boards.schema import Bearing
from wrench.diagnosis.bearings import fault_orders
from wrench.diagnosis.combs import SLIP
from wrench.diagnosis.diagnose import Diagnosis, Machine, diagnose
from wrench.diagnosis.evaluation import NAMES_A_FAULT, bound, try_decoys
from wrench.diagnosis.reliability import Claim, gathered, lines
from wrench.diagnosis.synthetic import (
    NOTHING_TO_NAME,
    OF_BEARING,
    STATES,
    Drawn,
    State,
    any_bearing,
    draw,
)
from wrench.diagnosis.window import Window

WRONG_GEOMETRY = 0.3
"""Share of the machines with a damaged race or ball whose bearing is told wrongly."""
_VERDICTS = {
    "healthy": ("healthy",),
    "unbalance": ("unbalance/misalignment",),
    "misalignment": ("unbalance/misalignment",),
    "inner": ("inner race",),
    "outer": ("outer race",),
    "ball": ("ball/cage",),
    "cage": ("ball/cage",),
    "rub": ("rub/lubrication",),
    "lubrication": ("rub/lubrication", "healthy"),
    "impulses": ("healthy",),
    "gears": ("healthy",),
    "foreign": ("healthy",),
}
# Meshes of gears and blows of anything make families of their own, which decoys may hit.
_WITHOUT_FAMILIES = ("healthy", "unbalance", "misalignment", "lubrication", "impulses")
_OF_BEARING = ("inner race", "outer race", "ball/cage")


@dataclass(frozen=True, slots=True)
class Tried:
    """A synthetic machine and what was said of it; `is_wrong_geometry` where the bearing that was
    told is another."""

    drawn: Drawn
    is_wrong_geometry: bool
    verdict: str
    confidence: float | None
    rank: int
    decoys: int
    decoys_below: int

    @property
    def names_a_bearing(self) -> bool:
        """Names a part of the bearing."""
        return self.verdict in _OF_BEARING

    @property
    def is_right(self) -> bool:
        """Names what is there."""
        return self.verdict in self.true_verdicts

    @property
    def true_verdicts(self) -> tuple[str, ...]:
        """What may be said. The cage of a bearing that is told wrongly is hardly another."""
        return _VERDICTS[self.drawn.state]


@dataclass
class Trial:
    """All of them."""

    tried: list[Tried] = field(default_factory=list)

    @property
    def claims(self) -> list[Claim]:
        """Named faults with their confidence."""
        return [
            Claim(one.confidence, one.is_right)
            for one in self.tried
            if one.confidence is not None and one.verdict in NAMES_A_FAULT
        ]

    def totals(self) -> dict[str, str]:
        """What it comes to, in words."""
        found: dict[str, str] = {}
        for state in STATES:
            of_state = [
                one for one in self.tried if one.drawn.state == state and not one.is_wrong_geometry
            ]
            if not of_state:
                continue
            said = Counter(one.verdict for one in of_state)
            text = ", ".join(f"{name} {count}" for name, count in said.most_common())
            found[f"{state} ({len(of_state)})"] = text
        nothing = [one for one in self.tried if one.drawn.state in NOTHING_TO_NAME]
        found["false names where the bearing is sound"] = _share(
            sum(one.names_a_bearing for one in nothing), len(nothing)
        )
        misled = [one for one in self.tried if one.is_wrong_geometry]
        found["names with a wrong geometry"] = _share(
            sum(one.names_a_bearing and one.verdict not in one.true_verdicts for one in misled),
            len(misled),
        )
        for state in OF_BEARING:
            strong = [
                one
                for one in self.tried
                if one.drawn.state == state
                and not one.is_wrong_geometry
                and one.drawn.snr_db > -6.0
            ]
            found[f"{state}, -6 dB and more: named right, ranked first"] = (
                f"{sum(one.is_right for one in strong)}, {sum(one.rank == 1 for one in strong)} "
                f"of {len(strong)}"
            )
        decoys = sum(one.decoys for one in self.tried)
        below = sum(one.decoys_below for one in self.tried)
        found["decoys at p < 0.05"] = (
            f"{_share(below, decoys)} (5 % are due, {100 * bound(decoys):.1f} % allowed by chance)"
        )
        if self.claims:
            whole = gathered(self.claims)
            found["named"] = (
                f"said {whole.confidence:.3f}, right {whole.accuracy:.3f} of {whole.count}"
            )
        for number, text in enumerate(lines(self.claims), 1):
            found[f"reliability {number}"] = text
        return found

    def rows(self) -> list[dict[str, Any]]:
        """One for each, for programs."""
        return [
            {
                "state": one.drawn.state,
                "snr_db": None if one.drawn.snr_db != one.drawn.snr_db else one.drawn.snr_db,
                "rate_hz": one.drawn.rate_hz,
                "speed_hz": one.drawn.speed_hz,
                "wrong_geometry": one.is_wrong_geometry,
                "verdict": one.verdict,
                "confidence": one.confidence,
                "rank": one.rank,
            }
            for one in self.tried
        ]


def run(count: int, seed: int) -> Trial:
    """Judge `count` machines, all states in turn. The same seed gives the same machines."""
    return Trial(list(each(count, seed)))


def each(count: int, seed: int) -> Iterator[Tried]:
    """The same, one after the other."""
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        state = STATES[number % len(STATES)]
        drawn = draw(generator, state)
        bearing, is_wrong = drawn.bearing, False
        if state in ("inner", "outer", "ball") and generator.random() < WRONG_GEOMETRY:
            bearing, is_wrong = _another(generator, drawn.bearing, state), True
        window = Window(drawn.acceleration_g, drawn.rate_hz, ("x",), 60.0 * drawn.told_speed_hz)
        found = diagnose(window, Machine(bearing=bearing))
        below, decoys = 0, 0
        if state in _WITHOUT_FAMILIES:
            below, decoys = try_decoys(found, bearing, generator)
        yield Tried(
            drawn, is_wrong, found.verdict, found.confidence, _rank(found, state), decoys, below
        )


def _rank(found: Diagnosis, state: State) -> int:
    alike = ("ball", "cage") if state in ("ball", "cage") else (state,)
    for place, part in enumerate(found.parts, 1):
        if part.name in alike:
            return place
    return 0


def _another(generator: np.random.Generator, bearing: Bearing, state: State) -> Bearing:
    """A bearing none of whose faults would show where this one's does."""
    true = fault_orders(bearing)[state]
    while True:
        other = any_bearing(generator)
        orders = fault_orders(other)
        if all(abs(true / orders[part] - 1.0) > 2.5 * SLIP for part in ("inner", "outer", "ball")):
            return other


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.1f} %)" if whole else "0 of 0"
