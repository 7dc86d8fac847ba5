"""The engine for sensors whose FIFO is read in long bursts by DMA, one step at each of the guard's
turns: the sensor's status, the burst, then 32 of its words a turn without their tags into the ring.

The words are those of `acquire_rp2`, with these in the place of others.
"""

import micropython
import rp2
import uctypes
from micropython import const

from .acquire_rp2 import Engine

_INT_MASK = const(8)
_RAW = const(9)  # of the burst's first word
_COMMAND = const(10)
_CS_MASK = const(11)
_STATUS_COMMAND = const(12)
_RX = const(13)  # registers of the DMA's channels
_TX = const(14)
_BURST_BYTES = const(15)
_RAW_AT = const(16)
_LEFT = const(18)  # words of the burst that are not in the ring yet
_SAMPLES = const(19)
# 20 and 21: the microsecond timer when INT1 was seen high, and the count then; `wideband` has them.
_BASE = const(7)

_DREQ_SPI_TX = (16, 18)
_DMA = const(0x50000000)
_SSPDR = const(0x08)
_WORD_BYTES = const(7)

# Phases: 0 waits for the sensor's INT1, 1 its status is under way, 2 it is known, 3 the burst is
# under way, 4 its words go into the ring.


@micropython.asm_thumb
def _finish(r0):
    """What has ended since the last turn. 40 cycles where nothing has, 540 for 32 words.

    A FIFO that has overflowed counts once; a word that is no acceleration (its tag: "FIFO tag")
    counts with the up to three beside it. While the ring is held, words are counted as lost.
    """
    ldr(r1, [r0, 8])
    cmp(r1, 4)
    beq(WORDS)
    cmp(r1, 3)
    beq(BURST)
    cmp(r1, 1)
    bne(LEAVE)
    ldr(r2, [r0, 28])
    ldr(r3, [r2, 12])  # SSPSR
    lsr(r3, r3, 5)  # BSY
    bcs(LEAVE)
    mov(r3, 0xD0)
    lsl(r3, r3, 24)
    ldr(r4, [r0, 44])
    str(r4, [r3, 20])  # GPIO_OUT_SET: CS up
    ldr(r3, [r2, 8])
    ldr(r3, [r2, 8])
    mov(r4, 0x48)  # overrun now, or since the last look
    and_(r3, r4)
    beq(NOTHING_LOST)
    ldr(r4, [r0, 4])
    add(r4, 1)
    str(r4, [r0, 4])
    label(NOTHING_LOST)
    mov(r4, 2)
    str(r4, [r0, 8])
    label(LEAVE)
    b(NOTHING)

    label(BURST)
    ldr(r2, [r0, 52])
    ldr(r3, [r2, 16])  # CTRL
    lsr(r3, r3, 25)  # BUSY
    bcs(LEAVE)
    mov(r3, 0xD0)
    lsl(r3, r3, 24)
    ldr(r4, [r0, 44])
    str(r4, [r3, 20])  # CS up
    mov(r4, 4)
    str(r4, [r0, 8])
    ldr(r4, [r0, 36])
    str(r4, [r0, 64])
    ldr(r4, [r0, 76])
    str(r4, [r0, 72])
    label(WORDS)
    ldr(r4, [r0, 72])
    sub(r4, 32)
    str(r4, [r0, 72])
    bgt(MORE)
    mov(r4, 0)
    str(r4, [r0, 8])
    label(MORE)
    ldr(r1, [r0, 64])
    mov(r4, 224)
    add(r4, r4, r1)
    str(r4, [r0, 64])
    ldr(r5, [r0, 0])
    ldr(r4, [r0, 88])  # the count at which the ring is held, modulo 2^30
    cmp(r4, 0)
    beq(NOT_HELD)
    sub(r4, r4, r5)
    lsl(r4, r4, 2)
    bgt(NOT_HELD)
    ldr(r4, [r0, 4])
    add(r4, 32)
    str(r4, [r0, 4])
    b(NOTHING)
    label(NOT_HELD)
    add(r5, 32)
    push({r0, r5})
    ldr(r5, [r0, 12])
    ldr(r2, [r0, 16])
    add(r2, r2, r5)
    add(r5, 192)
    ldr(r7, [r0, 20])
    cmp(r5, r7)
    bne(NOT_ROUND)
    mov(r5, 0)
    label(NOT_ROUND)
    str(r5, [r0, 12])
    mov(r0, r1)
    mov(r1, r2)
    mov(r6, 0)
    mov(r7, 8)
    label(FOUR)  # words of 7 bytes in 7 of the chip's: TXXY YZZT XXYY ZZTX XYYZ ZTXX YYZZ
    ldr(r2, [r0, 0])
    ldr(r3, [r0, 4])
    mov(r5, 0x10)  # the tag of an acceleration, in bits 7 to 3
    mov(r4, r2)
    eor(r4, r5)
    orr(r6, r4)
    lsr(r2, r2, 8)
    lsl(r4, r3, 24)
    orr(r2, r4)
    str(r2, [r1, 0])
    lsr(r4, r3, 24)
    eor(r4, r5)
    orr(r6, r4)
    lsl(r3, r3, 8)
    lsr(r3, r3, 16)
    ldr(r2, [r0, 8])
    lsl(r4, r2, 16)
    orr(r3, r4)
    str(r3, [r1, 4])
    lsr(r2, r2, 16)
    ldr(r3, [r0, 12])
    lsl(r4, r3, 16)
    orr(r2, r4)
    str(r2, [r1, 8])
    lsr(r4, r3, 16)
    eor(r4, r5)
    orr(r6, r4)
    lsr(r3, r3, 24)
    ldr(r2, [r0, 16])
    lsl(r4, r2, 8)
    orr(r3, r4)
    str(r3, [r1, 12])
    lsr(r2, r2, 24)
    ldr(r3, [r0, 20])
    lsr(r4, r3, 8)
    eor(r4, r5)
    orr(r6, r4)
    lsl(r4, r3, 24)
    lsr(r4, r4, 16)
    orr(r2, r4)
    lsr(r3, r3, 16)
    lsl(r3, r3, 16)
    orr(r2, r3)
    str(r2, [r1, 16])
    ldr(r2, [r0, 24])
    str(r2, [r1, 20])
    add(r0, 28)
    add(r1, 24)
    mov(r4, 0xF8)
    and_(r6, r4)
    beq(WELL)
    push({r7})
    data(2, 0x9F01)  # ldr r7, [sp, 4]
    ldr(r4, [r7, 4])
    add(r4, 4)
    str(r4, [r7, 4])
    pop({r7})
    mov(r6, 0)
    label(WELL)
    sub(r7, 1)
    bne(FOUR)
    pop({r0, r5})
    str(r5, [r0, 0])
    b(NOTHING)
    data(2, 0x57A7)
    label(NOTHING)


