"""A stretch of device time as the outside of a board has seen it. All times are device time in ns
from when power first came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wrench.bench.emulator.traffic import Transfer


@dataclass(frozen=True)
class Line:
    """A pin to be shown under a name. Of a `pwm` one its duty is shown besides. A picture looks
    closely at the last edge of the line that is `watched`, where it knows of nothing better."""

    name: str
    gpio: int
    pwm: bool = False
    watched: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a line did during one step of the bench.

    `edges` counts them all; `edges_ns` holds all of them, or where there were too many the first
    ones and the last. `high` is the exact share of the time for which it was high, `before` and
    `after` are its levels at both ends.
    """

    begin_ns: float
    end_ns: float
    before: int
    after: int
    high: float
    edges: int
    edges_ns: Sequence[float]

    @property
    def unknown_ns(self) -> tuple[float, float] | None:
        """Where there were more edges than are known, from the last known one before to the first
        after; None where all are."""
        if self.edges <= len(self.edges_ns):
            return None
        if len(self.edges_ns) < 2:
            return self.begin_ns, self.end_ns
        return self.edges_ns[-2], self.edges_ns[-1]

    def changes(self) -> Iterator[tuple[float, int | None]]:
        """Its edges, and the level after each; None where it is not known from there on."""
        level = self.before
        unknown = self.unknown_ns
        known = self.edges_ns if unknown is None else self.edges_ns[:-2]
        for at_ns in known:
            level = 1 - level
            yield at_ns, level
        if unknown is not None:
            yield unknown[0], None
            yield unknown[1], self.after


@dataclass(frozen=True)
class LineSeen:
    """A line over the time of an excerpt, step by step; of its beginning nothing may be known."""

    line: Line
    stretches: tuple[Stretch, ...]

    def changes(self) -> Iterator[tuple[float, int | None]]:
        """Its level at the beginning, and every change of it; None while it is not known."""
        if not self.stretches:
            return
        level: int | None = self.stretches[0].before
        yield self.stretches[0].begin_ns, level
        for stretch in self.stretches:
            for at_ns, new in stretch.changes():
                if new != level:
                    level = new
                    yield at_ns, new

    def last_edge_ns(self) -> float | None:
        """When it last changed; None where it did not."""
        return next((one.edges_ns[-1] for one in reversed(self.stretches) if one.edges_ns), None)


@dataclass(frozen=True)
class Lane:
    """What went over one bus to one chip, or over one function of USB in one direction."""

    name: str
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True)
class Note:
    """Something that was done to the board, or told by it: `by` is "test", "host" or "board".
    What was done `times` in a row is one note, until `last_ns`."""

    time_ns: float
    text: str
    by: str = "test"
    times: int = 1
    last_ns: float = 0.0

    def again(self, time_ns: float) -> Note:
        """The same once more."""
        return replace(self, times=self.times + 1, last_ns=time_ns)


@dataclass(frozen=True)
class Told:
    """What was said over the board's own protocol: `states` are named, each with its changes;
    `notes` are single happenings."""

    states: Mapping[str, Sequence[tuple[float, str]]] = field(default_factory=dict)
    notes: Sequence[Note] = ()


@dataclass(frozen=True)
class Excerpt:
    """Everything seen between `begin_ns` and `end_ns`.

    `powered` holds the state at the beginning and every change; `flash_writes` and `resets` are as
    in `StepSeen`. `states` are what the board has told of itself; the first of each may be older.
    `failure` is what went wrong, at its instant where that is known (`exact`). `missing` tells in
    sentences what could not be seen.
    """

    begin_ns: float
    end_ns: float
    lines: tuple[LineSeen, ...] = ()
    powered: tuple[tuple[float, bool], ...] = ()
    resets: tuple[tuple[float, int], ...] = ()
    flash_writes: tuple[tuple[str, float, float], ...] = ()
    lanes: tuple[Lane, ...] = ()
    states: Mapping[str, Sequence[tuple[float, str]]] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    failure: Note | None = None
    exact: bool = False
    missing: tuple[str, ...] = ()

    @property
    def watched(self) -> LineSeen | None:
        """The line to look at closely."""
        return next((seen for seen in self.lines if seen.line.watched), None)
