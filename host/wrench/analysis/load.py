"""Opens a file of measurements, whatever wrote it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wrench.analysis.files import SUFFIXES, find_recording, read_samples
from wrench.analysis.measurement import Measurement, SampledWaveform, Series
from wrench.analysis.recorded import measurement_from_recording
from wrench.boards.schema import Bearing, Board
from wrench.errors import RecordingError, ReportError
from wrench.recording import Recording

KINDS = (".mcap", *SUFFIXES)
"""Of the files that can be opened here."""
_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Told:
    """What a person tells about a measurement because its file does not, or tells it wrongly.

    `fs`, in Hz, is for files without a rate; `rpm` is the constant speed of the shaft; `bearing`
    goes before that of `board`; `unit`, one of `wrench.units.UNITS_G`, is for files without one.
    """

    fs: float | None = None
    rpm: float | None = None
    board: Board | None = None
    bearing: Bearing | None = None
    unit: str | None = None


def load(path: str | Path, told: Told | None = None) -> Measurement:
    """The measurement in a file: of Wrench (.mcap), or of others, see `wrench.analysis.files`.

    Raises RecordingError where the file is missing, damaged beyond reading, or none.
    """
    told = told or Told()
    found = find_recording(path)
    if found.suffix.lower() not in KINDS:
        raise RecordingError(
            f"{found.name} is not a kind of recording known here; give one of {', '.join(KINDS)}"
        )
    if found.suffix.lower() == ".mcap":
        measurement = measurement_from_recording(Recording(found))
    else:
        measurement = _load_samples(found, told)
    board = told.board or measurement.board
    bearing = told.bearing or (board.bearing if board else None) or measurement.bearing
    measurement = replace(measurement, board=board, bearing=bearing)
    if told.rpm is None:
        return measurement
    speed = constant_speed(told.rpm, measurement.duration_s)
    return replace(measurement, speed_rpm=speed, speed_from="constant, as told by --rpm")


def constant_speed(rpm: float, duration_s: float) -> Series:
    """One speed for a whole measurement."""
    times_s = np.append(np.arange(0.0, duration_s, 1.0), duration_s)
    return Series(times_s, np.full(len(times_s), rpm))


def _load_samples(path: Path, told: Told) -> Measurement:
    samples = read_samples(path, fs=told.fs, unit=told.unit, allow_nan=True)
    starts_s = samples.starts_s
    snippets = len(samples.snippets)
    if starts_s is None and snippets > 1:
        raise ReportError(
            f"{path.name} does not tell when its {snippets} snippets were recorded; "
            "add file_index, one number for each"
        )
    axes = _AXES[: samples.snippets.shape[2]]
    waveform = SampledWaveform(samples.snippets, samples.rate_hz, axes, starts_s)
    speed = None
    if samples.rpm is not None:
        speed = constant_speed(samples.rpm, waveform.duration_s)
    return Measurement(
        source=path.name,
        duration_s=waveform.duration_s,
        waveform=waveform,
        speed_rpm=speed,
        speed_from="constant, as the file tells it",
        notes=tuple(samples.notes),
        in_snippets=snippets > 1,
        missing=("No wall time.",),
    )
