"""Moves the firmware's code out of flash into RAM, where an image has it frozen.

The flash's cache is 16 kB, and what the firmware runs in 5 ms is more: each miss costs some 50
cycles. A board with a wideband sensor has that image, whose heap has room, and no time to lose;
others keep their code where it is.

Machine code is reached through one pointer in the function's object, and does not know where it
lies (MicroPython 1.25: py/objfun.h). What runs often is machine code.
"""

import gc
import sys

import uctypes
from machine import mem32
from micropython import const

from .sampler import Sampler
from .sleep_rp2 import tick, until_due

_PACKAGE = "wrench_firmware."
# What runs in every tick or block.
_MODULES = (
    "blackbox",
    "clock_rp2",
    "conditions",
    "control",
    "envelope_band",
    "features",
    "features_rp2",
    "framing",
    "governor",
    "history",
    "inputs",
    "kernels_rp2",
    "loop",
    "motor",
    "panel",
    "protection",
    "sampler",
    "sleep_rp2",
    "speed_loop",
    "supplies",
    "telemetry",
    "usb_link",
    "wave_rp2",
    "wideband",
    "wideband_loop",
    "wideband_rp2",
)
_RAM = const(0x20000000)
_RAM_END = const(0x20042000)
_FLASH = const(0x10000000)
_FLASH_END = const(0x10200000)
_ASSEMBLER_CODE = const(8)  # mp_obj_fun_asm_t.fun_data
_CHILD_TABLE = const(8)  # mp_obj_fun_bc_t.child_table
_OTHER_CODE = const(12)  # ... .bytecode
_MOST_BYTES = const(3072)  # of one function whose end is not known

_kept = []


def _code_pointers():
    """Of every function and method of the modules whose code is in flash: that code's address, and
    where the pointer to it is. What is called once is left out.
    """
    assembler = mem32[id(until_due)]
    machine_code = (assembler, mem32[id(tick)], mem32[id(Sampler.drain)])
    found = []
    for name in _MODULES:
        module = sys.modules[_PACKAGE + name]
        spaces = [module.__dict__]
        for thing in module.__dict__.values():
            if isinstance(thing, type) and _RAM <= id(thing) < _RAM_END:
                spaces.append(thing.__dict__)
        for space in spaces:
            for key, thing in space.items():
                at = id(thing)
                if at & 3 or not _RAM <= at < _RAM_END or key == "__init__":
                    continue  # no object of the heap
                if mem32[at] not in machine_code:
                    continue
                place = at + (_ASSEMBLER_CODE if mem32[at] == assembler else _OTHER_CODE)
                pair = (mem32[place] & ~1, place)
                if _FLASH <= pair[0] < _FLASH_END and pair not in found:
                    found.append(pair)
    found.sort()
    return found


def move():
    """Move every function and method of the hot modules; returns the bytes that they take."""
    found = _code_pointers()
    total = 0
    for i in range(len(found)):
        if not i & 63:
            gc.collect()
        address, place = found[i]
        size = _MOST_BYTES
        for after, _ in found[i + 1 :]:
            if after > address:
                size = min(size, after - address)
                break
        _copy(address, place, size)
        total += size
    return total


def moved(function):
    """The same for a native function made within another one, which `move` could not see; returns
    it. Its code ends where its prelude begins (py/objfun.h, mp_obj_fun_native_get_prelude_ptr).
    """
    place = id(function) + _OTHER_CODE
    address = mem32[place] & ~1
    if _FLASH <= address < _FLASH_END:
        table = mem32[id(function) + _CHILD_TABLE]
        index = mem32[address]
        _copy(address, place, (mem32[table + 4 * index] if index else table) - address)
    return function


def _copy(address, place, size):
    code = bytearray(uctypes.bytearray_at(address, size))
    _kept.append(code)
    mem32[place] = uctypes.addressof(code) | (mem32[place] & 1)
