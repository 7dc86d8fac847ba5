"""How bad a vibration is by the standards: the zone of its velocity, and which standard applies.

ISO 20816-3:2022 (before it ISO 10816-3:2009), tables A.1 and A.2 of annex A: industrial machines
above 15 kW, 120 to 30,000 rpm. ISO 10816-1:1995, table B.1 of annex B, withdrawn, is what is left
for smaller machines; class I are electrical motors up to 15 kW.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Support = Literal["rigid", "flexible"]
_LARGE_KW = 300.0
_SMALL_KW = 15.0
_SLOWEST_RPM = 120.0


@dataclass(frozen=True, slots=True)
class Scale:
    """A standard's zones: `boundaries_mm_s` are A/B, B/C and C/D, velocity RMS; `why` says why this
    one, in words."""

    name: str
    boundaries_mm_s: tuple[float, float, float]
    why: str

    def zone(self, velocity_mm_s: float) -> str:
        """A to D."""
        return "ABCD"[sum(velocity_mm_s > limit for limit in self.boundaries_mm_s)]


_BOUNDARIES: dict[tuple[int, Support], tuple[float, float, float]] = {
    (1, "rigid"): (2.3, 4.5, 7.1),
    (1, "flexible"): (3.5, 7.1, 11.0),
    (2, "rigid"): (1.4, 2.8, 4.5),
    (2, "flexible"): (2.3, 4.5, 7.1),
}
_CLASS_I = (0.71, 1.8, 4.5)
ZONE_MEANS = {
    "A": "as newly commissioned machines are",
    "B": "fit for long operation",
    "C": "not fit for long operation; plan a repair",
    "D": "severe enough to damage the machine",
}


def scale(power_kw: float | None, support: Support, speed_rpm: float | None) -> Scale:
    """The scale that applies to a machine of so much rated power, on such a support."""
    if power_kw is None:
        return Scale(
            "ISO 10816-1:1995 class I (withdrawn)",
            _CLASS_I,
            "the machine's power is not told (--power): it is judged as a motor up to 15 kW, for "
            "which no standard in force has zones",
        )
    if power_kw <= _SMALL_KW:
        return Scale(
            "ISO 10816-1:1995 class I (withdrawn)",
            _CLASS_I,
            f"{power_kw:g} kW: ISO 20816-3 begins above 15 kW, and for less this is the usual "
            "yardstick, though withdrawn",
        )
    group = 1 if power_kw > _LARGE_KW else 2
    why = (
        f"{power_kw:g} kW on a {support} support: group {group}, "
        f"table A.{group} of ISO 20816-3:2022"
    )
    if speed_rpm is not None and speed_rpm < _SLOWEST_RPM:
        why += "; it is meant for 120 rpm and more, so that the zone is a hint only"
    return Scale(f"ISO 20816-3:2022 group {group}, {support}", _BOUNDARIES[group, support], why)
