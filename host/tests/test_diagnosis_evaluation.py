"""The judge is judged: truth from labels, totals, and the recordings of a real rig."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import worn_drill
from click.testing import CliRunner, Result
from struck_bearing import RATE_HZ, vibration

from wrench.bench.plant.bearing import DefectKind
from wrench.cli.analyse import analyse
from wrench.cli.evaluate import evaluate
from wrench.diagnosis import evaluation
from wrench.diagnosis.reliability import Claim, bins
from wrench.errors import ReportError

RPM = 2100.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings: a damaged outer race, a sound machine, a race that is labelled wrongly."""
    kinds: dict[str, DefectKind | None] = {"a": "outer", "b": None, "c": "inner"}
    for name, kind in kinds.items():
        values = vibration(kind, RPM, 6.0)[:, 0].astype(np.float32)
        np.savez(tmp_path / f"{name}.npz", DE=values, fs=RATE_HZ, rpm=RPM)
    rows = ("a.npz,outer,clear,608", "b.npz,healthy,,608", "c.npz,outer,no,608")
    (tmp_path / "labels.csv").write_text("\n".join(("file,truth,grade,bearing", *rows)))
    return tmp_path


def run(command: object, *arguments: str) -> Result:
    result = CliRunner().invoke(command, arguments)  # pyright: ignore[reportArgumentType]
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_verdicts_are_held_against_the_labels(folder: Path) -> None:
    told = json.loads(run(evaluate, str(folder), "--json").output)
    judged = {row["record"]: row for row in told["records"]}
    assert judged["a"]["verdict"] == "outer race"
    assert judged["a"]["right"]
    assert judged["a"]["rank"] == 1
    assert judged["b"]["verdict"] == "healthy"
    assert judged["b, quarter 1"]["truth"] == "healthy"
    assert judged["c"]["verdict"] == "inner race"
    assert judged["c"]["wrong"]
    assert judged["c"]["rank"] > 1
    assert told["totals"]["diagnosable: clear"] == "1 of 1 ranked first, 1 named right, 0 wrong"
    assert told["totals"]["diagnosable: no"] == "0 of 1 ranked first, 0 named right, 1 wrong"


@pytest.mark.parametrize("row", ["d.npz,outer", "a.npz,broken"])
def test_a_label_that_means_nothing_is_refused(folder: Path, row: str) -> None:
    (folder / "labels.csv").write_text(f"file,truth\n{row}\n")
    with pytest.raises(ReportError, match="line 2"):
        evaluation.labels(folder)


def test_a_folder_without_truth_says_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"add labels\.csv with the columns file, truth"):
        evaluation.labels(tmp_path)


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("130.mat", "outer"),
        ("12k_Drive_End_B007_0_118.npz", "ball"),
        ("IR021_2.mat", "inner"),
        ("OR007@6_1.mat", "outer"),
        ("normal_1.mat", "healthy"),
        ("3001.npz", "inner"),
    ],
)
def test_names_of_the_real_rig_s_records_tell_their_truth(
    tmp_path: Path, name: str, truth: str
) -> None:
    (tmp_path / name).touch()
    (tmp_path / "12k_Fan_End_B007_0_282.npz").touch()
    (tmp_path / "notes.csv").touch()
    (label,) = evaluation.labels(tmp_path)
    assert label.truth == truth
    if name.endswith(".mat"):
        assert label.rate_hz == (48000.0 if truth == "healthy" else 12000.0)


def test_a_reliability_diagram_counts() -> None:
    claims = [Claim(0.92, is_right=True)] * 9 + [Claim(0.92, is_right=False)]
    (only,) = bins(claims)
    assert only.count == 10
    assert only.accuracy == pytest.approx(0.9)
    assert only.low < 0.9 < only.high


def test_synthetic_machines_give_totals() -> None:
    told = json.loads(run(evaluate, "--synthetic", "12", "--seed", "4", "--json").output)
    assert len(told["records"]) == 12
    assert "false names where the bearing is sound" in told["totals"]


def test_the_evidence_is_drawn_and_told(folder: Path) -> None:
    picture = folder / "a.png"
    result = run(analyse, str(folder / "a.npz"), "--bearing", "608", "-o", str(picture))
    assert result.exit_code == 0
    assert result.output.startswith("outer race, 9")
    assert "The bearing's outer race is damaged." in result.output
    assert "zone " in result.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ReportError, match="is there already"):
        run(analyse, str(folder / "a.npz"), "--bearing", "608", "-o", str(picture))


def test_units_and_power_change_zone_and_standard(folder: Path) -> None:
    path = str(folder / "a.npz")
    as_g = json.loads(run(analyse, path, "--bearing", "608", "--json").output)
    as_m = json.loads(
        run(analyse, path, "--geometry", "7,3.969,15", "--unit", "m/s2", "--json").output
    )
    assert as_m["verdict"] == as_g["verdict"] == "outer race"
    assert as_m["velocity_mm_s"] == pytest.approx(as_g["velocity_mm_s"] / 9.80665)
    large = json.loads(
        run(analyse, path, "--power", "400", "--support", "flexible", "--json").output
    )
    assert large["standard"] == "ISO 20816-3:2022 group 1, flexible"


def test_a_recording_of_wrench_needs_nothing_told(tmp_path: Path) -> None:
    path = worn_drill.record(tmp_path / "worn.mcap")
    told = json.loads(run(analyse, str(path), "--json").output)
    assert told["verdict"] == "outer race"
    assert told["speed_rpm"] == pytest.approx(worn_drill.RPM, rel=0.01)
    assert told["parts"][0]["expected_order"] == pytest.approx(2.574, abs=1e-3)
    assert "a small fault rings above that" in " ".join(told["complaints"])


def test_a_recording_without_a_waveform_says_how_to_get_one(tmp_path: Path) -> None:
    path = worn_drill.record(tmp_path / "worn.mcap", waveform=False)
    with pytest.raises(ReportError, match="has no waveform to judge; record one"):
        run(analyse, str(path))


def test_the_records_of_a_real_rig() -> None:
    """Case Western Reserve University: a diagnosable fault is ranked first, none is named wrong,
    and the healthy machine is called so, whole and in quarters."""
    folder = os.environ.get("WRENCH_DATA")
    if folder is None or not (Path(folder) / "cwru").is_dir():
        pytest.skip("needs cwru/ in the folder named by WRENCH_DATA")
    judged = list(evaluation.judge_recordings(evaluation.labels(Path(folder) / "cwru")))
    diagnosable = [one for one in judged if one.grade in ("clear", "with effort")]
    assert len(diagnosable) == 10
    assert all(one.rank == 1 for one in diagnosable)
    assert sum(one.is_right for one in diagnosable) >= 9
    assert not any(one.is_wrong for one in judged)
    healthy = [one for one in judged if one.truth == "healthy"]
    assert [one.found.verdict for one in healthy] == ["healthy"] * 5
    hopeless = [one for one in judged if one.grade in ("no", "partly")]
    assert {one.found.verdict for one in hopeless} <= {"undetermined", "ball/cage"}
    decoys = sum(one.decoys for one in judged)
    assert sum(one.decoys_below for one in judged) / decoys <= evaluation.bound(decoys)
