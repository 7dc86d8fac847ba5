"""The best choice that a budget buys, proven: a mixed-integer program, solved by HiGHS.

The objective is lexicographic: the expected loss of the first class is made as small as it can be;
then, with that held, that of the second class; and so on. Of choices that are equal in all classes
the cheapest counts. Each class is one program, with the classes before it as constraints.

A loss that several parts bear on is a table (`risk.Loss`). It is linear in variables y[s], one for
each way s to buy among these parts: the y are 0 or more and add up to 1, and for each part those of
the ways that buy it add up to its own variable. Where that is 0 or 1, exactly one y is 1, so
nothing is approximated.

Expected losses are compared as whole numbers of millionths of what the class can lose: smaller
differences count as none. The answer is checked in these numbers and in exact money, and what does
not hold is cut off and solved again.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from wrench.errors import WrenchError
from wrench.triage.parts import PartsList
from wrench.triage.risk import Floats, Loss, losses

_STEPS = 1_000_000
_TIE = 0.9  # of a step: what all of the budget counts beside it
_ROUNDING = 1e-12
_SOLVE_S = 120.0
_MOST_CUTS = 50
_SURE = 2.0  # steps; what the relaxed program may be off
_OPTIMAL, _TOO_LONG, _INFEASIBLE = 0, 1, 2

_Row: TypeAlias = tuple[dict[int, float], float, float]
"""A constraint: the factor of each variable, and between what the sum is."""


@dataclass(frozen=True)
class Choice:
    """What is bought, as the parts' numbers in rising order; what that costs; and the expected loss
    of each class, in the list's order."""

    bought: tuple[int, ...]
    cost: Decimal
    expected: tuple[float, ...]


class Market:
    """A list of parts, ready to be asked what a budget buys."""

    def __init__(self, parts: PartsList) -> None:
        """Raises PartsError where too many parts bear on one loss."""
        self.parts = parts
        self.losses = losses(parts)
        self._costs = [part.cost for part in parts.parts]
        numbers = {part.name: number for number, part in enumerate(parts.parts)}
        self.needs = [tuple(numbers[name] for name in part.needs) for part in parts.parts]
        self._classes = [
            [loss for loss in self.losses if loss.criticality == name] for name in parts.order
        ]
        self._scales = [
            _STEPS / most if (most := sum(float(loss.expected.max()) for loss in mine)) else 0.0
            for mine in self._classes
        ]
        self._tables = [
            [np.rint(loss.expected * scale) for loss in mine]
            for mine, scale in zip(self._classes, self._scales, strict=True)
        ]
        self._bears_on: list[list[int]] = [[] for _ in parts.parts]
        for at, loss in enumerate(self.losses):
            for number in loss.parts:
                self._bears_on[number].append(at)
        self._program = _Program(self._classes, self._tables, self.needs, self._costs)

    def best(self, budget: Decimal) -> Choice:
        """The best choice of at most this cost."""
        return self._best(budget)

    def next_better(self, budget: Decimal) -> Choice | None:
        """The best choice of the smallest budget that buys more than this one; None where there is
        nothing better to buy."""
        now = self._steps(self.best(budget).bought)
        cheapest: Decimal | None = None
        for k in range(len(now)):
            if not self._classes[k]:
                continue
            bounds = [*now[:k], now[k] - 1]
            found = self._program.cheapest(bounds, self._steps, budget, cheapest)
            if found is not None:
                cheapest = self.cost(found)
        return None if cheapest is None else self._best(cheapest)

    def expected(self, bought: Sequence[int]) -> tuple[float, ...]:
        """The expected loss of each class where these parts are bought."""
        chosen = set(bought)
        return tuple(
            sum(float(loss.expected[_way(loss, chosen)]) for loss in mine) for mine in self._classes
        )

    def avoided(self, now: set[int], then: set[int]) -> dict[str, float]:
        """By how much each class's expected loss falls from one choice to the other; without the
        classes in which it stays."""
        touched = {at for number in now ^ then for at in self._bears_on[number]}
        fall: dict[str, float] = {}
        for at in sorted(touched):
            loss = self.losses[at]
            less = float(loss.expected[_way(loss, now)] - loss.expected[_way(loss, then)])
            if abs(less) > _ROUNDING * float(loss.expected.max()):
                fall[loss.criticality] = fall.get(loss.criticality, 0.0) + less
        return {name: fall[name] for name in self.parts.order if name in fall}

    def cost(self, bought: Iterable[int]) -> Decimal:
        """What these parts cost."""
        return sum((self._costs[number] for number in bought), Decimal(0))

    @functools.lru_cache(maxsize=8)  # noqa: B019  (a market lives as long as its command)
    def _best(self, budget: Decimal) -> Choice:
        bought = self._program.best(budget, self._steps)
        return Choice(bought, self.cost(bought), self.expected(bought))

    def _steps(self, bought: Sequence[int]) -> tuple[int, ...]:
        chosen = set(bought)
        return tuple(
            sum(int(t[_way(loss, chosen)]) for loss, t in zip(mine, tables, strict=True))
            for mine, tables in zip(self._classes, self._tables, strict=True)
        )


