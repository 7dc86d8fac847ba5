"""Hostile bytes against what reads a board's frames on the host.

Every frame that comes out is held against `wire_truth`, and so is every count of what did not. What
works on frames further on (the link with its heartbeat, the hub's splitter and queues, the black
box, the waveform, the lines of text) has to take whatever the decoder lets through.
"""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, NoReturn

from wrench import readout
from wrench.blackbox import dated, decode_capture, decode_events
from wrench.chronicle import described, told
from wrench.hil.hostile import COMMANDS, END, Hostile, answer
from wrench.hil.invariants import Violation
from wrench.hil.wire_truth import Told as Truth
from wrench.hil.wire_truth import body_of, pieces
from wrench.hil.wire_truth import told as truth_of
from wrench.link import Decoder, Frame, Link
from wrench.sharing.messages import WELCOME, client_number
from wrench.sharing.queues import Splitter, command_of, replied_sequence
from wrench.waveform import WaveformReader
from wrench_firmware import wire

_HELD_BYTES = 4 * wire.MAX_DATA_BYTES
"""As much as the decoder keeps of what has no end."""
_MEASURED = 8
"""One batch in so many is read twice more, to see what it leaves behind."""
_LEFT_BEHIND_BYTES = 16_384
_PEAK_BYTES = 4_000_000
_NOMINAL_HZ = 3200.0
_WELCOMES = (b'{"client": 1e999}', b'{"client": "x"}', b'{"client": null}', b"[]", b"[" * 4000)


@dataclass(frozen=True)
class Batch:
    """Bytes as they come from a port, piece by piece of any size. `seed` made them."""

    chunks: tuple[bytes, ...]
    seed: int

    @property
    def frames(self) -> int:
        """How many frames, sound or not, that is."""
        return sum(len(pieces(chunk)) for chunk in self.chunks)

    def as_code(self, name: str) -> str:
        """A regression test that reads it again."""
        chunks = "".join(f'        "{chunk.hex()}",\n' for chunk in self.chunks)
        return f"def test_{name}():\n    withstand(\n        {self.seed},\n{chunks}    )\n"


@dataclass
class Seen:
    """What came of batches; `left_behind` are bytes of memory, of each batch that was measured."""

    frames: int = 0
    taken: int = 0
    bytes: int = 0
    left_behind: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Told:
    """How a batch ended: `violation` is None where every rule held."""

    batch: Batch
    seen: Seen
    violation: Violation | None


def made(chance: Random, frames: int, real: Sequence[bytes]) -> Batch:
    """A batch: half of it from bodies of `real` frames of a board, the rest made up."""

    def body(chance: Random) -> bytes:
        return chance.choice(real) if real and chance.random() < 0.5 else answer(chance)

    hostile = Hostile(body, wire.DATA_HEAD_BYTES, wire.MAX_DATA_BYTES, 3 * _HELD_BYTES)
    chunks: list[bytes] = []
    while frames > 0:
        chunks.append(hostile.draw(chance))
        frames -= len(pieces(chunks[-1]))
    return Batch(tuple(chunks), chance.randrange(1 << 16))


def bodies_of(stream: bytes) -> list[bytes]:
    """The bodies of a captured stream's frames; what is cut off at its ends is left out."""
    return [one.body for one in map(truth_of, pieces(stream)) if one is not None]


def tell(it: Batch, *, measured: bool = False) -> Told:
    """Have everything read a batch. Deterministic."""
    seen = Seen(it.frames, 0, sum(map(len, it.chunks)))
    violation = None
    try:
        seen.taken = _read(it)
        if measured:
            seen.left_behind.append(_left_behind(it))
    except Violation as broken:
        violation = broken
    except Exception as error:
        violation = Violation(f"no {type(error).__name__}", 0.0, str(error))
    return Told(it, seen, violation)


def is_measured(number: int) -> bool:
    """Of the batch of that number the memory is looked at."""
    return number % _MEASURED == 0


def withstand(seed: int, *chunks: str) -> None:
    """For a regression test: raises Violation where a rule does not hold."""
    ended = tell(Batch(tuple(map(bytes.fromhex, chunks)), seed), measured=True)
    if ended.violation:
        raise ended.violation


