"""A measurement to everything that a report shows, in two readings of it and bounded memory.

The stretch that spectra are made of is read first: it decides the axis and the envelope's band.
Then the whole is read, piece by piece, for what goes over time.
"""

from __future__ import annotations

from wrench.analysis import trend
from wrench.analysis.far import Far
from wrench.analysis.measurement import Measurement, Series
from wrench.analysis.near import Near
from wrench.analysis.result import Analysis, Choices
from wrench.analysis.shaft import find_stretch
from wrench.errors import ReportError


def analyse(measurement: Measurement, choices: Choices | None = None) -> Analysis:
    """Everything that a report shows of a measurement.

    Raises ReportError where `choices` ask for what is not in it.
    """
    choices = choices or Choices()
    start_s, end_s = _range(measurement, choices)
    stretch = find_stretch(measurement, choices.start_s, choices.end_s)
    result = Analysis(measurement, start_s, end_s, stretch, missing=list(measurement.missing))
    waveform = measurement.waveform
    computed: dict[str, dict[str, Series]] = {}
    if waveform is None:
        if choices.axis is not None or choices.band_hz is not None:
            raise ReportError(
                f"{measurement.source} has no waveform to choose an axis or a band of; "
                "leave --axis and --band out"
            )
    else:
        Near(result, waveform, choices).look()
        computed = Far(result, waveform).look()
    result.panels = trend.panels(measurement, computed)
    _tell_missing(result)
    return result


def look_over(measurement: Measurement, choices: Choices) -> Analysis:
    """The stretch, and the waveform of the whole time without anything computed of it."""
    result = look_at(measurement, choices)
    if measurement.waveform is not None:
        Far(result, measurement.waveform, maps=False).look()
    return result


def look_at(measurement: Measurement, choices: Choices) -> Analysis:
    """The stretch alone, without what goes over the whole time: quick, for a screen."""
    start_s, end_s = _range(measurement, choices)
    stretch = find_stretch(measurement, choices.start_s, choices.end_s)
    result = Analysis(measurement, start_s, end_s, stretch)
    if measurement.waveform is not None:
        Near(result, measurement.waveform, choices).look()
    return result


def _range(measurement: Measurement, choices: Choices) -> tuple[float, float]:
    start_s = 0.0 if choices.start_s is None else choices.start_s
    end_s = measurement.duration_s if choices.end_s is None else choices.end_s
    if start_s >= measurement.duration_s:
        raise ReportError(
            f"--from {start_s:g} s is beyond the end of {measurement.source} "
            f"({measurement.duration_s:.3f} s); choose an earlier time"
        )
    if end_s <= start_s:
        raise ReportError(
            f"--to {end_s:g} s is not after --from {start_s:g} s; choose a later time"
        )
    return start_s, min(end_s, measurement.duration_s)


def _tell_missing(result: Analysis) -> None:
    """What is not there, and what would bring it."""
    measurement, tell = result.measurement, result.missing.append
    if measurement.waveform is None:
        tell("No waveform: spectra, envelope and waterfalls are left out.")
    speed = measurement.speed_rpm
    if speed is None or not speed.is_known:
        tell(
            "No speed of the shaft: neither orders nor fault frequencies are marked; "
            "--rpm tells it where it was constant."
        )
    elif result.stretch.speed_rpm is None:
        tell("The shaft does not turn in the analysed stretch: no fault frequencies are marked.")
    if measurement.bearing is None:
        tell(
            "No geometry of the bearing: no fault frequencies are marked; --board or --bearing "
            "tells it."
        )
    if measurement.waveform is not None and result.spectra and result.over_time is None:
        tell("The recording is too short for a waterfall.")
    for axis, count in result.bad_samples.items():
        which = "All" if count == result.samples else f"{count:,}"
        tell(f"{which} samples of axis {axis} are no numbers and are left out.")
    if not measurement.trends:
        if result.panels:
            tell(
                "No readings of a board: neither temperatures, current nor supply; vibration over "
                "time is computed from the waveform."
            )
        else:
            tell("No readings of a board, and too little waveform for a trend.")
    inside = [it for it in measurement.happenings if result.start_s <= it.time_s <= result.end_s]
    if not inside:
        tell("No events in what is shown.")
