"""What the chip remembers over a reset, in the watchdog's scratch registers: they keep their
content until power goes.

Scratch 0 asks the next boot for maintenance; scratch 1 counts boots that did not live long, so that
firmware which crashes again and again stops trying and leaves the console to the host.
"""

import machine
from machine import Pin, mem32
from micropython import const

_SCRATCH0 = const(0x4005800C)
_SCRATCH1 = const(0x40058010)
_WATCHDOG_REASON = const(0x40058008)
_ASK_MAINTENANCE = const(0x3A1D7E5C)
_SHORT_LIVES = const(0x2C000000)
_MOST_SHORT_LIVES = const(3)

POWER_ON = const(0)
WATCHDOG = const(1)
SOFTWARE = const(2)
CRASH = const(3)


def maintenance_asked(board):
    """True where this boot belongs to maintenance: asked for, jumpered, or after too many short
    lives.
    """
    asked = mem32[_SCRATCH0] == _ASK_MAINTENANCE
    mem32[_SCRATCH0] = 0
    if asked:
        mem32[_SCRATCH1] = 0
        return True
    if board.SERVICE_PIN is not None and Pin(board.SERVICE_PIN, Pin.IN, Pin.PULL_UP).value() == 0:
        return True
    lives = mem32[_SCRATCH1]
    lives = lives & 0xFF if lives & 0x7F000000 == _SHORT_LIVES else 0
    if lives >= _MOST_SHORT_LIVES:
        mem32[_SCRATCH1] = 0
        return True
    mem32[_SCRATCH1] = _SHORT_LIVES | (lives + 1)
    return False


def lived_long():
    """This boot has proved itself."""
    mem32[_SCRATCH1] = 0


def reset_cause():
    """Why the chip has booted, as in `wire.RESET_CAUSES`."""
    if machine.reset_cause() != machine.WDT_RESET:
        return POWER_ON
    return SOFTWARE if mem32[_WATCHDOG_REASON] & 2 else WATCHDOG


def reset_into_maintenance():
    """Reset now; the next boot leaves the console to the host."""
    mem32[_SCRATCH0] = _ASK_MAINTENANCE
    machine.reset()
