"""A board that exists in memory alone: the frames it sends, and a port that it answers on."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

from cobs import cobs

from wrench_firmware import wire

KINDS = {name: kind for kind, (name, _) in wire.MESSAGES.items()}
_READS_AT_MOST = 20_000


def data_frame(
    name: str, sequence: int = 0, time_us: int = 0, dropped: int = 0, lost: int = 0, **values: Any
) -> bytes:
    """A frame from the board, closing zero included; fields not given are zero, `tail` follows."""
    kind = KINDS[name]
    fields = wire.MESSAGES[kind][1]
    tail = values.pop("tail", b"")
    empty = {name: b"" if code.endswith("s") else 0 for name, code, _ in fields}
    assert values.keys() <= empty.keys()
    body = struct.pack(wire.DATA_HEAD_FORMAT, kind, 0, sequence & 0xFFFF, time_us, dropped, lost)
    body += struct.pack(wire.struct_format(fields), *(empty | values).values()) + tail
    return coded(body)


def coded(body: bytes) -> bytes:
    """Head and payload as they go over the wire, with the CRC and the closing zero."""
    return cobs.encode(body + zlib.crc32(body).to_bytes(wire.CRC_BYTES, "little")) + b"\0"


def command_of(coded_frame: bytes) -> tuple[str, int, tuple[int, ...]]:
    """Name, sequence and arguments of a command without its closing zero."""
    raw = cobs.decode(coded_frame)
    body, crc = raw[: -wire.CRC_BYTES], raw[-wire.CRC_BYTES :]
    assert zlib.crc32(body) == int.from_bytes(crc, "little")
    kind, _, sequence = struct.unpack_from(wire.COMMAND_HEAD_FORMAT, body)
    name, fields = wire.MESSAGES[kind]
    payload = body[wire.COMMAND_HEAD_BYTES :]
    return name, sequence, struct.unpack(wire.struct_format(fields), payload)


class ScriptedBoard:
    """A port on whose other end a board does as told. Time-outs pass at once.

    `answer` is called with every command's name and sequence; `goes_on`, where there is one, when
    the host has read everything, and what it sends is read next. `heard` holds the commands with
    the device time at which they came.
    """

    port = "memory"

    def __init__(self) -> None:
        self.timeout: float | None = None
        self.answer: Callable[[str, int], None] = self.agree
        self.goes_on: Callable[[], None] | None = None
        self.heard: list[tuple[int, str, tuple[int, ...]]] = []
        self.time_us = 0
        self.left_behind = b""  # by whoever was there before
        self.garbage: list[bytes] = []
        self._sequence = 0
        self._outbox = bytearray()
        self._reads = 0

    def commands(self, name: str) -> list[int]:
        """When a command of this name came."""
        return [time_us for time_us, heard, _ in self.heard if heard == name]

    def send(self, name: str, **values: Any) -> None:
        """Send a frame, numbered and stamped."""
        self._outbox += data_frame(name, self._sequence, self.time_us, **values)
        self._sequence += 1

    def send_raw(self, data: bytes) -> None:
        """Send what may not be a frame."""
        self._outbox += data

    def agree(self, name: str, sequence: int) -> None:
        """Answer as a board that does everything; a heartbeat has no answer."""
        if name == "hello":
            self.send("greeting", version=wire.VERSION, schema_hash=wire.schema_hash())
        if name != "heartbeat":
            self.reply(name, sequence)

    def reply(self, name: str, sequence: int, reason: str = "done") -> None:
        """Answer a command."""
        self.send(
            "reply",
            command=KINDS[name],
            reason=wire.REASONS.index(reason),
            command_sequence=sequence,
        )

    def silent(self, name: str, sequence: int) -> None:
        """Answer nothing."""

    # ---- the port ------------------------------------------------------------------------------

    @property
    def in_waiting(self) -> int:
        return len(self._outbox)

    def read(self, size: int = 1, /) -> bytes:
        self._reads += 1
        assert self._reads < _READS_AT_MOST, "the host reads on and on"
        if size and not self._outbox and self.goes_on:
            self.goes_on()
        data = bytes(self._outbox[:size])
        del self._outbox[:size]
        return data

    def write(self, data: bytes, /) -> int:
        *frames, self.left_behind = (self.left_behind + data).split(b"\0")
        for frame in filter(None, frames):
            try:
                command_of(frame)
            except (AssertionError, cobs.DecodeError, struct.error):
                self.garbage.append(frame)
                continue
            name, sequence, arguments = command_of(frame)
            self.heard.append((self.time_us, name, arguments))
            self.answer(name, sequence)
        return len(data)

    def close(self) -> None:
        pass
