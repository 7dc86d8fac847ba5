"""A board's state in a line for people, and as plain values for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wrench.link import Decoder, Frame

_SECOND_US = 1_000_000
_WRAP = 0xFFFF


@dataclass
class Losses:
    """What was lost since the first frame that this program saw.

    `frames` that the board had no room for, `samples` that the sensor lost, and frames that were
    `missing` or `broken` on arrival.
    """

    frames: int = 0
    samples: int = 0
    missing: int = 0
    broken: int = 0
    _base: tuple[int, int, int, int] | None = None

    def update(self, frame: Frame, decoder: Decoder) -> Losses:
        """Count up to `frame`, which `decoder` has yielded; returns itself."""
        if self._base is None:
            counts = (frame.dropped_frames, frame.lost_samples)
            self._base = (*counts, decoder.missing_frames, decoder.bad_frames)
        dropped, lost, missing, broken = self._base
        self.frames = (frame.dropped_frames - dropped) & _WRAP
        self.samples = (frame.lost_samples - lost) & _WRAP
        # The board numbers the frames that it drops, too.
        self.missing = max(0, decoder.missing_frames - missing)
        self.broken = decoder.bad_frames - broken
        return self

    def __str__(self) -> str:
        if not (self.frames or self.samples or self.missing or self.broken):
            return "nothing lost"
        return (
            f"lost: {self.frames} frames by the board, {self.samples} samples, "
            f"{self.missing + self.broken} frames on the way"
        )


def line(status: Frame, losses: Losses) -> str:
    """One status frame in one line."""
    s = status.values
    parts = [
        f"{status.time_us / _SECOND_US:8.1f} s",
        f"{s['mode']:<8}",
        f"{s['speed_command_permille'] / 10:5.1f} %",
        _shown(s["speed_rpm"], 1, "5.0f", "rpm"),
        f"{held_by(status):<19}",
        _shown(s["velocity_um_s"], 1000, "6.2f", "mm/s"),
        _shown(s["bearing_mdegc"], 1000, "5.1f", "°C"),
        _shown(s["current_ma"], 1000, "5.2f", "A"),
        _shown(s["supply_mv"], 1000, "5.2f", "V"),
        str(losses),
    ]
    return "  ".join(parts)


def _shown(value: int | None, per_unit: int, code: str, unit: str) -> str:
    if value is None:
        return f"{'-':>{code[0]}} {unit}"
    return f"{value / per_unit:{code}} {unit}"


def held_by(status: Frame) -> str:
    """What holds the speed: the fault of a tripped board, else the limit that binds."""
    if status["mode"] == "tripped":
        return status["fault"]
    return "" if status["limit"] == "none" else status["limit"]


def values(frame: Frame) -> dict[str, Any]:
    """A frame's fields and head as JSON takes them, in the wire's units and since the board's
    reset."""
    plain = {
        name: value.hex() if name == "unique_id" else _text(value)
        for name, value in frame.values.items()
    }
    head = ("time_us", "sequence", "dropped_frames", "lost_samples")
    return plain | {name: getattr(frame, name) for name in head}


def _text(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
