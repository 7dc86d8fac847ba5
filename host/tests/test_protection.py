"""What stops the motor for good: each check's fault, after its delay and not a tick earlier."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from firmware_host import board_constants, firmware_module
from firmware_traces import Fields, protection_trace
from hypothesis import given, settings
from hypothesis import strategies as st
from micropython_vm import Vm

from wrench.boards import Board
from wrench_firmware import wire

protection = firmware_module("protection")

TICK_MS = 5
HEALTHY: dict[str, Any] = {
    "estop_open": False,
    "current_ma": 1200,
    "bearing_mdegc": 40_000,
    "bearing_sensor_broken": False,
    "supply_mv": 12_000,
}
# What each level is measured by, and the constants that a board without it lacks.
UNMEASURED = {
    "current": ("CURRENT_TRIP_MA", "CURRENT_DELAY_MS"),
    "temperature": ("BEARING_TEMPERATURE_TRIP_MDEGC", "BEARING_TEMPERATURE_DELAY_MS"),
    "supply": ("SUPPLY_LOW_TRIP_MV", "SUPPLY_DELAY_MS"),
}


@pytest.fixture(scope="module")
def levels(board: Board) -> dict[str, Any]:
    """The constants of the board of most tests; the tables below are in its numbers."""
    return board_constants(board)


class Watch:
    """A protection, its inputs, and the world that feeds it until told otherwise."""

    def __init__(self, levels: dict[str, Any], **other: Any) -> None:
        self.protection = protection.Protection(Fields(levels | other))
        self.inputs = Fields(HEALTHY)
        self.turning = True
        self.owned_by_link = True
        self.sampling = True
        self.beating = True

    def see(self, **values: Any) -> Watch:
        for name, value in values.items():
            setattr(self.inputs, name, value)
        return self

    def healthy(self) -> Watch:
        return self.see(**HEALTHY)

    def tick(self, elapsed_ms: int = TICK_MS) -> str:
        if self.sampling:
            self.protection.samples()
        if self.beating:
            self.protection.heartbeat()
        fault = self.protection.check(self.inputs, self.turning, self.owned_by_link, elapsed_ms)
        return wire.FAULTS[fault]

    def first_fault(self, within_ms: int = 4000) -> tuple[str, int] | None:
        """The first fault and after how many milliseconds from now."""
        for now_ms in range(TICK_MS, within_ms + 1, TICK_MS):
            if (fault := self.tick()) != "none":
                return fault, now_ms
        return None

    def after_a_while(self) -> str:
        """What is told when all delays are over."""
        for _ in range(2000 // TICK_MS):
            self.tick()
        return self.tick()

    def windows(self, *velocities: int, peak_mg: int = 100, window_ms: int = 250) -> list[str]:
        """The fault seen after each of these windows."""
        seen: list[str] = []
        for velocity in velocities:
            self.protection.window(velocity, peak_mg, window_ms)
            seen.append(self.tick())
        return seen


@pytest.fixture
def watch(levels: dict[str, Any]) -> Watch:
    watch = Watch(levels)
    assert watch.first_fault() is None, "healthy to begin with"
    return watch


# ---- each check and its delay --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "fault", "after_ms"),
    [
        ({"estop_open": True}, "e-stop", TICK_MS),
        ({"current_ma": 4001}, "over-current", 20 + TICK_MS),
        ({"current_ma": 30_000}, "over-current", 20 + TICK_MS),
        ({"bearing_mdegc": 95_001}, "over-temperature", 1000 + TICK_MS),
        ({"bearing_sensor_broken": True}, "over-temperature", 1000 + TICK_MS),
        ({"supply_mv": 8999}, "brown-out", 50 + TICK_MS),
        ({"supply_mv": 0}, "brown-out", 50 + TICK_MS),
    ],
)
def test_what_is_wrong_is_told_after_its_delay(
    watch: Watch, seen: dict[str, Any], fault: str, after_ms: int
) -> None:
    assert watch.see(**seen).first_fault() == (fault, after_ms)
    assert watch.tick() == fault
    assert watch.healthy().tick() == "none"


@pytest.mark.parametrize(
    "seen", [{"current_ma": 4000}, {"bearing_mdegc": 95_000}, {"supply_mv": 9000}]
)
def test_a_level_just_reached_is_no_fault(watch: Watch, seen: dict[str, Any]) -> None:
    assert watch.see(**seen).first_fault() is None


def test_without_samples_the_sensor_is_stale(watch: Watch) -> None:
    watch.sampling = False
    assert watch.first_fault() == ("sensor stale", 100)
    watch.sampling = True
    assert watch.tick() == "none"


@pytest.mark.parametrize(
    ("seen", "delay_ms"),
    [
        ({"current_ma": 4001}, 20),
        ({"bearing_mdegc": 95_001}, 1000),
        ({"bearing_sensor_broken": True}, 1000),
        ({"supply_mv": 8999}, 50),
    ],
)
def test_one_good_tick_starts_the_delay_anew(
    watch: Watch, seen: dict[str, Any], delay_ms: int
) -> None:
    for _ in range(5):
        assert watch.see(**seen).first_fault(within_ms=delay_ms) is None
        assert watch.healthy().tick() == "none"


def test_hot_and_then_broken_is_one_delay(watch: Watch) -> None:
    assert watch.see(bearing_mdegc=99_000).first_fault(within_ms=600) is None
    watch.healthy().see(bearing_sensor_broken=True)
    assert watch.first_fault() == ("over-temperature", 400 + TICK_MS)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2000),
    st.lists(st.tuples(st.booleans(), st.integers(0, 700)), max_size=40),
)
def test_a_delay_is_over_when_the_condition_has_held_longer_without_a_break(
    delay_ms: int, ticks: list[tuple[bool, int]]
) -> None:
    delayed = protection.Delayed(delay_ms)
    held_ms = 0
    for condition, elapsed_ms in ticks:
        held_ms = held_ms + elapsed_ms if condition else 0
        assert delayed.update(condition, elapsed_ms) == (held_ms > delay_ms)


def test_of_many_faults_at_once_the_most_urgent_is_told(watch: Watch) -> None:
    watch.see(estop_open=True, current_ma=9000, bearing_mdegc=120_000, supply_mv=1000)
    watch.windows(9000, 9000, 9000)
    watch.sampling = watch.beating = False
    assert watch.after_a_while() == "e-stop"
    assert watch.see(estop_open=False).after_a_while() == "sensor stale"
    watch.sampling = True
    assert watch.after_a_while() == "vibration"
    watch.protection.window(0, 0, 250)
    assert watch.after_a_while() == "over-current"
    # The slower checks wait while a faster one tells: the link is lost before they are due.
    assert watch.see(current_ma=0).tick() == "link lost"
    assert watch.see(bearing_mdegc=120_000).after_a_while() == "over-temperature"
    assert watch.see(bearing_mdegc=0).after_a_while() == "brown-out"
    assert watch.see(supply_mv=12_000).after_a_while() == "link lost"


# ---- vibration -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delay_ms", "window_that_trips"), [(0, 1), (1, 2), (250, 2), (251, 3), (300, 3), (1000, 5)]
)
def test_vibration_trips_when_the_delay_from_the_first_window_s_end_is_over(
    levels: dict[str, Any], delay_ms: int, window_that_trips: int
) -> None:
    watch = Watch(levels, VIBRATION_DELAY_MS=delay_ms)
    seen = watch.windows(*[4500] * 6)
    before = window_that_trips - 1
    assert seen == ["none"] * before + ["vibration"] * (6 - before)


def test_one_calm_window_starts_the_delay_of_vibration_anew(watch: Watch) -> None:
    assert watch.windows(4500, 9000, 4499, 4500, 4500) == ["none"] * 5
    assert watch.windows(4500, 4499) == ["vibration", "none"]


def test_peaks_trip_as_velocity_does(watch: Watch) -> None:
    assert watch.windows(0, 0, 0, 0, peak_mg=11_999) == ["none"] * 4
    assert watch.windows(0, 0, 0, peak_mg=12_000) == ["none", "none", "vibration"]


def test_a_board_without_a_peak_level_has_only_velocity(levels: dict[str, Any]) -> None:
    watch = Watch(levels, ACCELERATION_PEAK_TRIP_MG=None)
    assert watch.windows(0, 0, 0, 0, peak_mg=16_000) == ["none"] * 4


# ---- who is checked, and when --------------------------------------------------------------------


def test_at_rest_only_the_e_stop_and_the_sensor_count(watch: Watch) -> None:
    watch.turning = watch.beating = False
    watch.see(current_ma=9000, bearing_mdegc=120_000, supply_mv=0)
    assert watch.windows(*[9000] * 6) == ["none"] * 6
    assert watch.first_fault() is None
    watch.sampling = False
    assert watch.first_fault() == ("sensor stale", 100)
    assert watch.see(estop_open=True).first_fault() == ("e-stop", TICK_MS)


@pytest.mark.parametrize("quantity", UNMEASURED)
def test_what_a_board_does_not_measure_is_not_checked(
    levels: dict[str, Any], quantity: str
) -> None:
    wild = {"current_ma": 9000, "bearing_sensor_broken": True, "supply_mv": 0}
    faults = {"current": "over-current", "temperature": "over-temperature", "supply": "brown-out"}
    watch = Watch(levels, **dict.fromkeys(UNMEASURED[quantity])).see(**wild)
    seen = {watch.tick() for _ in range(500)}
    assert faults[quantity] not in seen
    assert "none" in seen
    blind = Watch(levels, **dict.fromkeys(c for both in UNMEASURED.values() for c in both))
    assert blind.see(**wild).first_fault() is None


def test_a_run_of_the_link_s_needs_its_heartbeat(watch: Watch) -> None:
    watch.beating = False
    assert watch.first_fault() == ("link lost", 495)
    watch.protection.heartbeat()
    assert watch.first_fault() == ("link lost", 500)


def test_a_run_from_the_button_needs_no_heartbeat(watch: Watch) -> None:
    watch.beating = watch.owned_by_link = False
    assert watch.first_fault() is None
    watch.protection.link_closed()
    assert watch.first_fault() is None
    watch.owned_by_link = True
    assert watch.first_fault() == ("link lost", TICK_MS)


def test_a_closed_link_is_lost_at_once(watch: Watch) -> None:
    watch.beating = False
    watch.protection.link_closed()
    assert watch.first_fault() == ("link lost", TICK_MS)


# ---- a fault's cause, and a new run --------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("e-stop", {"estop_open": True}),
        ("over-temperature", {"bearing_mdegc": 95_001}),
        ("over-temperature", {"bearing_sensor_broken": True}),
        ("brown-out", {"supply_mv": 8999}),
    ],
)
def test_a_cause_is_present_as_long_as_it_is_seen(
    watch: Watch, fault: str, seen: dict[str, Any]
) -> None:
    number = wire.FAULTS.index(fault)
    assert not watch.protection.present(number, watch.inputs)
    watch.see(**seen)
    assert watch.protection.present(number, watch.inputs)
    others = [n for n, name in enumerate(wire.FAULTS) if name != fault]
    assert not any(watch.protection.present(n, watch.inputs) for n in others)
    watch.healthy()
    assert not watch.protection.present(number, watch.inputs)


@pytest.mark.parametrize("fault", ["sensor absent", "sensor stale"])
def test_a_silent_sensor_is_a_cause_until_it_speaks(watch: Watch, fault: str) -> None:
    number = wire.FAULTS.index(fault)
    watch.sampling = watch.turning = False
    assert watch.first_fault() == ("sensor stale", 100)
    assert watch.protection.present(number, watch.inputs)
    watch.protection.samples()
    assert not watch.protection.present(number, watch.inputs)


def test_what_is_seen_only_while_turning_is_no_cause_at_rest(watch: Watch) -> None:
    watch.see(current_ma=9000)
    watch.windows(9000, 9000, 9000)
    for fault in ("none", "vibration", "over-current", "link lost", "firmware exception"):
        assert not watch.protection.present(wire.FAULTS.index(fault), watch.inputs)


def test_a_new_run_forgets_the_shaking_and_the_silence_before_it(watch: Watch) -> None:
    watch.turning = watch.beating = False
    watch.windows(9000, 9000, 9000)
    assert watch.first_fault() is None
    watch.protection.forget()
    watch.turning = True
    assert watch.tick() == "none"
    assert watch.windows(9000, 9000) == ["none"] * 2
    assert watch.windows(9000) == ["vibration"]
    watch.protection.window(0, 0, 250)
    watch.protection.forget()
    assert watch.first_fault() == ("link lost", 500)


@pytest.mark.parametrize(
    ("seen", "delay_ms"),
    [({"current_ma": 4001}, 20), ({"bearing_mdegc": 95_001}, 1000), ({"supply_mv": 8999}, 50)],
)
def test_a_new_run_has_the_whole_delay_of_every_check(
    watch: Watch, seen: dict[str, Any], delay_ms: int
) -> None:
    assert watch.see(**seen).first_fault(within_ms=delay_ms) is None
    watch.turning = False
    assert watch.first_fault() is None
    watch.protection.forget()
    watch.turning = True
    fault = watch.first_fault()
    assert fault
    assert fault[1] == delay_ms + TICK_MS


# ---- what may never be ---------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-4000, 4000),
            st.integers(-40_000, 95_000),
            st.integers(9000, 65_535),
            st.integers(0, 4499),
            st.integers(0, 11_999),
            st.integers(0, 100),
        ),
        max_size=40,
    )
)
def test_what_is_healthy_never_stops_a_run(
    levels: dict[str, Any], life: list[tuple[int, ...]]
) -> None:
    watch = Watch(levels)
    for current, bearing, supply, velocity, peak, elapsed_ms in life:
        watch.protection.window(velocity, peak, 250)
        watch.see(current_ma=current, bearing_mdegc=bearing, supply_mv=supply)
        assert watch.tick(elapsed_ms) == "none"


# ---- the same on MicroPython ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def vm() -> Iterator[Vm]:
    vm = Vm("traces_device.py")
    yield vm
    vm.close()


def _random_life(noise: random.Random) -> list[tuple[Any, ...]]:
    """Everything a little on either side of its level, in spells longer than the delays."""
    life: list[tuple[Any, ...]] = []
    inputs, turning, owned = dict(HEALTHY), True, True
    for _ in range(150):
        match noise.randrange(12):
            case 0:
                name, values = noise.choice(
                    [
                        ("estop_open", (True, False, False)),
                        ("current_ma", (1200, 4000, 4001)),
                        ("bearing_mdegc", (40_000, 95_000, 95_001)),
                        ("bearing_sensor_broken", (True, False)),
                        ("supply_mv", (12_000, 9000, 8999)),
                    ]
                )
                inputs = inputs | {name: noise.choice(values)}
            case 1:
                turning = noise.random() < 0.8
            case 2:
                owned = noise.random() < 0.8
            case 3:
                life.append((noise.choice(["heartbeat", "link_closed", "forget", "heartbeat"]),))
            case 4 | 5:
                velocity, peak_mg = noise.choice([100, 4499, 4500]), noise.randint(0, 12_100)
                life.append(("window", velocity, peak_mg, 250))
            case 6:
                fault = noise.choice(["none", "vibration", "e-stop", "sensor stale", "link lost"])
                life.append(("present", wire.FAULTS.index(fault), inputs))
            case 7 | 8:
                life.append(("samples",))
            case _:
                life.append(("check", inputs, turning, owned, noise.choice([5, 5, 5, 20, 60])))
    return life


def test_micropython_protects_as_cpython_does(vm: Vm, levels: dict[str, Any]) -> None:
    noise = random.Random(608)
    seen: set[int] = set()
    quantities = ("_MS", "_MA", "_MG", "_MV", "_MDEGC", "_UM_S")
    used = {name: level for name, level in levels.items() if name.endswith(quantities)}
    used["BEARING_TEMPERATURE_DELAY_MS"] = 60  # a life here is a second or two
    for _ in range(20):  # as much at a time as fits the VM's heap
        cases: list[tuple[Any, ...]] = []
        for _ in range(10):
            lacking = noise.choice([(), (), *UNMEASURED.values()])
            cases.append((used | dict.fromkeys(lacking), _random_life(noise)))
        here = [protection_trace(protection, *case) for case in cases]
        assert vm.ask("protection", cases) == here
        for (_, life), answers in zip(cases, here, strict=True):
            seen |= {a for (name, *_), a in zip(life, answers, strict=True) if name == "check"}
    checked = ("none", "vibration", "e-stop", "sensor stale", "over-current", "over-temperature")
    assert {wire.FAULTS[n] for n in seen} == {*checked, "brown-out", "link lost"}


def test_the_numbers_of_faults_are_those_of_the_wire() -> None:
    for number, name in enumerate(wire.FAULTS):
        constant = {"e-stop": "ESTOP", "firmware exception": "EXCEPTION"}.get(
            name, name.upper().replace(" ", "_").replace("-", "_")
        )
        assert getattr(protection, constant) == number
