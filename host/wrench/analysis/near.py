"""The analysed stretch: a few turns of its waveform, spectra, and the envelope's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from wrench.analysis import faults
from wrench.analysis.envelope import Band, by_turns, choose_band, envelope
from wrench.analysis.measurement import Part, Piece, Waveform, parts
from wrench.analysis.result import (
    Analysis,
    Choices,
    Detail,
    EnvelopeResult,
    Overall,
    samples_per_turn,
    velocity_band,
)
from wrench.analysis.shaft import Shaft
from wrench.analysis.spectrum import Spectrum, segment_samples, welch
from wrench.errors import ReportError

LEAST_SAMPLES = 16
"""Fewer are no spectrum."""
NYQUIST = 0.45
"""Of the rate: nothing above it is believed."""
_MOST_SAMPLES = 1 << 22
_SEGMENT_S = 2.0
_SEGMENT_TURNS = 20.0
_LONGEST_SEGMENT_S = 20.0
_ENVELOPE_TURNS = 60.0
_WIDEST_SEGMENT = 1 << 16
_DETAIL_TURNS = 6.0
_DETAIL_S = 0.15
_SHOWN_ORDERS = 3.3
_SHOWN_WITHOUT_BEARING = 20.0
_COARSE_ORDERS = 0.1


class Near:
    """The analysed stretch: detail, spectra, envelope."""

    def __init__(self, result: Analysis, waveform: Waveform, choices: Choices) -> None:
        self._result = result
        self._waveform = waveform
        self._choices = choices
        self._rate_hz = waveform.rate_hz
        speed = result.measurement.speed_rpm
        turning = result.stretch.speed_rpm is not None
        self._shaft = Shaft(speed) if speed is not None and turning else None
        self._runs: dict[str, list[Part]] = {}

    def look(self) -> None:
        """Fill the result in."""
        result = self._result
        self._read()
        if not any(self._runs.values()):
            result.axis = self._choices.axis or self._waveform.axes[0]
            result.missing.append("No sample of the waveform lies in the analysed stretch.")
            return
        result.axis = self._choices.axis or max(self._runs, key=self._rms)
        for axis, runs in self._runs.items():
            if (overall := _overall(runs)) is not None:
                result.overall[axis] = overall
                if not overall.rms_g > 0.0:
                    result.missing.append(
                        f"Axis {axis} stays at {overall.mean_g:+.3f} g all through the analysed "
                        "stretch: its sensor is dead, or not connected."
                    )
        self._cut_detail()
        self._spectra()
        self._envelope()

    def _read(self) -> None:
        axes = self._waveform.axes
        if self._choices.axis is not None and self._choices.axis not in axes:
            raise ReportError(
                f"{self._result.measurement.source} has no axis {self._choices.axis!r}; "
                f"choose one of: {', '.join(axes)}"
            )
        stretch = self._result.stretch
        most_s = _MOST_SAMPLES / self._rate_hz
        if stretch.end_s - stretch.start_s > most_s:
            stretch = replace(
                stretch,
                start_s=stretch.end_s - most_s,
                why=f"{stretch.why}, of which the last {most_s:.0f} s",
            )
            self._result.stretch = stretch
        pieces = list(self._waveform.pieces(stretch.start_s, stretch.end_s))
        for number, axis in enumerate(axes):
            self._runs[axis] = _runs(pieces, number, self._rate_hz)

    def _rms(self, axis: str) -> float:
        runs = self._runs[axis]
        count = sum(len(run.values) for run in runs)
        if not count:
            return -1.0
        mean = sum(float(np.sum(run.values)) for run in runs) / count
        return sum(float(np.sum((run.values - mean) ** 2)) for run in runs) / count

    def _cut_detail(self) -> None:
        """Around the largest peak of the axis shown."""
        runs = self._runs[self._result.axis]
        if not runs:
            return
        tops = [int(np.argmax(np.abs(run.values - np.mean(run.values)))) for run in runs]
        heights = [
            float(np.abs(run.values - np.mean(run.values))[top])
            for run, top in zip(runs, tops, strict=True)
        ]
        best = int(np.argmax(heights))
        run, top = runs[best], tops[best]
        speed = self._result.stretch.speed_rpm
        span_s = _DETAIL_S if speed is None else _DETAIL_TURNS * 60.0 / speed
        middle_s = run.start_s + top / self._rate_hz
        begin_s = max(run.start_s, min(middle_s - 0.5 * span_s, run.end_s - span_s))
        end_s = min(run.end_s, begin_s + span_s)
        cut = {
            axis: found
            for axis, axis_runs in self._runs.items()
            if (found := _cut(axis_runs, begin_s, end_s, self._rate_hz)) is not None
        }
        if cut:
            self._result.detail = Detail(begin_s, end_s, cut)

    def _spectra(self) -> None:
        result, rate_hz = self._result, self._rate_hz
        low_hz, high_hz = velocity_band(result)
        for axis, runs in self._runs.items():
            wanted = int(self._segment_s(_SEGMENT_S, _SEGMENT_TURNS) * rate_hz)
            count = segment_samples([len(run.values) for run in runs], wanted)
            spectrum = welch(runs, rate_hz, count) if count >= LEAST_SAMPLES else None
            if spectrum is None:
                continue
            result.spectra[axis] = spectrum
            low = max(low_hz, 2.0 * spectrum.resolution)
            high = min(high_hz, NYQUIST * rate_hz)
            if low < high:
                result.velocity[axis] = spectrum.velocity_mm_s(low, high)
                result.velocity_band_hz = (low, high)
        self._tell_velocity_band(low_hz, high_hz)
        if not result.spectra:
            result.missing.append(
                "The analysed stretch is too short, or too broken, for a spectrum: "
                f"no {LEAST_SAMPLES} samples follow each other."
            )
        elif not result.velocity:
            result.missing.append(
                f"The analysed stretch is too short for a velocity spectrum from {low_hz:g} Hz."
            )

    def _tell_velocity_band(self, low_hz: float, high_hz: float) -> None:
        if self._result.velocity_band_hz is None:
            return
        low, high = self._result.velocity_band_hz
        if low > low_hz:
            self._result.missing.append(
                f"The waveform is too short for velocity from {low_hz:g} Hz: it begins at "
                f"{low:.3g} Hz, and what lies below is not in it."
            )
        if high < high_hz:
            self._result.missing.append(
                f"The sampling rate is too low for velocity to {high_hz:g} Hz: it ends at "
                f"{high:.4g} Hz."
            )

    def _segment_s(self, seconds: float, turns: float) -> float:
        speed = self._result.stretch.speed_rpm
        wanted_s = seconds if speed is None else max(seconds, turns * 60.0 / speed)
        return min(wanted_s, _LONGEST_SEGMENT_S, _WIDEST_SEGMENT / self._rate_hz)

    def _band(self, runs: Sequence[Part]) -> Band | None:
        vibration = self._result.measurement.board and self._result.measurement.board.vibration
        half_hz = 0.5 * self._rate_hz
        if self._choices.band_hz is not None:
            low_hz, high_hz = self._choices.band_hz
            if high_hz > half_hz:
                raise ReportError(
                    f"--band ends at {high_hz:g} Hz, above half the rate ({half_hz:g} Hz); "
                    "choose a lower end"
                )
            return Band(low_hz, high_hz, "as asked for")
        if vibration and vibration.envelope_low_hz and vibration.envelope_high_hz:
            high_hz = min(float(vibration.envelope_high_hz), 2 * NYQUIST * half_hz)
            if vibration.envelope_low_hz < high_hz:
                return Band(float(vibration.envelope_low_hz), high_hz, "as the board file has it")
        bearing = self._result.measurement.bearing
        least_hz = 0.1 * half_hz
        if self._result.stretch.speed_rpm is not None:
            highest = max(faults.fundamental_orders(bearing).values()) if bearing else 5.0
            least_hz = 3.0 * highest * self._result.stretch.speed_rpm / 60.0
        return choose_band(runs, self._rate_hz, least_hz)

    def _envelope(self) -> None:
        result = self._result
        runs = self._runs[result.axis]
        band = self._band(runs)
        if band is None:
            result.missing.append("The analysed stretch is too short for an envelope spectrum.")
            return
        found = [one for run in runs if (one := envelope(run, self._rate_hz, band)) is not None]
        if not found:
            result.missing.append(
                f"The analysed stretch is too short for the envelope of {band.low_hz:.0f} to "
                f"{band.high_hz:.0f} Hz."
            )
            return
        speed_hz = None
        spectrum = None
        if self._shaft is not None and result.stretch.speed_rpm is not None:
            speed_hz = result.stretch.speed_rpm / 60.0
            spectrum = self._over_orders(found, band, speed_hz)
        if spectrum is None:
            speed_hz = None
            spectrum = self._over_hz(found)
        if spectrum is None:
            result.missing.append("The analysed stretch is too short for an envelope spectrum.")
            return
        bearing = result.measurement.bearing
        widest = band.width_hz / speed_hz if speed_hz else band.width_hz
        shown = widest
        if speed_hz:
            orders = faults.fundamental_orders(bearing)
            most = _SHOWN_ORDERS * max(orders.values()) if bearing else _SHOWN_WITHOUT_BEARING
            shown = min(widest, most)
        spectrum = spectrum.within(0.0, shown)
        if speed_hz and spectrum.resolution > _COARSE_ORDERS:
            result.missing.append(
                f"The waveform's pieces are short: lines of the envelope closer than "
                f"{3.0 * spectrum.resolution:.2g} orders cannot be told from each other."
            )
        readings = []
        if speed_hz:
            marks = faults.marks(bearing)
            readings = [one for mark in marks if (one := faults.read(spectrum, mark)) is not None]
            if low := [mark.name for mark in marks if faults.is_too_low(spectrum, mark)]:
                result.missing.append(
                    f"Not enough turns of the shaft in one piece for {', '.join(low)}: segments of "
                    f"{spectrum.length:.3g} turns show nothing below "
                    f"{2.0 * spectrum.resolution:.2g} orders."
                )
        result.envelope = EnvelopeResult(
            result.axis, band, spectrum, speed_hz, shown, tuple(readings)
        )

    def _over_orders(
        self, found: Sequence[tuple[Part, float]], band: Band, speed_hz: float
    ) -> Spectrum | None:
        assert self._shaft is not None
        per_turn = samples_per_turn(band, self._result.stretch)
        turned = [by_turns(part, rate, self._shaft, per_turn) for part, rate in found]
        runs = [part for part in turned if part is not None]
        turns = self._segment_s(_SEGMENT_S, _ENVELOPE_TURNS) * speed_hz
        count = segment_samples([len(part.values) for part in runs], int(turns * per_turn))
        return welch(runs, per_turn, count) if count >= LEAST_SAMPLES else None

    def _over_hz(self, found: Sequence[tuple[Part, float]]) -> Spectrum | None:
        # Each run's rate differs by what rounding its length to the Fourier transform's did.
        longest = max(found, key=lambda one: len(one[0].values))
        rate_hz = longest[1]
        runs = [part for part, rate in found if abs(rate / rate_hz - 1.0) < 1e-3]
        wanted = int(self._segment_s(_SEGMENT_S, 0.0) * rate_hz)
        count = segment_samples([len(part.values) for part in runs], wanted)
        return welch(runs, rate_hz, count) if count >= LEAST_SAMPLES else None


def _overall(runs: Sequence[Part]) -> Overall | None:
    count = sum(len(run.values) for run in runs)
    if count < LEAST_SAMPLES:
        return None
    mean = sum(float(np.sum(run.values)) for run in runs) / count
    square = sum(float(np.sum((run.values - mean) ** 2)) for run in runs) / count
    if not square > 0.0:
        return Overall(mean, 0.0, 0.0, float("nan"), float("nan"))
    fourth = sum(float(np.sum((run.values - mean) ** 4)) for run in runs) / count
    peak = max(float(np.max(np.abs(run.values - mean))) for run in runs)
    return Overall(mean, square**0.5, peak, peak / square**0.5, fourth / square**2)


def _runs(pieces: Iterable[Piece], axis: int, rate_hz: float) -> list[Part]:
    """One axis of pieces that continue each other, put together."""
    runs: list[list[Part]] = []
    for piece in pieces:
        for part in parts(piece, axis):
            if runs and abs(part.start_s - runs[-1][-1].end_s) < 0.5 / rate_hz:
                runs[-1].append(part)
            else:
                runs.append([part])
    return [
        run[0]
        if len(run) == 1
        else Part(run[0].start_s, run[-1].end_s, np.concatenate([part.values for part in run]))
        for run in runs
    ]


def _cut(runs: Sequence[Part], begin_s: float, end_s: float, rate_hz: float) -> Part | None:
    for run in runs:
        first = max(0, round((begin_s - run.start_s) * rate_hz))
        after = min(len(run.values), round((end_s - run.start_s) * rate_hz))
        if after - first >= 2:
            start_s = run.start_s + first / rate_hz
            return Part(start_s, start_s + (after - first) / rate_hz, run.values[first:after])
    return None
