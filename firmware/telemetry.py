"""Frames to the host, built in place: a frame costs its bytes and nothing from the heap."""

import struct

import micropython
from micropython import const

from . import framing, wire

_DROPPED = const(12)

EVENT_BOOT = const(0)
EVENT_RUN = const(1)
EVENT_STOP = const(2)
EVENT_LIMIT = const(3)
EVENT_TRIP = const(4)
EVENT_RESET = const(5)
EVENT_LINK_LOST = const(6)
EVENT_EXCEPTION = const(7)
EVENT_MAINTENANCE = const(8)


@micropython.viper
def _stamp(frame: ptr8):
    """The chip's 64-bit microsecond timer (datasheet section 4.6), read so that a carry between its
    halves is seen.
    """
    timer = ptr32(0x40054000)
    high = timer[9]
    low = timer[10]
    while timer[9] != high:
        high = timer[9]
        low = timer[10]
    i = 0
    while i < 4:
        frame[4 + i] = (low >> (8 * i)) & 0xFF
        frame[8 + i] = (high >> (8 * i)) & 0xFF
        i += 1


class Telemetry:
    """One stream of frames over one link. Nothing is sent, or counted, while no host listens;
    `dropped_frames` counts those that an open link had no room for."""

    def __init__(self, link):
        self._link = link
        self._frame = bytearray(wire.MAX_DATA_BYTES)
        self._coded = bytearray(wire.MAX_DATA_BYTES + wire.MAX_DATA_BYTES // 254 + 2)
        self._sequence = 0
        self.dropped_frames = 0
        self.lost_samples = 0
        self._formats = {}
        self._bytes = {}
        for kind, (_, fields) in wire.MESSAGES.items():
            self._formats[kind] = wire.struct_format(fields)
            self._bytes[kind] = struct.calcsize(self._formats[kind])

    def _finish(self, kind, tail_bytes=0):
        if not self._link.open:
            return
        frame = self._frame
        struct.pack_into("<BBH", frame, 0, kind, 0, self._sequence)
        _stamp(frame)
        struct.pack_into(
            "<HH", frame, _DROPPED, self.dropped_frames & 0xFFFF, self.lost_samples & 0xFFFF
        )
        self._sequence = (self._sequence + 1) & 0xFFFF
        length = framing.append_crc(
            frame, wire.DATA_HEAD_BYTES + self._bytes[kind] + tail_bytes, framing.CRC_TABLE
        )
        length = framing.cobs_encode(frame, length, self._coded, 0)
        if not self._link.write(self._coded, length):
            self.dropped_frames += 1

    def greeting(self, *fields):
        """Who this is; `fields` in the order of `wire.GREETING`."""
        code = self._formats[wire.GREETING]
        struct.pack_into(code, self._frame, wire.DATA_HEAD_BYTES, *fields)
        self._finish(wire.GREETING)

    def status(self, governor, motor, inputs, features, flags, overruns, bad_frames):
        """How it stands."""
        struct.pack_into(
            self._formats[wire.STATUS],
            self._frame,
            wire.DATA_HEAD_BYTES,
            governor.mode,
            governor.limit,
            governor.fault,
            flags,
            governor.command_permille,
            governor.cap_permille,
            motor.duty_permille,
            min(inputs.speed_rpm, 65535),
            features.worst_velocity_um_s,
            min(features.worst_peak_mg, 65535),
            inputs.bearing_mdegc // 10,
            max(-32768, min(inputs.current_ma, 32767)),
            min(inputs.supply_mv, 65535),
            overruns & 0xFFFF,
            bad_frames & 0xFFFF,
        )
        self._finish(wire.STATUS)

    def features(self, features, window_ms):
        """A window has closed."""
        rms = features.rms_mg
        peak = features.peak_mg
        crest = features.crest_centi
        velocity = features.velocity_um_s
        struct.pack_into(
            self._formats[wire.FEATURES],
            self._frame,
            wire.DATA_HEAD_BYTES,
            features.window_samples,
            window_ms,
            rms[0],
            rms[1],
            rms[2],
            peak[0],
            peak[1],
            peak[2],
            crest[0],
            crest[1],
            crest[2],
            0,
            velocity[0],
            velocity[1],
            velocity[2],
        )
        self._finish(wire.FEATURES)

    def event(self, code, detail, value):
        """Something has happened."""
        struct.pack_into(
            self._formats[wire.EVENT], self._frame, wire.DATA_HEAD_BYTES, code, detail, value
        )
        self._finish(wire.EVENT)

    def reply(self, command, reason, sequence):
        """The answer to a command."""
        struct.pack_into(
            self._formats[wire.REPLY], self._frame, wire.DATA_HEAD_BYTES, command, reason, sequence
        )
        self._finish(wire.REPLY)

    def waveform(self, first_sample, samples, count, scale_ug):
        """One block of raw x, y, z counts."""
        at = wire.DATA_HEAD_BYTES
        struct.pack_into(
            self._formats[wire.WAVEFORM], self._frame, at, first_sample, count, scale_ug
        )
        at += self._bytes[wire.WAVEFORM]
        framing.copy(samples, 0, self._frame, at, 6 * count)
        self._finish(wire.WAVEFORM, 6 * count)
