"""Heat: one lumped node per part, each with its own path to the ambient air.

The nodes are independent of each other: a driver on its own board, a winding behind its brushes
and a bearing in an end shield share so little that a second-order network would add parameters
and no behaviour that the firmware can see.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ThermalParameters:
    """Thermal capacity (J/K) and resistance to ambient (K/W) of one part."""

    capacity_j_k: float
    resistance_k_w: float

    @property
    def time_constant_s(self) -> float:
        """Capacity × resistance."""
        return self.capacity_j_k * self.resistance_k_w


BEARING = ThermalParameters(capacity_j_k=9.0, resistance_k_w=8.0)
"""12 g of bearing (608, maker's catalogue) and 8 g of its seat at 0.46 J/(g·K); 8 K/W through a
small housing in still air."""
WINDING = ThermalParameters(capacity_j_k=60.0, resistance_k_w=5.5)
"""A 775-class armature: about 70 g of copper and 90 g of iron; 5.5 K/W without forced air."""
DRIVER = ThermalParameters(capacity_j_k=12.0, resistance_k_w=12.0)
"""A half-bridge pair on a small heat sink."""


class ThermalNode:
    """One temperature, advanced exactly for a constant power."""

    def __init__(self, parameters: ThermalParameters, temperature_c: float) -> None:
        self.parameters = parameters
        self.temperature_c = temperature_c

    def advance(self, power_w: float, ambient_c: float, duration_s: float) -> None:
        """dT/dt = (P·R − (T − T_ambient)) / (R·C), solved in closed form."""
        steady_c = ambient_c + power_w * self.parameters.resistance_k_w
        decay = math.exp(-duration_s / self.parameters.time_constant_s)
        self.temperature_c = steady_c + (self.temperature_c - steady_c) * decay
