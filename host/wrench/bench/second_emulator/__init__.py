"""A second opinion on the chip: the board of `wrench.bench.emulator` on another emulator, rp2040py.

It runs in a child process and speaks the messages of `emulator/main.mjs`, so that everything above
them is one and the same. What rp2040py models differently from the datasheet, and what the bench
needs of it, is put right here, from outside; the pads, the host, the flash chip's times and the
sensor are written anew from their datasheets, not from the other emulator's models. The folder has
what the smoke stories need on a board with an ADXL345 on SPI. docs/second-opinion.md lists the
differences that are left.
"""

from __future__ import annotations

import sys

from wrench.bench.second_emulator.native import built_folder


def second_command() -> list[str]:
    """The command that starts it; builds it the first time."""
    built = built_folder()
    return [sys.executable, "-m", __name__, *([str(built)] if built else [])]
