"""UF2: the container in which an RP2040 takes its flash contents.

A file is a run of 512-byte blocks, each carrying up to 476 bytes for one address.
Specification: https://github.com/microsoft/uf2
"""

from __future__ import annotations

import struct
from pathlib import Path

from wrench.errors import ImageError

RP2040_FAMILY = 0xE48BFF56
FLASH_START = 0x10000000
FLASH_LEN = 2 * 1024 * 1024
"""Bytes of flash on a Raspberry Pi Pico."""

_BLOCK_LEN = 512
_PAGE_LEN = 256
_MAX_PAYLOAD_LEN = 476
_HEAD = struct.Struct("<8I")
_MAGIC_START = 0x0A324655
_MAGIC_SECOND = 0x9E5D5157
_MAGIC_END = 0x0AB16F30
_FLAG_NOT_MAIN_FLASH = 0x00000001
_FLAG_FAMILY = 0x00002000


def read_uf2(path: str | Path) -> tuple[int, bytes]:
    """Return the base address and the contiguous bytes of an RP2040 UF2 file.

    Gaps between blocks are filled with 0xFF, as erased flash reads.

    Raises:
        ImageError: the file is missing, damaged, incomplete, or not for an RP2040's flash.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"cannot read {path} ({error.strerror}); pass the path of a UF2 file"
        ) from error
    return parse_uf2(raw, str(path))


def parse_uf2(raw: bytes, name: str) -> tuple[int, bytes]:
    """Like `read_uf2`, from the bytes of a file; `name` is used in errors only."""

    def wrong(what: str) -> ImageError:
        return ImageError(f"{name} {what}; download or build the image again")

    if not raw or len(raw) % _BLOCK_LEN:
        raise wrong(f"is not a complete UF2 file ({len(raw)} bytes, not a multiple of 512)")
    block_count = len(raw) // _BLOCK_LEN
    pieces: dict[int, bytes] = {}
    for index in range(block_count):
        block = raw[index * _BLOCK_LEN : (index + 1) * _BLOCK_LEN]
        first, second, flags, address, length, number, total, family = _HEAD.unpack_from(block)
        (end,) = struct.unpack_from("<I", block, _BLOCK_LEN - 4)
        if (first, second, end) != (_MAGIC_START, _MAGIC_SECOND, _MAGIC_END):
            raise wrong(f"is not a UF2 file (block {index} has the wrong magic numbers)")
        if number != index or total != block_count:
            raise wrong(f"is incomplete (block {index} says {number} of {total})")
        if flags & _FLAG_NOT_MAIN_FLASH:
            continue
        if not flags & _FLAG_FAMILY or family != RP2040_FAMILY:
            raise wrong(f"is not for an RP2040 (block {index} has family 0x{family:08X})")
        if not 0 < length <= _MAX_PAYLOAD_LEN:
            raise wrong(f"is damaged (block {index} claims {length} bytes)")
        if not FLASH_START <= address <= FLASH_START + FLASH_LEN - length:
            raise wrong(f"is not for a Pico's flash (block {index} is at 0x{address:08X})")
        if address in pieces:
            raise wrong(f"is damaged (two blocks claim address 0x{address:08X})")
        pieces[address] = block[_HEAD.size : _HEAD.size + length]
    if not pieces:
        raise wrong("holds nothing for the flash")
    base = min(pieces)
    data = bytearray()
    for address in sorted(pieces):
        gap = address - base - len(data)
        if gap < 0:
            raise wrong(f"is damaged (two blocks claim address 0x{address:08X})")
        data += b"\xff" * gap + pieces[address]
    return base, bytes(data)


def pack_uf2(data: bytes, base: int = FLASH_START) -> bytes:
    """Return the UF2 file that puts `data` at `base`, in pages of 256 bytes padded with zeros."""
    pages = [data[at : at + _PAGE_LEN] for at in range(0, len(data), _PAGE_LEN)]
    blocks: list[bytes] = []
    for index, page in enumerate(pages):
        head = _HEAD.pack(
            _MAGIC_START,
            _MAGIC_SECOND,
            _FLAG_FAMILY,
            base + index * _PAGE_LEN,
            _PAGE_LEN,
            index,
            len(pages),
            RP2040_FAMILY,
        )
        blocks.append(head + page.ljust(_MAX_PAYLOAD_LEN, b"\0") + struct.pack("<I", _MAGIC_END))
    return b"".join(blocks)
