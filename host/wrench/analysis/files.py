"""Reads recordings of vibration that others have made.

Formats: `.npz` with `DE`, `fs` and optionally `rpm` (Case Western Reserve University, as converted
by many) or with `acc_h`, `scale_g`, `fs` and optionally `file_index` (FEMTO-ST PRONOSTIA: one
snippet per row); `.mat` as Case Western Reserve University offers it (`X130_DE_time`, `X130RPM`);
`.wav`; `.csv` or `.txt` with one to three columns in g, and a first column `time…` in s where there
is one; `.uff` or `.unv`, see `wrench.analysis.uff`.
"""

from __future__ import annotations

import csv
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wrench.analysis.uff import read_uff
from wrench.errors import RecordingError
from wrench.units import UNITS_G

_MAX_AXES = 3
_PRONOSTIA_EVERY_S = 10.0
SUFFIXES = (".npz", ".mat", ".wav", ".csv", ".txt", ".uff", ".unv")
"""Of the files that can be read here."""


@dataclass(slots=True)
class Samples:
    """What a file holds: snippets (k, n, axes) in g at `rate_hz`.

    A continuous recording is one snippet. `starts_s` (k,) says when each snippet began, from the
    first on, where the file tells; `rpm` is the speed of the recorded shaft, where the file tells.
    """

    snippets: npt.NDArray[np.float32]
    rate_hz: float
    rpm: float | None = None
    notes: list[str] = field(default_factory=list)
    starts_s: npt.NDArray[np.float64] | None = None
    in_g: bool = False
    """The file tells its unit, which `snippets` have been converted from."""


def find_recording(path: str | os.PathLike[str]) -> Path:
    """The file itself, or for a bare name one in the folder named by WRENCH_DATA, up to two
    levels down.

    Raises
    ------
    RecordingError
        No such file.
    """
    given = Path(path).expanduser()
    if given.is_file():
        return given
    if given.is_dir():
        raise RecordingError(f"{given} is a folder; name a recording in it")
    folder = os.environ.get("WRENCH_DATA")
    if given.name == str(given):
        if folder is None:
            raise RecordingError(
                f"there is no recording {given} here; give its full path, or name the folder "
                "that holds it in the environment variable WRENCH_DATA"
            )
        for pattern in ("", "*/", "*/*/"):
            for found in sorted(Path(folder).glob(pattern + _escape(given.name))):
                if found.is_file():
                    return found
        raise RecordingError(
            f"there is no recording {given} here or in {folder}; "
            "give its full path, or set WRENCH_DATA to the folder that holds it"
        )
    raise RecordingError(f"there is no recording {given}; check the path")


def read_samples(
    path: str | os.PathLike[str],
    *,
    fs: float | None = None,
    full_scale_g: float = 16.0,
    unit: str | None = None,
    allow_nan: bool = False,
) -> Samples:
    """Read a recording.

    Parameters
    ----------
    path
        See `find_recording`.
    fs
        Sampling rate in Hz, for files that do not carry one.
    full_scale_g
        What full scale of an integer WAV stands for. Floating-point WAV is taken to be in g.
    unit
        Of the numbers in the file, one of `wrench.units.UNITS_G`; None is g, or what the file
        tells. Not for an integer WAV, which has `full_scale_g`.
    allow_nan
        Take samples that are not numbers as they are, instead of refusing the file.

    Raises
    ------
    RecordingError
        The file is missing or not a recording; the sentence ends in what to do.
    """
    found = find_recording(path)

    def _read_uff(path: Path, _fs: float | None, _full_scale_g: float) -> Samples:
        acceleration_g, rate_hz, notes = read_uff(path, unit)
        return Samples(acceleration_g[np.newaxis], rate_hz, None, notes, in_g=True)

    readers = {
        ".npz": _read_npz,
        ".mat": _read_mat,
        ".wav": _read_wav,
        ".csv": _read_csv,
        ".txt": _read_csv,
        ".uff": _read_uff,
        ".unv": _read_uff,
    }
    reader = readers.get(found.suffix.lower())
    if reader is None:
        raise RecordingError(
            f"{found.name} is not a kind of recording known here; convert it to one of "
            + ", ".join(SUFFIXES)
        )
    samples = reader(found, fs, full_scale_g)
    if unit is not None and not samples.in_g:
        samples.snippets = samples.snippets * np.float32(UNITS_G[unit])
    if samples.snippets.size == 0:
        raise RecordingError(f"{found.name} holds no samples; choose another recording")
    if not allow_nan and not np.all(np.isfinite(samples.snippets)):
        raise RecordingError(
            f"{found.name} holds values that are not numbers; cut them out or interpolate them"
        )
    if not (math.isfinite(samples.rate_hz) and samples.rate_hz > 0.0):
        raise RecordingError(
            f"{found.name} gives a sampling rate of {samples.rate_hz}; "
            "pass the true one as fs (--fs)"
        )
    return samples


