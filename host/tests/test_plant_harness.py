"""What the plant's tests share: a way to run it, and the measures that analysts use.

The measures are written here from their definitions, independently of the firmware and of the
host's analysis, so that the plant is judged by theory alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy import signal

from wrench.bench.plant import (
    ADXL345_SITE,
    Drive,
    MachineParameters,
    Plant,
    Reading,
    Scenario,
    SensorSite,
)
from wrench.bench.plant.bearing import BearingParameters
from wrench.bench.plant.vibration import VibrationParameters
from wrench.units import STANDARD_GRAVITY

FloatArray = npt.NDArray[np.float64]
STEP_S = 5e-3
QUIET = Scenario("quiet", "Nothing varies and nothing is wrong.", load_variation=0.0, wear=0.0)


def silent_machine(**bearing: float) -> MachineParameters:
    """A machine without floor noise, whose rotating parts and bearing are otherwise normal."""
    return MachineParameters(
        bearing=replace(BearingParameters(), **bearing),
        vibration=VibrationParameters(floor_at_rest_ug=0.0, floor_at_rated_ug=0.0),
    )


@dataclass
class Run:
    """What a run of the plant gave: acceleration (n, 3) in g at `rate_hz`, and each step."""

    acceleration_g: FloatArray
    rate_hz: float
    readings: list[Reading]

    @property
    def last(self) -> Reading:
        return self.readings[-1]

    def mean_speed_hz(self) -> float:
        """Mean speed of the shaft over the run."""
        turns = self.readings[-1].shaft_turns - self.readings[0].shaft_turns
        return turns / (self.readings[-1].time_s - self.readings[0].time_s)


def run(
    plant: Plant,
    seconds: float,
    duty: float | Callable[[float], float] = 0.7,
    *,
    enabled: bool = True,
    step_s: float = STEP_S,
    samples: int | None = None,
) -> Run:
    """Run with a constant duty or one that depends on the plant's time."""
    site = plant.sensor
    count = round(site.rate_hz * step_s) if samples is None else samples
    rate = count / step_s
    times = np.arange(count) / rate if count else np.empty(0)
    readings: list[Reading] = []
    for _ in range(round(seconds / step_s)):
        level = duty(plant.time_s) if callable(duty) else duty
        readings.append(plant.step(Drive(level, enabled), step_s, times))
    acceleration = np.concatenate([reading.acceleration_g for reading in readings])
    return Run(acceleration, rate, readings)


def at_speed(
    machine: MachineParameters,
    scenario: Scenario,
    seconds: float,
    *,
    duty: float = 0.7,
    site: SensorSite = ADXL345_SITE,
    seed: int = 1,
) -> Run:
    """Start, let the speed settle, and record."""
    plant = Plant(machine, scenario, seed, site)
    run(plant, 1.0, duty, samples=0)
    return run(plant, seconds, duty)


def velocity_rms(acceleration_g: FloatArray, rate_hz: float) -> FloatArray:
    """Velocity RMS per axis in mm/s, 10 to 1,000 Hz, Hann window."""
    window = np.hanning(len(acceleration_g))[:, np.newaxis]
    centred = (acceleration_g - acceleration_g.mean(axis=0)) * (1000.0 * STANDARD_GRAVITY)
    spectrum = np.fft.rfft(centred * window, axis=0)
    frequency = np.fft.rfftfreq(len(acceleration_g), 1.0 / rate_hz)
    band = (frequency >= 10.0) & (frequency <= 1000.0)
    velocity = np.abs(spectrum[band]) / (2.0 * np.pi * frequency[band, np.newaxis])
    power = 2.0 * np.sum(velocity**2, axis=0) / (len(acceleration_g) * np.sum(window**2))
    return np.sqrt(power)


def band_pass(signal_g: FloatArray, rate_hz: float, low_hz: float, high_hz: float) -> FloatArray:
    """Fourth-order Butterworth, forwards and backwards."""
    sections = signal.butter(4, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")
    return np.asarray(signal.sosfiltfilt(sections, signal_g - signal_g.mean()))


def envelope_spectrum(
    signal_g: FloatArray, rate_hz: float, band_hz: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Frequency and amplitude of the squared envelope of a band."""
    analytic = signal.hilbert(band_pass(signal_g, rate_hz, *band_hz))
    squared = np.abs(np.asarray(analytic)) ** 2
    squared = (squared - squared.mean()) * np.hanning(len(squared))
    amplitude = np.abs(np.fft.rfft(squared)).astype(np.float64) / len(squared)
    frequency = np.arange(len(amplitude), dtype=np.float64) * (rate_hz / len(squared))
    return frequency, amplitude


def line(
    frequency: FloatArray, amplitude: FloatArray, at_hz: float, within: float
) -> tuple[float, float]:
    """Where the highest line near `at_hz` is, and by what factor it stands above the median of
    its surroundings."""
    near = np.abs(frequency - at_hz) <= within
    around = np.abs(frequency - at_hz) <= 12.0 * within
    peak = int(np.argmax(np.where(near, amplitude, 0.0)))
    return float(frequency[peak]), float(amplitude[peak] / np.median(amplitude[around]))


def test_velocity_of_a_known_tone() -> None:
    # 1 g at 100 Hz is 9806.65 / (2π·100) = 15.6 mm/s peak.
    rate = 3200.0
    time = np.arange(3200) / rate
    tone = np.zeros((3200, 3))
    tone[:, 1] = np.sin(2 * np.pi * 100.0 * time)
    found = velocity_rms(tone, rate)
    assert found[1] == pytest.approx(15.607 / np.sqrt(2), rel=1e-3)
    assert found[0] == 0.0
