"""What the guard's turns do with the codes of an analog sensor, in the RP2040's assembler.

The words of the engine are in `acquire_rp2`, those of the sensor in `analog`. `data(2, ...)` emits
what MicroPython's assembler has no name for; the instruction stands beside it.
"""

import micropython


@micropython.asm_thumb
def carry(r0):
    """One turn of the engine whose words are at r0: the newest codes of the other inputs go where
    they are wanted, and up to 16 rounds become triples; an axis without an input stays as it is.

    A channel's bit in INTR is set when it has filled its half, and cleared when that half has been
    carried. Where both are set, the DMA has come round to what is not yet carried: all of it is
    given up, a ring of rounds is counted as lost, and the next round will be the first. A code that
    the ADC itself has lost shifts the inputs' places: the engine stops until `Analog.recover`.
    Paused otherwise it goes on: it uses no bus, and the guard needs the current.

    130 cycles where nothing waits, 340 for 16 rounds of one axis, 530 of three, at 125 MHz,
    emulated.
    """
    ldr(r1, [r0, 24])
    cmp(r1, 2)
    beq(LEAVE)
    ldr(r7, [r0, 28])
    ldr(r1, [r7, 44])
    ldr(r1, [r1, 0])  # FCS
    lsr(r1, r1, 12)  # OVER
    bcc(SOUND)
    mov(r1, 2)
    str(r1, [r0, 24])
    ldr(r1, [r0, 4])
    add(r1, 1)
    str(r1, [r0, 4])
    label(LEAVE)
    b(NOTHING)

    label(SOUND)
    ldr(r2, [r7, 28])
    ldr(r3, [r7, 32])
    label(LOOK)
    ldr(r4, [r2, 16])  # CTRL of the first half's channel
    ldr(r1, [r2, 4])  # WRITE_ADDR
    lsr(r5, r4, 25)  # BUSY
    bcs(FIRST_HALF)
    ldr(r1, [r3, 4])
    label(FIRST_HALF)
    ldr(r5, [r2, 16])
    eor(r5, r4)
    lsr(r5, r5, 25)
    bcs(LOOK)  # the DMA has changed halves between the two looks
    ldr(r2, [r7, 0])
    sub(r1, r1, r2)
    ldr(r3, [r7, 8])
    neg(r4, r3)
    and_(r1, r4)  # whole rounds

    mov(r4, 1)
    lsl(r4, r4, 13)
    sub(r4, r4, 1)
    sub(r3, r1, r3)
    and_(r3, r4)
    add(r3, r3, r2)  # the newest round
    ldr(r4, [r0, 36])
    label(INPUT)
    ldr(r2, [r4, 0])
    cmp(r2, 0)
    beq(FOLLOWED)
    ldr(r5, [r4, 4])
    data(2, 0x5B5D)  # ldrh r5, [r3, r5]
    ldr(r6, [r4, 8])
    lsl(r5, r6)
    str(r5, [r2, 0])
    add(r4, 12)
    b(INPUT)
    label(FOLLOWED)

    ldr(r6, [r7, 52])
    ldr(r5, [r7, 48])
    ldr(r2, [r7, 36])
    ldr(r3, [r7, 40])
    orr(r2, r3)
    ldr(r3, [r5, 0])  # INTR
    and_(r3, r2)
    cmp(r3, r2)
    bne(IN_TIME)
    str(r2, [r5, 0])
    str(r1, [r7, 4])
    mov(r1, 1)
    lsl(r1, r1, 13)
    lsr(r1, r6)
    ldr(r2, [r0, 4])
    add(r2, r2, r1)
    str(r2, [r0, 4])
    b(NOTHING)

    label(IN_TIME)
    ldr(r2, [r7, 4])
    sub(r1, r1, r2)
    mov(r3, 1)
    lsl(r3, r3, 13)
    sub(r4, r3, 1)
    and_(r1, r4)
    lsr(r1, r6)  # rounds that wait
    bne(SOME)
    b(NOTHING)
    label(SOME)
    ldr(r5, [r0, 88])  # the count at which the ring is held, modulo 2^30
    cmp(r5, 0)
    beq(NOT_HELD)
    ldr(r4, [r0, 0])
    sub(r5, r5, r4)
    lsl(r5, r5, 2)
    asr(r5, r5, 2)
    bgt(NOT_YET)
    ldr(r4, [r0, 4])
    add(r4, r4, r1)
    str(r4, [r0, 4])
    lsl(r1, r6)
    add(r1, r1, r2)
    sub(r3, r3, 1)
    and_(r1, r3)
    str(r1, [r7, 4])
    ldr(r2, [r7, 36])
    ldr(r3, [r7, 40])
    orr(r2, r3)
    ldr(r5, [r7, 48])
    str(r2, [r5, 0])
    b(NOTHING)
    label(NOT_YET)
    cmp(r1, r5)
    bls(NOT_HELD)
    mov(r1, r5)
    label(NOT_HELD)
    sub(r4, r3, 1)
    # No more of them than to the end of this half, to the end of the triples' ring, and than 16.
    lsr(r3, r3, 1)
    lsr(r4, r4, 1)
    and_(r4, r2)
    sub(r3, r3, r4)
    lsr(r3, r6)
    cmp(r1, r3)
    bls(TO_HALF)
    mov(r1, r3)
    label(TO_HALF)
    cmp(r1, 16)
    bls(FEW)
    mov(r1, 16)
    label(FEW)
    ldr(r3, [r0, 32])
    sub(r5, r3, 1)
    ldr(r4, [r0, 0])
    and_(r5, r4)
    sub(r3, r3, r5)
    cmp(r1, r3)
    bls(TO_END)
    mov(r1, r3)
    label(TO_END)
    add(r4, r4, r1)
    str(r4, [r0, 0])
    mov(r4, 6)
    mul(r4, r5)
    ldr(r3, [r0, 16])
    add(r4, r4, r3)  # the next triple
    mov(r3, r1)
    lsl(r3, r6)
    add(r3, r3, r2)  # what is next after these
    mov(r5, 1)
    lsl(r5, r5, 12)
    ldr(r6, [r7, 36])
    cmp(r3, r5)
    beq(HALF)
    lsl(r5, r5, 1)
    ldr(r6, [r7, 40])
    cmp(r3, r5)
    bne(WITHIN)
    mov(r3, 0)
    label(HALF)
    ldr(r5, [r7, 48])
    str(r6, [r5, 0])
    label(WITHIN)
    str(r3, [r7, 4])

    ldr(r3, [r7, 0])
    add(r2, r2, r3)
    ldr(r5, [r7, 8])
    ldr(r6, [r7, 24])
    mov(r0, 3)
    label(AXIS)
    ldr(r3, [r7, 12])
    cmp(r3, 0)
    blt(NO_INPUT)
    push({r0, r1, r4})
    add(r3, r3, r2)
    label(ROUND)
    ldrh(r0, [r3, 0])
    sub(r0, r0, r6)
    strh(r0, [r4, 0])
    add(r3, r3, r5)
    add(r4, 6)
    sub(r1, 1)
    bne(ROUND)
    pop({r0, r1, r4})
    label(NO_INPUT)
    add(r7, 4)
    add(r4, 2)
    sub(r0, 1)
    bne(AXIS)
    data(2, 0x57A7)
    label(NOTHING)
