"""Writes what a board has sent in the last seconds into a recording."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from wrench.errors import RecordingError, WrenchError
from wrench.link import Frame
from wrench.monitor.recent import Kept


class CaptureError(WrenchError):
    """There is no waveform to write, or the file cannot be written."""


def capture(folder: Path, kept: Sequence[Kept], greeting: Frame) -> tuple[Path, float]:
    """Write frames, the waveform among them, into a new recording in `folder`.

    Returns its path and the length of its waveform in seconds. Raises CaptureError; no half-written
    file is left.
    """
    from wrench.recording.recorder import Recorder  # noqa: PLC0415  (not for every start)
    from wrench.recording.session import board_of  # noqa: PLC0415

    if not any(it.frame.name == "waveform" for it in kept):
        raise CaptureError("there is no waveform to write yet; the panel Waveform says why")
    now = dt.datetime.now()
    milliseconds = now.microsecond // 1000
    path = folder / f"capture-{now:%Y%m%d-%H%M%S}-{milliseconds:03}.mcap"
    staged = path.with_name(path.name + ".part")
    came_ns = kept[0].came_ns
    try:
        recorder = Recorder(
            staged, greeting, board=board_of(greeting, None), wall_ns=lambda: came_ns
        )
        try:
            for it in kept:
                came_ns = it.came_ns
                recorder.take(it.frame, it.counts)
        finally:
            recorder.close()
        staged.replace(path)
    except (OSError, RecordingError) as error:
        staged.unlink(missing_ok=True)
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        why = cause.strerror if isinstance(cause, OSError) else None
        raise CaptureError(
            f"cannot write {path} ({why or cause}); make room, or start the monitor in another "
            "folder"
        ) from error
    return path, recorder.written / max(1.0, recorder.rate_hz or greeting["sample_rate_hz"])
