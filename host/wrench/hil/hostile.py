"""Frames that no well-behaved peer sends: noise, sound frames spoiled, and sound frames that say
what nobody should.

Each comes with its closing zero, and may be none, one or several frames to whoever reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from wrench.hil.wire_truth import crc_of, enclosed, stuffed
from wrench.link import TABLES
from wrench_firmware import wire

END = b"\0"

Body = Callable[[Random], bytes]

# Rarely, because each costs the board a write to flash, which takes as long as a hundred frames.
_RARE = (wire.FACTORY_RESET, wire.NEW_BEARING)
_COMMANDS = [kind for kind in wire.MESSAGES if kind >= wire.HELLO and kind not in _RARE]
_ANSWERS = [kind for kind in wire.MESSAGES if kind < wire.HELLO]
_SEQUENCES = (0, 1, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
_TIMES_US = (0, 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1)


def _extreme(chance: Random, code: str) -> int:
    """A value of a field, mostly at an edge."""
    bits = 8 * struct.calcsize(f"<{code}")
    least = -(1 << bits - 1) if code.islower() else 0
    most = least + (1 << bits) - 1
    edges = (least, least + 1, most, most - 1, most // 2, 0, 1, 2, 100, 1000, wire.BROKEN)
    how = chance.random()
    if how < 0.5:
        value = chance.choice(edges)
    elif how < 0.7:
        value = chance.randint(least, most)
    else:
        value = chance.randrange(1 << chance.randint(1, bits - 1))  # of any magnitude
    return min(max(value, least), most)


def _payload(chance: Random, kind: int) -> bytes:
    fields = wire.MESSAGES[kind][1]
    values: list[int | bytes] = []
    for _, code, unit in fields:
        if code.endswith("s"):
            values.append(chance.randbytes(struct.calcsize(code)))
        elif unit in TABLES and chance.random() < 0.7:
            values.append(chance.randrange(len(TABLES[unit])))
        else:
            values.append(_extreme(chance, code))
    return struct.pack(wire.struct_format(fields), *values)


def _sequence(chance: Random) -> int:
    return chance.choice(_SEQUENCES) if chance.random() < 0.2 else chance.randrange(1 << 16)


def command(chance: Random) -> bytes:
    """A command's head and payload: a kind there is, arguments of the right length."""
    kind = chance.choice(_RARE) if chance.random() < 0.002 else chance.choice(_COMMANDS)
    head = struct.pack(wire.COMMAND_HEAD_FORMAT, kind, 0, _sequence(chance))
    return head + _payload(chance, kind)


def answer(chance: Random) -> bytes:
    """The same of a frame from a board, with anything as its tail."""
    kind = chance.choice(_ANSWERS)
    time_us = chance.choice(_TIMES_US) if chance.random() < 0.3 else chance.randrange(1 << 40)
    head = struct.pack(
        wire.DATA_HEAD_FORMAT,
        kind,
        0,
        _sequence(chance),
        time_us,
        _extreme(chance, "H"),
        _extreme(chance, "H"),
    )
    tail = b""
    if kind in (wire.WAVEFORM, wire.LOG, wire.CAPTURE) or chance.random() < 0.1:
        tail = chance.randbytes(chance.choice((0, 1, 5, 6, 24, 191, 192, 512)))
    return head + _payload(chance, kind) + tail


