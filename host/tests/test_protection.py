"""What stops the motor and what slows it down: every row of the table at its levels, after its
delay and not a tick earlier; and that no one can talk a level away."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from firmware_host import board_constants
from hypothesis import given, settings
from hypothesis import strategies as st
from micropython_vm import Vm
from protection_traces import Fields, digest, make_healthy, random_life, trace
from viper_modules import viper_module

from wrench.boards import load_board
from wrench_firmware import limits, wire

q = viper_module("quantities")
conditions = viper_module("conditions")
supplies = viper_module("supplies")
protection = viper_module("protection")

TICK_MS = 5
BOARDS = sorted(path.stem for path in (Path(__file__).parents[2] / "boards").glob("*.toml"))
# A board with everything that there is: three supplies, two thermometers, every level.
EVERYTHING: dict[str, Any] = {
    "PEAK_ALARM_MG": 3000,
    "PEAK_LIMIT_MG": 4000,
    "PEAK_TRIP_MG": 12_000,
    "CREST_ALARM_CENTI": 600,
    "CREST_LIMIT_CENTI": 800,
    "CREST_TRIP_CENTI": 1200,
    "ENVELOPE_ALARM_MG": 1600,
    "ENVELOPE_LIMIT_MG": 3000,
    "ENVELOPE_TRIP_MG": 6000,
    "BEARING_TEMPERATURE_ALARM_MDEGC": 70_000,
    "BEARING_TEMPERATURE_LIMIT_MDEGC": 80_000,
    "BEARING_TEMPERATURE_TRIP_MDEGC": 95_000,
    "BEARING_TEMPERATURE_HYSTERESIS_MDEGC": 2000,
    "BEARING_TEMPERATURE_DELAY_MS": 1000,
    "DRIVER_TEMPERATURE_ALARM_MDEGC": 75_000,
    "DRIVER_TEMPERATURE_LIMIT_MDEGC": 85_000,
    "DRIVER_TEMPERATURE_TRIP_MDEGC": 100_000,
    "DRIVER_TEMPERATURE_HYSTERESIS_MDEGC": 2000,
    "DRIVER_TEMPERATURE_DELAY_MS": 1000,
}


def everything() -> dict[str, Any]:
    return board_constants(load_board("pico-adxl345-i2c-pwm-enable")) | EVERYTHING


LEVELS = everything()


class Row(NamedTuple):
    """A protection of that board, by hand. `trip` of `below` rows is passed downward."""

    fault: str
    quantity: str
    alarm: int | None
    limit: int | None
    trip: int | None
    hysteresis: int = 0
    delay_ms: int = 0
    when: str = "always"
    limit_name: str = ""
    below: bool = False
    tolerant: bool = False

    def __str__(self) -> str:
        return f"{self.fault}, {self.quantity}{' below' if self.below else ''}"

    @property
    def lowest(self) -> int:
        """The level that is reached first."""
        return next(v for v in (self.alarm, self.limit, self.trip) if v is not None)

    def past(self, level: int, by: int) -> int:
        """A value that is beyond a level."""
        return level - by if self.below else level + by


ROWS = [
    Row("e-stop", "ESTOP_OPEN", None, None, 1),
    Row("driver fault", "DRIVER_FAULT", None, None, 1),
    Row("control overrun", "CONTROL_INTERVAL_US", 6001, None, 20_000, when="turning"),
    Row("control overrun", "LATE_TICKS", None, None, 20, when="turning"),
    Row("wrong sensor", "SENSOR_IDENTITY", None, None, 1),
    Row("sensor silent", "SENSOR_SILENT_MS", None, None, 100),
    Row("sensor stuck", "SENSOR_STUCK_MS", 1, None, 500),
    Row("sensor saturated", "SENSOR_SATURATED", None, None, 1, 0, 300),
    Row("sensor noisy", "SENSOR_NOISY", None, None, 1, 0, 2000, "at rest"),
    Row("samples lost", "SAMPLES_LOST", 1, None, 101, when="turning"),
    Row("supply too high", "SUPPLY_1_MV", None, None, 15_000, 200, 50, tolerant=True),
    Row("supply too high", "SUPPLY_2_MV", None, None, 15_500, 200, 50, tolerant=True),
    Row("supply too high", "SUPPLY_3_MV", None, None, 17_500, 200, 50, tolerant=True),
    Row("seizure", "SEIZING", 500, None, 1000, 250, 0, "turning"),
    Row("tacho lost", "TACHO_SILENT_MS", 500, None, 1000, when="turning"),
    Row("stall", "STANDING_MS", 500, None, 1000, when="turning"),
    Row("over-current", "CURRENT_MA", 2500, 3000, 4000, 100, 20, "always", "current"),
    Row("over-current", "CURRENT_MA", None, None, -4000, 100, 20, "turning", below=True),
    Row(
        "brown-out",
        "SUPPLY_MV",
        None,
        10_500,
        9000,
        200,
        50,
        "turning",
        limit_name="supply",
        below=True,
    ),
    Row("brown-out", "SUPPLIES_HEALTHY", None, None, 0, 0, 50, "turning", below=True),
    Row("brown-out", "SUPPLY_1_MV", 11_000, None, None, 200, below=True, tolerant=True),
    Row("brown-out", "SUPPLY_2_MV", 11_600, None, None, 200, below=True, tolerant=True),
    Row("brown-out", "SUPPLY_3_MV", 13_000, None, None, 200, below=True, tolerant=True),
    Row("over-speed", "SPEED_RPM", None, None, 2500, 0, 20),
    Row(
        "bearing too hot",
        "BEARING_MDEGC",
        70_000,
        80_000,
        95_000,
        2000,
        1000,
        limit_name="bearing temperature",
    ),
    Row(
        "driver too hot",
        "DRIVER_MDEGC",
        75_000,
        85_000,
        100_000,
        2000,
        1000,
        limit_name="driver temperature",
    ),
    Row("vibration", "VELOCITY_UM_S", 1200, 1800, 4500, 100, 300, "windowed", "vibration"),
    Row(
        "acceleration peak",
        "PEAK_MG",
        3000,
        4000,
        12_000,
        3000 // 16,
        300,
        "windowed",
        "acceleration peak",
    ),
    Row("envelope", "ENVELOPE_MG", 1600, 3000, 6000, 100, 300, "windowed", "envelope"),
    Row("crest factor", "CREST_CENTI", 600, 800, 1200, 600 // 16, 300, "windowed", "crest factor"),
    Row("link lost", "HEARTBEAT_AGE_MS", 300, None, 450, when="owned"),
]
TRIPPING = [row for row in ROWS if row.trip is not None]
LIMITING = [row for row in ROWS if row.limit is not None]
# What `check` is told in each condition in which a row may be in force.
TOLD = {
    "always": (protection.AT_REST,),
    "at rest": (protection.AT_REST,),
    "turning": (protection.TURNING,),
    "owned": (protection.TURNING, protection.OWNED),
    "windowed": (protection.TURNING,),
}


def rows(choice: list[Row]) -> Callable[[Any], Any]:
    return pytest.mark.parametrize("row", choice, ids=[str(row) for row in choice])


class Watch:
    """A protection that watches healthy values until told otherwise."""

    def __init__(self, constants: dict[str, Any] | None = None, **other: Any) -> None:
        unlocked = other.pop("unlocked", False)
        self.values = q.make_values()
        make_healthy(self.values, q)
        constants = (LEVELS if constants is None else constants) | other
        self.protection = protection.Protection(Fields(constants), self.values, unlocked)
        self.when("windowed")

    def when(self, when: str) -> Watch:
        """Say how the motor is, as a row of that kind is in force."""
        self.told = sum(TOLD[when])
        if when == "windowed":
            self.protection.window()
        return self

    def see(self, quantity: str, value: int) -> Watch:
        self.values[getattr(q, quantity)] = value
        return self

    def healthy(self) -> Watch:
        make_healthy(self.values, q)
        return self

    def tick(self, elapsed_ms: int = TICK_MS) -> str:
        return wire.FAULTS[self.protection.check(self.told, elapsed_ms)]

    def first_fault(self, within_ms: int = 4000) -> tuple[str, int] | None:
        """The first fault and how many milliseconds after the first tick it is told."""
        for now_ms in range(0, within_ms + 1, TICK_MS):
            if (fault := self.tick()) != "none":
                return fault, now_ms
        return None

    def settle(self) -> str:
        """What is told when every delay is over."""
        self.tick()
        return self.tick(5000)

    @property
    def alarms(self) -> set[str]:
        bits = self.protection.alarms
        return {name for n, name in enumerate(wire.FAULTS) if bits >> n & 1}

    @property
    def limiting(self) -> set[str]:
        bits = self.protection.limiting
        return {name for n, name in enumerate(wire.LIMITS) if bits >> n & 1}

    def excess(self, limit: str) -> int:
        return self.protection.excess_permille(wire.LIMITS.index(limit))

    def present(self, fault: str) -> bool:
        return self.protection.present(wire.FAULTS.index(fault))

    def lower(self, fault: str, level: str, value: int) -> int:
        return self.protection.lower(wire.FAULTS.index(fault), wire.LEVELS.index(level), value)

    def level(self, fault: str, level: str) -> int:
        return self.protection.levels(wire.FAULTS.index(fault))[wire.LEVELS.index(level)]


@pytest.fixture
def watch() -> Watch:
    watch = Watch()
    assert watch.settle() == "none", "healthy to begin with"
    assert watch.alarms == watch.limiting == set()
    return watch


# ---- each row ------------------------------------------------------------------------------------


@rows(ROWS)
def test_an_alarm_comes_at_its_level_and_goes_by_the_hysteresis(watch: Watch, row: Row) -> None:
    watch.when(row.when)
    watch.see(row.quantity, row.past(row.lowest, -1)).tick()
    assert watch.alarms == set()
    watch.see(row.quantity, row.lowest).tick()
    assert watch.alarms == {row.fault}
    watch.see(row.quantity, row.past(row.lowest, -row.hysteresis)).tick()
    assert watch.alarms == {row.fault}
    watch.see(row.quantity, row.past(row.lowest, -row.hysteresis - 1)).tick()
    assert watch.alarms == set()
    watch.see(row.quantity, row.past(row.lowest, -1)).tick()
    assert watch.alarms == set(), "once left, it takes the whole level to come back"


@rows(LIMITING)
def test_a_limit_tells_how_far_the_value_is_on_its_way_to_the_trip(watch: Watch, row: Row) -> None:
    watch.when(row.when)
    assert row.limit is not None
    assert row.trip is not None
    span = abs(row.trip - row.limit)

    def excess(value: int) -> int:
        watch.see(row.quantity, value).tick()
        return watch.excess(row.limit_name)

    assert excess(row.past(row.limit, -1)) == protection.INSIDE
    assert watch.limiting == set()
    assert excess(row.limit) == 0
    assert watch.limiting == {row.limit_name}
    assert excess(row.past(row.limit, span // 4)) == 250
    assert excess(row.past(row.limit, span // 2)) == 500
    assert excess(row.past(row.limit, span - 1)) == (span - 1) * 1000 // span
    assert excess(row.trip) == excess(row.past(row.trip, 1)) == 1000
    assert excess(row.past(row.trip, 5000)) == 1000
    held = protection.HOLDING if row.hysteresis else 0
    assert excess(row.past(row.limit, -row.hysteresis)) == held
    assert watch.limiting == {row.limit_name}
    assert excess(row.past(row.limit, -row.hysteresis - 1)) == protection.INSIDE
    assert watch.limiting == set()
    assert all(watch.excess(name) == protection.INSIDE for name in wire.LIMITS)


@rows(TRIPPING)
def test_a_trip_is_told_when_its_delay_is_over_and_not_before(watch: Watch, row: Row) -> None:
    assert row.trip is not None
    watch.when(row.when)
    watch.see(row.quantity, row.past(row.trip, -1))
    assert watch.settle() == "none"
    watch.see(row.quantity, row.trip)
    assert watch.first_fault() == (row.fault, row.delay_ms)
    assert watch.tick() == row.fault, "as long as it lasts"
    watch.see(row.quantity, row.past(row.trip, -1))
    assert watch.tick() == "none"


@rows([row for row in TRIPPING if row.delay_ms])
def test_one_good_tick_starts_the_delay_anew(watch: Watch, row: Row) -> None:
    assert row.trip is not None
    watch.when(row.when)
    for _ in range(3):
        watch.see(row.quantity, row.trip)
        assert watch.first_fault(within_ms=row.delay_ms - TICK_MS) is None
        watch.see(row.quantity, row.past(row.trip, -1))
        assert watch.tick() == "none"


@rows([row for row in TRIPPING if row.delay_ms])
def test_a_delay_counts_the_time_that_went_by(watch: Watch, row: Row) -> None:
    assert row.trip is not None
    watch.when(row.when).see(row.quantity, row.trip)
    assert watch.tick(1000) == "none", "nobody knows how it was before the first look"
    assert watch.tick(row.delay_ms - 1) == "none"
    assert watch.tick(1) == row.fault


@rows([row for row in TRIPPING if not row.tolerant])
@pytest.mark.parametrize("unknown", ["BROKEN", "ABSENT"])
def test_what_cannot_be_read_is_beyond_every_level_at_once(
    watch: Watch, row: Row, unknown: str
) -> None:
    watch.when(row.when).see(row.quantity, getattr(q, unknown))
    assert watch.tick() == row.fault
    assert row.fault in watch.alarms
    assert watch.present(row.fault) == (row.when != "owned")
    if row.limit_name:
        assert watch.limiting == {row.limit_name}
        assert watch.excess(row.limit_name) == 1000
    watch.healthy()
    assert watch.tick() == "none"
    assert watch.alarms == watch.limiting == set()


@rows(TRIPPING)
def test_a_cause_is_there_until_it_is_back_by_the_hysteresis(watch: Watch, row: Row) -> None:
    assert row.trip is not None
    watch.when("always")
    assert not watch.present(row.fault)
    for value, expected in [
        (row.past(row.trip, -row.hysteresis - 1), False),
        (row.past(row.trip, -row.hysteresis), True),
        (row.trip, True),
        (row.past(row.trip, 1000), True),
    ]:
        # The run is over when a reset is asked for, and needs its owner no longer.
        watch.see(row.quantity, value).tick()
        assert watch.present(row.fault) == (expected and row.when != "owned")
    others = {name for name in wire.FAULTS if watch.present(name)} - {row.fault}
    twins = {"sensor silent": {"sensor absent"}, "over-current": {"short circuit"}}
    assert others == twins.get(row.fault, set())


@rows(ROWS)
def test_a_row_is_silent_where_it_is_not_in_force(watch: Watch, row: Row) -> None:
    far = row.past(row.trip if row.trip is not None else row.lowest, 100)
    watch.see(row.quantity, far)
    silent = {
        "always": [],
        "at rest": ["turning", "owned", "windowed"],
        "turning": ["at rest"],
        "owned": ["at rest", "turning"],
        "windowed": ["at rest"],
    }[row.when]
    for when in silent:
        assert watch.when(when).settle() == "none"
        assert watch.alarms == watch.limiting == set()


def test_every_row_of_the_table_is_in_this_one() -> None:
    """By the numbers of quantities, so that a row that is forgotten here shows."""
    watch = Watch()
    found = {q_name for q_name in vars(q) if q_name.isupper() and _is_watched(watch, q_name)}
    assert found == {row.quantity for row in ROWS}
    assert len(watch.protection.table) // 16 == len(ROWS)


def _is_watched(watch: Watch, name: str) -> bool:
    if name in ("ABSENT", "BROKEN", "COUNT"):
        return False
    for when in TOLD:
        watch.healthy().when(when).see(name, q.BROKEN).tick()
        if watch.alarms:
            return True
    return False


# ---- vibration waits for a window ----------------------------------------------------------------


def test_vibration_of_the_time_before_the_run_does_not_count(watch: Watch) -> None:
    watch.protection.forget()
    watch.see("VELOCITY_UM_S", 9000)
    assert watch.settle() == "none"
    assert watch.alarms == watch.limiting == set()
    watch.protection.window()
    assert watch.first_fault() == ("vibration", 300)
    watch.protection.forget()
    assert watch.settle() == "none"


@pytest.mark.parametrize(
    ("fault", "quantity", "value", "delay_ms"),
    [("over-current", "CURRENT_MA", 4000, 20), ("bearing too hot", "BEARING_MDEGC", 95_000, 1000)],
)
def test_a_new_run_has_the_whole_delay(
    watch: Watch, fault: str, quantity: str, value: int, delay_ms: int
) -> None:
    watch.see(quantity, value)
    assert watch.first_fault(within_ms=delay_ms - TICK_MS) is None
    watch.protection.forget()
    assert watch.first_fault() == (fault, delay_ms)


# ---- the order of causes -------------------------------------------------------------------------


def test_of_many_faults_at_once_the_first_in_the_table_is_told(watch: Watch) -> None:
    watch.when("windowed").told |= protection.OWNED
    judged = [row for row in TRIPPING if row.when != "at rest" and not row.below]
    for row in judged:
        assert row.trip is not None
        watch.see(row.quantity, row.trip)
    for row in judged:
        assert watch.settle() == row.fault
        watch.see(row.quantity, row.past(row.trip or 0, -1))
    assert watch.settle() == "none"


@pytest.mark.parametrize(
    ("cause", "effect"),
    [
        ("e-stop", "driver fault"),
        ("e-stop", "stall"),
        ("control overrun", "link lost"),
        ("sensor silent", "vibration"),
        ("supply too high", "over-current"),
        ("seizure", "over-current"),
        ("seizure", "stall"),
        ("tacho lost", "stall"),
        ("over-current", "brown-out"),
        ("over-current", "driver too hot"),
        ("bearing too hot", "vibration"),
    ],
)
def test_a_cause_is_told_before_what_it_brings_about(cause: str, effect: str) -> None:
    names = [row.fault for row in ROWS]
    assert names.index(cause) < names.index(effect)
    assert max(i for i, n in enumerate(names) if n == cause) < names.index(effect) or (
        cause == "over-current"
    )


def test_a_fault_that_is_told_does_not_hide_the_alarms_of_the_others(watch: Watch) -> None:
    watch.see("ESTOP_OPEN", 1).see("VELOCITY_UM_S", 2000).see("BEARING_MDEGC", 75_000)
    assert watch.tick() == "e-stop"
    assert watch.alarms == {"e-stop", "vibration", "bearing too hot"}
    assert watch.limiting == {"vibration"}


# ---- supplies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", [0, q.BROKEN, q.ABSENT])
def test_the_loss_of_one_supply_is_an_alarm_and_no_trip(watch: Watch, reading: int) -> None:
    watch.see("SUPPLY_2_MV", reading)
    assert watch.settle() == "none"
    assert watch.alarms == {"brown-out"}
    assert watch.limiting == set()
    assert not watch.present("brown-out")
    assert not watch.present("supply too high")


def test_a_bus_that_nothing_feeds_is_a_brown_out(watch: Watch) -> None:
    watch.see("SUPPLY_MV", q.BROKEN)
    assert watch.tick() == "brown-out"
    watch.healthy().see("SUPPLIES_HEALTHY", 0)
    assert watch.first_fault() == ("brown-out", 50)


def test_a_supply_that_is_off_while_nobody_drives_is_no_trip(watch: Watch) -> None:
    watch.when("always").see("SUPPLY_MV", 0).see("SUPPLIES_HEALTHY", 0)
    watch.see("SUPPLY_1_MV", 0)
    assert watch.settle() == "none"
    assert watch.alarms == {"brown-out"}
    assert watch.present("brown-out")


# ---- boards --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_has_the_rows_of_what_it_measures_and_runs_healthy(name: str) -> None:
    constants = board_constants(load_board(name))
    watch = Watch(constants)
    watch.told = protection.TURNING | protection.OWNED
    # A board's own idea of normal: an analog sensor may have another crest factor.
    assert watch.settle() == "none"
    has = {
        "over-current": constants["CURRENT_TRIP_MA"],
        "seizure": constants["SEIZURE_CURRENT_MA"],
        "stall": constants["TACHO_PIN"],
        "over-speed": constants["TACHO_PIN"],
        "tacho lost": constants["TACHO_PIN"] and constants["CURRENT_TRIP_MA"],
        "bearing too hot": constants["BEARING_TEMPERATURE_PIN"],
        "driver too hot": constants["DRIVER_TEMPERATURE_PIN"],
        "brown-out": constants["SUPPLIES"],
        "supply too high": constants["SUPPLIES"],
        "vibration": True,
        "acceleration peak": constants["PEAK_TRIP_MG"],
        "crest factor": constants["CREST_ALARM_CENTI"],
        "envelope": constants["ENVELOPE_TRIP_MG"],
        "e-stop": True,
        "driver fault": True,
        "link lost": True,
    }
    for fault, there in has.items():
        levels = watch.protection.levels(wire.FAULTS.index(fault))
        assert (levels is not None) == bool(there), fault


LACKING = {
    "tacho": tuple(name for name in LEVELS if name.startswith(("TACHO_", "STALL_", "OVERSPEED_"))),
    "current": tuple(name for name in LEVELS if name.startswith(("CURRENT_", "SEIZURE_"))),
    "bearing": tuple(name for name in LEVELS if name.startswith("BEARING_TEMPERATURE_")),
    "peak": ("PEAK_ALARM_MG", "PEAK_LIMIT_MG", "PEAK_TRIP_MG"),
}
LOST = {
    "tacho": {"stall", "tacho lost", "over-speed"},
    "current": {"over-current", "seizure", "tacho lost"},
    "bearing": {"bearing too hot"},
    "peak": {"acceleration peak"},
}


@pytest.mark.parametrize("part", LACKING)
def test_what_a_board_does_not_measure_is_not_watched(part: str) -> None:
    watch = Watch(**dict.fromkeys(LACKING[part]))
    watch.told = protection.TURNING | protection.OWNED
    rows = [row for row in ROWS if row.fault in LOST[part] and row.when != "owned"]
    for row in rows:
        watch.see(row.quantity, q.BROKEN)
    assert watch.settle() == "none"
    assert watch.alarms == set()
    there = {name for n, name in enumerate(wire.FAULTS) if watch.protection.levels(n) is not None}
    assert there == {row.fault for row in ROWS} - LOST[part]


def test_a_limit_without_a_trip_is_at_its_worst_at_one_and_a_half_times_the_level() -> None:
    watch = Watch(CREST_TRIP_CENTI=None)
    watch.see("CREST_CENTI", 1000)
    assert watch.settle() == "none"
    assert watch.excess("crest factor") == 500
    watch.see("CREST_CENTI", 1200).tick()
    assert watch.excess("crest factor") == 1000


# ---- the snapshot --------------------------------------------------------------------------------


def test_a_snapshot_keeps_the_values_of_its_moment(watch: Watch) -> None:
    before = watch.protection.first
    watch.see("VELOCITY_UM_S", 4711).see("BEARING_MDEGC", q.BROKEN).see("SPEED_RPM", -3)
    watch.protection.snapshot()
    then = list(watch.values)
    watch.healthy()
    assert watch.protection.first is before
    assert list(watch.protection.first) == then
    assert list(watch.values) != then


@rows(ROWS)
def test_the_value_that_a_fault_is_about_is_the_one_that_has_reached_a_level(
    watch: Watch, row: Row
) -> None:
    number = wire.FAULTS.index(row.fault)
    first = next(r for r in ROWS if r.fault == row.fault)
    watch.when(row.when)
    assert watch.protection.value_of(number) == watch.values[getattr(q, first.quantity)]
    watch.see(row.quantity, row.past(row.lowest, 7)).tick()
    assert watch.protection.value_of(number) == row.past(row.lowest, 7)


def test_a_fault_without_a_quantity_has_no_value(watch: Watch) -> None:
    for name in ("none", "firmware hung", "settings corrupt", "short circuit"):
        assert watch.protection.value_of(wire.FAULTS.index(name)) == q.ABSENT


# ---- levels that cannot be talked away -----------------------------------------------------------

CHANGEABLE = {
    ("over-current", "alarm"),
    ("over-current", "limit"),
    ("over-current", "trip"),
    ("brown-out", "alarm"),
    ("brown-out", "limit"),
    ("brown-out", "trip"),
    ("supply too high", "alarm"),
    ("supply too high", "trip"),
    ("over-speed", "alarm"),
    ("over-speed", "trip"),
    ("link lost", "alarm"),
    ("link lost", "trip"),
} | set(
    itertools.product(
        (
            "vibration",
            "acceleration peak",
            "crest factor",
            "envelope",
            "bearing too hot",
            "driver too hot",
        ),
        ("alarm", "limit", "trip"),
    )
)


def test_the_levels_are_told_with_the_board_s() -> None:
    watch = Watch()
    assert tuple(watch.protection.levels(wire.FAULTS.index("vibration"))) == (
        *(1200, 1800, 4500, 300),
        *(1200, 1800, 4500),
    )
    assert watch.lower("vibration", "limit", 1500) == protection.DONE
    assert tuple(watch.protection.levels(1)) == (1200, 1500, 4500, 300, 1200, 1800, 4500)
    none = q.ABSENT
    assert tuple(watch.protection.levels(15)) == (none, none, 1, 0, none, none, 1)
    assert tuple(watch.protection.levels(11)) == (11_000, 10_500, 9000, 50, 11_000, 10_500, 9000)
    for unknown in (0, 6, 17, 26, 29, -1, 200):
        assert watch.protection.levels(unknown) is None


@pytest.mark.parametrize("fault", wire.FAULTS)
@pytest.mark.parametrize("level", [*wire.LEVELS, "none such"])
def test_what_may_be_changed_and_what_may_not(fault: str, level: str) -> None:
    watch = Watch()
    number = wire.FAULTS.index(fault)
    which = wire.LEVELS.index(level) if level in wire.LEVELS else 3
    answer = watch.protection.lower(number, which, 1)
    if fault not in {row.fault for row in ROWS} or which == 3:
        assert answer == protection.UNKNOWN
    elif (fault, level) in CHANGEABLE:
        assert answer not in (protection.UNKNOWN, protection.FIXED)
    else:
        assert answer == protection.FIXED
    if answer:
        assert watch.protection.levels(number) == Watch().protection.levels(number)


@pytest.mark.parametrize(
    ("fault", "level", "value", "reason"),
    [
        ("vibration", "trip", 4501, "LESS_PROTECTIVE"),
        ("vibration", "trip", 4500, "DONE"),
        ("vibration", "trip", 1801, "DONE"),
        ("vibration", "trip", 1800, "OUT_OF_ORDER"),
        ("vibration", "limit", 1200, "OUT_OF_ORDER"),
        ("vibration", "limit", 1801, "LESS_PROTECTIVE"),
        ("vibration", "alarm", 1, "DONE"),
        ("vibration", "alarm", 0, "OUT_OF_RANGE"),
        ("vibration", "alarm", -5, "OUT_OF_RANGE"),
        ("vibration", "trip", 1_000_001, "OUT_OF_RANGE"),
        ("brown-out", "trip", 8999, "LESS_PROTECTIVE"),
        ("brown-out", "trip", 10_499, "DONE"),
        ("brown-out", "trip", 10_500, "OUT_OF_ORDER"),
        ("brown-out", "limit", 12_000, "DONE"),
        ("brown-out", "alarm", 10_999, "LESS_PROTECTIVE"),
        ("brown-out", "alarm", 12_000, "DONE"),
        ("supply too high", "trip", 15_001, "LESS_PROTECTIVE"),
        ("supply too high", "trip", 14_000, "DONE"),
        ("supply too high", "alarm", 14_500, "DONE"),
        ("over-speed", "alarm", 2300, "DONE"),
        ("over-speed", "alarm", 2500, "OUT_OF_ORDER"),
        ("link lost", "trip", 451, "LESS_PROTECTIVE"),
        ("link lost", "trip", 310, "DONE"),
        ("e-stop", "trip", 1, "FIXED"),
        ("sensor silent", "trip", 50, "FIXED"),
    ],
)
def test_a_level_moves_to_the_protective_side_or_a_reason_is_given(
    fault: str, level: str, value: int, reason: str
) -> None:
    watch = Watch()
    before = watch.level(fault, level)
    assert watch.lower(fault, level, value) == getattr(protection, reason)
    assert watch.level(fault, level) == (value if reason == "DONE" else before)


def test_a_lowered_level_is_what_counts_from_the_next_tick_on(watch: Watch) -> None:
    watch.see("VELOCITY_UM_S", 900)
    assert watch.tick() == "none"
    for level, value in (("alarm", 300), ("limit", 600), ("trip", 900)):
        assert watch.lower("vibration", level, value) == protection.DONE
    assert watch.first_fault() == ("vibration", 300)
    assert watch.alarms == watch.limiting == {"vibration"}
    assert watch.excess("vibration") == 1000
    watch.see("VELOCITY_UM_S", 750).tick()
    assert watch.excess("vibration") == 500
    watch.protection.restore()
    assert watch.tick() == "none"
    assert watch.alarms == watch.limiting == set()
    assert watch.excess("vibration") == protection.INSIDE


def test_a_level_may_be_added_where_the_board_has_none() -> None:
    watch = Watch(CREST_LIMIT_CENTI=None, CREST_TRIP_CENTI=None)
    watch.see("CREST_CENTI", 1000)
    assert watch.settle() == "none"
    assert watch.limiting == set()
    assert watch.lower("crest factor", "limit", 700) == protection.DONE
    assert watch.lower("crest factor", "trip", 900) == protection.DONE
    assert watch.first_fault() == ("crest factor", 300)
    assert watch.limiting == {"crest factor"}
    watch.protection.restore()
    assert watch.settle() == "none"
    assert watch.limiting == set()


@pytest.mark.parametrize(
    ("fault", "level", "ceiling"),
    [
        ("vibration", "trip", 9000),
        ("acceleration peak", "trip", 16_000),
        ("envelope", "trip", 12_000),
        ("crest factor", "trip", 2400),
        ("over-current", "trip", 4750),
        ("bearing too hot", "trip", 120_000),
        ("driver too hot", "trip", 110_000),
        ("over-speed", "trip", 3000),
        ("supply too high", "trip", 16_500),
        ("brown-out", "trip", 7200),
        ("link lost", "trip", 450),
    ],
)
def test_the_local_act_lets_a_level_go_to_its_ceiling_and_not_beyond(
    fault: str, level: str, ceiling: int
) -> None:
    watch = Watch(unlocked=True)
    beyond = ceiling - 1 if fault == "brown-out" else ceiling + 1
    assert watch.lower(fault, level, beyond) == protection.LESS_PROTECTIVE
    assert watch.lower(fault, level, ceiling) == protection.DONE
    assert watch.level(fault, level) == ceiling
    locked = Watch()
    expected = protection.DONE if fault == "link lost" else protection.LESS_PROTECTIVE
    assert locked.lower(fault, level, ceiling) == expected


def test_no_ceiling_is_below_what_the_board_itself_has() -> None:
    hot = Watch(BEARING_TEMPERATURE_TRIP_MDEGC=130_000, unlocked=True)
    assert hot.lower("bearing too hot", "trip", 130_000) == protection.DONE
    assert hot.lower("bearing too hot", "trip", 130_001) == protection.LESS_PROTECTIVE


def test_the_local_act_cannot_free_what_is_fixed() -> None:
    watch = Watch(unlocked=True)
    for fault in ("e-stop", "driver fault", "sensor silent", "stall", "control overrun"):
        assert watch.lower(fault, "trip", 1_000_000) == protection.FIXED


def test_ceilings_leave_what_they_are_meant_to_leave() -> None:
    assert limits.LEAST_SUPPLY_PERMILLE < 1000 < limits.MOST_SUPPLY_PERMILLE
    assert limits.MOST_CURRENT_PERMILLE < limits.MOST_VIBRATION_PERMILLE <= 2000


# ---- kept and brought back -----------------------------------------------------------------------


def changed(*changes: tuple[str, str, int], unlocked: bool = False) -> Watch:
    watch = Watch(unlocked=unlocked)
    for change in changes:
        assert watch.lower(*change) == protection.DONE
    return watch


LOWERED = [
    ("vibration", "alarm", 300),
    ("vibration", "limit", 500),
    ("vibration", "trip", 1000),
    ("brown-out", "limit", 13_000),
    ("brown-out", "trip", 11_500),
    ("brown-out", "alarm", 11_900),
    ("supply too high", "trip", 14_000),
    ("link lost", "trip", 310),
]


def all_levels(watch: Watch) -> list[Any]:
    return [list(watch.protection.levels(n) or ()) for n in range(len(wire.FAULTS))]


def test_what_was_changed_comes_back_in_whatever_order() -> None:
    watch = changed(*LOWERED)
    flat = watch.protection.export()
    assert len(flat) == 2 * len(LOWERED)
    pairs = [tuple(flat[i : i + 2]) for i in range(0, len(flat), 2)]
    for order in (pairs, pairs[::-1], sorted(pairs, key=lambda pair: pair[1])):
        again = Watch()
        assert again.protection.import_levels([n for pair in order for n in pair]) == 0
        assert all_levels(again) == all_levels(watch)
        assert list(again.protection.export()) == list(flat)


def test_nothing_changed_is_nothing_kept() -> None:
    assert list(Watch().protection.export()) == []
    watch = changed(("vibration", "trip", 4000), ("vibration", "trip", 4500))
    assert list(watch.protection.export()) == []
    assert Watch().protection.import_levels([]) == 0


def test_levels_raised_by_the_local_act_are_not_believed_without_it() -> None:
    raised = changed(("vibration", "trip", 9000), ("vibration", "limit", 4000), unlocked=True)
    flat = raised.protection.export()
    locked = Watch()
    assert locked.protection.import_levels(flat) == 2
    assert all_levels(locked) == all_levels(Watch())
    again = Watch(unlocked=True)
    assert again.protection.import_levels(flat) == 0
    assert all_levels(again) == all_levels(raised)


def test_one_spoilt_pair_does_not_take_the_others_with_it() -> None:
    flat = list(changed(*LOWERED).protection.export())
    watch = Watch()
    spoilt = [*flat[:2], 9999, 1, -1, 5, *flat[2:], 77]
    assert watch.protection.import_levels(spoilt) == 3
    assert all_levels(watch) == all_levels(changed(*LOWERED))


_NUMBERS = st.one_of(
    st.integers(-(1 << 31), (1 << 31) - 1),
    st.integers(-10, 300),
    st.sampled_from(
        sorted({v for row in ROWS for v in (row.alarm, row.limit, row.trip) if v})
    ).flatmap(lambda v: st.integers(v - 2, v + 2)),
)
_KEYS = st.sampled_from(
    [8 * getattr(q, row.quantity) + 4 * row.below + which for row in ROWS for which in range(4)]
)
_PAIRS = st.lists(st.tuples(st.one_of(_KEYS, _NUMBERS), _NUMBERS), max_size=12).map(
    lambda pairs: [number for pair in pairs for number in pair]
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("lower"), st.integers(-1, 30), st.integers(-1, 4), _NUMBERS),
            st.tuples(st.just("import"), _PAIRS),
            st.tuples(st.just("restore")),
        ),
        max_size=12,
    )
)
def test_whatever_is_asked_for_no_level_is_ever_less_protective_than_the_board_s(
    asked: list[tuple[Any, ...]],
) -> None:
    watch = Watch()
    for kind, *arguments in asked:
        if kind == "lower":
            watch.protection.lower(*arguments)
        elif kind == "import":
            refused = watch.protection.import_levels(*arguments)
            assert 0 <= refused <= len(arguments[0])
        else:
            watch.protection.restore()
        for fault in {row.fault for row in ROWS}:
            number = wire.FAULTS.index(fault)
            now = watch.protection.levels(number)
            board = watch.protection.levels(number)[4:]
            below = fault == "brown-out"
            there = [level for level in now[:3] if level != q.ABSENT]
            if not below:  # there the alarm is another row's
                assert there == sorted(set(there))
            for level, of_board in zip(now, board, strict=False):
                if of_board != q.ABSENT:
                    assert level >= of_board if below else level <= of_board
    # And as a machine: what would have tripped as the board came still does.
    for row in TRIPPING:
        assert row.trip is not None
        watch.healthy().when(row.when).see(row.quantity, row.trip)
        assert watch.settle() != "none"


# ---- the same on MicroPython ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def vm() -> Iterator[Vm]:
    vm = Vm("protection_vm_device.py")
    yield vm
    vm.close()


@pytest.mark.parametrize("name", [*BOARDS, "everything"])
def test_micropython_watches_as_cpython_does(vm: Vm, name: str) -> None:
    constants = LEVELS if name == "everything" else board_constants(load_board(name))
    seen: set[int] = set()
    for seed in (608, 6202, 6205):
        life = random_life(seed, 100)
        here = list(trace(q, conditions, protection, supplies, constants, life))
        assert vm.ask("trace", constants, seed, 100) == json.loads(json.dumps(here))
        for (kind, *_), (answer, *_) in zip(life, here, strict=True):
            if kind == "ticks":
                seen.update(answer)
    assert len(seen) > 9, "a life that meets many faults"


def test_a_digest_tells_one_life_from_another() -> None:
    one, other = (
        digest(trace(q, conditions, protection, supplies, LEVELS, random_life(seed, 30)))
        for seed in (1, 2)
    )
    assert one != other


# ---- numbers that stand in two places ------------------------------------------------------------


def test_the_numbers_of_faults_limits_and_levels_are_those_of_the_wire() -> None:
    for number, name in enumerate(wire.FAULTS):
        constant = name.upper().replace(" ", "_").replace("-", "_")
        assert getattr(protection, {"E_STOP": "ESTOP"}.get(constant, constant)) == number
    for name in ("vibration", "acceleration peak", "crest factor", "envelope", "current", "supply"):
        constant = "LIMIT_" + name.upper().replace(" ", "_")
        assert getattr(protection, constant) == wire.LIMITS.index(name)
    assert wire.LIMITS.index("bearing temperature") == protection.LIMIT_BEARING
    assert wire.LIMITS.index("driver temperature") == protection.LIMIT_DRIVER
    assert [getattr(protection, name.upper()) for name in wire.LEVELS] == [0, 1, 2]


def test_the_numbers_of_quantities_are_those_of_the_wire() -> None:
    assert (q.ABSENT, q.BROKEN) == (wire.ABSENT, wire.BROKEN)
    numbered = [name for name in vars(q) if name.isupper()]
    numbered = [name for name in numbered if name not in ("ABSENT", "BROKEN", "COUNT")]
    assert [getattr(q, name) for name in numbered] == list(range(q.COUNT))
    told = [name.upper() for name, _ in wire.QUANTITIES]
    assert numbered[: len(told)] == told


@pytest.mark.parametrize("module", [conditions, supplies], ids=["conditions", "supplies"])
def test_the_numbers_of_quantities_in_viper_code_are_those_of_quantities(module: Any) -> None:
    again = {name[1:] for name in vars(module) if name[1:] in vars(q) and name[0] == "_"}
    assert len(again) > 4
    for name in again:
        assert getattr(module, "_" + name) == getattr(q, name), name


def test_one_bit_for_each_fault_and_limit_fits_what_the_chip_need_not_allocate() -> None:
    assert len(wire.FAULTS) <= 30
    assert len(wire.LIMITS) <= 30
