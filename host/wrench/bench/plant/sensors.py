"""What a sensor makes of the acceleration: offset, gain, noise, quantisation, clipping; and what a
faulty one makes of it.

Numbers from the ADXL345 datasheet, Rev. G: table 1 (noise 0.75 LSB rms on x and y and 1.1 on z at
100 Hz; 0 g output ±35 mg on x and y, ±40 mg on z; sensitivity ±1 %, all typical), "Noise
performance" (√2 per doubling of the data rate) and "Data formatting of upper data rates" (at
1,600 and 3,200 Hz the lowest bit is always 0 in full resolution and at ±2 g). From the MPU-6050
product specification, Rev. 3.4, 6.2 and 6.6 (400 µg/√Hz; 0 g output ±50 mg on x and y, ±80 mg on z;
sensitivity ±3 %; clock ±1 % with the gyroscope's), and the MPU-9250's, Rev. 1.1, 3.2 (300 µg/√Hz;
±60 and ±80 mg; ±3 %). From the RP2040 datasheet, 4.9.3: 8.7 effective bits.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from wrench.bench.plant.vibration import FloatArray, NoiseSource, SensorSite

_COUNTS_PER_G: Final = 256.0
_NOISE_RATE_HZ: Final = 100.0
_TYPICAL_OFFSET_G: Final = (0.035, 0.035, 0.040)
_TYPICAL_GAIN_ERROR: Final = 0.01
_RATE_SLACK: Final = 0.04
_RANGES_G: Final = (2, 4, 8, 16)
_ADC_CODES: Final = 4096
_ADC_NOISE_CODES: Final = 2.8
"""RMS: a full-scale sine of 8.7 effective bits, 6.02 × 8.7 + 1.76 dB below 1,448 codes rms."""

Counts = npt.NDArray[np.int16]


class SensorSignal(ABC):
    """One sensor with its own clock, and what can be wrong with it.

    Attributes
    ----------
    nominal_rate_hz, rate_hz
        The rate asked for, and the true one: nominal × (1 + error).
    bandwidth_hz
        −3 dB.
    range_g
        Measuring range, plus and minus.
    clipped
        Samples, of any axis, that have met the end of the range so far.
    """

    def __init__(
        self, seed: int, rate_hz: float, rate_error: float, bandwidth_hz: float, range_g: float
    ) -> None:
        self.nominal_rate_hz = rate_hz
        self.rate_error = rate_error
        self.rate_hz = rate_hz * (1.0 + rate_error)
        self.bandwidth_hz = bandwidth_hz
        self.range_g = range_g
        self.clipped = 0
        self._phase_s = 0.0
        # Apart from the sensor's own noise, which a fault must not shift.
        self._fault = np.random.default_rng([seed, 0xFA])
        self._stuck = False
        self._saturated = False
        self._noise_g = 0.0
        self._last: Counts | None = None

    # -- stimulus: what a test does to the sensor ----------------------------------------------

    def stick(self, stuck: bool = True) -> None:
        """Repeat the last sample for ever, as a chip does whose converter has stopped."""
        self._stuck = stuck

    def saturate(self, saturated: bool = True) -> None:
        """Bang from one end of the range to the other, as a loose sensor does."""
        self._saturated = saturated

    def add_noise(self, rms_g: float) -> None:
        """White noise of that RMS on every axis, as a broken shield gives; 0 ends it."""
        self._noise_g = max(0.0, rms_g)

    # -- time ----------------------------------------------------------------------------------

    @abstractmethod
    def site(self, gravity_g: tuple[float, float, float] = (0.0, 1.0, 0.0)) -> SensorSite:
        """Where this sensor listens, for a `Plant`."""

    @abstractmethod
    def _convert(self, acceleration_g: FloatArray) -> Counts: ...

    def instants(self, duration_s: float) -> FloatArray:
        """Instants of this sensor's samples within the next `duration_s`, (n,), from its start.

        Successive calls continue the sensor's own clock; the first sample falls on time 0.
        """
        period = 1.0 / self.rate_hz
        count = max(0, math.ceil((duration_s - self._phase_s) / period - 1e-9))
        times = self._phase_s + period * np.arange(count)
        self._phase_s = max(0.0, self._phase_s + count * period - duration_s)
        return np.minimum(times, duration_s)

    def counts(self, acceleration_g: FloatArray) -> Counts:
        """What the sensor gives, int16, for acceleration (n, 3) in g: (n, 3) raw counts as the data
        registers hold them, or (n, axes) ADC codes.

        Draws three normal numbers per sample: the noise does not depend on how calls are cut.
        """
        felt = acceleration_g
        if self._noise_g:
            felt = felt + self._noise_g * self._fault.standard_normal(felt.shape)
        if self._saturated:
            signs = np.sign(self._fault.standard_normal((len(felt), 1)))
            felt = felt + 4.0 * self.range_g * signs
        counts = self._convert(felt)
        if self._stuck and self._last is not None:
            return np.tile(self._last, (len(counts), 1))
        if len(counts):
            self._last = counts[-1:]
        return counts


class Adxl345Signal(SensorSignal):
    """One ADXL345 chip with its own offset, gain and clock.

    Parameters
    ----------
    seed
        Of the chip's offsets, gains and noise.
    rate_hz
        Nominal output data rate.
    rate_error
        Relative error of the chip's clock, −0.04 to 0.04; None draws it uniformly from ±0.02.
    noise_lsb
        RMS noise of x, y, z in counts of 3.9 mg at 100 Hz.
    offset_g
        0 g output of x, y, z; None draws each uniformly from the typical range.
    gain_error
        Relative error of the sensitivity of x, y, z; None draws each from ±1 %.
    range_g
        2, 4, 8 or 16.
    full_resolution
        True: 3.9 mg per count in every range. False: ten bits over the range.

    Its bandwidth is half the nominal rate.

    Raises
    ------
    ValueError
        A rate, rate error or range that the chip does not have.
    """

    def __init__(
        self,
        seed: int,
        *,
        rate_hz: float = 3200.0,
        rate_error: float | None = None,
        noise_lsb: Sequence[float] = (0.75, 0.75, 1.1),
        offset_g: Sequence[float] | None = None,
        gain_error: Sequence[float] | None = None,
        range_g: int = 16,
        full_resolution: bool = True,
    ) -> None:
        if range_g not in _RANGES_G:
            raise ValueError(f"an ADXL345 has ranges of 2, 4, 8 and 16 g, not {range_g}")
        if not 0.0 < rate_hz <= 3200.0:
            raise ValueError("an ADXL345 samples at up to 3200 Hz")
        chip, noise = np.random.SeedSequence(seed).spawn(2)
        draw = np.random.default_rng(chip)
        drawn_rate = float(draw.uniform(-0.5, 0.5)) * _RATE_SLACK
        drawn_offset = draw.uniform(-1.0, 1.0, 3) * _TYPICAL_OFFSET_G
        drawn_gain = draw.uniform(-1.0, 1.0, 3) * _TYPICAL_GAIN_ERROR
        error = drawn_rate if rate_error is None else rate_error
        if not -_RATE_SLACK <= error <= _RATE_SLACK:
            raise ValueError("the rate of an ADXL345 is within 4 % of nominal")
        super().__init__(seed, rate_hz, error, 0.5 * rate_hz, range_g)
        self.full_resolution = full_resolution
        self.offset_g = drawn_offset if offset_g is None else np.asarray(offset_g, dtype=float)
        self.gain = 1.0 + (drawn_gain if gain_error is None else np.asarray(gain_error))
        self._noise = np.random.default_rng(noise)
        growth = math.sqrt(max(1.0, rate_hz / _NOISE_RATE_HZ))
        self.noise_g = np.asarray(noise_lsb, dtype=float) * growth / _COUNTS_PER_G
        bits_lost = 0 if full_resolution else _RANGES_G.index(range_g)
        self.counts_per_g = _COUNTS_PER_G / 2**bits_lost
        zero_bit = rate_hz >= 1600.0 and (full_resolution or range_g == 2)
        self._quantum = 2 if zero_bit else 1
        self._full_scale = round(range_g * self.counts_per_g)

    def site(self, gravity_g: tuple[float, float, float] = (0.0, 1.0, 0.0)) -> SensorSite:
        """Where this chip listens, for a `Plant`."""
        return SensorSite(self.nominal_rate_hz, self.bandwidth_hz, gravity_g=gravity_g)

    def _convert(self, acceleration_g: FloatArray) -> Counts:
        noise = self._noise.standard_normal((len(acceleration_g), 3)) * self.noise_g
        felt = acceleration_g * self.gain + self.offset_g + noise
        steps = np.rint(felt * (self.counts_per_g / self._quantum)) * self._quantum
        top = self._full_scale - self._quantum
        self.clipped += int(np.count_nonzero((steps < -self._full_scale) | (steps > top)))
        return np.clip(steps, -self._full_scale, top).astype(np.int16)


@dataclass(frozen=True, slots=True)
class MpuParameters:
    """What one InvenSense accelerometer is like; see the module's text for the sources."""

    name: str
    bandwidth_hz: float
    noise_ug: float
    """µg/√Hz."""
    typical_offset_g: tuple[float, float, float]
    typical_gain_error: float = 0.03
    rate_slack: float = 0.01


