"""Supplies: alone, and joined by diodes, against Kirchhoff's laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_plant_harness import QUIET, run

from wrench.bench.plant import Drive, MachineParameters, Plant
from wrench.bench.plant.supply import BusParameters, SupplyBus, SupplyParameters

DIODE_V = BusParameters().diode_v
BATTERY = SupplyParameters(12.6, 0.06)
ADAPTER = SupplyParameters(12.0, 0.12)
PACK = SupplyParameters(14.8, 0.12)
THREE = (ADAPTER, BATTERY, PACK)


def bus(*supplies: SupplyParameters) -> SupplyBus:
    return SupplyBus(BusParameters(), supplies)


def plant(*supplies: SupplyParameters) -> Plant:
    return Plant(replace(MachineParameters(), supplies=supplies), QUIET, 1)


def test_one_supply_is_behind_its_resistance_alone_and_takes_current_back() -> None:
    alone = bus(BATTERY)
    assert alone.voltage_v(10.0) == pytest.approx(12.6 - 0.6)
    assert alone.voltage_v(-10.0) == pytest.approx(12.6 + 0.6)
    assert alone.voltage_v(1e6) == 0.0
    assert alone.currents_a(-3.0) == (-3.0,)


def test_no_supply_is_no_machine() -> None:
    with pytest.raises(ValueError, match="needs a supply"):
        SupplyBus(BusParameters(), ())


def test_the_highest_one_gives_all_until_it_has_sagged_to_the_next() -> None:
    together = bus(*THREE)
    assert together.currents_a(5.0) == pytest.approx((0.0, 0.0, 5.0))
    assert together.voltage_v(5.0) == pytest.approx(14.8 - DIODE_V - 0.6)
    # From 14.8 V down to 12.6 V it takes 2.2 V / 0.12 Ω = 18.3 A.
    adapter, battery, pack = together.currents_a(20.0)
    assert adapter == 0.0
    assert battery > 0.5
    assert pack > 18.3


@given(
    st.lists(
        st.tuples(st.floats(0.0, 30.0), st.floats(0.01, 1.0), st.booleans()),
        min_size=2,
        max_size=3,
    ),
    st.floats(0.0, 80.0),
)
def test_what_they_give_is_what_is_taken_and_no_diode_conducts_backwards(
    made: list[tuple[float, float, bool]], taken_a: float
) -> None:
    together = bus(*(SupplyParameters(emf, ohm) for emf, ohm, _ in made))
    for supply, (_, _, present) in zip(together.supplies, made, strict=True):
        if not present:
            supply.lose()
    volts, shares = together.voltage_v(taken_a), together.currents_a(taken_a)
    assert min(shares) >= 0.0
    for supply, share in zip(together.supplies, shares, strict=True):
        if share > 1e-9:
            assert supply.present
            assert volts == pytest.approx(
                supply.emf_v - DIODE_V - share * supply.resistance_ohm, abs=1e-9
            )
        elif supply.present:
            assert supply.emf_v - DIODE_V <= volts + 1e-9 or volts == 0.0
    if volts > 0.0:
        assert sum(shares) == pytest.approx(taken_a, abs=1e-6)


def test_what_the_motor_feeds_back_raises_a_bus_behind_diodes() -> None:
    together = bus(*THREE)
    assert together.voltage_v(-2.0) == pytest.approx(14.8 - DIODE_V + 2.0 * 0.5)
    assert together.currents_a(-2.0) == (0.0, 0.0, 0.0)


def test_the_loss_of_one_supply_leaves_the_motor_to_the_others() -> None:
    machine = plant(*THREE)
    before = run(machine, 1.0, 0.7, samples=0).last
    assert before.supplies_a[2] > 1.0
    assert before.supplies_v[:2] == pytest.approx((12.0, 12.6))
    machine.supplies[2].lose()
    after = run(machine, 1.0, 0.7, samples=0).last
    assert after.supplies_v[2] == after.supplies_a[2] == 0.0
    assert after.supplies_a[1] > 1.0
    assert after.supply_v == pytest.approx(12.6 - DIODE_V - after.supplies_a[1] * 0.06, abs=0.01)
    assert 0.5 * before.speed_rpm < after.speed_rpm < before.speed_rpm
    machine.supplies[2].restore()
    assert run(machine, 1.0, 0.7, samples=0).last.speed_rpm == pytest.approx(
        before.speed_rpm, rel=1e-3
    )


def test_a_supply_sags_and_ages() -> None:
    machine = plant(BATTERY)
    fresh = run(machine, 0.5, 0.7, samples=0).last
    machine.supplies[0].set_resistance(0.8)
    old = run(machine, 0.5, 0.7, samples=0).last
    assert old.supply_v < fresh.supply_v - 0.5
    machine.supplies[0].set_voltage(9.0)
    assert run(machine, 0.5, 0.7, samples=0).last.supplies_v[0] < 9.0
    machine.supplies[0].set_voltage(-1.0)
    assert machine.supplies[0].emf_v == 0.0


@pytest.mark.parametrize("supplies", [(BATTERY,), THREE])
def test_without_any_supply_the_motor_coasts(supplies: tuple[SupplyParameters, ...]) -> None:
    machine, coasting = plant(*supplies), plant(*supplies)
    for one in (machine, coasting):
        run(one, 1.0, 0.7, samples=0)
    for supply in machine.supplies:
        supply.lose()
    dead = run(machine, 0.2, 0.7, samples=0).last
    free = run(coasting, 0.2, 0.7, enabled=False, samples=0).last
    assert dead.motor_current_a == dead.supplies_v[0] == 0.0
    assert dead.speed_rpm == pytest.approx(free.speed_rpm, rel=1e-3)


def test_three_supplies_drive_the_motor_as_the_one_they_amount_to() -> None:
    machine = plant(PACK, PACK, PACK)
    alone = plant(SupplyParameters(14.8 - DIODE_V, 0.04))
    three, one = (run(m, 1.0, 0.7, samples=0).last for m in (machine, alone))
    assert three.speed_rpm == pytest.approx(one.speed_rpm, rel=1e-4)
    assert three.supplies_a == pytest.approx([sum(three.supplies_a) / 3] * 3)
    assert sum(three.supplies_a) == pytest.approx(one.supplies_a[0], rel=1e-3)


def test_readings_name_every_supply_even_at_rest() -> None:
    reading = plant(*THREE).step(Drive(0.0, False), 0.005, np.empty(0))
    assert reading.supplies_v == pytest.approx((12.0, 12.6, 14.8 - 0.05 * 0.12))
    assert reading.supplies_a == pytest.approx((0.0, 0.0, 0.05))
