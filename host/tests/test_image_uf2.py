"""UF2 files: what the parser accepts, and that it refuses each kind of damage."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrench.errors import ImageError
from wrench.image.uf2 import FLASH_START, RP2040_FAMILY, pack_uf2, parse_uf2, read_uf2

THREE_PAGES = bytes(range(256)) * 3


def patched(raw: bytes, block: int, word: int, value: int) -> bytes:
    """Return the file with one 32-bit word of one block changed."""
    changed = bytearray(raw)
    struct.pack_into("<I", changed, block * 512 + word * 4, value)
    return bytes(changed)


@given(data=st.binary(min_size=1, max_size=2000), page=st.integers(0, 100))
def test_what_is_packed_is_read_back_padded_to_pages(data: bytes, page: int) -> None:
    base = FLASH_START + page * 256
    found_base, found = parse_uf2(pack_uf2(data, base), "it")
    assert found_base == base
    assert found == data + bytes(-len(data) % 256)


def test_a_gap_reads_like_erased_flash() -> None:
    raw = patched(pack_uf2(THREE_PAGES), block=2, word=3, value=FLASH_START + 0x1000)
    base, data = parse_uf2(raw, "it")
    assert base == FLASH_START
    assert data[512:0x1000] == b"\xff" * (0x1000 - 512)
    assert data[0x1000:] == THREE_PAGES[:256]


def test_a_block_that_is_not_for_the_flash_is_left_out() -> None:
    raw = patched(pack_uf2(THREE_PAGES), block=2, word=2, value=0x2001)
    assert parse_uf2(raw, "it") == (FLASH_START, THREE_PAGES[:512])


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "not a complete UF2"),
        (pack_uf2(THREE_PAGES)[:-1], "not a complete UF2"),
        (pack_uf2(THREE_PAGES)[:512], "incomplete"),
        (pack_uf2(THREE_PAGES)[512:], "incomplete"),
        (bytes(1024), "not a UF2 file"),
        (patched(pack_uf2(THREE_PAGES), 1, 0, 1), "not a UF2 file"),
        (patched(pack_uf2(THREE_PAGES), 1, 127, 1), "not a UF2 file"),
        (patched(pack_uf2(THREE_PAGES), 1, 7, RP2040_FAMILY ^ 1), "not for an RP2040"),
        (patched(pack_uf2(THREE_PAGES), 1, 2, 0), "not for an RP2040"),
        (patched(pack_uf2(THREE_PAGES), 1, 4, 477), "damaged"),
        (patched(pack_uf2(THREE_PAGES), 1, 4, 0), "damaged"),
        (patched(pack_uf2(THREE_PAGES), 1, 3, FLASH_START), "two blocks"),
        (patched(pack_uf2(THREE_PAGES), 1, 3, 0x20000000), "not for a Pico's flash"),
        (patched(pack_uf2(THREE_PAGES), 2, 3, FLASH_START + (2 << 20)), "not for a Pico's flash"),
        (patched(pack_uf2(b"x"), 0, 2, 0x2001), "holds nothing"),
    ],
)
def test_damage_is_refused_with_its_kind(raw: bytes, told: str) -> None:
    with pytest.raises(ImageError, match=told):
        parse_uf2(raw, "it")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"absent\.uf2"):
        read_uf2(tmp_path / "absent.uf2")
