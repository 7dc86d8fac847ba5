"""Which recording is played into a sensor, and what its file does not tell."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wrench.analysis.files import Samples, find_recording, read_samples
from wrench.analysis.load import load
from wrench.analysis.measurement import longest_run
from wrench.errors import BenchError, RecordingError

_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Playback:
    """A recording to feel instead of the machine's own vibration.

    `fs` in Hz and `rpm` are of the recording, where its file does not tell them; `unit` is one of
    `wrench.units.UNITS_G`, None for what the file tells, or g; `full_scale_g` is what full scale of
    an integer WAV stands for, None for the sensor's range. `axis` is the one column to play, by the
    name that it has in order: x, y, z. Where `turns_tacho`, the tacho gives the pulses of the
    recorded shaft as long as the motor turns.
    """

    path: str | os.PathLike[str]
    fs: float | None = None
    rpm: float | None = None
    unit: str | None = None
    full_scale_g: float | None = None
    axis: str | None = None
    turns_tacho: bool = False


def samples_of(playback: Playback, range_g: float) -> Samples:
    """What is played, in g; `range_g` is the sensor's.

    Of a recording of Wrench it is the longest stretch without a gap, each axis without its mean:
    the machine that it is played to has its own gravity.

    Raises RecordingError where the file is missing or none, and BenchError where it lacks the axis
    or the speed that are asked for.
    """
    path = find_recording(playback.path)
    if path.suffix.lower() == ".mcap":
        samples = _of_wrench(playback)
    else:
        samples = read_samples(
            path,
            fs=playback.fs,
            full_scale_g=range_g if playback.full_scale_g is None else playback.full_scale_g,
            unit=playback.unit,
        )
    if playback.rpm is not None:
        samples = replace(samples, rpm=playback.rpm)
    if playback.turns_tacho and not samples.rpm:
        raise BenchError(
            f"{path.name} does not tell the speed of its shaft, which the tacho is to show; "
            "pass it with --rpm"
        )
    return samples if playback.axis is None else _one_axis(samples, playback.axis, path.name)


def _of_wrench(playback: Playback) -> Samples:
    measurement = load(Path(playback.path))
    waveform = measurement.waveform
    if waveform is None:
        raise RecordingError(
            f"{measurement.source} has no waveform to play; make one with `wrench capture`"
        )
    stretch = longest_run(waveform.pieces(0.0, measurement.duration_s), waveform.rate_hz)
    if not stretch:
        raise RecordingError(f"{measurement.source} has no samples to play; choose another one")
    values = np.concatenate([piece.acceleration_g for piece in stretch])
    if not np.all(np.isfinite(values)):
        raise RecordingError(
            f"{measurement.source} holds values that are not numbers; choose another recording"
        )
    start_s, end_s = stretch[0].start_s, stretch[-1].end_s
    notes = ["Gravity is taken out of the recording: the machine has its own."]
    if end_s - start_s < 0.99 * measurement.duration_s:
        notes.append(
            f"The longest stretch without a gap is played: {start_s:.1f} s to {end_s:.1f} s."
        )
    speed = measurement.speed_rpm
    known = speed.within(start_s, end_s).value if speed is not None else np.empty(0)
    turning = known[np.isfinite(known) & (known > 0.0)]
    samples = (values - values.mean(axis=0)).astype(np.float32)[np.newaxis]
    rpm = float(np.median(turning)) if len(turning) else None
    return Samples(samples, waveform.rate_hz, rpm, notes, in_g=True)


def _one_axis(samples: Samples, axis: str, name: str) -> Samples:
    there = _AXES[: samples.snippets.shape[2]]
    if axis not in there:
        raise BenchError(f"{name} has no axis {axis}; choose one of {', '.join(there)}")
    place = there.index(axis)
    return replace(samples, snippets=samples.snippets[:, :, place : place + 1])
