"""What a MicroPython image says about itself, and whether an RP2040 would start it."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from wrench.errors import ImageError
from wrench.image.uf2 import FLASH_LEN, FLASH_START, parse_uf2

MICROPYTHON_VERSION = "1.25.0"
"""The only version that Wrench is tested with."""

KINDS = ("stock", "wrench", "wrench-frozen")
DOWNLOAD_PAGE = "https://micropython.org/download/RPI_PICO/"

STORAGE_LEN = 1408 * 1024
"""Bytes at the end of the flash for files and the raw tail; neither linker nor UF2 guards them."""

_BOOT2_LEN = 256
_RAM_START, _RAM_END = 0x20000000, 0x20042000


@dataclass(frozen=True)
class Contents:
    """What was found inside an image."""

    kind: str
    version: str


def inspect(raw: bytes, name: str) -> Contents:
    """Check the bytes of a UF2 file and tell which MicroPython image it is.

    Checked are the UF2 structure, the checksum of the second-stage boot loader that the boot ROM
    demands, the vector table, and the version and board that are compiled in.

    Raises:
        ImageError: it would not start on an RP2040, or is not the MicroPython that Wrench needs.
    """
    base, data = parse_uf2(raw, name)
    hint = f"get version {MICROPYTHON_VERSION} from {DOWNLOAD_PAGE}"
    if base != FLASH_START or len(data) < 2 * _BOOT2_LEN:
        raise ImageError(f"{name} does not begin where an RP2040 starts; {hint}")
    spare = FLASH_LEN - STORAGE_LEN - len(data)
    if spare < 0:
        raise ImageError(f"{name} is {-spare} bytes too long and would overlap the files; {hint}")
    (stored_crc,) = struct.unpack_from("<I", data, _BOOT2_LEN - 4)
    if crc32_mpeg2(data[: _BOOT2_LEN - 4]) != stored_crc:
        raise ImageError(f"{name} has a damaged boot loader, an RP2040 would not start it; {hint}")
    stack, reset = struct.unpack_from("<2I", data, _BOOT2_LEN)
    in_flash = FLASH_START < reset < FLASH_START + FLASH_LEN and reset & 1
    if not _RAM_START < stack <= _RAM_END or not in_flash:
        raise ImageError(f"{name} has no valid vector table; {hint}")
    banner = re.search(rb"MicroPython v(\d+\.\d+\.\d+[^ \0]*) on \d{4}-", data)
    if banner is None:
        raise ImageError(f"{name} is not a MicroPython image; {hint}")
    version = banner[1].decode("ascii", "replace")
    if version != MICROPYTHON_VERSION:
        raise ImageError(f"{name} is MicroPython {version}; {hint}")
    if b"WRENCH_PICO-FROZEN\0" in data:
        return Contents("wrench-frozen", version)
    if b"WRENCH_PICO\0" in data:
        return Contents("wrench", version)
    if b"Raspberry Pi Pico with RP2040" in data:
        return Contents("stock", version)
    raise ImageError(f"{name} is MicroPython for another board; {hint}")


def crc32_mpeg2(data: bytes) -> int:
    """CRC-32/MPEG-2: the boot ROM checks the boot loader with it (RP2040 datasheet, 2.8.1.3.1)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
        crc &= 0xFFFFFFFF
    return crc