def _read_npz(path: Path, fs: float | None, _full_scale_g: float) -> Samples:
    try:
        with np.load(path, allow_pickle=False) as archive:
            data = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise RecordingError(f"{path.name} is not a readable .npz file; fetch it again") from error
    except Exception as error:
        # A truncated archive surfaces as one of several zipfile and zlib errors.
        raise RecordingError(f"{path.name} is damaged; fetch it again") from error
    rate_hz = _rate(path, data, fs)
    rpm = _scalar(path, data, "rpm") if "rpm" in data else None
    notes: list[str] = []
    starts_s = None
    if "DE" in data:
        samples = _numbers(path, data["DE"]).reshape(1, -1, 1)
    elif "acc_h" in data and "scale_g" in data:
        raw = _numbers(path, data["acc_h"])
        if raw.ndim != 2:
            raise RecordingError(f"{path.name}: acc_h must have one snippet per row; reshape it")
        samples = (raw * np.float32(_scalar(path, data, "scale_g")))[:, :, np.newaxis]
        if "n_files" in data and _scalar(path, data, "n_files") > len(samples):
            notes.append(
                f"The file keeps {len(samples)} of {int(_scalar(path, data, 'n_files'))} "
                "snippets of the original."
            )
        starts_s = _snippet_starts(path, data, len(samples))
    else:
        raise RecordingError(
            f"{path.name} has neither DE nor acc_h with scale_g (it has "
            f"{', '.join(sorted(data)) or 'nothing'}); save the acceleration in g as DE, "
            "and its rate as fs"
        )
    return Samples(samples, rate_hz, rpm, notes, starts_s)


def _snippet_starts(
    path: Path, data: dict[str, npt.NDArray[np.generic]], count: int
) -> npt.NDArray[np.float64] | None:
    """PRONOSTIA's snippets were recorded every 10 s and numbered."""
    if "file_index" not in data:
        return None
    index = _numbers(path, data["file_index"]).astype(np.float64)
    if index.shape != (count,) or not np.all(np.diff(index) > 0.0):
        raise RecordingError(
            f"{path.name}: file_index must have one rising number for each snippet; save it so"
        )
    return (index - index[0]) * _PRONOSTIA_EVERY_S


def _read_mat(path: Path, fs: float | None, _full_scale_g: float) -> Samples:
    from scipy.io import loadmat  # noqa: PLC0415  (0.25 s, for a bench that plays nothing)

    try:
        data = loadmat(path)
    except NotImplementedError as error:
        raise RecordingError(
            f"{path.name} is a MATLAB 7.3 file; save it with `-v7`, or as .npz with DE and fs"
        ) from error
    except Exception as error:
        # What the parser makes of garbage is one of many errors.
        raise RecordingError(f"{path.name} is not a readable .mat file; fetch it again") from error
    found = sorted(key for key in data if re.fullmatch(r"(X\d+_)?DE(_time)?", key))
    if not found:
        names = ", ".join(sorted(key for key in data if not key.startswith("__")))
        raise RecordingError(
            f"{path.name} has no drive-end acceleration (it has {names or 'nothing'}); "
            "save it in g as DE, and its rate as fs"
        )
    notes = [f"Of {', '.join(found)} the first is read."] if len(found) > 1 else []
    speed = re.match(r"X\d+", found[0])
    rpm_key = f"{speed[0]}RPM" if speed else "rpm"
    rpm = _scalar(path, data, rpm_key) if rpm_key in data else None
    rate_hz = _rate(path, data, fs)
    return Samples(_numbers(path, data[found[0]]).reshape(1, -1, 1), rate_hz, rpm, notes)


