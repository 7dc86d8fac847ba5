"""Exports, read back by the libraries that others read them with."""

from __future__ import annotations

import csv
import itertools
import json
import signal
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import pyuff
import soundfile
from board_stream import Stream
from test_recording_file import recorded

from wrench.errors import RecordingError
from wrench.recording import Recording, Waveform
from wrench.recording.export import Exported, Job, export

G_M_S2 = 9.80665


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording with two gaps."""
    path = tmp_path_factory.mktemp("run") / "run.mcap"
    recorded(path, Stream(3.0, dropped=frozenset({100, 101}), overflows={200: 300}))
    return path


def waveform_of(path: Path) -> Waveform:
    with Recording(path) as recording:
        return recording.waveform()


def exported(path: Path, output: Path, format_: str, **options: object) -> Exported:
    with Recording(path) as recording:
        return export(Job(recording, output, **options), format_)  # type: ignore[arg-type]


def test_uff58_has_a_record_for_each_axis_of_each_stretch(run: Path, tmp_path: Path) -> None:
    done = exported(run, tmp_path / "run.uff", "uff58")
    waveform = waveform_of(run)
    stretches = waveform.stretches()
    file = pyuff.UFF(str(tmp_path / "run.uff"))
    assert list(file.get_set_types()) == [164] + [58] * 3 * len(stretches)
    records = [it for it in file.read_sets() if it["type"] == 58]
    for n, record in enumerate(records):
        stretch, axis = stretches[n // 3], n % 3
        np.testing.assert_allclose(record["data"], stretch.acceleration_g[:, axis] * G_M_S2)
        assert record["abscissa_min"] == pytest.approx(stretch.time_s[0], rel=1e-4)
        assert 1 / record["abscissa_inc"] == pytest.approx(waveform.rate_hz, rel=1e-5)
        assert (record["func_type"], record["ordinate_spec_data_type"]) == (1, 12)
        assert (record["rsp_dir"], record["ordinate_axis_units_lab"]) == (axis + 1, "m/s^2")
    assert (done.rows, done.gaps) == (len(waveform), 2)


def test_wav_has_a_file_for_each_stretch_in_g(run: Path, tmp_path: Path) -> None:
    done = exported(run, tmp_path / "run.wav", "wav")
    waveform = waveform_of(run)
    assert [it.name for it in done.files] == ["run-1.wav", "run-2.wav", "run-3.wav"]
    for path, stretch in zip(done.files, waveform.stretches(), strict=True):
        with soundfile.SoundFile(path) as file:
            assert (file.samplerate, file.channels) == (round(waveform.rate_hz), 3)
            assert "1.0 is 1 g" in file.comment
            np.testing.assert_allclose(file.read(), stretch.acceleration_g, rtol=1e-6)


def test_wav_without_gaps_is_one_file(tmp_path: Path) -> None:
    recorded(tmp_path / "run.mcap", Stream(2.0))
    done = exported(tmp_path / "run.mcap", tmp_path / "out.wav", "wav")
    assert done.files == [tmp_path / "out.wav"]


def rows_with_gaps(waveform: Waveform) -> tuple[int, list[int]]:
    """How many rows there are with one for each gap, and which those are."""
    lengths = [len(it) for it in waveform.stretches()]
    marks = list(np.cumsum(lengths[:-1]) + np.arange(len(lengths) - 1))
    return len(waveform) + len(marks), [int(it) for it in marks]


def test_csv_has_a_row_without_values_in_each_gap(run: Path, tmp_path: Path) -> None:
    exported(run, tmp_path / "run.csv", "csv")
    waveform = waveform_of(run)
    with (tmp_path / "run.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["time_s", "x_g", "y_g", "z_g"]
    count, marks = rows_with_gaps(waveform)
    assert len(rows) == count
    assert [n for n, row in enumerate(rows) if row[1:] == ["", "", ""]] == marks
    values = np.array([[float(it) for it in row] for row in rows if row[1]])
    np.testing.assert_allclose(values[:, 0], waveform.time_s, atol=1e-9)
    np.testing.assert_allclose(values[:, 1:], waveform.acceleration_g, rtol=1e-6)
    assert all(float(a[0]) < float(b[0]) for a, b in itertools.pairwise(rows))


def test_parquet_says_its_units_rate_and_gaps(run: Path, tmp_path: Path) -> None:
    exported(run, tmp_path / "run.parquet", "parquet")
    waveform = waveform_of(run)
    table = pq.read_table(tmp_path / "run.parquet")
    count, marks = rows_with_gaps(waveform)
    x = table["x_g"].to_numpy()
    assert len(x) == count
    assert list(np.flatnonzero(np.isnan(x))) == marks
    np.testing.assert_allclose(x[~np.isnan(x)], waveform.acceleration_g[:, 0], rtol=1e-6)
    told = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert float(told["rate_hz"]) == pytest.approx(waveform.rate_hz)
    assert len(json.loads(told["gaps"])) == 2
    assert table.schema.field("x_g").metadata[b"unit"] == b"g"


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_tables_have_their_units_in_the_head(run: Path, tmp_path: Path, format_: str) -> None:
    output = tmp_path / f"status.{format_}"
    done = exported(run, output, format_, what="status", start_s=0.5, end_s=1.5)
    assert done.rows == 12
    if format_ == "csv":
        with output.open(newline="") as file:
            rows = list(csv.DictReader(file))
        heads = {"time_s", "current_ma", "crest_centi [1/100]", "mode", "mode_number", "flags_bits"}
        assert heads <= rows[0].keys()
        assert {row["supply_2_mv"] for row in rows} == {""}
        assert [row["mode"] for row in rows] == ["running"] * 12
    else:
        table = pq.read_table(output)
        assert table.schema.field("current_ma").metadata[b"unit"] == b"mA"
        assert table["mode"].to_pylist() == ["running"] * 12


@pytest.mark.parametrize("format_", ["uff58", "wav", "csv", "parquet"])
def test_a_part_is_exported_alone(run: Path, tmp_path: Path, format_: str) -> None:
    done = exported(run, tmp_path / "part", format_, start_s=0.2, end_s=0.7)
    assert done.rows == pytest.approx(0.5 * 3225.5, abs=2)
    assert done.gaps == 0


@pytest.mark.parametrize("format_", ["uff58", "wav", "csv", "parquet"])
def test_what_is_not_there_is_told(run: Path, tmp_path: Path, format_: str) -> None:
    with pytest.raises(RecordingError, match="no waveform in that time"):
        exported(run, tmp_path / "part", format_, start_s=50.0)


def test_an_export_that_fails_leaves_what_was_there(run: Path, tmp_path: Path) -> None:
    (tmp_path / "run.csv").write_text("dear to somebody")
    with pytest.raises(RecordingError, match="no waveform in that time"):
        exported(run, tmp_path / "run.csv", "csv", start_s=50.0, overwrite=True)
    assert (tmp_path / "run.csv").read_text() == "dear to somebody"
    assert [path.name for path in tmp_path.iterdir()] == ["run.csv"]


def test_files_are_not_overwritten_unasked(run: Path, tmp_path: Path) -> None:
    (tmp_path / "run.csv").write_text("dear to somebody")
    with pytest.raises(RecordingError, match="--force"):
        exported(run, tmp_path / "run.csv", "csv")
    (tmp_path / "run-2.wav").write_text("dear to somebody")
    with pytest.raises(RecordingError, match="--force"):
        exported(run, tmp_path / "run.wav", "wav")
    assert (tmp_path / "run-2.wav").read_text() == "dear to somebody"


def test_the_recording_is_never_overwritten(run: Path) -> None:
    before = run.read_bytes()
    with pytest.raises(RecordingError, match="the recording itself"):
        exported(run, run, "csv", overwrite=True)
    assert run.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process")
@pytest.mark.parametrize("format_", ["uff58", "wav", "csv", "parquet"])
def test_half_an_export_is_not_left_on_a_full_disk(run: Path, tmp_path: Path, format_: str) -> None:
    import resource  # noqa: PLC0415

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(RecordingError, match="cannot be written"):
            exported(run, tmp_path / "run", format_)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.iterdir())
