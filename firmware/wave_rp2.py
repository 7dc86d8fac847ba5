"""The waveform of a wideband sensor: 104 blocks a second, straight into what the link sends next,
in the RP2040's viper and assembler.
"""

import micropython
from micropython import const

from . import framing
from . import wire_format as wire
from .ram_code_rp2 import moved

_TRIPLES = const(128)  # as many as a frame takes
_FRAME_BYTES = const(792)  # head, fields and samples, before the CRC
_ROOM_BYTES = const(802)  # with it, coded


@micropython.asm_thumb
def _move_triples(r0, r1):
    """Copy 128 triples from r0 to r1, both aligned to words: 620 cycles."""
    mov(r2, 48)
    label(FOUR)
    data(2, 0xC878)  # ldmia r0!, {r3, r4, r5, r6}
    data(2, 0xC178)  # stmia r1!, {r3, r4, r5, r6}
    sub(r2, 1)
    bne(FOUR)
    mov(r0, 0)


@micropython.viper
def _fill(
    frame: ptr32, samples: ptr8, first: int, number: int, kind: int, sequence: int, lost: int
):
    """Head, fields and samples of a `wire.WAVEFORM`; `kind` is the message's, and the scale in ug a
    count times 256, `lost` the samples lost, and the frames dropped times 65,536.
    """
    timer = ptr32(0x40054000)
    high = timer[9]
    low = timer[10]
    while timer[9] != high:
        high = timer[9]
        low = timer[10]
    frame[0] = (kind & 0xFF) | (sequence << 16)
    frame[1] = low
    frame[2] = high
    frame[3] = (lost >> 16) | (lost << 16)
    frame[4] = number
    frame[5] = _TRIPLES | ((kind >> 8) << 16)
    _move_triples(int(samples) + 6 * first, int(frame) + 24)


def make_stream(telemetry, link, samples, scale_ug):
    """What sends the 256 triples `samples[3 * first:]` as two waveforms, the first of them with
    this number. Defaults as in `envelope_band`.
    """

    @micropython.native
    def stream(
        number,
        first,
        telemetry=telemetry,
        link=link,
        samples=samples,
        frame=telemetry.buffer,
        table=framing.CRC_TABLE,
        append_crc=framing.append_crc,
        encode=framing.cobs_encode,
        fill=_fill,
        kind=wire.WAVEFORM | scale_ug << 8,
    ):
        if not link.open:
            return
        after = first + 2 * _TRIPLES
        while first < after:
            at = link.filled
            sequence = telemetry.sequence
            telemetry.sequence = (sequence + 1) & 0xFFFF
            if at + _ROOM_BYTES > link.room:
                link.dropped_bytes += _ROOM_BYTES
                telemetry.dropped_frames += 1
            else:
                lost = (telemetry.dropped_frames & 0x3FFF) << 16 | telemetry.lost_samples & 0xFFFF
                fill(frame, samples, first, number, kind, sequence, lost)
                append_crc(frame, _FRAME_BYTES, table)
                link.filled = encode(frame, _FRAME_BYTES + 4, link.fill, at)
            number += _TRIPLES
            first += _TRIPLES

    return moved(stream)
