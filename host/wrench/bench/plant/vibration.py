"""What an accelerometer on the bearing's housing feels.

Three axes: x radial and horizontal, y radial and vertical (the direction of load and of gravity),
z along the shaft. All sources are evaluated at the instants asked for, never on a grid of their
own, so any sensor rate sees the same machine.

- Turning with the shaft: unbalance (1×), misalignment (2× radial, 1× axial) and the looseness of
  a worn bearing (1×, 2×, 3×). The machine stands on soft feet, so a rotating force m·e·ω² moves
  its mass M by m·e/M: acceleration grows with ω², velocity with ω. The housing's first mode
  amplifies by 1/|1 − r² + 2ζr·i|, r = f/f_mode, which is near 1 at the speeds in question.
- Strikes of a damaged spot: a ball that drops into a spall and climbs out is a step in force, and
  a mode answers a step with the acceleration s/(s² + 2ζω₀s + ω₀²): a damped cosine that leaves no
  net velocity behind. The sensor's low-pass filter is multiplied in before the partial fractions
  are taken, so the sampled response has the sensor's bandwidth exactly and no alias of a mode
  above it. The state is one complex number per pole, whatever the number of past strikes.
- Rub: Gaussian noise above 100 Hz, strongest at one shaft angle.
- Floor: Gaussian noise of the motor (brushes, air), growing with speed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wrench.bench.plant.bearing import Strike
from wrench.units import STANDARD_GRAVITY

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

_RUB_FROM_HZ = 100.0
_NEGLIGIBLE_G = 1e-9


@dataclass(frozen=True, slots=True)
class SensorSite:
    """Where and how the accelerometer listens.

    The default is an ADXL345 at 3,200 Hz on a housing whose y axis points up. Its decimation
    filter is not published; an eighth-order Butterworth at half the data rate stands for it.
    """

    rate_hz: float = 3200.0
    """Nominal; the noise is scaled for it. The instants asked for may differ by some per cent."""
    bandwidth_hz: float = 1600.0
    """−3 dB, 0 < bandwidth ≤ rate/2."""
    filter_order: int = 8
    """Even, 2 to 12."""
    gravity_g: tuple[float, float, float] = (0.0, 1.0, 0.0)

    def __post_init__(self) -> None:
        if not 0.0 < self.bandwidth_hz <= 0.5 * self.rate_hz:
            raise ValueError("a sensor site needs 0 < bandwidth_hz <= rate_hz / 2")
        if self.filter_order % 2 or not 2 <= self.filter_order <= 12:
            raise ValueError("filter_order is an even number from 2 to 12")


ADXL345_SITE = SensorSite()
IIS3DWB_SITE = SensorSite(rate_hz=26667.0, bandwidth_hz=6300.0, filter_order=6)
"""IIS3DWB: 26.667 kHz, 6.3 kHz at −3 dB (datasheet, table 2)."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A mode of the housing: natural frequency, damping ratio, and how strongly a unit strike
    shows on x, y and z (peak in g per g of strike strength)."""

    frequency_hz: float
    damping: float
    gain: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class VibrationParameters:
    """The machine as a source of vibration. Levels are chosen, not measured: a healthy machine at
    70 % speed shows about 0.5 mm/s, zone A of ISO 10816-1 class I (legacy)."""

    machine_mass_kg: float = 2.0
    rotor_mass_kg: float = 0.45
    unbalance_g_mm: float = 4.0
    """Residual: e·ω of 2.8 mm/s at 3,000 rpm, between G2.5 and G6.3 of ISO 21940-11."""
    misalignment_radial_um: float = 0.12
    """Motion of the housing at 2×."""
    misalignment_axial_um: float = 0.8
    """Motion of the housing at 1×, along the shaft."""
    wear_clearance_um: float = 360.0
    """Radius of the rotor's orbit that a worn bearing adds."""
    wear_clearance_exponent: float = 4.0
    wear_clearance_full: float = 0.7
    """Wear at which the orbit is as wide as it gets: the shaft meets the end shield."""
    looseness_second: float = 0.16
    """2× as a part of 1×, in displacement."""
    looseness_third: float = 0.06
    modes: tuple[Mode, ...] = (
        Mode(320.0, 0.06, (0.15, 0.25, 0.08)),
        Mode(1180.0, 0.05, (0.6, 1.0, 0.35)),
        Mode(4200.0, 0.025, (1.2, 2.0, 0.9)),
    )
    """Housing on its feet, end shield, outer ring. The first also amplifies what turns."""
    strike_g: float = 43.0
    """Strength of a strike at full wear, full process load and rated speed."""
    strike_wear_exponent: float = 2.8
    strike_load_exponent: float = 0.5
    strike_speed_exponent: float = 1.0
    rub_axes: tuple[float, float, float] = (1.0, 0.8, 0.5)
    floor_at_rest_ug: float = 40.0
    """µg/√Hz."""
    floor_at_rated_ug: float = 260.0
    """µg/√Hz added at rated speed."""


