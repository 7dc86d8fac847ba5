"""What the pins of a board did, and what crossed its buses and its USB, as the emulator has kept it
(`trace.mjs`)."""

from __future__ import annotations

import array
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["spi", "i2c", "usb", "usb control"]

BOOT_ROM = 255
_KINDS: tuple[Kind, ...] = ("spi", "i2c", "usb", "usb control")
_ROW = struct.Struct("<ddIIHHhBBB3x")
_READING, _REFUSED, _CUT, _UNFINISHED = 1, 2, 4, 8
_NO_NUMBER = 255


@dataclass(frozen=True, slots=True)
class Transfer:
    """What crossed a bus in one go, from `begin_ns` to `end_ns` of device time.

    On SPI that is from the fall of a chip select to its rise, on I2C from a START to the next one
    or to the STOP, on USB a packet, or all stages of a control transfer.

    `bus` is the number of the SPI or I2C block, None for I2C on pins alone. `chip` is the index of
    the selected device on SPI (None: bytes to nobody), the address on I2C, and on USB the serial
    function (`BOOT_ROM`: the boot ROM's interface). `sent` holds bytes from the RP2040, `received`
    bytes to it (of a control transfer the setup packet first), of which the first 1,024 are kept;
    `sent_bytes` and `received_bytes` count all.

    `reading` is I2C's read bit. `refused`: no acknowledgement, or a stall. `cut`: the chip's reset
    or its power ended it. `unfinished`: it still goes on, `end_ns` is now.
    """

    kind: Kind
    bus: int | None
    chip: int | None
    begin_ns: float
    end_ns: float
    sent: bytes
    received: bytes
    sent_bytes: int
    received_bytes: int
    reading: bool = False
    refused: bool = False
    cut: bool = False
    unfinished: bool = False


@dataclass(frozen=True, slots=True)
class Edges:
    """What a pin did: the device times of its edges from `since_ns` on, and its level after the
    last of them."""

    since_ns: float
    times_ns: Sequence[float]
    level: int


@dataclass(frozen=True, slots=True)
class Trace:
    """What the emulator has kept: transfers by their beginning, and `pins` by GPIO; a pin that is
    not there was low all the time. `powers` are the times at which power came or went, the last 256
    of all time. `on`: it keeps any at all."""

    on: bool = False
    transfers: Sequence[Transfer] = ()
    pins: dict[int, Edges] = field(default_factory=dict)
    powers: Sequence[tuple[float, bool]] = ()


def trace_of(answer: dict[str, Any], parts: dict[str, bytes], since_ns: float) -> Trace:
    """What the emulator has answered."""
    if "rows" not in parts:
        return Trace()
    times = array.array("d", parts["times"])
    found: dict[int, Edges] = {}
    at = 0
    for gpio, level, count, whole in answer["pins"]:
        edges = times[at : at + count]
        # Of more than are held, nothing is known before the first of them.
        found[gpio] = Edges(since_ns if whole or not count else edges[0], edges, level)
        at += count
    powers = tuple((at_ns, on) for at_ns, on in answer["powers"])
    return Trace(True, transfers(parts["rows"], parts["bytes"]), found, powers)


def transfers(rows: bytes, content: bytes) -> list[Transfer]:
    """Those of the emulator's rows and bytes, by their beginning."""
    found: list[Transfer] = []
    at = 0
    for row in _ROW.iter_unpack(rows):
        begin, end, sent, received, sent_kept, received_kept, chip, kind, bus, flags = row
        middle, last = at + sent_kept, at + sent_kept + received_kept
        found.append(
            Transfer(
                kind=_KINDS[kind],
                bus=None if bus == _NO_NUMBER else bus,
                chip=None if chip < 0 else chip,
                begin_ns=begin,
                end_ns=end,
                sent=content[at:middle],
                received=content[middle:last],
                sent_bytes=sent,
                received_bytes=received,
                reading=bool(flags & _READING),
                refused=bool(flags & _REFUSED),
                cut=bool(flags & _CUT),
                unfinished=bool(flags & _UNFINISHED),
            )
        )
        at = last
    return sorted(found, key=lambda it: it.begin_ns)
