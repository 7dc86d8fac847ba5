"""Keeps what the outside of a board saw in the last seconds, at next to no cost while all is well.

timeline = Timeline(bench, [Line("LED", 25)], serial=["console"])
timeline.note("the button is pressed")
...
write(timeline.excerpt(), folder, "it-failed")
"""

from __future__ import annotations

import inspect
import itertools
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from wrench.bench.emulator import StepSeen
from wrench.bench.emulator.traffic import BOOT_ROM, Edges, Trace, Transfer
from wrench.bench.virtual import VirtualBench
from wrench.errors import BenchError
from wrench.hil.observation.excerpt import Excerpt, Lane, Line, LineSeen, Note, Stretch, Told

KEPT_S = 10.0
_NOTES_KEPT = 1_000
_SAME_WITHIN_NS = 20e6
_SET_CONTROL_LINE_STATE = b"\x21\x22"  # USB CDC PSTN 1.2, section 6.3.12; bit 0 of the value is DTR

Explain = Callable[[Sequence[Transfer], Sequence[float]], Told]
"""What has been said over the board's own protocol, from what crossed USB, by its beginning, and
from when the board began anew, in ns."""


class Timeline:
    """What a bench's board did in its last `kept_s` of device time.

    `lines` are the pins to show. Those that the bench does not watch are known where it has been
    made with `trace`, and so are the buses and USB. `chips` names what is on the
    buses, by "spi" or "i2c", the bus's number, and the device's index or address; `serial` names
    the USB functions in order. `explain` reads the board's own protocol.
    `busy_alone` leaves out pins on which nothing has happened.
    """

    def __init__(
        self,
        bench: VirtualBench,
        lines: Sequence[Line],
        *,
        name: str = "",
        chips: Mapping[tuple[str, int | None, int], str] | None = None,
        serial: Sequence[str] = (),
        explain: Explain | None = None,
        kept_s: float = KEPT_S,
        busy_alone: bool = False,
    ) -> None:
        self.name = name
        self._bench = bench
        self._lines = tuple(lines)
        self._chips = dict(chips or {})
        self._serial = tuple(serial)
        self._explain = explain
        self._kept_ns = kept_s * 1e9
        self._busy_alone = busy_alone
        self._steps: deque[tuple[float, StepSeen]] = deque()
        self._notes: deque[Note] = deque(maxlen=_NOTES_KEPT)
        self._began_ns: list[float] = [0.0]
        self._powered = True
        self._end_ns = bench.seen.now_ns if bench.seen else 0.0
        self._failure: Note | None = None
        self._exact = False
        bench.on_step.insert(0, self._watch)  # before those that may raise

    def _watch(self, seen: StepSeen) -> None:
        begin_ns, self._end_ns = self._end_ns, seen.now_ns
        self._steps.append((begin_ns, seen))
        while self._steps[0][1].now_ns < seen.now_ns - self._kept_ns:
            self._steps.popleft()
        if seen.powered and not self._powered:
            self._began_ns.append(begin_ns)
        self._powered = seen.powered
        self._began_ns += [at_ns for at_ns, _ in seen.resets]

    @property
    def now_s(self) -> float:
        """Device time up to which it has seen."""
        return self._end_ns / 1e9

    def note(self, text: str, after_ns: float = 0.0) -> None:
        """Something is done to the board `after_ns` into the next step. The same note at step after
        step is one."""
        at_ns = self._bench.next_ns + after_ns
        last = self._notes[-1] if self._notes else None
        if last and last.text == text and at_ns - max(last.last_ns, last.time_ns) < _SAME_WITHIN_NS:
            self._notes[-1] = last.again(at_ns)
        else:
            self._notes.append(Note(at_ns, text))

    def note_calls(self, of: object, names: Sequence[str], what: str = "") -> None:
        """Note every call of these methods of an object from now on; `what` is put first."""
        for name in names:
            self._note_calls(of, name, f"{what} {name}".strip().replace("_", " "))

    def _note_calls(self, of: object, name: str, what: str) -> None:
        method = getattr(of, name)

        parameters = inspect.signature(method).parameters
        names = list(parameters)
        defaults = {name: it.default for name, it in parameters.items()}

        def noted(*args: Any, **kwargs: Any) -> Any:
            given = dict(zip(names, args, strict=False)) | kwargs
            # `at_...` says that the delay is not from now.
            later = any(value for key, value in given.items() if key.startswith("at_"))
            after_ns = 0.0 if later else given.pop("after_ns", 0.0)
            by_place = names[: len(args)]
            shown = [
                _shown(value) if key in by_place else f"{key}={_shown(value)}"
                for key, value in given.items()
                if key in by_place or key not in defaults or value != defaults[key]
            ]
            self.note(" ".join([what, *shown]), after_ns)
            return method(*args, **kwargs)

        setattr(of, name, noted)

    def fail(self, text: str, time_s: float | None = None) -> None:
        """What went wrong, and when in device time; where that is not given, by now. The first
        counts."""
        if self._failure is None:
            at_ns = self._end_ns if time_s is None else time_s * 1e9
            self._failure = Note(at_ns, text)
            self._exact = time_s is not None

    def excerpt(self, last_s: float | None = None) -> Excerpt:
        """All that is kept, or the last `last_s` of it; lets no time pass."""
        end_ns = self._end_ns
        since_ns = end_ns - (self._kept_ns if last_s is None else last_s * 1e9)
        steps = [step for step in self._steps if step[1].now_ns > since_ns]
        if not steps:
            return Excerpt(end_ns, end_ns, failure=self._failure, exact=self._exact)
        begin_ns = steps[0][0]
        missing: list[str] = []
        try:
            trace = self._bench.trace(begin_ns)
            if not trace.on:
                missing.append("buses, USB and other pins: the bench was made without `trace`")
        except BenchError as error:
            trace = Trace()
            missing.append(f"buses, USB and other pins: {error}")
        traffic = [one for one in trace.transfers if one.begin_ns < end_ns]
        told = Told()
        if self._explain and traffic:
            told = self._explain([one for one in traffic if one.kind == "usb"], self._began_ns)
        seen_lines = [
            LineSeen(line, tuple(_stretches(steps, line.gpio, _edges(trace, line.gpio))))
            for line in self._lines
            if trace.on or line.gpio in steps[0][1].pins
        ]
        if self._busy_alone:
            seen_lines = [it for it in seen_lines if any(one.edges for one in it.stretches)]
        notes = [it for it in self._notes if max(it.last_ns, it.time_ns) >= begin_ns]
        said = [*told.notes, *_ports(traffic)]
        notes += [it for it in said if begin_ns <= it.time_ns <= end_ns]
        return Excerpt(
            begin_ns=begin_ns,
            end_ns=end_ns,
            lines=tuple(seen_lines),
            powered=_powered(steps, trace.powers),
            resets=tuple(reset for _, seen in steps for reset in seen.resets),
            flash_writes=tuple(write for _, seen in steps for write in seen.flash_writes),
            lanes=self._lanes(traffic),
            states=told.states,
            notes=tuple(sorted(notes, key=lambda it: it.time_ns)),
            failure=self._failure,
            exact=self._exact,
            missing=tuple(missing),
        )

    def _lanes(self, traffic: Sequence[Transfer]) -> tuple[Lane, ...]:
        """Those that anything went over, buses first."""
        lanes: dict[str, list[Transfer]] = {}
        for one in sorted(traffic, key=_order):
            lanes.setdefault(self._lane(one), []).append(one)
        return tuple(
            Lane(name, tuple(sorted(found, key=lambda it: it.begin_ns)))
            for name, found in lanes.items()
        )

    def _lane(self, one: Transfer) -> str:
        if one.kind == "usb control":
            return "USB control"
        if one.kind == "usb":
            chip = one.chip or 0
            known = "boot ROM" if chip == BOOT_ROM else f"serial {chip}"
            name = self._serial[chip] if chip < len(self._serial) else known
            return f"USB {name} {'in' if one.sent_bytes else 'out'}"
        bus = f"{one.kind.upper()}{'' if one.bus is None else one.bus}"
        if one.chip is None:
            return f"{bus} nobody"
        known = f"device {one.chip}" if one.kind == "spi" else f"{one.chip:#04x}"
        return f"{bus} {self._chips.get((one.kind, one.bus, one.chip), known)}"


