"""The numbers of an analysis as plain values, for programs."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from wrench.analysis.result import Analysis
from wrench.reporting import figures
from wrench.reporting.event_text import happened, meaning
from wrench.reporting.standing import standing_at


def summary(analysis: Analysis) -> dict[str, Any]:
    """What a report tells, as JSON takes it; what is not known is None."""
    measurement, stretch = analysis.measurement, analysis.stretch
    stood = standing_at(measurement, analysis.start_s)
    waveform = measurement.waveform
    losses = measurement.losses
    return {
        "source": measurement.source,
        "identity": dict(measurement.identity),
        "began": None if measurement.began is None else measurement.began.isoformat(),
        "device_time_at_start_s": measurement.device_start_s,
        "duration_s": measurement.duration_s,
        "shown_s": [analysis.start_s, analysis.end_s],
        "missing": analysis.missing,
        "notes": list(measurement.notes),
        "losses": None if losses is None else {loss.what: loss.count for loss in losses},
        "waveform": None
        if waveform is None
        else {
            "axes": list(waveform.axes),
            "rate_hz": waveform.rate_hz,
            "samples": analysis.samples,
            "samples_not_numbers": analysis.bad_samples,
            "from_to_s": None if analysis.waveform_s is None else list(analysis.waveform_s),
            "gaps_s": [[gap.start_s, gap.end_s] for gap in analysis.gaps],
        },
        "stretch": {
            "from_to_s": [stretch.start_s, stretch.end_s],
            "why": stretch.why,
            "speed_rpm": stretch.speed_rpm,
            "speed_from": None if stretch.speed_rpm is None else measurement.speed_from,
        },
        "axis": analysis.axis or None,
        "overall": {axis: _overall(analysis, axis) for axis in analysis.overall},
        "velocity_band_hz": analysis.velocity_band_hz,
        "envelope": _envelope(analysis),
        "at_start": None if stood is None else asdict(stood),
        "events": [
            {
                "number": number,
                "at_s": event.time_s,
                "event": happened(event),
                "means": meaning(event),
                "name": event.name,
                "detail": event.detail,
                "value": event.value,
            }
            for number, event in figures.shown_events(analysis)
        ],
    }


def _overall(analysis: Analysis, axis: str) -> dict[str, float | None]:
    one = analysis.overall[axis]
    velocity = analysis.velocity.get(axis)
    band = analysis.velocity_band_hz
    return {
        "velocity_rms_mm_s": None if velocity is None or band is None else velocity.rms(*band),
        "acceleration_rms_g": one.rms_g,
        "peak_g": one.peak_g,
        "crest": _known(one.crest),
        "kurtosis": _known(one.kurtosis),
        "mean_g": one.mean_g,
    }


def _envelope(analysis: Analysis) -> dict[str, Any] | None:
    found = analysis.envelope
    if found is None:
        return None
    return {
        "axis": found.axis,
        "band_hz": [found.band.low_hz, found.band.high_hz],
        "band_why": found.band.why,
        "unit": "Hz" if found.speed_hz is None else "order",
        "resolution": found.spectrum.resolution,
        "averages": found.spectrum.averages,
        "readings": [
            {
                "mark": one.mark.name,
                "order": one.mark.order,
                "band": [one.mark.low, one.mark.high],
                "found_order": one.order,
                "amplitude_g": one.amplitude,
                "around_g": one.around,
                "is_peak": one.is_peak,
            }
            for one in found.readings
        ],
    }


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None
