"""Frames from the host: found in the stream, checked, answered. What is not understood changes
nothing and is counted.
"""

import micropython
from micropython import const

from . import framing
from . import wire_format as wire

DONE = const(0)
UNKNOWN_COMMAND = const(1)
WRONG_LENGTH = const(2)
OUT_OF_RANGE = const(3)
ABOVE_CEILING = const(4)
TRIPPED = const(5)
CAUSE_PRESENT = const(6)
ESTOP_OPEN = const(7)
TURNING = const(8)
NOT_READY = const(9)
NOT_TRIPPED = const(10)
TOO_SOON = const(11)
LESS_PROTECTIVE = const(12)
OUT_OF_ORDER = const(13)
FIXED = const(14)
NOTHING_THERE = const(15)
NOT_HURRIED = const(16)
NOT_KEPT = const(17)
SUPPLY_LOW = const(18)

_B = const(0x42)
_H = const(0x48)
_Q = const(0x51)
_SIGNED = const(0x69)
_MOST = const(0x3FFFFFFF)
_LEAST = const(-0x40000000)


class Commands:
    """Reads commands from a link and hands them to `handle(kind, arguments)`, which returns a
    reason. `arguments` is the tuple of the command's fields; where `admit(kind)` gives another
    reason than DONE, nobody looks at them.

    `bad_frames` counts what was not a frame, had a wrong CRC, or was too long; `stray_bytes` the
    bytes of it.
    """

    def __init__(self, link, telemetry, handle, admit=None):
        self._link = link
        self._telemetry = telemetry
        self._handle = handle
        self._admit = admit
        self._frame = bytearray(wire.MAX_COMMAND_BYTES)
        self._length = 0
        self._too_long = False
        self.bad_frames = 0
        self.stray_bytes = 0
        # By kind: the format's codes, and a list for the values, which `struct` would make anew for
        # each command; nothing is collected while the motor turns.
        self._codes = {}
        self._values = {}
        for kind in wire.FORMATS:
            if kind >= wire.HELLO:
                self._codes[kind] = wire.FORMATS[kind][0][1:].encode()
                self._values[kind] = [0] * len(self._codes[kind])

    @micropython.native
    def poll(self):
        """Handle whatever has arrived."""
        link = self._link
        if not link.received_bytes:
            return
        received = link.received
        end = link.received_bytes
        start = 0
        while start < end:
            zero = framing.find_zero(received, start, end)
            stop = end if zero < 0 else zero
            count = stop - start
            if self._too_long or self._length + count > wire.MAX_COMMAND_BYTES:
                self.stray_bytes += self._length + count
                self._length = 0
                self._too_long = True
            else:
                framing.copy(received, start, self._frame, self._length, count)
                self._length += count
            if zero < 0:
                break
            self._take()
            start = zero + 1
        link.received_bytes = 0

    @micropython.native
    def _take(self):
        length = self._length
        too_long = self._too_long
        self._length = 0
        self._too_long = False
        if length == 0 and not too_long:
            return
        frame = self._frame
        coded = length
        if not too_long:
            length = framing.cobs_decode(frame, length)
        if too_long or not framing.crc_matches(frame, length, framing.CRC_TABLE):
            self.bad_frames += 1
            self.stray_bytes += coded
            return
        length -= wire.COMMAND_HEAD_BYTES + wire.CRC_BYTES
        if length < 0:
            self.bad_frames += 1
            self.stray_bytes += coded
            return
        kind = frame[0]
        sequence = frame[2] | (frame[3] << 8)
        layout = wire.FORMATS.get(kind) if kind >= wire.HELLO else None
        if layout is None:
            reason = UNKNOWN_COMMAND
        elif layout[1] != length:
            reason = WRONG_LENGTH
        else:
            reason = self._admit(kind) if self._admit else DONE
            if reason == DONE:
                reason = self._handle(kind, self._unpacked(kind))
        if kind != wire.HEARTBEAT or reason != DONE:
            self._telemetry.reply(kind, reason, sequence)

    @micropython.native
    def _unpacked(self, kind):
        """The fields of the command in the frame, little-endian: B, H, I, Q, and i with a sign.

        Of 32 bits, what is beyond 31 with a sign is the last that is not: memory would be taken
        for it, and none is collected while the motor turns. Nothing that large means anything.
        """
        frame = self._frame
        codes = self._codes[kind]
        values = self._values[kind]
        at = wire.COMMAND_HEAD_BYTES
        for i in range(len(codes)):
            code = codes[i]
            size = 1
            if code == _H:
                size = 2
            elif code == _Q:
                size = 8
            elif code != _B:
                size = 4
            at += size
            value = frame[at - 1]
            if size == 4:
                if code == _SIGNED and value >= 0x80:
                    value -= 0x100
                if value >= 0x40:
                    value = _MOST
                    size = 1
                elif value < -0x40:
                    value = _LEAST
                    size = 1
            for k in range(2, size + 1):
                value = value << 8 | frame[at - k]
            values[i] = value
        return values
