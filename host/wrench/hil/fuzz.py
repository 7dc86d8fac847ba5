"""Fuzzing the wire both ways on all cores: hostile bytes to emulated boards with the real firmware,
and hostile bytes, many of them real telemetry spoiled, to what reads a board on the host.

A stint or batch that breaks a rule is shrunk to the fewest frames that still do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from itertools import count
from random import Random

from wrench.hil import fuzz_chip, fuzz_host
from wrench.hil.at_once import at_once
from wrench.hil.campaign import BOARDS
from wrench.hil.content import BOARD, content_of
from wrench.hil.fuzz_chip import DURING, Batch, Stint
from wrench.hil.virtual_rig import VirtualRig
from wrench.link import encode

__all__ = ["against_chip", "against_host", "captured", "shrunk", "stint_of"]

CHIP_FRAMES = 1000
"""In a batch to a board."""
HOST_FRAMES = 500
_HOST_BATCHES = 40
"""Read by a process at a time."""


# ---- against the chip ----------------------------------------------------------------------------
def stint_of(seed: int, number: int, frames: int = CHIP_FRAMES) -> Stint:
    """The stint of that number under that seed, with so many frames in each of its batches."""
    chance = Random(f"fuzz/{seed}/{number}")
    board, image = BOARDS[number % len(BOARDS)]
    return fuzz_chip.made(board, image, chance, frames, DURING)


def against_chip(
    seed: int, frames: int, jobs: int | None = None
) -> Generator[fuzz_chip.Told, None, None]:
    """Stints, until boards have had so many frames between them; those that fail come too.
    Closing the generator ends those that are under way."""
    had = 0
    for told in at_once(_tell_chip, ((seed, n) for n in count()), jobs):
        had += told.seen.frames
        yield told
        if had >= frames:
            return


def _tell_chip(seed: int, number: int) -> fuzz_chip.Told:
    return fuzz_chip.tell(stint_of(seed, number))


def shrunk(
    ended: fuzz_chip.Told, seconds: float = 600.0, show: Callable[[Stint], None] | None = None
) -> fuzz_chip.Told:
    """The least found within so many seconds of the clock that breaks the same rule: fewest
    batches, and in the last of them fewest chunks."""
    assert ended.violation
    until_s = time.monotonic() + seconds
    rule = ended.violation.rule
    best = ended

    def still(batches: Sequence[Batch]) -> bool:
        nonlocal best
        if time.monotonic() > until_s:
            return False
        again = fuzz_chip.tell(replace(best.stint, batches=tuple(batches)))
        if again.violation is None or again.violation.rule != rule:
            return False
        best = again
        if show:
            show(best.stint)
        return True

    batches = best.stint.batches[: ended.batch + 1]
    if not still(batches[-1:]):
        still(batches)
    while len(best.stint.batches) > 1 and still(best.stint.batches[1:]):
        pass
    for at in range(len(best.stint.batches)):
        size = max(1, len(best.stint.batches[at].chunks) // 2)
        while size:
            first = 0
            while first < len(best.stint.batches[at].chunks):
                batches = list(best.stint.batches)
                chunks = batches[at].chunks
                batches[at] = replace(batches[at], chunks=chunks[:first] + chunks[first + size :])
                if not still(batches):
                    first += size
            size //= 2
    return best


# ---- against the host ----------------------------------------------------------------------------
def captured() -> list[bytes]:
    """Bodies of the frames that an emulated board sends in a few seconds: at rest and in a run,
    with its waveform, its log, its settings and its levels."""
    rig = VirtualRig(BOARD, content_of(BOARD))
    heard = bytearray()
    try:
        rig.ready()
        port = rig.link.port
        read = port.read

        def reading(size: int = 1) -> bytes:
            data = read(size)
            heard.extend(data)
            return data

        port.read = reading  # type: ignore[method-assign]
        rig.link.hello()
        list(rig.link.log())
        rig.link.settings()
        rig.link.levels("over-current")
        port.write(encode("read_capture", 1, 0, 0))
        rig.link.run(300)
        rig.link.command("stream", 1)
        rig.pass_time(1.2)
        rig.link.stop()
        rig.pass_time(0.2)
    finally:
        rig.bench.close()
    return fuzz_host.bodies_of(bytes(heard))


def against_host(
    seed: int, frames: int, real: Sequence[bytes], jobs: int | None = None
) -> Generator[fuzz_host.Told, None, None]:
    """Batches, until so many frames have been read; those that fail come too."""
    had = 0
    real = tuple(real)
    for some in at_once(_tell_host, ((seed, n, real) for n in count()), jobs):
        for told in some:
            had += told.seen.frames
            yield told
            if had >= frames:
                return


def _tell_host(seed: int, number: int, real: Sequence[bytes]) -> list[fuzz_host.Told]:
    return [host_batch(seed, number * _HOST_BATCHES + k, real) for k in range(_HOST_BATCHES)]


def host_batch(seed: int, number: int, real: Sequence[bytes]) -> fuzz_host.Told:
    """How the batch of that number under that seed ends."""
    made = fuzz_host.made(Random(f"fuzz/{seed}/{number}"), HOST_FRAMES, real)
    told = fuzz_host.tell(made, measured=fuzz_host.is_measured(number))
    # Of one that ended well, nobody needs the bytes.
    return told if told.violation else replace(told, batch=replace(made, chunks=()))
