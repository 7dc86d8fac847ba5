"""The kernels of the features in the RP2040's assembler.

Each equals its `..._reference` in `features`, bit for bit; a test on the emulated chip holds one
against the other. Nothing but an RP2040 can import this module. Costs are without the call from
Python, measured at 125 MHz, emulated, from SRAM, without interrupts, in blocks of 32 triples.

`data(2, ...)` emits what MicroPython's assembler has no name for; the instruction stands beside it.
"""

import micropython


@micropython.asm_thumb
def statistics(r0, r1, r2, r3):
    """`features.statistics_reference(samples, first, count, work)`.

    2,880 cycles for 32 triples, 30 for each axis and sample; 4,010 and 42 where the window has
    samples at the rail.
    """
    mov(r4, r8)
    mov(r5, r9)
    push({r4, r5})
    add(r1, r1, r2)
    mov(r4, 6)
    mul(r1, r4)
    add(r0, r0, r1)  # behind the last triple; offsets run from -6 * count to 0
    mul(r2, r4)
    neg(r1, r2)
    bne(SOME)
    b(NOTHING)
    label(SOME)
    ldr(r4, [r3, 4])
    ldr(r5, [r3, 8])
    add(r3, 76)
    push({r0, r1, r3, r4, r5})
    # At sp: 0 samples' end, 4 first offset, 8 the axis' words, 12 axes left, 16 the rail.

    label(AXIS)
    data(2, 0x9800)  # ldr r0, [sp, 0]
    data(2, 0x9901)  # ldr r1, [sp, 4]
    data(2, 0x9A02)  # ldr r2, [sp, 8]
    mov(r8, r2)
    ldr(r3, [r2, 0])
    add(r0, r0, r3)
    ldr(r3, [r2, 4])
    ldr(r6, [r2, 20])
    ldr(r7, [r2, 16])
    sub(r7, r7, r6)
    mov(r4, 0)
    mov(r9, r4)
    label(SAMPLE)  # r6 is the lowest so far, r7 how far above it the highest is
    data(2, 0x5E42)  # ldrsh r2, [r0, r1]
    add(r3, r3, r2)
    sub(r5, r2, r6)
    cmp(r5, r7)
    bhi(FURTHER)
    label(NO_FURTHER)
    mul(r2, r2)
    add(r4, r4, r2)
    bcs(CARRY)
    label(NO_CARRY)
    add(r1, 6)
    bne(SAMPLE)
    b(SUMMED)
    label(FURTHER)
    cmp(r2, r6)
    blt(LOWER)
    mov(r7, r5)
    b(NO_FURTHER)
    label(LOWER)
    sub(r7, r7, r5)
    mov(r6, r2)
    b(NO_FURTHER)
    label(CARRY)
    mov(r2, r9)
    add(r2, 1)
    mov(r9, r2)
    b(NO_CARRY)

    label(SUMMED)
    mov(r2, r8)
    add(r7, r7, r6)
    str(r3, [r2, 4])
    str(r7, [r2, 16])
    str(r6, [r2, 20])
    data(2, 0xB2A3)  # uxth r3, r4
    ldr(r1, [r2, 8])
    add(r3, r3, r1)
    data(2, 0xB299)  # uxth r1, r3
    str(r1, [r2, 8])
    lsr(r3, r3, 16)
    lsr(r4, r4, 16)
    add(r4, r4, r3)
    mov(r5, r9)
    lsl(r5, r5, 16)
    add(r4, r4, r5)
    ldr(r3, [r2, 12])
    add(r4, r4, r3)
    str(r4, [r2, 12])

    data(2, 0x9D04)  # ldr r5, [sp, 16]
    neg(r3, r5)
    cmp(r7, r5)
    bge(AT_THE_RAIL)
    cmp(r6, r3)
    bgt(CENTERED)
    label(AT_THE_RAIL)
    data(2, 0x9901)  # ldr r1, [sp, 4]
    ldr(r4, [r2, 48])
    label(RAILED)
    data(2, 0x5E42)  # ldrsh r2, [r0, r1]
    cmp(r2, r5)
    bge(HIT)
    cmp(r2, r3)
    bgt(MISSED)
    label(HIT)
    add(r4, 1)
    label(MISSED)
    add(r1, 6)
    bne(RAILED)
    mov(r2, r8)
    str(r4, [r2, 48])

    label(CENTERED)
    ldr(r3, [r2, 24])
    sub(r4, r7, r3)
    sub(r5, r3, r6)
    cmp(r4, r5)
    bge(FURTHEST)
    mov(r4, r5)
    label(FURTHEST)
    add(r4, 4)
    ldr(r5, [r2, 28])
    label(GROW)
    mov(r3, r4)
    lsr(r3, r5)
    beq(FITS)
    mov(r6, 4)
    mov(r7, 2)
    cmp(r5, 6)
    bne(NOT_SIX)
    mov(r6, 2)
    mov(r7, 1)
    label(NOT_SIX)
    cmp(r5, 13)
    blt(BELOW_13)
    mov(r7, 3)
    label(BELOW_13)
    add(r5, 1)
    ldr(r0, [r2, 44])
    ldr(r1, [r2, 40])
    lsl(r3, r0, 16)
    orr(r3, r1)
    lsr(r3, r6)
    data(2, 0xB29B)  # uxth r3, r3
    str(r3, [r2, 40])
    asr(r0, r6)
    str(r0, [r2, 44])
    ldr(r0, [r2, 36])
    ldr(r1, [r2, 32])
    lsl(r3, r0, 16)
    orr(r3, r1)
    lsr(r3, r7)
    data(2, 0xB29B)  # uxth r3, r3
    str(r3, [r2, 32])
    asr(r0, r7)
    str(r0, [r2, 36])
    b(GROW)

    label(FITS)
    str(r5, [r2, 28])
    mov(r4, 0)
    lsl(r3, r5, 1)
    sub(r3, 13)
    bpl(SHIFTED)
    mov(r3, 0)
    label(SHIFTED)
    sub(r5, 13)
    ble(WHOLE)
    mov(r4, r5)
    mov(r3, 13)
    label(WHOLE)
    mov(r5, r3)
    mov(r6, 1)
    lsl(r6, r4)
    lsr(r6, r6, 1)
    ldr(r7, [r2, 24])
    sub(r6, r6, r7)
    mov(r8, r6)
    mov(r6, 1)
    lsl(r6, r5)
    lsr(r6, r6, 1)
    mov(r9, r6)
    ldr(r3, [r2, 0])
    data(2, 0x9800)  # ldr r0, [sp, 0]
    data(2, 0x9901)  # ldr r1, [sp, 4]
    add(r0, r0, r3)
    mov(r6, 0)
    mov(r7, 0)
    lsl(r2, r1, 30)
    bmi(ODD)  # an odd number of them: enter at the second of a pair
    label(PAIR)
    data(2, 0x5E42)  # ldrsh r2, [r0, r1]
    data(2, 0x4442)  # add r2, r8
    asr(r2, r4)
    mov(r3, r2)
    mul(r3, r3)
    data(2, 0x444B)  # add r3, r9
    lsr(r3, r5)
    mul(r2, r3)
    add(r6, r6, r2)
    mul(r3, r3)
    add(r7, r7, r3)
    add(r1, 6)
    label(ODD)
    data(2, 0x5E42)  # ldrsh r2, [r0, r1]
    data(2, 0x4442)  # add r2, r8
    asr(r2, r4)
    mov(r3, r2)
    mul(r3, r3)
    data(2, 0x444B)  # add r3, r9
    lsr(r3, r5)
    mul(r2, r3)
    add(r6, r6, r2)
    mul(r3, r3)
    add(r7, r7, r3)
    add(r1, 6)
    bne(PAIR)
    data(2, 0x9A02)  # ldr r2, [sp, 8]
    data(2, 0xB2B3)  # uxth r3, r6
    ldr(r4, [r2, 32])
    add(r3, r3, r4)
    data(2, 0xB29C)  # uxth r4, r3
    str(r4, [r2, 32])
    lsr(r3, r3, 16)
    asr(r6, r6, 16)
    add(r6, r6, r3)
    ldr(r3, [r2, 36])
    add(r6, r6, r3)
    str(r6, [r2, 36])
    data(2, 0xB2BB)  # uxth r3, r7
    ldr(r4, [r2, 40])
    add(r3, r3, r4)
    data(2, 0xB29C)  # uxth r4, r3
    str(r4, [r2, 40])
    lsr(r3, r3, 16)
    lsr(r7, r7, 16)
    add(r7, r7, r3)
    ldr(r3, [r2, 44])
    add(r7, r7, r3)
    str(r7, [r2, 44])
    add(r2, 124)
    data(2, 0x9202)  # str r2, [sp, 8]
    data(2, 0x9C03)  # ldr r4, [sp, 12]
    sub(r4, 1)
    data(2, 0x9403)  # str r4, [sp, 12]
    beq(DONE)
    b(AXIS)

    label(DONE)
    data(2, 0xB005)  # add sp, 20
    label(NOTHING)
    pop({r4, r5})
    mov(r8, r4)
    mov(r9, r5)
    mov(r0, 0)


