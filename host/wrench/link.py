"""The link to a board: frames in, commands out, and the heartbeat of whoever owns a run."""

from __future__ import annotations

import struct
import time
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cobs import cobs

from wrench.blackbox import Capture, Event, decode_capture, decode_events
from wrench.errors import LinkError, RefusedError
from wrench.framing import END, enclose
from wrench.hints import reason_hint
from wrench.transport import Port
from wrench_firmware import wire

HEARTBEAT_US = 75_000
_REPLY_S = 3.0  # a board that is still starting answers when it is up
_REPLY_US = 5_000_000  # of telemetry without the reply; what waits in the board's buffer is older
_STOP_REPLY_US = 1_000_000
_CATCH_UP_S = 1.0  # of the clock: what waits for this program has been read by then
_BYTES_OF_NO_BOARD = 65_536
_ALL_SEQUENCES = range(0x10000)
_ASKED_AT_MOST = 3
_NO_SUCH = "out of range"
_NAMES_TO_KINDS = {name: kind for kind, (name, _) in wire.MESSAGES.items()}
_DATA_HEAD = struct.Struct(wire.DATA_HEAD_FORMAT)
_DATA_BEGIN = _DATA_HEAD.size
_COMMAND_HEAD = struct.Struct(wire.COMMAND_HEAD_FORMAT)
TABLES: dict[str, tuple[str, ...]] = {
    "IMAGES": wire.IMAGES,
    "LEVELS": wire.LEVELS,
    "RESET_CAUSES": wire.RESET_CAUSES,
    "MODES": wire.MODES,
    "LIMITS": wire.LIMITS,
    "FAULTS": wire.FAULTS,
    "EVENTS": wire.EVENTS,
    "REASONS": wire.REASONS,
}
"""Lists of names, by what `wire.MESSAGES` calls the unit of a field that numbers one of them."""
_ABSENT, _BROKEN = wire.ABSENT, wire.BROKEN
_new = object.__new__
_MOST_BEFORE_GREETING = 5000
_SHORTEST = _DATA_HEAD.size + wire.CRC_BYTES
_LONGEST = wire.MAX_DATA_BYTES
_CRC_OF_SOUND = 0x2144DF1C  # what CRC-32 gives over anything that is followed by its own CRC


class Frame:
    """One message from the board.

    `values` holds its fields by name, in the wire's units; a field that numbers one of the wire's
    lists of names has that name instead, the chip's number is in hexadecimal; a quantity that the
    board does not measure, or whose sensor is broken, is None. `tail` is what follows the fields:
    the samples of a waveform, the records of a log. `time_us` is device time.
    """

    __slots__ = (
        "_kind",
        "_raw",
        "_tail",
        "_values",
        "dropped_frames",
        "lost_samples",
        "name",
        "sequence",
        "time_us",
    )
    name: str
    time_us: int
    sequence: int
    dropped_frames: int
    lost_samples: int
    # Of a frame from the wire, all of it and the number of its kind. `values` and `tail` are taken
    # out of it when they are first asked for: that takes longer than all the rest, and most are
    # never asked for.
    _raw: bytes
    _kind: int
    _values: dict[str, Any] | None
    _tail: bytes | None

    def __init__(  # noqa: PLR0917
        self,
        name: str,
        values: dict[str, Any],
        time_us: int,
        sequence: int,
        dropped_frames: int,
        lost_samples: int,
        tail: bytes = b"",
    ) -> None:
        self.name = name
        self._values = values
        self.time_us = time_us
        self.sequence = sequence
        self.dropped_frames = dropped_frames
        self.lost_samples = lost_samples
        self._tail = tail

    @property
    def values(self) -> dict[str, Any]:
        values = self._values
        if values is None:
            values = self._values = _LAYOUTS[self._kind].values(self._raw)
        return values

    @property
    def tail(self) -> bytes:
        tail = self._tail
        if tail is None:
            tail = self._tail = self._raw[_ENDS[self._kind] : -wire.CRC_BYTES]
        return tail

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frame):
            return NotImplemented
        return self._told() == other._told()

    __hash__ = None  # type: ignore[assignment] # its values may be changed

    def _told(self) -> tuple[Any, ...]:
        lost = self.dropped_frames, self.lost_samples
        return self.name, self.values, self.time_us, self.sequence, lost, self.tail

    def __repr__(self) -> str:
        return f"<{self.name} {self.sequence} at {self.time_us} us: {self.values}>"


