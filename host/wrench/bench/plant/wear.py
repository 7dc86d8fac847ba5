"""How a bearing of the wrong alloy wears out.

    dw/dN = (P / P_ref)^p · 2^((T − T_ref)/ΔT) · (n_ref / n)^q · g(w) / L_ref

- w: wear, 0 new to 1 seized; N: revolutions.
- The load exponent p = 3 of ball bearings is ISO 281's: L10 = (C/P)^3 million revolutions, and
  L_ref is that at the reference load with the capacity of the improvised part.
- Life halves for every ΔT = 15 K, the rule of thumb for grease life in makers' catalogues (an
  Arrhenius law seen over a narrow range).
- A slower shaft carries a thinner film and wears a little more per revolution: q stands for the
  slope of ISO 281's a_ISO with the viscosity ratio. It is small: slower still lasts longer.
- g(w) = I · (1 + k w²) feeds damage back into wear; I = atan(√k)/√k makes the life at constant
  reference conditions exactly L_ref.

Slowing down gains more than 1/n, because P has a part that grows with speed (unbalance) and T one
that falls with the friction power.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WearLaw:
    """Parameters of the law above."""

    capacity_n: float = 400.0
    """Dynamic capacity of the improvised part; a real 608 has 3,450 N (maker's catalogue)."""
    reference_load_n: float = 100.0
    """With 400 N: 64 million revolutions, three weeks at 2,100 rpm."""
    load_exponent: float = 3.0
    reference_temperature_c: float = 30.0
    doubling_k: float = 15.0
    reference_speed_rpm: float = 2100.0
    film_exponent: float = 0.2
    feedback: float = 3.0
    """k: at the end, wear runs four times as fast as at the start."""

    @property
    def reference_life_revolutions(self) -> float:
        """Revolutions from new to seizure at the reference load, speed and temperature."""
        return 1e6 * (self.capacity_n / self.reference_load_n) ** self.load_exponent

    def rate_per_revolution(
        self, wear: float, load_n: float, speed_rpm: float, temperature_c: float
    ) -> float:
        """dw/dN; the factor of temperature is held within 1/16 to 64, that of the film 1/2 to 2."""
        root = math.sqrt(self.feedback)
        normal = math.atan(root) / root
        load = (max(0.0, load_n) / self.reference_load_n) ** self.load_exponent
        doublings = (temperature_c - self.reference_temperature_c) / self.doubling_k
        heat = 2.0 ** min(6.0, max(-4.0, doublings))
        film = (self.reference_speed_rpm / max(1.0, abs(speed_rpm))) ** self.film_exponent
        film = min(2.0, max(0.5, film))
        feedback = normal * (1.0 + self.feedback * wear * wear)
        return load * heat * film * feedback / self.reference_life_revolutions
