"""Reads accelerations from Universal File Format, dataset 58, as analysers export them.

SDRC's description of dataset 58: record 6 has the kind of function (1: time response) and the
response's direction (±1, ±2, ±3: x, y, z), record 7 spacing and increment of the abscissa, record 9
the ordinate's kind (12: acceleration) and unit. Dataset 164 tells the units of a file whose records
do not.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wrench.errors import RecordingError
from wrench.units import UNITS_G

_TIME_RESPONSE = 1
_KINDS = (0, 12)
"""Of the ordinate: unknown, acceleration."""
_SI = 1
_LABELS = {
    "g": "g",
    "gn": "g",
    "mg": "mg",
    "m/s2": "m/s2",
    "m/s^2": "m/s2",
    "m/s**2": "m/s2",
    "mm/s2": "mm/s2",
    "mm/s^2": "mm/s2",
    "mm/s**2": "mm/s2",
}


def read_uff(path: Path, unit: str | None) -> tuple[npt.NDArray[np.float32], float, list[str]]:
    """Acceleration (n, axes) in g of at most three directions, its rate in Hz, and notes.

    The first stretch is read, and of each direction the first record in it. `unit` goes before the
    file's own.

    Raises RecordingError where the file is none, has no acceleration over time, or no unit.
    """
    sets = _sets(path)
    records = [
        one
        for one in sets
        if one["type"] == 58
        and one.get("func_type") == _TIME_RESPONSE
        and one.get("ordinate_spec_data_type") in _KINDS
        and np.isrealobj(one["data"])
    ]
    if not records:
        raise RecordingError(
            f"{path.name} has no acceleration over time in a dataset 58; export time histories"
        )
    first = records[0]
    same = [one for one in records if _belongs(first, one)]
    by_axis: dict[int, Any] = {}
    for one in same:
        by_axis.setdefault(abs(int(one.get("rsp_dir", 1))), one)
    chosen = [by_axis[axis] for axis in sorted(by_axis)][:3]
    notes = []
    if len(chosen) < len(records):
        notes.append(f"Of {len(records)} records {len(chosen)} are read: the first stretch.")
    columns = [
        np.asarray(one["data"], np.float64)
        * UNITS_G[unit or _unit(path, one, sets)]
        * (-1.0 if int(one.get("rsp_dir", 1)) < 0 else 1.0)
        for one in chosen
    ]
    return np.stack(columns, axis=1).astype(np.float32), _rate(path, first), notes


def _sets(path: Path) -> list[dict[str, Any]]:
    try:
        pyuff = importlib.import_module("pyuff")
    except ImportError as error:
        raise RecordingError(
            f"{path.name} needs pyuff; install it with `pip install 'wrench-bearing[export]'`"
        ) from error
    try:
        sets = pyuff.UFF(str(path)).read_sets()
    except Exception as error:
        # What the parser makes of garbage is one of many errors.
        raise RecordingError(f"{path.name} is not a readable UFF file; export it again") from error
    found: list[dict[str, Any]] = sets if isinstance(sets, list) else [sets]
    if not found or not all(isinstance(one, dict) and "type" in one for one in found):
        raise RecordingError(f"{path.name} is not a readable UFF file; export it again")
    return found


def _belongs(first: dict[str, Any], other: dict[str, Any]) -> bool:
    """To the same stretch of time."""
    return len(first["data"]) == len(other["data"]) and bool(
        np.isclose(first["x"][0], other["x"][0])
    )


def _rate(path: Path, record: dict[str, Any]) -> float:
    times = np.asarray(record["x"], np.float64)
    interval_s = float(times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
    if not interval_s > 0.0 or not np.allclose(np.diff(times), interval_s, rtol=1e-2):
        raise RecordingError(f"{path.name} is not evenly sampled; export time histories that are")
    return 1.0 / interval_s


def _unit(path: Path, record: dict[str, Any], sets: Sequence[dict[str, Any]]) -> str:
    label = str(record.get("ordinate_axis_units_lab", "")).strip().lower().replace(" ", "")
    if label in _LABELS:
        return _LABELS[label]
    in_si = any(one["type"] == 164 and one.get("units_code") == _SI for one in sets)
    if in_si and label in ("", "none", "unknown"):
        return "m/s2"
    raise RecordingError(
        f"{path.name} does not tell the unit of its acceleration ({label or 'no label'}); "
        f"pass it as --unit, one of {', '.join(UNITS_G)}"
    )
