"""Up to three unlike supplies on one bus: what they give together, and how fast the motor may turn
on it when one of them is lost."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from firmware_host import board_constants
from hypothesis import given, settings
from hypothesis import strategies as st
from protection_traces import Fields
from viper_modules import viper_module

from wrench.boards import load_board

q = viper_module("quantities")
supplies = viper_module("supplies")

# Adapter 48 W (trip 9 V, limit 10.5 V), battery 100 W (9.5, 11), pack 72 W (11, 12.4); 0.2 V.
THREE = board_constants(load_board("pico-adxl345-i2c-pwm-enable"))
ONE = board_constants(load_board("pico-adxl345"))
WELL = (12_000, 12_500, 14_000)
ALL_MW = 220_000


class Bus:
    """The supplies of a board, and a motor that draws power as its speed asks for."""

    def __init__(self, constants: dict[str, Any] | None = None, **other: Any) -> None:
        self.values = q.make_values()
        self.board = Fields((THREE if constants is None else constants) | other)
        self.supplies = supplies.Supplies(self.board, self.values)

    def __getitem__(self, quantity: str) -> int:
        return self.values[getattr(q, quantity)]

    def see(self, *millivolts: int, current_ma: int = 1000) -> Bus:
        for i, mv in enumerate(millivolts):
            self.values[q.SUPPLY_1_MV + i] = mv
        self.values[q.CURRENT_MA] = current_ma
        return self

    def update(self, command: int = 700, duty: int | None = None) -> int:
        self.supplies.update(command, command if duty is None else duty)
        return self.supplies.ceiling_permille


def test_together_they_give_the_sum_and_the_highest_is_the_bus() -> None:
    bus = Bus().see(*WELL)
    assert bus.update() == supplies.UNLIMITED
    assert bus["SUPPLY_MV"] == 14_000
    assert bus["SUPPLIES_HEALTHY"] == 3
    assert bus.supplies.available_mw == ALL_MW


@pytest.mark.parametrize("reading", [0, -100, q.BROKEN, q.ABSENT])
@pytest.mark.parametrize("lost", [0, 1, 2])
def test_the_loss_of_one_leaves_what_the_others_give(lost: int, reading: int) -> None:
    bus = Bus().see(*WELL)
    bus.update()
    seen = [*WELL]
    seen[lost] = reading
    bus.see(*seen).update()
    assert bus["SUPPLIES_HEALTHY"] == 2
    assert bus.supplies.available_mw == ALL_MW - (48_000, 100_000, 72_000)[lost]
    assert bus["SUPPLY_MV"] == max(mv for mv in seen if mv > 0)


@pytest.mark.parametrize(
    ("readings", "bus_mv"),
    [((0, 0, 0), 0), ((q.BROKEN,) * 3, q.BROKEN), ((q.BROKEN, 3000, q.ABSENT), 3000)],
)
def test_when_all_are_lost_there_is_nothing(readings: tuple[int, ...], bus_mv: int) -> None:
    bus = Bus().see(*readings)
    ceiling = bus.update()
    assert bus["SUPPLIES_HEALTHY"] == bus.supplies.available_mw == 0
    assert bus["SUPPLY_MV"] == bus_mv
    assert ceiling == (0 if bus_mv == q.BROKEN else ceiling)


def test_a_supply_below_its_own_trip_level_does_not_count_though_it_is_above_another_s() -> None:
    bus = Bus().see(0, 0, 10_500)
    bus.update()
    assert bus["SUPPLY_MV"] == 10_500, "a motor that is driven feels what is there"
    assert bus["SUPPLIES_HEALTHY"] == 0


def test_a_supply_is_healthy_again_only_by_its_hysteresis() -> None:
    bus = Bus(ONE)
    for mv, healthy in [
        (9001, 0),
        (9199, 0),
        (9200, 1),
        (9001, 1),
        (9000, 0),
        (9199, 0),
        (9200, 1),
    ]:
        bus.see(mv).update()
        assert bus["SUPPLIES_HEALTHY"] == healthy, mv


@pytest.mark.parametrize(
    ("mv", "available_mw"),
    [(12_000, 72_000), (10_500, 72_000), (9750, 36_000), (9150, 7200), (9000, 0)],
)
def test_between_limit_and_trip_a_supply_gives_the_less_the_lower_it_is(
    mv: int, available_mw: int
) -> None:
    bus = Bus(ONE).see(12_000)
    bus.update()
    bus.see(mv).update()
    assert bus.supplies.available_mw == available_mw


@pytest.mark.parametrize("current_ma", [3000, -3000])
def test_power_is_voltage_current_and_duty(current_ma: int) -> None:
    bus = Bus(ONE).see(12_000, current_ma=current_ma)
    bus.update(700, 500)
    assert bus["POWER_MW"] == 18_000
    bus.update(700, 0)
    assert bus["POWER_MW"] == 0


def test_a_ceiling_binds_only_near_what_there_is() -> None:
    bus = Bus(ONE)
    for watts, binds in ((53, False), (55, True), (72, True), (100, True)):
        bus.see(12_000, current_ma=watts * 1000 // 12)
        assert (bus.update(700, 1000) < supplies.UNLIMITED) == binds, watts
    assert bus.update(0, 1000) == supplies.UNLIMITED, "a motor at rest may start"


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0, 3.0])
def test_after_the_loss_of_one_the_speed_settles_where_the_rest_suffices(exponent: float) -> None:
    """The motor's power as a power of its speed: 200 W at 700 with 220 W there, then 48 W less."""
    bus = Bus().see(*WELL)
    bus.update()
    command = 700
    seen = (0, 12_500, 14_000)
    path = []
    for _ in range(50):
        watts = 200 * (command / 700) ** exponent
        bus.see(*seen, current_ma=round(watts * 1000 / 14))
        command = min(700, bus.update(command, 1000))
        path.append(watts)
    assert bus.supplies.available_mw == 172_000
    assert all(watts == pytest.approx(172, rel=0.02) for watts in path[-20:])
    assert all(watts < 180 for watts in path[8:]), "within 160 ms it is almost there"
    assert max(abs(a - b) for a, b in itertools.pairwise(path[-20:])) < 3, "and it does not swing"


