"""A recording in the formats of others: UFF58, WAV, CSV, Parquet.

Where samples are missing nothing is made up. UFF58 gets a record and WAV a file for each stretch
between gaps; CSV and Parquet have the time in every row, and one row without values in each gap.
"""

from __future__ import annotations

import csv
import datetime as dt
import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wrench.errors import RecordingError
from wrench.recording import schema
from wrench.recording.reader import AXES, Recording, Table, Waveform
from wrench.units import STANDARD_GRAVITY

WHAT = ("waveform", "status", "features", "events")
_PIECE_S = 60.0
_ACCELERATION, _TIME = 12, 17  # what UFF's dataset 58 calls them
_NONE = 0
_LARGEST_WAV = 4_000_000_000
_UFF_EXPONENTS = [
    f"{axis}_{unit}_unit_exp"
    for axis in ("abscissa", "ordinate", "orddenom", "z_axis")
    for unit in ("len", "force", "temp")
]
_TIME_RESPONSE = 1
_REAL_DOUBLE = 4
_NAMED_UNITS = ("_g", "_mg", "_us", "_ms", "_s", "_mv", "_ma", "_mw", "_mdegc", "_rpm", "_permille")
_NUMBERED = ("_number", "_bits")  # theirs is a list of names
_LONGEST_UNIT = 24


@dataclass(frozen=True)
class Exported:
    """The files that were written, rows or samples in them, and gaps that they show."""

    files: list[Path]
    rows: int
    gaps: int


@dataclass(frozen=True)
class Job:
    """What to export: `what` is one of WHAT, times are in seconds from the recording's start, None
    for its beginning and end."""

    recording: Recording
    output: Path
    what: str = "waveform"
    start_s: float | None = None
    end_s: float | None = None
    overwrite: bool = False
    _begun: dict[Path, Path] = field(default_factory=dict, init=False, repr=False)

    def begin(self, path: Path) -> Path:
        """Where to write a file until it is whole; what is there under its name stays until then.
        Raises RecordingError where it is not to be overwritten, OSError where it cannot be written:
        not every library says why."""
        if path.exists() and path.samefile(self.recording.path):
            raise RecordingError(f"{path} is the recording itself; give another name with -o")
        if path.exists() and not self.overwrite:
            raise RecordingError(f"{path} is there already; give another name with -o, or --force")
        staged = path.with_name(f".{path.stem}.partial{path.suffix}")
        with staged.open("wb"):
            self._begun[staged] = path
        return staged

    def keep(self) -> None:
        """What has been written is whole."""
        for staged, path in self._begun.items():
            staged.replace(path)
        self._begun.clear()

    def discard(self) -> None:
        """Remove what has been written: half an export looks like a whole one."""
        for staged in self._begun:
            staged.unlink(missing_ok=True)
        self._begun.clear()

    def pieces(self) -> Iterator[Waveform]:
        """The waveform. Raises RecordingError where there is none."""
        found = False
        for piece in self.recording.pieces(self.start_s, self.end_s, _PIECE_S):
            found = True
            yield piece
        if not found:
            raise RecordingError(
                f"{self.recording.path} has no waveform in that time; see `wrench info`, or export "
                "its features with --what features"
            )

    def table(self) -> Table:
        """The messages. Raises RecordingError where there are none."""
        topic = {"events": "/event"}.get(self.what, f"/{self.what}")
        whole = self.recording.table(topic)
        begin, stop = np.searchsorted(
            whole.time_s,
            [
                -np.inf if self.start_s is None else self.start_s,
                np.inf if self.end_s is None else self.end_s,
            ],
        )
        if begin == stop:
            raise RecordingError(
                f"{self.recording.path} has no {self.what} in that time; see `wrench info`"
            )
        columns = {name: column[begin:stop] for name, column in whole.columns.items()}
        return Table(whole.time_s[begin:stop], columns, whole.units)

    def description(self) -> str:
        """Where it comes from, in a line."""
        greeting, started = self.recording.greeting, self.recording.started
        when = "" if started is None else f" {started.isoformat(timespec='seconds')}"
        return f"{greeting['board_name']} {greeting['unique_id']}{when}"


def export(job: Job, format_: str) -> Exported:
    """Write a recording in one of FORMATS. Raises RecordingError."""
    if job.what != "waveform" and format_ not in TABLES:
        raise RecordingError(f"{format_} holds a waveform; export {job.what} to csv or parquet")
    try:
        done = FORMATS[format_](job)
        job.keep()
    except OSError as error:
        job.discard()
        raise RecordingError(
            f"{job.output} cannot be written ({error.strerror or error}); make room, or give "
            "another name with -o"
        ) from error
    except BaseException:
        job.discard()
        raise
    return done


