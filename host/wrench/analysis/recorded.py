"""A recording of Wrench as a measurement: the wire's quantities become engineering units."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from wrench.analysis.measurement import (
    Series,
)
from wrench.boards.schema import Board

_AXES = ("x", "y", "z")
_SECOND_US = 1e6
Columns = Mapping[str, npt.NDArray[Any]]
"""Fields of messages of one kind by name, each (n,); `device_time_us` is among them."""

# Trend, line in it, field of the status, how many of the wire's units make one.
_OF_STATUS = (
    ("temperature", "bearing", "bearing_mdegc", 1000.0),
    ("temperature", "driver", "driver_mdegc", 1000.0),
    ("current", "motor", "current_ma", 1000.0),
    ("supply", "at the motor", "supply_mv", 1000.0),
    ("speed", "measured", "speed_rpm", 1.0),
)
_OF_FEATURES = (
    ("velocity", "velocity_{}_um_s", 1000.0),
    ("acceleration", "rms_{}_mg", 1000.0),
    ("peak", "peak_{}_mg", 1000.0),
    ("crest", "crest_{}_centi", 100.0),
    ("kurtosis", "kurtosis_{}_centi", 100.0),
    ("envelope", "envelope_{}_mg", 1000.0),
)
# The same of the worst axis, for a recording without features.
_OF_WORST = (
    ("velocity", "velocity_um_s", 1000.0),
    ("acceleration", "rms_mg", 1000.0),
    ("peak", "peak_mg", 1000.0),
    ("crest", "crest_centi", 100.0),
    ("kurtosis", "kurtosis_centi", 100.0),
    ("envelope", "envelope_mg", 1000.0),
)


def board_of(text: str, name: str) -> Board | None:
    """The board of a board file's text, None where this wrench cannot read it."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
        return Board.model_validate({**data, "name": name, "path": Path(f"{name}.toml")})
    except (tomllib.TOMLDecodeError, ValidationError, ValueError):
        return None


def trends_of(
    status: Columns,
    features: Columns,
    axes: Sequence[str],
    start_us: float,
    rated_rpm: float | None,
) -> dict[str, dict[str, Series]]:
    """The trends of a recording by the keys of `trend.QUANTITIES`; times from `start_us` on."""
    found: dict[str, dict[str, Series]] = {}
    if _length(features):
        for key, pattern, per_unit in _OF_FEATURES:
            for axis in axes:
                series = _series(features, pattern.format(axis), per_unit, start_us)
                if series is not None:
                    found.setdefault(key, {})[axis] = series
    if not _length(status):
        return found
    if not found:
        for key, name, per_unit in _OF_WORST:
            series = _series(status, name, per_unit, start_us)
            if series is not None:
                found[key] = {"worst axis": series}
    for key, line, name, per_unit in _OF_STATUS:
        series = _series(status, name, per_unit, start_us)
        if series is not None and series.is_known:
            found.setdefault(key, {})[line] = series
    commanded = _series(status, "speed_command_permille", 1000.0, start_us)
    if commanded is not None and rated_rpm is not None:
        found.setdefault("speed", {})["commanded"] = Series(
            commanded.time_s, commanded.value * rated_rpm
        )
    return found


def _series(columns: Columns, name: str, per_unit: float, start_us: float) -> Series | None:
    if name not in columns:
        return None
    times_s = (columns["device_time_us"].astype(np.float64) - start_us) / _SECOND_US
    return Series(times_s, columns[name].astype(np.float64) / per_unit)


def _length(columns: Columns) -> int:
    return len(columns.get("device_time_us", ()))
