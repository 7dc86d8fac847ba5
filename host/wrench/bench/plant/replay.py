"""Plays a recording of a real bearing into the sensor.

Formats: `.npz` with `DE`, `fs` and optionally `rpm` (Case Western Reserve University, as converted
by many) or with `acc_h`, `scale_g`, `fs` and optionally `file_index` (FEMTO-ST PRONOSTIA: one
snippet per row); `.wav`; `.csv` or `.txt` with one to three columns in g.

A recording is played as it is: it is not scaled, and does not follow the speed of the shaft.
"""

from __future__ import annotations

import csv
import math
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import signal
from scipy.io import wavfile

from wrench.bench.plant.vibration import FloatArray
from wrench.errors import BenchError

_FADE_S = 8e-3
_MAX_AXES = 3
_SUFFIXES = (".npz", ".wav", ".csv", ".txt")


@dataclass(slots=True)
class Recording:
    """What a file holds: snippets (k, n, axes) in g at `rate_hz`.

    A continuous recording is one snippet.
    """

    snippets: npt.NDArray[np.float32]
    rate_hz: float
    rpm: float | None
    notes: list[str]


def find_recording(path: str | os.PathLike[str]) -> Path:
    """The file itself, or for a bare name one in the folder named by WRENCH_DATA, up to two
    levels down.

    Raises
    ------
    BenchError
        No such file.
    """
    given = Path(path).expanduser()
    if given.is_file():
        return given
    if given.is_dir():
        raise BenchError(f"{given} is a folder; name a recording in it ({', '.join(_SUFFIXES)})")
    folder = os.environ.get("WRENCH_DATA")
    if given.name == str(given):
        if folder is None:
            raise BenchError(
                f"there is no recording {given} here; give its full path, or name the folder "
                "that holds it in the environment variable WRENCH_DATA"
            )
        for pattern in ("", "*/", "*/*/"):
            for found in sorted(Path(folder).glob(pattern + _escape(given.name))):
                if found.is_file():
                    return found
        raise BenchError(
            f"there is no recording {given} here or in {folder}; "
            "give its full path, or set WRENCH_DATA to the folder that holds it"
        )
    raise BenchError(f"there is no recording {given}; check the path")


def load_recording(
    path: str | os.PathLike[str], *, fs: float | None = None, full_scale_g: float = 16.0
) -> Recording:
    """Read a recording.

    Parameters
    ----------
    path
        See `find_recording`.
    fs
        Sampling rate in Hz, for files that do not carry one.
    full_scale_g
        What full scale of an integer WAV stands for. Floating-point WAV is taken to be in g.

    Raises
    ------
    BenchError
        The file is missing or not a recording; the sentence ends in what to do.
    """
    found = find_recording(path)
    readers = {".npz": _read_npz, ".wav": _read_wav, ".csv": _read_csv, ".txt": _read_csv}
    reader = readers.get(found.suffix.lower())
    if reader is None:
        raise BenchError(
            f"{found.name} is not a kind of recording known here; convert it to one of "
            + ", ".join(_SUFFIXES)
        )
    recording = reader(found, fs, full_scale_g)
    if recording.snippets.size == 0:
        raise BenchError(f"{found.name} holds no samples; choose another recording")
    if not np.all(np.isfinite(recording.snippets)):
        raise BenchError(
            f"{found.name} holds values that are not numbers; cut them out or interpolate them"
        )
    if not (math.isfinite(recording.rate_hz) and recording.rate_hz > 0.0):
        raise BenchError(
            f"{found.name} gives a sampling rate of {recording.rate_hz}; pass the true one as fs"
        )
    return recording