MPU6050 = MpuParameters("MPU-6050", 260.0, 400.0, (0.050, 0.050, 0.080))
MPU9250 = MpuParameters("MPU-9250", 460.0, 300.0, (0.060, 0.060, 0.080))


class MpuSignal(SensorSignal):
    """One MPU-6050 or MPU-9250 chip, 1,000 samples a second, with its own offset, gain and clock.

    Parameters
    ----------
    parameters
        `MPU6050` or `MPU9250`.
    seed
        Of the chip's offsets, gains and noise.
    range_g
        2, 4, 8 or 16: where it clips. The counts are those of ±16 g, 2,048 a g, in every range, as
        the bench's model of the chip takes them.
    rate_error
        Relative error of the chip's clock; None draws it uniformly from ±1 %.
    offset_g, gain_error
        0 g output and relative error of the sensitivity of x, y, z; None draws each uniformly from
        the typical range.
    noise_ug
        In µg/√Hz; None is the datasheet's.

    Raises
    ------
    ValueError
        A range that the chip does not have.
    """

    def __init__(
        self,
        parameters: MpuParameters,
        seed: int,
        *,
        range_g: int = 16,
        rate_error: float | None = None,
        offset_g: Sequence[float] | None = None,
        gain_error: Sequence[float] | None = None,
        noise_ug: float | None = None,
    ) -> None:
        p = parameters
        if range_g not in _RANGES_G:
            raise ValueError(f"an {p.name} has ranges of 2, 4, 8 and 16 g, not {range_g}")
        chip, noise = np.random.SeedSequence(seed).spawn(2)
        draw = np.random.default_rng(chip)
        drawn_rate = float(draw.uniform(-1.0, 1.0)) * p.rate_slack
        drawn_offset = draw.uniform(-1.0, 1.0, 3) * p.typical_offset_g
        drawn_gain = draw.uniform(-1.0, 1.0, 3) * p.typical_gain_error
        super().__init__(
            seed, 1000.0, drawn_rate if rate_error is None else rate_error, p.bandwidth_hz, range_g
        )
        self.offset_g = drawn_offset if offset_g is None else np.asarray(offset_g, dtype=float)
        self.gain = 1.0 + (drawn_gain if gain_error is None else np.asarray(gain_error))
        self.counts_per_g = 2048.0
        self._full_scale = 2048 * range_g
        self._noise = NoiseSource(np.random.default_rng(noise), self.site(), None)
        density = p.noise_ug if noise_ug is None else noise_ug
        self._noise_scale = 1e-6 * density * self._noise.density_to_sigma

    def site(self, gravity_g: tuple[float, float, float] = (0.0, 1.0, 0.0)) -> SensorSite:
        """Where this chip listens, for a `Plant`."""
        return SensorSite(self.nominal_rate_hz, self.bandwidth_hz, 4, gravity_g)

    def _convert(self, acceleration_g: FloatArray) -> Counts:
        noise = self._noise.draw(len(acceleration_g)) * self._noise_scale
        felt = acceleration_g * self.gain + self.offset_g + noise
        steps = np.rint(felt * self.counts_per_g)
        low, top = -self._full_scale, self._full_scale - 1
        self.clipped += int(np.count_nonzero((steps < low) | (steps > top)))
        return np.clip(steps, low, top).astype(np.int16)


