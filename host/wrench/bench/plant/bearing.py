"""The bearing: geometry, friction, and when a damaged spot is struck.

Kinematics after Harris and Kotzalas, Rolling Bearing Analysis (5th ed.), ch. 10; the load zone
(Stribeck) and the random slip after Antoni and Randall, J. Sound Vib. 265 (2003), and Randall and
Antoni, MSSP 25 (2011).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

DefectKind = Literal["outer", "inner", "ball"]


@dataclass(frozen=True, slots=True)
class BearingGeometry:
    """A ball bearing with a stationary outer ring; orders are multiples of the shaft's speed."""

    balls: int
    ball_diameter_mm: float
    pitch_diameter_mm: float
    contact_angle_deg: float = 0.0

    @property
    def _ratio(self) -> float:
        angle = math.radians(self.contact_angle_deg)
        return self.ball_diameter_mm / self.pitch_diameter_mm * math.cos(angle)

    @property
    def ftf(self) -> float:
        """The cage."""
        return 0.5 * (1.0 - self._ratio)

    @property
    def bpfo(self) -> float:
        """Balls passing a spot on the outer race."""
        return self.balls * self.ftf

    @property
    def bpfi(self) -> float:
        """Balls passing a spot on the inner race."""
        return self.balls * (1.0 - self.ftf)

    @property
    def bsf(self) -> float:
        """A ball's spin; a spot on it strikes a race twice per turn."""
        inverse = self.pitch_diameter_mm / (2.0 * self.ball_diameter_mm)
        return inverse * (1.0 - self._ratio**2)


BEARING_6202 = BearingGeometry(balls=8, ball_diameter_mm=5.953, pitch_diameter_mm=25.0)
BEARING_608 = BearingGeometry(balls=7, ball_diameter_mm=3.969, pitch_diameter_mm=15.0)
BEARING_6205 = BearingGeometry(balls=9, ball_diameter_mm=7.940, pitch_diameter_mm=39.04)


@dataclass(frozen=True, slots=True)
class BearingParameters:
    """The bearing under watch, of a 608's size and made from what was there.

    A 608 also keeps its orders away from whole multiples of the shaft's speed; with usual slip a
    6202's BPFI of 4.95 is hard to tell from the fifth harmonic.
    """

    geometry: BearingGeometry = BEARING_608
    bore_mm: float = 8.0
    static_load_n: float = 30.0
    """Radial: weight and overhang, at no process load."""
    process_load_n: float = 100.0
    """Added at full process load."""
    friction_coefficient: float = 0.0015
    """Load-dependent friction of a sound deep-groove ball bearing, referred to the bore (makers'
    catalogues give 0.0015)."""
    worn_friction_coefficient: float = 0.35
    """Reached at the end: sliding of metal on metal."""
    friction_wear_exponent: float = 3.0
    friction_per_k: float = 0.003
    """The dry part grows with temperature, as clearance goes and the film thins."""
    viscous_friction_nm_s: float = 1.0e-5
    """Churned grease at 40 °C: 3 mN·m at 3,000 rpm, Palmgren's M0 for a 608 linearised there."""
    viscous_per_k: float = 0.025
    """Grease thins: the viscous part falls by e for 40 K."""
    seized_torque_nm: float = 5.0
    """Seven times the motor's stall torque."""
    cage_slip: float = 0.008
    """Mean shortfall of the cage's speed; 1–2 % against the kinematic value is normal."""
    slip_jitter: float = 0.012
    """Standard deviation of the interval between strikes, as a fraction of it."""
    load_zone: float = 0.42
    """Stribeck's ε: 0.5 is a half circle under load, less with clearance."""


def load_share(angle_rad: float, epsilon: float) -> float:
    """Stribeck's load distribution, 0 to 1, at an angle from the middle of the load zone."""
    return max(0.0, 1.0 - (1.0 - math.cos(angle_rad)) / (2.0 * epsilon)) ** 1.5


