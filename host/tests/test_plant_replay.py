"""Recordings: resampled without alias, joined without clicks, refused with a sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import signal
from scipy.io import wavfile
from test_plant_harness import QUIET, envelope_spectrum, line, run

from wrench.bench.plant import (
    ADXL345_SITE,
    BEARING_6205,
    MachineParameters,
    Plant,
    Playback,
    Replay,
)
from wrench.errors import BenchError, RecordingError, WrenchError

RATE = 3200.0
CWRU_OUTER = "12k_Drive_End_OR007@6_0_130.npz"
FEMTO_FULL = "Bearing1_1_H_full.npz"


def replayed(
    path: str | Path,
    sensor_rate_hz: float,
    range_g: float = 16.0,
    seed: int = 0,
    *,
    span: tuple[float, float] = (0.0, 1.0),
    seconds: float | None = None,
    **told: Any,
) -> Replay:
    """A file played to a sensor; `told` is what it does not tell."""
    playback = Playback(path, **told)
    return Replay(playback, sensor_rate_hz, range_g, seed, span=span, seconds=seconds)


def tone(frequency_hz: float, fs: float, seconds: float, peak: float = 1.0) -> npt.NDArray:
    return peak * np.sin(2.0 * np.pi * frequency_hz * np.arange(round(fs * seconds)) / fs)


def cwru_like(path: Path, data: npt.NDArray, fs: float = 12000.0, rpm: float = 1796.0) -> Path:
    np.savez(path, DE=data.astype(np.float32), fs=fs, rpm=rpm)
    return path


def femto_like(path: Path, snippets: npt.NDArray, scale_g: float = 0.002) -> Path:
    raw = np.rint(snippets / scale_g).astype(np.int16)
    np.savez(path, acc_h=raw, scale_g=scale_g, fs=25600, n_files=len(raw))
    return path


def height(played: npt.NDArray) -> npt.NDArray:
    """Peak per axis, away from the joins: two halves of one tone may add up in a fade."""
    return np.percentile(np.abs(played), 98.0, axis=0)


# -- resampling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [0.0, 0.0137, -0.0291])
def test_a_tone_keeps_its_pitch_and_height(tmp_path: Path, error: float) -> None:
    rate = RATE * (1.0 + error)
    replay = replayed(cwru_like(tmp_path / "a.npz", tone(440.0, 12000.0, 4.0)), rate)
    played = replay.take(6000)[:, 0]
    phase = np.unwrap(np.angle(np.asarray(signal.hilbert(played))))
    found = float(np.median(np.diff(phase))) * rate / (2.0 * np.pi)
    assert found == pytest.approx(440.0, abs=0.02)
    assert height(played) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("frequency_hz", [1700.0, 2500.0, 2760.0, 4000.0])
def test_what_lies_above_half_the_sensors_rate_is_gone(tmp_path: Path, frequency_hz: float) -> None:
    replay = replayed(cwru_like(tmp_path / "a.npz", tone(frequency_hz, 12000.0, 3.0)), RATE)
    inside = replay._loop[200:-200, 0]  # the ends of a tone that starts at once are no tone
    assert np.max(np.abs(inside)) < 1e-3


def test_a_slower_recording_is_said_to_end_early(tmp_path: Path) -> None:
    replay = replayed(cwru_like(tmp_path / "a.npz", tone(440.0, 12000.0, 2.0)), 26667.0)
    assert any("nothing above 6000 Hz" in note for note in replay.notes)
    assert height(replay.take(20000))[0] == pytest.approx(1.0, abs=0.01)


def test_it_loops_with_the_period_it_tells(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.3, 24000)
    replay = replayed(cwru_like(tmp_path / "a.npz", noise), RATE, seed=3)
    count = round(replay.duration_s * RATE)
    first, second = replay.take(count), replay.take(count)
    assert np.array_equal(first, second)
    assert replay.duration_s == pytest.approx(2.0, abs=0.02)
    assert replay.rpm == 1796.0
    assert np.all(first[:, 1:] == 0.0)


def test_the_seed_says_where_a_continuous_recording_starts(tmp_path: Path) -> None:
    path = cwru_like(tmp_path / "a.npz", np.random.default_rng(1).normal(0.0, 0.3, 24000))
    first, same, other = (replayed(path, RATE, seed=s).take(500) for s in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_chunks_join_seamlessly(tmp_path: Path) -> None:
    path = cwru_like(tmp_path / "a.npz", np.random.default_rng(1).normal(0.0, 0.3, 24000))
    whole = replayed(path, RATE).take(8000)
    cut = replayed(path, RATE)
    assert np.array_equal(np.concatenate([cut.take(n) for n in (1, 15, 4000, 3984)]), whole)


# -- snippets ------------------------------------------------------------------------------------


def test_snippets_join_without_a_click_ten_times_a_second(tmp_path: Path) -> None:
    # The same tone in every snippet, each at a phase of its own and on an offset of its own.
    generator = np.random.default_rng(2)
    time = np.arange(2560) / 25600.0
    phases = generator.uniform(0.0, 2.0 * np.pi, 40)
    offsets = generator.normal(0.0, 1.0, 40)
    snippets = np.sin(2.0 * np.pi * 60.0 * time + phases[:, np.newaxis]) + offsets[:, np.newaxis]
    replay = replayed(femto_like(tmp_path / "f.npz", snippets), RATE)
    played = replay.take(round(replay.duration_s * RATE))[:, 0]
    plain = snippets[:, ::8].reshape(-1)
    jump, plain_jump = (np.max(np.abs(np.diff(x, 2))) for x in (played, plain))
    assert plain_jump > 2.0
    assert jump < 0.1 * plain_jump


def test_the_fade_keeps_the_power(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).normal(0.0, 1.0, (400, 2560))
    replay = replayed(femto_like(tmp_path / "f.npz", noise), RATE)
    length = 320 - round(8e-3 * RATE)
    played = replay.take(400 * length)[:, 0].reshape(400, length)
    power = np.mean(played**2, axis=0)
    joint, middle = power[: round(8e-3 * RATE)].mean(), power[100:200].mean()
    assert joint == pytest.approx(middle, rel=0.1)
    slow = np.fft.rfft(played.reshape(-1) ** 2 - np.mean(played**2))
    hertz = np.fft.rfftfreq(played.size, 1.0 / RATE)
    repeat = RATE / length
    ours = np.abs(slow[np.argmin(np.abs(hertz - repeat))])
    assert ours < 6.0 * np.median(np.abs(slow[(hertz > 5.0) & (hertz < 40.0)]))


def test_a_run_to_failure_is_compressed_by_choosing_snippets(tmp_path: Path) -> None:
    level = np.linspace(0.1, 4.0, 200)[:, np.newaxis]
    snippets = level * np.random.default_rng(4).choice([-1.0, 1.0], (200, 2560))
    path = femto_like(tmp_path / "f.npz", snippets)
    replay = replayed(path, RATE, seconds=3.0)
    assert replay.duration_s == pytest.approx(3.0, abs=0.1)
    assert any("33 of 200 snippets" in note for note in replay.notes)
    loud = replay.take(round(replay.duration_s * RATE))[:, 0]
    thirds = [part.std() for part in np.array_split(loud, 3)]
    assert thirds[0] < 0.6 * thirds[1] < 0.6 * thirds[2]
    late = replayed(path, RATE, seconds=3.0, span=(0.8, 1.0))
    assert late.take(300)[:, 0].std() > 4.0 * loud[:300].std()


def test_seconds_cut_a_continuous_recording(tmp_path: Path) -> None:
    path = cwru_like(tmp_path / "a.npz", tone(50.0, 12000.0, 10.0))
    assert replayed(path, RATE, seconds=2.0).duration_s == pytest.approx(2.0, abs=0.01)
    assert replayed(path, RATE, span=(0.5, 1.0)).duration_s == pytest.approx(5.0, abs=0.02)


def test_clipping_is_counted_and_said(tmp_path: Path) -> None:
    path = cwru_like(tmp_path / "a.npz", tone(97.3, 12000.0, 5.0, peak=20.0))
    replay = replayed(path, RATE, 16.0)
    # A sine of 20 g is above 16 g for 1 − 2/π·asin(0.8) of the time.
    assert replay.clipped_fraction == pytest.approx(0.41, abs=0.01)
    share = f"{100 * replay.clipped_fraction:.1f} %"
    assert any(f"{share} of samples exceed ±16 g and are clipped." in n for n in replay.notes)
    assert np.max(np.abs(replay.take(16000))) == 16.0
    calm = replayed(cwru_like(tmp_path / "b.npz", tone(100.0, 12000.0, 5.0)), RATE)
    assert not any("clipped" in note for note in calm.notes)


# -- formats -------------------------------------------------------------------------------------


def test_integer_wav_is_scaled_to_the_range_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    wavfile.write(path, 12000, (tone(100.0, 12000.0, 2.0) * 16384).astype(np.int16))
    replay = replayed(path, RATE, 16.0)
    assert height(replay.take(6000))[0] == pytest.approx(8.0, rel=0.01)
    assert any("Full scale of the WAV is taken as 16 g." in note for note in replay.notes)
    smaller = replayed(path, RATE, 16.0, full_scale_g=2.0)
    assert height(smaller.take(6000))[0] == pytest.approx(1.0, rel=0.01)


def test_float_wav_is_in_g_and_may_have_three_axes(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    columns = np.column_stack([tone(50.0, 8000.0, 2.0, peak) for peak in (1.0, 2.0, 3.0)])
    wavfile.write(path, 8000, columns.astype(np.float32))
    assert height(replayed(path, RATE).take(6000)) == pytest.approx([1, 2, 3], rel=0.01)


@pytest.mark.parametrize(
    ("header", "mark"), [("", ","), ("x_g,y_g\n", ","), ("x;y\n", ";"), ("x\ty\n", "\t")]
)
def test_csv_with_and_without_header(tmp_path: Path, header: str, mark: str) -> None:
    wave = tone(50.0, 6400.0, 1.0)
    path = tmp_path / "a.csv"
    path.write_text(header + "\n".join(f"{v:.5f}{mark}{2 * v:.5f}" for v in wave))
    played = replayed(path, RATE, fs=6400.0).take(3000)
    assert height(played) == pytest.approx([1.0, 2.0, 0.0], rel=0.01)


def test_one_column_of_numbers_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n".join(f"{v:.5f}" for v in tone(50.0, 3200.0, 1.0)))
    assert height(replayed(path, RATE, fs=3200.0).take(3000))[0] == pytest.approx(1.0, rel=0.01)


def nan_wave() -> npt.NDArray:
    wave = tone(50.0, 12000.0, 1.0)
    wave[77] = np.nan
    return wave


def make_bad(kind: str, folder: Path) -> Path:
    """A file that is wrong in one way."""
    wave = tone(50.0, 12000.0, 1.0).astype(np.float32)
    texts = {
        "empty.csv": "",
        "header-only.csv": "x,y\n",
        "ragged.csv": "1,2\n3\n",
        "words.csv": "x\n1.0\nhello\n",
        "nan.csv": "x\n1.0\nnan\n2.0\n",
        "garbage.npz": "this is no archive",
        "garbage.wav": "RIFF and then nothing",
        "notes.pdf": "%PDF",
    }
    path = folder / kind
    if kind in texts:
        path.write_text(texts[kind])
        return path
    contents = {
        "no-fs.npz": {"DE": wave},
        "no-data.npz": {"fs": 12000, "rpm": 1800},
        "no-scale.npz": {"acc_h": np.zeros((2, 2560), np.int16), "fs": 25600},
        "nan.npz": {"DE": nan_wave(), "fs": 12000},
        "empty.npz": {"DE": wave[:0], "fs": 12000},
        "short.npz": {"DE": wave[:50], "fs": 12000},
        "zero-fs.npz": {"DE": wave, "fs": 0},
        "text.npz": {"DE": np.array(["a", "b"]), "fs": 12000},
        "many-fs.npz": {"DE": wave, "fs": np.array([1, 2])},
        "objects.npz": {"DE": np.array([None, {}], dtype=object), "fs": 12000},
    }
    np.savez(path, **contents[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "fs", "says"),
    [
        ("empty.csv", 3200.0, "is empty"),
        ("header-only.csv", 3200.0, "holds no samples"),
        ("ragged.csv", 3200.0, "equal columns"),
        ("words.csv", 3200.0, "not a table of numbers"),
        ("nan.csv", 3200.0, "not numbers"),
        ("words.csv", None, "pass it as fs"),
        ("nan.csv", -1.0, "not numbers|sampling rate"),
        ("garbage.npz", None, "fetch it again"),
        ("garbage.wav", None, "export it as PCM"),
        ("notes.pdf", None, "convert it"),
        ("no-fs.npz", None, "pass it as fs"),
        ("no-data.npz", None, "neither DE nor acc_h"),
        ("no-scale.npz", None, "neither DE nor acc_h"),
        ("nan.npz", None, "not numbers"),
        ("empty.npz", None, "holds no samples"),
        ("short.npz", None, "less than 20 ms"),
        ("zero-fs.npz", None, "sampling rate of 0"),
        ("text.npz", None, "does not hold numbers"),
        ("many-fs.npz", None, "fs must be one number"),
        ("objects.npz", None, "fetch it again"),
    ],
)
def test_a_bad_file_is_refused_with_one_sentence(
    tmp_path: Path, kind: str, fs: float | None, says: str
) -> None:
    path = make_bad(kind, tmp_path)
    with pytest.raises(WrenchError, match=says) as caught:
        replayed(path, RATE, fs=fs)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert ";" in sentence, "what is wrong; what to do"


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = cwru_like(tmp_path / "a.npz", np.random.default_rng(1).normal(0.0, 1.0, 24000))
    content = bytearray(path.read_bytes())
    content[200:260] = b"\xff" * 60
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="fetch it again"):
        replayed(path, RATE)


@pytest.mark.parametrize("options", [{"span": (0.5, 0.5)}, {"span": (-1.0, 2.0)}, {"seconds": 0.0}])
def test_an_impossible_choice_is_refused(tmp_path: Path, options: dict) -> None:
    path = cwru_like(tmp_path / "a.npz", tone(50.0, 12000.0, 1.0))
    with pytest.raises(BenchError, match="; give"):
        replayed(path, RATE, **options)


def test_a_bare_name_is_looked_up_in_wrench_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    deep = tmp_path / "data" / "cwru" / "drive-end"
    for folder in (elsewhere, deep):
        folder.mkdir(parents=True)
    cwru_like(deep / "a@6.npz", tone(50.0, 12000.0, 1.0))
    monkeypatch.chdir(elsewhere)
    monkeypatch.delenv("WRENCH_DATA", raising=False)
    with pytest.raises(RecordingError, match="WRENCH_DATA"):
        replayed("a@6.npz", RATE)
    monkeypatch.setenv("WRENCH_DATA", str(tmp_path / "data"))
    assert replayed("a@6.npz", RATE).rpm == 1796.0
    with pytest.raises(RecordingError, match=r"no recording b\.npz here or in"):
        replayed("b.npz", RATE)
    with pytest.raises(RecordingError, match="check the path"):
        replayed("nowhere/a@6.npz", RATE)
    with pytest.raises(RecordingError, match="is a folder; name a recording"):
        replayed(deep, RATE)


# -- in the machine ------------------------------------------------------------------------------


def test_the_machine_runs_on_while_a_recording_plays(tmp_path: Path) -> None:
    path = cwru_like(tmp_path / "a.npz", tone(100.0, 12000.0, 2.0, peak=2.0))
    plant = Plant(MachineParameters(), QUIET, 1, replay=replayed(path, RATE))
    still = run(plant, 0.2, 0.0, enabled=False)
    assert height(still.acceleration_g)[0] == pytest.approx(2.0, rel=0.02)
    assert np.all(still.acceleration_g[:, 1] == 1.0), "gravity stays on y"
    turning = run(plant, 1.0, 0.7)
    assert turning.last.speed_rpm > 2000.0
    assert turning.last.motor_current_a > 1.0
    assert height(turning.acceleration_g)[0] == pytest.approx(2.0, rel=0.02)


def recording(name: str) -> str:
    """The name, if the recordings are at hand; else the test is skipped by name."""
    folder = os.environ.get("WRENCH_DATA")
    if not folder or not list(Path(folder).rglob(name)):
        pytest.skip(f"needs {name} in the folder named by WRENCH_DATA")
    return name


def test_a_real_outer_race_fault_keeps_its_line_at_3200_hz() -> None:
    replay = replayed(recording(CWRU_OUTER), RATE)
    assert replay.rpm is not None
    played = replay.take(round(8 * RATE))[:, 0]
    frequency, amplitude = envelope_spectrum(played, RATE, (500.0, 1500.0))
    expected = BEARING_6205.bpfo * replay.rpm / 60.0
    at, height = line(frequency, amplitude, expected, 3.0)
    assert at == pytest.approx(expected, rel=0.02)
    assert height > 5.0


def test_a_real_run_to_failure_fits_a_demo() -> None:
    replay = replayed(recording(FEMTO_FULL), RATE, seconds=20.0)
    assert replay.duration_s == pytest.approx(20.0, abs=0.2)
    loud = replay.take(round(20 * RATE))[:, 0]
    parts = [part.std() for part in np.array_split(loud, 10)]
    assert parts[-1] > 3.0 * parts[0]
    assert any("exceed ±16 g" in note for note in replay.notes)


def test_a_real_recording_drives_the_whole_sensor_path() -> None:
    plant = Plant(
        MachineParameters(), QUIET, 1, ADXL345_SITE, replayed(recording(CWRU_OUTER), RATE)
    )
    felt = run(plant, 1.0, 0.7).acceleration_g
    assert 0.05 < felt[:, 0].std() < 5.0