class ModeBank:
    """Damped modes behind a sensor's low-pass filter, struck at any instant.

    Parameters
    ----------
    modes
        At least one.
    bandwidth_hz, order
        The sensor's Butterworth low-pass.

    References
    ----------
    Partial fractions of a product of second-order sections: any text on linear systems.
    """

    def __init__(self, modes: Sequence[Mode], bandwidth_hz: float, order: int) -> None:
        corner = 2.0 * math.pi * bandwidth_hz
        index = np.arange(1, order + 1)
        low_pass = corner * np.exp(1j * math.pi * (2 * index + order - 1) / (2 * order))
        mode_poles: list[complex] = []
        for mode in modes:
            natural = 2.0 * math.pi * mode.frequency_hz
            damped = natural * math.sqrt(1.0 - mode.damping**2)
            mode_poles.append(complex(-mode.damping * natural, damped))
        upper = [*mode_poles, *low_pass[low_pass.imag > 0.0]]
        self.poles: ComplexArray = np.asarray(upper, dtype=np.complex128)
        self._mix: ComplexArray = np.zeros((len(upper), 3), dtype=np.complex128)
        scale = np.prod(-low_pass)
        for own, mode in enumerate(modes):
            chain = np.concatenate(([mode_poles[own], mode_poles[own].conjugate()], low_pass))
            gain = 2.0 * np.asarray(mode.gain)
            for at in [own, *range(len(modes), len(upper))]:
                pole = self.poles[at]
                others = chain[np.abs(chain - pole) > 1e-9 * abs(pole)]
                self._mix[at] += gain * (scale * pole / np.prod(pole - others))
        self._state: ComplexArray = np.zeros(len(upper), dtype=np.complex128)

    def render(
        self, times_s: FloatArray, strikes: Sequence[Strike], duration_s: float
    ) -> FloatArray | None:
        """Response at `times_s` (n,), ascending within [0, duration_s], to the strikes in it.

        Returns
        -------
        (n, 3) in the unit of the strikes' strength, or None when everything has died away.
        """
        if not strikes and float(np.max(np.abs(self._state))) < _NEGLIGIBLE_G:
            self._state[:] = 0.0
            return None
        waves = np.exp(np.multiply.outer(times_s, self.poles))
        waves *= self._state
        state = self._state * np.exp(self.poles * duration_s)
        for strike in strikes:
            first = int(np.searchsorted(times_s, strike.time_s))
            if first < len(times_s):
                since = times_s[first:] - strike.time_s
                waves[first:] += strike.strength * np.exp(np.multiply.outer(since, self.poles))
            state += strike.strength * np.exp(self.poles * (duration_s - strike.time_s))
        self._state = state
        return (waves @ self._mix).real


class RotatingMotion:
    """Acceleration that turns with the shaft: harmonics 1 to 3 on three axes."""

    _ORDERS = np.array([1.0, 2.0, 3.0])

    def __init__(self, parameters: VibrationParameters) -> None:
        p = parameters
        self._parameters = p
        self._natural_rad_s = 2.0 * math.pi * p.modes[0].frequency_hz
        self._damping = p.modes[0].damping
        self._steady_um = np.zeros((3, 3), dtype=np.complex128)
        residual_um = p.unbalance_g_mm / p.machine_mass_kg  # g·mm / kg is µm
        self._steady_um[0] = (residual_um, -1j * residual_um, p.misalignment_axial_um)
        second = p.misalignment_radial_um
        self._steady_um[1] = (second, second * np.exp(-0.7j), 0.3 * second)
        orbit_um = p.wear_clearance_um * p.rotor_mass_kg / p.machine_mass_kg
        self._worn_um = np.zeros((3, 3), dtype=np.complex128)
        self._worn_um[0] = orbit_um * np.array([0.8, -1j, 0.15])
        self._worn_um[1] = orbit_um * p.looseness_second * np.array([0.7, np.exp(0.4j), 0.2])
        self._worn_um[2] = orbit_um * p.looseness_third * np.array([0.7, np.exp(1.1j), 0.2])

    def _orbit_share(self, wear: float) -> float:
        p = self._parameters
        return min(1.0, wear / p.wear_clearance_full) ** p.wear_clearance_exponent

    def force_n(self, speed_rad_s: float, wear: float) -> float:
        """The rotating force, m·e·ω², that the bearing carries."""
        p = self._parameters
        eccentric = 1e-6 * p.unbalance_g_mm
        worn = 1e-6 * p.wear_clearance_um * self._orbit_share(wear) * p.rotor_mass_kg
        return (eccentric + worn) * speed_rad_s**2

    def render(self, angle_rad: FloatArray, speed_rad_s: FloatArray, wear: float) -> FloatArray:
        """(n, 3) in g for the shaft's angle and speed (n,) at the sampled instants."""
        scale = 1e-6 / STANDARD_GRAVITY
        worn = scale * self._orbit_share(wear)
        displacement = scale * self._steady_um + worn * self._worn_um
        square = np.multiply.outer(speed_rad_s, self._ORDERS) ** 2
        ratio = square / self._natural_rad_s**2
        response = (1.0 - ratio) ** 2 + (4.0 * self._damping**2) * ratio
        phasor = np.exp(1j * angle_rad)
        turning = np.empty((len(angle_rad), 3), dtype=np.complex128)
        turning[:, 0] = phasor
        turning[:, 1] = phasor * phasor
        turning[:, 2] = turning[:, 1] * phasor
        turning *= square / np.sqrt(response)
        return -(turning @ displacement).real


