"""The supply: an ideal source behind its internal resistance."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SupplyParameters:
    """A 12 V bench supply or a tool battery with its leads."""

    emf_v: float = 12.0
    """Voltage without load."""
    resistance_ohm: float = 0.08
    """Internal resistance and leads: 3S2P of 18650 cells at about 20 mΩ each gives 30 mΩ,
    two metres of 1.5 mm² lead 25 mΩ, connectors the rest."""
    idle_current_a: float = 0.05
    """Drawn by the controller, whatever the motor does."""


class Supply:
    """Voltage at the driver's terminals for a current; it takes current back as a battery does."""

    def __init__(self, parameters: SupplyParameters) -> None:
        self.emf_v = parameters.emf_v
        self.resistance_ohm = parameters.resistance_ohm
        self.idle_current_a = parameters.idle_current_a

    def voltage_v(self, current_a: float) -> float:
        """Terminal voltage: V = E − I·R, and never below zero."""
        return max(0.0, self.emf_v - current_a * self.resistance_ohm)
