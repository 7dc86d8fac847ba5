"""The waveform around a trip, on its way from the ring to the black box.

It is written from its oldest sample on, one page of 42 a tick: more than twice as fast as the new
samples of a digital sensor overwrite it, so that it needs no copy. An analog sensor's engine waits
until it is written.
"""

import micropython
from micropython import const

from .buffers import RING_TRIPLES

_AFTER_PERCENT = const(25)  # of what is kept, how much comes after the trip: the shaft coasts
# The engine may be this far ahead of what the loop has taken, and is overwriting that.
_MARGIN_TRIPLES = const(64)
_KEPT_TRIPLES = const(1984)
_LONGEST_WAIT = const(400)  # calls, 8 s: a sensor that is silent brings nothing to wait for


class History:
    """One trip at a time; a second one while the first is being written is in the log alone."""

    def __init__(self, sampler, rate_hz, scale_ug):
        self._sampler = sampler
        self._rate_hz = rate_hz
        self._scale_ug = scale_ug
        self._waiting = False
        self._holding = False
        self._until = 0
        self._waited = 0
        self._sequence = 0
        self._fault = 0

    def trip(self, count, sequence, fault):
        """A trip with this fault, when the engine had taken `count` samples."""
        if self._holding:
            return
        block = self._sampler.block_samples
        after = RING_TRIPLES * _AFTER_PERCENT // 100
        self._until = (count + after + block - 1) // block * block & 0x3FFFFFFF
        self._sampler.engine.hold(self._until)
        self._holding = True
        self._sequence = sequence
        self._fault = fault
        self._waited = 0
        self._waiting = True

    @micropython.native
    def service(self, blackbox, quantities):
        """Hand it over once it is whole; call it 50 times a second."""
        if not self._waiting:
            if self._holding and not blackbox.capturing:
                self._holding = False
                self._sampler.engine.hold(None)
            return
        self._waited += 1
        taken = self._sampler.taken
        if (taken - self._until) & 0x3FFFFFFF >= 0x20000000 and self._waited <= _LONGEST_WAIT:
            return
        self._waiting = False
        blackbox.capture(
            self._sampler.samples,
            RING_TRIPLES,
            (taken + _MARGIN_TRIPLES) & (RING_TRIPLES - 1),
            _KEPT_TRIPLES,
            quantities,
            self._sequence,
            self._fault,
            self._rate_hz,
            self._scale_ug,
        )
