"""Writes the waveform of the last seconds to a file.

A kind of file is a function in `_WRITERS`, by its ending.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wrench.errors import WrenchError
from wrench.link import Frame
from wrench.monitor.waveform import Waveform, joined

Capture = Callable[[Path, Waveform | None, Frame], tuple[Path, float]]
"""What the capture key does, as `capture` does it."""


class CaptureError(WrenchError):
    """There is no waveform to write, or the file cannot be written."""


def capture(folder: Path, waveform: Waveform | None, greeting: Frame) -> tuple[Path, float]:
    """Write what there is of the waveform into a new file in `folder`.

    Returns its path and its length in seconds. Raises CaptureError; no half-written file is left.
    """
    if waveform is None or not waveform.blocks:
        raise CaptureError("there is no waveform to write yet; the panel Waveform says why")
    now = dt.datetime.now(dt.UTC)
    board = re.sub(r"[^A-Za-z0-9]+", "-", _text(greeting["board_name"])).strip("-").lower()
    moment = f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03}"
    path = folder / f"wrench-{board or 'board'}-{moment}.npz"
    staged = path.with_name(path.name + ".part")
    try:
        with staged.open("wb") as file:
            _WRITERS[path.suffix](file, waveform, greeting, now)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise CaptureError(
            f"cannot write {path} ({error.strerror or error}); make room, or start the monitor "
            "in another folder"
        ) from error
    return path, waveform.seconds


def _npz(file: BinaryIO, waveform: Waveform, greeting: Frame, now: dt.datetime) -> None:
    """Keys: `counts` (samples, 3) int16, x y z; `scale_ug` per count; `sample` (samples,) number
    since the board's start, whose jumps are samples that are missing; `block_sample` and
    `block_time_us` (blocks,) number of a block's first sample and device time at which the board
    sent the block; `block_broken` (blocks,) where the sensor has lost some before it; `rate_hz`;
    `missing_samples` since the monitor began; `board_name`, `unique_id`, `firmware_hash`,
    `boot_count`; `written_utc`."""
    sample, counts = joined(waveform.blocks)
    np.savez(
        file,
        counts=counts,
        scale_ug=waveform.blocks[-1].scale_ug,
        sample=sample,
        block_sample=np.array([block.first for block in waveform.blocks], np.int64),
        block_time_us=np.array([block.time_us for block in waveform.blocks], np.int64),
        block_broken=np.array([block.broken for block in waveform.blocks], np.bool_),
        rate_hz=waveform.rate_hz,
        missing_samples=waveform.missing_samples,
        board_name=_text(greeting["board_name"]),
        unique_id=greeting["unique_id"].hex(),
        firmware_hash=greeting["firmware_hash"],
        boot_count=greeting["boot_count"],
        written_utc=now.isoformat(),
    )


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


_WRITERS: dict[str, Callable[[BinaryIO, Waveform, Frame, dt.datetime], None]] = {".npz": _npz}