class AnalogSignal(SensorSignal):
    """An accelerometer, or a piezo with its amplifier, on inputs of the RP2040's ADC.

    Parameters
    ----------
    seed
        Of the noise.
    axes
        Which of x, y, z (0 to 2) have an input, in the order of the columns of `counts`.
    rate_hz
        At which the ADC converts each; its clock is the chip's, so that there is no error.
    volts_per_g, zero_g_v, reference_v
        At the pin, and at ADC_VREF.
    bandwidth_hz
        Of the sensor and its filter.
    noise_codes
        RMS noise of the ADC.
    """

    def __init__(
        self,
        seed: int,
        *,
        axes: Sequence[int],
        rate_hz: float,
        volts_per_g: float,
        zero_g_v: float,
        range_g: float,
        bandwidth_hz: float,
        reference_v: float = 3.3,
        noise_codes: float = _ADC_NOISE_CODES,
    ) -> None:
        super().__init__(seed, rate_hz, 0.0, bandwidth_hz, range_g)
        self.axes = tuple(axes)
        self.codes_per_g = volts_per_g / reference_v * _ADC_CODES
        self.zero_code = zero_g_v / reference_v * _ADC_CODES
        self.noise_codes = noise_codes
        self._noise = np.random.default_rng(seed)
        self._cut = False

    def cut(self, cut: bool = True) -> None:
        """Cut the sensor's lead: the pins' own leakage pulls them to ground."""
        self._cut = cut

    def site(self, gravity_g: tuple[float, float, float] = (0.0, 1.0, 0.0)) -> SensorSite:
        """Where this sensor listens, for a `Plant`."""
        return SensorSite(self.nominal_rate_hz, self.bandwidth_hz, 4, gravity_g)

    def _convert(self, acceleration_g: FloatArray) -> Counts:
        noise = self._noise.standard_normal((len(acceleration_g), 3)) * self.noise_codes
        if self._cut:
            return np.zeros((len(acceleration_g), len(self.axes)), dtype=np.int16)
        codes = np.rint(self.zero_code + acceleration_g * self.codes_per_g + noise)[:, self.axes]
        self.clipped += int(np.count_nonzero((codes < 0) | (codes > _ADC_CODES - 1)))
        return np.clip(codes, 0, _ADC_CODES - 1).astype(np.int16)
