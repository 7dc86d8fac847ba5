"""The kernels of a wideband sensor in the RP2040's assembler.

Each is held against NumPy's integers on the emulated chip. Costs are without the call from Python,
at 125 MHz, emulated, from SRAM, without interrupts.

`data(2, ...)` emits what MicroPython's assembler has no name for; the instruction stands beside it.
"""

import micropython


@micropython.asm_thumb
def each_32(r0):
    """Call a kernel of `features_rp2` once for every 32 triples of a block.

    Words at r0: the kernel's code, samples, first, work, calls. 20 cycles a call.
    """
    push({r0})
    ldr(r1, [r0, 8])
    ldr(r2, [r0, 16])
    push({r1, r2})
    label(AGAIN)
    data(2, 0x9F02)  # ldr r7, [sp, 8]
    ldr(r0, [r7, 4])
    data(2, 0x9900)  # ldr r1, [sp, 0]
    mov(r2, 32)
    ldr(r3, [r7, 12])
    ldr(r7, [r7, 0])
    data(2, 0x47B8)  # blx r7
    data(2, 0x9900)  # ldr r1, [sp, 0]
    add(r1, 32)
    data(2, 0x9100)  # str r1, [sp, 0]
    data(2, 0x9901)  # ldr r1, [sp, 4]
    sub(r1, 1)
    data(2, 0x9101)  # str r1, [sp, 4]
    bne(AGAIN)
    data(2, 0xB003)  # add sp, 12
    mov(r0, 0)


@micropython.asm_thumb
def decimate(r0, r1, r2, r3):
    """Every fourth of three running means of four, one after the other, of x, y, z triples: a CIC
    filter of order 3 (Hogenauer, IEEE Trans. ASSP 29, 1981), rounded.

    `decimate(samples, first, state, out)`: words of `state` are the bytes of the triples taken,
    then three integrators and three combs for each axis. 11 cycles for each axis and sample.
    """
    mov(r4, r8)
    mov(r5, r9)
    mov(r6, r10)
    push({r4, r5, r6})
    mov(r4, 6)
    mul(r1, r4)
    add(r0, r0, r1)
    ldr(r4, [r2, 0])
    mov(r12, r4)
    mov(r1, 3)
    label(AXIS)
    push({r0, r1, r2, r3})
    ldr(r4, [r2, 4])
    ldr(r5, [r2, 8])
    ldr(r6, [r2, 12])
    ldr(r7, [r2, 16])
    mov(r8, r7)
    ldr(r7, [r2, 20])
    mov(r9, r7)
    ldr(r7, [r2, 24])
    mov(r10, r7)
    mov(r1, 0)
    label(FOUR)
    data(2, 0x5E47)  # ldrsh r7, [r0, r1]
    add(r1, 6)
    add(r4, r4, r7)
    add(r5, r5, r4)
    add(r6, r6, r5)
    data(2, 0x5E47)  # ldrsh r7, [r0, r1]
    add(r1, 6)
    add(r4, r4, r7)
    add(r5, r5, r4)
    add(r6, r6, r5)
    data(2, 0x5E47)  # ldrsh r7, [r0, r1]
    add(r1, 6)
    add(r4, r4, r7)
    add(r5, r5, r4)
    add(r6, r6, r5)
    data(2, 0x5E47)  # ldrsh r7, [r0, r1]
    add(r1, 6)
    add(r4, r4, r7)
    add(r5, r5, r4)
    add(r6, r6, r5)
    mov(r2, r8)
    mov(r8, r6)
    sub(r7, r6, r2)
    mov(r2, r9)
    mov(r9, r7)
    sub(r7, r7, r2)
    mov(r2, r10)
    mov(r10, r7)
    sub(r7, r7, r2)
    add(r7, 32)
    asr(r7, r7, 6)
    strh(r7, [r3, 0])
    add(r3, 6)
    data(2, 0x4561)  # cmp r1, r12
    bne(FOUR)
    data(2, 0x9A02)  # ldr r2, [sp, 8]
    str(r4, [r2, 4])
    str(r5, [r2, 8])
    str(r6, [r2, 12])
    mov(r7, r8)
    str(r7, [r2, 16])
    mov(r7, r9)
    str(r7, [r2, 20])
    mov(r7, r10)
    str(r7, [r2, 24])
    pop({r0, r1, r2, r3})
    add(r0, 2)
    add(r3, 2)
    add(r2, 24)
    sub(r1, 1)
    bne(AXIS)
    pop({r4, r5, r6})
    mov(r8, r4)
    mov(r9, r5)
    mov(r10, r6)
    mov(r0, 0)


