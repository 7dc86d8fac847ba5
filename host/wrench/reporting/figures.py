"""The figures of a report. Each draws one thing of an analysis into a figure or a part of one.

`FIGURES` is the list of them, in the order in which a report shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import blended_transform_factory

from wrench.analysis import faults
from wrench.analysis.measurement import Happening
from wrench.analysis.overview import thinned
from wrench.analysis.result import Analysis
from wrench.analysis.spectrum import Spectrum
from wrench.analysis.trend import Level, Panel
from wrench.analysis.waterfall import Waterfall
from wrench.reporting import style
from wrench.reporting.style import Canvas

_SINCE = "time from the start of the recording"
_DECADES = 3.0
_NEAR = 2.2
_PANEL_IN = 1.0
_LANE_IN = 0.15
_MACHINE = ("temperature", "current", "supply", "speed")
_NOT_FROM_ZERO = ("temperature", "supply")
_MOST_LINES = 60
_TIME_UNITS = (("h", 3600.0, 7200.0), ("min", 60.0, 600.0), ("s", 1.0, 0.0))
_DIGIT_IN = 0.06
_APART_IN = 0.08
_TREND_COLUMNS = 600
_NAME_IN = 0.115
_NAMES_IN = 0.2
_AXES_SHARE = 0.75
Draw = Callable[[Canvas], None]
MOST_GAPS = 200
"""More gaps are not drawn."""


def vibration(figure: Canvas, analysis: Analysis) -> None:
    """Vibration over time."""
    trend(figure, analysis, vibration_panels(analysis))


def machine(figure: Canvas, analysis: Analysis) -> None:
    """The machine over time: speed, current, supply, temperature."""
    trend(figure, analysis, machine_panels(analysis))


def vibration_panels(analysis: Analysis) -> list[Panel]:
    """Panels of vibration."""
    return [panel for panel in analysis.panels if panel.key not in _MACHINE]


def machine_panels(analysis: Analysis) -> list[Panel]:
    """The other panels."""
    return [panel for panel in analysis.panels if panel.key in _MACHINE]


def shown_events(analysis: Analysis) -> list[tuple[int, Happening]]:
    """Events in the range shown, numbered from 1."""
    inside = [
        event
        for event in analysis.measurement.happenings
        if analysis.start_s <= event.time_s <= analysis.end_s
    ]
    return list(enumerate(inside, 1))


def is_partial(analysis: Analysis) -> bool:
    """The analysed stretch is not the whole of what is shown."""
    stretch = analysis.stretch
    return stretch.start_s > analysis.start_s or stretch.end_s < analysis.end_s


def waveform(figure: Canvas, analysis: Analysis, axes: Sequence[str] | None = None) -> None:
    """Every axis over the whole time: between lowest and highest in each column of the drawing."""
    names = list(axes or analysis.extremes)
    grid = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for place, name in zip(grid, names, strict=True):
        extremes = analysis.extremes[name]
        place.fill_between(
            extremes.time_s,
            extremes.low,
            extremes.high,
            color=style.BLUE,
            edgecolor=style.BLUE,
            linewidth=0.5,
            zorder=3,
        )
        place.set_ylabel(f"axis {name}, g")
        _stretch(place, analysis)
        _gaps(place, analysis)
        _trip_lines(place, analysis)
        place.set_xlim(analysis.start_s, analysis.end_s)
    grid[0].set_title("Acceleration")
    _time_axis(grid[-1].xaxis, analysis, _SINCE)


def detail(figure: Canvas, analysis: Analysis) -> None:
    """A few turns of each axis."""
    found = analysis.detail
    assert found is not None
    names = list(found.axes)
    grid = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for place, name in zip(grid, names, strict=True):
        part = found.axes[name]
        count = len(part.values)
        times_s = part.start_s + np.arange(count) / count * (part.end_s - part.start_s)
        place.plot(*thinned(times_s, part.values), color=style.BLUE)
        place.set_ylabel(f"axis {name}, g")
        place.set_xlim(found.start_s, found.end_s)
    grid[0].set_title("Acceleration, around the largest peak of the analysed stretch")
    grid[-1].set_xlabel(f"{_SINCE}, s")


def spectrum(figure: Canvas, analysis: Analysis, axes: Sequence[str] = ()) -> None:
    """The acceleration's amplitude spectrum of each axis, or of some."""
    chosen = {axis: one for axis, one in analysis.spectra.items() if not axes or axis in axes}
    grid = _spectra(figure, analysis, chosen, "g RMS")
    grid[0].set_title("Acceleration spectrum", pad=12)


