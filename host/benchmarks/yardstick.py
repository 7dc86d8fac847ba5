"""A fixed piece of work, so that a cost in processor time can be told as a ratio within one run:
it means the same on a slower computer, and on one that has other things to do."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable

UNIT = "x fixed work"
_ROUNDS = 5
_RECORD = struct.Struct("<HBBIq")


def fixed_work_s() -> float:
    """Processor time of the work: some 20 ms of what the host's tools do all day."""
    begin = time.process_time()
    block = bytes(range(256)) * 4
    kept: dict[int, int] = {}
    for k in range(20_000):
        record = _RECORD.pack(k & 0xFFFF, k & 0xFF, 1, k, k * k)
        number, *_, square = _RECORD.unpack(record)
        kept[number] = zlib.crc32(block, square & 0xFFFF) & 0xFF
    assert len(kept) == 20_000
    return time.process_time() - begin


def beside_fixed_work(work: Callable[[], object]) -> float:
    """Processor time of some work in this process as a multiple of the fixed work's: the least of
    several rounds of either, by turns."""
    ours, fixed = [], []
    for _ in range(_ROUNDS):
        fixed.append(fixed_work_s())
        begin = time.process_time()
        work()
        ours.append(time.process_time() - begin)
    return min(ours) / min(fixed)
