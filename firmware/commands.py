"""Frames from the host: found in the stream, checked, answered. What is not understood changes
nothing and is counted.
"""

import struct

from micropython import const

from . import framing, wire

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


class Commands:
    """Reads commands from a link and hands them to `handle(kind, argument)`, which returns a
    reason.

    `bad_frames` counts what was not a frame, had a wrong CRC, or was too long.
    """

    def __init__(self, link, telemetry, handle):
        self._link = link
        self._telemetry = telemetry
        self._handle = handle
        self._frame = bytearray(wire.MAX_COMMAND_BYTES)
        self._length = 0
        self._too_long = False
        self.bad_frames = 0
        self._codes = {}
        self._sizes = {}
        for kind, (_, fields) in wire.MESSAGES.items():
            if kind >= wire.HELLO:
                self._codes[kind] = wire.struct_format(fields)
                self._sizes[kind] = struct.calcsize(self._codes[kind])

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
            if self._length + count > wire.MAX_COMMAND_BYTES:
                self._too_long = True
            else:
                framing.copy(received, start, self._frame, self._length, count)
                self._length += count
            if zero < 0:
                break
            self._take()
            start = zero + 1
        link.received_bytes = 0

    def _take(self):
        length = self._length
        too_long = self._too_long
        self._length = 0
        self._too_long = False
        if length == 0 and not too_long:
            return
        frame = self._frame
        if not too_long:
            length = framing.cobs_decode(frame, length)
        if too_long or not framing.crc_matches(frame, length, framing.CRC_TABLE):
            self.bad_frames += 1
            return
        length -= wire.COMMAND_HEAD_BYTES + wire.CRC_BYTES
        if length < 0:
            self.bad_frames += 1
            return
        kind = frame[0]
        sequence = frame[2] | (frame[3] << 8)
        size = self._sizes.get(kind, -1)
        if size < 0:
            reason = UNKNOWN_COMMAND
        elif size != length:
            reason = WRONG_LENGTH
        else:
            argument = 0
            if length:
                argument = struct.unpack_from(self._codes[kind], frame, wire.COMMAND_HEAD_BYTES)[0]
            reason = self._handle(kind, argument)
        if kind != wire.HEARTBEAT or reason != DONE:
            self._telemetry.reply(kind, reason, sequence)
