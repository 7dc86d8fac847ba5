"""Frames to the host, built in place: a frame costs its bytes and nothing from the heap."""

import struct

import micropython
from micropython import const

from . import clock_rp2, framing
from . import wire_format as wire

_STAMP = const(4)
_DROPPED = const(12)
_QUANTITY_BYTES = 4 * wire.QUANTITIES
_AXES_BYTES = 4 * 3 * wire.AXIS_FEATURES


class Telemetry:
    """One stream of frames over one link. Nothing is sent, or counted, while no host listens;
    `dropped_frames` counts those that an open link had no room for."""

    def __init__(self, link):
        self._link = link
        self.buffer = self._frame = bytearray(wire.MAX_DATA_BYTES)
        self._coded = bytearray(wire.MAX_DATA_BYTES + wire.MAX_DATA_BYTES // 254 + 2)
        self._sequence = 0
        self.dropped_frames = 0
        self.lost_samples = 0

    @micropython.native
    def _finish(self, kind, tail_bytes=0):
        if not self._link.open:
            return
        frame = self._frame
        struct.pack_into("<BBH", frame, 0, kind, 0, self._sequence)
        clock_rp2.stamp(frame, _STAMP)
        struct.pack_into(
            "<HH", frame, _DROPPED, self.dropped_frames & 0xFFFF, self.lost_samples & 0xFFFF
        )
        self._sequence = (self._sequence + 1) & 0xFFFF
        length = framing.append_crc(
            frame, wire.DATA_HEAD_BYTES + wire.FORMATS[kind][1] + tail_bytes, framing.CRC_TABLE
        )
        length = framing.cobs_encode(frame, length, self._coded, 0)
        if not self._link.write(self._coded, length):
            self.dropped_frames += 1

    def greeting(self, fields):
        """Who this is; `fields` in the order of `wire.GREETING`."""
        self.answer(wire.GREETING, 0, fields)

    @micropython.native
    def status(
        self, governor, step, flags, cap, ceiling, duty, overruns, bad, stray, alarms, quantities
    ):
        """How it stands; `quantities` are those of `wire.QUANTITIES`, an array of int32."""
        frame = self._frame
        struct.pack_into(
            wire.STATE_FORMAT,
            frame,
            wire.DATA_HEAD_BYTES,
            governor.mode,
            governor.limit,
            governor.fault,
            step,
            flags,
            governor.command_permille,
            cap,
            ceiling,
            duty,
            overruns & 0xFFFF,
            bad & 0xFFFF,
            stray & 0xFFFF,
            alarms,
        )
        framing.copy(quantities, 0, frame, wire.DATA_HEAD_BYTES + wire.STATE_BYTES, _QUANTITY_BYTES)
        self._finish(wire.STATUS)

    @micropython.native
    def features(self, window_samples, window_ms, once_mg, once_um_s, axes):
        """A window has closed; `axes` are its features as `wire.AXIS_FEATURES` has them."""
        frame = self._frame
        at = wire.DATA_HEAD_BYTES
        struct.pack_into(
            wire.FEATURES_HEAD_FORMAT, frame, at, window_samples, window_ms, once_mg, once_um_s
        )
        framing.copy(axes, 0, frame, at + wire.FEATURES_HEAD_BYTES, _AXES_BYTES)
        self._finish(wire.FEATURES)

    @micropython.native
    def event(self, code, detail, value):
        """Something has happened."""
        struct.pack_into(
            wire.FORMATS[wire.EVENT][0], self._frame, wire.DATA_HEAD_BYTES, code, detail, value
        )
        self._finish(wire.EVENT)

    @micropython.native
    def reply(self, command, reason, sequence):
        """The answer to a command."""
        struct.pack_into(
            wire.FORMATS[wire.REPLY][0],
            self._frame,
            wire.DATA_HEAD_BYTES,
            command,
            reason,
            sequence,
        )
        self._finish(wire.REPLY)

    @micropython.native
    def waveform(self, number, samples, first, count, scale_ug):
        """One block of raw x, y, z counts: `count` triples from `samples[3 * first:]`."""
        at = wire.DATA_HEAD_BYTES
        struct.pack_into(wire.FORMATS[wire.WAVEFORM][0], self._frame, at, number, count, scale_ug)
        at += wire.FORMATS[wire.WAVEFORM][1]
        framing.copy(samples, 6 * first, self._frame, at, 6 * count)
        self._finish(wire.WAVEFORM, 6 * count)

    def tail_at(self, kind):
        """Where in `buffer` the bytes go that follow the fields of a frame of this kind."""
        return wire.DATA_HEAD_BYTES + wire.FORMATS[kind][1]

    def answer(self, kind, tail_bytes, fields):
        """A frame of `fields`, a list or tuple, with a tail that has been put at `tail` before."""
        struct.pack_into(wire.FORMATS[kind][0], self._frame, wire.DATA_HEAD_BYTES, *fields)
        self._finish(kind, tail_bytes)
