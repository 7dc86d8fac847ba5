"""What waits in a hub: the board's frames on their way to each client, and the clients' commands on
their way to the board. Pure: no port, no thread, and time is an argument.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass

from wrench.framing import END, body_of, enclose
from wrench_firmware import wire

OWN = 0
"""The client number of the hub itself; those of clients are 1 to `MOST_CLIENTS`."""
MOST_CLIENTS = 255
NUMBERS_EACH = 256

_COMMAND_HEAD = struct.Struct(wire.COMMAND_HEAD_FORMAT)
_REPLY = struct.Struct(wire.DATA_HEAD_FORMAT + wire.struct_format(wire.MESSAGES[wire.REPLY][1])[1:])
_REPLY_FIELDS = [name for name, _, _ in wire.DATA_HEAD + wire.MESSAGES[wire.REPLY][1]]
_REPLIED_AT = _REPLY_FIELDS.index("command_sequence")


def numbers_of(client: int) -> range:
    """The sequence numbers of commands that belong to a client."""
    return range(client * NUMBERS_EACH, (client + 1) * NUMBERS_EACH)


def replied_sequence(frame: bytes) -> int | None:
    """The sequence of the command that a frame from the board replies to; None where it is no
    reply. `frame` ends with its zero."""
    # No kind is 0, so that the first byte which COBS leaves as it is, is the kind.
    if len(frame) < 2 or frame[1] != wire.REPLY:
        return None
    body = body_of(frame[:-1])
    if body is None or len(body) != _REPLY.size:
        return None
    return _REPLY.unpack(body)[_REPLIED_AT]


class Splitter:
    """Bytes of a stream to whole frames, each with its closing zero; empty ones are left out.

    More than `longest` bytes without a zero are no frame. They come out as pieces of that length,
    closed with a zero of their own so that nothing is ever joined to them, where `garbage` is True;
    else they are left out up to the next zero and counted in `lost_bytes`.
    """

    def __init__(self, longest: int, *, garbage: bool) -> None:
        self.lost_bytes = 0
        self._longest = longest
        self._garbage = garbage
        self._held = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Every frame that `data` completes."""
        self._held += data
        *whole, rest = self._held.split(END)
        self._held = bytearray(rest)
        frames: list[bytes] = []
        for coded in whole:
            if self._skipping:
                self.lost_bytes += len(coded)
                self._skipping = False
            elif len(coded) > self._longest:
                self._not_a_frame(coded, frames)
            elif coded:
                frames.append(bytes(coded) + END)
        if len(self._held) > self._longest or self._skipping:
            self._skipping = not self._garbage
            self._not_a_frame(self._held, frames)
            self._held.clear()
        return frames

    def _not_a_frame(self, data: bytearray, frames: list[bytes]) -> None:
        if not self._garbage:
            self.lost_bytes += len(data)
            return
        for at in range(0, len(data), self._longest):
            frames.append(bytes(data[at : at + self._longest]) + END)