def _csv(job: Job) -> Exported:
    rows = gaps = 0
    with job.begin(job.output).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if job.what != "waveform":
            table = job.table()
            names = list(table.columns)
            writer.writerow(["time_s", *(_titled(name, table.units) for name in names)])
            columns = [table.columns[name] for name in names]
            for row in zip(table.time_s, *columns, strict=True):
                writer.writerow([f"{row[0]:.6f}", *map(_cell, row[1:])])
            return Exported([job.output], len(table), 0)
        writer.writerow(["time_s", *(f"{axis}_g" for axis in AXES)])
        for piece in job.pieces():
            gaps += len(piece.gaps)
            rows += len(piece)
            for gap_s, stretch in _with_gaps(piece):
                if gap_s is not None:
                    writer.writerow([f"{gap_s:.9f}", "", "", ""])
                table_ = np.column_stack([stretch.time_s, stretch.acceleration_g])
                np.savetxt(file, table_, ["%.9f", "%.7g", "%.7g", "%.7g"], ",", "\r\n")
    return Exported([job.output], rows, gaps)


def _parquet(job: Job) -> Exported:
    pa = _library("pyarrow")
    pq = _library("pyarrow.parquet")
    if job.what != "waveform":
        table = job.table()
        columns = {"time_s": table.time_s, **table.columns}
        fields = [
            pa.field(name, pa.array(values).type, metadata=_unit(table.units.get(name, "")))
            for name, values in columns.items()
        ]
        told = pa.schema(fields, metadata=_told(job))
        pq.write_table(pa.table(columns, schema=told), job.begin(job.output))
        return Exported([job.output], len(table), 0)
    names = [f"{axis}_g" for axis in AXES]
    told = pa.schema(
        [
            pa.field("time_s", pa.float64(), metadata=_unit("s")),
            *(pa.field(name, pa.float32(), metadata=_unit("g")) for name in names),
        ],
        metadata=_told(job),
    )
    rows = gaps = 0
    with pq.ParquetWriter(job.begin(job.output), told) as writer:
        for piece in job.pieces():
            gaps += len(piece.gaps)
            rows += len(piece)
            times, values = _marked(piece)
            columns = {"time_s": times}
            columns |= {name: values[:, n].astype(np.float32) for n, name in enumerate(names)}
            writer.write_table(pa.table(columns, schema=told))
    return Exported([job.output], rows, gaps)


def _wav(job: Job) -> Exported:
    soundfile = _library("soundfile")
    rate = _rate(job)
    begin_s = 0.0 if job.start_s is None else job.start_s
    stop_s = job.recording.duration_s if job.end_s is None else job.end_s
    gaps = [gap for gap in job.recording.gaps() if gap.end_s > begin_s and gap.start_s < stop_s]
    files: list[Path] = []
    rows = shown = 0
    file: Any = None
    try:
        for piece in job.pieces():
            shown += len(piece.gaps)
            for gap_s, stretch in _with_gaps(piece):
                if gap_s is not None or file is None:
                    if file is not None:
                        file.close()
                    path = _numbered(job.output, len(files) + 1) if gaps else job.output
                    file = _sound(soundfile, job, path, rate)
                    files.append(path)
                file.write(stretch.acceleration_g.astype(np.float32))
                rows += len(stretch)
    except soundfile.SoundFileError as error:
        # It says "System error." of all that the system refuses.
        raise OSError(f"{error} The disk may be full".strip()) from error
    finally:
        if file is not None:
            file.close()
    return Exported(files, rows, shown)


def _sound(soundfile: Any, job: Job, path: Path, rate: float) -> Any:
    samples = job.recording.topics.get(schema.WAVEFORM_TOPIC, 0)
    form = "WAV" if samples * len(AXES) * 4 < _LARGEST_WAV else "RF64"
    file = soundfile.SoundFile(job.begin(path), "w", round(rate), len(AXES), "FLOAT", format=form)
    file.title = job.description()
    file.comment = f"1.0 is 1 g (9.80665 m/s2); channels x, y, z; rate {rate:.6f} Hz"
    return file


def _uff58(job: Job) -> Exported:
    pyuff = _library("pyuff")
    rate = _rate(job)
    whole = job.recording.waveform(job.start_s, job.end_s)
    if not len(whole):
        list(job.pieces())
    sets = [_uff_units(pyuff)]
    for number, stretch in enumerate(whole.stretches(), 1):
        sets += [
            _uff_record(pyuff, job, stretch, rate, number=number, axis=axis)
            for axis in range(len(AXES))
        ]
    file = pyuff.UFF(str(job.begin(job.output)))
    try:
        file.write_sets(sets, "overwrite")
    except Exception as error:  # whatever goes wrong, it raises this with a text of its own
        raise OSError(f"{error}. The disk may be full") from error
    return Exported([job.output], len(whole), len(whole.gaps))


