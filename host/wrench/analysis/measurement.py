"""What was measured, whatever file it comes from: the one input of the analysis.

Times are seconds since the measurement began, which was at `Measurement.device_start_s` of device
time where a board measured.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from wrench.boards.schema import Bearing, Board

FloatArray: TypeAlias = npt.NDArray[np.float64]

PIECE_SAMPLES = 1 << 18
"""Most samples of a piece: 82 s at 3,200 Hz, 6 MB of three axes."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Waveform without a gap: `acceleration_g` (n, axes), NaN where a sample is no number.

    `start_s` is the time of the first sample, `end_s` one interval after the last.
    """

    start_s: float
    end_s: float
    acceleration_g: FloatArray


def longest_run(pieces: Iterable[Piece], rate_hz: float) -> list[Piece]:
    """The longest run of pieces that continue each other, the last of several; empty without
    pieces."""
    best: list[Piece] = []
    run: list[Piece] = []
    samples = most = 0
    for piece in pieces:
        if run and abs(piece.start_s - run[-1].end_s) > 0.5 / rate_hz:
            run, samples = [], 0
        run = [*run, piece]
        samples += len(piece.acceleration_g)
        if samples >= most:
            best, most = run, samples
    return best


class Waveform(Protocol):
    """Acceleration that is read piece by piece, so that its length does not matter."""

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the columns."""
        ...

    @property
    def rate_hz(self) -> float:
        """Samples a second, as measured where a board measured."""
        ...

    def pieces(self, start_s: float, end_s: float) -> Iterator[Piece]:
        """What lies in start_s <= time < end_s, in order, at most PIECE_SAMPLES at a time. A piece
        that continues the one before begins where that one ends."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """One axis without a gap, all of it finite: `values` (n,) in g."""

    start_s: float
    end_s: float
    values: FloatArray


def parts(piece: Piece, axis: int) -> list[Part]:
    """One axis of a piece, cut at samples that are no numbers."""
    values = piece.acceleration_g[:, axis]
    finite = np.isfinite(values)
    if finite.all():
        return [Part(piece.start_s, piece.end_s, values)] if len(values) else []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], finite, [False]])))
    interval_s = (piece.end_s - piece.start_s) / len(values)
    return [
        Part(
            piece.start_s + first * interval_s,
            piece.start_s + after * interval_s,
            values[first:after],
        )
        for first, after in edges.reshape(-1, 2)
    ]


@dataclass(frozen=True, slots=True)
class Series:
    """A quantity over time: `time_s` (n,) rising, `value` (n,), NaN where it is not known."""

    time_s: FloatArray
    value: FloatArray

    def __len__(self) -> int:
        return len(self.time_s)

    @property
    def is_known(self) -> bool:
        """There is a number in it."""
        return bool(np.isfinite(self.value).any())

    def within(self, start_s: float, end_s: float) -> Series:
        """What lies in start_s <= time <= end_s."""
        first, after = np.searchsorted(self.time_s, [start_s, np.nextafter(end_s, np.inf)])
        return Series(self.time_s[first:after], self.value[first:after])


@dataclass(frozen=True, slots=True)
class Happening:
    """An event as the board told it; `detail` and `value` by `name`, as docs/wire.md says."""

    time_s: float
    name: str
    detail: int
    value: int | None


@dataclass(frozen=True, slots=True)
class State:
    """What a board was in from `time_s` on: names of `wire.MODES`, `LIMITS` and `FAULTS`; `alarms`
    are those that stood."""

    time_s: float
    mode: str
    limit: str
    fault: str
    alarms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Loss:
    """What did not arrive: `count` of `what`, "samples lost by the sensor" for instance."""

    what: str
    count: int


@dataclass(frozen=True)
class Measurement:
    """One recording.

    `trends` holds series by quantity and then by line: "velocity" by axis, "temperature" by place,
    "speed" by "measured" and "commanded". Keys and units are those of `wrench.analysis.trend`.
    `identity` tells who measured, in words, in the order in which it is to be shown. `missing` says
    in sentences what the file does not have, `damage` what of it could not be read, `notes` what
    was done to what it has. `states` are what the board was in, one for each change, in order.
    `in_snippets` says that the waveform was recorded now and then: what lies between was not lost.
    `speed_from` says in words where the speed comes from.
    """

    source: str
    duration_s: float
    waveform: Waveform | None = None
    speed_rpm: Series | None = None
    speed_from: str = "as given"
    trends: Mapping[str, Mapping[str, Series]] = field(default_factory=dict)
    happenings: tuple[Happening, ...] = ()
    states: tuple[State, ...] = ()
    board: Board | None = None
    bearing: Bearing | None = None
    identity: Mapping[str, str] = field(default_factory=dict)
    losses: tuple[Loss, ...] | None = None
    device_start_s: float | None = None
    began: dt.datetime | None = None
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    in_snippets: bool = False

    def date(self, time_s: float) -> dt.datetime | None:
        """The wall time at `time_s`, where the wall time is known."""
        return None if self.began is None else self.began + dt.timedelta(seconds=time_s)

    def state_at(self, time_s: float) -> State | None:
        """What the board was in at `time_s`: as it had told last, or else as it told first; None
        where it has told nothing."""
        told = [state for state in self.states if state.time_s <= time_s] or self.states[:1]
        return told[-1] if told else None


class SampledWaveform:
    """A waveform in memory: snippets (k, n, axes) in g that began at `starts_s` (k,). See
    `Waveform`."""

    def __init__(
        self,
        snippets: npt.NDArray[np.floating],
        rate_hz: float,
        axes: tuple[str, ...],
        starts_s: FloatArray | None = None,
    ) -> None:
        count, length, columns = snippets.shape
        if columns != len(axes):
            raise ValueError(f"{columns} columns for the axes {axes}")
        self._snippets = snippets
        self.rate_hz = rate_hz
        self.axes = axes
        self._starts_s = np.arange(count) * length / rate_hz if starts_s is None else starts_s

    @property
    def duration_s(self) -> float:
        """To the end of the last snippet."""
        return float(self._starts_s[-1]) + self._snippets.shape[1] / self.rate_hz

    def pieces(self, start_s: float, end_s: float) -> Iterator[Piece]:
        """See `Waveform.pieces`."""
        rate_hz = self.rate_hz
        for began_s, snippet in zip(self._starts_s.tolist(), self._snippets, strict=True):
            first = max(0, int(np.ceil((start_s - began_s) * rate_hz - 1e-6)))
            after = min(len(snippet), int(np.ceil((end_s - began_s) * rate_hz - 1e-6)))
            for at in range(first, after, PIECE_SAMPLES):
                cut = snippet[at : min(after, at + PIECE_SAMPLES)].astype(np.float64)
                yield Piece(began_s + at / rate_hz, began_s + (at + len(cut)) / rate_hz, cut)