@micropython.asm_thumb
def _begin(r0):
    """Ask for the status when INT1 is high, then start the burst. 40 cycles; 90 to start one."""
    ldr(r1, [r0, 8])
    cmp(r1, 2)
    beq(BURST)
    ldr(r2, [r0, 24])
    orr(r1, r2)
    bne(LEAVE)  # under way, or paused
    mov(r3, 0xD0)
    lsl(r3, r3, 24)
    ldr(r4, [r3, 4])  # GPIO_IN
    ldr(r5, [r0, 32])
    and_(r4, r5)
    beq(LEAVE)
    ldr(r4, [r0, 44])
    str(r4, [r3, 24])  # GPIO_OUT_CLR: CS down
    ldr(r2, [r0, 28])
    ldr(r4, [r0, 48])
    str(r4, [r2, 8])  # SSPDR
    mov(r4, 0)
    str(r4, [r2, 8])
    mov(r4, 1)
    str(r4, [r0, 8])
    mov(r3, 0x40)
    lsl(r3, r3, 8)
    add(r3, 0x05)
    lsl(r3, r3, 8)
    add(r3, 0x40)
    lsl(r3, r3, 8)  # 0x40054000: TIMER
    ldr(r3, [r3, 0x28])  # TIMERAWL
    str(r3, [r0, 80])
    ldr(r3, [r0, 0])
    str(r3, [r0, 84])
    label(LEAVE)
    b(NOTHING)
    label(BURST)
    mov(r3, 0xD0)
    lsl(r3, r3, 24)
    ldr(r4, [r0, 44])
    str(r4, [r3, 24])
    ldr(r2, [r0, 28])
    ldr(r4, [r0, 40])
    str(r4, [r2, 8])
    ldr(r3, [r0, 36])
    sub(r3, 1)  # what comes with the command goes in front of the first word
    ldr(r2, [r0, 52])
    str(r3, [r2, 44])  # WRITE_ADDR_TRIG
    ldr(r2, [r0, 56])
    ldr(r3, [r0, 60])
    str(r3, [r2, 28])  # TRANS_COUNT_TRIG
    mov(r4, 3)
    str(r4, [r0, 8])
    b(NOTHING)
    data(2, 0x57A7)
    label(NOTHING)


def burst_engine(ring, base, spi_number, cs_pin, int_pin, command, status_command, samples, memory):
    """For sensors that give `samples` (a multiple of 32) tagged words of 7 bytes in one burst after
    `command`, while `int_pin` is high; `status_command` reads a byte that tells of an overrun.

    `memory` holds the burst: 7 * samples + 8 bytes.
    """
    engine = Engine(ring, _finish, _begin)
    words = engine.words
    raw = (uctypes.addressof(memory) + 7) & ~3  # a byte in front of it for the command's answer
    words[_BASE] = base
    words[_INT_MASK] = 1 << int_pin
    words[_RAW] = raw
    words[_COMMAND] = command
    words[_CS_MASK] = 1 << cs_pin
    words[_STATUS_COMMAND] = status_command
    words[_BURST_BYTES] = _WORD_BYTES * samples
    words[_SAMPLES] = samples
    engine.memory = memory
    engine.nothing = bytearray(4)  # what is sent while the sensor answers
    rx = rp2.DMA()
    tx = rp2.DMA()
    engine.channels = (rx, tx)
    treq = _DREQ_SPI_TX[spi_number]
    rx.config(
        read=base + _SSPDR,
        write=raw,
        count=_WORD_BYTES * samples + 1,
        ctrl=rx.pack_ctrl(
            size=0, inc_read=False, inc_write=True, treq_sel=treq + 1, irq_quiet=True
        ),
    )
    tx.config(
        read=engine.nothing,
        write=base + _SSPDR,
        count=_WORD_BYTES * samples,
        ctrl=tx.pack_ctrl(size=0, inc_read=False, inc_write=False, treq_sel=treq, irq_quiet=True),
    )
    words[_RX] = _DMA + 0x40 * rx.channel
    words[_TX] = _DMA + 0x40 * tx.channel
    return engine
