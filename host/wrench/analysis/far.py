"""The whole measurement, piece by piece: what goes over time, and over the speed."""

from __future__ import annotations

import numpy as np

from wrench.analysis.envelope import by_turns, envelope
from wrench.analysis.measurement import FloatArray, Part, Piece, Series, Waveform, parts
from wrench.analysis.near import LEAST_SAMPLES, NYQUIST
from wrench.analysis.overview import Extremes
from wrench.analysis.result import Analysis, Gap, samples_per_turn, velocity_band
from wrench.analysis.shaft import Shaft
from wrench.analysis.trend import Windowed
from wrench.analysis.waterfall import Stack, Waterfall

_ROWS = 180
_LEAST_ROWS = 4
_SPEED_ROWS = 40
_SPEED_SEGMENT_S = 0.25
_CHANGES = 0.05
_TREND_WINDOWS = 400


class Far:
    """The whole: extremes and gaps; with `maps` also trends that the file lacks, and waterfalls."""

    def __init__(self, result: Analysis, waveform: Waveform, *, maps: bool = True) -> None:
        self._result = result
        self._waveform = waveform
        rate_hz = waveform.rate_hz
        span_s = result.end_s - result.start_s
        result.extremes = {axis: Extremes(result.start_s, result.end_s) for axis in waveform.axes}
        self._main = waveform.axes.index(result.axis)
        self._windows = self._trend_windows(span_s) if maps else {}
        spectrum = result.spectra.get(result.axis)
        self._time_stack: Stack | None = None
        self._speed_stack: Stack | None = None
        self._envelope_stack: Stack | None = None
        speed = result.measurement.speed_rpm
        known = speed is not None and Shaft(speed).is_known
        self._shaft = Shaft(speed) if speed is not None and known else None
        if spectrum is None or not maps:
            return
        segment_s = min(spectrum.length, max(0.05, min(1.0, span_s / 40.0)))
        count = max(LEAST_SAMPLES, int(segment_s * rate_hz))
        self._time_stack = Stack(rate_hz, count, self._rows(count / rate_hz), 0.5 * rate_hz)
        rows = self._speed_rows()
        if rows is not None:
            short = max(LEAST_SAMPLES, min(count, int(_SPEED_SEGMENT_S * rate_hz)))
            self._speed_stack = Stack(rate_hz, short, rows, 0.5 * rate_hz)
        found = result.envelope
        if found is not None and found.speed_hz is not None:
            per_turn = samples_per_turn(found.band, result.stretch)
            turns = min(found.spectrum.length, max(segment_s * found.speed_hz, 20.0))
            count = max(LEAST_SAMPLES, int(turns * per_turn))
            rows = self._rows(count / per_turn / found.speed_hz)
            self._envelope_stack = Stack(per_turn, count, rows, found.shown, spread=True)
            self._per_turn = per_turn

    def look(self) -> dict[str, dict[str, Series]]:
        """Fill the result in; returns trends by key and axis."""
        result, waveform = self._result, self._waveform
        first_s: float | None = None
        last_s = result.start_s
        for piece in waveform.pieces(result.start_s, result.end_s):
            if first_s is None:
                first_s = piece.start_s
            elif piece.start_s - last_s > 1.5 / waveform.rate_hz:
                result.gaps.append(Gap(last_s, piece.start_s))
            last_s = piece.end_s
            result.samples += len(piece.acceleration_g)
            self._take(piece)
        if first_s is not None:
            result.waveform_s = (first_s, last_s)
        if self._time_stack is not None:
            result.over_time = _if_worth(self._time_stack.result())
        if self._speed_stack is not None:
            result.over_speed = _if_worth(self._speed_stack.result())
        if self._envelope_stack is not None:
            result.envelope_over_time = _if_worth(self._envelope_stack.result())
        return self._trends()

    def _take(self, piece: Piece) -> None:
        result = self._result
        bad = np.sum(~np.isfinite(piece.acceleration_g), axis=0)
        for number, axis in enumerate(self._waveform.axes):
            if bad[number]:
                result.bad_samples[axis] = result.bad_samples.get(axis, 0) + int(bad[number])
            for part in parts(piece, number):
                result.extremes[axis].add(part)
                if self._windows:
                    self._windows[axis].add(part)
                if number == self._main:
                    self._stack(part)

    def _stack(self, part: Part) -> None:
        if self._time_stack is not None:
            self._time_stack.add(part)
        if self._speed_stack is not None and self._shaft is not None:
            shaft = self._shaft
            self._speed_stack.add(part, lambda times_s: 60.0 * shaft.speed_hz(times_s))
        found = self._result.envelope
        if self._envelope_stack is None or found is None or self._shaft is None:
            return
        enveloped = envelope(part, self._waveform.rate_hz, found.band)
        if enveloped is None:
            return
        grid_s = np.linspace(enveloped[0].start_s, enveloped[0].end_s, 1 + len(part.values) // 256)
        if len(grid_s) < 2:
            return
        turned = by_turns(*enveloped, self._shaft, self._per_turn)
        if turned is not None:
            turns = self._shaft.turns(grid_s)
            self._envelope_stack.add(turned, lambda middles: np.interp(middles, turns, grid_s))

    def _rows(self, segment_s: float) -> FloatArray:
        result = self._result
        span_s = result.end_s - result.start_s
        rows = max(1, min(_ROWS, int(span_s / max(segment_s, 1e-9))))
        return np.linspace(result.start_s, result.end_s, rows + 1)

    def _speed_rows(self) -> FloatArray | None:
        """Rows over the speed where it changes while the shaft turns."""
        if self._shaft is None:
            return None
        result = self._result
        grid_s = np.linspace(result.start_s, result.end_s, 2000)
        rpm = 60.0 * self._shaft.speed_hz(grid_s)
        turning = rpm[np.isfinite(rpm)]
        if not len(turning):
            return None
        high = float(np.max(turning))
        turning = turning[turning > max(60.0, 0.1 * high)]
        if not len(turning) or high - float(np.min(turning)) < _CHANGES * high:
            return None
        low = float(np.min(turning))
        return np.linspace(low, np.nextafter(high, np.inf), _SPEED_ROWS + 1)

    def _trend_windows(self, span_s: float) -> dict[str, Windowed]:
        """For what the file does not tell by itself."""
        result, rate_hz = self._result, self._waveform.rate_hz
        if result.measurement.trends.get("velocity"):
            return {}
        window_s = max(0.25, min(1.0, span_s / 40.0), span_s / _TREND_WINDOWS)
        spectrum = result.spectra.get(result.axis)
        if spectrum is not None:
            # A window is not longer than the runs of samples usually are.
            window_s = min(window_s, max(spectrum.length, 0.05))
        low_hz, high_hz = velocity_band(result)
        high_hz = min(high_hz, NYQUIST * rate_hz)
        windows = {
            axis: Windowed(rate_hz, window_s, low_hz, high_hz) for axis in self._waveform.axes
        }
        any_axis = windows[result.axis]
        result.computed_window_s = any_axis.count / rate_hz
        if any_axis.low_hz < any_axis.high_hz:
            result.trend_band_hz = (any_axis.low_hz, any_axis.high_hz)
        return windows

    def _trends(self) -> dict[str, dict[str, Series]]:
        found: dict[str, dict[str, Series]] = {}
        for axis, windowed in self._windows.items():
            for key, series in windowed.result().items():
                found.setdefault(key, {})[axis] = series
        if not found:
            self._result.computed_window_s = None
        return found


def _if_worth(waterfall: Waterfall) -> Waterfall | None:
    return waterfall if waterfall.rows_filled >= _LEAST_ROWS else None
