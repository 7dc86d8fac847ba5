"""An analysis to the document that a report is: every sentence, table and caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from wrench.analysis import faults
from wrench.analysis.measurement import Happening
from wrench.analysis.result import Analysis
from wrench.analysis.spectrum import HANN_BANDWIDTH, PADDING, Spectrum
from wrench.analysis.trend import Panel
from wrench.analysis.waterfall import Waterfall
from wrench.reporting import figures
from wrench.reporting.document import (
    Block,
    Document,
    Facts,
    Picture,
    Points,
    Section,
    Table,
    Text,
)
from wrench.reporting.event_text import happened, meaning
from wrench.reporting.standing import standing_at, standing_text

_MOST_EVENTS = 200
_SHORT_MEANING = 60
_WEIGHTY = ("trip", "run", "stop", "reset", "boot", "new bearing", "exception")


def compose(analysis: Analysis) -> Document:
    """The document of an analysis."""
    measurement = analysis.measurement
    sections = [
        Section("Recording", _recording(analysis)),
        Section("Overall values", _overall(analysis)),
        Section("Events", _events(analysis)),
        Section("Over time", _pictures(analysis, ("vibration", "machine"))),
        Section("Waveform", _pictures(analysis, ("waveform", "detail"))),
        Section("Spectra", _pictures(analysis, ("spectrum", "velocity"))),
        Section(
            "Envelope",
            (*_pictures(analysis, ("envelope",)), *_readings(analysis)),
        ),
        Section(
            "Waterfalls",
            _pictures(analysis, ("envelope-over-time", "over-time", "over-speed")),
        ),
    ]
    title = f"Vibration report: {measurement.source}"
    return Document(title, _subtitle(analysis), tuple(one for one in sections if one.blocks))


def losses_text(analysis: Analysis) -> str:
    """What did not arrive, in a sentence."""
    losses = analysis.measurement.losses
    told: list[str] = []
    if losses is not None:
        lost = [f"{loss.what} {loss.count:,}" for loss in losses if loss.count]
        told.append(", ".join(lost) if lost else "nothing was lost on the way")
    gaps, lost_s = analysis.gaps, _missing_s(analysis)
    if gaps and analysis.measurement.in_snippets:
        share = 100.0 * (1.0 - lost_s / (analysis.end_s - analysis.start_s))
        told.append(f"recorded in {len(gaps) + 1:,} snippets, {share:.2g} % of the time")
    elif len(gaps) == 1:
        told.append(f"no waveform for {_seconds(lost_s)}, in one piece")
    elif gaps:
        told.append(f"no waveform for {_seconds(lost_s)}, in {len(gaps):,} pieces")
    if analysis.bad_samples:
        told.append(f"{max(analysis.bad_samples.values()):,} samples are no numbers")
    if not told:
        return "The file does not tell what was lost; its waveform has no gap."
    sentence = "; ".join(told)
    return sentence[0].upper() + sentence[1:] + "."


def _missing_s(analysis: Analysis) -> float:
    return sum(gap.end_s - gap.start_s for gap in analysis.gaps)


def _subtitle(analysis: Analysis) -> str:
    measurement = analysis.measurement
    parts = []
    if measurement.board is not None:
        parts.append(measurement.board.title)
    if measurement.began is not None:
        parts.append(f"{measurement.began:%Y-%m-%d %H:%M:%S} UTC")
    parts.append(_seconds(measurement.duration_s))
    return " · ".join(parts)


def _recording(analysis: Analysis) -> tuple[Block, ...]:
    blocks: list[Block] = [
        Text(losses_text(analysis), "warning" if _is_lossy(analysis) else "plain")
    ]
    if analysis.missing:
        blocks.append(Points(tuple(analysis.missing)))
    blocks.append(Facts(tuple(_identity(analysis))))
    if analysis.measurement.notes:
        blocks.append(Points(analysis.measurement.notes))
    return tuple(blocks)


def _is_lossy(analysis: Analysis) -> bool:
    losses = analysis.measurement.losses or ()
    gaps = analysis.gaps and not analysis.measurement.in_snippets
    return bool(gaps or analysis.bad_samples or any(loss.count for loss in losses))


def _identity(analysis: Analysis) -> list[tuple[str, str]]:
    measurement = analysis.measurement
    rows = list(measurement.identity.items())
    bearing = measurement.bearing
    if bearing is not None:
        name = f"{bearing.designation}: " if bearing.designation else ""
        text = (
            f"{name}{bearing.balls} balls of {bearing.ball_diameter_mm:g} mm on "
            f"{bearing.pitch_diameter_mm:g} mm, contact angle {bearing.contact_angle_deg:g}°; "
        )
        orders = faults.fundamental_orders(bearing)
        text += ", ".join(
            f"{family} {order:.4g}" for family, order in orders.items() if family != "shaft"
        )
        rows.append(("bearing", text + " times the shaft's speed"))
    else:
        rows.append(("bearing", "not told"))
    if measurement.began is not None:
        rows.append(("began", f"{measurement.began:%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"))
    if measurement.device_start_s is not None:
        rows.append(
            ("device time", f"began {measurement.device_start_s:.6f} s after the board's reset")
        )
    rows.append(("duration", _seconds(measurement.duration_s)))
    if (analysis.start_s, analysis.end_s) != (0.0, measurement.duration_s):
        rows.append(("shown here", f"{analysis.start_s:.3f} to {analysis.end_s:.3f} s"))
    waveform = measurement.waveform
    if waveform is not None:
        text = (
            f"{analysis.samples:,} samples of {_axes(waveform.axes)} at {waveform.rate_hz:,.2f} Hz"
        )
        if analysis.waveform_s is not None:
            text += ", from {:.3f} to {:.3f} s".format(*analysis.waveform_s)
        rows.append(("waveform", text))
        rows.append(("analysed stretch", _stretch(analysis)))
    return rows


def _axes(axes: Sequence[str]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(axes)}"


def _stretch(analysis: Analysis) -> str:
    stretch = analysis.stretch
    text = f"{stretch.start_s:.3f} to {stretch.end_s:.3f} s: {stretch.why}"
    if stretch.speed_rpm is not None:
        text += f"; shaft at {stretch.speed_rpm:,.0f} rpm"
        low, high = stretch.lowest_rpm, stretch.highest_rpm
        if low is not None and high is not None and high - low >= 1.0:
            text += f" ({low:,.0f} to {high:,.0f})"
        text += f", {analysis.measurement.speed_from}"
    return text


def _pictures(analysis: Analysis, names: Sequence[str]) -> tuple[Block, ...]:
    made: list[Block] = []
    for kind in figures.FIGURES:
        if kind.name in names and kind.there(analysis):
            caption, alt = _CAPTIONS[kind.name](analysis)

            def draw(figure: figures.Canvas, kind: figures.Kind = kind) -> None:
                kind.draw(figure, analysis)

            picture = Picture(kind.name, caption, alt, kind.height_in(analysis), draw)
            if kind.panels is not None:
                picture = _of_panels(picture, analysis, kind.panels(analysis))
            made.append(picture)
    return tuple(made)


def _of_panels(picture: Picture, analysis: Analysis, panels: Sequence[Panel]) -> Picture:
    """The same figure with some of its panels."""
    return replace(
        picture,
        height_in=figures.trend_in(panels),
        draw=lambda figure: figures.trend(figure, analysis, panels),
        panels=len(panels),
        cut=lambda first: (
            _of_panels(picture, analysis, panels[:first]),
            _of_panels(picture, analysis, panels[first:]),
        ),
    )


def _overall(analysis: Analysis) -> tuple[Block, ...]:
    if not analysis.overall:
        return ()
    band = analysis.velocity_band_hz
    rows = []
    for axis, one in analysis.overall.items():
        velocity = analysis.velocity.get(axis)
        rows.append(
            (
                axis,
                "-" if velocity is None else f"{velocity.rms(*_band(analysis)):.3g}",
                f"{one.rms_g:.3g}",
                f"{one.peak_g:.3g}",
                f"{one.crest:.2f}",
                f"{one.kurtosis:.2f}",
                f"{one.mean_g:+.3f}",
            )
        )
    where = "" if band is None else f" Velocity from {band[0]:g} to {band[1]:g} Hz."
    caption = (
        f"The analysed stretch as a whole, {_span(analysis)}. RMS, peak, crest factor and kurtosis "
        f"(3 for noise) are of what is left without the mean.{where}"
    )
    columns = (
        "axis",
        "velocity RMS, mm/s",
        "acceleration RMS, g",
        "peak, g",
        "crest factor",
        "kurtosis",
        "mean, g",
    )
    return (
        Table(caption, columns, tuple(rows), (0.6, 1.4, 1.5, 1, 1, 1, 1), frozenset(range(1, 7))),
    )


def _band(analysis: Analysis) -> tuple[float, float]:
    return analysis.velocity_band_hz or (0.0, 0.0)


def _readings(analysis: Analysis) -> tuple[Block, ...]:
    found = analysis.envelope
    if found is None or found.speed_hz is None or not found.readings:
        return ()
    rows = []
    for one in found.readings:
        mark = one.mark
        others = [
            other.mark.name
            for other in found.readings
            if other.mark != mark and one.is_peak and other.order == one.order
        ]
        if not one.is_peak:
            hz = f"{mark.order * found.speed_hz:.2f}"
            most = f"< {one.amplitude:.3g}"
            rows.append((mark.name, f"{mark.order:.3f}", hz, "no peak", "-", most, "-", ""))
            continue
        times = one.amplitude / one.around if one.around > 0.0 else np.inf
        rows.append(
            (
                mark.name,
                f"{mark.order:.3f}",
                f"{mark.order * found.speed_hz:.2f}",
                f"{one.order:.3f}",
                f"{100.0 * (one.order / mark.order - 1.0):+.1f} %",
                f"{one.amplitude:.3g}",
                f"{times:.1f}",
                ", ".join(others),
            )
        )
    caption = (
        "The highest line in the band of each mark; the bands reach "
        f"{100 * faults.SLIP:g} % up and down, and to what the spectrum can tell apart. "
        "“Times around” is its height over the median of the lines within half an order of the "
        "band. “No peak”: only the flank of a line beside the band. Noise has peaks too: this "
        "table judges nothing."
    )
    columns = (
        "mark",
        "order",
        "Hz",
        "found at order",
        "off by",
        "g RMS",
        "times around",
        "the same line as",
    )
    return (
        Table(
            caption,
            columns,
            tuple(rows),
            (0.9, 0.8, 0.8, 1.1, 0.8, 0.9, 1.0, 1.3),
            frozenset(range(1, 7)),
        ),
    )


def _events(analysis: Analysis) -> tuple[Block, ...]:
    measurement = analysis.measurement
    numbered = figures.shown_events(analysis)
    blocks: list[Block] = []
    stood = standing_at(measurement, analysis.start_s)
    if stood is not None:
        weight = "warning" if stood.alarms or stood.trip else "plain"
        no_events = "" if numbered else " Nothing else happens."
        blocks.append(Text(standing_text(stood) + no_events, weight))
    if not numbered:
        return tuple(blocks)
    rows = []
    told: dict[str, int] = {}
    for number, event in _weightiest(numbered):
        date = measurement.date(event.time_s)
        means = meaning(event)
        rows.append(
            (
                str(number),
                f"{event.time_s:.3f}",
                "-"
                if measurement.device_start_s is None
                else f"{measurement.device_start_s + event.time_s:.3f}",
                "-" if date is None else f"{date:%H:%M:%S.%f}"[:-4],
                happened(event),
                f"as no. {told[means]}" if event.name != "trip" and means in told else means,
            )
        )
        # What was said once need not be said fifty times.
        if len(means) > _SHORT_MEANING:
            told.setdefault(means, number)
    caption = "Times in s: from the start of the recording, and of the board. Wall times are UTC."
    if len(numbered) > _MOST_EVENTS:
        caption += (
            f" {_MOST_EVENTS} of {len(numbered):,} events: trips, runs and stops first, and what "
            "came early before what came late."
        )
    columns = ("no.", "at, s", "device time, s", "wall time", "event", "what it means")
    return (
        *blocks,
        Table(caption, columns, tuple(rows), (0.4, 0.8, 1.0, 1.0, 2.1, 3.7), frozenset({0, 1, 2})),
    )


def _weightiest(
    numbered: Sequence[tuple[int, Happening]],
) -> list[tuple[int, Happening]]:
    """As many as a table bears, in order."""
    first = sorted(numbered, key=lambda one: (one[1].name not in _WEIGHTY, one[0]))
    return sorted(first[:_MOST_EVENTS], key=lambda one: one[0])


# ---- captions: what is seen, and how it was made; and what a reader who cannot see it is told --


def _over_time_caption(analysis: Analysis, panels: Sequence[Panel]) -> tuple[str, str]:
    text = ""
    if analysis.computed_window_s is not None:
        text = f"Computed here from the waveform, in windows of {analysis.computed_window_s:.3g} s"
        if analysis.trend_band_hz is not None:
            low, high = analysis.trend_band_hz
            text += f"; velocity from {low:g} to {high:g} Hz"
        text += ". "
    elif analysis.measurement.board is not None:
        vibration = analysis.measurement.board.vibration
        text = (
            f"As the board told it, vibration in windows of {vibration.window_ms:g} ms; velocity "
            f"from {vibration.band_low_hz} to {vibration.band_high_hz} Hz. "
        )
    if any(panel.levels for panel in panels):
        text += (
            "Levels are those of the board file: alarm dotted, limit dashed, trip solid; those far "
            "beyond the readings are named in a corner. "
        )
    if figures.shown_events(analysis):
        text += "Numbers above are events, as in the table; a solid vertical line is a trip."
    alt = "; ".join(_range_text(panel) for panel in panels)
    return text.strip(), f"Curves over time: {alt}."


def _vibration_caption(analysis: Analysis) -> tuple[str, str]:
    return _over_time_caption(analysis, figures.vibration_panels(analysis))


def _machine_caption(analysis: Analysis) -> tuple[str, str]:
    return _over_time_caption(analysis, figures.machine_panels(analysis))


def _range_text(panel: Panel) -> str:
    values = np.concatenate([line.value for line in panel.lines.values()])
    low, high = np.nanmin(values), np.nanmax(values)
    return f"{panel.name} from {low:.3g} to {high:.3g} {panel.unit}".strip()


def _waveform_caption(analysis: Analysis) -> tuple[str, str]:
    extremes = next(iter(analysis.extremes.values()))
    text = (
        f"From the lowest to the highest sample in each {_seconds(extremes.width_s)}, so that no "
        "peak is left out."
    )
    if figures.is_partial(analysis):
        text += " Shaded: the analysed stretch, which spectra are made of."
    if analysis.gaps and len(analysis.gaps) <= figures.MOST_GAPS:
        text += " Hatched: no waveform."
    peaks = "; ".join(
        f"{axis} from {np.nanmin(one.low):.3g} to {np.nanmax(one.high):.3g} g"
        for axis, one in analysis.extremes.items()
        if np.isfinite(one.low).any()
    )
    return text, f"Acceleration over the whole time: {peaks}."


def _detail_caption(analysis: Analysis) -> tuple[str, str]:
    found = analysis.detail
    assert found is not None
    text = (
        f"{_seconds(found.end_s - found.start_s)} around the highest peak of axis {analysis.axis}"
    )
    speed = analysis.stretch.speed_rpm
    if speed is not None:
        turns = (found.end_s - found.start_s) * speed / 60.0
        text += f", {turns:.3g} turns of the shaft"
    return (
        f"{text}; samples as they were taken.",
        f"Acceleration from {found.start_s:.3f} to {found.end_s:.3f} s.",
    )


def _spectrum_caption(analysis: Analysis) -> tuple[str, str]:
    one = next(iter(analysis.spectra.values()))
    text = f"RMS amplitude of each line. {_made(one, 'Hz', 's', analysis)}{_dotted(analysis)}"
    return text, f"Acceleration spectra. {_highest(analysis.spectra, 'g RMS')}"


def _velocity_caption(analysis: Analysis) -> tuple[str, str]:
    one = next(iter(analysis.velocity.values()))
    low, high = _band(analysis)
    text = (
        f"The acceleration spectrum integrated in the frequency domain, from {low:.4g} to "
        f"{high:.4g} Hz; RMS amplitude of each line, frequency on a logarithmic scale. "
        f"{_made(one, 'Hz', 's', analysis)}{_dotted(analysis)}"
    )
    return text, f"Velocity spectra. {_highest(analysis.velocity, 'mm/s RMS')}"


def _highest(spectra: dict[str, Spectrum], unit: str) -> str:
    told = []
    for axis, one in spectra.items():
        top = int(np.argmax(one.mean_square))
        told.append(
            f"Highest line of axis {axis}: {one.amplitude[top]:.3g} {unit} at "
            f"{one.frequency[top]:.4g} Hz."
        )
    return " ".join(told)


def _dotted(analysis: Analysis) -> str:
    return "" if analysis.stretch.speed_rpm is None else " Dotted: 1x and 2x of the shaft."


def _made(one: Spectrum, unit: str, of: str, analysis: Analysis) -> str:
    """Window, averages and resolution, as every spectrum's caption has them."""
    overlap = ", overlapping by half" if one.averages > 1 else ""
    averages = "1 segment" if one.averages == 1 else f"mean of {one.averages} segments"
    return (
        f"{_span(analysis)[0].upper() + _span(analysis)[1:]}. Hann window, {averages} of "
        f"{one.length:.4g} {of}{overlap}; resolution {one.resolution:.3g} {unit}, noise bandwidth "
        f"{HANN_BANDWIDTH * one.resolution:.3g} {unit}; segments padded to {PADDING} times their "
        "length, so that a sine between two lines reads at most 0.3 % low."
    )