class Outbox:
    """The board's frames on their way to one client. When more than `most_bytes` wait, the oldest
    are dropped, whole: the client's decoder misses their numbers and counts them.
    """

    def __init__(self, most_bytes: int) -> None:
        self.dropped_frames = 0
        self._most_bytes = most_bytes
        self._frames: deque[bytes] = deque()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._frames)

    def put(self, frames: list[bytes]) -> None:
        """Add frames."""
        self._frames.extend(frames)
        self._bytes += sum(map(len, frames))
        while self._bytes > self._most_bytes:
            self._bytes -= len(self._frames.popleft())
            self.dropped_frames += 1

    def take(self, most_bytes: int) -> bytes:
        """The oldest frames, joined: as many as make `most_bytes`, and at least one where there is
        one."""
        taken: list[bytes] = []
        size = 0
        while self._frames and (not taken or size + len(self._frames[0]) <= most_bytes):
            taken.append(self._frames.popleft())
            size += len(taken[-1])
        self._bytes -= size
        return b"".join(taken)


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it goes over the wire, and what its head says."""

    kind: int
    sequence: int
    coded: bytes
    payload: bytes = b""


def command_of(frame: bytes) -> Command | None:
    """The command in a frame, which ends with its zero; None where it is none."""
    if len(frame) - 1 > wire.MAX_COMMAND_BYTES:
        return None
    body = body_of(frame[:-1])
    if body is None or len(body) < _COMMAND_HEAD.size:
        return None
    kind, _, sequence = _COMMAND_HEAD.unpack_from(body)
    return Command(kind, sequence, frame, body[_COMMAND_HEAD.size :])


def made_command(kind: int, sequence: int, payload: bytes) -> Command:
    """A command of that kind."""
    body = _COMMAND_HEAD.pack(kind, 0, sequence) + payload
    return Command(kind, sequence, enclose(body), payload)


class CommandQueue:
    """The commands of all clients on their way to the board.

    A stop goes before everything, and what would start the motor after it is thrown away.
    Heartbeats come next, one for each client. Everything else waits for its turn, a turn for each
    client, and goes out while fewer than `window` commands are unanswered; one without an answer
    counts as answered after `answer_s` seconds. So there is little that a stop cannot overtake.

    `stream` is one switch that all clients share: it goes out as on while any client wants it.
    """

    def __init__(self, *, window: int = 4, answer_s: float = 0.3, most_waiting: int = 256) -> None:
        self._window = window
        self._answer_s = answer_s
        self._most_waiting = most_waiting
        self._stops: dict[int, Command] = {}
        self._heartbeats: dict[int, Command] = {}
        self._waiting: dict[int, deque[Command]] = {}
        self._unanswered: dict[int, float] = {}
        self._streaming: set[int] = set()

    def add(self, client: int, command: Command) -> set[int]:
        """Add a client's command; returns the clients of which a `run` was thrown away."""
        if command.kind == wire.STOP:
            self._stops[client] = command
            return self._throw_runs_away() - {client}
        if command.kind == wire.HEARTBEAT:
            self._heartbeats[client] = command
            return set()
        if command.kind == wire.STREAM:
            command = self._merged(client, command)
        self._waiting.setdefault(client, deque()).append(command)
        return set()

    def is_full(self, client: int) -> bool:
        """True where a client has as many commands waiting as it may."""
        return len(self._waiting.get(client, ())) >= self._most_waiting

    def forget(self, client: int) -> None:
        """A client has gone: what it has not been able to say is not said. A stop is."""
        self._heartbeats.pop(client, None)
        self._waiting.pop(client, None)
        if client in self._streaming:
            self._streaming.discard(client)
            if not self._streaming:
                off = made_command(wire.STREAM, numbers_of(OWN)[0], bytes([0]))
                self._waiting.setdefault(OWN, deque()).append(off)

    def answered(self, sequence: int) -> None:
        """The board has replied to this command."""
        self._unanswered.pop(sequence, None)

    def take(self, now_s: float) -> bytes | None:
        """The next command to go out, if one may go now."""
        if self._stops:
            return self._stops.pop(next(iter(self._stops))).coded
        if self._heartbeats:
            return self._heartbeats.pop(next(iter(self._heartbeats))).coded
        self._unanswered = {s: due for s, due in self._unanswered.items() if due > now_s}
        if not self._waiting or len(self._unanswered) >= self._window:
            return None
        client = next(iter(self._waiting))
        theirs = self._waiting.pop(client)
        command = theirs.popleft()
        if theirs:
            self._waiting[client] = theirs  # behind the others
        self._unanswered[command.sequence] = now_s + self._answer_s
        return command.coded

    def wait_s(self, now_s: float) -> float | None:
        """How long until `take` may give something without anything new happening; None: never."""
        if not self._waiting or not self._unanswered:
            return None
        return max(0.0, min(self._unanswered.values()) - now_s)

    def _throw_runs_away(self) -> set[int]:
        hit: set[int] = set()
        for client, theirs in list(self._waiting.items()):
            kept = deque(command for command in theirs if command.kind != wire.RUN)
            if len(kept) < len(theirs):
                hit.add(client)
            if kept:
                self._waiting[client] = kept
            else:
                del self._waiting[client]
        return hit

    def _merged(self, client: int, command: Command) -> Command:
        if command.payload not in (b"\0", b"\1"):
            return command  # the board says what is wrong with it
        if command.payload == b"\1":
            self._streaming.add(client)
        else:
            self._streaming.discard(client)
        return made_command(wire.STREAM, command.sequence, bytes([bool(self._streaming)]))
