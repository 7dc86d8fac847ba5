"""Motor, supply and heat against their closed forms."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_plant_harness import QUIET, run

from wrench.bench.plant import Drive, MachineParameters, Plant
from wrench.bench.plant.load import LoadParameters
from wrench.bench.plant.motor import Motor, MotorParameters
from wrench.bench.plant.thermal import ThermalNode, ThermalParameters
from wrench.bench.scenarios import SCENARIOS

MACHINE = MachineParameters()
RAD_S = 2.0 * math.pi / 60.0


def plant(machine: MachineParameters = MACHINE, seed: int = 1) -> Plant:
    return Plant(machine, QUIET, seed)


def loop_resistance(machine: MachineParameters, winding_c: float, duty: float) -> float:
    motor = machine.motor
    winding = motor.resistance_ohm * (1.0 + 0.00393 * (winding_c - 20.0))
    return winding + motor.bridge_resistance_ohm + duty**2 * machine.supplies[0].resistance_ohm


@pytest.mark.parametrize("duty", [0.3, 0.7, 1.0, -0.5])
def test_steady_current_carries_the_torque_and_speed_follows_from_it(duty: float) -> None:
    last = run(plant(), 3.0, duty, samples=0).last
    torque = last.load_torque_nm + last.friction_torque_nm
    current = math.copysign(torque / MACHINE.motor.torque_constant_nm_a, duty)
    (supply,) = MACHINE.supplies
    emf = duty * (supply.emf_v - MACHINE.bus.idle_current_a * supply.resistance_ohm)
    drop = current * loop_resistance(MACHINE, last.winding_temperature_c, duty)
    assert last.motor_current_a == pytest.approx(current, rel=2e-3)
    assert last.speed_rpm * RAD_S == pytest.approx(
        (emf - drop) / MACHINE.motor.torque_constant_nm_a, rel=2e-3
    )


def test_with_dry_friction_alone_the_steady_state_is_known_beforehand() -> None:
    parameters = MotorParameters(viscous_friction_nm_s=0.0)
    motor = Motor(parameters)
    motor.advance(
        2.0,
        4000,
        duty=0.5,
        enabled=True,
        emf_v=12.0,
        source_resistance_ohm=0.1,
        winding_c=20.0,
        dry_torque_nm=0.0324,
        viscous_torque_nm_s=0.0,
    )
    assert motor.current_a == pytest.approx(1.0, rel=1e-6)
    speed = (0.5 * 12.0 - 1.0 * (0.50 + 0.03 + 0.25 * 0.1)) / 0.0324
    assert motor.speed_rad_s == pytest.approx(speed, rel=1e-6)


def test_rated_point_is_3000_rpm_at_3_a() -> None:
    machine = plant()
    machine.set_load(1.0)
    last = run(machine, 2.0, 1.0, samples=0).last
    assert last.speed_rpm == pytest.approx(3000.0, rel=0.02)
    assert last.motor_current_a == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize("duty", [0.4, 1.0])
def test_supply_sags_by_its_resistance_times_what_is_drawn(duty: float) -> None:
    last = run(plant(), 2.0, duty, samples=0).last
    drawn = duty * last.motor_current_a + MACHINE.bus.idle_current_a
    assert last.supply_v == pytest.approx(12.0 - drawn * 0.08, abs=1e-9)
    assert last.supply_current_a == pytest.approx(drawn, rel=0.01)


def test_jammed_current_rises_to_stall_with_the_electrical_time_constant() -> None:
    machine = plant()
    machine.jam()
    duty = 0.5
    resistance = loop_resistance(MACHINE, 22.0, duty)
    stall = duty * (12.0 - 0.05 * 0.08) / resistance
    tau = MACHINE.motor.inductance_h / resistance
    for index in range(1, 40):
        reading = machine.step(Drive(duty, True), 1e-4, np.empty(0))
        expected = stall * (1.0 - math.exp(-index * 1e-4 / tau))
        assert reading.motor_current_a == pytest.approx(expected, rel=1e-3)
        assert reading.speed_rpm == 0.0


def test_jam_at_speed_stops_the_shaft_and_drives_the_current_to_stall() -> None:
    machine = plant()
    running = run(machine, 1.0, 0.7, samples=0).last
    machine.jam()
    stopped = run(machine, 0.02, 0.7, samples=0).last
    stall = 0.7 * 12.0 / loop_resistance(MACHINE, 22.0, 0.7)
    assert stopped.speed_rpm == 0.0
    assert stopped.jammed
    assert stopped.motor_current_a > 5.0 * running.motor_current_a
    assert stopped.motor_current_a == pytest.approx(stall, rel=0.02)
    assert stopped.supply_v < running.supply_v - 0.5
    machine.free()
    assert run(machine, 1.0, 0.7, samples=0).last.speed_rpm == pytest.approx(
        running.speed_rpm, rel=0.01
    )


def test_disabled_the_motor_coasts_on_friction_alone() -> None:
    machine = plant()
    start = run(machine, 1.0, 0.7, samples=0).last
    first = machine.step(Drive(0.7, False), 2e-3, np.empty(0))
    assert first.motor_current_a == 0.0
    # ω(t) = (ω0 + T/b) e^(−bt/J) − T/b, dry torque T, viscous coefficient b.
    at, slower = first.speed_rpm * RAD_S, 0.5 * first.speed_rpm * RAD_S
    total = first.friction_torque_nm + first.load_torque_nm
    later = machine.step(Drive(0.7, False), 0.05, np.empty(0))
    total_later = later.friction_torque_nm + later.load_torque_nm
    viscous = (total - total_later) / (at - later.speed_rpm * RAD_S)
    dry = total - viscous * at
    inertia = MACHINE.motor.inertia_kg_m2
    expected = (at + dry / viscous) * math.exp(-viscous * 0.05 / inertia) - dry / viscous
    assert later.speed_rpm * RAD_S == pytest.approx(expected, rel=1e-3)
    assert later.motor_current_a == 0.0
    assert slower < later.speed_rpm * RAD_S < start.speed_rpm * RAD_S
    assert run(machine, 1.5, 0.7, enabled=False, samples=0).last.speed_rpm == 0.0


def test_a_shorted_bridge_brakes_and_feeds_no_current_forward() -> None:
    coasting, braking = plant(), plant()
    run(coasting, 1.0, 0.7, samples=0)
    run(braking, 1.0, 0.7, samples=0)
    coasted = run(coasting, 0.05, 0.0, enabled=False, samples=0).last
    braked = run(braking, 0.05, 0.0, samples=0).last
    assert braked.motor_current_a < 0.0
    assert braked.speed_rpm < 0.6 * coasted.speed_rpm


def test_current_dies_within_a_millisecond_when_the_bridge_opens_at_stall() -> None:
    machine = plant()
    machine.jam()
    assert run(machine, 0.05, 1.0, samples=0).last.motor_current_a > 15.0
    assert machine.step(Drive(1.0, False), 1e-3, np.empty(0)).motor_current_a == 0.0


def test_dry_torque_holds_the_shaft_below_breakaway() -> None:
    # 0.3 V across 0.53 Ω makes 18 mN·m; load and friction hold more than 37 mN·m.
    assert run(plant(), 0.5, 0.025, samples=0).last.shaft_turns == 0.0


def test_power_in_is_power_out() -> None:
    last = run(plant(), 3.0, 0.8, samples=0).last
    at_motor = 0.8 * last.supply_v * last.motor_current_a
    copper = last.motor_current_a**2 * (
        loop_resistance(MACHINE, last.winding_temperature_c, 0.8) - 0.64 * 0.08
    )
    torque = last.load_torque_nm + last.friction_torque_nm
    assert at_motor == pytest.approx(copper + torque * last.speed_rpm * RAD_S, rel=2e-3)


@pytest.mark.parametrize("step_s", [1e-3, 0.5e-3])
def test_speed_does_not_depend_on_how_time_is_cut(step_s: float) -> None:
    whole, cut = plant(), plant()
    for _ in range(2):
        coarse = run(whole, 0.2, 0.7, samples=0).last
        fine = run(cut, 0.2, 0.7, step_s=step_s, samples=0).last
        assert fine.speed_rpm == pytest.approx(coarse.speed_rpm, rel=1e-6)
        assert fine.motor_current_a == pytest.approx(coarse.motor_current_a, rel=1e-5)


def test_odd_and_long_steps_agree_within_the_integration_error() -> None:
    whole, odd, long = plant(), plant(), plant()
    expected = run(whole, 0.42, 0.6, samples=0).last
    uneven = run(odd, 0.42, 0.6, step_s=0.007, samples=0).last
    once = long.step(Drive(0.6, True), 0.42, np.empty(0))
    assert uneven.speed_rpm == pytest.approx(expected.speed_rpm, rel=2e-3)
    assert once.speed_rpm == pytest.approx(expected.speed_rpm, rel=1e-6)
    assert once.tacho_edge_s.size == pytest.approx(expected.shaft_turns, abs=1.0)


def test_tacho_tells_turns_and_speed() -> None:
    machine = plant(replace(MACHINE, tacho_pulses_per_turn=3))
    run(machine, 1.0, 0.7, samples=0)
    edges: list[float] = []
    recorded = run(machine, 2.0, 0.7, samples=0)
    for index, reading in enumerate(recorded.readings):
        edges.extend(index * 5e-3 + reading.tacho_edge_s)
    intervals = np.diff(edges)
    hertz = recorded.last.speed_rpm / 60.0
    assert np.all(intervals > 0.0)
    assert intervals == pytest.approx(1.0 / (3.0 * hertz), rel=2e-3)
    assert len(edges) == pytest.approx(2.0 * 3.0 * hertz, abs=1.5)


def test_tacho_edges_lie_within_the_step_when_turning_backwards() -> None:
    machine = plant()
    seen = 0
    for _ in range(100):
        reading = machine.step(Drive(-0.8, True), 0.02, np.empty(0))
        assert np.all((reading.tacho_edge_s >= 0.0) & (reading.tacho_edge_s <= 0.02))
        assert np.all(np.diff(reading.tacho_edge_s) > 0.0)
        seen += reading.tacho_edge_s.size
    assert machine.motor.angle_rad < 0.0
    assert seen == pytest.approx(-machine.motor.angle_rad / (2.0 * math.pi), abs=1.0)


def test_load_and_supply_are_felt() -> None:
    machine = plant()
    before = run(machine, 1.0, 0.7, samples=0).last
    machine.set_load(1.5)
    loaded = run(machine, 1.0, 0.7, samples=0).last
    assert loaded.motor_current_a > before.motor_current_a + 1.0
    assert loaded.speed_rpm < before.speed_rpm
    machine.set_supply(9.0)
    weak = run(machine, 1.0, 0.7, samples=0).last
    assert weak.supply_v < 9.0
    assert weak.speed_rpm < 0.8 * loaded.speed_rpm


def test_load_varies_around_its_mean() -> None:
    parameters = replace(MACHINE, load=LoadParameters(speed_share=0.0))
    scenario = replace(QUIET, load_variation=0.1, load_fraction=1.0)
    machine = Plant(parameters, scenario, 5)
    torque = [machine.step(Drive(0.0, False), 0.3, np.empty(0)).load_torque_nm for _ in range(1500)]
    full = parameters.load.full_torque_nm
    assert np.mean(torque) == pytest.approx(full, rel=0.02)
    assert np.std(torque) == pytest.approx(0.1 * full, rel=0.15)


# -- heat ---------------------------------------------------------------------------------------


def test_a_node_settles_at_power_times_resistance() -> None:
    node = ThermalNode(ThermalParameters(20.0, 5.0), 22.0)
    node.advance(8.0, 22.0, 100.0)
    assert node.temperature_c == pytest.approx(22.0 + 40.0 * (1.0 - math.exp(-1.0)))
    node.advance(8.0, 22.0, 1e6)
    assert node.temperature_c == pytest.approx(62.0)


def test_bearing_and_driver_settle_at_power_times_resistance_in_the_machine() -> None:
    quick = replace(
        MACHINE,
        bearing_heat=ThermalParameters(0.02, 5.0),
        driver_heat=ThermalParameters(0.02, 12.0),
    )
    machine = Plant(quick, QUIET, 1)
    machine.heat_bearing(6.0)
    machine.heat_driver(3.0)
    still = run(machine, 3.0, 0.0, enabled=False, samples=0).last
    assert still.bearing_temperature_c == pytest.approx(22.0 + 30.0, abs=0.01)
    assert still.driver_temperature_c == pytest.approx(22.0 + 36.0, abs=0.01)
    machine.heat_bearing(0.0)
    machine.heat_driver(0.0)
    turning = run(machine, 4.0, 0.7, samples=0).last
    own = MACHINE.motor.coulomb_friction_nm
    own += MACHINE.motor.viscous_friction_nm_s * turning.speed_rpm * RAD_S
    friction_w = (turning.friction_torque_nm - own) * turning.speed_rpm * RAD_S
    bridge_w = turning.motor_current_a**2 * MACHINE.motor.bridge_resistance_ohm
    assert turning.bearing_temperature_c == pytest.approx(22.0 + 5.0 * friction_w, abs=0.05)
    assert turning.driver_temperature_c == pytest.approx(22.0 + 12.0 * (bridge_w + 0.15), abs=0.1)


def test_parts_follow_the_air() -> None:
    machine = plant(replace(MACHINE, bearing_heat=ThermalParameters(0.02, 5.0)))
    machine.set_ambient(35.0)
    assert run(
        machine, 2.0, 0.0, enabled=False, samples=0
    ).last.bearing_temperature_c == pytest.approx(35.0, abs=0.01)
    machine.set_temperatures(bearing_c=90.0, driver_c=70.0)
    now = machine.step(Drive(0.0, False), 1e-4, np.empty(0))
    assert now.bearing_temperature_c == pytest.approx(90.0, abs=0.1)
    assert now.driver_temperature_c == pytest.approx(70.0, abs=0.1)


def test_a_jammed_motor_heats_winding_and_driver() -> None:
    machine = plant()
    machine.jam()
    last = run(machine, 2.0, 1.0, samples=0).last
    assert last.winding_temperature_c > 25.0
    assert last.driver_temperature_c > 23.0
    assert last.bearing_temperature_c == pytest.approx(22.0)


# -- anything at all ----------------------------------------------------------------------------

_DRIVES = st.lists(
    st.tuples(
        st.floats(-3.0, 3.0),
        st.booleans(),
        st.floats(1e-5, 0.03),
        st.sampled_from(["", "jam", "free", "load", "supply", "wear", "hot"]),
    ),
    min_size=1,
    max_size=25,
)


@given(_DRIVES, st.sampled_from(sorted(SCENARIOS)))
@settings(deadline=None, max_examples=40)
def test_no_drive_makes_the_plant_lose_its_numbers(
    drives: list[tuple[float, bool, float, str]], name: str
) -> None:
    machine = Plant(MACHINE, SCENARIOS[name], 3)
    stimuli = {
        "jam": machine.jam,
        "free": machine.free,
        "load": lambda: machine.set_load(2.5),
        "supply": lambda: machine.set_supply(0.0),
        "wear": lambda: machine.set_wear(0.97),
        "hot": lambda: machine.set_temperatures(bearing_c=200.0, driver_c=150.0),
    }
    wear = 0.0
    for duty, enabled, duration, stimulus in drives:
        if stimulus:
            stimuli[stimulus]()
        times = np.linspace(0.0, duration, 7)
        reading = machine.step(Drive(duty, enabled), duration, times)
        assert reading.acceleration_g.shape == (7, 3)
        assert np.all(np.isfinite(reading.acceleration_g))
        for value in (
            reading.speed_rpm,
            reading.motor_current_a,
            reading.supply_v,
            reading.bearing_temperature_c,
            reading.driver_temperature_c,
            reading.friction_torque_nm,
        ):
            assert math.isfinite(value)
        assert abs(reading.motor_current_a) < 80.0
        assert reading.wear >= wear or stimulus == "wear"
        wear = reading.wear


@pytest.mark.parametrize(
    ("duty", "duration", "times"),
    [
        (math.nan, 0.005, []),
        (0.5, 0.0, []),
        (0.5, -1.0, []),
        (0.5, math.nan, []),
        (0.5, math.inf, []),
        (0.5, 0.005, [0.006]),
        (0.5, 0.005, [-0.001]),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(
    duty: float, duration: float, times: list[float]
) -> None:
    with pytest.raises(ValueError, match=r"duration|sample times|duty"):
        plant().step(Drive(duty, True), duration, np.asarray(times))


def test_a_motor_that_is_let_go_in_the_middle_of_a_step_coasts_from_there() -> None:
    machine = plant()
    driven = machine.step(Drive(0.7, True), 1.0, np.empty(0))
    assert driven.motor_current_a > 0.1
    times = np.array([1e-3, 3e-3, 4.9e-3])
    stopped = machine.step(Drive(0.7, True, 0.6), 5e-3, times)
    assert stopped.motor_current_a == 0.0
    assert stopped.acceleration_g.shape == (3, 3)
    assert machine.step(Drive(0.7, True, 0.5, at_end=True), 5e-3, times).motor_current_a > 0.1