def _way(loss: Loss, chosen: set[int]) -> int:
    return sum(1 << k for k, number in enumerate(loss.parts) if number in chosen)


class _Program:
    """Variables: one for each part, 0 or 1; then those of the tables."""

    def __init__(
        self,
        classes: Sequence[Sequence[Loss]],
        tables: Sequence[Sequence[Floats]],
        needs: Sequence[tuple[int, ...]],
        costs: Sequence[Decimal],
    ) -> None:
        self._count = len(costs)
        self._exact = list(costs)
        self._needs = needs
        self._rows: list[_Row] = [
            ({part: 1.0, other: -1.0}, -np.inf, 0.0)
            for part, others in enumerate(needs)
            for other in others
        ]
        self._width = self._count
        self._objectives: list[tuple[dict[int, float], float]] = [
            self._objective(mine, table) for mine, table in zip(classes, tables, strict=True)
        ]
        self._cost = {number: float(cost) for number, cost in enumerate(costs)}

    def best(self, budget: Decimal, steps: Any) -> tuple[int, ...]:
        """The lexicographic optimum, the cheapest of equal ones."""
        tie = _TIE / (float(budget) or 1.0)
        rows = [*self._rows, (self._cost, -np.inf, float(budget))]
        limits = _Limits(self._width)
        bought: tuple[int, ...] = ()
        last = max((k for k, (terms, _) in enumerate(self._objectives) if terms), default=-1)
        for k, (terms, constant) in enumerate(self._objectives):
            if not terms:
                continue
            wanted = dict(terms)
            if k == last:
                for number, cost in self._cost.items():
                    wanted[number] = wanted.get(number, 0.0) + tie * cost
            found = self._solve(wanted, rows, limits, budget=budget)
            assert found is not None
            bought = found
            self._hold(rows, limits, terms, steps(bought)[k] - constant)
        return bought

    def cheapest(
        self, bounds: Sequence[int], steps: Any, above: Decimal, below: Decimal | None
    ) -> tuple[int, ...] | None:
        """The cheapest choice whose first classes are at most at these steps, and which costs more
        than `above` and less than `below`; None where there is none."""
        # Only what is known of the cost already: it makes the proof several times as quick.
        most = np.inf if below is None else float(below)
        rows = [*self._rows, (self._cost, float(above), most)]
        limits = _Limits(self._width)
        for (terms, constant), bound in zip(self._objectives, bounds, strict=False):
            if not self._hold(rows, limits, terms, bound - constant):
                return None
        return self._solve(
            self._cost,
            rows,
            limits,
            budget=below,
            holds=lambda bought: all(
                now <= bound for now, bound in zip(steps(bought), bounds, strict=False)
            ),
        )

    def _objective(
        self, mine: Sequence[Loss], tables: Sequence[Floats]
    ) -> tuple[dict[int, float], float]:
        """A class's steps as a linear form, and its constant."""
        terms: dict[int, float] = {}
        constant = 0.0
        for loss, table in zip(mine, tables, strict=True):
            if len(loss.parts) == 1:
                (number,) = loss.parts
                constant += table[0]
                terms[number] = terms.get(number, 0.0) + table[1] - table[0]
                continue
            ways = range(self._width, self._width + len(table))
            self._width += len(table)
            self._rows.append((dict.fromkeys(ways, 1.0), 1.0, 1.0))
            for k, number in enumerate(loss.parts):
                row = {way: 1.0 for s, way in enumerate(ways) if s >> k & 1}
                self._rows.append(({**row, number: -1.0}, 0.0, 0.0))
            terms |= dict(zip(ways, map(float, table), strict=True))
        return {number: value for number, value in terms.items() if value}, constant

    def _hold(
        self, rows: list[_Row], limits: _Limits, terms: dict[int, float], bound: float
    ) -> bool:
        """Add that a class stays at most at `bound`, and fix what can then be only 0 or only 1;
        False where nothing is left.

        That is seen in the relaxed program's reduced costs (H. Crowder, E. L. Johnson and M.
        Padberg, Operations Research 31, 1983): it makes what follows several times as quick.
        """
        if not terms:
            return bound > -_SURE
        relaxed = linprog(
            _dense(terms, self._width),
            **_two_sided(rows, self._width),
            bounds=np.column_stack((limits.low, limits.high)),
            method="highs",
        )
        if relaxed.status == _INFEASIBLE:
            return False
        if relaxed.status == _OPTIMAL:
            room = bound + _SURE - relaxed.fun
            if room < 0.0:
                return False
            stay = relaxed.lower.marginals > room
            go = -relaxed.upper.marginals > room
            limits.high = np.where(stay, limits.low, limits.high)
            limits.low = np.where(go, limits.high, limits.low)
        rows.append((terms, -np.inf, bound + 0.5))
        return True

    def _solve(
        self,
        objective: dict[int, float],
        rows: list[_Row],
        limits: _Limits,
        budget: Decimal | None = None,
        holds: Any = None,
    ) -> tuple[int, ...] | None:
        """The optimum that holds exactly; `rows` learns what has to be cut off."""
        aim = _dense(objective, self._width)
        whole = np.zeros(self._width)
        whole[: self._count] = 1
        for _ in range(_MOST_CUTS):
            # SciPy's stubs know of single numbers alone here.
            low: Any = [low for _, low, _ in rows]
            high: Any = [high for _, _, high in rows]
            least: Any = limits.low
            most: Any = limits.high
            with _quiet():
                found = milp(
                    aim,
                    constraints=LinearConstraint(_matrix(rows, self._width), low, high),
                    integrality=whole,
                    bounds=Bounds(least, most),
                    options={"mip_rel_gap": 0.0, "time_limit": _SOLVE_S},
                )
            if found.status == _INFEASIBLE:
                return None
            if found.status == _TOO_LONG:
                raise WrenchError(
                    f"no optimum was proven within {_SOLVE_S:.0f} s; leave out parts that cannot "
                    "matter, and try again"
                )
            if found.status != _OPTIMAL:
                raise WrenchError(
                    f"the solver gave up ({found.message}); write costs and losses in larger units"
                )
            bought = tuple(int(number) for number in np.flatnonzero(found.x[: self._count] > 0.5))
            cost = sum((self._exact[number] for number in bought), Decimal(0))
            if budget is not None and cost > budget:
                # Whatever has all of these is too dear as well.
                rows.append((dict.fromkeys(bought, 1.0), -np.inf, len(bought) - 1.0))
            elif holds is not None and not holds(bought):
                cut = dict.fromkeys(range(self._count), -1.0) | dict.fromkeys(bought, 1.0)
                rows.append((cut, -np.inf, len(bought) - 1.0))
            else:
                return bought
        raise WrenchError(
            "the solver's numbers are not exact enough for this list; write costs and losses in "
            "larger units"
        )


