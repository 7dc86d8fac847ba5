"""What the board remembers of a trip, and that remembering it does not hold up the motor's end."""

from __future__ import annotations

import numpy as np
import pytest

from wrench.bench.emulator import TYPICAL_FLASH_TIMES_NS
from wrench.hil.content import BOARD
from wrench.hil.rig import Rig
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
)
SOME_TIME_MS = 1_750_000_000_000
EVENTS_PER_SECTOR = 175
PARTS_OF_A_PAGE = (0.0, 0.02, 0.25, 0.5, 0.75, 0.98)


def trip(rig: Rig) -> None:
    """A run, a knock at the housing, and the e-stop 100 ms after it."""
    rig.run(300)
    rig.machine.knock(10.0)
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
@pytest.mark.needs("e-stop", "knock", "other images")
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


@pytest.mark.needs("motor pins", "power", "e-stop", "knock", "other images")
def test_a_trip_survives_a_power_cut_a_tenth_of_a_second_later_on_our_own_image(make_rig):
    rig = make_rig(image="wrench")
    rig.run(300)
    rig.machine.press_estop()
    assert rig.off_after(rig.now_s, 0.02) <= 0.001
    rig.pass_time(0.1)
    rig.cut_power()
    rig.pass_time(0.2)
    rig.machine.press_estop(False)
    rig.restore_power()
    rig.ready()
    events = list(rig.link.log())
    assert [event.detail for event in events if event.name == "trip"] == [ESTOP]
    boots = [event.boot for event in events if event.name == "boot"]
    assert boots == sorted(set(boots))
    assert len(boots) == 2
    trip(rig)
    rig.pass_time(WRITTEN_S)
    rig.cut_power()
    rig.pass_time(0.2)
    rig.machine.press_estop(False)
    rig.restore_power()
    rig.ready()
    assert_knock_is_in(rig, boots[-1])


@pytest.mark.parametrize("page_ns", [400_000, 3_000_000])
@pytest.mark.needs("motor pins", "e-stop", "exact instants", "other images", "emulator")
def test_an_estop_during_a_log_write_is_off_within_4_ms_on_our_own_image(page_ns, make_rig):
    """Interrupts are off while a page is programmed, 0.4 ms typically and 3 at worst; nothing that
    takes longer is done to the flash chip while the motor turns.
    """
    times_ns = TYPICAL_FLASH_TIMES_NS | {"page_program_ns": page_ns}
    rig = make_rig(image="wrench", flash_times_ns=times_ns)
    rig.run(200)
    took_s: list[float] = []
    for (fault, level, value), part in zip(LEVELS, PARTS_OF_A_PAGE, strict=True):
        after_ns = part * page_ns
        rig.flash_writes.clear()
        rig.machine.press_estop(after_ns=after_ns, at_page_program=True)
        numbers = wire.FAULTS.index(fault), wire.LEVELS.index(level), value
        rig.link.port.write(encode("set_level", 0, *numbers))  # an event for the log
        assert rig.wait_for(lambda: rig.fell_s is not None, 0.3), "no event was written"
        fell_ns = rig.fell_s * 1e9
        begun = [(what, start, end) for what, start, end in rig.flash_writes if start < fell_ns]
        assert {what for what, _, _ in begun} == {"page program"}
        _, start_ns, end_ns = begun[0]
        pressed_ns = start_ns + after_ns
        assert pressed_ns < end_ns
        took_s.append((fell_ns - pressed_ns) / 1e9)
        assert rig.trips() == "e-stop"
        rig.machine.press_estop(False)
        rig.pass_time(2.0)
        rig.link.command("reset_trip")
        rig.run(200, until_steady=False)
        rig.pass_time(0.1)
    assert max(took_s) <= 0.004


@pytest.mark.needs("other images")
def test_no_sector_is_erased_while_the_motor_turns_on_our_own_image(make_rig):
    """An erase holds interrupts off for 45 ms: where room runs short in a run, the end of the run
    is waited for.
    """
    rig = make_rig(image="wrench")

    def log(count: int) -> None:
        """Set the time as often: events that are not gathered."""
        for _ in range(count):
            rig.link.port.write(encode("set_time", 0, SOME_TIME_MS))
            rig.pass_time(0.015)
        rig.pass_time(0.15)  # what there is to write goes before an erase

    def begun() -> set[str]:
        seen = {what for what, _, _ in rig.flash_writes}
        rig.flash_writes.clear()
        return seen

    rig.ready()
    rig.pass_time(2.0)
    begun()
    for _ in range(EVENTS_PER_SECTOR // 10 + 1):
        log(10)
        if "sector erase" in begun():
            break
    else:
        pytest.fail("room has not run short")
    log(EVENTS_PER_SECTOR - 25)
    rig.run(200)
    assert begun() == {"page program"}
    log(40)
    assert begun() == {"page program"}
    rig.link.command("stop")
    assert rig.wait_for(lambda: "sector erase" in begun(), 1.0)