def test_with_nothing_left_the_ceiling_falls_by_half_each_time() -> None:
    bus = Bus(ONE).see(12_000, current_ma=6000)
    bus.update(700, 700)
    bus.see(0, current_ma=6000)
    bus.values[q.SUPPLY_1_MV] = 8900
    assert bus.update(700, 700) == pytest.approx(350, abs=3)


@pytest.mark.parametrize(
    ("seen", "ceiling"),
    [(WELL, 1000), ((0, 12_500, 14_000), 781), ((0, 0, 14_000), 327), ((0, 0, 0), 0)],
)
def test_where_the_power_is_not_measured_the_speed_is_held_to_the_share_that_is_left(
    seen: tuple[int, ...], ceiling: int
) -> None:
    bus = Bus().see(*seen, current_ma=q.ABSENT)
    assert bus.update() == ceiling
    assert bus["POWER_MW"] == q.ABSENT
    bus.see(*seen, current_ma=q.BROKEN)
    assert bus.update() == ceiling
    assert bus["POWER_MW"] == q.BROKEN


def test_a_board_that_measures_no_supply_has_no_ceiling() -> None:
    bus = Bus(SUPPLIES=(), SUPPLY_LEVELS=()).see(current_ma=9000)
    assert bus.update() == supplies.UNLIMITED
    assert bus["SUPPLY_MV"] == bus["SUPPLIES_HEALTHY"] == bus["POWER_MW"] == q.ABSENT


_MV = st.one_of(st.integers(-100, 90_000), st.sampled_from([q.BROKEN, q.ABSENT]))
_MA = st.one_of(st.integers(-500_000, 500_000), st.sampled_from([q.BROKEN, q.ABSENT]))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(_MV, _MV, _MV, _MA, st.integers(0, 1000), st.integers(0, 1000)), max_size=20)
)
def test_nothing_leaves_32_bits_and_less_voltage_never_gives_more(
    life: list[tuple[int, ...]],
) -> None:
    most = ((0, 28, 0, 4592, 0, 2_000_000),) * 3
    bus = Bus(SUPPLIES=most)
    for *seen, current_ma, command, duty in life:
        ceiling = bus.see(*seen, current_ma=current_ma).update(command, duty)
        assert 0 <= ceiling <= supplies.UNLIMITED
        assert 0 <= bus["SUPPLIES_HEALTHY"] <= 3
        available = bus.supplies.available_mw
        assert 0 <= available <= 6_000_000
        bus.see(*(mv - 50 if mv > -100 else mv for mv in seen)).update(command, duty)
        assert bus.supplies.available_mw <= available
