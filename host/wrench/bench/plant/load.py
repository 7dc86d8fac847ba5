"""What the machine works against: drilling, or a compressor's piston."""

from __future__ import annotations

from dataclasses import dataclass

from wrench.bench.plant.variation import SlowVariation


@dataclass(frozen=True, slots=True)
class LoadParameters:
    """Torque of the process. Drilling torque is mostly constant at a given feed force and has a
    part that grows with speed (chip removal); the split is a choice."""

    full_torque_nm: float = 0.080
    """At full load and rated speed; with the friction it makes up the motor's rated torque."""
    speed_share: float = 0.4
    """Part of it that is proportional to speed."""
    correlation_time_s: float = 0.6
    """Of the slow variation with the material's hardness."""


class ProcessLoad:
    """The load at an instant: a fraction of full load times a slow random variation."""

    def __init__(
        self, parameters: LoadParameters, fraction: float, variation: float, source: SlowVariation
    ) -> None:
        self.parameters = parameters
        self.fraction = fraction
        self.variation = variation
        self._source = source

    def level(self, time_s: float) -> float:
        """Fraction of full load at `time_s`, never negative."""
        if self.variation == 0.0:
            return self.fraction
        return self.fraction * max(0.0, 1.0 + self.variation * self._source.at(time_s))

    def torque(self, level: float, rated_speed_rad_s: float) -> tuple[float, float]:
        """Dry part (N·m) and viscous part (N·m·s) at a level."""
        p = self.parameters
        full = level * p.full_torque_nm
        return full * (1.0 - p.speed_share), full * p.speed_share / rated_speed_rad_s