def _span(analysis: Analysis) -> str:
    stretch = analysis.stretch
    return f"from {stretch.start_s:.2f} to {stretch.end_s:.2f} s"


def _envelope_caption(analysis: Analysis) -> tuple[str, str]:
    found = analysis.envelope
    assert found is not None
    band = found.band
    in_orders = found.speed_hz is not None
    text = (
        f"Axis {found.axis}, band-pass from {band.low_hz:.0f} to {band.high_hz:.0f} Hz "
        f"({band.why}), magnitude of the analytic signal (Hilbert transform); RMS amplitude of "
        "each line of it. "
    )
    if in_orders:
        text += f"At equal angles of the shaft; its speed is {analysis.measurement.speed_from}. "
    text += _made(
        found.spectrum, "orders" if in_orders else "Hz", "turns" if in_orders else "s", analysis
    )
    if in_orders and analysis.measurement.bearing is not None:
        text += (
            " Above: the shaft's harmonics, and those of the cage (FTF), a ball's spin (BSF; a "
            "ball's fault shows at 2 and 4), the outer race (BPFO) and the inner race (BPFI); each "
            f"band allows for slip, ±{100 * faults.SLIP:g} %. A spot that passes through the load "
            "has lines beside its own: once a turn (1x) on the inner race, once a cage turn (FTF) "
            "on a ball."
        )
    top = int(np.argmax(found.spectrum.mean_square))
    at = found.spectrum.frequency[top]
    alt = (
        f"Envelope spectrum of axis {found.axis}. Highest line: "
        f"{found.spectrum.amplitude[top]:.3g} g RMS at {at:.4g} "
        f"{'orders' if in_orders else 'Hz'}."
    )
    return text, alt


