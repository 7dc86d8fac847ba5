"""Black box and settings on the emulated chip: the flash takes its time, and a power cut in the
middle of a page or of an erase leaves part of the bits.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from micropython_vm import FIRMWARE
from on_chip import image_or_skip, modules

from wrench.bench.assemble import installed
from wrench.blackbox import Event, Region, decode_capture, decode_events
from wrench.hil.chip import Chip
from wrench_firmware import records

HERE = Path(__file__).parent
MODULES = (
    "__init__",
    *sorted(path.stem for path in FIRMWARE.glob("wire*.py")),
    "framing",
    "kernels_rp2",
    "records",
    "event_queue",
    "rings",
    "captures",
    "blackbox",
    "settings",
    "clock_rp2",
    "storage_rp2",
)
RAW_BYTES = 64 * 4096
STEP_NS = 150_000  # a page takes 400 us to program: power goes within it
TRIP = 4
FRESH, LOADED = 0, 1
TORN, COMPLETE = 1, 2


class StorageChip(Chip):
    """A chip that can lose its power."""

    def __init__(self, content: bytes, step_ns: int = STEP_NS) -> None:
        super().__init__(flash=content, watched=(), step_ns=step_ns)

    def run(self, source: str) -> list[str]:
        """What it has printed, by lines."""
        return self.execute(f"import storage_device as d\n{source}", timeout_s=60).splitlines()

    def run_until_cut(self, source: str, after_s: float) -> list[str]:
        """Let it run, take the power away, bring it back; what it told in whole lines."""
        self.begin(f"import storage_device as d\n{source}")
        self.pass_time(after_s)
        told = self.console.read_available().decode()
        assert "Error" not in told, told
        self.cycle_power()
        return told[: told.rfind("\n") + 1].splitlines()

    def report(self) -> tuple[list[Event], list[Any]]:
        """Boot the black box: its events, and [used, us, boot, states of the slots, settings]."""
        *lines, last = self.run("d.report()")
        return decode_events(bytes.fromhex("".join(lines))), json.loads(last)

    @property
    def region(self) -> bytes:
        return self.bench.read_flash()[-RAW_BYTES:]


@functools.cache
def content(image: str) -> bytes:
    """The flash chip of a board that has an image and these modules."""
    image_or_skip(image)
    device = (HERE / "storage_device.py").read_text()
    return installed(image, modules(*MODULES, storage_device=device))


@pytest.fixture(params=["wrench", "stock"])
def chip(request: pytest.FixtureRequest) -> Iterator[StorageChip]:
    with StorageChip(content(request.param)) as chip:
        yield chip


@pytest.fixture
def ours() -> Iterator[StorageChip]:
    with StorageChip(content("wrench")) as chip:
        yield chip


def test_costs_and_nothing_allocated(ours: StorageChip) -> None:
    found = json.loads(ours.run("d.costs()")[0])
    print(found)  # the costs that the modules' docstrings tell
    assert found["allocated"] == 0
    assert found["idle"] <= 2000
    assert found["append"] <= 12_000
    assert found["pages"] == 99
    assert found["capture_page_longest_us"] < 1500
    again = ours.run_until_cut("pass", 0.2)
    assert again == []
    events, (_, us, boot, states, _) = ours.report()
    assert boot == 2
    assert us < 100_000
    assert [event.sequence for event in events] == sorted({event.sequence for event in events})
    assert states.count(COMPLETE) == 1
    slot = states.index(COMPLETE)
    capture = decode_capture(bytes.fromhex("".join(ours.run(f"d.capture_check({slot})"))))
    assert capture
    assert capture.whole
    ramp = np.array([(k * 37 & 0x1FFF) - 4096 for k in range(3 * 4096)], "<i2").reshape(-1, 3)
    assert np.array_equal(capture.counts, np.roll(ramp, -4000, axis=0))
    assert capture.quantities == list(range(40))


def test_power_cuts_lose_nothing_that_was_written(chip: StorageChip) -> None:
    raw = chip.run("print(d.box.guarantee)") == ["True"]
    order = random.Random(7)
    written, saved, boot, first, torn = 0, 0, 0, 0, 0
    for cut in range(8 if raw else 5):
        after_s = order.uniform(0.2, 0.9 if raw else 4.0)
        told = chip.run_until_cut(f"d.work({first}, {raw and cut % 2})", after_s)
        for line in told:
            what, *numbers = line.split()
            if what == "W":
                written = int(numbers[1])
            else:
                saved = int(numbers[0])
        events, (used, _, now, states, (how, corrupt, kept)) = chip.report()
        assert used or not told
        sequences = [event.sequence for event in events]
        assert sequences == sorted(set(sequences))
        assert set(range(1, written + 1)) <= set(sequences) or len(events) >= 4000
        for event in events:
            if event.code != TRIP:
                n = -event.value
                assert (event.code, event.detail) == (1 + n % 3, n % 251)
        assert now >= boot
        boot = now
        assert not corrupt
        assert kept >= saved
        assert how == (LOADED if saved else how)
        first = max([-event.value for event in events if event.code != TRIP], default=0) + 1
        if raw:
            region = Region(chip.region)
            assert region.events() == events
            torn += torn_records(chip.region)
            found = {it.slot: it for it in region.captures()}
            for slot, state in enumerate(states):
                assert (slot in found) == (state in (TORN, COMPLETE))
                assert state != COMPLETE or found[slot].whole
    assert written > 25
    assert saved > 25
    if raw:
        assert torn > 0, "no cut was in the middle of a record: this test shows nothing"


def torn_records(region: bytes) -> int:
    """Places of both rings that hold something which is no record."""
    layout = records.Layout(len(region) // 4096)
    readable = len(Region(region).events())
    used = 0
    for first, count in (
        (layout.trips, layout.trips_sectors),
        (layout.events, layout.events_sectors),
    ):
        for sector in range(first, first + count):
            for page in range(16):
                at = sector * 4096 + page * 256
                for k in range(11):
                    place = region[at + 23 * k : at + 23 * k + 23]
                    used += (page, k) != (0, 0) and set(place) != {0xFF}
    return used - readable


def test_what_another_image_left_in_the_tail_is_no_log() -> None:
    changed = bytearray(content("wrench"))
    changed[-RAW_BYTES:] = random.Random(1).randbytes(RAW_BYTES)
    with StorageChip(bytes(changed), 5_000_000) as chip:
        events, (used, _, boot, states, (how, corrupt, _)) = chip.report()
        assert (events, used, boot, corrupt, how) == ([], False, 1, False, FRESH)
        assert not any(states)
        told = chip.run_until_cut("d.work(0, 0)", 4.0)
        assert any(line.startswith("W") for line in told)
        events, _ = chip.report()
        assert len(events) > 25
