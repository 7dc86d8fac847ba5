"""MicroPython's heap, seen from outside: how much of it is free, without the chip noticing.

Only the chip's memory is read. Where the heap lies is found by its own description of itself
(`mp_state_mem_area_t` of MicroPython 1.25), which is in SRAM in every image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wrench.bench.emulator import SRAM_BASE

SRAM_BYTES = 264 * 1024
BLOCK_BYTES = 16
_BLOCKS_PER_BYTE = 4
_LEAST_TABLE_BYTES = 256  # of 16 kB of heap
_FREE = 0

ReadMemory = Callable[[int, int], bytes]
"""(address, size) to what is there."""


@dataclass(frozen=True)
class HeapSeen:
    """Bytes of heap: in all, free, and in one piece. What is garbage counts as used until it has
    been collected."""

    size: int
    free: int
    longest_free: int

    @property
    def used(self) -> int:
        """Bytes that are not free."""
        return self.size - self.free


class Heap:
    """The heap of an emulated board that runs MicroPython; raises LookupError where it runs none
    (yet)."""

    def __init__(self, read_memory: ReadMemory) -> None:
        self._read = read_memory
        self._table, self._table_bytes = _found(read_memory(SRAM_BASE, SRAM_BYTES))

    def look(self) -> HeapSeen:
        """How it is now."""
        table = np.frombuffer(self._read(self._table, self._table_bytes), np.uint8)
        kinds = (table[:, None] >> np.arange(0, 8, 2, dtype=np.uint8)) & 3
        free = kinds.ravel() == _FREE
        edges = np.diff(np.concatenate(([0], free.view(np.int8), [0])))
        runs = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
        longest = int(runs.max()) if runs.size else 0
        return HeapSeen(
            free.size * BLOCK_BYTES, int(free.sum()) * BLOCK_BYTES, longest * BLOCK_BYTES
        )


def _found(sram: bytes) -> tuple[int, int]:
    """Address and bytes of the allocation table: two bits a block, free where they are 0.

    Five words describe the heap: this table, its length, the table of finalisers right behind it,
    and where the blocks begin and end.
    """
    words = np.frombuffer(sram, "<u4").astype(np.int64)
    table, length, finalisers, first, end = (words[k : len(words) - 4 + k] for k in range(5))
    gap = finalisers - table - length
    found = np.flatnonzero(
        (table >= SRAM_BASE)
        & (length >= _LEAST_TABLE_BYTES)
        & (gap >= 0)
        & (gap < 4)
        & (first > finalisers)
        & (first % BLOCK_BYTES == 0)
        & (end - first == length * _BLOCKS_PER_BYTE * BLOCK_BYTES)
        & (end <= SRAM_BASE + SRAM_BYTES)
    )
    if found.size != 1:
        raise LookupError("no heap of MicroPython is in the chip's memory")
    at = found[0]
    return int(table[at]), int(length[at])
