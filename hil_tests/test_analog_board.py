"""What is peculiar to the board whose sensor is on the ADC and whose motor is on an ESC."""

from __future__ import annotations

import numpy as np
import pytest

from wrench.boards import load_board
from wrench.hil.rig import Rig
from wrench.hil.virtual_rig import VirtualRig

ANALOG = load_board("pico-analog-piezo-esc")
WITHIN_S = 0.001
WRITTEN_S = 3.0


def turning(rig: Rig) -> None:
    """Start, as soon as the board allows it, and wait until the ESC has armed and the shaft turns.

    The ESC listens only after `arm_ms`, while the ramp of the command goes on.
    """
    rig.ready()
    rig.pass_time(ANALOG.motor.min_off_ms / 1000)
    rig.run(250)
    assert rig.wait_for(lambda: rig.shaft_speed_rpm > 0.1 * ANALOG.motor.rated_speed_rpm, 5.0)


def assert_dead(rig: VirtualRig) -> None:
    """Its supply is switched off, no pulse asks for anything, and so it stays; the shaft coasts."""
    speed_rpm = rig.shaft_speed_rpm
    pins = (ANALOG.motor.enable_pin, ANALOG.motor.pwm_pin)
    for _ in range(10):
        rig.pass_time(0.01)
        seen = rig.bench.seen
        assert seen is not None
        assert [seen.pins[pin].high for pin in pins if pin is not None] == [0.0, 0.0]
    assert rig.shaft_speed_rpm < 0.95 * speed_rpm


@pytest.mark.needs("motor pins", "shaft", "e-stop", "exact instants", "other boards", "emulator")
def test_the_estop_takes_the_escs_supply_within_a_millisecond_at_any_phase_of_the_tick(
    make_rig, latency
):
    """A pulse of 2 ms may have begun: the pulse alone would be up to 20 ms late."""
    rig = make_rig(ANALOG)
    for after_ms in (0.3, 2.9):
        turning(rig)
        rig.machine.press_estop(after_ns=after_ms * 1e6)
        latency("e-stop to off, ESC", rig.off_after(rig.now_s + after_ms / 1e3, 0.02), WITHIN_S)
        assert_dead(rig)
        assert rig.trips() == "e-stop"
        rig.machine.press_estop(False)
        rig.reset(WRITTEN_S)


@pytest.mark.needs("motor pins", "shaft", "current", "other boards", "emulator")
def test_a_short_circuit_in_the_adcs_round_is_off_within_a_millisecond(make_rig, latency):
    rig = make_rig(ANALOG)
    turning(rig)
    rig.machine.offset_current(9.0)
    latency("short circuit to off, ESC", rig.off_after(rig.now_s, 0.02), WITHIN_S)
    assert_dead(rig)
    assert rig.trips() == "short circuit"


@pytest.mark.needs("shaft", "other boards")
def test_nothing_of_a_run_is_lost_and_the_control_tick_is_on_time(make_rig):
    rig = make_rig(ANALOG)
    turning(rig)
    lost, overruns = rig.status.lost_samples, rig.status["control_overruns"]
    rig.features.clear()
    rig.pass_time(10.0)
    assert (rig.mode, rig.fault) == ("running", "none")
    assert rig.status.lost_samples == lost
    assert rig.status["control_overruns"] == overruns
    assert rig.status["sensor_silent_ms"] == 0
    assert len(rig.features) == pytest.approx(40, abs=1)


@pytest.mark.parametrize("image", ["stock", "wrench"])
@pytest.mark.needs("shaft", "e-stop", "knock", "other boards", "other images")
def test_the_waveform_of_a_trip_is_the_trips_own_at_25600_hz(image, make_rig):
    """Its ring is over in 80 ms, and a waveform takes up to a second to be written."""
    rig = make_rig(ANALOG, image=image)
    turning(rig)
    rig.machine.knock(10.0)
    rig.pass_time(0.02)
    rig.machine.press_estop()
    assert rig.trips() == "e-stop"
    rig.pass_time(WRITTEN_S)
    last = rig.link.captures()[-1]
    assert (last.fault, last.whole, last.rate_hz) == ("e-stop", True, 25_600)
    assert len(last.counts) >= 1900
    felt = np.abs(last.acceleration_g[:, 1] - np.median(last.acceleration_g[:, 1]))
    assert felt.max() > 3.0
    assert 0 < felt.argmax() < len(felt) - 1
    # And it feels again, afresh.
    rig.features.clear()
    rig.pass_time(1.0)
    assert len(rig.features) >= 3
    assert rig.status["sensor_silent_ms"] == 0
    rig.machine.press_estop(False)
    rig.pass_time(0.5)
    rig.link.command("reset_trip")
    rig.pass_time(0.5)
    assert (rig.mode, rig.fault) == ("idle", "none")