@micropython.asm_thumb
def velocity(r0, r1, r2, r3):
    """`features.velocity_reference(samples, first, count, work)`.

    6,440 cycles for 32 triples, 67 for each axis and sample; 7,390 and 77 where all of them hit the
    limit of velocity.
    """
    mov(r4, r8)
    mov(r5, r9)
    mov(r6, r10)
    mov(r7, r11)
    push({r4, r5, r6, r7})
    add(r1, r1, r2)
    mov(r4, 6)
    mul(r1, r4)
    add(r0, r0, r1)  # behind the last triple; offsets run from -6 * count to 0
    mul(r2, r4)
    neg(r1, r2)
    bne(SOME)
    b(NOTHING)
    label(SOME)
    ldr(r4, [r3, 24])
    ldr(r5, [r3, 28])
    ldr(r6, [r3, 32])
    ldr(r7, [r3, 36])
    push({r4, r5, r6, r7})
    ldr(r4, [r3, 16])
    mov(r8, r4)
    ldr(r7, [r3, 12])
    ldr(r5, [r3, 4])
    add(r3, 76)
    mov(r4, 0)
    push({r0, r1, r3, r4, r5, r7})
    # At sp: 0 samples' end, 4 first offset, 8 the axis' words, 12 carries, 16 axes left, 20 K,
    # 24 B0, 28 B1, 32 A1, 36 A2. r8 is the gain.

    label(AXIS)
    data(2, 0x9A02)  # ldr r2, [sp, 8]
    ldr(r3, [r2, 52])
    mov(r9, r3)
    ldr(r3, [r2, 56])
    mov(r10, r3)
    ldr(r3, [r2, 60])
    mov(r11, r3)
    ldr(r3, [r2, 64])
    mov(r12, r3)
    ldr(r3, [r2, 68])
    mov(r14, r3)
    data(2, 0x9800)  # ldr r0, [sp, 0]
    ldr(r3, [r2, 0])
    add(r0, r0, r3)
    mov(r6, 0)
    data(2, 0x9603)  # str r6, [sp, 12]
    data(2, 0x9901)  # ldr r1, [sp, 4]
    data(2, 0x9F05)  # ldr r7, [sp, 20]
    label(SAMPLE)
    data(2, 0x5E42)  # ldrsh r2, [r0, r1]
    mov(r3, r8)
    mul(r3, r2)
    asr(r2, r3, 3)
    data(2, 0x444B)  # add r3, r9: v
    asr(r4, r3, 16)
    mul(r4, r7)
    data(2, 0xB29D)  # uxth r5, r3
    mul(r5, r7)
    lsr(r5, r5, 16)
    sub(r2, r2, r4)
    sub(r2, r2, r5)
    add(r2, r2, r3)
    mov(r9, r2)
    data(2, 0x4453)  # add r3, r10
    data(2, 0x445B)  # add r3, r11: high
    asr(r2, r3, 16)
    mul(r2, r7)
    data(2, 0xB29C)  # uxth r4, r3
    mul(r4, r7)
    lsr(r4, r4, 16)
    mov(r5, r11)
    sub(r5, r5, r2)
    sub(r5, r5, r4)  # band
    mov(r11, r5)
    asr(r2, r5, 16)
    mul(r2, r7)
    data(2, 0xB2AC)  # uxth r4, r5
    mul(r4, r7)
    lsr(r4, r4, 16)
    add(r2, r2, r4)
    data(2, 0x4492)  # add r10, r2: low
    asr(r3, r3, 4)  # x
    asr(r2, r3, 17)
    add(r2, 1)
    cmp(r2, 1)
    bhi(TOO_FAST)
    label(IN_RANGE)
    data(2, 0x9C06)  # ldr r4, [sp, 24]
    mul(r4, r3)
    data(2, 0x4464)  # add r4, r12
    asr(r4, r4, 12)  # y
    data(2, 0x9A07)  # ldr r2, [sp, 28]
    mul(r2, r3)
    data(2, 0x9D08)  # ldr r5, [sp, 32]
    mul(r5, r4)
    sub(r2, r2, r5)
    mov(r5, r14)
    sub(r2, r2, r5)
    mov(r12, r2)
    data(2, 0x9D09)  # ldr r5, [sp, 36]
    mul(r5, r4)
    mov(r14, r5)
    add(r4, 2)
    asr(r4, r4, 2)
    mul(r4, r4)
    add(r6, r6, r4)
    bcs(CARRY)
    label(NO_CARRY)
    add(r1, 6)
    bne(SAMPLE)
    b(FILTERED)
    label(TOO_FAST)
    asr(r3, r3, 31)
    mov(r2, 1)
    lsl(r2, r2, 17)
    sub(r2, 1)
    eor(r3, r2)
    b(IN_RANGE)
    label(CARRY)
    data(2, 0x9A03)  # ldr r2, [sp, 12]
    add(r2, 1)
    data(2, 0x9203)  # str r2, [sp, 12]
    b(NO_CARRY)

    label(FILTERED)
    data(2, 0x9A02)  # ldr r2, [sp, 8]
    mov(r3, r9)
    str(r3, [r2, 52])
    mov(r3, r10)
    str(r3, [r2, 56])
    mov(r3, r11)
    str(r3, [r2, 60])
    mov(r3, r12)
    str(r3, [r2, 64])
    mov(r3, r14)
    str(r3, [r2, 68])
    data(2, 0x9D03)  # ldr r5, [sp, 12]
    data(2, 0xB2B4)  # uxth r4, r6
    ldr(r7, [r2, 72])
    add(r4, r4, r7)
    data(2, 0xB2A7)  # uxth r7, r4
    str(r7, [r2, 72])
    lsr(r4, r4, 16)
    lsr(r6, r6, 16)
    add(r6, r6, r4)
    lsl(r5, r5, 16)
    add(r6, r6, r5)
    ldr(r4, [r2, 76])
    add(r6, r6, r4)
    str(r6, [r2, 76])
    add(r2, 124)
    data(2, 0x9202)  # str r2, [sp, 8]
    data(2, 0x9C04)  # ldr r4, [sp, 16]
    sub(r4, 1)
    data(2, 0x9404)  # str r4, [sp, 16]
    beq(DONE)
    b(AXIS)

    label(DONE)
    data(2, 0xB00A)  # add sp, 40
    label(NOTHING)
    pop({r4, r5, r6, r7})
    mov(r8, r4)
    mov(r9, r5)
    mov(r10, r6)
    mov(r11, r7)
    mov(r0, 0)


