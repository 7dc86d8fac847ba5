"""What a board with a wideband sensor tells: a bearing's lines in the envelope, RMS in bands."""

from __future__ import annotations

from wrench.link import Frame

LINES = {"bpfo": "outer race", "bpfi": "inner race", "bsf": "ball", "ftf": "cage"}
"""The lines of a `bands` frame, and the part of the bearing that draws each."""

STANDS_OUT_DB = 10.0
"""A line with less signal-to-noise is none."""

_AXES = "xyz"
_BANDS = 4


def line(frame: Frame) -> str:
    """A `bands` frame in a line: the envelope's band, what stands out in it, RMS in bands."""
    whose = ", chosen by a host" if frame["by_host"] else ""
    told = [
        f"envelope {frame['low_hz']} to {frame['high_hz']} Hz of {_AXES[frame['axis']]}{whose}: "
        f"{frame['envelope_mg'] / 1000:.3f} g RMS"
    ]
    told.append(lines(frame))
    levels = [frame[f"band_{n}_ug"] / 1e6 for n in range(1, _BANDS + 1)]
    if any(levels):
        told.append("bands " + " ".join(f"{level:.3f}" for level in levels if level) + " g RMS")
    return "; ".join(told)


def lines(frame: Frame) -> str:
    """The lines that stand out, the strongest first."""
    if not frame["records"]:
        return "no record of 32 turns yet"
    found = standing_out(frame)
    if not found:
        return "no line of the bearing"
    return ", ".join(
        f"{name.upper()} ({LINES[name]}) {amplitude_g:.3f} g, {snr_db:.0f} dB"
        for amplitude_g, snr_db, name in found
    )


def standing_out(frame: Frame) -> list[tuple[float, float, str]]:
    """Amplitude in g, signal-to-noise in dB and name of each line that stands out of the noise, the
    strongest first.
    """
    found = [
        (frame[f"{name}_ug"] / 1e6, frame[f"{name}_snr_cdb"] / 100, name)
        for name in LINES
        if frame[f"{name}_snr_cdb"] / 100 >= STANDS_OUT_DB
    ]
    return sorted(found, reverse=True)
