"""How quantities went over time: as the board told them, or computed from the waveform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wrench.analysis.measurement import FloatArray, Measurement, Part, Series
from wrench.analysis.spectrum import Spectrum, lines, mean_squares
from wrench.boards.schema import Board


@dataclass(frozen=True, slots=True)
class Level:
    """A line at `value` in the panel's unit; `name` as "alarm", "limit" or "trip". `falls` where it
    is passed downward."""

    name: str
    value: float
    falls: bool = False


@dataclass(frozen=True)
class Panel:
    """One quantity: its key in QUANTITIES, name, unit ("" for none), lines by name, levels."""

    key: str
    name: str
    unit: str
    lines: Mapping[str, Series]
    levels: tuple[Level, ...] = ()


QUANTITIES = {
    "velocity": ("velocity RMS", "mm/s"),
    "acceleration": ("acceleration RMS", "g"),
    "peak": ("acceleration peak", "g"),
    "crest": ("crest factor", ""),
    "kurtosis": ("kurtosis", ""),
    "envelope": ("envelope RMS", "g"),
    "temperature": ("temperature", "°C"),
    "current": ("motor current", "A"),
    "supply": ("supply", "V"),
    "speed": ("speed", "rpm"),
}
"""What a trend can show: key, name, unit; in the order in which it is shown."""


def panels(measurement: Measurement, computed: Mapping[str, Mapping[str, Series]]) -> list[Panel]:
    """What there is to show, in order. `computed` stands in for what the file does not tell."""
    shown = []
    for key, (name, unit) in QUANTITIES.items():
        lines_of = measurement.trends.get(key) or computed.get(key) or {}
        known = {line: series for line, series in lines_of.items() if series.is_known}
        if known:
            shown.append(Panel(key, name, unit, known, tuple(levels(measurement.board, key))))
    return shown


def levels(board: Board | None, key: str) -> list[Level]:
    """The levels of the board file for a quantity, by its key in QUANTITIES."""
    if board is None:
        return []
    protection = board.protection
    vibration = protection.vibration
    found: list[tuple[str, float | None]] = []
    falling: list[tuple[str, float | None]] = []
    if key == "velocity":
        found = [
            ("alarm", vibration.velocity_alarm_mm_s),
            ("limit", vibration.velocity_limit_mm_s),
            ("trip", vibration.velocity_trip_mm_s),
        ]
    elif key == "peak":
        found = [
            ("alarm", vibration.acceleration_peak_alarm_g),
            ("limit", vibration.acceleration_peak_limit_g),
            ("trip", vibration.acceleration_peak_trip_g),
        ]
    elif key == "crest":
        found = [
            ("alarm", vibration.crest_alarm),
            ("limit", vibration.crest_limit),
            ("trip", vibration.crest_trip),
        ]
    elif key == "envelope":
        found = [
            ("alarm", vibration.envelope_alarm_g),
            ("limit", vibration.envelope_limit_g),
            ("trip", vibration.envelope_trip_g),
        ]
    elif key == "current" and protection.current is not None:
        current = protection.current
        found = [("alarm", current.alarm_a), ("limit", current.limit_a), ("trip", current.trip_a)]
    elif key == "temperature":
        places = {
            "bearing": protection.temperatures.bearing,
            "driver": protection.temperatures.driver,
        }
        for place, limits in places.items():
            if limits is not None:
                found += [
                    (f"{place} alarm", limits.alarm_degc),
                    (f"{place} limit", limits.limit_degc),
                    (f"{place} trip", limits.trip_degc),
                ]
    elif key == "supply":
        several = len(protection.supplies) > 1
        for name, supply in sorted(protection.supplies.items()):
            prefix = f"{name} " if several else ""
            falling += [
                (f"{prefix}alarm", supply.low_alarm_v),
                (f"{prefix}limit", supply.low_limit_v),
                (f"{prefix}trip", supply.low_trip_v),
            ]
            found.append((f"{prefix}trip", supply.high_trip_v))
    elif key == "speed":
        found.append(("derate cap", board.motor.derate_cap * board.motor.rated_speed_rpm))
        if protection.speed is not None:
            found.append(("trip", float(protection.speed.over_trip_rpm)))
    return [
        Level(name, value, falls)
        for some, falls in ((found, False), (falling, True))
        for name, value in some
        if value is not None
    ]


class Windowed:
    """Features of one axis in windows of `window_s`, from its waveform.

    Acceleration RMS, peak, crest factor and kurtosis are of what is left without the window's mean.
    Velocity RMS is integrated from a Hann window's lines, in the band from `low_hz`, or from the
    second line of a window where that is higher, to `high_hz`.
    """

    def __init__(self, rate_hz: float, window_s: float, low_hz: float, high_hz: float) -> None:
        self.count = max(8, round(window_s * rate_hz))
        self._rate_hz = rate_hz
        self.low_hz = max(low_hz, 2.0 * rate_hz / self.count)
        self.high_hz = high_hz
        self._lines = lines(rate_hz, self.count)
        self._found: list[FloatArray] = []
        self._held = np.empty(0)
        self._held_end = -np.inf

    def add(self, part: Part) -> None:
        """Take a part; what does not fill a window waits for the next one."""
        if abs(part.start_s - self._held_end) > 0.5 / self._rate_hz:
            self._held = np.empty(0)
        data = np.concatenate([self._held, part.values])
        begin_s = part.end_s - len(data) / self._rate_hz
        number = len(data) // self.count
        self._held, self._held_end = data[number * self.count :], part.end_s
        step = max(1, (1 << 18) // self.count)
        for at in range(0, number, step):
            after = min(number, at + step)
            windows = data[at * self.count : after * self.count].reshape(-1, self.count)
            ends = begin_s + np.arange(at + 1, after + 1) * self.count / self._rate_hz
            self._found.append(np.column_stack([ends, *self._features(windows)]))

    def result(self) -> dict[str, Series]:
        """By the keys of QUANTITIES; a window's time is its end. Empty where no window was full."""
        if not self._found:
            return {}
        table = np.concatenate(self._found)
        keys = ("acceleration", "peak", "crest", "kurtosis", "velocity")
        return {key: Series(table[:, 0], table[:, at]) for at, key in enumerate(keys, 1)}

    def _features(self, windows: FloatArray) -> list[FloatArray]:
        alternating = windows - np.mean(windows, axis=1, keepdims=True)
        square = np.mean(alternating**2, axis=1)
        rms = np.sqrt(square)
        peak = np.max(np.abs(alternating), axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            crest = np.where(rms > 0.0, peak / rms, np.nan)
            fourth = np.mean(alternating**4, axis=1)
            kurtosis = np.where(rms > 0.0, fourth / square**2, np.nan)
        if self.high_hz <= self.low_hz:
            return [rms, peak, crest, kurtosis, np.full(len(rms), np.nan)]
        length_s = self.count / self._rate_hz
        velocity = np.empty(len(rms))
        few = max(1, (1 << 18) // len(self._lines))
        for at in range(0, len(windows), few):
            for row, squares in enumerate(mean_squares(windows[at : at + few]), at):
                spectrum = Spectrum(self._lines, squares, length_s, 1)
                band = spectrum.velocity_mm_s(self.low_hz, self.high_hz)
                velocity[row] = band.rms(self.low_hz, self.high_hz)
        return [rms, peak, crest, kurtosis, velocity]
