"""The hot kernels in the RP2040's assembler.

Each that computes equals its `..._reference` in `framing`, bit for bit; a test on the emulated chip
holds one against the other; those of the features are in `features_rp2`. Nothing but an RP2040 can
import this module. Costs are without the call from Python, measured at 125 MHz, emulated, from
SRAM, without interrupts.

`data(2, ...)` emits what MicroPython's assembler has no name for; the instruction stands beside it.
"""

import micropython


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