@micropython.asm_thumb
def envelope(r0, r1, r2, r3):
    """`features.envelope_reference(samples, first, count, work)`.

    4,350 cycles for 32 triples and means of 8, 45 for each axis and sample.
    """
    mov(r4, r8)
    mov(r5, r9)
    mov(r6, r10)
    mov(r7, r11)
    push({r4, r5, r6, r7})
    add(r1, r1, r2)
    mov(r4, 6)
    mul(r1, r4)
    add(r0, r0, r1)  # behind the last triple; offsets run from -6 * count to 0
    mul(r2, r4)
    neg(r1, r2)
    bne(SOME)
    b(NOTHING)
    label(SOME)
    ldr(r4, [r3, 40])
    ldr(r5, [r3, 44])
    ldr(r6, [r3, 48])
    push({r4, r5, r6})
    ldr(r4, [r3, 52])
    ldr(r5, [r3, 56])
    ldr(r6, [r3, 60])
    ldr(r7, [r3, 64])
    push({r4, r5, r6, r7})
    mov(r12, r4)
    mov(r14, r5)
    ldr(r4, [r3, 4])
    add(r3, 76)
    mov(r5, 0)
    mov(r6, 0)
    push({r0, r1, r3, r4, r5, r6})
    # At sp: 0 samples' end, 4 first offset, 8 the axis' words, 12 axes left, 16 the axis' end,
    # 20 offset behind this mean, 24 LP_A1, 28 LP_A2, 32 run, 36 shift, 40 HP_A1, 44 HP_A2, 48 gain.

    label(AXIS)
    data(2, 0x9800)  # ldr r0, [sp, 0]
    data(2, 0x9901)  # ldr r1, [sp, 4]
    data(2, 0x9A02)  # ldr r2, [sp, 8]
    ldr(r3, [r2, 0])
    add(r0, r0, r3)
    data(2, 0x9004)  # str r0, [sp, 16]
    ldr(r3, [r2, 80])
    mov(r8, r3)
    ldr(r3, [r2, 84])
    mov(r9, r3)
    ldr(r3, [r2, 88])
    mov(r10, r3)
    ldr(r3, [r2, 92])
    mov(r11, r3)
    ldr(r7, [r2, 96])
    ldr(r3, [r2, 100])
    data(2, 0x9D0A)  # ldr r5, [sp, 40]
    data(2, 0x9E0B)  # ldr r6, [sp, 44]
    label(MEAN)
    data(2, 0x9804)  # ldr r0, [sp, 16]
    add(r4, r3, r1)
    data(2, 0x9405)  # str r4, [sp, 20]
    bgt(SAMPLE)  # the block ends before this mean does
    add(r0, r0, r4)
    neg(r1, r3)
    label(SAMPLE)
    data(2, 0x5E42)  # ldrsh r2, [r0, r1]
    lsl(r2, r2, 12)
    mov(r3, r8)
    add(r3, r3, r2)
    asr(r3, r3, 11)
    mov(r4, r5)
    mul(r4, r3)
    data(2, 0x444C)  # add r4, r9
    sub(r4, r4, r2)
    sub(r4, r4, r2)
    mov(r8, r4)
    mov(r4, r6)
    mul(r4, r3)
    add(r4, r4, r2)
    mov(r9, r4)
    data(2, 0x9A0C)  # ldr r2, [sp, 48]
    mul(r3, r2)
    mov(r2, r10)
    add(r2, r2, r3)
    asr(r2, r2, 11)
    mov(r4, r12)
    mul(r4, r2)
    data(2, 0x445C)  # add r4, r11
    add(r4, r4, r3)
    add(r4, r4, r3)
    mov(r10, r4)
    mov(r4, r14)
    mul(r4, r2)
    add(r4, r4, r3)
    mov(r11, r4)
    asr(r4, r2, 31)
    eor(r2, r4)
    add(r7, r7, r2)
    add(r1, 6)
    bne(SAMPLE)
    data(2, 0x9A02)  # ldr r2, [sp, 8]
    data(2, 0x9905)  # ldr r1, [sp, 20]
    mov(r3, r1)
    cmp(r1, 0)
    bgt(FILTERED)
    data(2, 0x9C09)  # ldr r4, [sp, 36]
    lsr(r7, r4)
    lsr(r3, r7, 15)
    bne(TOO_LARGE)
    label(IN_RANGE)
    ldr(r3, [r2, 104])
    add(r3, r3, r7)
    str(r3, [r2, 104])
    mul(r7, r7)
    data(2, 0xB2BB)  # uxth r3, r7
    ldr(r4, [r2, 108])
    add(r3, r3, r4)
    data(2, 0xB29C)  # uxth r4, r3
    str(r4, [r2, 108])
    lsr(r3, r3, 16)
    lsr(r7, r7, 16)
    add(r7, r7, r3)
    ldr(r3, [r2, 112])
    add(r7, r7, r3)
    str(r7, [r2, 112])
    mov(r7, 0)
    data(2, 0x9B08)  # ldr r3, [sp, 32]
    cmp(r1, 0)
    bne(MEAN)
    b(FILTERED)
    label(TOO_LARGE)
    mov(r7, 1)
    lsl(r7, r7, 15)
    sub(r7, 1)
    b(IN_RANGE)

    label(FILTERED)
    str(r3, [r2, 100])
    mov(r3, r8)
    str(r3, [r2, 80])
    mov(r3, r9)
    str(r3, [r2, 84])
    mov(r3, r10)
    str(r3, [r2, 88])
    mov(r3, r11)
    str(r3, [r2, 92])
    str(r7, [r2, 96])
    add(r2, 124)
    data(2, 0x9202)  # str r2, [sp, 8]
    data(2, 0x9C03)  # ldr r4, [sp, 12]
    sub(r4, 1)
    data(2, 0x9403)  # str r4, [sp, 12]
    beq(DONE)
    b(AXIS)

    label(DONE)
    data(2, 0xB00D)  # add sp, 52
    label(NOTHING)
    pop({r4, r5, r6, r7})
    mov(r8, r4)
    mov(r9, r5)
    mov(r10, r6)
    mov(r11, r7)
    mov(r0, 0)