def _uff_units(pyuff: Any) -> dict[str, Any]:
    return pyuff.prepare_164(
        units_code=1,
        units_description="SI",
        temp_mode=1,
        length=1.0,
        force=1.0,
        temp=1.0,
        temp_offset=0.0,
    )


def _uff_record(
    pyuff: Any, job: Job, stretch: Waveform, rate: float, *, number: int, axis: int
) -> dict[str, Any]:
    times = stretch.time_s[0] + np.arange(len(stretch)) / rate
    return pyuff.prepare_58(
        binary=1,
        id1=f"vibration, axis {AXES[axis]}, stretch {number}",
        id2=job.description()[:80],
        id3=(job.recording.started or dt.datetime.fromtimestamp(0, dt.UTC)).strftime(
            "%d-%b-%y %H:%M:%S"
        ),
        id4=f"measured rate {rate:.6f} Hz",
        id5="abscissa: device time from the recording's start",
        func_type=_TIME_RESPONSE,
        load_case_id=number,
        rsp_ent_name="WRENCH",
        rsp_node=1,
        rsp_dir=axis + 1,
        ref_ent_name="NONE",
        ref_node=0,
        ref_dir=0,
        ord_data_type=_REAL_DOUBLE,
        num_pts=len(stretch),
        abscissa_spacing=1,
        abscissa_min=float(stretch.time_s[0]),
        abscissa_inc=1.0 / rate,
        abscissa_spec_data_type=_TIME,
        abscissa_axis_units_lab="s",
        ordinate_spec_data_type=_ACCELERATION,
        ordinate_axis_units_lab="m/s^2",
        orddenom_spec_data_type=_NONE,
        orddenom_axis_units_lab="NONE",
        z_axis_spec_data_type=_NONE,
        z_axis_axis_units_lab="NONE",
        **dict.fromkeys(_UFF_EXPONENTS, 0),
        data=stretch.acceleration_g[:, axis] * STANDARD_GRAVITY,
        x=times,
    )


FORMATS: dict[str, Callable[[Job], Exported]] = {
    "uff58": _uff58,
    "wav": _wav,
    "csv": _csv,
    "parquet": _parquet,
}
TABLES = ("csv", "parquet")
"""Formats for all but the waveform."""
ENDINGS = {"uff58": ".uff", "wav": ".wav", "csv": ".csv", "parquet": ".parquet"}


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RecordingError(
            f"{name.partition('.')[0]} is not installed; install it with "
            "`pip install 'wrench-bearing[export]'`"
        ) from error


def _rate(job: Job) -> float:
    rate, _ = job.recording.rate(job.start_s, job.end_s)
    return job.recording.greeting["sample_rate_hz"] if np.isnan(rate) else rate


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def _with_gaps(piece: Waveform) -> Iterator[tuple[float | None, Waveform]]:
    """The stretches of a piece, each with the time in the middle of the gap before it, if any."""
    middles = {gap.end_s: (gap.start_s + gap.end_s) / 2 for gap in piece.gaps}
    for stretch in piece.stretches():
        yield middles.get(float(stretch.time_s[0])), stretch


def _marked(piece: Waveform) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and values with a row of NaN in each gap."""
    times: list[Any] = []
    values: list[Any] = []
    for gap_s, stretch in _with_gaps(piece):
        if gap_s is not None:
            times.append([gap_s])
            values.append(np.full((1, len(AXES)), np.nan))
        times.append(stretch.time_s)
        values.append(stretch.acceleration_g)
    return np.concatenate(times), np.concatenate(values)


def _titled(name: str, units: dict[str, str]) -> str:
    """A column's title with its unit, where the name does not end with it and it is a short one."""
    unit = units.get(name, "").partition(",")[0]
    said = name.endswith((*_NAMED_UNITS, *_NUMBERED))
    return name if said or not unit or len(unit) > _LONGEST_UNIT else f"{name} [{unit}]"


def _cell(value: Any) -> Any:
    return "" if isinstance(value, float) and np.isnan(value) else value


def _unit(unit: str) -> dict[str, str] | None:
    return {"unit": unit} if unit else None


def _told(job: Job) -> dict[str, str]:
    rate, sd = job.recording.rate(job.start_s, job.end_s)
    return {
        "source": job.description(),
        "rate_hz": repr(rate),
        "rate_sd_hz": repr(sd),
        "gaps": json.dumps([asdict(gap) for gap in job.recording.gaps()]),
        "g_m_s2": repr(STANDARD_GRAVITY),
    }