class _Limits:
    """Between which values each variable is."""

    def __init__(self, width: int) -> None:
        self.low = np.zeros(width)
        self.high = np.ones(width)


@contextmanager
def _quiet() -> Iterator[None]:
    """HiGHS, as in SciPy 1.17, writes a line of its own to standard output now and then, whatever
    it is told: it would be in the middle of JSON."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # there is none
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _dense(terms: dict[int, float], width: int) -> Floats:
    vector = np.zeros(width)
    vector[list(terms)] = list(terms.values())
    return vector


def _matrix(rows: Sequence[_Row], width: int) -> sparse.csr_array:
    counts = [len(terms) for terms, _, _ in rows]
    values = [value for terms, _, _ in rows for value in terms.values()]
    places = [place for terms, _, _ in rows for place in terms]
    return sparse.csr_array(
        (values, (np.repeat(np.arange(len(rows)), counts), places)), shape=(len(rows), width)
    )


def _two_sided(rows: Sequence[_Row], width: int) -> dict[str, Any]:
    """The constraints in the form that `linprog` takes."""
    equal = [row for row in rows if row[1] == row[2]]
    above = [
        ({place: -value for place, value in terms.items()}, -np.inf, -low)
        for terms, low, high in rows
        if low != high and low > -np.inf
    ]
    below = [row for row in rows if row[1] != row[2] and row[2] < np.inf] + above
    told: dict[str, Any] = {}
    if below:
        told |= {"A_ub": _matrix(below, width), "b_ub": [high for _, _, high in below]}
    if equal:
        told |= {"A_eq": _matrix(equal, width), "b_eq": [high for _, _, high in equal]}
    return told
