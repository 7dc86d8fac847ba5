"""Hostile bytes on the link harm no board: neither at rest, nor in a run, nor when its owner goes;
and what fuzzing has found stays mended."""

from __future__ import annotations

from random import Random

import pytest

from wrench.hil.fuzz_chip import LEFT, REST, RUN, Batch, made, stint, tell, withstand
from wrench.link import encode

pytestmark = pytest.mark.needs("emulator")


def test_a_board_withstands_hostile_bytes() -> None:
    ended = tell(made("pico-adxl345", "stock", Random(2026), 250, (REST, RUN, LEFT)))
    assert ended.violation is None, ended.violation
    assert ended.seen.frames >= 750
    assert ended.seen.carried_out > 0


def test_what_fuzzing_has_found_stays_mended() -> None:
    beyond = [encode("read_log", n, first) for n, first in enumerate((1 << 30, 1 << 31, 2**32 - 1))]
    # Each took some of the 34 kB that there are in a run.
    costly = [
        *(encode("set_time", n, 1_750_000_000_000 + n) for n in range(200)),
        *(encode("set_level", n, 5, 2, 4000 - n) for n in range(100)),
        *(encode("read_capture", n, 0, 2**32 - 1 - n) for n in range(100)),
        *(encode("set_setting", n, 0, 2**31 - 1 - n) for n in range(100)),
    ]
    # A trip that is reset at once is told all the same.
    hasty = [encode("reset_trip", n) for n in range(900)]
    batches = Batch(REST, tuple(beyond)), Batch(RUN, tuple(costly)), Batch(LEFT, tuple(hasty))
    withstand(stint("pico-adxl345", "wrench", 1, *batches))