def velocity(figure: Canvas, analysis: Analysis, axes: Sequence[str] = ()) -> None:
    """The velocity's amplitude spectrum of each axis, or of some."""
    assert analysis.velocity_band_hz is not None
    low, high = analysis.velocity_band_hz
    chosen = {axis: one for axis, one in analysis.velocity.items() if not axes or axis in axes}
    grid = _spectra(figure, analysis, chosen, "mm/s RMS", logarithmic=True)
    grid[0].set_title(f"Velocity spectrum, {low:.4g} to {high:.4g} Hz", pad=12)


def envelope(figure: Canvas, analysis: Analysis) -> None:
    """The envelope's spectrum of one axis, with a lane of marks for each family of faults."""
    found = analysis.envelope
    assert found is not None
    lanes = _lanes(analysis)
    if lanes:
        marks, place = _with_lanes(figure, len(lanes), 1.1)
        _draw_lanes(marks, lanes, found.shown)
        top = marks
    else:
        place = figure.subplots()
        top = place
    place.plot(
        *thinned(found.spectrum.frequency, found.spectrum.amplitude), color=style.BLACK, zorder=3
    )
    for family, marked in lanes.items():
        for mark in marked:
            if mark.order <= found.shown:
                place.axvspan(
                    *_band(mark, found.shown), color=style.FAMILIES[family], alpha=0.22, lw=0
                )
    place.set_xlim(0.0, found.shown)
    place.set_ylim(bottom=0.0)
    place.set_ylabel("envelope, g RMS")
    low_hz, high_hz = found.band.low_hz, found.band.high_hz
    title = f"Envelope spectrum of axis {found.axis}, carriers {low_hz:.0f} to {high_hz:.0f} Hz"
    if found.speed_hz is None:
        place.set_xlabel("frequency, Hz")
        top.set_title(title)
        return
    place.set_xlabel("order, multiples of the shaft's speed")
    speed_hz = found.speed_hz
    to_hz = partial(np.multiply, speed_hz)
    to_orders = partial(np.multiply, 1.0 / speed_hz)
    second = top.secondary_xaxis("top", functions=(to_hz, to_orders))
    second.set_xlabel(f"frequency at {60 * speed_hz:,.0f} rpm, Hz")
    top.set_title(title)


def over_time(figure: Canvas, analysis: Analysis) -> None:
    """The spectrum of one axis as it went."""
    assert analysis.over_time is not None
    place = figure.subplots()
    _map(figure, place, analysis.over_time, f"acceleration {analysis.axis}, g RMS")
    place.set_xlabel("frequency, Hz")
    _time_axis(place.yaxis, analysis, "time")
    place.set_title(f"Spectrum over time, axis {analysis.axis}")


def over_speed(figure: Canvas, analysis: Analysis) -> None:
    """The spectrum of one axis at each speed, with the lines that follow the speed."""
    assert analysis.over_speed is not None
    place = figure.subplots()
    waterfall = analysis.over_speed
    _map(figure, place, waterfall, f"acceleration {analysis.axis}, g RMS")
    rpm = waterfall.edges[[0, -1]]
    highest = waterfall.frequency[-1]
    for family, order in faults.fundamental_orders(analysis.measurement.bearing).items():
        if family in ("FTF", "BSF"):
            continue
        hz = order * rpm / 60.0
        if hz[-1] < highest:
            place.plot(hz, rpm, color="white", linestyle=(0, (3, 3)), linewidth=0.7)
            name = "1x" if family == "shaft" else family
            place.annotate(
                name,
                (float(hz[-1]), float(rpm[-1])),
                xytext=(0, 2),
                textcoords="offset points",
                ha="left",
                rotation=45,
                fontsize=7,
                annotation_clip=False,
            )
    place.set_xlabel("frequency, Hz")
    place.set_ylabel("speed of the shaft, rpm")
    place.set_title(f"Spectrum over speed, axis {analysis.axis}", pad=24)


