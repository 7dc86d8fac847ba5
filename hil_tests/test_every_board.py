"""Every board in `boards/` boots, tests itself, turns its motor with its own sensor, and stops."""

import pytest

from wrench.boards import known_boards, load_board
from wrench.hil.content import BOARD

BOARDS = [path.stem for path in known_boards() if path.parent == BOARD.path.parent]


@pytest.mark.parametrize(
    ("name", "image"),
    [
        *((name, "stock") for name in BOARDS),
        (BOARD.name, "wrench"),
        (BOARD.name, "wrench-frozen"),
    ],
)
@pytest.mark.needs("motor pins", "shaft", "load", "other boards", "other images")
def test_it_boots_tests_itself_runs_under_a_light_load_and_stops(name, image, make_rig):
    board = load_board(name)
    rig = make_rig(board, image=image)
    greeting = rig.link.hello()
    assert greeting["image"] == image
    assert greeting["board_name"] == name
    assert greeting["sample_rate_hz"] == board.vibration.rate_hz
    rig.ready()
    assert rig.highest_duty == 0.0
    assert [event.detail for event in rig.happened("self-test")] == [0]
    rig.pass_time(board.motor.min_off_ms / 1000)  # it may have turned until the reset
    lost_at_rest = rig.status.lost_samples  # while flash is erased
    rig.machine.set_load(0.2)
    lost_at_rest = rig.status.lost_samples  # while a sector was erased
    rig.link.run(250)
    assert rig.wait_for(lambda: rig.mode == "running", 6.0), (rig.mode, rig.fault)
    rig.features.clear()
    rig.pass_time(2.5)
    assert (rig.mode, rig.fault) == ("running", "none")
    assert rig.shaft_speed_rpm > 0.1 * board.motor.rated_speed_rpm
    assert rig.highest_speed_rpm <= 1.01 * board.motor.derate_cap * board.motor.rated_speed_rpm
    status = rig.status
    assert (status["speed_rpm"] is None) == (board.tacho is None)
    assert status["supplies_healthy"] == len(board.ordered_supplies)
    assert (status["bearing_mdegc"] is None) == (board.temperatures.bearing is None)
    assert (status["driver_mdegc"] is None) == (board.temperatures.driver is None)
    window_s = board.vibration.window_ms / 1000
    assert len(rig.features) == pytest.approx(2.5 / window_s, abs=1.1)
    assert all(
        frame[f"rms_{axis}_mg"] > 0 for frame in rig.features for axis in board.vibration.axes
    )
    assert status.lost_samples == lost_at_rest
    rig.link.stop()
    rig.pass_time(0.05)
    assert rig.duty_at_pin == 0.0
    assert rig.mode == "idle"
