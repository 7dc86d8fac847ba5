"""The chip on another emulator: what a board does must not be one emulator's doing."""

from __future__ import annotations

import pytest

from wrench.hil.rig import Rig


@pytest.mark.needs("motor pins", "e-stop", "exact instants")
@pytest.mark.parametrize(
    "emulator",
    [
        pytest.param(None, id="usual", marks=pytest.mark.smoke),
        pytest.param("rp2040py", marks=pytest.mark.needs("emulator")),
    ],
)
def test_a_board_boots_with_the_motor_off_runs_and_is_off_within_a_millisecond(
    emulator, make_rig
) -> None:
    rig: Rig = make_rig(emulator=emulator)
    rig.ready()
    assert rig.highest_duty == 0.0
    rig.link.run(300)
    assert rig.wait_for(lambda: rig.duty_at_pin > 0.05, 1.0)
    rig.machine.press_estop(after_ns=1.74e6)
    assert rig.off_after(rig.now_s + 1.74e-3, 0.02) <= 0.001
    assert rig.trips() == "e-stop"
