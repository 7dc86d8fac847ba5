"""Idle: the core stops until there is something to do, without a gap in which it could be missed.

The control tick is a timer's soft callback: its interrupt only schedules it, and it runs at the
next bytecode. An interrupt just before the core stops would leave it waiting for the one after, so
what is looked at before stopping is the hardware itself: the microsecond timer against the instant
at which the tick is due, and the count of samples. The guard's own turns wake the core 5,000 times
a second; they are let through here, in 60 cycles, without a return to Python.
"""

import array

import micropython
import uctypes
from micropython import const

_COUNT = const(0)
_DUE_US = const(1)
_SAMPLES = const(2)
_ABOUT_TO_RUN_US = const(50)

# Ticks so far, when the next is due (low 32 bits of the microsecond timer), and how many samples
# are waited for.
_tick = array.array("i", [0, 0, 0])
TICK_ADDRESS = uctypes.addressof(_tick)


@micropython.viper
def tick(period_us: int) -> int:
    """Count a tick and set when the next is due; returns the count.

    The timer's alarms are whole periods of the same clock apart, so the due times stay on that grid
    however late the callback runs. Where it begins is seen from the callback that is least late.
    """
    t = ptr32(_tick)
    now = int(ptr32(0x40054028)[0])
    due = int(t[1])
    late = now - due
    count = int(t[0])
    if count == 0 or late < 0:
        due = now
    elif late >= period_us:
        due += late // period_us * period_us
    t[1] = due + period_us
    count = (count + 1) & 0x3FFFFFFF
    t[0] = count
    return count


def count():
    """Ticks so far."""
    return _tick[_COUNT]


@micropython.viper
def due_within(margin_us: int) -> int:
    """1 where the next tick is due within that time, or has just been due and is about to run."""
    left = int(ptr32(_tick)[1]) - int(ptr32(0x40054028)[0])
    if left > margin_us:
        return 0
    return 1 if left > 0 - _ABOUT_TO_RUN_US else 0


@micropython.viper
def wait_for_samples(counts: ptr32, taken: int, number: int):
    """Let `until_due` end as soon as the engine has `number` samples beyond those taken."""
    now = int(counts[0])
    ptr32(_tick)[2] = now + number - ((now - taken) & 0x3FFFFFFF)


@micropython.asm_thumb
def until_due(r0, r1):
    """Sleep until the tick described at r0 is due, the count at r1 has come to what is waited for,
    or an interrupt other than SysTick has come.

    An interrupt that comes while one of the guard's turns runs is served, but ends the sleep only
    with the next one, or when the tick is due.
    """
    mov(r6, 0xE0)
    lsl(r6, r6, 24)
    mov(r2, 0xE1)
    lsl(r2, r2, 8)
    add(r6, r6, r2)  # 0xE000E100: NVIC_ISER
    mov(r7, r6)
    add(r7, 255)
    add(r7, 1)  # 0xE000E200: NVIC_ISPR
    mov(r5, 0x40)
    lsl(r5, r5, 8)
    add(r5, 0x05)
    lsl(r5, r5, 16)
    mov(r2, 0x40)
    lsl(r2, r2, 8)
    add(r5, r5, r2)  # 0x40054000: TIMER
    label(AGAIN)
    data(2, 0xB672)  # cpsid i: an interrupt that comes now stays pending and ends the wfi
    ldr(r2, [r0, 4])
    ldr(r3, [r5, 0x28])  # TIMERAWL
    sub(r3, r3, r2)
    bpl(AWAKE)
    ldr(r2, [r1, 0])
    ldr(r3, [r0, 8])
    sub(r2, r2, r3)
    bpl(AWAKE)
    wfi()
    ldr(r2, [r7, 0])
    ldr(r3, [r6, 0])
    and_(r2, r3)
    bne(AWAKE)
    data(2, 0xB662)  # cpsie i: the guard's turn runs here
    nop()
    b(AGAIN)
    label(AWAKE)
    data(2, 0xB662)  # cpsie i
    mov(r0, 0)
