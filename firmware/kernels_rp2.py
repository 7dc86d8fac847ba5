"""The hot kernels in the RP2040's assembler.

Each that computes equals its `..._reference` in `features` or `framing`, bit for bit; a test on the
emulated chip holds one against the other. Nothing but an RP2040 can import this module. Costs are
without the call from Python, measured at 125 MHz, emulated, from SRAM, without interrupts.

`data(2, ...)` emits what MicroPython's assembler has no name for; the instruction stands beside it.
"""

import micropython


@micropython.asm_thumb
def accumulate(r0, r1, r2, r3):
    """`features.accumulate_reference(samples, first, count, work)`.

    4,230 cycles for 16 triples, 81 for each axis and sample; 4,900 and 95 where all of them hit the
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
    ldr(r4, [r3, 4])
    ldr(r5, [r3, 8])
    ldr(r6, [r3, 12])
    ldr(r7, [r3, 16])
    push({r4, r5, r6, r7})
    ldr(r7, [r3, 0])
    mov(r5, 3)
    add(r3, 24)
    mov(r4, 0)
    push({r0, r1, r3, r4, r5, r7})
    # At sp: 0 samples' end, 4 first offset, 8 the axis' words, 12 carries, 16 axes left, 20 K,
    # 24 B0, 28 B1, 32 A1, 36 A2.

    label(AXIS)
    data(2, 0x9800)  # ldr r0, [sp, 0]
    data(2, 0x9901)  # ldr r1, [sp, 4]
    data(2, 0x9A02)  # ldr r2, [sp, 8]
    mov(r8, r2)
    ldr(r3, [r2, 20])
    ldr(r6, [r2, 40])
    ldr(r7, [r2, 44])
    mov(r4, 0)
    mov(r5, 0)
    label(SAMPLE)
    data(2, 0x5E42)  # ldrsh r2, [r0, r1]
    add(r3, r3, r2)
    cmp(r2, r6)
    bgt(HIGHER)
    label(NOT_HIGHER)
    cmp(r2, r7)
    blt(LOWER)
    label(NOT_LOWER)
    mul(r2, r2)
    add(r4, r4, r2)
    bcs(CARRY)
    label(NO_CARRY)
    add(r1, 6)
    bne(SAMPLE)
    b(SUMMED)
    label(HIGHER)
    mov(r6, r2)
    b(NOT_HIGHER)
    label(LOWER)
    mov(r7, r2)
    b(NOT_LOWER)
    label(CARRY)
    add(r5, 1)
    b(NO_CARRY)

    label(SUMMED)
    mov(r2, r8)
    str(r3, [r2, 20])
    str(r6, [r2, 40])
    str(r7, [r2, 44])
    data(2, 0xB2A6)  # uxth r6, r4
    ldr(r7, [r2, 24])
    add(r6, r6, r7)
    data(2, 0xB2B7)  # uxth r7, r6
    str(r7, [r2, 24])
    lsr(r6, r6, 16)
    lsr(r4, r4, 16)
    add(r4, r4, r6)
    lsl(r5, r5, 16)
    add(r4, r4, r5)
    ldr(r6, [r2, 28])
    add(r4, r4, r6)
    str(r4, [r2, 28])

    ldr(r3, [r2, 0])
    mov(r9, r3)
    ldr(r3, [r2, 4])
    mov(r10, r3)
    ldr(r3, [r2, 8])
    mov(r11, r3)
    ldr(r3, [r2, 12])
    mov(r12, r3)
    ldr(r3, [r2, 16])
    mov(r14, r3)
    mov(r3, 0)
    mov(r8, r3)
    data(2, 0x9303)  # str r3, [sp, 12]
    data(2, 0x9901)  # ldr r1, [sp, 4]
    data(2, 0x9F05)  # ldr r7, [sp, 20]
    label(VELOCITY)
    data(2, 0x5E42)  # ldrsh r2, [r0, r1]
    mov(r3, 230)
    mul(r3, r2)
    mov(r4, r9)
    add(r3, r3, r4)  # v
    mov(r4, 26)
    mul(r2, r4)
    asr(r4, r3, 16)
    mul(r4, r7)
    data(2, 0xB29D)  # uxth r5, r3
    mul(r5, r7)
    lsr(r5, r5, 16)
    add(r4, r4, r5)  # K v
    sub(r2, r2, r4)
    add(r2, r2, r3)
    mov(r9, r2)
    mov(r4, r10)
    sub(r3, r3, r4)
    mov(r5, r11)
    sub(r3, r3, r5)  # high
    asr(r2, r3, 16)
    mul(r2, r7)
    data(2, 0xB29E)  # uxth r6, r3
    mul(r6, r7)
    lsr(r6, r6, 16)
    add(r2, r2, r6)
    add(r5, r5, r2)  # band
    mov(r11, r5)
    asr(r2, r5, 16)
    mul(r2, r7)
    data(2, 0xB2AE)  # uxth r6, r5
    mul(r6, r7)
    lsr(r6, r6, 16)
    add(r2, r2, r6)
    add(r4, r4, r2)  # low
    mov(r10, r4)
    asr(r3, r3, 4)  # x
    asr(r2, r3, 17)
    add(r2, 1)
    cmp(r2, 1)
    bhi(TOO_FAST)
    label(IN_RANGE)
    data(2, 0x9A06)  # ldr r2, [sp, 24]
    mul(r2, r3)
    mov(r4, r12)
    add(r4, r4, r2)
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
    mov(r2, r8)
    add(r2, r2, r4)
    mov(r8, r2)
    bcs(VELOCITY_CARRY)
    label(VELOCITY_NO_CARRY)
    add(r1, 6)
    bne(VELOCITY)
    b(FILTERED)
    label(TOO_FAST)
    asr(r3, r3, 31)
    mov(r2, 1)
    lsl(r2, r2, 17)
    sub(r2, 1)
    eor(r3, r2)
    b(IN_RANGE)
    label(VELOCITY_CARRY)
    data(2, 0x9A03)  # ldr r2, [sp, 12]
    add(r2, 1)
    data(2, 0x9203)  # str r2, [sp, 12]
    b(VELOCITY_NO_CARRY)

    label(FILTERED)
    data(2, 0x9A02)  # ldr r2, [sp, 8]
    mov(r3, r9)
    str(r3, [r2, 0])
    mov(r3, r10)
    str(r3, [r2, 4])
    mov(r3, r11)
    str(r3, [r2, 8])
    mov(r3, r12)
    str(r3, [r2, 12])
    mov(r3, r14)
    str(r3, [r2, 16])
    mov(r4, r8)
    data(2, 0x9D03)  # ldr r5, [sp, 12]
    data(2, 0xB2A6)  # uxth r6, r4
    ldr(r7, [r2, 32])
    add(r6, r6, r7)
    data(2, 0xB2B7)  # uxth r7, r6
    str(r7, [r2, 32])
    lsr(r6, r6, 16)
    lsr(r4, r4, 16)
    add(r4, r4, r6)
    lsl(r5, r5, 16)
    add(r4, r4, r5)
    ldr(r6, [r2, 36])
    add(r4, r4, r6)
    str(r4, [r2, 36])
    add(r2, 48)
    data(2, 0x9202)  # str r2, [sp, 8]
    add(r0, 2)
    data(2, 0x9000)  # str r0, [sp, 0]
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


@micropython.asm_thumb
def move(r0, r1, r2):
    """Copy r2 bytes from the address r0 to the address r1: 7 cycles a byte."""
    add(r0, r0, r2)
    add(r1, r1, r2)
    neg(r2, r2)
    beq(DONE)
    label(BYTE)
    data(2, 0x5C83)  # ldrb r3, [r0, r2]
    data(2, 0x548B)  # strb r3, [r1, r2]
    add(r2, 1)
    bne(BYTE)
    label(DONE)
    mov(r0, 0)


@micropython.viper
def copy(source: ptr8, start: int, target: ptr8, at: int, count: int):
    """`framing.copy_reference`: `move` takes no more than four arguments."""
    move(int(source) + start, int(target) + at, count)


@micropython.asm_thumb
def append_crc(r0, r1, r2) -> int:
    """`framing.append_crc_reference(data, count, table)`: 12 cycles a byte."""
    mov(r7, r1)
    mov(r3, 0)
    mvn(r3, r3)
    add(r0, r0, r1)
    neg(r1, r1)
    beq(DONE)
    label(BYTE)
    data(2, 0x5C44)  # ldrb r4, [r0, r1]
    eor(r4, r3)
    data(2, 0xB2E4)  # uxtb r4, r4
    lsl(r4, r4, 2)
    data(2, 0x5914)  # ldr r4, [r2, r4]
    lsr(r3, r3, 8)
    eor(r3, r4)
    add(r1, 1)
    bne(BYTE)
    label(DONE)
    mvn(r3, r3)
    strb(r3, [r0, 0])
    lsr(r3, r3, 8)
    strb(r3, [r0, 1])
    lsr(r3, r3, 8)
    strb(r3, [r0, 2])
    lsr(r3, r3, 8)
    strb(r3, [r0, 3])
    add(r0, r7, 4)


@micropython.asm_thumb
def cobs_encode(r0, r1, r2, r3) -> int:
    """`framing.cobs_encode_reference(source, count, target, at)`: 12 cycles a byte."""
    push({r2})
    add(r2, r2, r3)
    mov(r3, r2)  # where the run's length goes
    add(r2, 1)
    mov(r7, r3)
    add(r7, 255)  # where a run is full
    add(r0, r0, r1)
    neg(r1, r1)
    beq(LAST)
    label(BYTE)
    data(2, 0x5C44)  # ldrb r4, [r0, r1]
    cmp(r4, 0)
    beq(ZERO)
    strb(r4, [r2, 0])
    add(r2, 1)
    cmp(r2, r7)
    beq(FULL)
    add(r1, 1)
    bne(BYTE)
    label(LAST)
    sub(r4, r2, r3)
    strb(r4, [r3, 0])
    b(CLOSE)
    label(FULL)
    mov(r4, 255)
    strb(r4, [r3, 0])
    add(r1, 1)
    bne(NEXT_RUN)
    b(CLOSE)
    label(ZERO)
    sub(r4, r2, r3)
    strb(r4, [r3, 0])
    add(r1, 1)
    bne(NEXT_RUN)
    mov(r3, r2)
    add(r2, 1)
    b(LAST)
    label(NEXT_RUN)
    mov(r3, r2)
    add(r2, 1)
    mov(r7, r3)
    add(r7, 255)
    b(BYTE)
    label(CLOSE)
    mov(r4, 0)
    strb(r4, [r2, 0])
    add(r2, 1)
    pop({r3})
    sub(r0, r2, r3)


@micropython.asm_thumb
def spi_read_register(r0, r1) -> int:
    """The answer to the command byte r1, by the bus words at r0 (as below)."""
    ldr(r2, [r0, 4])
    ldr(r0, [r0, 0])
    mov(r3, 0xD0)
    lsl(r3, r3, 24)  # SIO
    str(r2, [r3, 24])  # GPIO_OUT_CLR
    str(r1, [r0, 8])  # SSPDR
    mov(r1, 0)
    str(r1, [r0, 8])
    mov(r4, 4)  # SSPSR: receive FIFO not empty
    label(FIRST)
    ldr(r1, [r0, 12])
    tst(r1, r4)
    beq(FIRST)
    ldr(r1, [r0, 8])
    label(SECOND)
    ldr(r1, [r0, 12])
    tst(r1, r4)
    beq(SECOND)
    ldr(r0, [r0, 8])
    str(r2, [r3, 20])  # GPIO_OUT_SET


@micropython.asm_thumb
def spi_read_triples(r0, r1, r2, r3):
    """Fill r2 triples of int16, from number r1 on at r0, by the bus words at r3: the SPI's
    registers, CS as a bit, turns of CS high between triples, the command byte.

    1,936 cycles a triple at 4.8 MHz and 151 turns: 1,458 are its bits, 453 the turns, which are
    there after the last one too. The bytes wait in the SPI's own FIFO, so an interrupt on the way
    stretches a triple and loses nothing.
    """
    mov(r4, 6)
    mul(r1, r4)
    add(r0, r0, r1)
    ldr(r4, [r3, 0])
    ldr(r5, [r3, 4])
    ldr(r6, [r3, 8])
    ldr(r7, [r3, 12])
    mov(r12, r7)
    mov(r7, 0xD0)
    lsl(r7, r7, 24)  # SIO
    cmp(r2, 0)
    beq(DONE)
    label(ENTRY)
    str(r5, [r7, 24])  # GPIO_OUT_CLR
    mov(r1, r12)
    str(r1, [r4, 8])  # SSPDR
    mov(r1, 0)
    str(r1, [r4, 8])
    str(r1, [r4, 8])
    str(r1, [r4, 8])
    str(r1, [r4, 8])
    str(r1, [r4, 8])
    str(r1, [r4, 8])
    mov(r1, 4)  # SSPSR: receive FIFO not empty
    label(COMMAND)
    ldr(r3, [r4, 12])
    tst(r3, r1)
    beq(COMMAND)
    ldr(r3, [r4, 8])
    mov(r1, 6)
    label(BYTE)
    ldr(r3, [r4, 12])
    lsr(r3, r3, 3)
    bcc(BYTE)
    ldr(r3, [r4, 8])
    strb(r3, [r0, 0])
    add(r0, 1)
    sub(r1, 1)
    bne(BYTE)
    str(r5, [r7, 20])  # GPIO_OUT_SET
    mov(r1, r6)
    label(WAIT)
    sub(r1, 1)
    bne(WAIT)
    sub(r2, 1)
    bne(ENTRY)
    label(DONE)
