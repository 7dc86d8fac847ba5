"""A list of parts from a CSV file, with everything that is wrong in it told by its line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from wrench.errors import PartsError
from wrench.triage import cells, graph
from wrench.triage.chances import Watcher, from_rate
from wrench.triage.parts import BETA, ORDER, Part, PartsList
from wrench.triage.table import Row, Table, read_table

COLUMNS = {
    "part": "its name",
    "class": "its criticality class",
    "cost": "of a new one",
    "probability": "that it fails within the horizon, 0 to 1 or with %",
    "rate": "of failures, such as 0.3/year, where no probability is given",
    "board": "the board that watches it",
    "loss": "what its failure costs",
    "new_probability": "that a new one fails within the horizon",
    "needs": "parts without which a new one is of no use, A | B",
    "cause": "a name that parts with a common cause share",
    "beta": "the common cause's share of its failures",
    "raises": "parts that its failure makes fail, with the probability, A: 0.4 | B: 20 %",
    "function": "a name that parts share which stand in for each other",
}
"""The columns that a list may have, and what is in them."""

_MUST = ("part", "class", "cost")
_PROBLEMS_TOLD = 3
_MOST = Decimal(10) ** 15
T = TypeVar("T")


def read(
    path: Path,
    horizon_h: float | None = None,
    order: Sequence[str] = ORDER,
    watcher: Watcher | None = None,
) -> PartsList:
    """Read a list of parts; `horizon_h` turns rates and boards' estimates into probabilities.

    Raises PartsError with the lines where the file is not usable.
    """
    return _Reader(read_table(path), horizon_h, order, watcher).read()


class _Reader:
    def __init__(
        self,
        table: Table,
        horizon_h: float | None,
        order: Sequence[str],
        watcher: Watcher | None,
    ) -> None:
        self._table = table
        self._horizon_h = horizon_h
        self._order = {_folded(name): name for name in order}
        self._watcher = watcher
        self._problems: list[str] = []
        self._units: dict[str, tuple[str, str]] = {}
        self._mark: cells.Mark | None = None
        self._columns = self._find_columns()

    def read(self) -> PartsList:
        parts = [part for row in self._table.rows if (part := self._part(row)) is not None]
        self._refuse()
        if not parts:
            raise PartsError(f"{self._table.name} has no parts; give a line for each")
        self._across(parts)
        self._refuse()
        # Classes that the list has none of stay: the order is the user's.
        return PartsList(
            tuple(parts),
            tuple(self._order.values()),
            self._units.get("cost", ("", ""))[0],
            self._units.get("loss", ("", ""))[0],
        )

    def _find_columns(self) -> dict[str, int]:
        header, where = self._table.header, f"{self._table.name}, line {self._table.header.line}"
        found: dict[str, int] = {}
        unknown: list[str] = []
        for number, text in enumerate(header.cells):
            name, unit = cells.name_and_unit(text)
            if name.startswith("rate_per_"):
                name, unit = "rate", name.removeprefix("rate")
            if name in found:
                raise PartsError(f"{where}: two columns are called {name!r}; rename one of them")
            if name in COLUMNS:
                found[name] = number
                if unit:
                    self._units[name] = (unit, f"line {header.line}")
            elif text and not text.startswith("#"):
                unknown.append(text)
        if not any(name in found for name in _MUST):
            raise PartsError(
                f"{where}: this names no columns; put a line such as part,class,cost,probability "
                "above the parts"
            )
        if unknown:
            close = difflib.get_close_matches(_folded(unknown[0]), COLUMNS, 1)
            meant = f"did you mean {close[0]}" if close else f"there are {', '.join(COLUMNS)}"
            raise PartsError(
                f"{where}: there is no column {unknown[0]!r}; {meant}, or begin its name with # to "
                "have it left out"
            )
        missing = [name for name in _MUST if name not in found]
        if missing:
            raise PartsError(
                f"{where}: there is no column {missing[0]!r}; add it ({COLUMNS[missing[0]]})"
            )
        if not {"probability", "rate", "board"} & set(found):
            raise PartsError(
                f"{where}: nothing tells how likely a part is to fail; add a column probability or "
                "rate"
            )
        return found

    def _refuse(self) -> None:
        if not self._problems:
            return
        told = "; ".join(self._problems[:_PROBLEMS_TOLD])
        more = len(self._problems) - _PROBLEMS_TOLD
        raise PartsError(f"{self._table.name}, {told}" + (f"; and {more} more" if more > 0 else ""))

    def _part(self, row: Row) -> Part | None:
        before = len(self._problems)
        name = self._cell(row, "part")
        if not name:
            self._say(row, "the part has no name; give it one")
        given = "rate" if self._cell(row, "rate") else "probability"
        chance = self._try(row, given, lambda: self._chance(row))
        raises = self._try(row, "raises", lambda: self._raises(row))
        cost = self._try(row, "cost", lambda: self._amount(row, "cost"))
        if cost is None and len(self._problems) == before:
            self._say(row, "cost is missing; write what a new one costs")
        loss = self._try(row, "loss", lambda: self._amount(row, "loss"))
        new = self._try(row, "new_probability", lambda: self._probability(row, "new_probability"))
        beta = self._try(row, "beta", lambda: self._probability(row, "beta"))
        criticality = self._try(row, "class", lambda: self._class(row))
        if len(self._problems) > before:
            return None
        assert chance is not None
        assert cost is not None
        return Part(
            name=name,
            criticality=criticality or "",
            cost=cost,
            probability=chance,
            loss=float(loss) if loss is not None else -1.0,
            new_probability=new or 0.0,
            needs=_names(self._cell(row, "needs")),
            cause=self._cell(row, "cause"),
            beta=BETA if beta is None else beta,
            raises=raises or {},
            function=self._cell(row, "function"),
            line=row.line,
        )

    def _class(self, row: Row) -> str:
        text = self._cell(row, "class")
        if _folded(text) not in self._order:
            known = ", ".join(self._order.values())
            told = f"{text!r} is none of" if text else "it is missing; choose one of"
            raise ValueError(f"{told} {known}; name your own with --order, the first first")
        return self._order[_folded(text)]

    def _chance(self, row: Row) -> float:
        given, rate = self._cell(row, "probability"), self._cell(row, "rate")
        board = self._cell(row, "board")
        if given and rate:
            raise ValueError("a probability and a rate are given; leave one of them out")
        if board and self._watcher is not None and self._horizon_h is not None:
            told = self._watcher.failure_probability(board, self._horizon_h)
            if told is not None:
                return told
        if given:
            chance = self._probability(row, "probability")
            assert chance is not None
            return chance
        if rate:
            return self._from_rate(row, rate)
        if board:
            raise ValueError(f"nothing is known of board {board!r} yet; give a probability or rate")
        raise ValueError("it is missing; write how likely the part is to fail, as 0.12 or 12 %")

    def _from_rate(self, row: Row, text: str) -> float:
        value, unit = self._number(row, text)
        unit = unit or self._units.get("rate", ("", ""))[0]
        if value < 0:
            raise ValueError(f"rate {text!r} is below 0; write 0 or more failures")
        if not unit:
            raise ValueError(f"rate {text!r} has no unit; write it as {text}/year or {text}/h")
        hours = cells.hours_of(unit)
        if self._horizon_h is None:
            raise ValueError("a rate needs a horizon; say how far to look with --horizon, as 56d")
        return from_rate(float(value) / hours, self._horizon_h)

    def _probability(self, row: Row, column: str) -> float | None:
        text = self._cell(row, column)
        if not text:
            return None
        value, unit = self._number(row, text)
        return cells.probability(value, unit or self._units.get(column, ("", ""))[0], text)

    def _amount(self, row: Row, column: str) -> Decimal | None:
        """Of money, or of what is lost, with the unit that it has everywhere in the column."""
        text = self._cell(row, column)
        if not text:
            return None
        before = re.match(r"([^\d\s+\-.,]+)\s*(?=[\d.,+-])", text)
        value, unit = self._number(row, text[before.end() :] if before else text)
        unit = unit or (before[1] if before else "")
        if unit:
            known, where = self._units.setdefault(column, (unit, f"line {row.line}"))
            if known != unit:
                raise ValueError(f"it is in {unit} here and in {known} in {where}; write one unit")
        if value < 0:
            raise ValueError(f"{text!r} is below 0; write 0 or more")
        if value > _MOST:
            raise ValueError(f"{text!r} is beyond all bounds; write less than 1e15")
        return value

    def _raises(self, row: Row) -> dict[str, float]:
        raised: dict[str, float] = {}
        for one in _names(self._cell(row, "raises")):
            name, _, text = one.rpartition(":")
            if not name:
                raise ValueError(f"{one!r} has no probability; write it as {one}: 0.4")
            if name.strip() in raised:
                raise ValueError(f"{name.strip()!r} is there twice; leave one of them out")
            value, unit = self._number(row, text.strip())
            raised[name.strip()] = cells.probability(value, unit, text.strip())
        return raised

    def _number(self, row: Row, text: str) -> tuple[Decimal, str]:
        value, unit, mark = cells.number(text, self._mark)
        self._mark = self._mark or mark
        return value, unit

    def _across(self, parts: list[Part]) -> None:
        first: dict[str, Part] = {}
        for part in parts:
            if part.name in first:
                self._tell(
                    part,
                    f"{part.name!r} is in line {first[part.name].line} already; give each part a "
                    "name of its own",
                )
            first.setdefault(part.name, part)
        for part in parts:
            for column, others in (("needs", part.needs), ("raises", tuple(part.raises))):
                for other in others:
                    if other == part.name:
                        self._tell(part, f"{part.name!r} {column} itself; leave that out")
                    elif other not in first:
                        close = difflib.get_close_matches(other, first, 1)
                        hint = f"did you mean {close[0]!r}" if close else "add it, or leave it out"
                        self._tell(part, f"{column} {other!r}, which is not in the list; {hint}")
        self._refuse()
        for column, edges in (
            ("needs", {part.name: part.needs for part in parts}),
            ("raises", {part.name: tuple(part.raises) for part in parts}),
        ):
            circle = graph.circle(edges)
            if circle:
                advice = (
                    "make one part of those that are of use only together"
                    if column == "needs"
                    else "leave out the weakest of them"
                )
                self._tell(
                    first[circle[0]], f"{column} goes in a circle: {' -> '.join(circle)}; {advice}"
                )
        self._groups(parts)
        self._losses(parts)

    def _groups(self, parts: list[Part]) -> None:
        causes: dict[str, Part] = {}
        functions: dict[str, Part] = {}
        for part in parts:
            if part.cause:
                one = causes.setdefault(part.cause, part)
                if one.beta != part.beta:
                    self._tell(
                        part,
                        f"beta is {part.beta:g} here and {one.beta:g} in line {one.line} for the "
                        f"cause {part.cause!r}; write one",
                    )
            if part.function:
                one = functions.setdefault(part.function, part)
                if (one.loss, one.criticality) != (part.loss, part.criticality):
                    self._tell(
                        part,
                        f"loss and class are not those of line {one.line}, which has the same "
                        f"function {part.function!r}; write that function's in both",
                    )

    def _losses(self, parts: list[Part]) -> None:
        """A class has losses, or it has none and failures are counted."""
        for name in self._order.values():
            mine = [part for part in parts if part.criticality == name]
            without = [part for part in mine if part.loss < 0]
            if without and len(without) < len(mine):
                self._tell(
                    without[0],
                    f"loss is missing, and others of {name} have one; write it in all lines of a "
                    "class, or in none to count failures",
                )
        for number, part in enumerate(parts):
            if part.loss < 0:
                parts[number] = Part(**{**vars(part), "loss": 1.0})

    def _cell(self, row: Row, column: str) -> str:
        return row.cells[self._columns[column]] if column in self._columns else ""

    def _try(self, row: Row, column: str, take: Callable[[], T]) -> T | None:
        try:
            return take()
        except ValueError as error:
            text = str(error)
            self._say(row, text if text.startswith(("a ", "rate ")) else f"{column}: {text}")
            return None

    def _say(self, row: Row, what: str) -> None:
        self._problems.append(f"line {row.line}: {what}")

    def _tell(self, part: Part, what: str) -> None:
        self._problems.append(f"line {part.line}: {what}")


def _folded(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text.strip().lower())


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.strip() for one in text.split("|") if one.strip()))
