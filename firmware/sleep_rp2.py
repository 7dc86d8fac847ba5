"""Idle: the core stops until an interrupt, without a gap in which one could be missed.

The control tick is a soft timer's callback: its interrupt only schedules it, and it runs at the
next bytecode. An interrupt just before the core stops would leave it waiting for the one after, so
what is looked at before stopping is the hardware itself: the microsecond timer against the instant
at which the tick is due, and the sensor's pin.
"""

import array

import micropython
import uctypes
from micropython import const

_COUNT = const(0)
_DUE_US = const(1)

# Ticks so far, and when the next is due (low 32 bits of the microsecond timer).
_tick = array.array("i", [0, 0])
TICK_ADDRESS = uctypes.addressof(_tick)


@micropython.viper
def tick(period_us: int) -> int:
    """Count a tick and set when the next is due; returns the count.

    Soft timers expire on whole milliseconds of the same clock, so the due times stay on that grid
    however late the callback runs.
    """
    t = ptr32(_tick)
    now = int(ptr32(0x40054028)[0])
    due = int(t[1]) + period_us
    behind = now - due
    if behind > period_us or behind < 0 - period_us:
        due = now - now % 1000 + period_us
    t[1] = due
    count = (int(t[0]) + 1) & 0x3FFFFFFF
    t[0] = count
    return count


def count():
    """Ticks so far."""
    return _tick[_COUNT]


@micropython.asm_thumb
def until_due_or_pin(r0, r1):
    """Sleep unless the tick at r0 is due or a pin in the mask r1 is high; any interrupt ends it."""
    data(2, 0xB672)  # cpsid i: an interrupt that comes now stays pending and ends the wfi
    ldr(r2, [r0, 4])
    mov(r3, 0x40)
    lsl(r3, r3, 8)
    add(r3, 0x05)
    lsl(r3, r3, 16)  # 0x40050000
    mov(r0, 0x40)
    lsl(r0, r0, 8)
    add(r3, r3, r0)  # 0x40054000: TIMER
    ldr(r3, [r3, 0x28])  # TIMERAWL
    sub(r3, r3, r2)
    bpl(AWAKE)
    mov(r3, 0xD0)
    lsl(r3, r3, 24)
    ldr(r3, [r3, 4])  # GPIO_IN
    and_(r3, r1)
    bne(AWAKE)
    wfi()
    label(AWAKE)
    data(2, 0xB662)  # cpsie i
    mov(r0, 0)