def envelope_over_time(figure: Canvas, analysis: Analysis, *, marked: bool = True) -> None:
    """The envelope's spectrum as it went, over orders; `marked` with the lanes of the families."""
    assert analysis.envelope_over_time is not None
    lanes = _lanes(analysis) if marked else {}
    waterfall = analysis.envelope_over_time
    highest = float(waterfall.frequency[-1])
    if lanes:
        marks, place = _with_lanes(figure, len(lanes), 0.6)
        _draw_lanes(marks, lanes, highest)
    else:
        place = figure.subplots()
        marks = place
    _map(figure, place, waterfall, f"envelope of {analysis.axis}, g RMS")
    place.set_xlim(0.0, highest)
    place.set_xlabel("order, multiples of the shaft's speed")
    _time_axis(place.yaxis, analysis, "time")
    marks.set_title(f"Envelope spectrum over time, axis {analysis.axis}")


def trend(figure: Canvas, analysis: Analysis, panels: Sequence[Panel]) -> None:
    """Quantities over time, with their levels; the events in a lane above."""
    events = shown_events(analysis)
    heights = ([0.16] if events else []) + [1.0] * len(panels)
    grid = list(
        figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    )
    if events:
        _draw_events(grid.pop(0), events, analysis.end_s - analysis.start_s)
    for place, panel in zip(grid, panels, strict=True):
        for number, (name, series) in enumerate(panel.lines.items()):
            inside = series.within(analysis.start_s, analysis.end_s)
            place.plot(
                *thinned(inside.time_s, inside.value, columns=_TREND_COLUMNS),
                color=style.LINES[number % len(style.LINES)],
                linestyle=style.DASHES[number % len(style.DASHES)],
                linewidth=1.0,
                label=name,
                zorder=3,
            )
        unit = f", {panel.unit}" if panel.unit else ""
        if len(panel.lines) > 1:
            place.set_ylabel(f"{_folded(panel.name)}{unit}")
            place.legend(
                loc="upper left", ncols=4, borderpad=0.1, handlelength=2.2, borderaxespad=0.2
            )
        else:
            line = next(iter(panel.lines)) if panel.key in _MACHINE else ""
            place.set_ylabel(f"{_folded(panel.name)}{unit}" + (f"\n({line})" if line else ""))
        place.set_xlim(analysis.start_s, analysis.end_s)
        _levels(place, panel, _height_in(figure) / len(panels) * _AXES_SHARE)
        _event_lines(place, events)
    figure.align_ylabels(grid)
    _time_axis(grid[-1].xaxis, analysis, _SINCE)


def trend_in(panels: Sequence[Panel]) -> float:
    """How high a figure of these panels is."""
    return 0.7 + _PANEL_IN * len(panels)


@dataclass(frozen=True)
class Kind:
    """A figure of a report: its name, when there is one, how to draw it, how high it is, and of
    one over time its panels."""

    name: str
    there: Callable[[Analysis], bool]
    draw: Callable[[Canvas, Analysis], None]
    height_in: Callable[[Analysis], float]
    panels: Callable[[Analysis], list[Panel]] | None = None


