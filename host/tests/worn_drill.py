"""A drill with a spot on its bearing's outer race, as a board of known readings tells of it: run
up, held at a speed, tripped. Recorded by the recorder itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from known_signals import ringing, strikes
from scripted_board import data_frame

from wrench.boards import load_board
from wrench.link import Decoder
from wrench.recording.recorder import Recorder
from wrench_firmware import wire

BOARD = load_board("pico-adxl345")
RATE_HZ = 3200.0
SECONDS = 12.0
RPM = 1800.0
SETTLED_S = 1.5
"""The board's filters have settled then."""
RUN_S, TRIP_S = 1.0, 11.0
ALARM_S = 9.0
"""An alarm of vibration stands from then on."""
CARRIER_HZ = 1000.0
VELOCITY_MM_S = {"x": 0.9, "y": 1.3, "z": 0.4}
CELSIUS = 45.25
BEGIN_US = 7_000_000
_BLOCK = 32
_SCALE_UG = 3906


def rpm_at(time_s: np.ndarray) -> np.ndarray:
    """Up within a second, level, and down from the trip on."""
    return np.interp(time_s, [RUN_S, RUN_S + 1.0, TRIP_S, TRIP_S + 0.5], [0.0, RPM, RPM, 0.0])


def acceleration_g() -> np.ndarray:
    """(n, 3): gravity on z, 1x on x, the bearing on all and most on y."""
    time_s = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ
    turns = np.cumsum(rpm_at(time_s)) / 60.0 / RATE_HZ
    assert BOARD.bearing is not None
    blows = ringing(strikes(BOARD.bearing.bpfo_order, turns, 3), CARRIER_HZ, RATE_HZ, 0.002)
    blows[rpm_at(time_s) <= 0.0] = 0.0
    noise = 0.02 * np.random.default_rng(5).standard_normal((len(time_s), 3))
    once = 0.1 * np.sin(2.0 * np.pi * turns)
    return noise + np.column_stack([0.3 * blows + once, blows, 0.2 * blows + 1.0])


def record(path: Path, *, lost_blocks: frozenset[int] = frozenset(), waveform: bool = True) -> Path:
    """Make the recording. `lost_blocks` of the waveform never come."""
    decoder = Decoder()
    greeting = {
        "version": wire.VERSION,
        "schema_hash": wire.schema_hash(),
        "board_hash": BOARD.hash,
        "sample_rate_hz": round(RATE_HZ),
        "boot_count": 3,
        "board_name": b"pico-adxl345",
        "unique_id": b"12345678",
        "firmware_version": b"0.2.0",
        "micropython_version": b"1.25.0",
    }
    (first,) = decoder.feed(data_frame("greeting", 0, BEGIN_US, **greeting))
    now_s = 0.0
    recorder = Recorder(
        path,
        first,
        board=BOARD,
        wall_ns=lambda: 1_700_000_000_000_000_000 + round(now_s * 1e9),
        monotonic_s=lambda: now_s,
    )
    frames = sorted(_frames(waveform), key=lambda it: it[0])
    for sequence, (time_s, name, values) in enumerate(frames, 1):
        now_s = time_s
        if values.pop("block", None) in lost_blocks:
            continue
        data = data_frame(name, sequence, BEGIN_US + round(time_s * 1e6), **values)
        for frame in decoder.feed(data):
            recorder.take(frame, decoder)
    recorder.close()
    return path


def _mode(time_s: float, rpm: float) -> str:
    if time_s > TRIP_S:
        return "tripped"
    return "running" if rpm > 0.0 else "idle"


def _frames(waveform: bool) -> list[tuple[float, str, dict[str, Any]]]:
    settled = 1 << wire.FLAGS.index("window settled")
    frames: list[tuple[float, str, dict[str, Any]]] = []
    for time_s in np.arange(0.0, SECONDS, 0.08):
        rpm = float(rpm_at(np.array(time_s)))
        values = {
            "mode": wire.MODES.index(_mode(time_s, rpm)),
            "fault": wire.FAULTS.index("vibration") if time_s > TRIP_S else 0,
            "alarms": 1 << wire.FAULTS.index("vibration") if time_s > ALARM_S else 0,
            "flags": settled if time_s >= SETTLED_S else 0,
            "speed_rpm": round(rpm),
            "speed_command_permille": round(1000.0 * rpm / BOARD.motor.rated_speed_rpm),
            "bearing_mdegc": round(1000 * CELSIUS),
            "driver_mdegc": wire.ABSENT,
            "current_ma": 1500 if rpm else 0,
            "supply_mv": 12_000,
            "supply_2_mv": wire.ABSENT,
        }
        frames.append((time_s + 1e-4, "status", values))
    features = {f"velocity_{axis}_um_s": round(1000 * v) for axis, v in VELOCITY_MM_S.items()}
    features |= {f"crest_{axis}_centi": 450 for axis in "xyz"}
    for time_s in np.arange(0.25, SECONDS, 0.25):
        frames.append((time_s + 2e-4, "features", dict(features)))
    event = wire.EVENTS.index
    trip = wire.FAULTS.index("vibration")
    frames.append((RUN_S, "event", {"code": event("run"), "detail": 1, "value": 700}))
    for name, at_s in {"ramp": 1.01, "operator": 2.0, "ramp ": 2.3, "vibration": 10.2}.items():
        limit = {"code": event("limit"), "detail": wire.LIMITS.index(name.strip()), "value": 600}
        frames.append((at_s, "event", limit))
    alarm = {"code": event("alarm"), "detail": trip, "value": 1300}
    frames.append((ALARM_S, "event", alarm))
    frames.append((TRIP_S, "event", {"code": event("trip"), "detail": trip, "value": 4600}))
    if waveform:
        counts = np.round(acceleration_g() * 1e6 / _SCALE_UG).astype("<i2")
        for block in range(len(counts) // _BLOCK):
            values = {
                "first_sample": block * _BLOCK,
                "samples": _BLOCK,
                "scale_ug": _SCALE_UG,
                "tail": counts[block * _BLOCK : (block + 1) * _BLOCK].tobytes(),
                "block": block,
            }
            frames.append(((block + 1) * _BLOCK / RATE_HZ, "waveform", values))
    return frames