def _read_wav(path: Path, fs: float | None, full_scale_g: float) -> Samples:
    from scipy.io import wavfile  # noqa: PLC0415  (0.25 s)

    try:
        rate, data = wavfile.read(path)
    except (OSError, ValueError, EOFError) as error:
        raise RecordingError(f"{path.name} is not a readable WAV file; export it as PCM") from error
    notes: list[str] = []
    samples = data.astype(np.float32)
    if data.dtype.kind in "iu":
        if data.dtype == np.uint8:
            samples -= 128.0
        peak = {1: 128.0, 2: 32768.0, 4: 2147483648.0}[data.dtype.itemsize]
        samples *= full_scale_g / peak
        notes.append(f"Full scale of the WAV is taken as {full_scale_g:g} g.")
    samples = samples.reshape(len(samples), -1)
    read = _columns(samples, float(rate) if fs is None else fs, notes)
    read.in_g = data.dtype.kind in "iu"
    return read


def _read_csv(path: Path, fs: float | None, _full_scale_g: float) -> Samples:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path.name} is not readable text; export it as CSV") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise RecordingError(f"{path.name} is empty; choose another recording")
    separator = next((mark for mark in (";", "\t", ",") if mark in lines[0]), ",")
    rows = list(csv.reader(lines, delimiter=separator))
    notes: list[str] = []
    timed = rows[0][0].strip().lower().startswith("time")
    if fs is None and not timed:
        raise RecordingError(f"{path.name} does not tell its sampling rate; pass it as fs (--fs)")
    try:
        [float(cell) for cell in rows[0]]
    except ValueError:
        rows = rows[1:]
    try:
        numbers = np.array([[float(cell) for cell in row] for row in rows])
    except ValueError as error:
        raise RecordingError(
            f"{path.name} is not a table of numbers with equal columns; "
            "keep one header line and acceleration in g below it"
        ) from error
    numbers = numbers.reshape(len(rows), -1) if rows else numbers
    if timed and numbers.ndim == 2 and len(numbers) > 1:
        interval_s = float(np.median(np.diff(numbers[:, 0])))
        if fs is None and not interval_s > 0.0:
            raise RecordingError(f"{path.name}: its times do not rise; pass the rate as fs (--fs)")
        fs = fs or 1.0 / interval_s
        numbers = numbers[:, 1:]
    elif timed:
        numbers = numbers[:0]
    return _columns(numbers.astype(np.float32), 1.0 if fs is None else fs, notes)


def _columns(samples: npt.NDArray[np.float32], rate_hz: float, notes: list[str]) -> Samples:
    if samples.ndim == 2 and samples.shape[1] > _MAX_AXES:
        notes.append(f"Of {samples.shape[1]} columns the first three are taken.")
        samples = samples[:, :_MAX_AXES]
    return Samples(samples[np.newaxis], rate_hz, None, notes)


def _rate(path: Path, data: dict[str, npt.NDArray[np.generic]], fs: float | None) -> float:
    if "fs" in data:
        return _scalar(path, data, "fs")
    if fs is None:
        raise RecordingError(f"{path.name} does not tell its sampling rate; pass it as fs (--fs)")
    return fs


def _numbers(path: Path, values: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    if values.dtype.kind not in "iuf":
        raise RecordingError(f"{path.name} does not hold numbers; save the acceleration as floats")
    return values.astype(np.float32)


def _scalar(path: Path, data: dict[str, npt.NDArray[np.generic]], key: str) -> float:
    value = data[key]
    if value.size != 1 or value.dtype.kind not in "iuf":
        raise RecordingError(f"{path.name}: {key} must be one number; save it as one")
    return float(value.reshape(-1)[0])


def _escape(name: str) -> str:
    return "".join(f"[{mark}]" if mark in "*?[" else mark for mark in name)
