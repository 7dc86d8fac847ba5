"""Whenever something needed to run the motor is not known to be good, it is off at the pin."""

import pytest

from wrench.errors import RefusedError
from wrench.hil.content import BOARD

RATED_RPM = BOARD.motor.rated_speed_rpm
CAP_RPM = BOARD.motor.derate_cap * RATED_RPM


@pytest.mark.needs("motor pins")
def test_at_boot_the_driver_is_never_enabled(rig):
    rig.ready()
    rig.pass_time(0.5)
    assert (rig.highest_duty, rig.times_enabled) == (0.0, 0)
    assert rig.mode == "idle"


@pytest.mark.needs("motor pins", "e-stop", "exact instants")
@pytest.mark.smoke
def test_a_board_boots_with_the_motor_off_runs_and_is_off_within_a_millisecond(rig):
    rig.ready()
    assert rig.highest_duty == 0.0
    rig.link.run(300)
    assert rig.wait_for(lambda: rig.duty_at_pin > 0.05, 1.0)
    rig.machine.press_estop(after_ns=1.74e6)
    assert rig.off_after(rig.now_s + 1.74e-3, 0.02) <= 0.001
    assert rig.trips() == "e-stop"


@pytest.mark.needs("shaft", "load")
@pytest.mark.smoke
def test_the_derate_cap_holds_at_the_shaft_whatever_is_asked_and_however_light_the_load(rig):
    rig.machine.set_load(0.0)
    rig.run(1000)
    rig.pass_time(1.0)
    assert rig.limit == "derate cap"
    assert rig.shaft_speed_rpm >= 0.95 * CAP_RPM
    rig.machine.set_load(1.0)
    rig.pass_time(1.0)
    rig.machine.set_load(0.0)
    rig.pass_time(1.5)
    assert rig.highest_speed_rpm <= 1.01 * CAP_RPM


@pytest.mark.needs("shaft")
def test_a_limit_can_be_lowered_but_not_raised_above_the_board(rig):
    rig.ready()
    with pytest.raises(RefusedError, match="above the board's ceiling"):
        rig.link.command("set_limit", 701)
    rig.link.command("set_limit", 300)
    rig.run(1000)
    assert rig.limit == "operator"
    rig.pass_time(1.0)
    assert rig.highest_speed_rpm <= 0.303 * RATED_RPM
    assert rig.shaft_speed_rpm >= 0.25 * RATED_RPM


def test_the_ramp_is_followed(rig):
    rig.ready()
    rig.link.run(400)
    begin_s = rig.now_s
    assert rig.wait_for(lambda: rig.mode == "running", 4.0)
    assert rig.now_s - begin_s == pytest.approx(0.4 / 0.2, abs=0.1)


@pytest.mark.needs("motor pins", "button", "supply")
def test_no_run_begins_on_a_supply_that_is_too_low(rig):
    rig.ready()
    rig.machine.set_supply(8.5)
    rig.pass_time(0.3)
    assert rig.mode == "idle", "a board on USB alone has not tripped"
    with pytest.raises(RefusedError, match="supply is too low; charge"):
        rig.link.run(300)
    rig.machine.press_button()
    rig.pass_time(2.2)
    rig.machine.press_button(False)
    rig.pass_time(0.3)
    assert rig.highest_duty == 0.0
    rig.machine.set_supply(12.0)
    rig.pass_time(0.3)
    rig.run(300)
    assert rig.duty_at_pin > 0.0


@pytest.mark.needs("motor pins")
@pytest.mark.smoke
def test_stop_stops_and_the_next_run_has_to_wait(rig):
    rig.run(300)
    rig.link.stop()
    rig.pass_time(0.05)
    assert rig.duty_at_pin == 0.0
    assert rig.mode == "idle"
    with pytest.raises(RefusedError, match="too soon"):
        rig.link.run(300)
    rig.pass_time(1.0)
    rig.link.run(300)
    rig.pass_time(0.3)
    assert rig.duty_at_pin > 0.0


