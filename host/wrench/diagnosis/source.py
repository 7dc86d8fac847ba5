"""A measurement, whatever file it comes from, as a window for the diagnosis."""

from __future__ import annotations

import numpy as np

from wrench.analysis.measurement import Measurement, Series, longest_run
from wrench.analysis.shaft import find_stretch
from wrench.diagnosis.window import MOST_S, Window
from wrench.errors import ReportError


def window_of(
    measurement: Measurement,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    axis: str | None = None,
) -> tuple[Window, float]:
    """The stretch of a measurement that is judged, and when it begins in s: the longest without a
    gap of the steady speed (see `find_stretch`), at most 20 s of its end.

    Raises ReportError where there is no waveform, or no such axis.
    """
    waveform = measurement.waveform
    if waveform is None:
        raise ReportError(
            f"{measurement.source} has no waveform to judge; record one with `wrench capture`"
        )
    if axis is not None and axis not in waveform.axes:
        raise ReportError(
            f"{measurement.source} has no axis {axis}; choose one of {', '.join(waveform.axes)}"
        )
    stretch = find_stretch(measurement, start_s, end_s)
    begin_s = stretch.start_s
    if start_s is None and end_s is None:
        begin_s = max(begin_s, stretch.end_s - 3.0 * MOST_S)
    run = longest_run(waveform.pieces(begin_s, stretch.end_s), waveform.rate_hz)
    if not run:
        raise ReportError(
            f"{measurement.source} has no samples between {begin_s:g} s and {stretch.end_s:g} s; "
            "choose another stretch with --from and --to"
        )
    values = np.concatenate([one.acceleration_g for one in run])
    first_s = run[0].start_s
    most = int(MOST_S * waveform.rate_hz)
    if len(values) > most:
        first_s += (len(values) - most) / waveform.rate_hz
        values = values[-most:]
    axes = waveform.axes
    if axis is not None:
        values, axes = values[:, [axes.index(axis)]], (axis,)
    speed = _speed(measurement.speed_rpm, first_s, first_s + len(values) / waveform.rate_hz)
    return Window(values, waveform.rate_hz, axes, speed), first_s


def _speed(speed: Series | None, start_s: float, end_s: float) -> float | Series | None:
    """The speed over seconds since the window's first sample; one number where it is constant."""
    if speed is None or not speed.is_known:
        return None
    near = speed.within(start_s - 5.0, end_s + 5.0)
    known = np.isfinite(near.value)
    if not known.any():
        return None
    values = near.value[known]
    if float(np.ptp(values)) == 0.0:
        return float(values[0])
    return Series(near.time_s[known] - start_s, values)
