"""CRC-32 and COBS on the chip: into buffers that are there already, nothing allocated.

The host uses libraries for both (`binascii.crc32`, `cobs`); the tests hold these against them.
"""

import array
import sys

import micropython


@micropython.viper
def _fill_table(table: ptr32):
    half = 0x3FFFFFFF
    positive = half + half + 1
    n = 0
    while n < 256:
        c = n
        k = 0
        while k < 8:
            low = c & 1
            c = (c >> 1) & positive
            if low:
                c ^= -0x12477CE0  # 0xEDB88320, as a small integer
            k += 1
        table[n] = c
        n += 1


CRC_TABLE = array.array("i", bytes(1024))
_fill_table(CRC_TABLE)


@micropython.viper
def append_crc_reference(data: ptr8, count: int, table: ptr32) -> int:
    """Write the CRC-32/ISO-HDLC of the first `count` bytes behind them; returns the new length."""
    crc = -1
    i = 0
    while i < count:
        crc = int(table[(crc ^ data[i]) & 0xFF]) ^ ((crc >> 8) & 0xFFFFFF)
        i += 1
    crc ^= -1
    data[count] = crc & 0xFF
    data[count + 1] = (crc >> 8) & 0xFF
    data[count + 2] = (crc >> 16) & 0xFF
    data[count + 3] = (crc >> 24) & 0xFF
    return count + 4


@micropython.viper
def crc_matches(data: ptr8, count: int, table: ptr32) -> int:
    """1 where the last four of `count` bytes are the CRC of those before them, else 0."""
    if count < 5:
        return 0
    crc = -1
    i = 0
    while i < count - 4:
        crc = int(table[(crc ^ data[i]) & 0xFF]) ^ ((crc >> 8) & 0xFFFFFF)
        i += 1
    crc ^= -1
    k = 0
    while k < 4:
        if data[i + k] != (crc >> (8 * k)) & 0xFF:
            return 0
        k += 1
    return 1


@micropython.viper
def cobs_encode_reference(source: ptr8, count: int, target: ptr8, at: int) -> int:
    """Encode `count` bytes to `target[at:]` with the closing 0x00; returns the end.

    Needs count + count // 254 + 2 bytes there.
    """
    mark = at
    at += 1
    run = 1
    i = 0
    while i < count:
        byte = source[i]
        i += 1
        if byte:
            target[at] = byte
            at += 1
            run += 1
        if byte == 0 or run == 255:
            target[mark] = run
            mark = at
            at += 1
            run = 1
            if byte and i == count:
                target[mark] = 0
                return at
    target[mark] = run
    target[at] = 0
    return at + 1


@micropython.viper
def cobs_decode(data: ptr8, count: int) -> int:
    """Decode `count` bytes (without the closing 0x00) in place.

    Returns the length, or -1 where they are not COBS.
    """
    read = 0
    write = 0
    while read < count:
        run = int(data[read])
        read += 1
        if run == 0 or read + run - 1 > count:
            return -1
        k = 1
        while k < run:
            byte = data[read]
            if byte == 0:
                return -1
            data[write] = byte
            read += 1
            write += 1
            k += 1
        if run < 255 and read < count:
            data[write] = 0
            write += 1
    return write


@micropython.viper
def find_zero(data: ptr8, start: int, end: int) -> int:
    """Index of the first 0x00 in data[start:end], or -1."""
    while start < end:
        if data[start] == 0:
            return start
        start += 1
    return -1


@micropython.viper
def copy_reference(source: ptr8, start: int, target: ptr8, at: int, count: int):
    """Copy `count` bytes of `source[start:]` to `target[at:]`."""
    i = 0
    while i < count:
        target[at + i] = source[start + i]
        i += 1


if sys.platform == "rp2":
    from .kernels_rp2 import append_crc, cobs_encode, copy
else:
    append_crc = append_crc_reference
    cobs_encode = cobs_encode_reference
    copy = copy_reference
