"""A recording as arrays: times, rates, ranges and gaps."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from board_stream import BLOCK, SCALE_UG, TRUE_HZ, Stream, counts_of
from test_recording_file import recorded

from wrench.recording import Recording, Waveform
from wrench.recording.facts import facts
from wrench.sample_clock import Block, SampleClock


def opened(path: Path, stream: Stream) -> Recording:
    recorded(path, stream)
    return Recording(path)


def expected(numbers: range) -> np.ndarray:
    return np.array([counts_of(number) for number in numbers]) * (SCALE_UG / 1e6)


def whole(stream: Stream) -> range:
    blocks = int(stream.seconds * stream.true_hz / BLOCK)
    return range(stream.first_sample, stream.first_sample + blocks * BLOCK)


# ---- times and rate ------------------------------------------------------------------------------


@pytest.mark.parametrize("true_hz", [3100.0, 3225.5])
def test_the_rate_is_measured_against_device_time(tmp_path: Path, true_hz: float) -> None:
    with opened(tmp_path / "run.mcap", Stream(20.0, true_hz=true_hz)) as recording:
        rate, sd = recording.rate()
    assert 0.0 < sd < 0.05
    assert abs(rate - true_hz) < 4 * sd


def test_more_blocks_tell_the_rate_better(tmp_path: Path) -> None:
    with opened(tmp_path / "run.mcap", Stream(20.0)) as recording:
        _, short = recording.rate(0.0, 2.0)
        _, long = recording.rate()
    assert long < short / 5


def test_samples_lie_evenly_on_device_time(tmp_path: Path) -> None:
    stream = Stream(12.0)
    with opened(tmp_path / "run.mcap", stream) as recording:
        waveform = recording.waveform()
        start_us = recording.start_time_us
    times_us = waveform.time_s * 1e6 + start_us
    true_us = stream.begin_us + np.arange(1, len(waveform) + 1) * 1e6 / TRUE_HZ
    assert np.abs(times_us - true_us).max() < 100.0  # the board's stamps are up to 2,000 us late
    steps_us = np.diff(times_us)
    assert steps_us.min() > 0.0
    assert np.abs(steps_us * TRUE_HZ / 1e6 - 1.0).max() < 0.002


def test_times_rise_however_late_the_blocks_are_stamped() -> None:
    clock = SampleClock(1000.0)
    noise = np.random.default_rng(3)
    times: list[float] = []
    for n in range(50):
        late_us = int(noise.integers(0, 60_000))
        times += list(clock.times_us([Block(32 * n, 32, 1_000_000 + 32_000 * (n + 1) + late_us)]))
    assert np.diff(times).min() > 0.0


# ---- ranges --------------------------------------------------------------------------------------


def test_all_of_it_comes_back_as_it_was(tmp_path: Path) -> None:
    stream = Stream(4.0)
    with opened(tmp_path / "run.mcap", stream) as recording:
        waveform = recording.waveform()
    np.testing.assert_allclose(waveform.acceleration_g, expected(whole(stream)), rtol=1e-6)
    assert waveform.gaps == []
    assert len(waveform.time_s) == len(waveform)


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 1.0), (1.3, 2.9), (2.0, None), (None, 0.01)])
def test_a_range_is_that_part_of_the_whole(
    tmp_path: Path, start_s: float | None, end_s: float | None
) -> None:
    with opened(tmp_path / "run.mcap", Stream(4.0)) as recording:
        all_ = recording.waveform()
        part = recording.waveform(start_s, end_s)
    begin = 0 if start_s is None else np.searchsorted(all_.time_s, start_s)
    stop = len(all_) if end_s is None else np.searchsorted(all_.time_s, end_s)
    assert stop > begin
    np.testing.assert_array_equal(part.time_s, all_.time_s[begin:stop])
    np.testing.assert_array_equal(part.acceleration_g, all_.acceleration_g[begin:stop])


def test_a_range_ends_before_the_sample_at_its_end(tmp_path: Path) -> None:
    with opened(tmp_path / "run.mcap", Stream(1.0)) as recording:
        time_s = recording.waveform().time_s
        part = recording.waveform(float(time_s[100]), float(time_s[200]))
    np.testing.assert_array_equal(part.time_s, time_s[100:200])


def test_a_range_outside_is_empty(tmp_path: Path) -> None:
    with opened(tmp_path / "run.mcap", Stream(1.0)) as recording:
        waveform = recording.waveform(5.0, 6.0)
        assert len(waveform) == 0
        assert waveform.acceleration_g.shape == (0, 3)
        assert math.isnan(waveform.rate_hz)


def test_pieces_are_the_whole_cut_up(tmp_path: Path) -> None:
    stream = Stream(4.0, dropped=frozenset(range(100, 110)), overflows={250: 64})
    with opened(tmp_path / "run.mcap", stream) as recording:
        all_ = recording.waveform()
        for longest_s in (0.3, 1.0, 60.0):
            pieces = list(recording.pieces(longest_s=longest_s))
            np.testing.assert_array_equal(
                np.concatenate([it.acceleration_g for it in pieces]), all_.acceleration_g
            )
            told = [gap for it in pieces for gap in it.gaps]
            assert [gap.start_s for gap in told] == [gap.start_s for gap in all_.gaps]


def test_tables_have_a_row_for_each_message(tmp_path: Path) -> None:
    with opened(tmp_path / "run.mcap", Stream(4.0)) as recording:
        status, features = recording.status(), recording.features()
        assert len(recording.table("/capture")) == 0
    assert list(status["speed_rpm"]) == [1000.0 + n for n in range(50)]
    assert set(status["mode"]) == {"running"}
    assert status.units["current_ma"] == "mA"
    assert np.diff(status.time_s) == pytest.approx(0.08)
    assert list(features["rms_x_mg"]) == list(range(16))


# ---- gaps ----------------------------------------------------------------------------------------


def test_frames_that_the_board_dropped_are_a_gap_of_known_length(tmp_path: Path) -> None:
    stream = Stream(4.0, dropped=frozenset({100, 101, 102}))
    with opened(tmp_path / "run.mcap", stream) as recording:
        waveform, gaps = recording.waveform(), recording.gaps()
    (gap,) = waveform.gaps
    assert (gap.missing_samples, gap.why) == (3 * BLOCK, "dropped by the board")
    assert gap.end_s - gap.start_s == pytest.approx((3 * BLOCK + 1) / TRUE_HZ, rel=1e-3)
    before = 100 * BLOCK
    numbers = [*whole(stream)[:before], *whole(stream)[before + 3 * BLOCK :]]
    np.testing.assert_allclose(
        waveform.acceleration_g, np.array([counts_of(n) for n in numbers]) * 3906e-6, rtol=1e-6
    )
    assert [it.missing_samples for it in gaps] == [3 * BLOCK]
    assert gaps[0].start_s == pytest.approx(gap.start_s, abs=5e-4)
    assert gaps[0].end_s == pytest.approx(gap.end_s, abs=5e-4)


def test_samples_that_the_sensor_lost_are_estimated_by_the_time_that_passed(tmp_path: Path) -> None:
    stream = Stream(4.0, overflows={200: 500})
    with opened(tmp_path / "run.mcap", stream) as recording:
        waveform = recording.waveform()
        rate, sd = recording.rate()
    (gap,) = waveform.gaps
    assert gap.why == "samples lost"
    assert gap.missing_samples == pytest.approx(500, abs=8)
    assert abs(rate - TRUE_HZ) < 5 * sd  # the gap does not spoil it


def test_a_gap_is_as_long_however_late_the_board_told_of_it(tmp_path: Path) -> None:
    stream = Stream(4.0, overflows={200: 500, 320: 200}, held=(192, 207))
    with opened(tmp_path / "run.mcap", stream) as recording:
        by_blocks, by_samples = recording.gaps(), recording.waveform().gaps
    lost = list(stream.overflows.items())
    before = 0
    for (block, samples), *told in zip(lost, by_blocks, by_samples, strict=True):
        start_s = (block * BLOCK + before) / TRUE_HZ
        before += samples
        # The samples were placed while they came, without knowing what would come later.
        for gap, near_s in zip(told, (1e-3, 4e-3), strict=True):
            assert gap.why == "samples lost"
            assert gap.missing_samples == pytest.approx(samples, abs=8)
            assert gap.start_s == pytest.approx(start_s, abs=near_s)
            assert gap.end_s == pytest.approx(start_s + (samples + 1) / TRUE_HZ, abs=near_s)


def test_where_frames_were_lost_the_samples_went_on_as_before(tmp_path: Path) -> None:
    # All that comes behind the lost frame is late.
    stream = Stream(2.2, dropped=frozenset({150}), held=(151, 220))
    with opened(tmp_path / "run.mcap", stream) as recording:
        (gap,) = recording.gaps()
    assert gap.end_s - gap.start_s == pytest.approx((BLOCK + 1) / TRUE_HZ, abs=2e-3)


@pytest.mark.parametrize("gap", [{"overflows": {1: 500}}, {"dropped": frozenset({1})}])
def test_a_gap_is_told_where_too_few_blocks_tell_the_rate(tmp_path: Path, gap: dict) -> None:
    seconds = (1 + len(gap.get("dropped", ())) + 1.5) * BLOCK / TRUE_HZ
    with opened(tmp_path / "run.mcap", Stream(seconds, **gap)) as recording:
        assert math.isnan(recording.rate()[0])
        told = [*recording.gaps(), *recording.waveform().gaps]
        json.dumps(facts(recording), allow_nan=False)
    assert [it.missing_samples > 0 for it in told] == [True, True]


def test_stretches_are_what_lies_between_the_gaps(tmp_path: Path) -> None:
    stream = Stream(4.0, dropped=frozenset({0, 100, 101}), overflows={200: 500})
    with opened(tmp_path / "run.mcap", stream) as recording:
        waveform: Waveform = recording.waveform()
    stretches = waveform.stretches()
    blocks = int(4.0 * TRUE_HZ / BLOCK)
    assert [len(it) // BLOCK for it in stretches] == [99, 98, blocks - 200]
    np.testing.assert_array_equal(
        np.concatenate([it.acceleration_g for it in stretches]), waveform.acceleration_g
    )


def test_the_board_s_count_may_wrap(tmp_path: Path) -> None:
    stream = Stream(3.0, first_sample=(1 << 30) - 50 * BLOCK, dropped=frozenset({49, 50}))
    with opened(tmp_path / "run.mcap", stream) as recording:
        waveform = recording.waveform()
        rate, sd = recording.rate()
    assert [gap.missing_samples for gap in waveform.gaps] == [2 * BLOCK]
    assert abs(rate - TRUE_HZ) < 5 * sd
    assert waveform.time_s[-1] == pytest.approx(3.0, abs=0.05)


# ---- as documented -------------------------------------------------------------------------------


def test_the_example_in_the_manual_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manual = Path(__file__).parents[2] / "docs" / "recording.md"
    (example,) = re.findall(r"```python\n(.*?)```", manual.read_text(encoding="utf-8"), re.S)
    recorded(tmp_path / "run.mcap", Stream(14.0))
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(example, names)
    assert len(names["waveform"]) == pytest.approx(2.5 * TRUE_HZ, abs=1)
    assert len(names["status"]) > 100