@dataclass(frozen=True)
class Hostile:
    """Makes such frames: `body` makes sound ones, whose head has `head_bytes`; `longest` is what
    the reader takes at most, coded. `endless_bytes` is the longest stretch without a zero."""

    body: Body
    head_bytes: int
    longest: int
    endless_bytes: int

    def draw(self, chance: Random) -> bytes:
        """One of them, of any shape."""
        return chance.choices(_SHAPES, _WEIGHTS)[0](self, chance) + END

    # -- shapes: without the last closing zero -------------------------------------------
    def sound(self, chance: Random) -> bytes:
        """Nothing is wrong with it."""
        return enclosed(self.body(chance))

    def noise(self, chance: Random) -> bytes:
        """Random bytes, zeros among them."""
        return chance.randbytes(chance.choice((1, 2, 3, 5, 8, 9, 10, 12, 16, 30)))

    def padding(self, chance: Random) -> bytes:
        """Empty frames around a sound one."""
        return END * chance.randrange(1, 4) + self.sound(chance) + END * chance.randrange(3)

    def flipped(self, chance: Random) -> bytes:
        """Up to four wrong bits."""
        coded = bytearray(self.sound(chance))
        for _ in range(chance.randint(1, 4)):
            coded[chance.randrange(len(coded))] ^= 1 << chance.randrange(8)
        return bytes(coded)

    def cut(self, chance: Random) -> bytes:
        """Its beginning or its end is missing, or something in between."""
        coded = self.sound(chance)
        first, last = sorted((chance.randrange(len(coded)), chance.randrange(len(coded))))
        return chance.choice((coded[:last], coded[first:], coded[:first] + coded[last:]))

    def doubled(self, chance: Random) -> bytes:
        """The same one twice."""
        coded = self.sound(chance)
        return coded + END + coded

    def glued(self, chance: Random) -> bytes:
        """Two without a zero between them."""
        return self.sound(chance) + self.sound(chance)

    def wrong_crc(self, chance: Random) -> bytes:
        """All is well but the CRC: another one, none, that of nothing, in the wrong order."""
        body = self.body(chance)
        crc = crc_of(body)
        wrong = chance.choice(
            (
                bytes(4),
                b"\xff" * 4,
                crc[::-1],
                bytes([crc[0] ^ 1 << chance.randrange(8)]) + crc[1:],
                crc[:-1] + bytes([crc[-1] ^ 1 << chance.randrange(8)]),
                bytes(byte ^ 0xFF for byte in crc),
                b"",
            )
        )
        return stuffed(body + wrong)

    def wrong_content(self, chance: Random) -> bytes:
        """The CRC is right, over bytes that were spoiled before."""
        body = bytearray(self.body(chance))
        for _ in range(chance.randint(1, 3)):
            body[chance.randrange(len(body))] = chance.choice((0, 1, 255, chance.randrange(256)))
        return enclosed(bytes(body))

    def wrong_length(self, chance: Random) -> bytes:
        """The CRC is right; the end of the payload is missing, or more follows."""
        body = self.body(chance)
        if chance.random() < 0.5:
            return enclosed(body[: chance.randrange(1, len(body) + 1)])
        return enclosed(body + chance.randbytes(chance.choice((1, 2, 4, 8))))

    def unknown(self, chance: Random) -> bytes:
        """The CRC is right; any number as its kind, any payload."""
        head = bytes([chance.randrange(256), chance.choice((0, 255))])
        head += chance.randbytes(self.head_bytes - 2)
        return enclosed(head + chance.randbytes(chance.choice((0, 0, 1, 2, 4, 5, 6, 8, 20))))

    def at_the_limit(self, chance: Random) -> bytes:
        """The CRC is right; as long as may be, or a little shorter or longer."""
        size = self.longest - wire.CRC_BYTES + chance.randint(-3, 3)
        body = self.body(chance)
        return enclosed(body[:size] + chance.randbytes(max(0, size - len(body))))

    def endless(self, chance: Random) -> bytes:
        """Far too long, without a zero; a sound frame may follow at once."""
        size = chance.choice((self.longest + 1, 2 * self.longest, self.endless_bytes))
        after = self.sound(chance) if chance.random() < 0.5 else b""
        return chance.randbytes(size).replace(END, b"\1") + after


_MIX: Sequence[tuple[Callable[[Hostile, Random], bytes], float]] = (
    (Hostile.sound, 22),
    (Hostile.noise, 16),
    (Hostile.padding, 3),
    (Hostile.flipped, 12),
    (Hostile.cut, 10),
    (Hostile.doubled, 4),
    (Hostile.glued, 3),
    (Hostile.wrong_crc, 10),
    (Hostile.wrong_content, 8),
    (Hostile.wrong_length, 6),
    (Hostile.unknown, 5),
    (Hostile.at_the_limit, 0.8),
    (Hostile.endless, 0.2),
)
_SHAPES = [shape for shape, _ in _MIX]
_WEIGHTS = [weight for _, weight in _MIX]

COMMANDS = Hostile(command, wire.COMMAND_HEAD_BYTES, wire.MAX_COMMAND_BYTES, 600)
"""For a board."""