FIGURES = (
    Kind(
        "vibration",
        lambda analysis: bool(vibration_panels(analysis)),
        vibration,
        lambda analysis: trend_in(vibration_panels(analysis)),
        vibration_panels,
    ),
    Kind(
        "machine",
        lambda analysis: bool(machine_panels(analysis)) and bool(analysis.measurement.trends),
        machine,
        lambda analysis: trend_in(machine_panels(analysis)),
        machine_panels,
    ),
    Kind(
        "waveform",
        lambda analysis: bool(analysis.extremes),
        waveform,
        lambda analysis: 0.7 + 1.05 * len(analysis.extremes),
    ),
    Kind(
        "detail",
        lambda analysis: analysis.detail is not None,
        detail,
        lambda analysis: 0.7 + 1.05 * len(analysis.extremes),
    ),
    Kind(
        "spectrum",
        lambda analysis: bool(analysis.spectra),
        spectrum,
        lambda analysis: 0.8 + 1.0 * len(analysis.spectra),
    ),
    Kind(
        "velocity",
        lambda analysis: bool(analysis.velocity),
        velocity,
        lambda analysis: 0.8 + 1.0 * len(analysis.velocity),
    ),
    Kind("envelope", lambda analysis: analysis.envelope is not None, envelope, lambda _: 4.1),
    Kind(
        "envelope-over-time",
        lambda analysis: analysis.envelope_over_time is not None,
        envelope_over_time,
        lambda _: 4.4,
    ),
    Kind("over-time", lambda analysis: analysis.over_time is not None, over_time, lambda _: 3.8),
    Kind("over-speed", lambda analysis: analysis.over_speed is not None, over_speed, lambda _: 3.8),
)


# ---- parts -------------------------------------------------------------------------------------


def _spectra(
    figure: Canvas,
    analysis: Analysis,
    spectra: dict[str, Spectrum],
    unit: str,
    *,
    logarithmic: bool = False,
) -> list[Axes]:
    grid = list(figure.subplots(len(spectra), 1, sharex=True, squeeze=False)[:, 0])
    for place, (name, one) in zip(grid, spectra.items(), strict=True):
        curve = thinned(one.frequency, one.amplitude, logarithmic=logarithmic)
        place.plot(*curve, color=style.BLACK)
        place.set_ylabel(f"axis {name},\n{unit}")
        place.set_xlim(float(one.frequency[0]), float(one.frequency[-1]))
        if logarithmic:
            place.set_xscale("log")
            place.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            place.xaxis.set_major_formatter(FuncFormatter(lambda hz, _: f"{hz:g}"))
            place.xaxis.set_minor_formatter(NullFormatter())
        place.set_ylim(bottom=0.0)
        _shaft_lines(place, analysis, named=place is grid[0])
    grid[-1].set_xlabel("frequency, Hz")
    figure.align_ylabels(grid)
    return grid


def _shaft_lines(place: Axes, analysis: Analysis, *, named: bool) -> None:
    """1x and 2x of the shaft in a spectrum in Hz."""
    speed = analysis.stretch.speed_rpm
    if speed is None:
        return
    low, high = place.get_xlim()
    across = blended_transform_factory(place.transData, place.transAxes)
    for harmonic, aligned in ((1, "right"), (2, "left")):
        at = harmonic * speed / 60.0
        if not low <= at <= high:
            continue
        place.axvline(at, color=style.GREY, linestyle=(0, (1, 2)), linewidth=0.7, zorder=0)
        if named:
            place.text(
                at,
                1.01,
                f"{harmonic}x",
                transform=across,
                ha=aligned,
                va="bottom",
                fontsize=7,
            )


def _time_axis(axis: Axis, analysis: Analysis, name: str) -> None:
    """Seconds as what is easiest to read: s, min or h."""
    span_s = analysis.end_s - analysis.start_s
    unit, unit_s = next(one for one in _TIME_UNITS if span_s >= one[2])[:2]
    axis.set_major_locator(_TimeLocator(unit_s))
    axis.set_major_formatter(FuncFormatter(lambda time_s, _: f"{time_s / unit_s:.10g}"))
    axis.set_label_text(f"{name}, {unit}")


class _TimeLocator(MaxNLocator):
    """Round numbers of a unit of `unit_s` on an axis in seconds, however far it is zoomed in."""

    def __init__(self, unit_s: float) -> None:
        super().__init__(8, steps=[1, 2, 5, 10])
        self._unit_s = unit_s

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """Those that lie inside."""
        ticks = np.asarray(super().tick_values(vmin / self._unit_s, vmax / self._unit_s))
        ticks = self._unit_s * ticks
        return ticks[(ticks >= vmin) & (ticks <= vmax)]