def _sections(order: int, corner_hz: float, kind: str, rate_hz: float) -> FloatArray:
    from scipy import signal  # noqa: PLC0415  (1.1 s)

    return np.asarray(signal.butter(order, corner_hz, kind, fs=rate_hz, output="sos"), np.float64)


class NoiseSource:
    """White noise of a rate, limited to a sensor's bandwidth; `high_pass_hz` cuts the low end.

    Draws exactly three normal numbers per instant and carries its filter's state: the sequence of
    values does not depend on how it is cut into calls.
    """

    def __init__(
        self, generator: np.random.Generator, site: SensorSite, high_pass_hz: float | None
    ) -> None:
        self._generator = generator
        self.density_to_sigma = math.sqrt(0.5 * site.rate_hz)
        self._rate_hz = site.rate_hz
        self._filters: list[tuple[int, float, str]] = []
        if site.bandwidth_hz < 0.45 * site.rate_hz:
            self._filters.append((4, site.bandwidth_hz, "low"))
        if high_pass_hz is not None and high_pass_hz < 0.4 * site.rate_hz:
            self._filters.append((2, high_pass_hz, "high"))
        self._sections: FloatArray | None = None
        self._state = np.zeros((0, 3, 2))

    def draw(self, count: int) -> FloatArray:
        """(count, 3): one-sided density 1/√Hz once multiplied by `density_to_sigma`."""
        white = self._generator.standard_normal((count, 3))
        if not self._filters or count == 0:
            return white
        from scipy import signal  # noqa: PLC0415  (1.1 s; most machines draw no such noise)

        if self._sections is None:
            parts = [_sections(*one, self._rate_hz) for one in self._filters]
            self._sections = np.concatenate(parts)
            self._state = np.zeros((len(self._sections), 3, 2))
        # Along the last axis sosfilt saves itself four moveaxis calls: 20 µs of 90.
        filtered, self._state = signal.sosfilt(self._sections, white.T, zi=self._state)
        return np.asarray(filtered).T


@dataclass(slots=True)
class Surface:
    """What the machine does during one call, as `Vibration.render` needs it."""

    wear: float
    strikes: list[Strike]
    rub_g: tuple[float, float] | None
    """Rub density at the start and the end, g/√Hz at its strongest shaft angle; None for a machine
    that has nothing to rub, which saves drawing and filtering the noise."""


class Vibration:
    """Adds all sources at one sensor's site."""

    def __init__(
        self,
        parameters: VibrationParameters,
        site: SensorSite,
        rated_speed_rad_s: float,
        floor: np.random.Generator,
        rub: np.random.Generator,
    ) -> None:
        self.parameters = parameters
        self.site = site
        self.rotating = RotatingMotion(parameters)
        self._modes = ModeBank(parameters.modes, site.bandwidth_hz, site.filter_order)
        self._floor = NoiseSource(floor, site, None)
        self._rub = NoiseSource(rub, site, _RUB_FROM_HZ)
        self._rated_rad_s = rated_speed_rad_s
        self._gravity = np.asarray(site.gravity_g, dtype=np.float64)
        self._rub_axes = np.asarray(parameters.rub_axes)

    def render(
        self,
        times_s: FloatArray,
        duration_s: float,
        angle_rad: FloatArray,
        speed_rad_s: FloatArray,
        surface: Surface,
    ) -> FloatArray:
        """(n, 3) in g, gravity included, for instants (n,) within [0, duration_s]."""
        p = self.parameters
        count = len(times_s)
        total = self.rotating.render(angle_rad, speed_rad_s, surface.wear)
        total += self._gravity
        ringing = self._modes.render(times_s, surface.strikes, duration_s)
        if ringing is not None:
            total += ringing
        turning = np.abs(speed_rad_s) / self._rated_rad_s
        floor = self._floor.draw(count)
        density = 1e-6 * (p.floor_at_rest_ug + p.floor_at_rated_ug * turning)
        total += floor * (self._floor.density_to_sigma * density)[:, np.newaxis]
        if surface.rub_g is not None:
            first, last = surface.rub_g
            rub = self._rub.draw(count)
            along = times_s / duration_s if duration_s > 0.0 else times_s
            level = (first + (last - first) * along) * turning * self._rub.density_to_sigma
            level = level * (0.5 + 0.5 * np.cos(angle_rad)) ** 2
            total += rub * self._rub_axes * level[:, np.newaxis]
        return total
