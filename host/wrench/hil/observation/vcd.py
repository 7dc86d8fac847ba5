"""An excerpt as a value change dump (IEEE 1364), which GTKWave, PulseView and others open."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from vcd import VCDWriter

from wrench.bench.emulator.traffic import Transfer
from wrench.hil.observation.excerpt import Excerpt, Lane, LineSeen

Change = tuple[float, Any, Any]
"""When in ns, which variable, its new value."""

_BYTES_SHOWN = 64


def render(excerpt: Excerpt, title: str = "") -> str:
    """The file's text. One unit of time is 1 ns of device time since power first came.

    Pins are wires, "x" where there were more edges than are known. `..._duty_percent` is the share
    of time for which a PWM pin was high, in %, step by step of the bench, and exact always. Buses
    are a wire that is 1 during each transfer, and its bytes as text.
    """
    file = io.StringIO()
    begin = round(excerpt.begin_ns)
    comment = title.replace("$", "").replace("\n", " ")
    with VCDWriter(
        file,
        timescale="1 ns",
        date=datetime.now().strftime("%Y-%m-%d %H:%M"),
        version="wrench",
        comment=comment,
        init_timestamp=begin,
    ) as writer:
        changes: list[Change] = []
        for seen in excerpt.lines:
            changes += _line(writer, seen)
        changes += _supply(writer, excerpt)
        for lane in excerpt.lanes:
            changes += _lane(writer, lane)
        changes += _words(writer, excerpt)
        changes.sort(key=lambda it: it[0])
        for at_ns, variable, value in changes:
            writer.change(variable, max(begin, round(at_ns)), value)
        writer.close(max(begin, round(excerpt.end_ns)))
    return file.getvalue()


def _line(writer: VCDWriter, seen: LineSeen) -> Iterator[Change]:
    wire = writer.register_var("pins", _name(seen.line.name), "wire", size=1, init="x")
    for at_ns, level in seen.changes():
        yield at_ns, wire, "x" if level is None else level
    if seen.line.pwm:
        name = f"{_name(seen.line.name)}_duty_percent"
        duty = writer.register_var("pins", name, "real", init=0.0)
        for stretch in seen.stretches:
            yield stretch.begin_ns, duty, 100.0 * stretch.high


def _supply(writer: VCDWriter, excerpt: Excerpt) -> Iterator[Change]:
    powered = writer.register_var("board", "powered", "wire", size=1, init="x")
    for at_ns, on in excerpt.powered:
        yield at_ns, powered, int(on)
    reset = writer.register_var("board", "reset", "event")
    for at_ns, _ in excerpt.resets:
        yield at_ns, reset, True
    writing = writer.register_var("board", "flash_writing", "wire", size=1, init=0)
    what = writer.register_var("board", "flash", "string", init="")
    for name, from_ns, until_ns in excerpt.flash_writes:
        yield from_ns, writing, 1
        yield from_ns, what, _text(name)
        yield min(until_ns, excerpt.end_ns), writing, 0
        yield min(until_ns, excerpt.end_ns), what, ""


def _lane(writer: VCDWriter, lane: Lane) -> Iterator[Change]:
    busy = writer.register_var("buses", _name(lane.name), "wire", size=1, init=0)
    content = writer.register_var("buses", _name(lane.name) + "_bytes", "string", init="")
    for one in lane.transfers:
        yield one.begin_ns, busy, 1
        yield one.begin_ns, content, _text(described(one))
        yield one.end_ns, busy, 0


def described(one: Transfer) -> str:
    """A transfer's bytes and what became of it: ">" before bytes from the board, "<" to it."""
    parts: list[str] = []
    for mark, kept, count in (
        (">", one.sent, one.sent_bytes),
        ("<", one.received, one.received_bytes),
    ):
        if count:
            more = f"+{count - _BYTES_SHOWN}" if count > _BYTES_SHOWN else ""
            parts.append(mark + kept[:_BYTES_SHOWN].hex() + more)
    if one.kind == "i2c":
        parts.insert(0, "R" if one.reading else "W")
    parts += ["refused"] * one.refused + ["cut"] * one.cut + ["unfinished"] * one.unfinished
    return " ".join(parts)


def _words(writer: VCDWriter, excerpt: Excerpt) -> Iterator[Change]:
    for name, told in excerpt.states.items():
        state = writer.register_var("told", _name(name), "string", init="")
        for at_ns, text in told:
            yield at_ns, state, _text(text)
    for by in dict.fromkeys(note.by for note in excerpt.notes):
        said = writer.register_var("notes", _name(by), "string", init="")
        mark = writer.register_var("notes", f"{_name(by)}_mark", "event")
        for note in excerpt.notes:
            if note.by == by:
                yield note.time_ns, said, _text(note.text)
                yield note.time_ns, mark, True
    if excerpt.failure:
        failed = writer.register_var("notes", "failure", "wire", size=1, init=0)
        yield min(excerpt.failure.time_ns, excerpt.end_ns), failed, 1


def _name(text: str) -> str:
    """A variable's name has no spaces."""
    return "_".join(text.split())


def _text(text: str) -> str:
    """As a string variable's value: viewers take printable ASCII."""
    return "".join(one if " " <= one <= "~" else "?" for one in text)
