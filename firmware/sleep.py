"""Idle: the core stops until an interrupt, without a gap in which one could be missed."""

import array

import micropython
import uctypes

# Counts control ticks; the timer's callback adds one.
ticks = array.array("i", [0])
TICKS_ADDRESS = uctypes.addressof(ticks)


@micropython.asm_thumb
def until_tick_or_pin(r0, r1, r2):
    """Sleep unless the counter at r0 differs from r1 or a pin in the mask r2 is high; any interrupt ends it."""
    data(2, 0xB672)  # cpsid i: an interrupt that comes now stays pending and ends the wfi
    ldr(r3, [r0, 0])
    cmp(r3, r1)
    bne(AWAKE)
    mov(r3, 0xD0)
    lsl(r3, r3, 24)
    ldr(r3, [r3, 4])  # GPIO_IN
    and_(r3, r2)
    bne(AWAKE)
    wfi()
    label(AWAKE)
    data(2, 0xB662)  # cpsie i