def _stretch(place: Axes, analysis: Analysis) -> None:
    stretch = analysis.stretch
    if is_partial(analysis):
        place.axvspan(stretch.start_s, stretch.end_s, color=style.ORANGE, alpha=0.25, lw=0)


def _gaps(place: Axes, analysis: Analysis) -> None:
    if len(analysis.gaps) > MOST_GAPS:
        return
    for gap in analysis.gaps:
        place.axvspan(
            gap.start_s, gap.end_s, facecolor="#f0f0f0", edgecolor=style.PALE, hatch="////", lw=0
        )


def _trip_lines(place: Axes, analysis: Analysis) -> None:
    _event_lines(place, [one for one in shown_events(analysis) if one[1].name == "trip"])


def _event_lines(place: Axes, events: Sequence[tuple[int, Happening]]) -> None:
    if len(events) > _MOST_LINES:
        events = [one for one in events if one[1].name == "trip"][:_MOST_LINES]
    for _, event in events:
        is_trip = event.name == "trip"
        place.axvline(
            event.time_s,
            color=style.BLACK if is_trip else style.GREY,
            linewidth=0.9 if is_trip else 0.5,
            linestyle="-" if is_trip else (0, (1, 3)),
            zorder=2,
        )


def _draw_events(place: Axes, events: Sequence[tuple[int, Happening]], span_s: float) -> None:
    """Numbers of the events; of those too close to be told apart, the first and the last."""
    place.set_ylim(0, 1)
    place.set_yticks([0.5], ["events"])
    place.tick_params(left=False, bottom=False, labelbottom=False)
    place.grid(visible=False)
    for side in place.spines.values():
        side.set_visible(False)
    inch_s = span_s / (_AXES_SHARE * style.WIDTH_IN)
    groups: list[tuple[float, int, int]] = []
    for number, event in events:
        if groups:
            at_s, first, _ = groups[-1]
            together = _numbers(first, number)
            if event.time_s < at_s + inch_s * (_DIGIT_IN * len(together) + _APART_IN):
                groups[-1] = (at_s, first, number)
                continue
        groups.append((event.time_s, number, number))
    for at_s, first, last in groups:
        place.text(at_s, 0.5, _numbers(first, last), ha="left", va="center", fontsize=6.5)


def _numbers(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first}–{last}"


def _levels(place: Axes, panel: Panel, height_in: float) -> None:
    """Lines at the levels; those far beyond what was measured are named in a corner instead."""
    finite = [line.value[np.isfinite(line.value)] for line in panel.lines.values()]
    values = np.concatenate(finite)
    low, high = float(np.min(values)), float(np.max(values))
    shown = [level for level in panel.levels if _is_near(level, low, high)]
    beyond = [level for level in panel.levels if level not in shown]
    bottom, top = place.get_ylim()
    if low >= 0.0 and panel.key not in _NOT_FROM_ZERO:
        bottom = 0.0
    if low == high == 0.0:
        # What stood still all the time has no scale of its own.
        top = 1.0
    values_shown = [level.value for level in shown]
    margin = 0.06 * (max([top, *values_shown]) - min([bottom, *values_shown]))
    top = max([top, *(value + margin for value in values_shown)])
    bottom = min([bottom, *(value - margin for value in values_shown)])
    # Room for the names of the lines, and for the levels that are beyond.
    named = len(panel.lines) > 1 or bool(beyond)
    room = max(0.2, _NAMES_IN / height_in) if named else 0.05
    place.set_ylim(bottom, top + room * (top - bottom))
    for level in shown:
        colour, dashes = style.level(level.name)
        place.axhline(level.value, color=colour, linestyle=dashes, linewidth=0.9, zorder=2)
    _name_levels(place, shown, _NAME_IN / height_in)
    if beyond:
        place.text(
            0.995,
            0.96,
            "beyond: " + ", ".join(f"{level.name} {level.value:g}" for level in beyond),
            transform=place.transAxes,
            ha="right",
            va="top",
            fontsize=6.5,
            color=style.GREY,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            zorder=4,
        )