def _waterfall_text(one: Waterfall, unit: str, of: str) -> str:
    return (
        f"Hann window, segments of {one.length:.3g} {of} overlapping by half, averaged in each "
        f"row; resolution {one.resolution:.3g} {unit}, the highest line in each column of "
        f"{one.frequency[1] - one.frequency[0]:.3g} {unit}. Colour is RMS amplitude, logarithmic; "
        "white: too little waveform there."
    )


def _over_time_map(analysis: Analysis) -> tuple[str, str]:
    one = analysis.over_time
    assert one is not None
    rows = len(one.edges) - 1
    text = (
        f"Axis {analysis.axis}, {rows} rows of "
        f"{_seconds(float(one.edges[1] - one.edges[0]))}. {_waterfall_text(one, 'Hz', 's')}"
    )
    return text, f"A map of the acceleration's amplitude over frequency and time. {_top(one)}"


def _over_speed_map(analysis: Analysis) -> tuple[str, str]:
    one = analysis.over_speed
    assert one is not None
    step = float(one.edges[1] - one.edges[0])
    text = (
        f"Axis {analysis.axis}, each row {step:.3g} rpm. {_waterfall_text(one, 'Hz', 's')} "
        "Dashed: what follows the speed of the shaft; what stands upright does not."
    )
    return text, f"A map of the acceleration's amplitude over frequency and speed. {_top(one)}"


