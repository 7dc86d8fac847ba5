"""Whenever something needed to run the motor is not known to be good, it is off at the pin."""

import pytest

from wrench.bench.virtual import CONSOLE, LINK
from wrench.errors import RefusedError
from wrench.link import Link


def test_at_boot_the_driver_is_never_enabled(rig):
    assert rig.bench.now_s < 1.0
    rig.listen(2.0)
    assert rig.highest_duty == 0.0
    assert rig.mode == "idle"


def test_the_derate_cap_holds_at_the_pin_whatever_is_asked(rig):
    rig.run(1000)
    rig.listen(3.0)
    assert rig.status["limit"] == "derate cap"
    assert rig.highest_duty <= 0.7005
    assert 0.69 <= rig.plant_speed_rpm / 3000 <= 0.707


def test_a_limit_can_be_lowered_but_not_raised_above_the_board(rig):
    rig.ready()
    with pytest.raises(RefusedError, match="above the board's ceiling"):
        rig.link.command("set_limit", 701)
    rig.link.command("set_limit", 300)
    rig.run(1000)
    assert rig.status["limit"] == "operator"
    assert rig.highest_duty <= 0.3005
    assert 0.25 <= rig.plant_speed_rpm / 3000 <= 0.303


def test_the_ramp_is_followed(rig):
    rig.ready()
    rig.link.run(700)
    start = rig.bench.now_s
    rig.wait_for(lambda: rig.duty_at_pin > 0.4, 5.0)
    assert rig.bench.now_s - start == pytest.approx(0.4 / 0.2, abs=0.1)


def test_stop_stops(rig):
    rig.run(500)
    rig.link.stop()
    rig.listen(0.05)
    assert rig.duty_at_pin == 0.0
    assert rig.mode == "idle"


def test_estop_opens(rig):
    rig.run(700)
    rig.machine.press_estop()
    begin = rig.bench.now_s
    assert rig.off_after(begin, 0.1) <= 0.015
    rig.listen(0.1)
    assert (rig.mode, rig.fault) == ("tripped", "e-stop")


def test_a_trip_latches_until_its_cause_is_gone_and_it_is_reset(rig):
    rig.run(500)
    rig.machine.press_estop()
    rig.listen(0.2)
    with pytest.raises(RefusedError, match="still there"):
        rig.link.command("reset_trip")
    rig.machine.press_estop(False)
    rig.listen(0.2)
    assert rig.mode == "tripped"
    with pytest.raises(RefusedError, match="reset first"):
        rig.link.run(500)
    rig.link.command("reset_trip")
    rig.listen(0.1)
    assert rig.mode == "idle"
    assert rig.duty_at_pin == 0.0


def test_operator_goes_away(rig):
    rig.run(500)
    rig.link.owns_run = False
    begin = rig.bench.now_s
    assert rig.off_after(begin, 1.0) <= 0.505
    rig.listen(0.1)
    assert (rig.mode, rig.fault) == ("tripped", "link lost")


def test_a_monitor_does_not_keep_a_run_alive(rig):
    rig.run(500)
    rig.link.owns_run = False
    rig.link.command("hello")
    rig.link.command("stream", 0)
    begin = rig.bench.now_s
    for _ in range(20):
        rig.listen(0.05)
        rig.link.command("hello")
    assert rig.duty_at_pin == 0.0
    assert rig.bench.now_s - begin > 0.5


def test_port_is_closed_and_opened_again(rig):
    rig.run(500)
    rig.link.port.close()
    rig.bench.advance(0.05)
    assert rig.duty_at_pin == 0.0
    rig.link = Link(rig.bench.open(LINK))
    rig.link.hello()
    rig.listen(0.2)
    assert (rig.mode, rig.fault) == ("tripped", "link lost")
    rig.link.command("reset_trip")
    rig.run(300)
    assert rig.duty_at_pin > 0.25


def test_cable_is_pulled_and_put_back(rig):
    rig.run(500)
    rig.bench.plug_usb(False)
    rig.bench.advance(1.0)
    assert rig.duty_at_pin == 0.0
    rig.bench.plug_usb(True)
    rig.link = Link(rig.bench.open(LINK))
    rig.link.hello()
    rig.listen(0.2)
    assert (rig.mode, rig.fault) == ("tripped", "link lost")


def test_power_is_cut_and_comes_back(rig):
    rig.run(700)
    rig.bench.cut_power()
    rig.bench.advance(0.2)
    assert rig.duty_at_pin == 0.0
    rig.highest_duty = 0.0
    rig.bench.restore_power()
    rig.link = Link(rig.bench.open(LINK))
    assert rig.link.hello()["reset_cause"] == "power-on"
    rig.listen(2.0)
    assert rig.mode == "idle"
    assert rig.highest_duty == 0.0


def test_host_holds_the_port_and_does_not_read(rig):
    rig.run(500)
    rig.bench.hold_reading(LINK, False)
    begin = rig.bench.now_s
    rig.bench.advance(8.0)
    rig.bench.hold_reading(LINK, True)
    rig.listen(0.3)
    assert rig.status.dropped_frames > 0
    assert rig.status["control_overruns"] <= 1
    assert (rig.mode, rig.fault) == ("tripped", "link lost")
    assert rig.bench.now_s > begin


def test_maintenance_is_refused_while_the_motor_turns(rig):
    rig.run(300)
    with pytest.raises(RefusedError, match="motor is turning"):
        rig.link.command("maintenance")
    rig.link.stop()
    rig.link.command("maintenance")
    rig.bench.advance(1.0)
    assert rig.bench.seen.serial_functions == 1
    console = rig.bench.open(CONSOLE)
    console.write(b"\r\nprint(6 * 7)\r\n")
    rig.bench.advance(0.1)
    assert b"42" in console.read_available()
