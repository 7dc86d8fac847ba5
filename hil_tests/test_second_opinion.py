"""The chip on another emulator: what a board does must not be one emulator's doing."""

from __future__ import annotations

import pytest

from wrench.hil.rig import Rig


@pytest.mark.needs("emulator", "motor pins", "e-stop", "exact instants")
def test_the_board_boots_runs_and_is_off_within_a_millisecond_on_rp2040py(make_rig) -> None:
    rig: Rig = make_rig(emulator="rp2040py")
    rig.ready()
    assert rig.highest_duty == 0.0
    rig.link.run(300)
    assert rig.wait_for(lambda: rig.duty_at_pin > 0.05, 1.0)
    rig.machine.press_estop(after_ns=1.74e6)
    assert rig.off_after(rig.now_s + 1.74e-3, 0.02) <= 0.001
    assert rig.trips() == "e-stop"
