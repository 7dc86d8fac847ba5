"""The chip's clock: it wraps while the motor runs, is stopped and started, or runs at another pace
than the machine's time; and what costs memory in a run."""

from __future__ import annotations

from importlib import resources

import pytest

from wrench.bench.emulator import ChipClock
from wrench.hil.content import content_with
from wrench.hil.heap import Heap
from wrench.hil.soak_facts import WRAPS_US

_BUTTON_STOPS_S = 0.2


def firmware(module: str, line: str, instead: str) -> bytes:
    """Flash content with another line in one module of the firmware."""
    text = (resources.files("wrench_firmware") / module).read_text()
    assert text.count(line) == 1, line
    return content_with({module: text.replace(line, instead)})


@pytest.mark.needs("emulator", "flash content", "button", "motor pins")
def test_all_that_wraps_does_so_while_the_motor_runs(make_rig) -> None:
    # Frames are numbered from 0 at each boot: after 40 minutes they begin anew.
    content = firmware("telemetry.py", "self._sequence = 0\n", "self._sequence = 65_463\n")
    at_us = WRAPS_US["ticks_ms"]
    rig = make_rig(content=content, clock=ChipClock(begins_us=at_us - 5_000_000))
    rig.run(500, until_steady=False)
    rig.pass_time(4.98 - rig.bench.now_s)
    assert rig.status
    before = rig.status
    assert before.time_us < at_us
    # Pressed before, and looked at after the wrap.
    rig.machine.press_button()
    assert rig.off_after(rig.bench.now_s, _BUTTON_STOPS_S) < _BUTTON_STOPS_S
    rig.machine.press_button(False)
    rig.pass_time(0.8)
    after = rig.status
    assert after.time_us > at_us
    told_s = rig.bench.clock.since_boot_s(after.time_us)
    assert told_s == pytest.approx(rig.bench.now_s, abs=0.1)
    assert after.sequence < 60_000 < before.sequence
    assert (rig.link.decoder.missing_frames, rig.link.decoder.bad_frames) == (0, 0)
    assert [it.name for it in rig.log() if it.name in ("run", "stop")] == ["run", "stop"]


@pytest.mark.needs("emulator", "shaft", "e-stop", "motor pins")
def test_by_a_crystal_that_is_2_percent_fast_the_shaft_turns_2_percent_slower_than_it_does(
    make_rig,
) -> None:
    clock = ChipClock(off_ppm=20_000.0)
    rig = make_rig(clock=clock)
    rig.run(300)
    rig.pass_time(1.5)
    told_rpm = true_rpm = 0.0
    for _ in range(10):
        rig.pass_time(0.05)
        assert rig.status
        told_rpm += rig.status["speed_rpm"] / 10
        true_rpm += rig.shaft_speed_rpm / 10
    assert true_rpm == pytest.approx(clock.rate * told_rpm, rel=0.006)
    assert rig.status
    assert rig.status["control_interval_us"] < 6000
    told_s = clock.since_boot_s(rig.status.time_us)
    assert told_s == pytest.approx(rig.bench.now_s, abs=0.1)
    pressed_s = rig.bench.now_s
    rig.machine.press_estop()
    assert rig.off_after(pressed_s, 0.1) < 0.001
    assert rig.trips() == "e-stop"


@pytest.mark.needs("emulator")
def test_commands_that_cost_memory_end_a_run_in_a_trip_at_worst(make_rig) -> None:
    rig = make_rig()
    rig.run(300, until_steady=False)
    for _ in range(200):
        rig.link.post("set_time", 1_750_000_000_000)
        rig.pass_time(0.01)
    rig.pass_time(0.3)
    assert not rig.bench.resets
    assert rig.mode in ("running", "starting") or rig.fault == "control overrun"


@pytest.mark.parametrize("image", ["stock", "wrench-frozen"])
@pytest.mark.needs("emulator", "other images")
def test_a_run_takes_nothing_from_the_heap(image, make_rig) -> None:
    """What is taken is collected some day, in a tick that is late for it. The first seconds of a
    run may take a little, once.
    """
    rig = make_rig(image=image)
    rig.run(1000)
    rig.link.command("stream", 1)
    rig.pass_time(2.0)
    heap = Heap(rig.bench.read_memory)
    before = heap.look().used
    rig.pass_time(4.0)
    assert rig.mode == "running"
    assert heap.look().used == before