class _Layout:
    """How the fields of one kind of message become `Frame.values`."""

    def __init__(self, fields: Sequence[tuple[str, str, str]]) -> None:
        self._struct = struct.Struct(wire.struct_format(fields))
        self._names = [name for name, _, _ in fields]
        self._texts = [name for name, code, _ in fields if code.endswith("s")]
        self._lists = [(name, TABLES[unit]) for name, _, unit in fields if unit in TABLES]
        self._has_quantities = any(code == "i" for _, code, _ in fields)
        self._read = self._struct.unpack_from
        self.size = self._struct.size
        self.pack = self._struct.pack

    def values(self, body: bytes) -> dict[str, Any]:
        """The fields of a whole frame, decoded, head and CRC included."""
        numbers = self._read(body, _DATA_BEGIN)
        values = dict(zip(self._names, numbers))  # noqa: B905 (0.2 us; one struct made both)
        if self._has_quantities and (_ABSENT in numbers or _BROKEN in numbers):
            for name, number in values.items():
                if number in (_ABSENT, _BROKEN):
                    values[name] = None
        for name in self._texts:
            values[name] = _text(name, values[name])
        for name, table in self._lists:
            number = values[name]
            values[name] = table[number] if number < len(table) else f"unknown {number}"
        return values


def _text(name: str, value: bytes) -> str:
    if name == "unique_id":
        return value.hex()
    return value.rstrip(b"\0").decode(errors="replace")


_LAYOUTS = {kind: _Layout(fields) for kind, (_, fields) in wire.MESSAGES.items()}
# By kind: where the fields of a frame end; of a kind that there is not, beyond every frame.
_ENDS = [
    _DATA_HEAD.size + _LAYOUTS[kind].size if kind in _LAYOUTS else 1 << 30 for kind in range(256)
]
_LEAST_BYTES = [end + wire.CRC_BYTES for end in _ENDS]
_NAMES = [wire.MESSAGES[kind][0] if kind in wire.MESSAGES else "" for kind in range(256)]


