"""What is asked while the motor turns costs the run nothing: no memory is collected before it is
over, and a full one would end it."""

import contextlib

import pytest

from wrench.errors import RefusedError
from wrench_firmware import wire


@pytest.mark.needs("motor pins")
def test_a_run_outlives_everything_that_can_be_asked(rig):
    rig.ready()
    rig.run(300)
    settings = rig.link.settings()
    for _ in range(2):
        for fault in wire.FAULTS[1:]:
            with contextlib.suppress(RefusedError):
                assert rig.link.levels(fault)["protection"] == fault
        assert rig.link.settings() != []
    for _ in range(100):
        rig.link.hello()
    for most in (3900, 3800, 3700, 3600, 4000):
        rig.link.set_level("over-current", "trip", most)
    assert len(settings) == settings[0]["settings"]
    # The stock image's log is in files, and a look into one takes memory.
    with pytest.raises(RefusedError, match="motor is turning"):
        rig.link.read_log(0)
    rig.pass_time(0.2)
    assert (rig.mode, rig.fault) == ("running", "none")
    assert rig.duty_at_pin > 0.0
    alarms = [event for event in rig.events if event["code"] == "alarm"]
    assert [wire.FAULTS[event["detail"]] for event in alarms] == []
    rig.link.stop()
    assert "levels" in [event.name for event in rig.link.read_log(0)[1]]