def _ports(traffic: Sequence[Transfer]) -> Iterator[Note]:
    """Serial ports that the host opens and closes, as a board is told of it: by its DTR line."""
    for one in traffic:
        if one.kind == "usb control" and one.received[:2] == _SET_CONTROL_LINE_STATE:
            state = "up" if one.received[2] & 1 else "down"
            yield Note(one.begin_ns, f"DTR {state}, interface {one.received[4]}", by="host")


def _order(one: Transfer) -> tuple[bool, str, int, int, bool]:
    usb = one.kind.startswith("usb")
    return usb, one.kind, one.bus or 0, one.chip or 0, not one.sent_bytes


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _edges(trace: Trace, gpio: int) -> Edges | None:
    """Of a pin; None where nothing was kept."""
    return trace.pins.get(gpio, Edges(0.0, (), 0)) if trace.on else None


def _stretches(
    steps: Sequence[tuple[float, StepSeen]], gpio: int, kept: Edges | None
) -> Iterator[Stretch]:
    """Step by step; a step of which nothing is known is left out."""
    for begin_ns, seen in steps:
        if kept is not None and begin_ns >= kept.since_ns:
            yield _kept(begin_ns, seen, gpio, kept)
        elif gpio in seen.pins:
            yield _watched(begin_ns, seen, gpio)