def _is_near(level: Level, low: float, high: float) -> bool:
    if level.falls:
        return level.value > low - 0.4 * abs(low)
    return level.value <= (high * _NEAR if high > 0.0 else high + 1.0)


def _name_levels(place: Axes, levels: Sequence[Level], apart: float) -> None:
    """At the right edge, apart from each other by that share of its height."""
    bottom, top = place.get_ylim()
    least = apart * (top - bottom)
    right = blended_transform_factory(place.transAxes, place.transData)
    at = bottom - least
    for level in sorted(levels, key=lambda one: one.value):
        at = max(level.value, at + least)
        place.text(
            1.006,
            at,
            f"{level.name} {level.value:g}",
            transform=right,
            va="center",
            ha="left",
            fontsize=6.5,
        )


def _folded(name: str) -> str:
    """In two lines where it has two words."""
    return name.replace(" ", "\n", 1)


def _lanes(analysis: Analysis) -> dict[str, list[faults.Mark]]:
    found = analysis.envelope
    if found is None or found.speed_hz is None:
        return {}
    lanes: dict[str, list[faults.Mark]] = {}
    for mark in faults.marks(analysis.measurement.bearing):
        lanes.setdefault(mark.family, []).append(mark)
    return lanes


def _with_lanes(figure: Canvas, lanes: int, labels_in: float) -> tuple[Axes, Axes]:
    """Axes of lanes that are as high as their letters want, and what labels leave below them."""
    height_in = _height_in(figure)
    lanes_in = _LANE_IN * lanes
    ratios = [lanes_in, max(lanes_in, height_in - labels_in - lanes_in)]
    marks, place = figure.subplots(2, 1, sharex=True, height_ratios=ratios)
    return marks, place


def _height_in(figure: Canvas) -> float:
    return figure.bbox.height / figure.get_figure(root=True).dpi


def _band(mark: faults.Mark, shown: float) -> tuple[float, float]:
    """A mark's band, drawn no narrower than a line is thick."""
    least = 0.0012 * shown
    return min(mark.low, mark.order - least), max(mark.high, mark.order + least)


def _draw_lanes(place: Axes, lanes: dict[str, list[faults.Mark]], shown: float) -> None:
    """One lane above the other, with a bar as wide as the band for each mark."""
    place.set_ylim(len(lanes), 0)
    place.set_yticks([row + 0.5 for row in range(len(lanes))], list(lanes))
    place.tick_params(left=False, bottom=False, labelbottom=False)
    place.grid(visible=False)
    for side in place.spines.values():
        side.set_visible(False)
    for row, (family, marked) in enumerate(lanes.items()):
        place.axhline(row + 0.5, color="#ececec", linewidth=0.6, zorder=0)
        for mark in marked:
            if mark.order > shown:
                continue
            low, high = _band(mark, shown)
            place.add_patch(
                Rectangle(
                    (low, row + 0.14), high - low, 0.72, color=style.FAMILIES[family], alpha=0.75
                )
            )
            name = f"{mark.harmonic}x" if family == "shaft" else str(mark.harmonic)
            place.annotate(
                name,
                (high, row + 0.5),
                xytext=(2, 0),
                textcoords="offset points",
                va="center",
                fontsize=6.5,
                annotation_clip=True,
            )


def _map(figure: Canvas, place: Axes, waterfall: Waterfall, label: str) -> None:
    """Amplitude as colour, on a logarithmic scale."""
    amplitude = waterfall.amplitude
    top = float(np.nanmax(amplitude))
    if not top > 0.0:
        top = 1.0
    norm = LogNorm(top / 10.0**_DECADES, top)
    # Nothing is logarithmic about 0, and a row without samples stays white.
    shown = np.where(np.isfinite(amplitude), np.maximum(amplitude, norm.vmin or 0.0), np.nan)
    mesh = place.pcolormesh(
        waterfall.frequency,
        waterfall.edges,
        np.ma.masked_invalid(shown),
        norm=norm,
        cmap=style.MAP,
        rasterized=True,
    )
    place.grid(visible=False)
    figure.colorbar(mesh, ax=place, label=label, pad=0.015, aspect=30, extend="min")
