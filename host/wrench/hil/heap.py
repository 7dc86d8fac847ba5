"""How much of MicroPython's heap is free, read from the chip's RAM by way of no firmware.

The collector keeps two bits for each block of 16 bytes: 0 is free. Where that table and the blocks
lie is in a record of MicroPython's, which is found by what must hold between its words, so that any
image can be looked at.
"""

from __future__ import annotations

import numpy as np

from wrench.errors import BenchError

_RAM_AT = 0x20000000
_BLOCK_BYTES = 16
_BLOCKS_IN_A_BYTE = 4
_LEAST_BLOCKS = 1024

_FREE_BLOCKS = np.array([sum(n >> shift & 3 == 0 for shift in (0, 2, 4, 6)) for n in range(256)])


def free_bytes(memory: bytes) -> int:
    """Bytes in free blocks. What nobody needs any more is free only once it has been collected.

    Raises BenchError where there is no heap: MicroPython has not started.
    """
    table_at, table_bytes = _table(memory)
    table = np.frombuffer(memory, np.uint8, table_bytes, table_at)
    return int(_FREE_BLOCKS[table].sum()) * _BLOCK_BYTES


def _table(memory: bytes) -> tuple[int, int]:
    words = np.frombuffer(memory, "<u4").astype(np.int64)
    ends = _RAM_AT + len(memory)
    # Start and bytes of the table, start of the finalisers' bits, start and end of the blocks.
    start, size, bits, blocks, end = (words[k : len(words) - 4 + k] for k in range(5))
    fits = (
        (start >= _RAM_AT)
        & (size * _BLOCKS_IN_A_BYTE >= _LEAST_BLOCKS)
        & ((bits - start - size) >> 2 == 0)  # with a gap of a byte
        & (blocks > bits)
        & (end == blocks + size * _BLOCKS_IN_A_BYTE * _BLOCK_BYTES)
        & (end <= ends)
    )
    found = np.flatnonzero(fits)
    if len(found) != 1:
        raise BenchError(
            f"{len(found)} heaps of MicroPython's are in the chip's RAM; let it start first"
        )
    at = int(found[0])
    return int(start[at]) - _RAM_AT, int(size[at])