def _kept(begin_ns: float, seen: StepSeen, gpio: int, kept: Edges) -> Stretch:
    """What an edge at the very end of a step did is of the next."""
    times_ns = kept.times_ns
    first, past = bisect_left(times_ns, begin_ns), bisect_left(times_ns, seen.now_ns)
    inside = times_ns[first:past]
    before, after = (kept.level ^ (len(times_ns) - at & 1) for at in (first, past))
    if gpio in seen.pins:
        high = seen.pins[gpio].high
    else:
        bounds = [begin_ns, *inside, seen.now_ns]
        spans = [until - since for since, until in itertools.pairwise(bounds)]
        high = sum(spans[1 - before :: 2]) / max(1.0, seen.now_ns - begin_ns)
    return Stretch(begin_ns, seen.now_ns, before, after, high, len(inside), inside)


def _watched(begin_ns: float, seen: StepSeen, gpio: int) -> Stretch:
    pin = seen.pins[gpio]
    edges = pin.rises + pin.falls
    return Stretch(
        begin_ns=begin_ns,
        end_ns=seen.now_ns,
        before=pin.level ^ (edges & 1),
        after=pin.level,
        high=pin.high,
        edges=edges,
        edges_ns=pin.edges_ns,
    )


def _powered(
    steps: Sequence[tuple[float, StepSeen]], powers: Sequence[tuple[float, bool]]
) -> tuple[tuple[float, bool], ...]:
    """The state at the beginning, and every change of it. Where nothing was kept, a step tells the
    state at its end: of a power cut within, the exact instant is not known then."""
    begin_ns, end_ns = steps[0][0], steps[-1][1].now_ns
    if powers:
        earlier = [on for at_ns, on in powers if at_ns <= begin_ns]
        first = earlier[-1] if earlier else not powers[0][1]
        return (begin_ns, first), *((at, on) for at, on in powers if begin_ns < at < end_ns)
    changes: list[tuple[float, bool]] = []
    for begin_ns, seen in steps:
        if not changes:
            changes.append((begin_ns, seen.powered))
        elif changes[-1][1] != seen.powered:
            changes.append((begin_ns if seen.powered else seen.now_ns, seen.powered))
    return tuple(changes)
