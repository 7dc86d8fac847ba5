"""What can be played: formats with their units, axes and speeds, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import pyuff
from board_stream import Stream
from known_signals import sine
from scipy.io import wavfile
from test_plant_harness import QUIET
from test_recording_export import exported, waveform_of
from test_recording_file import recorded

from wrench.bench.plant import Drive, MachineParameters, Plant, Playback, Replay
from wrench.bench.plant.playback import samples_of
from wrench.errors import BenchError, RecordingError
from wrench.units import STANDARD_GRAVITY, UNITS_G

RATE = 3200.0


def csv_of(path: Path, *columns: npt.NDArray, rate_hz: float = RATE) -> Path:
    times = np.arange(len(columns[0])) / rate_hz
    lines = [",".join(f"{value:.9g}" for value in row) for row in zip(times, *columns, strict=True)]
    path.write_text("time_s" + ",a" * len(columns) + "\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("unit", UNITS_G)
def test_numbers_are_in_the_unit_that_is_told(tmp_path: Path, unit: str) -> None:
    in_g = sine(100.0, 1.0)
    path = csv_of(tmp_path / "a.csv", in_g / UNITS_G[unit])
    samples = samples_of(Playback(path, unit=unit), 16.0)
    np.testing.assert_allclose(samples.snippets[0, :, 0], in_g, atol=1e-5)


def test_an_integer_wav_has_a_full_scale_and_no_unit(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "a.wav", 3200, np.full(3200, 1 << 14, np.int16))
    path = tmp_path / "a.wav"
    of_sensor = samples_of(Playback(path), 8.0)
    told = samples_of(Playback(path, full_scale_g=2.0), 8.0)
    in_mg = samples_of(Playback(path, unit="mg"), 8.0)
    found = [one.snippets[0, 0, 0] for one in (of_sensor, told, in_mg)]
    assert found == pytest.approx([4.0, 1.0, 4.0])


def test_one_axis_is_played_alone(tmp_path: Path) -> None:
    path = csv_of(tmp_path / "a.csv", np.full(3200, 1.0), np.full(3200, 2.0))
    replay = Replay(Playback(path, axis="y"), RATE)
    assert replay.take(400).max(axis=0) == pytest.approx([2.0, 0.0, 0.0])
    with pytest.raises(BenchError, match=r"a.csv has no axis z; choose one of x, y"):
        samples_of(Playback(path, axis="z"), 16.0)


def test_a_recording_of_wrench_plays_its_longest_stretch_without_gravity(tmp_path: Path) -> None:
    recorded(tmp_path / "run.mcap", Stream(3.0, overflows={100: 300, 200: 300}))
    stretches = waveform_of(tmp_path / "run.mcap").stretches()
    longest = max(stretches, key=len).acceleration_g
    samples = samples_of(Playback(tmp_path / "run.mcap"), 16.0)
    np.testing.assert_allclose(samples.snippets[0], longest - longest.mean(axis=0), atol=1e-5)
    assert any("longest stretch" in note for note in samples.notes)


def test_uff_comes_back_as_it_was_exported(tmp_path: Path) -> None:
    recorded(tmp_path / "run.mcap", Stream(1.0))
    exported(tmp_path / "run.mcap", tmp_path / "run.uff", "uff58")
    samples = samples_of(Playback(tmp_path / "run.uff"), 16.0)
    whole = waveform_of(tmp_path / "run.mcap")
    np.testing.assert_allclose(samples.snippets[0], whole.acceleration_g, atol=1e-5)
    assert samples.rate_hz == pytest.approx(whole.rate_hz, rel=1e-5)


def uff_of(path: Path, values: npt.NDArray, changed: Mapping[str, object]) -> Path:
    """One record in g, as `wrench export` writes them but for what is `changed`, and no units of
    the file."""
    recorded(path.with_suffix(".mcap"), Stream(0.2))
    exported(path.with_suffix(".mcap"), path, "uff58")
    record = next(one for one in pyuff.UFF(str(path)).read_sets() if one["type"] == 58)
    record |= {"num_pts": len(values), "data": values, "abscissa_inc": 1 / RATE, "binary": 0}
    record |= {"x": np.arange(len(values)) / RATE, "ordinate_axis_units_lab": "g", **changed}
    pyuff.UFF(str(path)).write_sets(record, "overwrite")
    return path


@pytest.mark.parametrize(
    ("changed", "factor"),
    [
        ({}, 1.0),
        ({"ordinate_axis_units_lab": "m/s**2"}, 1 / STANDARD_GRAVITY),
        ({"ordinate_axis_units_lab": "mm/s^2"}, 1e-3 / STANDARD_GRAVITY),
        ({"rsp_dir": -1}, -1.0),
    ],
)
def test_uff_tells_unit_and_direction(
    tmp_path: Path, changed: dict[str, object], factor: float
) -> None:
    values = sine(100.0, 0.5)
    samples = samples_of(Playback(uff_of(tmp_path / "a.uff", values, changed)), 16.0)
    np.testing.assert_allclose(samples.snippets[0, :, 0], factor * values, atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"ordinate_axis_units_lab": "furlong"}, "does not tell the unit"),
        ({"func_type": 4}, "no acceleration over time"),
        ({"ordinate_spec_data_type": 11}, "no acceleration over time"),
    ],
)
def test_uff_that_is_no_acceleration_is_refused(
    tmp_path: Path, changed: dict[str, object], sentence: str
) -> None:
    path = uff_of(tmp_path / "a.uff", sine(100.0, 0.5), changed)
    with pytest.raises(RecordingError, match=sentence):
        samples_of(Playback(path), 16.0)


def test_a_damaged_uff_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.uff").write_text("    -1\n    58\nnonsense\n")
    with pytest.raises(RecordingError, match=r"a\.uff is not a readable UFF file; export it again"):
        samples_of(Playback(tmp_path / "a.uff"), 16.0)


def test_the_tacho_shows_the_recorded_shaft_while_the_motor_turns(tmp_path: Path) -> None:
    path = csv_of(tmp_path / "a.csv", sine(100.0, 1.0))
    replay = Replay(Playback(path, rpm=1797.0, turns_tacho=True), RATE)
    plant = Plant(MachineParameters(), QUIET, 1, replay=replay)
    for _ in range(100):
        assert not len(plant.step(Drive(0.0, False), 0.005, np.empty(0)).tacho_edge_s)
    readings = [plant.step(Drive(0.6, True), 0.005, np.empty(0)) for _ in range(1200)]
    edges = np.concatenate([0.005 * n + one.tacho_edge_s for n, one in enumerate(readings)])
    assert 60.0 / np.diff(edges) == pytest.approx(1797.0, rel=1e-6)
    assert readings[-1].speed_rpm != pytest.approx(1797.0, rel=0.01)


def test_a_tacho_needs_a_speed_to_show(tmp_path: Path) -> None:
    path = csv_of(tmp_path / "a.csv", sine(100.0, 1.0))
    with pytest.raises(BenchError, match=r"a.csv does not tell the speed .* pass it with --rpm"):
        samples_of(Playback(path, turns_tacho=True), 16.0)
