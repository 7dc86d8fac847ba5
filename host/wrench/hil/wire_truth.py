"""What bytes on the wire must be taken for, by the page of the protocol alone.

COBS and CRC are other libraries' than those of `wrench.framing` and `wrench.link`, and nothing is
shared with the firmware's kernels: where they disagree, one of them is wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import corncobs
from fastcrc import crc32

from wrench_firmware import wire

_CRC = struct.Struct("<I")
_DATA_HEAD = struct.Struct(wire.DATA_HEAD_FORMAT)
_COMMAND_HEAD = struct.Struct(wire.COMMAND_HEAD_FORMAT)
_PAYLOADS = {
    kind: struct.Struct(wire.struct_format(fields)) for kind, (_, fields) in wire.MESSAGES.items()
}


@dataclass(frozen=True, slots=True)
class Heard:
    """A stretch of bytes between two zeros, as a board must take it.

    Of one that is no frame, `kind` is None and `stray_bytes` is its length. `arguments` are None
    where the board must refuse the command unseen, for the reason `refused`.
    """

    kind: int | None = None
    sequence: int = 0
    arguments: tuple[int, ...] | None = None
    refused: str | None = None
    stray_bytes: int = 0

    @property
    def answered(self) -> bool:
        """The board replies to it: to all but garbage, and heartbeats that it takes."""
        return self.kind is not None and (self.kind != wire.HEARTBEAT or self.refused is not None)


@dataclass(frozen=True, slots=True)
class Told:
    """A frame of the board, as a host must read it: its kind, its head, and the whole body."""

    kind: int
    sequence: int
    time_us: int
    dropped_frames: int
    lost_samples: int
    body: bytes

    @property
    def tail(self) -> bytes:
        """What follows its fields."""
        return self.body[_DATA_HEAD.size + _PAYLOADS[self.kind].size :]


def pieces(stream: bytes) -> list[bytes]:
    """What lies between zeros; the stream ends with one."""
    return [piece for piece in stream.split(b"\0") if piece]


def body_of(coded: bytes) -> bytes | None:
    """Head and payload of a piece, None where it is no frame."""
    try:
        raw = corncobs.decode(coded)
    except corncobs.DecodeError:
        return None
    body, crc = raw[: -wire.CRC_BYTES], raw[-wire.CRC_BYTES :]
    if not body or crc_of(body) != crc:
        return None
    return body


def crc_of(body: bytes) -> bytes:
    """The four bytes that belong behind it."""
    return _CRC.pack(crc32.iso_hdlc(body))


def stuffed(raw: bytes) -> bytes:
    """Body and CRC, or what stands for it, without a zero in it."""
    return corncobs.encode(raw)


def enclosed(body: bytes) -> bytes:
    """A body as a frame, without the closing zero."""
    return stuffed(body + crc_of(body))


def heard(stream: bytes) -> Iterator[Heard]:
    """What a board must make of whole pieces; `stream` begins after a zero and ends with one."""
    for coded in pieces(stream):
        body = body_of(coded) if len(coded) <= wire.MAX_COMMAND_BYTES else None
        if body is None or len(body) < _COMMAND_HEAD.size:
            yield Heard(stray_bytes=len(coded))
            continue
        kind, _, sequence = _COMMAND_HEAD.unpack_from(body)
        payload = body[_COMMAND_HEAD.size :]
        if kind < wire.HELLO or kind not in _PAYLOADS:
            yield Heard(kind, sequence, refused="unknown command")
        elif len(payload) != _PAYLOADS[kind].size:
            yield Heard(kind, sequence, refused="wrong length")
        else:
            yield Heard(kind, sequence, _PAYLOADS[kind].unpack(payload))


def told(coded: bytes) -> Told | None:
    """What a host must make of one piece; None where it is no frame of a board."""
    body = body_of(coded)
    if body is None or not _DATA_HEAD.size <= len(body) <= wire.MAX_DATA_BYTES - wire.CRC_BYTES:
        return None
    kind, _, sequence, time_us, dropped, lost = _DATA_HEAD.unpack_from(body)
    if kind not in _PAYLOADS or len(body) < _DATA_HEAD.size + _PAYLOADS[kind].size:
        return None
    return Told(kind, sequence, time_us, dropped, lost, body)