class Friction(NamedTuple):
    """Torque that resists: dry + viscous × |ω|."""

    dry_nm: float
    viscous_nm_s: float


def friction(
    parameters: BearingParameters, load_n: float, wear: float, temperature_c: float
) -> Friction:
    """Friction of the bearing, not seized.

    The viscous part falls with temperature, the dry part rises: a healthy bearing runs freer when
    warm, a worn one tighter.
    """
    p = parameters
    above_k = temperature_c - 40.0
    worn = min(1.0, wear) ** p.friction_wear_exponent
    coefficient = p.friction_coefficient + p.worn_friction_coefficient * worn
    dry = 0.5e-3 * p.bore_mm * coefficient * load_n
    return Friction(
        dry * min(1.6, max(0.85, 1.0 + p.friction_per_k * above_k)),
        p.viscous_friction_nm_s * min(4.0, math.exp(-p.viscous_per_k * above_k)),
    )


class Strike(NamedTuple):
    """One impulse: when (seconds from the start of the call) and how strong (1 = full)."""

    time_s: float
    strength: float


class DefectTrain:
    """The strikes of one damaged spot, timed by the path of the shaft.

    An outer race is always struck at the same place, in the load zone; a spot on the inner race
    passes the load zone once per turn of the shaft; a spot on a ball once per turn of the cage,
    striking both races. Each interval is the kinematic one (with the cage's mean slip) times
    1 + jitter, drawn anew: the phase wanders, as in real bearings.
    """

    def __init__(
        self, parameters: BearingParameters, kind: DefectKind, generator: np.random.Generator
    ) -> None:
        self.kind: DefectKind = kind
        geometry = parameters.geometry
        self._parameters = parameters
        self._generator = generator
        kept = 1.0 - parameters.cage_slip
        self._cage_order = geometry.ftf * kept
        if kind == "outer":
            self.order = geometry.balls * self._cage_order
        elif kind == "inner":
            self.order = geometry.balls * (1.0 - self._cage_order)
        else:
            self.order = 2.0 * geometry.bsf * kept
        self._turns = 0.0
        self._next_turns = self._interval()

    def _interval(self) -> float:
        jitter = self._parameters.slip_jitter * float(self._generator.standard_normal())
        return max(0.2, 1.0 + jitter) / self.order

    def _strength(self, turns: float) -> float:
        spread = max(0.3, 1.0 + 0.1 * float(self._generator.standard_normal()))
        zone = self._parameters.load_zone
        if self.kind == "outer":
            return spread
        if self.kind == "inner":
            return spread * load_share(2.0 * math.pi * turns, zone)
        around = 2.0 * math.pi * turns * self._cage_order
        # Outside the load zone the centrifugal force still presses the ball on the outer race.
        return spread * (0.1 + 0.9 * load_share(around, zone))

    def advance(self, times_s: list[float], angles_rad: list[float]) -> list[Strike]:
        """Strikes along a path of the shaft (one angle per time, in order)."""
        per_turn = 1.0 / (2.0 * math.pi)
        travelled = self._turns
        end = travelled + abs(angles_rad[-1] - angles_rad[0]) * per_turn
        self._turns = end
        strikes: list[Strike] = []
        if self._next_turns > end:
            return strikes
        start = angles_rad[0]
        path = [travelled + abs(angle - start) * per_turn for angle in angles_rad]
        while self._next_turns <= end:
            due = self._next_turns
            index = min(max(1, bisect_left(path, due)), len(path) - 1)
            span = path[index] - path[index - 1]
            fraction = (due - path[index - 1]) / span if span > 0.0 else 0.0
            fraction = min(1.0, max(0.0, fraction))
            time_s = times_s[index - 1] + fraction * (times_s[index] - times_s[index - 1])
            strikes.append(Strike(time_s, self._strength(due)))
            self._next_turns = due + self._interval()
        return strikes
