"""The evidence of a diagnosis as one picture: what was heard, where the lines stand, and how they
compare with lines that belong to nothing."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wrench import __version__
from wrench.diagnosis.combs import HIGHEST, score
from wrench.diagnosis.diagnose import Diagnosis
from wrench.diagnosis.sentences import sentence
from wrench.reporting import style
from wrench.reporting.whole import write_whole

_SIZE_IN = (9.0, 8.6)
_DPI = 150
_COLUMNS = 118
_FAMILY = {"outer": "BPFO", "inner": "BPFI", "ball": "BSF", "cage": "FTF"}
_LABEL = {"outer": "outer race", "inner": "inner race", "ball": "ball", "cage": "cage"}
_SHOWN_HARMONICS = 4
_TURNS_SHOWN = 8.0


def save(found: Diagnosis, title: str, path: Path) -> int:
    """Write the picture (.png); its size in bytes. Raises ReportError where it cannot be."""
    with style.styled():
        file = io.BytesIO()
        figure(found, title).savefig(
            file, format="png", dpi=_DPI, metadata={"Title": title, "Software": "wrench"}
        )
    return write_whole(path, file.getvalue())


def figure(found: Diagnosis, title: str) -> Figure:
    """The picture as a figure; to be made and drawn inside `style.styled`."""
    result = Figure(figsize=_SIZE_IN)
    grid = result.add_gridspec(
        4, 1, height_ratios=[0.85, 1.0, 1.5, 1.2], hspace=0.55, top=0.94, bottom=0.06, left=0.08
    )
    grid.update(right=0.97)
    _words(result.add_subplot(grid[0]), found, title)
    _waveform(result.add_subplot(grid[1]), found)
    _envelope(result.add_subplot(grid[2]), found)
    _against_decoys(result.add_subplot(grid[3]), found)
    return result


def _words(axes: Axes, found: Diagnosis, title: str) -> None:
    axes.set_axis_off()
    axes.text(0.0, 1.0, f"{title}: {found.verdict}", fontsize=12, fontweight="bold", va="top")
    lines = textwrap.wrap(sentence(found), _COLUMNS)
    for reason in (*found.reasons, *found.complaints):
        lines += textwrap.wrap(f"· {reason}", _COLUMNS, subsequent_indent="  ")
    axes.text(0.0, 0.78, "\n".join(lines[:9]), fontsize=8.5, va="top", linespacing=1.4)
    speed = "" if found.speed_rpm is None else f"{found.speed_rpm:.0f} rpm ({found.speed_from}), "
    foot = f"{speed}{found.scale.name}; wrench {__version__}"
    axes.text(1.0, 1.16, foot, fontsize=7, color=style.GREY, ha="right", va="top")


def _waveform(axes: Axes, found: Diagnosis) -> None:
    ready = found.ready
    axes.set_title(f"Acceleration, axis {found.axis}" if found.axis else "Acceleration")
    axes.set_ylabel("g")
    if not len(ready.acceleration):
        axes.text(0.5, 0.5, "nothing to show", ha="center", transform=axes.transAxes)
        return
    values = ready.acceleration[:, ready.axes.index(found.axis)]
    speed_hz = None if found.speed_rpm is None else found.speed_rpm / 60.0
    length = len(values) if speed_hz is None else int(_TURNS_SHOWN / speed_hz * ready.rate_hz)
    length = min(length, len(values))
    middle = int(np.argmax(np.abs(values)))
    first = min(max(0, middle - length // 2), len(values) - length)
    time_s = (first + np.arange(length)) / ready.rate_hz
    if speed_hz is None:
        axes.plot(time_s, values[first : first + length], color=style.BLUE, linewidth=0.5)
        axes.set_xlabel("s")
        return
    turns = time_s * speed_hz
    axes.plot(turns, values[first : first + length], color=style.BLUE, linewidth=0.5)
    axes.set_xlabel("turns of the shaft, around the greatest sample")
    axes.set_xlim(turns[0], turns[-1])


def _envelope(axes: Axes, found: Diagnosis) -> None:
    lines = found.lines
    if lines is None:
        axes.set_title("No envelope spectrum: too few turns, or no speed")
        return
    row = 0
    if found.parts:
        row = found.parts[0].family.row
    elif found.unknown is not None:
        row = found.unknown.family.row
    band = lines.rows[row]
    height = np.sqrt(lines.power[row])
    orders = lines.orders
    way = "cepstrum" if band.whitening == "cepstrum" else "running median"
    axes.set_title(
        f"Squared envelope of {band.low_hz:.0f} to {band.high_hz:.0f} Hz, axis "
        f"{found.ready.axes[band.axis]}, whitened by {way}"
    )
    end = _end(found)
    inside = (orders > 0.1) & (orders < end)
    axes.plot(orders[inside], height[inside], color=style.BLACK, linewidth=0.6)
    noise = np.sqrt(lines.background[row])
    axes.plot(orders[inside], noise[inside], color=style.GREY, linewidth=0.8, dashes=(3, 2))
    top = float(np.max(height[inside])) if inside.any() else 1.0
    axes.set_ylim(0.0, 1.3 * top)
    for place, part in enumerate(found.parts):
        colour = style.FAMILIES[_FAMILY[part.name]]
        at = part.family.standing.order
        for harmonic in range(1, _SHOWN_HARMONICS + 1):
            if harmonic * at < end:
                axes.axvline(harmonic * at, color=colour, linewidth=0.8, alpha=0.7, zorder=0)
        level = (1.22 - 0.08 * place) * top
        text = f"{_LABEL[part.name]} {at:.3f}"
        axes.text(at, level, text, color=colour, fontsize=7.5, ha="left", va="center")
    if found.unknown is not None:
        axes.axvline(found.unknown.order, color=style.ORANGE, linewidth=1.0, zorder=0)
        text = f"unknown {found.unknown.order:.3f}"
        axes.text(found.unknown.order, 0.88 * top, text, color=style.ORANGE, fontsize=7.5)
    axes.set_xlim(0.0, end)
    axes.set_xlabel("multiples of the shaft's speed; dashed: what noise gives")
    axes.set_ylabel("modulation")


def _against_decoys(axes: Axes, found: Diagnosis) -> None:
    lines = found.lines
    if lines is None:
        axes.set_axis_off()
        return
    scores = score(lines)
    axes.set_title("How strongly a family of harmonics stands, for every fundamental")
    best = np.max(scores.best, axis=0)
    axes.semilogx(scores.orders, best, color=style.GREY, linewidth=0.5)
    for place, part in enumerate(found.parts):
        colour = style.FAMILIES[_FAMILY[part.name]]
        standing = part.family.standing
        at = int(np.searchsorted(scores.orders, standing.order))
        at = min(at, len(best) - 1)
        axes.plot(standing.order, best[at], "o", color=colour, markersize=5)
        text = f"{_LABEL[part.name]}: p {standing.p:.3f}, {100 * part.family.depth:.0f} % deep"
        axes.text(
            0.012,
            0.93 - 0.11 * place,
            text,
            fontsize=7.5,
            color=colour,
            transform=axes.transAxes,
        )
    axes.set_xlim(float(scores.orders[0]), HIGHEST)
    ticks = [0.4, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("fundamental, in multiples of the shaft's speed")
    axes.set_ylabel("score")


def _end(found: Diagnosis) -> float:
    orders = [part.family.standing.order for part in found.parts if part.name != "cage"]
    if found.unknown is not None:
        orders.append(found.unknown.order)
    return min(26.0, 3.3 * max(orders, default=6.0))
