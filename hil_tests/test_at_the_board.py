"""A board without a host: its button, its light, its jumper; and strangers at its ports."""

from __future__ import annotations

import pytest

from wrench.bench.emulator import StepSeen
from wrench.bench.virtual import CONSOLE, LINK
from wrench.errors import RefusedError
from wrench.hil.rig import BUTTON_RESETS_S, Rig

PERIOD_S = 2.0


class Light:
    """When the light was on, from now on."""

    def __init__(self, rig: Rig) -> None:
        self.flashes_s: list[float] = []
        assert rig.board.led
        self._pin = rig.board.led.pin
        self._rig = rig
        self._high = 0.0
        self._steps = 0
        rig.bench.on_step.append(self._look)

    def _look(self, seen: StepSeen) -> None:
        pin = seen.pins[self._pin]
        self._steps += 1
        self._high += pin.high
        if pin.rises:
            self.flashes_s.append(seen.now_ns / 1e9)

    def watch(self, periods: int = 2) -> tuple[float, float]:
        """Part of the time that it is on, and flashes in a period."""
        self.flashes_s.clear()
        self._high, self._steps = 0.0, 0
        self._rig.pass_time(periods * PERIOD_S)
        return self._high / self._steps, len(self.flashes_s) / periods


def test_the_button_starts_and_stops_a_run_that_needs_no_host(rig):
    light = Light(rig)
    rig.pass_time(3.3)
    assert light.watch(1) == (pytest.approx(0.05, abs=0.02), 1)
    rig.machine.press_button()
    rig.pass_time(0.9)
    assert rig.highest_duty == 0.0, "a short press must not start it"
    rig.pass_time(0.2)
    rig.machine.press_button(False)
    assert rig.duty_at_pin > 0.0
    assert light.watch(1) == (pytest.approx(0.6, abs=0.05), 4)
    rig.pass_time(2.0)
    assert light.watch(1) == (pytest.approx(1.0, abs=0.01), 0)
    assert rig.duty_at_pin > 0.0
    rig.machine.press_button()
    assert rig.off_after(rig.bench.now_s, 0.2) <= 0.065
    rig.highest_duty = 0.0
    rig.pass_time(1.5)
    assert rig.highest_duty == 0.0, "the press that stops must not start it again"
    rig.machine.press_button(False)
    assert [event.detail for event in rig.happened("run")] == [0]
    assert [event.detail for event in rig.happened("stop")] == [0]


def test_the_light_tells_a_trip_and_the_button_resets_it_once_its_cause_is_gone(rig):
    light = Light(rig)
    rig.run_alone(200)
    rig.machine.press_estop()
    rig.pass_time(4.0)  # until the waveform is in the flash, which the loop attends to
    assert light.watch(1) == (pytest.approx(0.05, abs=0.02), 1)
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
    rig.highest_duty = 0.0
    rig.pass_time(1.5)
    assert (rig.mode, rig.highest_duty) == ("idle", 0.0), "the press that resets must not start it"
    rig.machine.press_button(False)
    assert rig.happened("reset")[-1].detail == 0
    rig.machine.set_sensor_fault(absent=True)
    assert rig.trips() == "sensor silent"
    rig.pass_time(4.0)
    assert light.watch(1)[1] == 5


def test_nothing_restarts_when_power_returns(rig):
    rig.run_alone(200)
    rig.bench.cut_power()
    rig.pass_time(0.2)
    assert rig.duty_at_pin == 0.0
    rig.highest_duty = 0.0
    rig.bench.restore_power()
    rig.pass_time(6.0)
    assert rig.highest_duty == 0.0
    assert rig.reconnect()["reset_cause"] == "power-on"
    assert rig.mode == "idle"


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
    assert rig.bench.serial_functions == 1
    console = rig.bench.open(CONSOLE)
    console.write(b"\r\nprint(6 * 7)\r\n")
    rig.pass_time(0.2)
    return b"42" in console.read_available()


def test_the_service_jumper_leaves_the_console_to_the_host(rig):
    rig.machine.set_service_jumper(True)
    rig.pass_time(2.0)
    assert console_answers(rig)
    assert rig.highest_duty == 0.0


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


def test_strangers_at_either_port_neither_stop_nor_start_the_motor_and_are_counted(rig):
    rig.ready()
    console = rig.bench.open(CONSOLE)
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
    assert not rig.bench.resets


def test_a_stranger_at_the_link_does_not_keep_a_run_alive(rig):
    rig.run(200)
    rig.link.owns_run = False
    begin_s = rig.bench.now_s
    rig.hold(lambda: rig.bench.send(LINK, b"AT\r\n"))
    assert rig.off_after(begin_s, 1.0) <= 0.505
    rig.hold(None)
    rig.link.port.write(b"\0")
    rig.pass_time(0.2)
    assert rig.fault == "link lost"
    with pytest.raises(RefusedError, match="reset first"):
        rig.link.run(200)
