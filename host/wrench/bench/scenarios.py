"""What is wrong with the machine, and how fast it gets worse.

Wear takes weeks on the machine that the parameters describe. `wear_time_scale` compresses it:
with 20,000, one second of a run wears the bearing as much as five and a half hours do. Nothing
else is compressed: speed, current, heat and vibration keep their own time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrench.errors import BenchError

if TYPE_CHECKING:
    from wrench.bench.plant.bearing import DefectKind


@dataclass(frozen=True, slots=True)
class RubParameters:
    """Something that grinds, comes and goes."""

    density_g: float
    """g/√Hz at the worst shaft angle and rated speed."""
    torque_nm: float
    """Friction while it is there."""
    first_s: float
    on_mean_s: float
    off_mean_s: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """A machine's condition.

    Attributes
    ----------
    load_fraction, load_variation
        Process load as a fraction of full load, and its relative standard deviation.
    wear
        Wear at the start, 0 new to 1 seized.
    wear_time_scale
        How many times faster than in reality the bearing wears.
    defect, defect_severity
        Which part of the bearing is damaged, and how badly at the start (0 to 1, on the scale of
        wear; wear makes it worse once it is greater).
    unbalance_g_mm
        Added to the machine's residual unbalance.
    """

    name: str
    description: str
    load_fraction: float = 0.6
    load_variation: float = 0.05
    wear: float = 0.0
    wear_time_scale: float = 1.0
    defect: DefectKind = "outer"
    defect_severity: float = 0.0
    unbalance_g_mm: float = 0.0
    rub: RubParameters | None = None
    ambient_c: float = 22.0

    @property
    def compression(self) -> str | None:
        """One sentence that says how much faster than in reality the bearing wears, if it does."""
        if self.wear_time_scale == 1.0:
            return None
        hours = self.wear_time_scale / 3600.0
        return f"Wear is compressed: one second of the run stands for {hours:.1f} hours."


_ALL = (
    Scenario(
        "healthy",
        "A sound machine under normal load; nothing should happen for weeks.",
        wear=0.01,
    ),
    Scenario(
        "unbalance",
        "Something heavy sits off-centre: strong 1x vibration that falls with the speed.",
        wear=0.01,
        unbalance_g_mm=24.0,
    ),
    Scenario(
        "outer-race",
        "A spall on the outer race: impulses at BPFO, wear at its natural pace.",
        wear=0.05,
        defect="outer",
        defect_severity=0.35,
    ),
    Scenario(
        "inner-race",
        "A spall on the inner race: impulses at BPFI that come and go once per turn.",
        wear=0.05,
        defect="inner",
        defect_severity=0.45,
    ),
    Scenario(
        "ball",
        "A damaged ball: impulses at twice the ball's spin that come and go with the cage.",
        wear=0.05,
        defect="ball",
        defect_severity=0.45,
    ),
    Scenario(
        "grinding",
        "It grinds now and then, as if something rubs; the first time after six seconds.",
        wear=0.05,
        rub=RubParameters(
            density_g=0.035, torque_nm=0.012, first_s=6.0, on_mean_s=2.5, off_mean_s=4.0
        ),
    ),
    Scenario(
        "seizure",
        "A bearing near its end, compressed: friction and heat climb until it seizes after 15 s.",
        wear=0.80,
        wear_time_scale=24_000.0,
    ),
    Scenario(
        "run-to-failure",
        "From sound to seized in about five minutes at 70 % speed, compressed; slowing down buys "
        "time.",
        wear=0.03,
        wear_time_scale=6_600.0,
    ),
    Scenario(
        "demo",
        "The whole story in 45 s, compressed: damage at 8 s, the limit at 15 s, the trip level "
        "before 30 s, and seizure unless it is stopped.",
        wear=0.21,
        wear_time_scale=74_000.0,
    ),
)

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _ALL}
"""By name, in the order to list them."""


def scenario(name: str) -> Scenario:
    """The scenario of that name.

    Raises
    ------
    BenchError
        There is none; the message lists those there are.
    """
    try:
        return SCENARIOS[name]
    except KeyError:
        known = ", ".join(SCENARIOS)
        raise BenchError(f"there is no scenario {name!r}; choose one of: {known}") from None
