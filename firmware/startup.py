"""What the chip remembers over a reset, in the watchdog's scratch registers: they keep their
content until power goes.

Scratch 0 asks the next boot for maintenance; scratch 1 counts boots that did not live long, so that
firmware which crashes again and again stops trying and leaves the console to the host.

The button at power-up, with the light on while it counts: held for two seconds and let go, levels
may be raised above the board file's until the next reset; held for ten seconds, maintenance.
"""

import time

import machine
from machine import Pin, mem32
from micropython import const

_SCRATCH0 = const(0x4005800C)
_SCRATCH1 = const(0x40058010)
_WATCHDOG_REASON = const(0x40058008)
_ASK_MAINTENANCE = const(0x3A1D7E5C)
_SHORT_LIVES = const(0x2C000000)
_MOST_SHORT_LIVES = const(3)
_UNLOCK_MS = const(2000)
_MAINTENANCE_MS = const(10000)
_STEP_MS = const(20)

POWER_ON = const(0)
WATCHDOG = const(1)
SOFTWARE = const(2)
CRASH = const(3)


def maintenance_asked(board, held_ms):
    """True where this boot belongs to maintenance: asked for, jumpered, by the button held for ten
    seconds, or after too many short lives.
    """
    if held_ms >= _MAINTENANCE_MS:
        return True
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


def button_held_ms(board):
    """How long the button is held from power-up on, in ms, up to that of maintenance."""
    if board.BUTTON_PIN is None:
        return 0
    button = Pin(board.BUTTON_PIN, Pin.IN, Pin.PULL_UP)
    time.sleep_us(100)  # the pull-up against the lead's capacitance
    if button.value():
        return 0
    light = None if board.LED_PIN is None else Pin(board.LED_PIN, Pin.OUT, value=1)
    held_ms = 0
    while not button.value() and held_ms < _MAINTENANCE_MS:
        time.sleep_ms(_STEP_MS)
        held_ms += _STEP_MS
    if light:
        light(0)
    return held_ms


def unlocked(held_ms):
    """True where the button at power-up allows levels above the board file's."""
    return _UNLOCK_MS <= held_ms < _MAINTENANCE_MS


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
