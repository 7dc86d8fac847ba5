"""What the sensor feels, from the bearing to the host."""

import itertools

import pytest


@pytest.mark.needs("emulator")
def test_a_healthy_drill_runs_on_without_losing_a_sample(rig):
    rig.run(700)
    before = rig.bench.seen.devices[0]["overruns"]
    lost = rig.status.lost_samples
    rig.pass_time(8.0)
    assert rig.mode == "running"
    assert rig.bench.seen.devices[0]["overruns"] == before
    assert rig.status.lost_samples == lost
    assert rig.link.decoder.missing_frames == 0
    assert rig.bench.seen.devices[0]["early_reads"] == 0


@pytest.mark.needs("motor pins", "machine", "emulator")
def test_a_failing_bearing_is_slowed_down_then_stopped(make_rig):
    rig = make_rig(condition="demo")
    rig.run(700)
    assert rig.wait_for(lambda: rig.mode == "limiting", 25.0)
    assert rig.limit == "vibration"
    assert rig.wait_for(lambda: rig.status["speed_command_permille"] < 500, 15.0)
    assert rig.trips(30.0) == "vibration"
    assert rig.duty_at_pin == 0.0
    assert not rig.wired.reading.seized


def test_the_raw_waveform_streams_without_a_gap_while_the_drill_runs(rig):
    rig.run(500)
    rig.link.command("stream", 1)
    first_samples = []
    counts = set()
    end_s = rig.now_s + 3.0
    while rig.now_s < end_s:
        frame = rig.link.receive(0.1)
        if frame and frame.name == "waveform":
            assert len(frame.tail) == 6 * frame["samples"]
            first_samples.append(frame["first_sample"])
            counts.add(frame["samples"])
    assert len(first_samples) > 250
    assert {b - a for a, b in itertools.pairwise(first_samples)} == counts
    rig.pass_time(0.1)
    assert rig.mode == "running"
    assert rig.status.dropped_frames == 0