def shrunk(ended: Told) -> Told:
    """The same with the fewest chunks found that break the same rule."""
    assert ended.violation
    rule = ended.violation.rule
    best = ended
    size = max(1, len(best.batch.chunks) // 2)
    while size:
        at = 0
        while at < len(best.batch.chunks):
            chunks = best.batch.chunks
            again = tell(replace(best.batch, chunks=chunks[:at] + chunks[at + size :]))
            if again.violation is not None and again.violation.rule == rule:
                best = again
            else:
                at += size
        size //= 2
    return best


# ---- the rules -----------------------------------------------------------------------------------
def _read(it: Batch) -> int:
    """Have everything read it; returns how many frames were taken."""
    chance = Random(it.seed)
    stream = b"".join(it.chunks)
    cuts = _cut(stream, chance)
    frames = _decode(stream, cuts)
    _share(stream, cuts)
    _link(cuts, frames)
    _use(frames)
    _command(stream, cuts, chance)
    return len(frames)


def _cut(stream: bytes, chance: Random) -> list[bytes]:
    """As a port hands them out: single bytes, USB packets, much at once."""
    cuts: list[bytes] = []
    at = 0
    while at < len(stream):
        size = chance.choice((1, 7, 63, 64, 64, 512, 2047, 2048, 5000))
        cuts.append(stream[at : at + size])
        at += size
    return cuts


def _decode(stream: bytes, cuts: Sequence[bytes]) -> list[Frame]:
    decoder = Decoder()
    frames = [frame for cut in cuts for frame in decoder.feed(cut)]
    # What is longer than a decoder holds may be dropped in parts, as it happens to be cut.
    whole = pieces(stream)
    sure = [one for one in map(truth_of, whole) if one is not None]
    endless = [coded for coded in whole if len(coded) > _HELD_BYTES]
    _same(frames, sure, bool(endless))
    least = len(whole) - len(sure)
    most = least + sum(len(coded) // _HELD_BYTES for coded in endless)
    if not least <= decoder.bad_frames <= most:
        _broken("counters", f"{decoder.bad_frames} bad frames, and not {least} to {most}")
    missing = _missing(frames)
    if decoder.missing_frames != missing:
        _broken("counters", f"{decoder.missing_frames} missing frames, and not {missing}")
    if len(decoder._held) > _HELD_BYTES:
        _broken("memory", f"the decoder holds {len(decoder._held)} bytes")
    return frames


def _same(frames: Sequence[Frame], truths: Sequence[Truth], maybe_more: bool) -> None:
    """Every frame taken is one of those that are sound, in order, and none of those is missing."""
    waiting = list(reversed(truths))
    for frame in frames:
        raw = frame._raw[: -wire.CRC_BYTES]
        if waiting and waiting[-1].body == raw:
            one = waiting.pop()
        elif maybe_more and (one := truth_of(_coded(frame))) is not None:
            pass  # the end of an endless piece that began with what was dropped
        else:
            _broken("frames", f"{frame!r} was taken, and is not what came next")
        head = frame.sequence, frame.time_us, frame.dropped_frames, frame.lost_samples
        if head != (one.sequence, one.time_us, one.dropped_frames, one.lost_samples):
            _broken("frames", f"the head of {frame!r} is not what was sent")
        if frame.name != wire.MESSAGES[one.kind][0] or frame.tail != one.tail:
            _broken("frames", f"{frame!r} is not what was sent")
    if waiting:
        _broken("frames", f"{len(waiting)} sound frames were not taken, {waiting[-1]} first")


def _coded(frame: Frame) -> bytes:
    from wrench.hil.wire_truth import stuffed  # noqa: PLC0415

    return stuffed(frame._raw)


def _missing(frames: Sequence[Frame]) -> int:
    """Gaps in the numbering, less what the board says it dropped, by the page of the protocol."""
    missing = 0
    for before, after in itertools.pairwise(frames):
        gap = (after.sequence - before.sequence) % 0x10000
        gap = gap - 1 if gap else 0xFFFF
        dropped = (after.dropped_frames - before.dropped_frames) % 0x10000
        missing += max(0, gap - dropped) if gap else 0
    return missing


def _share(stream: bytes, cuts: Sequence[bytes]) -> None:
    """A hub hands on what came, whole, and its clients read the same frames from it."""
    longest = 2 * wire.MAX_DATA_BYTES
    splitter = Splitter(longest, garbage=True)
    handed = [frame for cut in cuts for frame in splitter.feed(cut)]
    if b"".join(handed).replace(END, b"") != stream.replace(END, b""):
        _broken("hub", "it has not handed on what came")
    if any(len(frame) > longest + 1 or frame.count(END) != 1 for frame in handed):
        _broken("hub", "what it hands on are no single frames")
    # The end of one that is too long comes as a piece of its own, and may be a sound frame.
    theirs = [one for frame in handed if (one := truth_of(frame[:-1]))]
    whole = pieces(stream)
    sure = [one for coded in whole if len(coded) <= longest and (one := truth_of(coded))]
    spare = sum(len(coded) > longest for coded in whole)
    rest = iter(theirs)
    if not all(one in rest for one in sure) or len(theirs) - len(sure) > spare:
        _broken("hub", "its clients get other frames")
    for frame in handed:
        one = truth_of(frame[:-1])
        sequence = replied_sequence(frame)
        is_reply = one is not None and one.kind == wire.REPLY and not one.tail
        if is_reply and one is not None and sequence != int.from_bytes(one.body[-2:], "little"):
            _broken("hub", f"of the reply {one} it has read {sequence}")
        if not is_reply and sequence is not None and one is None:
            _broken("hub", f"it takes {frame.hex()} for a reply")


class _Port:
    """A port that gives what is put into it."""

    port = "memory"
    timeout: float | None = 0.0

    def __init__(self) -> None:
        self.data = bytearray()
        self.heard = bytearray()

    @property
    def in_waiting(self) -> int:
        return len(self.data)

    def read(self, size: int = 1) -> bytes:
        data = bytes(self.data[:size])
        del self.data[:size]
        return data

    def write(self, data: bytes) -> int:
        self.heard += data
        return len(data)

    def close(self) -> None:
        pass


def _link(cuts: Sequence[bytes], frames: Sequence[Frame]) -> None:
    """A link gives the same frames, and sends nothing but heartbeats for the run that it owns."""
    port: Any = _Port()
    link = Link(port)
    link.owns_run = True
    out: list[Frame] = []
    for cut in cuts:
        port.data += cut
        while (frame := link.receive(0.0)) is not None:
            out.append(frame)
    if [frame._raw for frame in out] != [frame._raw for frame in frames]:
        _broken("link", "it gives other frames than the decoder")
    for coded in pieces(bytes(port.heard)):
        body = body_of(coded)
        if body is None or body[0] != wire.HEARTBEAT:
            _broken("link", f"it has sent {coded.hex()}")


def _use(frames: Sequence[Frame]) -> None:
    """What works on frames takes them all."""
    losses = readout.Losses()
    decoder = Decoder()
    reader = WaveformReader(_NOMINAL_HZ)
    for frame in frames:
        repr(frame)
        losses.update(frame, decoder)
        str(losses)
        match frame.name:
            case "status":
                readout.line(frame, losses)
                readout.short_line(frame)
                readout.remarks(frame, losses)
            case "log":
                events = decode_events(frame.tail)
                list(told(dated(events)))
            case "event":
                described(frame["code"], frame["detail"], frame["value"])
            case "capture":
                decode_capture(frame.tail)
            case "waveform":
                reader.take(frame)
            case _:
                pass


def _command(stream: bytes, cuts: Sequence[bytes], chance: Random) -> None:
    """What a hub lets through to a board are sound commands, and what greets it is a greeting."""
    sent = b"".join(COMMANDS.draw(chance) for _ in range(max(1, len(cuts) // 4)))
    splitter = Splitter(2 * wire.MAX_COMMAND_BYTES, garbage=False)
    for cut in _cut(sent, chance) + list(cuts):
        for frame in splitter.feed(cut):
            command = command_of(frame)
            body = body_of(frame[:-1])
            fits = len(frame) <= wire.MAX_COMMAND_BYTES + 1
            fits = fits and body is not None and len(body) >= wire.COMMAND_HEAD_BYTES
            if (command is not None) != fits:
                _broken("hub", f"it makes {command} of {frame.hex()}")
    welcomes = (stream[:40], *_WELCOMES)
    for welcome in welcomes:
        try:
            client_number(WELCOME + welcome)
        except ValueError:
            continue


def _left_behind(it: Batch) -> int:
    """Bytes of memory that reading it once more leaves behind; bounded, and so is the most that
    is used meanwhile."""
    tracemalloc.start()
    try:
        _read(it)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        _read(it)
        gc.collect()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    if after - before > _LEFT_BEHIND_BYTES:
        _broken("memory", f"{after - before} bytes are left behind")
    if peak - before > _PEAK_BYTES + 20 * sum(map(len, it.chunks)):
        _broken("memory", f"{peak - before} bytes at once")
    return after - before


def _broken(rule: str, what: str) -> NoReturn:
    raise Violation(rule, 0.0, what)
