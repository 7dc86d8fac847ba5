"""A board in BOOTSEL, whose boot ROM takes an image: there is no MicroPython then, and no serial
port.

Such boards are told apart by where they are plugged in, since all have the same serial number.
"""

from __future__ import annotations

from wrench.bootsel.picoboot import Picoboot
from wrench.bootsel.pipes import BENCH, USB, Pipe, locations, open_pipe
from wrench.bootsel.writing import Written, erase_all, write_image

__all__ = [
    "BENCH",
    "USB",
    "Picoboot",
    "Pipe",
    "Written",
    "erase_all",
    "locations",
    "open_pipe",
    "write_image",
]
