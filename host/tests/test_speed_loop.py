"""From command to duty, in closed loop with the bench's motor and the tacho as the firmware reads
it: no revolution is ever above the cap, and the speed asked for is held where the cap allows it."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from control_traces import loop_trace
from firmware_host import firmware_module
from hypothesis import example, given, settings
from hypothesis import strategies as st
from micropython_vm import Vm
from test_governor import BIGGEST, Small
from test_plant_harness import QUIET

from wrench.bench.plant import Drive, MachineParameters, Plant
from wrench.bench.plant.motor import Motor, MotorParameters

governor = firmware_module("governor")
speed_loop = firmware_module("speed_loop")

CAP, RATED_RPM, NOMINAL_V = 700, 3000, 12.0
MOST = 1.01 * CAP  # the mean over any revolution
STEP_S = 0.005
TURN = 2.0 * math.pi
STANDSTILL_US, FRESH_US = 1_500_000, 20_000
FULL_A = 3.0  # what the motor draws at rated load


class Tacho:
    """Edges from a shaft angle, and the speed that inputs.py makes of them."""

    def __init__(self, pulses: int) -> None:
        self.pulses = pulses
        self.connected = True
        self.edges = self.last_us = 0
        self.speed_rpm = 0
        self.read_edges = self._read_us = 0

    def edge(self, time_s: float) -> None:
        if self.connected:
            self.edges += 1
            self.last_us = int(time_s * 1e6)

    def read(self, time_s: float) -> None:
        if self.edges == self.read_edges:
            waited = int(time_s * 1e6) - self.last_us
            if waited > STANDSTILL_US:
                self.speed_rpm = 0
            elif waited > FRESH_US:
                self.speed_rpm = min(self.speed_rpm, 60_000_000 // waited // self.pulses)
            return
        span, turned = self.last_us - self._read_us, self.edges - self.read_edges
        self.read_edges, self._read_us = self.edges, self.last_us
        if 0 < span < STANDSTILL_US:
            self.speed_rpm = 60_000_000 // span * turned // self.pulses


def crossings(times: list[float], angles: list[float], spacing: float) -> Iterator[float]:
    """When the angle passes multiples of `spacing`."""
    for (t0, t1), (a0, a1) in zip(
        itertools.pairwise(times), itertools.pairwise(angles), strict=True
    ):
        for n in range(math.floor(a0 / spacing) + 1, math.floor(a1 / spacing) + 1):
            yield t0 + (t1 - t0) * (n * spacing - a0) / (a1 - a0)


class Rig:
    """Governor, speed loop, tacho and one motor, 200 ticks a second.

    `gain` is the unloaded speed over the duty, at nominal supply; `free` what the board says of it.
    The supply is read at every tick, and a change is felt by the motor one tick before.
    """

    def __init__(
        self,
        gain: float = 1.15,
        tau_s: float = 0.05,
        pulses: int = 1,
        *,
        free: float | None = None,
        up: int = 200,
        down: int = 500,
        band: tuple[int | None, int | None] = (None, None),
        friction_a: float = 0.0,
    ) -> None:
        rated = RATED_RPM * TURN / 60.0
        constant = NOMINAL_V / (gain * rated)
        parameters = MotorParameters(torque_constant_nm_a=constant)
        resistance = parameters.resistance_ohm + parameters.bridge_resistance_ohm
        inertia = tau_s * constant**2 / resistance
        self.motor = Motor(replace(parameters, inertia_kg_m2=inertia, inductance_h=0.1e-3))
        self.constant, self.rated = constant, rated
        self.friction_a, self.load_a, self.supply_v = friction_a, 0.0, NOMINAL_V
        self.governor = governor.Governor(
            SimpleNamespace(
                DERATE_CAP_PERMILLE=CAP,
                RAMP_UP_PERMILLE_PER_S=up,
                RAMP_DOWN_PERMILLE_PER_S=down,
                MOTOR_MIN_OFF_MS=0,
                CRITICAL_LOW_PERMILLE=band[0],
                CRITICAL_HIGH_PERMILLE=band[1],
            )
        )
        self.governor.self_test_begins()
        self.governor.self_test_passed()
        free_rpm = 0 if free is None else round(free * RATED_RPM)
        self.loop = speed_loop.SpeedLoop(CAP, RATED_RPM, pulses, 12_000, free_rpm)
        self.tacho = Tacho(pulses)
        self.ticks = 0
        self._supply_seen_v = self.supply_v
        self.turns = [0.0]  # when each revolution ended
        self.speeds: list[float] = []  # at each tick, 1/1000 of rated
        self.duties: list[int] = []

    def run(self, seconds: float, asked: int | None = None) -> Rig:
        if asked is not None:
            assert self.governor.run(asked) == 0
        for _ in range(round(seconds / STEP_S)):
            self._tick()
        return self

    def _tick(self) -> None:
        now_s = self.ticks * STEP_S
        if self.ticks % 4 == 0:
            self.tacho.read(now_s)
            command = self.governor.tick(20)
            self.loop.tick(command, self.tacho.speed_rpm, self.tacho.read_edges, 20)
        duty = self.loop.at_supply(round(1000 * self._supply_seen_v))
        self._supply_seen_v = self.supply_v
        motor = self.motor
        motor.advance(
            STEP_S,
            10,
            duty=duty / 1000,
            enabled=duty > 0,
            emf_v=self.supply_v,
            source_resistance_ohm=0.0,
            winding_c=20.0,
            dry_torque_nm=self.constant * (self.load_a + self.friction_a),
            viscous_torque_nm_s=0.0,
        )
        times = [now_s + t for t in motor.times_s]
        for at in crossings(times, motor.angles_rad, TURN / self.tacho.pulses):
            self.tacho.edge(at)
        self.turns += crossings(times, motor.angles_rad, TURN)
        self.speeds.append(1000 * motor.speed_rad_s / self.rated)
        self.duties.append(duty)
        self.ticks += 1

    @property
    def fastest(self) -> float:
        """The highest mean speed over a revolution so far."""
        spans = [b - a for a, b in itertools.pairwise(self.turns)]
        return 60_000 / RATED_RPM / min(spans)

    def lately(self, seconds: float = 1.0) -> list[float]:
        return self.speeds[-round(seconds / STEP_S) :]

    def near(self, permille: float, tolerance: float, seconds: float = 1.0) -> bool:
        return all(abs(s - permille) <= tolerance for s in self.lately(seconds))


PLANTS = list(itertools.product((0.8, 1.0, 1.15, 1.3), (0.03, 0.05, 0.15, 0.5), (1, 4, 64)))


# ---- never above the cap -------------------------------------------------------------------------


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(("gain", "tau_s", "pulses"), PLANTS)
def test_no_revolution_is_above_the_cap_whatever_load_and_supply_do(
    gain: float, tau_s: float, pulses: int, declared: bool
) -> None:
    rig = Rig(gain, tau_s, pulses, free=gain if declared else None).run(6, 1000)
    reached = CAP * 0.985 * (1 if declared else gain / 1.3)
    assert rig.near(reached, 4)
    rig.load_a = FULL_A
    rig.run(2)
    assert max(rig.lately()) < 0.9 * reached
    rig.load_a = 0.0
    rig.run(1)
    rig.supply_v = 1.2 * NOMINAL_V
    rig.run(1)
    assert rig.near(reached, 8, 0.1)
    rig.load_a = FULL_A
    rig.run(1)
    rig.load_a = 0.0
    rig.run(1)
    rig.supply_v = 0.8 * NOMINAL_V
    rig.run(1)
    rig.supply_v = NOMINAL_V
    rig.run(1)
    assert rig.fastest <= MOST


@pytest.mark.parametrize("tau_s", [0.03, 0.15, 0.5])
def test_a_start_under_full_load_that_vanishes(tau_s: float) -> None:
    rig = Rig(1.15, tau_s, free=1.15)
    rig.load_a = FULL_A
    rig.run(8, 1000)
    rig.load_a = 0.0
    rig.run(2)
    assert rig.fastest <= MOST


@pytest.mark.parametrize("phase", range(8))
@pytest.mark.parametrize("gain", [0.8, 1.15, 1.3])
@pytest.mark.parametrize("tau_s", [0.03, 0.05])
def test_a_supply_that_jumps_at_any_instant(tau_s: float, gain: float, phase: int) -> None:
    rig = Rig(gain, tau_s, free=gain).run(5 + phase * STEP_S, 1000)
    rig.supply_v = 1.2 * NOMINAL_V
    rig.run(0.5)
    assert rig.fastest > 0.98 * CAP
    assert rig.fastest <= MOST


@pytest.mark.parametrize("ramp", [1000, 10_000])
@pytest.mark.parametrize("tau_s", [0.03, 0.5])
@pytest.mark.parametrize("pulses", [1, 64])
def test_the_steepest_ramps_up_and_down(pulses: int, tau_s: float, ramp: int) -> None:
    rig = Rig(1.3, tau_s, pulses, free=1.3, up=ramp, down=ramp, friction_a=0.1)
    for asked in (1000, 60, 1000, 300, 650):
        rig.run(4, asked)
    assert rig.near(650, 5)
    rig.run(4, 1000)
    assert max(rig.lately()) > 670
    assert rig.fastest <= MOST


floats = st.floats(0.0, 1.0)


@settings(max_examples=40, deadline=None)
@example(1.3, 0.03, 1, 10_000, [(0.0, 1.0, 1000)] * 2)
@given(
    st.floats(0.8, 1.3),
    st.floats(0.03, 0.5),
    st.sampled_from([1, 2, 6, 64]),
    st.sampled_from([50, 200, 1000, 10_000]),
    st.lists(
        st.tuples(floats, floats, st.sampled_from([1000, 1000, 650, 400, 150])),
        min_size=1,
        max_size=5,
    ),
)
def test_any_load_any_speed_any_motor(
    gain: float,
    tau_s: float,
    pulses: int,
    ramp: int,
    history: list[tuple[float, float, int]],
) -> None:
    rig = Rig(gain, tau_s, pulses, free=gain, up=ramp, down=ramp)
    for load, seconds, asked in history:
        rig.load_a = FULL_A * load
        rig.run(0.1 + 3 * seconds, asked)
    rig.load_a = 0.0
    rig.run(2)
    assert rig.fastest <= MOST


@pytest.mark.parametrize("more", [1.05, 1.1, 1.3])
@pytest.mark.parametrize("tau_s", [0.03, 0.15, 0.5])
def test_a_motor_faster_than_its_board_says_is_found_out(tau_s: float, more: float) -> None:
    rig = Rig(1.0 * more, tau_s, free=1.0).run(8, 1000)
    assert rig.fastest <= 1.06 * CAP
    assert rig.loop.free_permille == pytest.approx(1000 * more, rel=0.005)
    turns = len(rig.turns)
    rig.load_a = FULL_A
    rig.run(5)
    rig.load_a = 0.0
    rig.run(2)
    rig.turns = rig.turns[turns:]
    assert rig.fastest <= MOST
    rig.governor.stop()
    rig.run(0.1)
    assert rig.loop.free_permille == 1000


def test_the_coasting_shaft_is_not_taken_for_a_fast_motor() -> None:
    rig = Rig(1.15, 0.15, free=1.15, down=10_000, friction_a=0.1).run(6, 1000)
    rig.run(3, 100).run(4, 600)
    assert rig.loop.free_permille <= 1160
    assert rig.near(600, 5)
    rig.governor.stop()
    rig.run(0.2).run(5, 600)
    assert rig.loop.free_permille <= 1160
    assert rig.near(600, 5)


# ---- the speed asked for -------------------------------------------------------------------------


@pytest.mark.parametrize(("gain", "tau_s", "pulses"), [p for p in PLANTS if p[0] >= 1.0])
def test_load_is_compensated_below_the_cap_and_the_speed_is_steady(
    gain: float, tau_s: float, pulses: int
) -> None:
    rig = Rig(gain, tau_s, pulses, free=gain, friction_a=0.2).run(6, 300)
    assert rig.near(300, 4)
    rig.load_a = 0.6 * FULL_A
    rig.run(6)
    assert rig.near(300, 4)
    settled = rig.lately()
    assert max(settled) - min(settled) <= 3
    rig.load_a = 0.0
    rig.run(5)
    assert rig.near(300, 4)


@pytest.mark.parametrize("gain", [0.8, 1.0, 1.3])
def test_a_motor_that_nothing_is_known_of_reaches_what_is_asked(gain: float) -> None:
    rig = Rig(gain, 0.05).run(8, 400)
    assert rig.near(400, 3)


def test_a_new_run_knows_nothing_of_the_old() -> None:
    rig = Rig(free=1.15)
    rig.load_a = FULL_A
    rig.run(5, 500)
    assert rig.loop.duty_permille > 500
    rig.governor.stop()
    rig.run(0.02)
    assert rig.loop.duty_permille == rig.duties[-1] == 0
    rig.governor.run(500)
    assert rig.loop.tick(200, 0, rig.tacho.edges, 20) == 200 * 1000 // 1150


# ---- the critical band ---------------------------------------------------------------------------


@pytest.mark.parametrize("pulses", [1, 8])
@pytest.mark.parametrize("tau_s", [0.03, 0.05, 0.15])
def test_the_shaft_itself_crosses_the_band_without_dwelling(tau_s: float, pulses: int) -> None:
    low, high = 400, 500
    rig = Rig(1.15, tau_s, pulses, free=1.15, band=(low, high), friction_a=0.3).run(6, 1000)
    inside = [low < s < high for s in rig.speeds]
    assert sum(inside) * STEP_S <= (high - low) / (4 * 200) + 0.1
    before = len(rig.speeds)
    rig.run(4, 300)
    inside = [low < s < high for s in rig.speeds[before:]]
    assert sum(inside) * STEP_S <= (high - low) / (4 * 500) + 0.06
    before = len(rig.speeds)
    rig.run(6, 450)
    assert max(rig.speeds[before:]) <= low * 1.02
    assert rig.fastest <= MOST


# ---- without a tacho, and with one that is lost --------------------------------------------------


def test_a_tacho_that_is_lost_moves_nothing() -> None:
    rig = Rig(free=1.15).run(5, 500)
    rig.load_a = 0.6 * FULL_A
    rig.run(5)
    before = rig.duties[-1]
    rig.tacho.connected = False
    rig.run(10)
    assert set(rig.duties[-1800:]) == {before}
    rig.load_a = 0.0
    rig.run(3)
    assert rig.fastest <= MOST


def test_a_tacho_that_never_was_leaves_the_bare_command() -> None:
    rig = Rig(free=1.15)
    rig.tacho.connected = False
    rig.run(8, 500)
    assert rig.duties[-1] == 500 * 1000 // 1150


def test_a_shaft_that_stands_is_not_driven_harder_and_harder() -> None:
    rig = Rig(free=1.15).run(5, 500)
    before = rig.duties[-1]
    rig.load_a = 100.0
    rig.run(5)
    assert rig.duties[-1] <= before + 150
    rig.load_a = 0.0
    rig.run(3)
    assert rig.fastest <= MOST


def test_what_a_lost_tacho_has_left_is_still_below_the_cap() -> None:
    rig = Rig(free=1.15)
    rig.load_a = 0.6 * FULL_A
    rig.run(6, 500)
    rig.tacho.connected = False
    rig.run(6, 1000)
    rig.load_a = 0.0
    rig.run(3)
    assert rig.fastest <= MOST
    rig.run(0.1, 10)
    assert min(rig.duties) >= 0


@pytest.mark.parametrize(("every", "steps"), [(1, [4]), (2, [8, 0]), (4, [16, 0, 0, 0])])
def test_the_correction_rises_with_the_error_and_with_time(every: int, steps: list[int]) -> None:
    loop = speed_loop.SpeedLoop(CAP, RATED_RPM, 1, 12_000, 3450)
    lacking = 100  # 1/1000 of rated; twice as much in a second, the half at once
    rpm = (400 - lacking) * RATED_RPM // 1000
    duties = [loop.tick(400, rpm, n // every, 20) for n in range(1, 40)]
    rises = [b - a for a, b in itertools.pairwise(duties[3 * every - 1 : 5 * every - 1])]
    assert sorted(rises[:every]) == sorted(steps)


def test_a_long_wait_for_a_pulse_weighs_no_more_than_a_short_one() -> None:
    duties = []
    for waits in (3, 10, 500):
        loop = speed_loop.SpeedLoop(CAP, RATED_RPM, 1, 12_000, 3450)
        for n in (1, 2, *[2] * waits):
            loop.tick(400, 900, n, 20)
        duties.append(loop.tick(400, 900, 3, 20))
    assert len(set(duties)) == 1


def test_a_command_that_falls_before_the_next_pulse_leaves_no_duty_below_zero() -> None:
    loop = speed_loop.SpeedLoop(CAP, RATED_RPM, 1, 12_000, 3450)
    for n in range(10):
        loop.tick(600, 2700, n, 20)
    assert loop.duty_permille < 600 * 1000 // 1150
    assert loop.tick(20, 2700, 9, 20) == loop.at_supply(12_000) == 0


def test_no_load_takes_more_than_rated_load_would() -> None:
    loop = speed_loop.SpeedLoop(CAP, RATED_RPM, 1, 12_000, 3600)
    duties = [loop.tick(100, 30, n, 20) for n in range(500)]
    assert max(duties) == duties[-1] == 100 * 1000 // 1200 + (1000 - 1_000_000 // 1200)


def test_a_shaft_that_something_else_drives_teaches_nothing() -> None:
    loop = speed_loop.SpeedLoop(CAP, RATED_RPM, 1, 12_000, 3450)
    duties = [loop.tick(200, 1500, n, 20) for n in range(500)]
    assert loop.free_permille == 1150
    assert duties[-1] == 200 * 1000 // 1150 * 3 // 4 + 1  # no more than a quarter less: it brakes


@pytest.mark.parametrize(
    ("cap", "command", "duty"),
    [(700, 500, 500), (700, 700, 700), (700, 900, 700), (2000, 1000, 850)],
)
def test_without_a_tacho_the_duty_is_the_command(cap: int, command: int, duty: int) -> None:
    loop = speed_loop.SpeedLoop(cap, RATED_RPM, 0, 12_000, 3450)
    assert [loop.tick(command, 9000, n, 20) for n in range(50)] == [duty] * 50
    assert loop.tick(0, 9000, 50, 20) == loop.at_supply(12_000) == 0


@pytest.mark.parametrize(
    ("supply_mv", "duty"),
    [(0, 600), (-(1 << 30), 600), (9000, 600), (12_000, 600), (12_001, 599), (14_400, 500)],
)
def test_a_supply_above_nominal_scales_the_duty_down(supply_mv: int, duty: int) -> None:
    loop = speed_loop.SpeedLoop(CAP, RATED_RPM, 0, 12_000)
    loop.tick(600, 0, 0, 20)
    assert loop.at_supply(supply_mv) == duty


# ---- the whole machine ---------------------------------------------------------------------------


def test_the_bench_machine_stays_below_its_cap() -> None:
    """The 775-class motor with its bearing, supply and heat, as the bench has it."""
    machine = MachineParameters()
    plant = Plant(machine, QUIET, 1)
    motor = machine.motor
    free_rpm = 60 / TURN * NOMINAL_V / motor.torque_constant_nm_a
    rig = Rig(free=free_rpm / RATED_RPM)
    tacho = rig.tacho
    turns: list[float] = []
    none = np.zeros(0)
    means = []
    for load, volts in (
        (0.0, 12.0),
        (1.0, 12.0),
        (0.0, 12.0),
        (0.0, 14.4),
        (1.0, 14.4),
        (0.0, 14.4),
    ):
        plant.set_load(load)
        plant.set_supply(volts)
        rig.governor.run(1000)
        started = len(turns)
        for _ in range(1200):
            if rig.ticks % 4 == 0:
                tacho.read(plant.time_s)
                rig.loop.tick(rig.governor.tick(20), tacho.speed_rpm, tacho.read_edges, 20)
            rig.ticks += 1
            duty = rig.loop.at_supply(round(1000 * rig._supply_seen_v)) / 1000
            before_s = plant.time_s
            reading = plant.step(Drive(duty, duty > 0), STEP_S, none)
            rig._supply_seen_v = reading.supply_v
            for edge in reading.tacho_edge_s:
                tacho.edge(before_s + edge)
                turns.append(before_s + edge)
        spans = np.diff(turns[started:])
        means.append(60_000 / RATED_RPM / np.mean(spans[-50:]))
    assert 60_000 / RATED_RPM / np.min(np.diff(turns)) <= MOST
    unloaded, loaded = means[0], means[1]
    assert 0.95 * CAP <= unloaded <= CAP
    assert 0.75 * CAP <= loaded <= 0.9 * CAP
    assert means[2:] == pytest.approx([unloaded, unloaded, loaded, unloaded], rel=0.03)


# ---- small integers, and the same on MicroPython -------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([1, 850]),
    st.sampled_from([10, 3000, 60_000]),
    st.sampled_from([1, 64]),
    st.sampled_from([3000, 60_000]),
    st.sampled_from([0, 10, 3450, 120_000]),
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 850]),
            st.sampled_from([0, 1, 2500, 60_000, BIGGEST]),
            st.sampled_from([0, 1, 2]),
            st.sampled_from([20, 100]),
            st.sampled_from([0, 12_000, 80_000, BIGGEST]),
        ),
        max_size=80,
    ),
)
def test_no_number_leaves_the_small_integers(
    cap: int, rated: int, pulses: int, nominal: int, free: int, history: list[tuple[int, ...]]
) -> None:
    loop = speed_loop.SpeedLoop(*map(Small, (cap, rated, pulses, nominal, free)))
    edges = 0
    for command, speed_rpm, more, elapsed_ms, supply_mv in history:
        edges += more
        duty = loop.tick(*map(Small, (min(command, cap), speed_rpm, edges, elapsed_ms)))
        assert 0 <= loop.at_supply(Small(supply_mv)) <= duty <= 1000 * cap // 800


@pytest.fixture(scope="module")
def vm() -> Iterator[Vm]:
    vm = Vm("control_device.py")
    yield vm
    vm.close()


def test_micropython_drives_as_cpython_does(vm: Vm) -> None:
    noise = random.Random(11)
    cases: list[tuple[Any, ...]] = []
    for _ in range(80):
        board = (CAP, RATED_RPM, noise.choice([0, 1, 64]), 12_000, noise.choice([0, 3450]))
        history: list[tuple[Any, ...]] = []
        edges = 0
        for _ in range(60):
            edges += noise.choice([0, 0, 1, 5])
            command = noise.choice([0, 300, 500, 500, 700, 700])
            speed_rpm = max(0, command * 3 + noise.randint(-300, 400))
            history.append(("tick", command, speed_rpm, edges, 20))
            history.append(("at_supply", noise.randint(8000, 15_000)))
        cases.append((board, history))
    for first in range(0, len(cases), 20):
        batch = cases[first : first + 20]
        assert vm.ask("speed_loop", batch) == [loop_trace(speed_loop, *case) for case in batch]
