"""A recording of Wrench as a measurement: the wire's quantities become engineering units."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from wrench.analysis.measurement import (
    PIECE_SAMPLES,
    FloatArray,
    Happening,
    Loss,
    Measurement,
    Piece,
    Series,
    State,
)
from wrench.boards.schema import Board
from wrench.errors import RecordingError
from wrench.recording import Recording, Table
from wrench_firmware import wire

_AXES = ("x", "y", "z")
_SETTLED = 1 << wire.FLAGS.index("window settled")

# Trend, line in it, field of the status, how many of the wire's units make one.
_OF_STATUS = (
    ("temperature", "bearing", "bearing_mdegc", 1000.0),
    ("temperature", "driver", "driver_mdegc", 1000.0),
    ("current", "", "current_ma", 1000.0),
    ("supply", "", "supply_mv", 1000.0),
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
_LOSSES = (
    ("frames_dropped_by_board", "frames dropped by the board"),
    ("samples_lost", "samples lost by the sensor"),
    ("frames_missing", "frames missing"),
    ("frames_broken", "frames broken"),
)


def measurement_from_recording(recording: Recording) -> Measurement:
    """The measurement in an open recording, which must stay open as long as it is used.

    Raises RecordingError where there is nothing in it.
    """
    if not recording.duration_s > 0.0:
        if recording.problems:
            raise RecordingError(
                f"nothing of {recording.path.name} can be read ({recording.problems[0]}); "
                "choose another recording"
            )
        raise RecordingError(
            f"{recording.path.name} ends before its second message; choose another recording"
        )
    missing: list[str] = []
    board = _board(recording, missing)
    axes = board.vibration.axes if board is not None else _AXES
    rated_rpm = None if board is None else float(board.motor.rated_speed_rpm)
    trends = _trends(recording.status(), recording.features(), axes, rated_rpm)
    waveform = RecordedWaveform(recording, axes) if len(recording.blocks()) else None
    events = tuple(
        Happening(it.time_s, it.name, it.detail, None if it.value is None else round(it.value))
        for it in recording.events()
    )
    losses = _losses(recording.losses())
    # What is wrong with the file is known once it has been read.
    damage = tuple(recording.problems)
    missing[:0] = [f"The recording is not whole: {problem}." for problem in damage]
    return Measurement(
        source=recording.path.name,
        duration_s=recording.duration_s,
        waveform=waveform,
        speed_rpm=trends.get("speed", {}).get("measured"),
        speed_from="measured by the board",
        trends=trends,
        happenings=events,
        states=_states(recording.status()),
        board=board,
        bearing=None if board is None else board.bearing,
        identity=_identity(recording.greeting, board),
        losses=losses,
        device_start_s=recording.start_time_us / 1e6,
        began=recording.started,
        missing=tuple(missing),
        damage=damage,
    )


class RecordedWaveform:
    """The waveform of a recording; of the three axes, those that the board judges. Its rate is that
    of device time; the sensor's nominal one where that cannot be told. See `Waveform`."""

    def __init__(self, recording: Recording, axes: tuple[str, ...]) -> None:
        self._recording = recording
        self.axes = axes
        self._columns = [_AXES.index(axis) for axis in axes]
        measured, _ = recording.rate()
        nominal = float(recording.greeting["sample_rate_hz"])
        self.rate_hz = measured if np.isfinite(measured) else nominal

    def pieces(self, start_s: float, end_s: float) -> Iterator[Piece]:
        """See `Waveform.pieces`."""
        longest_s = PIECE_SAMPLES / self.rate_hz
        for read in self._recording.pieces(start_s, end_s, longest_s):
            for stretch in read.stretches():
                time_s = stretch.time_s
                after_s = float(time_s[-1]) + 1.0 / self.rate_hz
                yield Piece(float(time_s[0]), after_s, stretch.acceleration_g[:, self._columns])


def _board(recording: Recording, missing: list[str]) -> Board | None:
    text = recording.board_file
    if text is None:
        missing.append(
            "No board file in the recording: neither the bearing nor the levels are known; "
            "--board tells them."
        )
        return None
    name = str(recording.greeting["board_name"])
    try:
        data: dict[str, Any] = tomllib.loads(text)
        return Board.model_validate({**data, "name": name, "path": Path(f"{name}.toml")})
    except (tomllib.TOMLDecodeError, ValidationError):
        missing.append(
            "The board file in the recording is none that this wrench can read; "
            "--board tells another."
        )
        return None


def _identity(greeting: dict[str, Any], board: Board | None) -> dict[str, str]:
    title = "" if board is None else f", {board.title}"
    git = f", git {greeting['git_hash']}" if greeting["git_hash"] else ""
    return {
        "board": f"{greeting['board_name']}{title}, id {greeting['unique_id']}",
        "board file": f"hash {greeting['board_hash']:08x}",
        "firmware": (
            f"{greeting['firmware_version']} ({greeting['firmware_hash']:08x}{git}) on MicroPython "
            f"{greeting['micropython_version']}, image {greeting['image']}"
        ),
        "boot": f"number {greeting['boot_count']}, by {greeting['reset_cause']}",
    }


def _losses(table: Table) -> tuple[Loss, ...] | None:
    if not len(table):
        return None
    return tuple(Loss(what, int(table[name][-1])) for name, what in _LOSSES)


def _states(status: Table) -> tuple[State, ...]:
    """The first status, and each that is not in what the one before it was."""
    found: list[State] = []
    if not len(status):
        return ()
    names = (status[name] for name in ("mode", "limit", "fault", "alarms"))
    for time_s, mode, limit, fault, alarms in zip(status.time_s.tolist(), *names, strict=True):
        standing = tuple(alarms.split(", ")) if alarms else ()
        state = State(time_s, mode, limit, fault, standing)
        if not found or replace(state, time_s=found[-1].time_s) != found[-1]:
            found.append(state)
    return tuple(found)


def _trends(
    status: Table, features: Table, axes: tuple[str, ...], rated_rpm: float | None
) -> dict[str, dict[str, Series]]:
    """The trends of a recording by the keys of `trend.QUANTITIES`."""
    found: dict[str, dict[str, Series]] = {}
    if len(features):
        settled = _settled(status, features.time_s)
        for key, pattern, per_unit in _OF_FEATURES:
            found[key] = {
                axis: _only(_series(features, pattern.format(axis), per_unit), settled)
                for axis in axes
            }
    if not len(status):
        return found
    if not found:
        settled = _settled(status, status.time_s)
        for key, name, per_unit in _OF_WORST:
            found[key] = {"worst axis": _only(_series(status, name, per_unit), settled)}
    for key, line, name, per_unit in _OF_STATUS:
        series = _series(status, name, per_unit)
        if series.is_known:
            found.setdefault(key, {})[line] = series
    if rated_rpm is not None:
        commanded = _series(status, "speed_command_permille", 1000.0 / rated_rpm)
        found.setdefault("speed", {})["commanded"] = commanded
    return found


def _settled(status: Table, time_s: FloatArray) -> np.ndarray:
    """At each time, whether the board's filters had settled since its start."""
    if not len(status):
        return np.ones(len(time_s), dtype=bool)
    last = np.searchsorted(status.time_s, time_s, "right") - 1
    flags = status["flags_bits"].astype(np.int64)
    return (flags[np.maximum(last, 0)] & _SETTLED) != 0


def _only(series: Series, where: np.ndarray) -> Series:
    return Series(series.time_s, np.where(where, series.value, np.nan))


def _series(table: Table, name: str, per_unit: float) -> Series:
    return Series(table.time_s, table[name].astype(np.float64) / per_unit)
