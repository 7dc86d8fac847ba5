"""A board without a host: its button, its light, its jumper; and strangers at its ports."""

from __future__ import annotations

import pytest

from wrench.errors import RefusedError
from wrench.hil.rig import BUTTON_RESETS_S, Rig

PERIOD_S = 2.0


def light(rig: Rig) -> tuple[float, int]:
    """Part of a period for which it is on, and flashes in it."""
    return rig.watch_light(PERIOD_S)


@pytest.mark.needs("motor pins", "light", "button")
def test_the_button_starts_and_stops_a_run_that_needs_no_host(rig, latency):
    rig.pass_time(3.3)
    assert light(rig) == (pytest.approx(0.05, abs=0.02), 1)
    rig.machine.press_button()
    rig.pass_time(0.9)
    assert rig.highest_duty == 0.0, "a short press must not start it"
    rig.pass_time(0.2)
    rig.machine.press_button(False)
    assert rig.duty_at_pin > 0.0
    assert light(rig) == (pytest.approx(0.6, abs=0.05), 4)
    rig.pass_time(2.0)
    assert light(rig) == (pytest.approx(1.0, abs=0.01), 0)
    assert rig.duty_at_pin > 0.0
    rig.machine.press_button()
    latency("button to off", rig.off_after(rig.now_s, 0.2), 0.065)
    rig.forget_highest()
    rig.pass_time(1.5)
    assert rig.highest_duty == 0.0, "the press that stops must not start it again"
    rig.machine.press_button(False)
    assert [event.detail for event in rig.happened("run")] == [0]
    assert [event.detail for event in rig.happened("stop")] == [0]


@pytest.mark.needs("motor pins", "light", "button", "e-stop", "sensor plug")
def test_the_light_tells_a_trip_and_the_button_resets_it_once_its_cause_is_gone(rig):
    rig.run_alone(200)
    rig.machine.press_estop()
    rig.pass_time(4.0)  # until the waveform is in the flash, which the loop attends to
    assert light(rig) == (pytest.approx(0.05, abs=0.02), 1)
    rig.machine.press_button()
    rig.pass_time(BUTTON_RESETS_S)
    rig.machine.press_button(False)
    rig.reconnect()
    assert (rig.mode, rig.fault) == ("tripped", "e-stop")
    rig.machine.press_estop(False)
    rig.machine.press_button()
    rig.pass_time(2.5)
    assert rig.mode == "tripped"
    assert rig.wait_for(lambda: rig.mode == "idle", 2.5)
    rig.forget_highest()
    rig.pass_time(1.5)
    assert (rig.mode, rig.highest_duty) == ("idle", 0.0), "the press that resets must not start it"
    rig.machine.press_button(False)
    assert rig.happened("reset")[-1].detail == 0
    rig.machine.set_sensor_fault(absent=True)
    assert rig.trips() == "sensor silent"
    rig.pass_time(4.0)
    assert light(rig)[1] == 5


@pytest.mark.needs("motor pins", "button")
def test_a_host_that_takes_over_a_run_of_the_button_has_to_stay(rig, latency):
    rig.run_alone(200)
    rig.link.run(150)
    rig.pass_time(1.0)
    assert rig.duty_at_pin > 0.0
    rig.link.owns_run = False
    latency("host falls silent, run of the button", rig.off_after(rig.now_s, 0.6), 0.505)
    assert rig.trips() == "link lost"


@pytest.mark.needs("motor pins", "power", "button")
def test_nothing_restarts_when_power_returns(rig):
    rig.run_alone(200)
    rig.cut_power()
    rig.pass_time(0.2)
    assert rig.duty_at_pin == 0.0
    rig.forget_highest()
    rig.restore_power()
    rig.pass_time(6.0)
    assert rig.highest_duty == 0.0
    assert rig.reconnect()["reset_cause"] == "power-on"
    assert rig.mode == "idle"


@pytest.mark.needs("motor pins", "button")
def test_a_button_that_hangs_at_power_up_starts_nothing(rig):
    rig.machine.press_button()
    rig.pass_time(9.0)
    rig.machine.press_button(False)
    rig.pass_time(3.5)
    assert rig.highest_duty == 0.0
    rig.reconnect()
    assert rig.mode == "idle"


def console_answers(rig: Rig) -> bool:
    """Whether there is one serial port only, and Python on it."""
    assert rig.serial_functions == 1
    console = rig.open_console()
    console.write(b"\r\nprint(6 * 7)\r\n")
    rig.pass_time(0.2)
    return b"42" in console.read(console.in_waiting)


@pytest.mark.needs("motor pins", "service jumper")
def test_the_service_jumper_leaves_the_console_to_the_host(rig):
    rig.machine.set_service_jumper(True)
    rig.pass_time(2.0)
    assert console_answers(rig)
    assert rig.highest_duty == 0.0


@pytest.mark.needs("motor pins", "button")
def test_the_button_held_for_ten_seconds_leaves_the_console_to_the_host(rig):
    rig.machine.press_button()
    rig.pass_time(11.5)
    assert console_answers(rig)
    assert rig.highest_duty == 0.0


PROBES = {
    "a modem manager": b"AT\r\nAT+GCAP\r\nATI\r\nAT+CPIN?\r\n",
    "a terminal's Ctrl-C": b"\x03\x03\x03\r\n",
    "a soft reset": b"\x04\x02\x04",
    "a knock at the raw REPL": b"\r\x03\x03\r\x01import machine\nmachine.reset()\n\x04",
    "noise": bytes(range(1, 256, 7)),
}


@pytest.mark.needs("motor pins")
def test_strangers_at_either_port_neither_stop_nor_start_the_motor_and_are_counted(rig):
    rig.ready()
    boots = rig.link.hello()["boot_count"]
    console = rig.open_console()
    for port in (console, rig.link.port):
        for probe in PROBES.values():
            port.write(probe)
            rig.pass_time(0.2)
    rig.link.port.write(b"\0")
    sent = sum(map(len, PROBES.values()))
    assert rig.wait_for(lambda: rig.status["stray_bytes"] >= 2 * sent, 6.0)
    assert (rig.mode, rig.highest_duty) == ("idle", 0.0)
    assert rig.wait_for(lambda: rig.status["bad_frames"] >= 1, 0.5)
    rig.run(200)
    before = rig.status["stray_bytes"]
    for port in (console, rig.link.port):
        for probe in PROBES.values():
            port.write(probe)
            rig.pass_time(0.05)
    rig.link.port.write(b"\0")
    assert rig.wait_for(lambda: rig.status["stray_bytes"] - before >= 2 * sent, 6.0)
    assert rig.mode == "running"
    assert rig.duty_at_pin > 0.0
    assert rig.link.hello()["boot_count"] == boots


@pytest.mark.needs("motor pins")
def test_a_stranger_at_the_link_does_not_keep_a_run_alive(rig):
    rig.run(200)
    rig.link.owns_run = False
    begin_s = rig.now_s
    while rig.now_s < begin_s + 0.7:
        rig.link.port.write(b"AT\r\n")
        rig.pass_time(0.005)
    assert rig.fell_s
    assert rig.fell_s - begin_s <= 0.505 + rig.slack_s
    rig.link.port.write(b"\0")
    rig.pass_time(0.2)
    assert rig.fault == "link lost"
    with pytest.raises(RefusedError, match="reset first"):
        rig.link.run(200)
