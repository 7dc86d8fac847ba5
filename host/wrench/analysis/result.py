"""What an analysis has found: everything that a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

from wrench.analysis import faults
from wrench.analysis.envelope import Band
from wrench.analysis.measurement import Measurement, Part
from wrench.analysis.overview import Extremes
from wrench.analysis.shaft import Stretch
from wrench.analysis.spectrum import Spectrum
from wrench.analysis.trend import Panel
from wrench.analysis.waterfall import Waterfall

_SLOW_RPM = 600.0


@dataclass(frozen=True)
class Choices:
    """What a person may choose; None leaves it to the analysis.

    `start_s` and `end_s` are seconds since the measurement began, `axis` is one of its axes,
    `band_hz` the envelope's.
    """

    start_s: float | None = None
    end_s: float | None = None
    axis: str | None = None
    band_hz: tuple[float, float] | None = None


@dataclass(frozen=True)
class Gap:
    """No waveform in start_s <= time < end_s."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class EnvelopeResult:
    """The spectrum of the envelope of one axis, in g.

    It is over orders, `speed_hz` turns a second being their unit, where the speed is known; over
    Hz, and `speed_hz` None, where it is not. `shown` is how far it is worth drawing.
    """

    axis: str
    band: Band
    spectrum: Spectrum
    speed_hz: float | None
    shown: float
    readings: tuple[faults.Reading, ...]


@dataclass(frozen=True)
class Detail:
    """A few turns of the waveform, each axis as a part."""

    start_s: float
    end_s: float
    axes: Mapping[str, Part]


@dataclass(frozen=True)
class Overall:
    """One axis over the analysed stretch: all but `mean_g` of what is left without the mean."""

    mean_g: float
    rms_g: float
    peak_g: float
    crest: float
    kurtosis: float


@dataclass
class Analysis:
    """What a report shows. What could not be made is None or empty, and `missing` says why.

    `axis` is the one that a single axis is shown of. `waveform_s` is when the waveform begins and
    ends, `gaps` lie between; `bad_samples` are those that are no numbers, by axis.
    `velocity_band_hz` is that of the velocity's spectra, `trend_band_hz` that of a trend computed
    here, None where the board told it.
    """

    measurement: Measurement
    start_s: float
    end_s: float
    stretch: Stretch
    axis: str = ""
    extremes: dict[str, Extremes] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    waveform_s: tuple[float, float] | None = None
    samples: int = 0
    bad_samples: dict[str, int] = field(default_factory=dict)
    detail: Detail | None = None
    overall: dict[str, Overall] = field(default_factory=dict)
    spectra: dict[str, Spectrum] = field(default_factory=dict)
    velocity: dict[str, Spectrum] = field(default_factory=dict)
    velocity_band_hz: tuple[float, float] | None = None
    envelope: EnvelopeResult | None = None
    over_time: Waterfall | None = None
    over_speed: Waterfall | None = None
    envelope_over_time: Waterfall | None = None
    panels: list[Panel] = field(default_factory=list)
    computed_window_s: float | None = None
    trend_band_hz: tuple[float, float] | None = None
    missing: list[str] = field(default_factory=list)


def velocity_band(result: Analysis) -> tuple[float, float]:
    """Of the velocity RMS, in Hz: the board file's, else 10 to 1,000, from 2 below 600 rpm."""
    board = result.measurement.board
    if board is not None:
        return float(board.vibration.band_low_hz), float(board.vibration.band_high_hz)
    speed = result.stretch.speed_rpm
    return (2.0 if speed is not None and speed < _SLOW_RPM else 10.0), 1000.0


def samples_per_turn(band: Band, stretch: Stretch) -> float:
    """Enough for all that the envelope of a band has in it, at the lowest speed of a stretch that
    is not below a third of its mean."""
    assert stretch.speed_rpm is not None
    lowest = max(stretch.lowest_rpm or stretch.speed_rpm, stretch.speed_rpm / 3.0)
    return float(ceil(2.5 * band.width_hz / (lowest / 60.0)))
