"""Limits that cannot be talked away: lower over the wire, higher only with a hand at the board."""

import pytest

from wrench.boards import load_board
from wrench.errors import RefusedError
from wrench.hil.content import BOARD, variant
from wrench.hil.rig import Rig
from wrench_firmware import limits, wire

TRIP_UM_S = round(1000 * BOARD.protection.vibration.velocity_trip_mm_s)
MOST_UM_S = TRIP_UM_S * limits.MOST_VIBRATION_PERMILLE // 1000
SETTLED_S = 1.5


def unlock(rig: Rig) -> None:
    """Hold the button while power comes, for three seconds."""
    rig.machine.press_button()
    rig.pass_time(4.0)
    rig.machine.press_button(False)


def cut_and_restore(rig: Rig) -> None:
    """The board's power goes and comes back."""
    rig.cut_power()
    rig.pass_time(0.2)
    rig.restore_power()


@pytest.mark.needs("power")
def test_a_level_can_be_lowered_and_put_back_but_not_raised_above_the_board(rig):
    rig.ready()
    with pytest.raises(RefusedError, match="less protective than the board file"):
        rig.link.set_level("vibration", "trip", TRIP_UM_S + 1)
    with pytest.raises(RefusedError, match="less protective"):
        rig.link.set_level("brown-out", "trip", 8900)
    with pytest.raises(RefusedError, match="alarm to limit to trip"):
        rig.link.set_level("vibration", "limit", 1000)
    with pytest.raises(RefusedError, match="cannot be changed"):
        rig.link.set_level("e-stop", "trip", 1)
    with pytest.raises(RefusedError, match="above the board's ceiling"):
        rig.link.command("set_limit", 701)
    rig.link.set_level("vibration", "trip", 4000)
    levels = rig.link.levels("vibration")
    assert (levels["trip"], levels["board_trip"]) == (4000, TRIP_UM_S)
    assert rig.happened("levels", wire.FAULTS.index("vibration") << 2 | 2)[-1].value == 4000
    rig.pass_time(SETTLED_S)
    cut_and_restore(rig)
    rig.ready()
    assert rig.link.levels("vibration")["trip"] == 4000
    rig.link.set_level("vibration", "trip", TRIP_UM_S)
    assert rig.link.levels("vibration")["trip"] == TRIP_UM_S


@pytest.mark.needs("motor pins")
def test_a_lowered_level_trips_where_the_boards_would_not(rig):
    rig.ready()
    rig.link.set_level("over-current", "alarm", 200)
    rig.link.set_level("over-current", "limit", 400)
    rig.link.set_level("over-current", "trip", 900)
    rig.run(300, until_steady=False)
    assert rig.off_after(rig.now_s, 3.0)
    assert rig.trips() == "over-current"


@pytest.mark.needs("power", "button")
def test_with_the_button_held_at_power_up_a_level_may_be_raised_to_the_ceiling(rig):
    unlock(rig)
    rig.ready()
    assert rig.flag("unlocked at the board")
    assert rig.happened("unlocked")
    with pytest.raises(RefusedError, match="less protective"):
        rig.link.set_level("vibration", "trip", MOST_UM_S + 1)
    rig.link.set_level("vibration", "trip", MOST_UM_S)
    assert rig.link.levels("vibration")["trip"] == MOST_UM_S
    assert rig.happened("levels")
    with pytest.raises(RefusedError, match="above the board's ceiling"):
        rig.link.command("set_limit", 701)
    rig.pass_time(SETTLED_S)
    cut_and_restore(rig)
    rig.ready()
    assert not rig.flag("unlocked at the board")
    assert rig.link.levels("vibration")["trip"] == TRIP_UM_S
    with pytest.raises(RefusedError, match="less protective"):
        rig.link.set_level("vibration", "trip", TRIP_UM_S + 1)


@pytest.mark.needs("shaft", "power")
def test_the_operators_limit_survives_a_power_cut(rig):
    rig.ready()
    rig.link.command("set_limit", 250)
    rig.pass_time(SETTLED_S)
    cut_and_restore(rig)
    rig.run(1000)
    assert (rig.limit, rig.status["speed_command_permille"]) == ("operator", 250)
    assert rig.highest_speed_rpm <= 0.25 * BOARD.motor.rated_speed_rpm * 1.01


@pytest.mark.needs("power", "other images")
def test_on_our_own_image_the_newest_of_the_saved_settings_are_read(make_rig):
    """They are pages in turn, of which the older ones stay until their sector is full."""
    rig = make_rig(image="wrench")
    for ceiling_permille in (250, 400, 300):
        rig.ready()
        rig.link.command("set_limit", ceiling_permille)
        rig.pass_time(SETTLED_S)
        cut_and_restore(rig)
        rig.ready()
        assert rig.status["ceiling_permille"] == ceiling_permille


@pytest.mark.needs("shaft", "motor pins", "power", "e-stop", "jam", "other boards")
def test_a_bearing_earns_its_speed_by_healthy_running_alone_and_loses_it_by_a_trip(make_rig):
    board = variant(
        "probation",
        load_board("pico-adxl345-i2c-pwm-enable"),
        probation="steps_percent = [30.0, 45.0]\nstep_minutes = 0.05",
    )
    rated_rpm = board.motor.rated_speed_rpm
    rig = make_rig(board)
    rig.run(1000)
    assert (rig.limit, rig.status["speed_command_permille"]) == ("probation", 300)
    rig.link.command("hold_probation", 2)  # the last step, but it has not been earned
    rig.pass_time(1.0)
    assert rig.status["speed_command_permille"] == 300
    assert rig.highest_speed_rpm <= 0.30 * rated_rpm * 1.01
    assert rig.wait_for(lambda: rig.status["speed_command_permille"] == 450, 8.0)
    rig.machine.press_estop()
    assert rig.off_after(rig.now_s, 0.02) <= 0.001
    rig.pass_time(SETTLED_S)
    assert [event.detail for event in rig.happened("probation")] == [0, 1]  # held, earned
    rig.machine.press_estop(False)
    cut_and_restore(rig)
    rig.run(1000)
    assert (rig.limit, rig.status["probation_step"]) == ("probation", 1), "an e-stop costs nothing"
    assert rig.status["speed_command_permille"] == 450
    rig.machine.jam()
    assert rig.off_after(rig.now_s, 3.0)
    assert rig.wait_for(lambda: rig.status["probation_step"] == 0, 2.0)