@micropython.asm_thumb
def band(r0, r1, r2, r3):
    """Band-pass one axis of x, y, z triples: high-pass, then low-pass, each Butterworth of order 2,
    in half counts as in `features.envelope_reference`.

    `band(samples, first, pieces, work)` takes `pieces` of 16 triples. Words of `work`: 0 offset of
    the axis in a triple; 1 to 5 coefficients in 1/2048 (high-pass a1, a2, the gain between,
    low-pass a1, a2; with their sign turned); 6 to 9 the filters' state; 10 and 11 the sum of
    squares of whole counts, 32 bits and what carries; from 16 on, for each piece, the sum of
    magnitudes in half counts. 53 cycles a triple.
    """
    mov(r4, r8)
    mov(r5, r9)
    mov(r6, r10)
    mov(r7, r11)
    push({r4, r5, r6, r7})
    mov(r4, 6)
    mul(r1, r4)
    add(r0, r0, r1)
    ldr(r4, [r3, 0])
    add(r0, r0, r4)
    add(r0, 96)  # behind the first piece; offsets run from -96 to 0
    ldr(r4, [r3, 24])
    mov(r8, r4)
    ldr(r4, [r3, 28])
    mov(r9, r4)
    ldr(r4, [r3, 32])
    mov(r10, r4)
    ldr(r4, [r3, 36])
    mov(r11, r4)
    ldr(r4, [r3, 16])
    mov(r12, r4)
    ldr(r4, [r3, 20])
    mov(r14, r4)
    ldr(r4, [r3, 40])
    ldr(r5, [r3, 44])
    mov(r6, r3)
    add(r6, 64)
    ldr(r7, [r3, 12])
    mov(r1, r3)
    push({r2, r3, r7})
    push({r4, r5, r6})
    # At sp: 0 squares, 4 carries, 8 where the sum goes, 12 pieces, 16 work, 20 gain.
    ldr(r5, [r1, 4])
    ldr(r6, [r1, 8])
    mov(r7, 0)
    mov(r1, 96)
    neg(r1, r1)
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
    data(2, 0x9A05)  # ldr r2, [sp, 20]
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
    asr(r3, r2, 1)
    mul(r3, r3)
    data(2, 0x9C00)  # ldr r4, [sp, 0]
    add(r4, r4, r3)
    data(2, 0x9400)  # str r4, [sp, 0]
    bcs(CARRY)
    label(NO_CARRY)
    asr(r4, r2, 31)
    eor(r2, r4)
    add(r7, r7, r2)
    add(r1, 6)
    bne(SAMPLE)
    data(2, 0x9B02)  # ldr r3, [sp, 8]
    str(r7, [r3, 0])
    add(r3, 4)
    data(2, 0x9302)  # str r3, [sp, 8]
    mov(r7, 0)
    add(r0, 96)
    mov(r1, 96)
    neg(r1, r1)
    data(2, 0x9B03)  # ldr r3, [sp, 12]
    sub(r3, 1)
    data(2, 0x9303)  # str r3, [sp, 12]
    bne(SAMPLE)
    b(FILTERED)
    label(CARRY)
    data(2, 0x9B01)  # ldr r3, [sp, 4]
    add(r3, 1)
    data(2, 0x9301)  # str r3, [sp, 4]
    b(NO_CARRY)
    label(FILTERED)
    pop({r4, r5, r6})
    pop({r2, r3, r7})
    str(r4, [r3, 40])
    str(r5, [r3, 44])
    mov(r4, r8)
    str(r4, [r3, 24])
    mov(r4, r9)
    str(r4, [r3, 28])
    mov(r4, r10)
    str(r4, [r3, 32])
    mov(r4, r11)
    str(r4, [r3, 36])
    pop({r4, r5, r6, r7})
    mov(r8, r4)
    mov(r9, r5)
    mov(r10, r6)
    mov(r11, r7)
    mov(r0, 0)


@micropython.asm_thumb
def correlate(r0, r1, r2, r3):
    """One line of the discrete Fourier transform of 1,024 int16.

    `correlate(record, table, step, out)`: `table` holds 1,280 cosines of a 1,024th of a turn each,
    `step` is twice the line's number; `out` takes the sums of products with cosines and with minus
    sines. 16,500 cycles.
    """
    mov(r4, r8)
    mov(r5, r9)
    push({r4, r5})
    push({r3})
    mov(r4, 0)
    mov(r8, r4)
    mov(r9, r4)
    mov(r6, 1)
    lsl(r6, r6, 11)
    add(r0, r0, r6)
    lsr(r3, r6, 2)
    add(r3, r3, r1)
    neg(r6, r6)
    label(SAMPLE)
    data(2, 0x5F85)  # ldrsh r5, [r0, r6]
    data(2, 0x5F0F)  # ldrsh r7, [r1, r4]
    mul(r7, r5)
    data(2, 0x44B8)  # add r8, r7
    data(2, 0x5F1F)  # ldrsh r7, [r3, r4]
    mul(r7, r5)
    data(2, 0x44B9)  # add r9, r7
    add(r4, r4, r2)
    lsl(r4, r4, 21)
    lsr(r4, r4, 21)
    add(r6, 2)
    bne(SAMPLE)
    pop({r3})
    mov(r4, r8)
    str(r4, [r3, 0])
    mov(r4, r9)
    str(r4, [r3, 4])
    pop({r4, r5})
    mov(r8, r4)
    mov(r9, r5)
    mov(r0, 0)
