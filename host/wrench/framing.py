"""What encloses every frame on the wire: COBS(body, CRC) and one zero; see `wire`."""

from __future__ import annotations

import zlib

from cobs import cobs

from wrench_firmware import wire

END = b"\0"


def enclose(body: bytes) -> bytes:
    """Head and payload as they go over the wire, closing zero included."""
    return cobs.encode(body + zlib.crc32(body).to_bytes(wire.CRC_BYTES, "little")) + END


def body_of(coded: bytes) -> bytes | None:
    """Head and payload of a frame without its closing zero; None where it is none."""
    try:
        raw = cobs.decode(coded)
    except cobs.DecodeError:
        return None
    body, crc = raw[: -wire.CRC_BYTES], raw[-wire.CRC_BYTES :]
    return body if zlib.crc32(body) == int.from_bytes(crc, "little") and body else None
