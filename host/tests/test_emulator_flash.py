"""The emulated flash chip as it is seen from outside while it writes, and what can be done to the
board just then.
"""

from __future__ import annotations

import itertools

import pytest
from on_chip import image_or_skip

from wrench.bench.assemble import bare_flash
from wrench.bench.emulator import StepRequest, StepSeen
from wrench.bench.virtual import CONSOLE, VirtualBench
from wrench.hil.chip import Wiring

TIMES_NS = {"sector_erase_ns": 30_000_000, "block_erase_ns": 90_000_000, "page_program_ns": 700_000}
PIN = 2
# The last sectors belong to a filesystem that this board does without from here on.
WRITES = b"""
import rp2
f = rp2.Flash(start=1024 * 1024, len=65536)
f.ioctl(6, 3)
f.writeblocks(3, bytes(256), 0)
f.writeblocks(3, bytes(512), 256)
"""


class Switch(Wiring):
    """Drives a pin high some time after a page begins to be programmed."""

    def __init__(self) -> None:
        super().__init__([PIN])
        self.after_ns: float | None = None

    def step(self, request: StepRequest, start_ns: int, seen: StepSeen | None) -> None:
        del start_ns, seen
        if self.after_ns is not None:
            request.inputs_at_page_program.append((self.after_ns, PIN, 1))
            self.after_ns = None


def test_writes_are_seen_as_they_begin_and_a_pin_is_driven_in_the_middle_of_a_page() -> None:
    image = image_or_skip()
    switch = Switch()
    flash = bare_flash(image)
    writes: list[tuple[str, float, float]] = []
    edges_ns: list[float] = []
    with VirtualBench(flash, switch, flash_times_ns=TIMES_NS) as bench:
        console = bench.open(CONSOLE)
        bench.advance(2.0)
        bench.on_step.append(lambda seen: writes.extend(seen.flash_writes))
        bench.on_step.append(lambda seen: edges_ns.extend(seen.pins[PIN].edges_ns))
        switch.after_ns = 300_000
        console.write(b"\x01" + WRITES + b"\x04")
        bench.advance(0.3)
    assert [what for what, _, _ in writes] == ["sector erase"] + 3 * ["page program"]
    took_ns = [round(end - start) for _, start, end in writes]
    assert took_ns == [TIMES_NS["sector_erase_ns"]] + 3 * [TIMES_NS["page_program_ns"]]
    for (_, _, end), (_, start, _) in itertools.pairwise(writes):
        assert start >= end
    assert edges_ns == [pytest.approx(writes[1][1] + 300_000, abs=10)]
