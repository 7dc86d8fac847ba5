"""Bearings by designation or by dimensions, and where their faults show.

A designation fixes the boundary dimensions of a bearing (ISO 15), and not what rolls inside: number
and size of balls are the maker's, and differ from one maker to another. The catalogue below has
those that somebody has published together with the bearing, and says who. For any other bearing,
dimensions are given, or geometry is left unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wrench.boards.schema import Bearing
from wrench.errors import ReportError

PARTS = ("outer", "inner", "ball", "cage")
_INCH_MM = 25.4


@dataclass(frozen=True, slots=True)
class Listed:
    """A bearing of the catalogue and where its numbers are published."""

    bearing: Bearing
    source: str


def _listed(
    designation: str,
    balls: int,
    ball_mm: float,
    pitch_mm: float,
    source: str,
    *,
    angle_deg: float = 0.0,
) -> Listed:
    bearing = Bearing(
        designation=designation,
        balls=balls,
        ball_diameter_mm=ball_mm,
        pitch_diameter_mm=pitch_mm,
        contact_angle_deg=angle_deg,
    )
    return Listed(bearing, source)


_CWRU = "Case Western Reserve University Bearing Data Center, bearing information (SKF)"
_CATALOGUE = (
    _listed("6205", 9, 0.3126 * _INCH_MM, 1.537 * _INCH_MM, _CWRU),
    _listed("6203", 8, 0.2656 * _INCH_MM, 1.122 * _INCH_MM, _CWRU),
    _listed(
        "608",
        7,
        3.969,
        15.0,
        "5/32 inch balls, 7 of them, as makers of miniature bearings list a 608; pitch circle in "
        "the middle between bore and outside diameter",
    ),
    _listed(
        "UER204",
        8,
        7.92,
        34.55,
        "Wang, Lei, Li, Li, XJTU-SY bearing data sets, IEEE Trans. Reliability 69 (2020) (LDK)",
    ),
    _listed(
        "NICE",
        8,
        0.235 * _INCH_MM,
        1.245 * _INCH_MM,
        "Society for Machinery Failure Prevention Technology, Condition Based Maintenance Fault "
        "Database (Bechhoefer)",
    ),
    _listed(
        "ZA-2115",
        16,
        0.331 * _INCH_MM,
        2.815 * _INCH_MM,
        "Qiu, Lee, Lin, Yu, J. Sound Vib. 289 (2006) (Rexnord, double row)",
        angle_deg=15.17,
    ),
    _listed(
        "PRONOSTIA",
        13,
        3.5,
        25.6,
        "Nectoux et al., PRONOSTIA, IEEE PHM (2012)",
    ),
    _listed(
        "ER16K",
        9,
        0.3125 * _INCH_MM,
        1.516 * _INCH_MM,
        "Huang, Baddour, Data in Brief 21 (2018), University of Ottawa (MB)",
    ),
)
CATALOGUE = {one.bearing.designation: one for one in _CATALOGUE}
_SUFFIX = re.compile(r"[-/ ]?(2RS\w*|2Z|ZZ|Z|RS\w*|DDU|LLU|C[2-5]|TN9?|JEM|N)\b.*$", re.IGNORECASE)


def by_name(text: str) -> Bearing:
    """A bearing by designation, "6205" or "6205-2RS/C3", or by dimensions, "9,7.94,39.04": rolling
    elements, their diameter and that of the pitch circle in mm; contact angle in degrees as a
    fourth.

    Raises ReportError where it is neither.
    """
    if "," in text:
        return _told_dimensions(text)
    asked = text.strip().upper().removeprefix("SKF ").removeprefix("NSK ").removeprefix("NTN ")
    for designation, listed in CATALOGUE.items():
        if asked == designation.upper() or _SUFFIX.sub("", asked) == designation.upper():
            return listed.bearing
    raise ReportError(
        f"no bearing {text} in the catalogue (it has {', '.join(CATALOGUE)}); give its rolling "
        "elements, their diameter and the pitch diameter in mm, such as 9,7.94,39.04, or leave "
        "--bearing out: a fault of an unknown bearing is then looked for as a family of lines"
    )


def fault_orders(bearing: Bearing) -> dict[str, float]:
    """Fundamentals of a bearing's faults in multiples of the shaft's speed, by PARTS, for an outer
    ring that stands still. A spot on a ball strikes both races: twice its spin."""
    return {
        "outer": bearing.bpfo_order,
        "inner": bearing.bpfi_order,
        "ball": 2.0 * bearing.bsf_order,
        "cage": bearing.ftf_order,
    }


def by_dimensions(text: str) -> Bearing:
    """A bearing by "balls,ball diameter,pitch diameter" in mm, the contact angle in degrees as a
    fourth. Raises ValueError where that is none."""
    balls, ball_mm, pitch_mm, *angle = (float(one) for one in text.split(","))
    if len(angle) > 1 or not balls.is_integer() or not ball_mm < pitch_mm:
        raise ValueError(text)
    return Bearing(
        balls=int(balls),
        ball_diameter_mm=ball_mm,
        pitch_diameter_mm=pitch_mm,
        contact_angle_deg=angle[0] if angle else 0.0,
    )


def _told_dimensions(text: str) -> Bearing:
    try:
        return by_dimensions(text)
    except ValueError as error:
        raise ReportError(
            f"{text} is no bearing; give its rolling elements, their diameter and the pitch "
            "diameter in mm, such as 9,7.94,39.04"
        ) from error
