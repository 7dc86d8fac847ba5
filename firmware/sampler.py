"""Samples from the ring that the guard's engine fills, block after block, with nothing lost in
silence.
"""

import micropython
from micropython import const

from .buffers import RING_TRIPLES

_MOST_WAITING = const(1984)  # beyond it the engine may overwrite what is being read


@micropython.viper
def _waiting(counts: ptr32, taken: int) -> int:
    return (int(counts[0]) - taken) & 0x3FFFFFFF


class Sampler:
    """Hands out blocks of the ring. `lost` counts samples that nobody read in time; what the
    sensor's own FIFO lost is in `engine.overflows`.
    """

    def __init__(self, ring, engine, block_samples):
        self.samples = ring.samples
        self.block_samples = block_samples
        self.counts = engine.words
        self.engine = engine
        self.taken = 0
        self.lost = 0

    @micropython.native
    def drain(self):
        """Index in `samples`, in triples, of the next block; -1 where it is not whole yet."""
        waiting = _waiting(self.counts, self.taken)
        block = self.block_samples
        if waiting < block:
            return -1
        if waiting > _MOST_WAITING:
            behind = waiting // block * block - block
            self.lost += behind
            self.taken = (self.taken + behind) & 0x3FFFFFFF
        first = self.taken & (RING_TRIPLES - 1)
        self.taken = (self.taken + block) & 0x3FFFFFFF
        return first
