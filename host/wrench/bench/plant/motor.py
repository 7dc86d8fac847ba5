"""A brushed DC motor behind an H-bridge, averaged over the PWM period.

    L di/dt = V − R i − K ω          J dω/dt = K i − T(ω)

The electrical part is exact for a constant speed over a sub-step, the mechanical part implicit in
the viscous torque; a dry torque can hold the shaft but never drive it. Stable for any sub-step.
Ripple at the PWM frequency is not modelled: at 20 kHz it is below 2 % of the stall current.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_COPPER_PER_K = 0.00393
_REFERENCE_C = 20.0
_DIODE_V = 0.8


@dataclass(frozen=True, slots=True)
class MotorParameters:
    """A 775-class 12 V motor wound for 3,000 rpm, with a chuck direct on its shaft.

    Typical of cordless-drill motors rather than of one part number; makers' sheets of the class
    give 0.3–0.8 Ω, 0.3–0.6 mH and 60–100 mN·m at the rated point.
    """

    rated_speed_rpm: float = 3000.0
    rated_voltage_v: float = 12.0
    rated_torque_nm: float = 0.097
    """All torque at the rated point, friction included: 3.0 A."""
    resistance_ohm: float = 0.50
    """Terminal resistance at 20 °C, brushes included."""
    bridge_resistance_ohm: float = 0.03
    """Two switches of the driver in series."""
    inductance_h: float = 0.40e-3
    torque_constant_nm_a: float = 0.0324
    """K, which is also the back-EMF constant in V·s/rad: (12 V − 3 A × 0.61 Ω) / 314 rad/s."""
    inertia_kg_m2: float = 1.0e-4
    """Armature 2.5e-5 (0.15 kg, radius 18 mm) and a 0.3 kg chuck of radius 22 mm."""
    coulomb_friction_nm: float = 0.008
    """Brushes and the motor's own bearings: 0.25 A."""
    viscous_friction_nm_s: float = 1.0e-5
    """Windage and grease: 3 mN·m at rated speed."""


class Motor:
    """State of the motor; `advance` integrates it and leaves the path of the shaft behind.

    Attributes
    ----------
    current_a, speed_rad_s, angle_rad
        At the end of the last call.
    times_s, angles_rad, speeds_rad_s
        The path: one entry per sub-step and the start, times from the start of the call.
    square_current_a2s
        Integral of i² over the last call in A²·s, to be multiplied by a resistance.
    supply_charge_c
        Charge taken from the supply over the last call.
    """

    def __init__(self, parameters: MotorParameters) -> None:
        self.parameters = parameters
        self.current_a = 0.0
        self.speed_rad_s = 0.0
        self.angle_rad = 0.0
        self.times_s: list[float] = [0.0]
        self.angles_rad: list[float] = [0.0]
        self.speeds_rad_s: list[float] = [0.0]
        self.square_current_a2s = 0.0
        self.supply_charge_c = 0.0

    def resistance_ohm(self, winding_c: float) -> float:
        """Winding at `winding_c` (copper, IEC 60034-1's 235 rule) and the bridge in series."""
        p = self.parameters
        warm = 1.0 + _COPPER_PER_K * (winding_c - _REFERENCE_C)
        return p.resistance_ohm * max(0.2, warm) + p.bridge_resistance_ohm

    def advance(
        self,
        duration_s: float,
        steps: int,
        *,
        duty: float,
        enabled: bool,
        emf_v: float,
        source_resistance_ohm: float,
        winding_c: float,
        dry_torque_nm: float,
        viscous_torque_nm_s: float,
    ) -> None:
        """Integrate `duration_s` in `steps` equal sub-steps with constant inputs.

        Parameters
        ----------
        duty
            Mean signed fraction of the supply voltage across the motor, −1 to 1. At 0 the bridge
            shorts the motor, which brakes.
        enabled
            False: all switches open; the current dies through the diodes into the supply, then
            the shaft coasts.
        emf_v, source_resistance_ohm
            The supply. The motor draws `duty × i` from it.
        dry_torque_nm, viscous_torque_nm_s
            What resists the motion: dry + viscous × |ω|, the motor's own friction included.
        """
        p = self.parameters
        h = duration_s / steps
        k = p.torque_constant_nm_a
        resistance = self.resistance_ohm(winding_c) + duty * duty * source_resistance_ohm
        voltage = duty * emf_v
        decay = math.exp(-resistance * h / p.inductance_h)
        per_inertia = h / p.inertia_kg_m2
        implicit = 1.0 / (1.0 + viscous_torque_nm_s * per_inertia)
        dry = dry_torque_nm * per_inertia * implicit
        # Diodes conduct against the supply: what turns the current off within a millisecond.
        clamp = emf_v + 2.0 * _DIODE_V
        current, speed, angle = self.current_a, self.speed_rad_s, self.angle_rad
        times, angles, speeds = [0.0], [angle], [speed]
        square = 0.0
        charge = 0.0
        for step in range(1, steps + 1):
            before = current
            if enabled:
                steady = (voltage - k * speed) / resistance
                current = steady + (current - steady) * decay
                charge += duty * (before + current)
            elif current != 0.0:
                sign = 1.0 if current > 0.0 else -1.0
                steady = (-sign * clamp - k * speed) / resistance
                current = steady + (current - steady) * decay
                if current * sign <= 0.0:
                    current = 0.0
                charge -= sign * (before + current)
            mean = 0.5 * (before + current)
            square += mean * mean
            free = (speed + per_inertia * k * mean) * implicit
            previous = speed
            if free > dry:
                speed = free - dry
            elif free < -dry:
                speed = free + dry
            else:
                speed = 0.0
            angle += 0.5 * h * (previous + speed)
            times.append(step * h)
            angles.append(angle)
            speeds.append(speed)
        self.current_a, self.speed_rad_s, self.angle_rad = current, speed, angle
        self.times_s, self.angles_rad, self.speeds_rad_s = times, angles, speeds
        self.square_current_a2s = square * h
        self.supply_charge_c = 0.5 * charge * h