@pytest.mark.needs("motor pins", "e-stop")
def test_a_trip_latches_until_its_cause_is_gone_and_it_is_reset(rig):
    rig.run(300)
    rig.machine.press_estop()
    assert rig.trips() == "e-stop"
    with pytest.raises(RefusedError, match="still there"):
        rig.link.command("reset_trip")
    rig.machine.press_estop(False)
    rig.pass_time(0.2)
    assert rig.mode == "tripped"
    with pytest.raises(RefusedError, match="reset first"):
        rig.link.run(500)
    rig.link.command("reset_trip")
    rig.pass_time(0.1)
    assert rig.mode == "idle"
    assert rig.duty_at_pin == 0.0


@pytest.mark.needs("motor pins")
@pytest.mark.smoke
def test_operator_goes_away(rig, latency):
    rig.run(300)
    rig.link.owns_run = False
    latency("host falls silent", rig.off_after(rig.now_s, 1.0), 0.505)
    assert rig.trips() == "link lost"


@pytest.mark.needs("motor pins")
def test_a_monitor_does_not_keep_a_run_alive(rig):
    rig.run(300)
    rig.link.owns_run = False
    rig.link.command("hello")
    rig.link.command("stream", 0)
    begin_s = rig.now_s
    while rig.now_s < begin_s + 0.8:
        rig.pass_time(0.05)
        rig.link.command("hello")
    assert rig.duty_at_pin == 0.0


@pytest.mark.needs("motor pins")
def test_port_is_closed_and_opened_again(rig, latency):
    rig.run(300)
    rig.leave()
    latency("port closed", rig.off_after(rig.now_s, 0.5), 0.05)
    rig.pass_time(0.3)
    rig.reconnect()
    assert (rig.mode, rig.fault) == ("tripped", "link lost")
    rig.pass_time(0.8)
    rig.link.command("reset_trip")
    rig.run(300)
    assert rig.duty_at_pin > 0.2


@pytest.mark.needs("motor pins", "cable")
def test_cable_is_pulled_and_put_back(rig, latency):
    rig.run(300)
    rig.plug_usb(False)
    latency("cable pulled", rig.off_after(rig.now_s, 1.0), 0.505)
    rig.pass_time(0.3)
    rig.plug_usb(True)
    rig.reconnect()
    assert (rig.mode, rig.fault) == ("tripped", "link lost")


@pytest.mark.needs("motor pins", "power")
@pytest.mark.smoke
def test_power_is_cut_and_comes_back(rig):
    rig.run(300)
    rig.cut_power()
    rig.pass_time(0.2)
    assert rig.duty_at_pin == 0.0
    rig.forget_highest()
    rig.restore_power()
    assert rig.reconnect()["reset_cause"] == "power-on"
    rig.ready()
    rig.pass_time(0.5)
    assert (rig.highest_duty, rig.times_enabled) == (0.0, 0)


@pytest.mark.needs("motor pins", "silent host")
def test_host_holds_the_port_and_does_not_read(rig, latency):
    rig.run(300)
    rig.stop_reading()
    before = rig.status["control_overruns"]
    latency("host that does not read", rig.off_after(rig.now_s, 1.0), 0.505)
    rig.pass_time(4.0)
    rig.stop_reading(False)
    rig.pass_time(0.5)
    assert rig.status.dropped_frames > 0
    assert (rig.mode, rig.fault) == ("tripped", "link lost")
    assert rig.status["control_overruns"] >= before


def test_maintenance_is_refused_while_the_motor_turns(rig):
    rig.run(300)
    with pytest.raises(RefusedError, match="motor is turning"):
        rig.link.command("maintenance")
    rig.link.stop()
    rig.link.command("maintenance")
    rig.pass_time(2.0)
    assert rig.serial_functions == 1
    console = rig.open_console()
    console.write(b"\r\nprint(6 * 7)\r\n")
    rig.pass_time(0.1)
    assert b"42" in console.read_available()


def test_a_stop_is_no_fault_while_the_shaft_coasts_and_the_log_is_written(rig):
    for _ in range(3):
        rig.run(700)
        rig.pass_time(0.5)
        before_rpm = rig.status["speed_rpm"]
        rig.link.stop()
        for _ in range(20):
            rig.pass_time(0.04)
            assert rig.mode == "idle", rig.fault
            assert rig.status["current_ma"] > -200, "an open bridge does not brake"
            assert rig.status["speed_rpm"] <= 1.02 * before_rpm
        rig.pass_time(2.0)
