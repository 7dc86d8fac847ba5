"""`wrench report` and `wrench view` as they are typed, with what is wrong said in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import worn_drill
from click.testing import CliRunner, Result
from known_signals import RATE_HZ, of, ringing, sine, strikes
from matplotlib.figure import Figure

from wrench.analysis.analyse import analyse
from wrench.analysis.result import Choices
from wrench.cli import main, wrench
from wrench.errors import RecordingError, ReportError
from wrench.reporting import style
from wrench.reporting.viewer import Viewer


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WRENCH_DATA", raising=False)
    return tmp_path


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(wrench, arguments)


def saved(name: str, signal: np.ndarray, rpm: float = 0.0) -> str:
    """As others save theirs; an `rpm` of 0 is left out."""
    if rpm:
        np.savez(name, DE=signal.astype(np.float32), fs=RATE_HZ, rpm=rpm)
    else:
        np.savez(name, DE=signal.astype(np.float32), fs=RATE_HZ)
    return name


def test_a_report_of_somebody_else_s_recording(here: Path) -> None:
    turns = np.arange(int(6 * RATE_HZ)) / RATE_HZ * 30.0
    noise = 0.05 * np.random.default_rng(1).standard_normal(len(turns))
    blows = ringing(strikes(5.415, turns, 2), 1000.0, RATE_HZ, 0.002)
    name = saved("inner.npz", blows + noise, rpm=1800.0)
    result = typed("report", name, "--bearing", "9,7.94,39.04", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["report"] == "inner.html"
    assert sorted(path.name for path in here.iterdir()) == ["inner.html", "inner.npz"]
    assert told["bytes"] == Path("inner.html").stat().st_size
    assert told["stretch"]["speed_from"] == "constant, as the file tells it"
    readings = {one["mark"]: one for one in told["envelope"]["readings"]}
    assert readings["BPFI"]["order"] == pytest.approx(5.415, abs=1e-3)
    assert readings["BPFI"]["found_order"] == pytest.approx(5.415, rel=0.01)
    strongest = max(told["envelope"]["readings"], key=lambda one: one["amplitude_g"])
    assert strongest["mark"] == "BPFI"
    # Once made, it is not written over by chance.
    again = typed("report", name)
    assert isinstance(again.exception, ReportError)
    assert "--force" in str(again.exception)


def test_what_a_second_cannot_show_is_said(here: Path) -> None:
    name = saved("second.npz", sine(50.0, 0.3))
    told = json.loads(
        typed("report", name, "--rpm", "600", "--board", "pico-adxl345", "--json").stdout
    )
    missing = " ".join(told["missing"])
    assert "too short for velocity from 10 Hz" in missing
    assert "Not enough turns of the shaft in one piece for" in missing
    marks = {one["mark"] for one in told["envelope"]["readings"]}
    assert "FTF" not in marks
    assert "1x" not in marks
    assert told["velocity_band_hz"][0] > 10.0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: saved("one.npz", np.ones(1)), "no 16 samples follow each other"),
        (lambda: saved("dead.npz", np.full(6400, 0.25)), "stays at +0.250 g"),
        (lambda: saved("nan.npz", np.full(6400, np.nan)), "All samples of axis x are no numbers"),
    ],
    ids=["one sample", "dead sensor", "no numbers"],
)
@pytest.mark.parametrize("form", ["html", "png"])
def test_a_poor_recording_is_reported_for_what_it_is(here: Path, make, says: str, form) -> None:
    result = typed("report", make(), "--rpm", "1800", "-o", f"poor.{form}")
    assert result.exit_code == 0, result.output
    assert says in result.stdout
    assert (here / f"poor.{form}").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["good.npz", "-o", "nowhere/report.html"], "make it, or name another"),
        (["good.npz", "--from", "9"], "choose an earlier time"),
        (["good.npz", "--axis", "q"], "choose one of: x"),
        (["good.npz", "--band", "100-9000"], "choose a lower end"),
        (["missing.npz"], "give its full path"),
        (["."], "name a recording in it"),
        (["rateless.npz"], "pass it as fs (--fs)"),
        (["garbage.npz"], "fetch it again"),
        (["README.md"], "give one of .mcap, .npz, .mat, .wav, .csv, .txt"),
        (["garbage.mcap"], "give a file that `wrench record` has made"),
        (["empty.mcap"], "record again"),
        (["damaged.mcap"], "damaged.mcap was cut before anything was recorded"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing_behind(
    here: Path, arguments: list[str], says: str
) -> None:
    if arguments[0] == "damaged.mcap":
        data = bytearray(worn_drill.record(here / "worn.mcap", waveform=False).read_bytes())
        data[1000::500] = bytes(len(data[1000::500]))
        Path("damaged.mcap").write_bytes(data)
        Path("worn.mcap").unlink()
    saved("good.npz", sine(50.0, 2.0))
    np.savez("rateless.npz", DE=sine(50.0, 2.0))
    for name in ("garbage.npz", "garbage.mcap"):
        Path(name).write_bytes(b"none of the kinds" * 99)
    Path("empty.mcap").touch()
    Path("README.md").write_text("some text")
    before = {path.name for path in here.iterdir()}
    result = typed("report", *arguments)
    assert isinstance(result.exception, (ReportError, RecordingError)), result.exception
    assert says in str(result.exception)
    assert "\n" not in str(result.exception)
    assert {path.name for path in here.iterdir()} == before


@pytest.mark.parametrize(
    "wrong",
    [
        ["--rpm", "nan"],
        ["--fs", "inf"],
        ["--bearing", "9,50,30"],
        ["--band", "9-3"],
        ["-o", "report.docx"],
        ["--from", "2 s", "--to", "2 s"],
    ],
)
def test_values_that_cannot_be_are_refused(here: Path, wrong: list[str]) -> None:
    result = typed("report", saved("good.npz", sine(50.0, 1.0)), *wrong)
    assert result.exit_code == 2
    assert wrong[1] in result.output
    assert [path.name for path in here.iterdir()] == ["good.npz"]


def test_a_report_that_cannot_be_written_leaves_the_old_one(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("report.html").write_text("the old one")
    full = OSError(28, "No space left on device")

    def write_bytes(path: Path, data: bytes) -> int:
        path.touch()
        raise full

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    np.savetxt("good.csv", sine(50.0, 0.2))
    result = typed("report", "good.csv", "--fs", "3200", "-o", "report.html", "--force")
    assert isinstance(result.exception, ReportError)
    assert "No space left on device" in str(result.exception)
    assert Path("report.html").read_text() == "the old one"
    assert sorted(path.name for path in here.iterdir()) == ["good.csv", "report.html"]


# -- view ------------------------------------------------------------------------------------------


def test_without_a_display_view_says_what_to_do(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MPLBACKEND", "agg")  # and so it is where a display is always taken for one
    monkeypatch.setattr("sys.argv", ["wrench", "view", saved("good.npz", sine(50.0, 2.0))])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == ReportError.exit_code
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.endswith("`wrench report FILE -o report.html` needs none\n")


def test_the_window_follows_what_is_marked() -> None:
    """Two tones, one after the other; each is seen alone in its own half."""
    both = np.concatenate([sine(100.0, 4.0), sine(300.0, 4.0)])
    quiet = 0.1 * sine(50.0, 8.0)
    measurement = of(np.column_stack([both, quiet]))
    choices = Choices()
    with style.styled():
        viewer = Viewer(Figure(figsize=(12, 8.5)), analyse(measurement, choices), choices)
        viewer.draw()
        for begin_s, end_s, hz in ((0.5, 3.5, 100.0), (4.5, 7.5, 300.0)):
            viewer.choose(begin_s, end_s)
            found = viewer.now.spectra["x"]
            assert found.frequency[np.argmax(found.mean_square)] == pytest.approx(hz, abs=0.5)
            assert np.max(found.amplitude) == pytest.approx(0.5**0.5, rel=0.01)
        viewer.next_axis()
        assert viewer.now.axis == "y"
        assert viewer.now.stretch.start_s == 4.5
        viewer.choose(4.0, 7.0)  # of the axis that is looked at
        assert viewer.now.axis == "y"
        viewer.choose(1.0, 1.001)  # too little for anything: said, and no end of it
        assert any(
            "too short" in it.get_text() for sub in viewer.figure.subfigs for it in sub.texts
        )
        viewer.reset()
        assert viewer.now.stretch.end_s == 8.0
