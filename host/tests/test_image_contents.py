"""Which image a file holds, and whether an RP2040 would start it. Images here are synthetic."""

import struct

import pytest

from wrench.errors import ImageError
from wrench.image.contents import crc32_mpeg2, inspect
from wrench.image.uf2 import pack_uf2

STOCK = "Raspberry Pi Pico with RP2040"


def make_image(
    board: str = STOCK,
    version: str = "1.25.0",
    *,
    boot2_ok: bool = True,
    stack: int = 0x20042000,
    reset: int = 0x100001F7,
    extra: bytes = b"",
) -> bytes:
    """Return a UF2 file that has everything `inspect` looks at, and nothing more."""
    loader = b"boot loader".ljust(252, b"\0")
    crc = crc32_mpeg2(loader) ^ (0 if boot2_ok else 1)
    vectors = struct.pack("<2I", stack, reset).ljust(256, b"\0")
    text = f"MicroPython v{version} on 2025-04-15; {board}\0".encode()
    return pack_uf2(loader + struct.pack("<I", crc) + vectors + text + extra)


def make_wrench(frozen: bool = False, extra: bytes = b"") -> bytes:
    """Return a UF2 file that passes for one of our images."""
    name = b"WRENCH_PICO-FROZEN\0" if frozen else b"WRENCH_PICO\0"
    return make_image("Wrench Pico with RP2040", extra=name + extra)


def test_the_published_check_value_of_the_crc() -> None:
    assert crc32_mpeg2(b"123456789") == 0x0376E6E7


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (make_image(), "stock"),
        (make_wrench(), "wrench"),
        (make_wrench(frozen=True), "wrench-frozen"),
    ],
)
def test_the_kind_is_read_from_the_image_itself(raw: bytes, kind: str) -> None:
    found = inspect(raw, "it")
    assert (found.kind, found.version) == (kind, "1.25.0")


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (make_image(boot2_ok=False), "damaged boot loader"),
        (make_image(stack=0x30000000), "vector table"),
        (make_image(reset=0x100001F6), "vector table"),
        (make_image(reset=0x20000001), "vector table"),
        (make_image(version="1.24.1"), "MicroPython 1.24.1"),
        (make_image(version="1.26.0-preview.9"), "MicroPython 1.26.0-preview.9"),
        (make_image("Raspberry Pi Pico W with RP2040"), "another board"),
        (make_image(extra=bytes(640 * 1024)), "bytes too long and would overlap the files"),
        (pack_uf2(b"x" * 1000), "damaged boot loader"),
        (pack_uf2(b"x"), "does not begin"),
        (pack_uf2(b"x" * 1000, 0x10001000), "does not begin"),
    ],
)
def test_an_image_that_would_not_do_is_refused(raw: bytes, told: str) -> None:
    with pytest.raises(ImageError, match=told) as caught:
        inspect(raw, "it")
    assert "https://micropython.org/download/RPI_PICO/" in str(caught.value)
