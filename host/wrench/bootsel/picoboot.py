"""PICOBOOT: the RP2040 boot ROM's own protocol for programs (RP2040 datasheet, section 2.8.5).

A command is 32 bytes; its data follow, in the direction that bit 7 of its number says; the other
side ends it with an empty packet.
"""

from __future__ import annotations

import struct

from wrench.bootsel.pipes import Pipe
from wrench.errors import FlashError

FLASH_START = 0x10000000
SECTOR_BYTES, PAGE_BYTES = 4096, 256

_COMMAND = struct.Struct("<IIBBHI16s")
_MAGIC = 0x431FD10B
_EXCLUSIVE_ACCESS, _REBOOT, _FLASH_ERASE, _READ = 0x01, 0x02, 0x03, 0x84
_WRITE, _EXIT_XIP = 0x05, 0x06
_EXCLUSIVE_AND_EJECT = 2
_REBOOT_AFTER_MS = 100
_ANSWER_S = 5.0
# Worst cases of a W25Q16JV (AC characteristics): 400 ms a sector of 4 kB, 3 ms a page.
_SECTOR_ERASE_S, _PAGE_PROGRAM_S = 0.4, 0.003


class Picoboot:
    """Commands to a board in BOOTSEL. Addresses are those of the chip's memory, lengths in bytes.

    Every method raises FlashError where the board does not answer, or refuses.
    """

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._token = 0
        # The volume that the board shows too must not write meanwhile.
        self._do(_EXCLUSIVE_ACCESS, struct.pack("<B", _EXCLUSIVE_AND_EJECT))
        self._do(_EXIT_XIP)

    def read(self, address: int, length: int) -> bytes:
        """What is there."""
        self._command(_READ, struct.pack("<II", address, length), length)
        data = self._pipe.read(length, _ANSWER_S)
        if len(data) != length:
            raise FlashError(
                f"{self._pipe.title} sent {len(data)} of {length} bytes; unplug it, hold BOOTSEL "
                "while you plug it in, and flash again"
            )
        self._pipe.write(b"")
        return data

    def erase(self, address: int, length: int) -> None:
        """Erase whole sectors of flash."""
        sectors = length // SECTOR_BYTES
        self._do(_FLASH_ERASE, struct.pack("<II", address, length), sectors * _SECTOR_ERASE_S)

    def write(self, address: int, data: bytes) -> None:
        """Write whole pages of flash, erased before."""
        self._command(_WRITE, struct.pack("<II", address, len(data)), len(data))
        self._pipe.write(data)
        self._end(len(data) // PAGE_BYTES * _PAGE_PROGRAM_S)

    def reboot(self) -> None:
        """Start what is in flash, in a tenth of a second."""
        self._do(_REBOOT, struct.pack("<III", 0, 0, _REBOOT_AFTER_MS))

    def _do(self, number: int, arguments: bytes = b"", takes_s: float = 0.0) -> None:
        self._command(number, arguments, 0)
        self._end(takes_s)

    def _command(self, number: int, arguments: bytes, data_bytes: int) -> None:
        self._token += 1
        # Arguments are padded to 16 bytes; EXIT_XIP has none.
        head = (_MAGIC, self._token, number, len(arguments), 0, data_bytes)
        self._pipe.write(_COMMAND.pack(*head, arguments))

    def _end(self, takes_s: float) -> None:
        self._pipe.read(0, _ANSWER_S + takes_s)
