"""What the board remembers of a trip, and that remembering it does not hold up the motor's end."""

from __future__ import annotations

import numpy as np
import pytest
from rig import BOARD, Rig

from wrench.link import encode
from wrench_firmware import wire

ESTOP = wire.FAULTS.index("e-stop")
WRITTEN_S = 6.0
# Each a little more protective than the board's; another one each time, because the black box
# gathers events that are alike.
LEVELS = (
    ("vibration", "alarm", 1190),
    ("vibration", "limit", 1790),
    ("vibration", "trip", 4490),
    ("over-current", "alarm", 2490),
    ("over-current", "limit", 2990),
    ("over-current", "trip", 3990),
    ("bearing too hot", "alarm", 69_000),
    ("bearing too hot", "limit", 79_000),
    ("bearing too hot", "trip", 94_000),
    ("over-speed", "trip", 2490),
)


def trip(rig: Rig) -> None:
    """A run, a knock at the housing, and the e-stop 100 ms after it."""
    rig.run(300)
    rig.plant.knock(10.0)
    rig.pass_time(0.1)
    rig.machine.press_estop()
    assert rig.trips() == "e-stop"


def assert_knock_is_in(rig: Rig, boot: int) -> None:
    """The waveform of that trip is there, whole, the knock and the coasting down in it."""
    captures = rig.link.captures()
    assert captures
    last = captures[-1]
    assert (last.fault, last.boot, last.whole) == ("e-stop", boot, True)
    assert last.rate_hz == BOARD.vibration.rate_hz
    assert len(last.counts) >= 1900
    felt = last.acceleration_g - last.acceleration_g.mean(axis=0)
    assert np.abs(felt).max() > 3.0
    at = np.abs(felt).max(axis=1).argmax()
    assert 0 < at < len(felt) - 1


@pytest.mark.parametrize("image", ["stock", "wrench"])
def test_a_trip_and_its_waveform_can_be_read_over_the_link(image, make_rig):
    rig = make_rig(image=image)
    trip(rig)
    rig.pass_time(WRITTEN_S)
    names = [event.name for event in rig.log()]
    assert names[0] == "boot"
    assert names.index("run") < names.index("trip")
    tripped = rig.happened("trip", ESTOP)
    assert len(tripped) == 1
    assert_knock_is_in(rig, tripped[0].boot)
    assert rig.link.captures()[-1].sequence == tripped[0].sequence


def test_a_trip_survives_a_power_cut_a_tenth_of_a_second_later_on_our_own_image(make_rig):
    rig = make_rig(image="wrench")
    rig.run(300)
    rig.machine.press_estop()
    assert rig.off_after(rig.bench.now_s, 0.02) <= 0.001
    rig.pass_time(0.1)
    rig.bench.cut_power()
    rig.leave()
    rig.pass_time(0.2)
    rig.machine.press_estop(False)
    rig.bench.restore_power()
    rig.ready()
    events = list(rig.link.log())
    assert [event.detail for event in events if event.name == "trip"] == [ESTOP]
    boots = [event.boot for event in events if event.name == "boot"]
    assert boots == sorted(set(boots))
    assert len(boots) == 2
    trip(rig)
    rig.pass_time(WRITTEN_S)
    rig.bench.cut_power()
    rig.leave()
    rig.pass_time(0.2)
    rig.machine.press_estop(False)
    rig.bench.restore_power()
    rig.ready()
    assert_knock_is_in(rig, boots[-1])


@pytest.mark.xfail(reason="it does not meet a page any more since the loop writes in turn")
def test_an_estop_during_a_log_write_is_off_within_4_ms_on_our_own_image(make_rig):
    """Interrupts are off while a page is programmed, 0.4 ms of modelled flash time."""
    step_s = 0.001
    rig = make_rig(image="wrench", step_ns=1_000_000)
    rig.run(200)
    levels = iter(LEVELS)

    def ask() -> int:
        """At the same phase of the control tick: another level, which is an event for the log;
        returns how many pages have been programmed so far."""
        while round(rig.bench.now_s * 1000) % 5:
            rig.pass_time(step_s)
        fault, level, value = next(levels)
        numbers = wire.FAULTS.index(fault), wire.LEVELS.index(level), value
        rig.link.port.write(encode("set_level", 0, *numbers))
        return pages()

    def pages() -> int:
        return rig.bench.seen.flash["page_programs"]

    def steps_to_write(before: int) -> int:
        for steps in range(60):
            rig.pass_time(step_s)
            if pages() > before:
                return steps
        pytest.fail("no event was written")

    steps = [steps_to_write(ask()) for _ in range(3)][-1]
    took_s: list[float] = []
    during = 0
    for after_ms in (
        0.1,
        0.4,
        0.7,
        1.0,
        1.3,
        1.6,
    ):  # each takes a little longer than the one before
        before = ask()
        whole, part = divmod(steps + after_ms, 1.0)
        rig.pass_time(whole * step_s)
        rig.machine.press_estop(after_ns=part * 1e6)
        pressed_s = rig.bench.now_s + part / 1e3
        first = pages() > before
        rig.pass_time(step_s)
        during += pages() > before and not first
        rig.pass_time(0.012)
        assert rig.fell_s is not None, "the driver is still enabled"
        took_s.append(rig.fell_s - pressed_s)
        assert rig.trips() == "e-stop"
        rig.machine.press_estop(False)
        rig.pass_time(1.2)
        rig.link.command("reset_trip")
        rig.run(200, until_steady=False)
        rig.pass_time(0.1)
    assert max(took_s) <= 0.004
    assert during, "no page was programmed when it was pressed"
