"""A board's state in a line for people, and as plain values for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wrench.hints import Hint, fault_hint, limit_hint
from wrench.link import Frame
from wrench_firmware import wire

_SECOND_US = 1_000_000
_WRAP = 0xFFFF
_BITS = {"alarms": wire.FAULTS, "flags": wire.FLAGS}


class Counts(Protocol):
    """What `wrench.link.Decoder` counts: frames that were missing or broken so far."""

    @property
    def missing_frames(self) -> int: ...
    @property
    def bad_frames(self) -> int: ...


@dataclass
class Losses:
    """What was lost since the first frame that this program saw.

    `frames` that the board had no room for, `samples` that the sensor lost, and frames that were
    `missing` or `broken` on arrival. The board's counters are 16 bits wide; these are not.
    """

    frames: int = 0
    samples: int = 0
    missing: int = 0
    broken: int = 0
    _base: tuple[int, int, int, int] | None = None
    _counts: tuple[int, int] = (0, 0)

    def update(self, frame: Frame, decoder: Counts) -> Losses:
        """Count up to `frame`; `decoder` has counted until then. Returns itself."""
        if self._base is None:
            counts = (frame.dropped_frames, frame.lost_samples)
            self._base = (*counts, decoder.missing_frames, decoder.bad_frames)
            self._counts = counts
        _, _, missing, broken = self._base
        self.frames += (frame.dropped_frames - self._counts[0]) & _WRAP
        self.samples += (frame.lost_samples - self._counts[1]) & _WRAP
        self._counts = (frame.dropped_frames, frame.lost_samples)
        # The board numbers the frames that it drops, too.
        self.missing = max(0, decoder.missing_frames - missing)
        self.broken = decoder.bad_frames - broken
        return self

    @property
    def any(self) -> bool:
        """True where something was lost."""
        return bool(self.frames or self.samples or self.missing or self.broken)

    def __str__(self) -> str:
        if not self.any:
            return "nothing lost"
        return (
            f"lost: {self.frames} frames by the board, {self.samples} samples, "
            f"{self.missing + self.broken} frames on the way"
        )


def line(status: Frame, losses: Losses) -> str:
    """One status frame in one line, which takes about 120 columns."""
    s = status.values
    parts = [
        f"{status.time_us / _SECOND_US:8.1f} s",
        f"{s['mode']:<9}",
        f"{s['speed_command_permille'] / 10:5.1f} %",
        _shown(s["speed_rpm"], 1, "5.0f", "rpm"),
        f"{held_by(status):<19}",
        _shown(s["velocity_um_s"], 1000, "6.2f", "mm/s"),
        _shown(s["bearing_mdegc"], 1000, "5.1f", "°C"),
        _shown(s["current_ma"], 1000, "5.2f", "A"),
        supply(status),
        str(losses),
        *_alarmed(status),
    ]
    return "  ".join(parts)


def short_line(status: Frame) -> str:
    """The same in 80 columns at most: less exact, and without supply, losses and alarms."""
    s = status.values
    parts = [
        f"{status.time_us / _SECOND_US:6.1f} s",
        f"{s['mode']:<9}",
        f"{s['speed_command_permille'] / 10:3.0f} %",
        _shown(s["speed_rpm"], 1, "5.0f", "rpm"),
        _shown(s["velocity_um_s"], 1000, "5.2f", "mm/s"),
        _shown(s["bearing_mdegc"], 1000, "3.0f", "°C"),
        _shown(s["current_ma"], 1000, "4.1f", "A"),
        held_by(status),
    ]
    return " ".join(parts).rstrip()


def remarks(status: Frame, losses: Losses) -> list[str]:
    """What `short_line` leaves out and somebody has to know: losses and alarms, where there are
    any."""
    return [str(losses)] * losses.any + _alarmed(status)


def supply(status: Frame) -> str:
    """The supply's voltage."""
    return _shown(status["supply_mv"], 1000, "5.2f", "V")


def _alarmed(status: Frame) -> list[str]:
    standing = alarms(status)
    return [f"alarm: {', '.join(standing)}"] if standing else []


def identity(greeting: Frame) -> str:
    """Who a board is, in one line."""
    board = greeting.values
    git = f", git {board['git_hash']}" if board["git_hash"] else ""
    return (
        f"{board['board_name']}  firmware {board['firmware_version']} "
        f"({board['firmware_hash']:08x}{git})  MicroPython {board['micropython_version']} "
        f"({board['image']})  boot {board['boot_count']}, by {board['reset_cause']}  "
        f"id {board['unique_id']}"
    )


def ceiling(status: Frame) -> str:
    """How far the speed may go, in a line."""
    s = status.values
    cap, now = s["derate_cap_permille"], s["ceiling_permille"]
    below = f", below the derate cap of {cap / 10:g} %" if now < cap else ", the derate cap"
    return (
        f"ceiling: {now / 10:g} % of rated speed{below}; "
        f"probation steps earned: {s['probation_step']}"
    )


def explained(status: Frame) -> list[str]:
    """What one status frame means to a person: how far the speed may go, what has stopped the
    motor or holds its speed, each alarm, and where to look."""
    s = status.values
    lines = [ceiling(status)]
    if s["mode"] == "tripped":
        lines.append(f"tripped: {s['fault']}. {_hint(fault_hint, s['fault'])}")
    elif s["limit"] != "none":
        lines.append(f"held by: {s['limit']}. {_hint(limit_hint, s['limit'])}")
    told = s["fault"] if s["mode"] == "tripped" else ""
    lines += [
        f"alarm: {name}. {_hint(fault_hint, name)}" for name in alarms(status) if name != told
    ]
    if flags := named_bits(s["flags"], wire.FLAGS):
        lines.append(f"also: {', '.join(flags)}")
    if s["stray_bytes"] or s["bad_frames"]:
        lines.append(
            f"not understood: {s['stray_bytes']} bytes on the ports, {s['bad_frames']} bad frames"
        )
    return lines


def _hint(hint_of: Callable[[str], Hint], name: str) -> str:
    try:
        return str(hint_of(name))
    except KeyError:
        return "This wrench does not know it; install matching firmware with `wrench flash`."


def alarms(status: Frame) -> list[str]:
    """The alarms that stand, by the names of the faults that they may become."""
    return named_bits(status["alarms"], wire.FAULTS)


def named_bits(mask: int, names: Sequence[str]) -> list[str]:
    """The names of the bits that are set."""
    known = [name for bit, name in enumerate(names) if mask >> bit & 1]
    return known + [f"unknown {bit}" for bit in range(len(names), 32) if mask >> bit & 1]


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
    reset; a field of bits as the names of those that are set."""
    known = frame.values
    plain = known | {
        name: named_bits(known[name], names) for name, names in _BITS.items() if name in known
    }
    head = ("time_us", "sequence", "dropped_frames", "lost_samples")
    return plain | {name: getattr(frame, name) for name in head}
