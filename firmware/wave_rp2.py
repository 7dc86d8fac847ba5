"""A waveform's frame from a block of a wideband sensor, in the RP2040's viper and assembler."""

import micropython
from micropython import const

TRIPLES = const(128)  # as many as a frame takes
FRAME_BYTES = const(792)  # head, fields and samples, before the CRC
ROOM_BYTES = const(802)  # with it, coded


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
def fill(frame: ptr32, samples: ptr8, first: int, number: int, kind: int, sequence: int, lost: int):
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
    frame[5] = TRIPLES | ((kind >> 8) << 16)
    _move_triples(int(samples) + 6 * first, int(frame) + 24)
