"""What a sensor chip makes of the acceleration: offset, gain, noise, quantisation, clipping.

Numbers from the ADXL345 datasheet, Rev. G: table 1 (noise 0.75 LSB rms on x and y and 1.1 on z at
100 Hz; 0 g output ±35 mg on x and y, ±40 mg on z; sensitivity ±1 %, all typical), "Noise
performance" (√2 per doubling of the data rate) and "Data formatting of upper data rates" (at
1,600 and 3,200 Hz the lowest bit is always 0 in full resolution and at ±2 g).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from wrench.bench.plant.vibration import FloatArray, SensorSite

_COUNTS_PER_G: Final = 256.0
_NOISE_RATE_HZ: Final = 100.0
_TYPICAL_OFFSET_G: Final = (0.035, 0.035, 0.040)
_TYPICAL_GAIN_ERROR: Final = 0.01
_RATE_SLACK: Final = 0.04
_RANGES_G: Final = (2, 4, 8, 16)


class Adxl345Signal:
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

    Attributes
    ----------
    rate_hz
        True rate: nominal × (1 + error).
    bandwidth_hz
        Half the nominal rate.
    clipped
        Samples, of any axis, that have met the end of the range so far.

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
        self.nominal_rate_hz = rate_hz
        self.rate_error = error
        self.rate_hz = rate_hz * (1.0 + error)
        self.bandwidth_hz = 0.5 * rate_hz
        self.range_g = range_g
        self.full_resolution = full_resolution
        self.offset_g = drawn_offset if offset_g is None else np.asarray(offset_g, dtype=float)
        self.gain = 1.0 + (drawn_gain if gain_error is None else np.asarray(gain_error))
        self.clipped = 0
        self._noise = np.random.default_rng(noise)
        growth = math.sqrt(max(1.0, rate_hz / _NOISE_RATE_HZ))
        self.noise_g = np.asarray(noise_lsb, dtype=float) * growth / _COUNTS_PER_G
        bits_lost = 0 if full_resolution else _RANGES_G.index(range_g)
        self.counts_per_g = _COUNTS_PER_G / 2**bits_lost
        zero_bit = rate_hz >= 1600.0 and (full_resolution or range_g == 2)
        self._quantum = 2 if zero_bit else 1
        self._full_scale = round(range_g * self.counts_per_g)
        self._phase_s = 0.0

    def site(self, gravity_g: tuple[float, float, float] = (0.0, 1.0, 0.0)) -> SensorSite:
        """Where this chip listens, for a `Plant`."""
        return SensorSite(self.nominal_rate_hz, self.bandwidth_hz, gravity_g=gravity_g)

    def instants(self, duration_s: float) -> FloatArray:
        """Instants of this chip's samples within the next `duration_s`, (n,), from its start.

        Successive calls continue the chip's own clock; the first sample falls on time 0.
        """
        period = 1.0 / self.rate_hz
        count = max(0, math.ceil((duration_s - self._phase_s) / period - 1e-9))
        times = self._phase_s + period * np.arange(count)
        self._phase_s = max(0.0, self._phase_s + count * period - duration_s)
        return np.minimum(times, duration_s)

    def counts(self, acceleration_g: FloatArray) -> npt.NDArray[np.int16]:
        """Raw counts (n, 3), int16, as the data registers give them, for acceleration (n, 3) in g.

        Draws three normal numbers per sample: the noise does not depend on how calls are cut.
        """
        noise = self._noise.standard_normal((len(acceleration_g), 3)) * self.noise_g
        felt = acceleration_g * self.gain + self.offset_g + noise
        steps = np.rint(felt * (self.counts_per_g / self._quantum)) * self._quantum
        top = self._full_scale - self._quantum
        self.clipped += int(np.count_nonzero((steps < -self._full_scale) | (steps > top)))
        return np.clip(steps, -self._full_scale, top).astype(np.int16)
