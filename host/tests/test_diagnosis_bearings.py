"""Bearings by name and by dimensions; zones of velocity by the standard that applies."""

from __future__ import annotations

import pytest

from wrench.diagnosis.bearings import CATALOGUE, by_name, fault_orders
from wrench.diagnosis.severity import scale
from wrench.errors import ReportError


def test_orders_are_those_that_are_published() -> None:
    """Case Western Reserve University lists them for its drive end and its fan end."""
    drive = fault_orders(by_name("6205"))
    assert drive["inner"] == pytest.approx(5.4152, abs=2e-3)
    assert drive["outer"] == pytest.approx(3.5848, abs=2e-3)
    assert drive["cage"] == pytest.approx(0.39828, abs=2e-4)
    assert drive["ball"] == pytest.approx(4.7135, abs=2e-3)
    fan = fault_orders(by_name("6203"))
    assert fan["inner"] == pytest.approx(4.9469, abs=2e-3)
    assert fan["outer"] == pytest.approx(3.0530, abs=2e-3)


@pytest.mark.parametrize("text", ["6205", "6205-2RS", "SKF 6205-2Z/C3", "6205 ZZ", "6205-2RS JEM"])
def test_a_designation_may_have_what_is_printed_around_it(text: str) -> None:
    assert by_name(text).designation == "6205"


def test_every_bearing_of_the_catalogue_tells_its_source() -> None:
    for designation, listed in CATALOGUE.items():
        assert listed.source
        assert by_name(designation) == listed.bearing


def test_dimensions() -> None:
    bearing = by_name("9,7.94,39.04,15")
    assert (bearing.balls, bearing.contact_angle_deg) == (9, 15.0)


@pytest.mark.parametrize("text", ["6999", "9,7.94", "9,40,39", "8.5,7,39", "many"])
def test_what_is_no_bearing_says_what_to_give(text: str) -> None:
    with pytest.raises(ReportError, match=r"9,7\.94,39\.04"):
        by_name(text)


@pytest.mark.parametrize(
    ("power_kw", "support", "velocity", "zone"),
    [
        (None, "rigid", 0.7, "A"),
        (1.5, "rigid", 0.8, "B"),
        (15.0, "rigid", 2.0, "C"),
        (15.1, "rigid", 2.7, "B"),
        (15.1, "flexible", 7.2, "D"),
        (300.0, "rigid", 4.6, "D"),
        (301.0, "rigid", 4.6, "C"),
        (301.0, "flexible", 11.1, "D"),
    ],
)
def test_zones(power_kw: float | None, support: str, velocity: float, zone: str) -> None:
    chosen = scale(power_kw, "flexible" if support == "flexible" else "rigid", 1500.0)
    assert chosen.zone(velocity) == zone
    small = power_kw is None or power_kw <= 15.0
    assert ("10816-1" in chosen.name) == small