@dataclass
class Decoder:
    """Bytes to frames. What is not a frame is counted and skipped; nothing else is.

    `missing_frames` counts gaps in the board's numbering, less those frames that the board itself
    says it dropped.
    """

    bad_frames: int = 0
    missing_frames: int = 0
    _held: bytes = b""
    _sequence: int | None = None
    _dropped: int = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield every frame that `data` completes."""
        whole = (self._held + data).split(b"\0")
        self._held = whole.pop()
        if len(self._held) > 4 * wire.MAX_DATA_BYTES:
            self._held = b""
            self.bad_frames += 1
        for coded in whole:
            if not coded:
                continue
            frame = decode(coded)
            if frame is None:
                self.bad_frames += 1
                continue
            sequence, dropped = frame.sequence, frame.dropped_frames
            if self._sequence is not None:
                gap = (sequence - self._sequence - 1) & 0xFFFF
                if gap:
                    told = (dropped - self._dropped) & 0xFFFF
                    self.missing_frames += max(0, gap - told)
            self._sequence = sequence
            self._dropped = dropped
            yield frame


def decode(coded: bytes) -> Frame | None:
    """One COBS-coded frame without its closing zero, or None where it is not one."""
    try:
        raw = cobs.decode(coded)
    except cobs.DecodeError:
        return None
    if not _SHORTEST <= len(raw) <= _LONGEST or zlib.crc32(raw) != _CRC_OF_SOUND:
        return None
    kind, _, sequence, time_us, dropped, lost = _DATA_HEAD.unpack_from(raw)
    if len(raw) < _LEAST_BYTES[kind]:
        return None
    frame = _new(Frame)
    frame.name = _NAMES[kind]
    frame.time_us = time_us
    frame.sequence = sequence
    frame.dropped_frames = dropped
    frame.lost_samples = lost
    frame._raw = raw
    frame._kind = kind
    frame._values = frame._tail = None
    return frame


def encode(name: str, sequence: int, *values: int) -> bytes:
    """One command as it goes over the wire."""
    kind = _NAMES_TO_KINDS[name]
    return enclose(_COMMAND_HEAD.pack(kind, 0, sequence & 0xFFFF) + _LAYOUTS[kind].pack(*values))


class Link:
    """A board's link over an open port.

    While `owns_run` is set, the heartbeat that keeps the run alive goes out with what comes in, on
    device time. `received_bytes` counts what has come, frames or not.

    Commands are numbered within the port's `sequences`, where it has them: other processes that
    share it have others, so that nobody takes another's reply for its own. A run belongs to whoever
    had the last `run` carried out; `taken_over` is set while that is another, after this link had
    owned it.
    """

    def __init__(self, port: Port) -> None:
        self.port = port
        self.decoder = Decoder()
        self.received_bytes = 0
        self.owns_run = False
        self.taken_over = False
        self._asked_to_run = False
        self._waiting: deque[Frame] = deque()
        self._sequences: range = getattr(port, "sequences", _ALL_SEQUENCES)
        self._sent = 0
        self._replied_at = 0  # how many of those waiting came before the last reply
        self._heartbeat_us = 0

    def receive(self, timeout_s: float) -> Frame | None:
        """The next frame, or None where none comes within `timeout_s`."""
        if not self._waiting:
            self._read(timeout_s)
        return self._waiting.popleft() if self._waiting else None

    def hello(self, timeout_s: float = 3.0) -> Frame:
        """Ask who is there; raises LinkError where nobody answers or another version of the
        protocol does. Waits for `timeout_s` of device time where the board sends other frames.
        """
        self.port.write(END)  # whoever was there before may have left half a frame behind
        self._send("hello")
        first_us = None
        for _ in range(_MOST_BEFORE_GREETING):
            frame = self._next(timeout_s)
            if frame is None:
                break
            if frame.name == "greeting":
                _check_version(frame)
                return frame
            if first_us is None or frame.time_us < first_us:
                first_us = frame.time_us  # or it has begun anew
            elif frame.time_us - first_us > 1e6 * timeout_s:
                break
        raise LinkError(
            f"nothing on {self.port.port} answers as a Wrench board; "
            "is its firmware running? `wrench flash` installs it"
        )

    def post(self, name: str, *values: int) -> int:
        """Send a command and wait for nothing; returns its number, which the frame `reply` that
        answers it repeats as `command_sequence`."""
        return self._send(name, *values)

    def command(self, name: str, *values: int, reply_us: int = _REPLY_US) -> None:
        """Send a command and wait for its reply, for `reply_us` of device time and what it takes to
        read what waits; raises RefusedError with the board's reason, LinkError without one.

        Frames that arrive meanwhile stay queued for `receive`.
        """
        kept: list[Frame] = list(self._waiting)
        self._waiting.clear()
        sequence = self._send(name, *values)
        sent_s = time.monotonic()
        began_us: int | None = None
        try:
            while (frame := self._next(_REPLY_S)) is not None:
                if frame.name == "reply" and frame["command_sequence"] == sequence:
                    if frame["reason"] != "done":
                        raise _refused(name, frame["reason"])
                    return
                kept.append(frame)
                began_us = frame.time_us if began_us is None else began_us
                # Of a program that has read nothing for a while, much waits that is older.
                late = frame.time_us - began_us > reply_us
                if late and time.monotonic() - sent_s > _CATCH_UP_S:
                    break
        finally:
            self._replied_at = len(kept)
            self._waiting.extendleft(reversed(kept))
        raise LinkError(
            f"the board did not answer {name!r} within {_REPLY_S:g} s; "
            "unplug it and plug it in again"
        )

    def status(self, timeout_s: float = _REPLY_S) -> Frame:
        """How the board stands now: the frame `status` that it sends next. Those on their way, or
        waiting here, are older and are passed over; other frames stay queued for `receive`. Raises
        LinkError."""
        asked_at = len(self._waiting)
        self.command("hello")
        waiting = list(self._waiting)
        old, new = waiting[: self._replied_at], deque(waiting[self._replied_at :])
        # Nobody but this has asked for the greeting.
        kept = [
            frame
            for at, frame in enumerate(old)
            if frame.name != "status" and (frame.name != "greeting" or at < asked_at)
        ]
        self._waiting = new
        try:
            while (frame := self._next(timeout_s)) is not None:
                if frame.name == "status":
                    return frame
                kept.append(frame)
        finally:
            self._waiting.extendleft(reversed(kept))
        raise LinkError(
            f"the board has sent nothing for {timeout_s:g} s; reset it, or flash it with "
            "`wrench flash`"
        )

    def run(self, speed_permille: int) -> None:
        """Start a run, or change its speed, and own it from now on."""
        self.command("run", speed_permille)

    def stop(self) -> None:
        """Stop the motor. Says so again where the board's answer gets lost; raises LinkError."""
        self.owns_run = False
        for left in reversed(range(_ASKED_AT_MOST)):
            try:
                self.command("stop", reply_us=_STOP_REPLY_US)
            except LinkError as error:
                if not left or isinstance(error, RefusedError):
                    raise
            else:
                return

    def ask(self, name: str, answer: str, *values: int, **same: Any) -> Frame:
        """Send a command and return the frame `answer` that the board sends before its reply; of
        that frame, the fields `same` have these values.

        Asks again where the board had no room for it. Raises as `command` does.
        """
        for _ in range(_ASKED_AT_MOST):
            # What came before may answer another process, and be of an earlier time.
            before = len(self._waiting)
            self.command(name, *values)
            for at in reversed(range(before, len(self._waiting))):
                frame = self._waiting[at]
                if frame.name == answer and same.items() <= frame.values.items():
                    del self._waiting[at]
                    return frame
        raise LinkError(
            f"the board's answer to {name!r} got lost {_ASKED_AT_MOST} times; "
            "turn its waveform off and try again"
        )

    def read_log(self, first: int) -> tuple[Frame, list[Event]]:
        """The black box's events from sequence `first` on, as many as fit a frame: the frame `log`,
        which tells the oldest and the newest there is, and its records."""
        frame = self.ask("read_log", "log", first, first=first)
        return frame, decode_events(frame.tail)

    def log(self, first: int = 0) -> Iterator[Event]:
        """Every event of the black box from sequence `first` on, to the newest there is now."""
        frame, events = self.read_log(first)
        newest: int = frame["newest"]
        while events:
            yield from (event for event in events if event.sequence <= newest)
            first = events[-1].sequence + 1
            if first > newest:
                return
            _, events = self.read_log(first)

    def captures(self) -> list[Capture]:
        """The waveforms that the black box has kept, oldest first; none where it has no room for
        any."""
        try:
            slots: int = self._read_capture(0, 0)["slots"]
        except RefusedError as refusal:
            if refusal.reason != _NO_SUCH:
                raise
            return []
        found = (self.capture(slot) for slot in range(slots))
        return sorted((one for one in found if one), key=lambda one: one.number)

    def capture(self, slot: int) -> Capture | None:
        """The waveform in one slot of the black box, None where there is none."""
        data = b""
        while (piece := self._read_capture(slot, len(data))).tail:
            data += piece.tail
            if len(data) >= piece["size"]:
                break
        return decode_capture(data)

    def _read_capture(self, slot: int, offset: int) -> Frame:
        return self.ask("read_capture", "capture", slot, offset, slot=slot, offset=offset)

    def setting(self, number: int) -> Frame:
        """One setting, by its place in the board's table: the frame `setting`, with its value,
        factory value and range."""
        return self.ask("get_setting", "setting", number, setting=number)

    def settings(self) -> list[Frame]:
        """Every setting, in the order of the board's table."""
        first = self.setting(0)
        return [first, *(self.setting(number) for number in range(1, first["settings"]))]

    def levels(self, protection: str) -> Frame:
        """Levels and delay of a protection, by its name in `wire.FAULTS`: the frame `levels`. A
        level that is not there is None."""
        number = wire.FAULTS.index(protection)
        return self.ask("get_levels", "levels", number, protection=protection)

    def set_level(self, protection: str, level: str, value: int) -> None:
        """Change a level, in the unit of its quantity; names as in `wire.FAULTS` and
        `wire.LEVELS`."""
        self.command("set_level", wire.FAULTS.index(protection), wire.LEVELS.index(level), value)

    def set_time(self, unix_ms: int) -> None:
        """Tell the board the wall time, in ms since 1970, UTC."""
        self.command("set_time", unix_ms)

    def _next(self, timeout_s: float) -> Frame | None:
        if not self._waiting:
            self._read(timeout_s)
        return self._waiting.popleft() if self._waiting else None

    def _read(self, timeout_s: float) -> None:
        self.port.timeout = timeout_s
        unframed = 0
        while not self._waiting:
            data = self.port.read(1)
            if not data:
                return
            data += self.port.read(self.port.in_waiting)
            self.received_bytes += len(data)
            for frame in self.decoder.feed(data):
                self._waiting.append(frame)
                if frame.name == "reply":
                    self._see_owner(frame)
                if (
                    self.owns_run
                    and (frame.time_us - self._heartbeat_us) & (1 << 63) - 1 >= HEARTBEAT_US
                ):
                    self._heartbeat_us = frame.time_us
                    self._send("heartbeat")
            unframed += len(data)
            if unframed > _BYTES_OF_NO_BOARD:
                return

    def _see_owner(self, reply: Frame) -> None:
        if reply["command"] != wire.RUN or reply["reason"] != "done":
            return
        ours = reply["command_sequence"] in self._sequences
        # One that went on with its heartbeat would keep a motor turning whose owner has died.
        self.taken_over = not ours and (self.owns_run or self.taken_over)
        self.owns_run = ours and self._asked_to_run

    def _send(self, name: str, *values: int) -> int:
        if name in ("run", "stop"):
            self._asked_to_run = name == "run"
        self._sent += 1
        sequence = self._sequences[self._sent % len(self._sequences)]
        self.port.write(encode(name, sequence, *values))
        return sequence


def _refused(name: str, reason: str) -> RefusedError:
    try:
        remedy = f"; {reason_hint(reason)}"
    except KeyError:
        remedy = ""
    return RefusedError(f"the board refuses {name.replace('_', ' ')}: {reason}{remedy}", reason)


def _check_version(greeting: Frame) -> None:
    if greeting["version"] != wire.VERSION or greeting["schema_hash"] != wire.schema_hash():
        raise LinkError(
            f"the board speaks protocol {greeting['version']} ({greeting['schema_hash']:08x}), "
            f"this wrench {wire.VERSION} ({wire.schema_hash():08x}); "
            "install matching firmware with `wrench flash`"
        )
