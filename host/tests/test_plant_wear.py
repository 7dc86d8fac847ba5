"""Wear against its law, and the scenarios against the story they tell."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_plant_harness import QUIET, at_speed, run, velocity_rms

from wrench.bench.plant import (
    SCENARIOS,
    Adxl345Signal,
    Drive,
    MachineParameters,
    Plant,
    Scenario,
    scenario,
)
from wrench.bench.plant.bearing import BearingParameters, friction
from wrench.bench.plant.wear import WearLaw
from wrench.errors import BenchError

MACHINE = MachineParameters()
LIMIT_MM_S = 1.8
TRIP_MM_S = 4.5


def integrate(law: WearLaw, load_n: float, speed_rpm: float, celsius: float) -> float:
    """Revolutions from new to seized."""
    wear, turns, stride = 0.0, 0.0, law.reference_life_revolutions / 20000.0
    while wear < 1.0:
        wear += stride * law.rate_per_revolution(wear, load_n, speed_rpm, celsius)
        turns += stride
    return turns


def test_life_at_the_reference_is_that_of_iso_281() -> None:
    law = WearLaw()
    assert law.reference_life_revolutions == pytest.approx(1e6 * 4.0**3)
    life = integrate(law, law.reference_load_n, law.reference_speed_rpm, 30.0)
    assert life == pytest.approx(law.reference_life_revolutions, rel=1e-3)


def test_twice_the_load_costs_seven_eighths_of_the_life() -> None:
    law = WearLaw()
    light = law.rate_per_revolution(0.2, 80.0, 2100.0, 30.0)
    assert law.rate_per_revolution(0.2, 160.0, 2100.0, 30.0) == pytest.approx(8.0 * light)


def test_fifteen_kelvin_halve_the_life() -> None:
    law = WearLaw()
    cool = law.rate_per_revolution(0.2, 80.0, 2100.0, 45.0)
    assert law.rate_per_revolution(0.2, 80.0, 2100.0, 60.0) == pytest.approx(2.0 * cool)


def test_slower_wears_more_per_turn_and_less_per_hour() -> None:
    law = WearLaw()
    fast = law.rate_per_revolution(0.2, 80.0, 2100.0, 40.0)
    slow = law.rate_per_revolution(0.2, 80.0, 1050.0, 40.0)
    assert fast < slow < 2.0 * fast


@given(
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 500.0),
    st.floats(0.0, 6000.0),
    st.floats(-40.0, 250.0),
)
def test_damage_never_heals_and_feeds_on_itself(
    first: float, second: float, load_n: float, speed_rpm: float, celsius: float
) -> None:
    law = WearLaw()
    low, high = sorted((first, second))
    at_low = law.rate_per_revolution(low, load_n, speed_rpm, celsius)
    at_high = law.rate_per_revolution(high, load_n, speed_rpm, celsius)
    assert 0.0 <= at_low <= at_high < math.inf


def wear_gained(*, duty: float = 0.7, load: float = 0.6, bearing_c: float | None = None) -> float:
    fast = replace(QUIET, wear=0.2, wear_time_scale=20_000.0, load_fraction=load)
    plant = Plant(MACHINE, fast, 1)
    run(plant, 1.0, duty, samples=0)
    if bearing_c is not None:
        plant.set_temperatures(bearing_c=bearing_c)
    start = run(plant, 0.01, duty, samples=0).last.wear
    return run(plant, 2.0, duty, samples=0).last.wear - start


def test_the_machine_wears_faster_when_fast_loaded_or_hot() -> None:
    base = wear_gained()
    assert base > 0.0
    assert wear_gained(duty=0.35) < 0.7 * base, "half the speed saves more than a third per hour"
    assert wear_gained(load=1.2) > 3.0 * base
    assert wear_gained(bearing_c=70.0) > 3.0 * base


def test_time_scale_compresses_wear_and_nothing_else() -> None:
    once = run(Plant(MACHINE, replace(QUIET, wear_time_scale=1e3), 1), 2.0, samples=0).last
    twice = run(Plant(MACHINE, replace(QUIET, wear_time_scale=2e3), 1), 2.0, samples=0).last
    assert twice.wear == pytest.approx(2.0 * once.wear, rel=0.01)
    assert twice.speed_rpm == pytest.approx(once.speed_rpm, rel=1e-6)
    assert twice.bearing_temperature_c == pytest.approx(once.bearing_temperature_c, rel=1e-6)


def test_at_its_natural_pace_a_new_bearing_lasts_for_weeks() -> None:
    last = run(Plant(MACHINE, QUIET, 1), 4.0, samples=0).last
    weeks = 1.0 / (last.wear / 4.0) / (7 * 86400)
    assert 1.0 < weeks < 30.0


def test_friction_of_a_sound_bearing_falls_when_warm_and_of_a_worn_one_rises() -> None:
    parameters = BearingParameters()

    def torque(wear: float, celsius: float) -> float:
        dry, viscous = friction(parameters, 90.0, wear, celsius)
        return dry + viscous * 220.0

    assert torque(0.0, 60.0) < torque(0.0, 20.0)
    assert torque(0.9, 80.0) > torque(0.9, 20.0)
    assert torque(0.9, 40.0) > 10.0 * torque(0.0, 40.0)


def test_a_worn_bearing_seizes_and_its_torque_exceeds_stall() -> None:
    plant = Plant(MACHINE, replace(QUIET, wear=0.999, wear_time_scale=1e5), 1)
    seized = run(plant, 3.0, 1.0, samples=0).last
    assert seized.seized
    assert seized.wear == 1.0
    assert seized.speed_rpm == 0.0
    stall = seized.motor_current_a * MACHINE.motor.torque_constant_nm_a
    assert seized.motor_current_a > 15.0
    assert MACHINE.bearing.seized_torque_nm > 5.0 * stall
    plant.free()
    assert run(plant, 0.5, 1.0, samples=0).last.speed_rpm == 0.0, "freeing a jam frees no seizure"
    plant.set_wear(0.0)
    assert run(plant, 1.0, 1.0, samples=0).last.speed_rpm > 2500.0


# -- scenarios -----------------------------------------------------------------------------------


def test_every_scenario_introduces_itself_in_one_sentence() -> None:
    assert list(SCENARIOS) == [
        "healthy",
        "unbalance",
        "outer-race",
        "inner-race",
        "ball",
        "grinding",
        "seizure",
        "run-to-failure",
        "demo",
    ]
    for name, one in SCENARIOS.items():
        assert one.name == name
        assert one.description.endswith(".")
        assert one.description.count(". ") == 0
        assert scenario(name) is one
        compressed = one.wear_time_scale != 1.0
        assert ("compressed" in one.description) is compressed
        assert (one.compression is not None) is compressed
    assert SCENARIOS["demo"].compression == (
        "Wear is compressed: one second of the run stands for 20.6 hours."
    )


def test_an_unknown_scenario_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BenchError, match=r"no scenario 'helthy'; choose one of: healthy, "):
        scenario("helthy")


def felt(name: str, duty: float = 0.7) -> float:
    """Velocity RMS of the worst axis as an ADXL345 shows it, in mm/s."""
    chip = Adxl345Signal(5, rate_error=0.0)
    recorded = at_speed(MACHINE, scenario(name), 2.0, duty=duty, site=chip.site())
    return float(np.max(velocity_rms(chip.counts(recorded.acceleration_g) / 256.0, 3200.0)))


def test_a_healthy_machine_is_in_zone_a() -> None:
    assert 0.35 < felt("healthy") < 0.7


def test_unbalance_passes_the_limit_and_slowing_down_cures_it() -> None:
    assert LIMIT_MM_S < felt("unbalance") < TRIP_MM_S
    assert felt("unbalance", 0.45) < LIMIT_MM_S


@pytest.mark.parametrize("name", ["outer-race", "inner-race", "ball"])
def test_a_young_spall_shows_before_the_limit(name: str) -> None:
    assert 1.3 * felt("healthy") < felt(name) < LIMIT_MM_S


@dataclass
class Governor:
    """A stand-in for the firmware: a 3 s ramp from 2 s on, slower above the limit.

    It never trips, to see what happens then.
    """

    duty: float = 0.0
    cap: float = 0.7

    def advance(self, time_s: float) -> float:
        ramp = 0.7 * min(1.0, max(0.0, (time_s - 2.0) / 3.0))
        self.duty = min(self.cap, ramp)
        return self.duty

    def hear(self, velocity_mm_s: float) -> None:
        over = (velocity_mm_s - LIMIT_MM_S) / (TRIP_MM_S - LIMIT_MM_S)
        wanted = 0.7 - 0.35 * min(1.0, max(0.0, over))
        self.cap = max(self.cap - 0.02, min(self.cap + 0.005, wanted))


@dataclass
class Story:
    """What happened when, in seconds; infinity for never."""

    velocity: dict[float, float] = field(default_factory=dict)
    duty: dict[float, float] = field(default_factory=dict)
    peak_g: dict[float, float] = field(default_factory=dict)
    seized_s: float = math.inf

    def first_above(self, level_mm_s: float) -> float:
        above = (time for time, velocity in self.velocity.items() if velocity > level_mm_s)
        return next(above, math.inf)


def tell(one: Scenario, seconds: float, seed: int = 1, *, governed: bool = True) -> Story:
    chip = Adxl345Signal(seed)
    plant = Plant(MACHINE, one, seed, chip.site())
    governor = Governor()
    story = Story()
    window: list[np.ndarray] = []
    for index in range(round(seconds / 5e-3)):
        drive = Drive(governor.advance(plant.time_s), True)
        reading = plant.step(drive, 5e-3, chip.instants(5e-3))
        window.append(chip.counts(reading.acceleration_g) / 256.0)
        if (index + 1) % 40 == 0:
            recent = np.concatenate(window[-200:])
            velocity = float(np.max(velocity_rms(recent, chip.rate_hz)))
            story.velocity[plant.time_s] = velocity
            story.duty[plant.time_s] = governor.duty
            story.peak_g[plant.time_s] = float(np.max(np.abs(recent)))
            if governed:
                governor.hear(velocity)
        if reading.seized:
            story.seized_s = reading.time_s
            break
    return story


@pytest.mark.parametrize("seed", [1, 2])
def test_demo_keeps_its_timetable(seed: int) -> None:
    story = tell(scenario("demo"), 60.0, seed)
    before = [velocity for time, velocity in story.velocity.items() if 7.5 < time < 9.0]
    assert 0.7 < np.mean(before) < 1.3, "visible at 8 s"
    assert 12.0 < story.first_above(LIMIT_MM_S) < 17.0
    assert 24.0 < story.first_above(TRIP_MM_S) < 31.0
    assert 38.0 < story.seized_s < 48.0
    slowed = [duty for time, duty in story.duty.items() if time > 25.0]
    assert max(slowed) < 0.5, "although the speed was reduced"
    early = [peak for time, peak in story.peak_g.items() if time < story.seized_s - 3.0]
    assert max(early) < 16.0


def test_demo_without_a_governor_is_over_sooner() -> None:
    story = tell(scenario("demo"), 60.0, governed=False)
    assert story.first_above(TRIP_MM_S) < 24.0
    assert story.seized_s < 36.0


def test_seizure_comes_about_15_s_after_the_start() -> None:
    story = tell(scenario("seizure"), 40.0, governed=False)
    assert 10.0 < story.seized_s < 22.0


def test_a_run_to_failure_ends_in_seizure_and_slowing_down_buys_time() -> None:
    hurried = replace(scenario("run-to-failure"), wear_time_scale=80_000.0)
    at_cap = run(Plant(MACHINE, hurried, 1), 45.0, samples=0)
    slower = run(Plant(MACHINE, hurried, 1), 45.0, 0.45, samples=0)
    wear = np.array([reading.wear for reading in at_cap.readings])
    assert np.all(np.diff(wear) >= 0.0)
    assert at_cap.last.seized
    assert slower.last.wear < 0.7
    # It accelerates: the last third of the wear takes less time than the first.
    marks = [float(np.argmax(wear > level)) for level in (0.05, 0.35, 0.65, 0.95)]
    assert marks[3] - marks[2] < 0.7 * (marks[1] - marks[0])