def _envelope_map(analysis: Analysis) -> tuple[str, str]:
    one, found = analysis.envelope_over_time, analysis.envelope
    assert one is not None
    assert found is not None
    text = (
        f"Axis {found.axis}, carriers from {found.band.low_hz:.0f} to {found.band.high_hz:.0f} Hz, "
        f"at equal angles of the shaft; rows of "
        f"{_seconds(float(one.edges[1] - one.edges[0]))}. {_waterfall_text(one, 'orders', 'turns')}"
    )
    return text, f"A map of the envelope's amplitude over orders and time. {_top(one)}"


def _top(one: Waterfall) -> str:
    row, column = np.unravel_index(int(np.nanargmax(one.amplitude)), one.amplitude.shape)
    at = 0.5 * (one.frequency[column] + one.frequency[column + 1])
    return f"Highest: {one.amplitude[row, column]:.3g} g RMS at {at:.4g} (row {row + 1})."


def _seconds(duration_s: float) -> str:
    if duration_s >= 5400.0:
        return f"{duration_s / 3600.0:.2f} h"
    if duration_s >= 600.0:
        return f"{duration_s / 60.0:.1f} min"
    if duration_s >= 1.0:
        return f"{duration_s:.2f} s"
    return f"{1000.0 * duration_s:.3g} ms"


_CAPTIONS = {
    "vibration": _vibration_caption,
    "machine": _machine_caption,
    "waveform": _waveform_caption,
    "detail": _detail_caption,
    "spectrum": _spectrum_caption,
    "velocity": _velocity_caption,
    "envelope": _envelope_caption,
    "envelope-over-time": _envelope_map,
    "over-time": _over_time_map,
    "over-speed": _over_speed_map,
}