class Replay:
    """A recording at a sensor's rate, in a loop.

    Parameters
    ----------
    path
        See `find_recording`.
    sensor_rate_hz
        The sensor's true rate. The recording is resampled to it with a linear-phase low-pass
        (polyphase, Kaiser window) that passes 0.84 and stops 1.0 of half the lower rate.
    range_g
        The sensor's range; what exceeds it is clipped, counted and said in `notes`.
    seed
        Where a continuous recording starts. One that is made of snippets starts at its beginning.
    fs, full_scale_g
        See `load_recording`.
    span
        Part of the recording to use, as fractions from 0 to 1.
    seconds
        Length to play before it starts again. Of a recording made of snippets, evenly spaced ones
        are chosen, the first and the last of the span among them; of a continuous one, the
        beginning of the span.

    Attributes
    ----------
    notes
        What was done to the recording, one sentence each.
    duration_s
        Of one loop.
    rpm
        Speed of the recorded shaft, where the file tells; it is not that of the plant.
    clipped_fraction
        Of all samples.

    Raises
    ------
    BenchError
        The file is no recording, or span and seconds leave nothing of it.

    Notes
    -----
    Snippets were not recorded one after the other. They overlap by 8 ms and are faded into each
    other with equal power (sine and cosine), as is the end into the beginning; a plain join makes
    a click at each, ten a second with PRONOSTIA's.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sensor_rate_hz: float,
        range_g: float = 16.0,
        seed: int = 0,
        *,
        fs: float | None = None,
        full_scale_g: float | None = None,
        span: tuple[float, float] = (0.0, 1.0),
        seconds: float | None = None,
    ) -> None:
        scale = range_g if full_scale_g is None else full_scale_g
        recording = load_recording(path, fs=fs, full_scale_g=scale)
        self.notes: list[str] = list(recording.notes)
        self.rpm = recording.rpm
        self.sensor_rate_hz = sensor_rate_hz
        if not 0.0 <= span[0] < span[1] <= 1.0:
            raise BenchError(
                f"span {span[0]} to {span[1]} is no part of a recording; "
                "give two rising fractions from 0 to 1"
            )
        if seconds is not None and not seconds > 0.0:
            raise BenchError("a replay of no length plays nothing; give more than 0 seconds")
        fade = max(1, round(_FADE_S * sensor_rate_hz))
        in_snippets = len(recording.snippets) > 1
        if in_snippets:
            snippets = self._choose(recording, span, seconds, fade)
        else:
            snippets = self._cut(recording, span, seconds)
        played = _resample(snippets, recording.rate_hz, sensor_rate_hz)
        if played.shape[1] < 2 * fade + 2:
            raise BenchError(
                "less than 20 ms of the recording is left to play; take a wider span or a longer "
                "recording"
            )
        loop = _join(played, fade)
        over = np.abs(loop) > range_g
        self.clipped_fraction = float(np.mean(np.any(over, axis=1)))
        if self.clipped_fraction > 0.0:
            self.notes.append(
                f"{_percent(self.clipped_fraction)} of samples exceed ±{range_g:g} g "
                "and are clipped."
            )
        self._loop: FloatArray = np.zeros((len(loop), 3))
        self._loop[:, : loop.shape[1]] = np.clip(loop, -range_g, range_g)
        self.duration_s = len(loop) / sensor_rate_hz
        self._at = 0
        if not in_snippets:
            self._at = int(np.random.default_rng(seed).integers(len(loop)))
        if recording.rate_hz < 0.999 * sensor_rate_hz:
            self.notes.append(
                f"The recording was made at {recording.rate_hz:g} Hz: there is nothing above "
                f"{recording.rate_hz / 2:g} Hz."
            )
        self.notes.append(
            f"It plays {self.duration_s:.1f} s and then starts again, whatever the shaft does."
        )

    def take(self, count: int) -> FloatArray:
        """The next `count` samples, (count, 3) in g; columns the recording lacks are 0."""
        index = (self._at + np.arange(count)) % len(self._loop)
        self._at = int((self._at + count) % len(self._loop))
        return self._loop[index]

    def _choose(
        self, recording: Recording, span: tuple[float, float], seconds: float | None, fade: int
    ) -> npt.NDArray[np.float32]:
        total = len(recording.snippets)
        first = min(total - 1, math.floor(span[0] * total))
        last = max(first, math.ceil(span[1] * total) - 1)
        available = last - first + 1
        wanted = available
        if seconds is not None:
            length = recording.snippets.shape[1] / recording.rate_hz - fade / self.sensor_rate_hz
            wanted = max(1, min(available, round(seconds / length)))
        chosen = np.unique(np.rint(np.linspace(first, last, wanted)).astype(int))
        if len(chosen) < total:
            self.notes.append(
                f"{len(chosen)} of {total} snippets are played, evenly spaced from "
                f"number {first + 1} to number {last + 1}."
            )
        return recording.snippets[chosen]

    def _cut(
        self, recording: Recording, span: tuple[float, float], seconds: float | None
    ) -> npt.NDArray[np.float32]:
        total = recording.snippets.shape[1]
        first, last = math.floor(span[0] * total), math.ceil(span[1] * total)
        if seconds is not None:
            # One fade more, which the join at the end of the loop uses up.
            last = min(last, first + math.ceil((seconds + _FADE_S) * recording.rate_hz))
        return recording.snippets[:, first:last]


def _resample(snippets: npt.NDArray[np.float32], rate_hz: float, to_hz: float) -> FloatArray:
    ratio = Fraction(to_hz / rate_hz).limit_denominator(500)
    data = snippets.astype(np.float64)
    if ratio == 1:
        return data
    # 80 dB from the Nyquist frequency of the slower side on, flat to 0.84 of it.
    slower = max(ratio.numerator, ratio.denominator)
    count = 64 * slower + 1
    ideal = np.sinc(0.92 / slower * (np.arange(count) - count // 2))
    taps = ideal * np.kaiser(count, 8.0)
    taps /= np.sum(taps)
    return signal.resample_poly(
        data, ratio.numerator, ratio.denominator, axis=1, window=taps, padtype="mean"
    )


def _join(snippets: FloatArray, fade: int) -> FloatArray:
    """One loop (m, axes) from snippets (k, n, axes) that overlap by `fade` samples."""
    count, length, axes = snippets.shape
    hop = length - fade
    turn = 0.5 * np.pi * (np.arange(fade) + 0.5) / fade
    weighted = snippets.copy()
    weighted[:, :fade] *= np.sin(turn)[:, np.newaxis]
    weighted[:, -fade:] *= np.cos(turn)[:, np.newaxis]
    loop = np.zeros((count * hop, axes))
    for index in range(count):
        start = index * hop
        whole = weighted[index]
        loop[start : start + hop] += whole[:hop]
        tail = (start + hop) % len(loop)
        loop[tail : tail + fade] += whole[hop:]
    return loop


def _read_npz(path: Path, fs: float | None, _full_scale_g: float) -> Recording:
    try:
        with np.load(path, allow_pickle=False) as archive:
            data = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise BenchError(f"{path.name} is not a readable .npz file; fetch it again") from error
    except Exception as error:
        # A truncated archive surfaces as one of several zipfile and zlib errors.
        raise BenchError(f"{path.name} is damaged; fetch it again") from error
    if "fs" in data:
        rate = _scalar(path, data, "fs")
    elif fs is not None:
        rate = fs
    else:
        raise BenchError(f"{path.name} does not tell its sampling rate; pass it as fs")
    rpm = _scalar(path, data, "rpm") if "rpm" in data else None
    notes: list[str] = []
    if "DE" in data:
        samples = _numbers(path, data["DE"]).reshape(1, -1, 1)
    elif "acc_h" in data and "scale_g" in data:
        raw = _numbers(path, data["acc_h"])
        if raw.ndim != 2:
            raise BenchError(f"{path.name}: acc_h must have one snippet per row; reshape it")
        samples = (raw * np.float32(_scalar(path, data, "scale_g")))[:, :, np.newaxis]
        if "n_files" in data and _scalar(path, data, "n_files") > len(samples):
            notes.append(
                f"The file keeps {len(samples)} of {int(_scalar(path, data, 'n_files'))} "
                "snippets of the original."
            )
    else:
        raise BenchError(
            f"{path.name} has neither DE nor acc_h with scale_g (it has "
            f"{', '.join(sorted(data)) or 'nothing'}); save the acceleration in g as DE, "
            "and its rate as fs"
        )
    return Recording(samples, rate, rpm, notes)


def _read_wav(path: Path, fs: float | None, full_scale_g: float) -> Recording:
    try:
        rate, data = wavfile.read(path)
    except (OSError, ValueError, EOFError) as error:
        raise BenchError(f"{path.name} is not a readable WAV file; export it as PCM") from error
    notes: list[str] = []
    samples = data.astype(np.float32)
    if data.dtype.kind in "iu":
        if data.dtype == np.uint8:
            samples -= 128.0
        peak = {1: 128.0, 2: 32768.0, 4: 2147483648.0}[data.dtype.itemsize]
        samples *= full_scale_g / peak
        notes.append(f"Full scale of the WAV is taken as {full_scale_g:g} g.")
    samples = samples.reshape(len(samples), -1)
    return _columns(samples, float(rate) if fs is None else fs, notes)


def _read_csv(path: Path, fs: float | None, _full_scale_g: float) -> Recording:
    if fs is None:
        raise BenchError(f"{path.name} does not tell its sampling rate; pass it as fs")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{path.name} is not readable text; export it as CSV") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise BenchError(f"{path.name} is empty; choose another recording")
    separator = next((mark for mark in (";", "\t", ",") if mark in lines[0]), ",")
    rows = list(csv.reader(lines, delimiter=separator))
    notes: list[str] = []
    try:
        [float(cell) for cell in rows[0]]
    except ValueError:
        rows = rows[1:]
    try:
        table = np.array([[float(cell) for cell in row] for row in rows], dtype=np.float32)
    except ValueError as error:
        raise BenchError(
            f"{path.name} is not a table of numbers with equal columns; "
            "keep one header line and acceleration in g below it"
        ) from error
    return _columns(table.reshape(len(rows), -1) if rows else table, fs, notes)


def _columns(samples: npt.NDArray[np.float32], rate_hz: float, notes: list[str]) -> Recording:
    if samples.ndim == 2 and samples.shape[1] > _MAX_AXES:
        notes.append(f"Of {samples.shape[1]} columns the first three are played.")
        samples = samples[:, :_MAX_AXES]
    return Recording(samples[np.newaxis], rate_hz, None, notes)


def _numbers(path: Path, values: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    if values.dtype.kind not in "iuf":
        raise BenchError(f"{path.name} does not hold numbers; save the acceleration as floats")
    return values.astype(np.float32)


def _scalar(path: Path, data: dict[str, npt.NDArray[np.generic]], key: str) -> float:
    value = data[key]
    if value.size != 1 or value.dtype.kind not in "iuf":
        raise BenchError(f"{path.name}: {key} must be one number; save it as one")
    return float(value.reshape(-1)[0])


def _percent(fraction: float) -> str:
    percent = 100.0 * fraction
    return f"{percent:.1f} %" if percent >= 0.1 else "Less than 0.1 %"


def _escape(name: str) -> str:
    return "".join(f"[{mark}]" if mark in "*?[" else mark for mark in name)
