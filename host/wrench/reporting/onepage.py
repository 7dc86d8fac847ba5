"""A report as one picture, of the size of a page: what matters most, at a glance."""

from __future__ import annotations

import io
import textwrap

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from wrench import __version__
from wrench.analysis.result import Analysis
from wrench.reporting import figures, style
from wrench.reporting.compose import losses_text
from wrench.reporting.document import Document, Facts
from wrench.reporting.standing import standing_at, standing_text

_PAGE_IN = (8.27, 11.69)
_RECT = (0.02, 0.015, 0.95, 0.975)
_DPI = 180
_CHARACTERS = 122
_TOLD = ("board", "bearing", "waveform", "analysed stretch")
_TREND_PANELS = 3


def render(document: Document, analysis: Analysis) -> bytes:
    """The picture, 1,488 by 2,104 pixels."""
    with style.styled():
        file = io.BytesIO()
        metadata = {"Title": document.title, "Software": "wrench"}
        page(document, analysis).savefig(file, format="png", dpi=_DPI, metadata=metadata)
    return file.getvalue()


def page(document: Document, analysis: Analysis) -> Figure:
    """The page as a figure; to be made and drawn inside `style.styled`."""
    figure = Figure(figsize=_PAGE_IN, layout=ConstrainedLayoutEngine(rect=_RECT))
    drawn = _drawings(analysis)
    lines = _head(document, analysis)
    head_in = 0.75 + 0.155 * len(lines)
    heights = [head_in, *(height_in for _, height_in in drawn)]
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _write(parts[0], document, lines, head_in)
    for part, (draw, _) in zip(parts[1:], drawn, strict=True):
        draw(part)
    return figure


def _drawings(analysis: Analysis) -> list[tuple[figures.Draw, float]]:
    """What to draw, and how high each would like to be."""
    drawn: list[tuple[figures.Draw, float]] = []
    shown = _trend(analysis)
    if shown:
        height_in = 0.55 + 0.85 * len(shown)
        drawn.append((lambda part: figures.trend(part, analysis, shown), height_in))
    if analysis.extremes and not shown:
        drawn.append((lambda part: figures.waveform(part, analysis), 2.0))
    if analysis.axis in analysis.spectra:
        drawn.append((lambda part: figures.spectrum(part, analysis, (analysis.axis,)), 1.8))
    if analysis.envelope is not None:
        drawn.append((lambda part: figures.envelope(part, analysis), 3.6))
    if analysis.envelope_over_time is not None:
        drawn.append((lambda part: figures.envelope_over_time(part, analysis, marked=False), 2.3))
    elif analysis.over_time is not None:
        drawn.append((lambda part: figures.over_time(part, analysis), 2.4))
    return drawn


def _trend(analysis: Analysis) -> list[figures.Panel]:
    """The panels that tell the most."""
    wanted = ("velocity", "peak", "speed", "temperature", "current", "acceleration")
    by_key = {panel.key: panel for panel in analysis.panels}
    if not analysis.measurement.trends:
        # A constant speed and one reading a second tell little.
        wanted = ("velocity", "peak", "kurtosis")
    return [by_key[key] for key in wanted if key in by_key][:_TREND_PANELS]


def _head(document: Document, analysis: Analysis) -> list[str]:
    lines = [losses_text(analysis), *analysis.missing]
    stood = standing_at(analysis.measurement, analysis.start_s)
    if stood is not None:
        lines.append(standing_text(stood))
    for block in document.sections[0].blocks:
        if isinstance(block, Facts):
            lines += [f"{name}: {value}" for name, value in block.rows if name in _TOLD]
    return [
        wrapped
        for line in lines
        for wrapped in textwrap.wrap(line, _CHARACTERS, subsequent_indent="    ")
    ]


def _write(part: figures.Canvas, document: Document, lines: list[str], head_in: float) -> None:
    def at(y_in: float) -> float:
        return 1.0 - y_in / head_in

    options = {"va": "baseline", "ha": "left", "parse_math": False}
    part.text(0.03, at(0.3), document.title, fontsize=13, fontweight="bold", **options)
    part.text(0.03, at(0.5), document.subtitle, fontsize=8.5, color=style.GREY, **options)
    for number, line in enumerate(lines):
        part.text(0.03, at(0.74 + 0.155 * number), line, fontsize=7.5, **options)
    part.text(
        0.97,
        at(0.3),
        f"wrench {__version__}",
        fontsize=7.5,
        color=style.GREY,
        ha="right",
        va="baseline",
    )