@micropython.asm_thumb
def quadrature(r0, r1, r2, r3):
    """`features.quadrature_reference(samples, first, count, shaft)`.

    680 cycles for 32 triples, 21 for each: it takes one axis.
    """
    mov(r4, r8)
    mov(r5, r9)
    mov(r6, r10)
    mov(r7, r11)
    push({r4, r5, r6, r7})
    push({r2, r3})
    add(r1, r1, r2)
    mov(r4, 6)
    mul(r1, r4)
    add(r0, r0, r1)  # behind the last triple; offsets run from -6 * count to 0
    mul(r2, r4)
    neg(r1, r2)
    beq(NOTHING)
    ldr(r4, [r3, 12])
    add(r0, r0, r4)
    ldr(r2, [r3, 0])
    ldr(r4, [r3, 4])
    mov(r8, r4)
    mov(r5, r3)
    add(r5, 64)
    mov(r4, 0)
    mov(r9, r4)
    mov(r10, r4)
    mov(r11, r4)
    mov(r12, r4)
    label(SAMPLE)
    data(2, 0x5E43)  # ldrsh r3, [r0, r1]
    lsr(r4, r2, 26)
    lsl(r4, r4, 2)
    data(2, 0x592E)  # ldr r6, [r5, r4]
    data(2, 0x44B1)  # add r9, r6
    add(r4, 64)
    data(2, 0x592F)  # ldr r7, [r5, r4]
    data(2, 0x44BA)  # add r10, r7
    mul(r6, r3)
    data(2, 0x44B3)  # add r11, r6
    mul(r7, r3)
    data(2, 0x44BC)  # add r12, r7
    data(2, 0x4442)  # add r2, r8
    add(r1, 6)
    bne(SAMPLE)
    data(2, 0x9B01)  # ldr r3, [sp, 4]
    mov(r6, 1)
    lsl(r6, r6, 8)
    ldr(r4, [r3, 16])
    mov(r5, r11)
    add(r5, r5, r6)
    asr(r5, r5, 9)
    add(r4, r4, r5)
    str(r4, [r3, 16])
    ldr(r4, [r3, 20])
    mov(r5, r12)
    add(r5, r5, r6)
    asr(r5, r5, 9)
    add(r4, r4, r5)
    str(r4, [r3, 20])
    ldr(r4, [r3, 24])
    data(2, 0x444C)  # add r4, r9
    str(r4, [r3, 24])
    ldr(r4, [r3, 28])
    data(2, 0x4454)  # add r4, r10
    str(r4, [r3, 28])
    data(2, 0x9A00)  # ldr r2, [sp, 0]
    ldr(r4, [r3, 32])
    add(r4, r4, r2)
    str(r4, [r3, 32])
    label(NOTHING)
    data(2, 0xB002)  # add sp, 8
    pop({r4, r5, r6, r7})
    mov(r8, r4)
    mov(r9, r5)
    mov(r10, r6)
    mov(r11, r7)
    mov(r0, 0)


@micropython.asm_thumb
def root(r0, r1) -> int:
    """`features.root_reference(whole, fraction)`: 1,260 cycles with the call."""
    lsl(r0, r0, 2)
    lsr(r2, r1, 14)
    orr(r0, r2)
    lsl(r1, r1, 18)  # r0 and r1: the number, its first digit in the top bits
    mov(r2, 0)
    mov(r3, 0)
    mov(r5, 23)
    label(DIGIT)
    lsl(r2, r2, 2)
    lsr(r4, r0, 30)
    orr(r2, r4)
    lsl(r0, r0, 2)
    lsr(r4, r1, 30)
    orr(r0, r4)
    lsl(r1, r1, 2)
    lsl(r3, r3, 1)
    lsl(r4, r3, 1)
    cmp(r2, r4)
    bls(SMALLER)
    sub(r2, r2, r4)
    sub(r2, 1)
    add(r3, 1)
    label(SMALLER)
    sub(r5, 1)
    bne(DIGIT)
    mov(r0, r3)
