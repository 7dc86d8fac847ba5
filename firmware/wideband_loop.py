"""What the loop does with a block of a wideband sensor, of 256 triples."""

import micropython
from micropython import const

from .ram_code_rp2 import moved
from .wave_rp2 import make_stream

# A block, with two frames, in which no tick can run; one that completes a window.
BLOCK_US = const(1600)
LAST_BLOCK_US = const(3200)


def make_block(loop):
    """As `Loop._block`. Defaults as in `envelope_band`."""
    sampler = loop.sampler
    features = loop.features
    features.use_tacho(loop.inputs)
    moved(loop.control.tick)
    moved(loop.housekeeping)

    @micropython.native
    def block(
        first,
        loop=loop,
        sampler=sampler,
        samples=sampler.samples,
        shaft_angle=features.shaft_angle,
        add=features.add,
        close_window=loop.close_window,
        stream=make_stream(loop.telemetry, loop.link, sampler.samples, loop.source.scale_ug),
        count=sampler.block_samples,
    ):
        number = sampler.taken - count
        if loop.streaming:
            stream(number, first)
        shaft_angle(number)
        if add(samples, first, count):
            close_window()

    return moved(block)
