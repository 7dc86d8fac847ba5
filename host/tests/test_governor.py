"""How fast the motor may turn, and why: every mode and event, every limit, then everything that may
never be."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from control_traces import governor_trace
from firmware_host import firmware_module
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from micropython_vm import Vm

from wrench_firmware import wire

governor = firmware_module("governor")
HARD_CAP = firmware_module("limits").HARD_CAP_PERMILLE

Event = tuple[Any, ...]

CAP = 700
UP, DOWN = 200, 500  # 1/1000 of rated speed in a second
MIN_OFF_MS = 1000
BOARD: dict[str, Any] = {
    "DERATE_CAP_PERMILLE": CAP,
    "RAMP_UP_PERMILLE_PER_S": UP,
    "RAMP_DOWN_PERMILLE_PER_S": DOWN,
    "MOTOR_MIN_OFF_MS": MIN_OFF_MS,
    "CRITICAL_LOW_PERMILLE": None,
    "CRITICAL_HIGH_PERMILLE": None,
}
LOW, HIGH = 400, 500
BAND = BOARD | {"CRITICAL_LOW_PERMILLE": LOW, "CRITICAL_HIGH_PERMILLE": HIGH}
CROSSING = 4  # the ramps in the band are this much steeper
FLOOR, LOWEST = 350, 100  # vibration, and the others, hold the speed no lower
GIVE_BACK = 4  # of vibration, in one window

LIMIT = {name: number for number, name in enumerate(wire.LIMITS)}
SHAKING = [LIMIT[n] for n in ("vibration", "acceleration peak", "crest factor", "envelope")]
HOT = [LIMIT["bearing temperature"], LIMIT["driver temperature"]]
ELECTRIC = [LIMIT["current"], LIMIT["supply"]]
PROTECTING = [*SHAKING, *HOT, *ELECTRIC]
VIBRATION = LIMIT["vibration"]

SHAKEN, ESTOP = 1, 15  # faults
TICK = ("tick", 20)
REST = ("tick", MIN_OFF_MS)
READY: list[Event] = [("self_test_begins",), ("self_test_passed",), REST]


def after(*events: Event, board: dict[str, Any] = BOARD) -> Any:
    """The governor after these events."""
    subject = governor.Governor(SimpleNamespace(**board))
    for name, *arguments in events:
        getattr(subject, name)(*arguments)
    return subject


def running(*events: Event, board: dict[str, Any] = BOARD) -> Any:
    """The governor at its cap, after these events."""
    return after(*READY, ("run", 1000), ("tick", 100_000), *events, board=board)


def mode_of(subject: Any) -> str:
    return wire.MODES[subject.mode]


def limit_of(subject: Any) -> str:
    return wire.LIMITS[subject.limit]


def speed(subject: Any) -> tuple[str, int]:
    return mode_of(subject), subject.command_permille


def everything(subject: Any) -> dict[str, Any]:
    return {
        name: list(value) if name == "_held" else value for name, value in vars(subject).items()
    }


def test_the_numbers_are_those_of_the_wire() -> None:
    modes = [name.upper().replace("-", "_") for name in wire.MODES]
    assert [getattr(governor, name) for name in modes] == list(range(8))
    limits = ["NONE", "OPERATOR", "DERATE", "PROBATION", "RAMP", "CRITICAL", "VIBRATION", "PEAK"]
    limits += ["CREST", "ENVELOPE", "CURRENT", "BEARING_TEMPERATURE", "DRIVER_TEMPERATURE"]
    limits += ["SUPPLY"]
    assert [getattr(governor, f"LIMIT_{name}") for name in limits] == list(range(14))
    assert len(wire.LIMITS) == 14
    assert wire.LIMITS[6:] == tuple(wire.LIMITS[n] for n in sorted(PROTECTING))


# ---- modes and events ----------------------------------------------------------------------------

INTO: dict[str, list[Event]] = {
    "boot": [REST],
    "self-test": [("self_test_begins",), REST],
    "idle": READY,
    "starting": [*READY, ("run", 1000), ("tick", 1000)],
    "running": [*READY, ("run", 1000), ("tick", 5000)],
    "limiting": [*READY, ("run", 1000), ("tick", 5000), ("restrain", 6, 0), ("tick", 1000)],
    "tripped": [*READY, ("run", 1000), ("tick", 1000), ("trip", SHAKEN)],
    "maintenance": [*READY, ("maintain",)],
}
COMMAND = {"starting": 200, "running": 700, "limiting": 693}

EVENTS: dict[str, Event] = {
    "self_test_begins": ("self_test_begins",),
    "self_test_passed": ("self_test_passed",),
    "run": ("run", 500),
    "change_speed": ("change_speed", 500),
    "stop": ("stop",),
    "trip": ("trip", ESTOP),
    "reset": ("reset", False),
    "maintain": ("maintain",),
    "power_up": ("power_up",),
}

# A mode: it is the new one. `=`: nothing changes and the event is accepted. A number: the refusal.
NOT_READY, NOT_RESET, TURNING, NOT_TURNING, NOT_TRIPPED = "16", "17", "18", "19", "20"
CAUSE_PRESENT, TOO_SOON, OUT_OF_RANGE, NO_SELF_TEST, LEAVING = 21, 22, 23, "24", "25"
GRID = """
              begins     passed     run        change     stop  trip     reset  maintain     power
  boot        self-test  24         16         19         =     tripped  20     maintenance  boot
  self-test   =          idle       16         19         =     tripped  20     maintenance  boot
  idle        self-test  =          starting   19         =     tripped  20     maintenance  boot
  starting    18         24         =          =          idle  tripped  20     18           boot
  running     18         24         =          =          idle  tripped  20     18           boot
  limiting    18         24         =          =          idle  tripped  20     18           boot
  tripped     17         =          17         19         =     =        idle   maintenance  boot
  maintenance 25         25         25         25         =     =        25     =            boot
"""
CELLS = {
    (mode, event): cell
    for mode, *cells in (line.split() for line in GRID.strip().splitlines()[1:])
    for event, cell in zip(EVENTS, cells, strict=True)
}


def test_the_stories_lead_into_every_mode() -> None:
    found = {mode: speed(after(*events)) for mode, events in INTO.items()}
    assert found == {mode: (mode, COMMAND.get(mode, 0)) for mode in wire.MODES}


def test_the_table_has_a_cell_for_every_mode_and_event() -> None:
    assert len(CELLS) == len(wire.MODES) * len(EVENTS)
    for (row, mode), (column, event) in itertools.product(enumerate(wire.MODES), enumerate(EVENTS)):
        cell = CELLS[mode, event]
        stays = mode if cell == "=" else cell
        expected = int(cell) if cell.isdecimal() else wire.MODES.index(stays)
        assert governor.TABLE[row][column] == expected, (mode, event)
        assert getattr(governor, event.replace("self_test", "SELF_TEST").upper()) == column
    assert {len(row) for row in governor.TABLE} == {len(EVENTS)}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("mode", wire.MODES)
def test_what_follows_in_each_mode_on_each_event(mode: str, event: str) -> None:
    cell = CELLS[mode, event]
    subject = after(*INTO[mode])
    before = everything(subject)
    name, *arguments = EVENTS[event]
    answer = getattr(subject, name)(*arguments)
    now = mode if cell == "=" or cell.isdecimal() else cell
    if cell.isdecimal():
        assert answer == int(cell)
        assert everything(subject) == before
    else:
        assert not answer
    assert speed(subject) == (now, COMMAND.get(mode, 0) if now in COMMAND else 0)
    assert subject.turning == (now in COMMAND)
    for _ in range(3):
        command = subject.tick(20)
        assert (command > 0) == (now in COMMAND)
        assert mode_of(subject) == now or (mode, event) in ONWARD


# Where the next ticks lead on: a limit that binds no more, or binds now.
ONWARD = {("limiting", "run"), ("limiting", "change_speed"), ("starting", "run")}
ONWARD |= {("starting", "change_speed")}


def test_power_up_is_the_same_as_new() -> None:
    fresh = everything(governor.Governor(SimpleNamespace(**BAND)))
    for events in INTO.values():
        subject = after(*events, ("hold_below", 300), ("hold_supply", 10), board=BAND)
        subject.power_up()
        assert everything(subject) == fresh


def test_a_trip_keeps_its_first_fault_until_it_is_reset() -> None:
    subject = after(*INTO["tripped"])
    events: list[Event] = [*EVENTS.values(), ("restrain", 6, 0), ("restrain", 6, None), TICK]
    for event in events:
        if event[0] in ("reset", "maintain", "power_up"):
            continue
        getattr(subject, event[0])(*event[1:])
        assert (mode_of(subject), subject.fault) == ("tripped", SHAKEN)
    subject.reset(False)
    assert (mode_of(subject), subject.fault) == ("idle", 0)
    subject.trip(ESTOP)
    assert subject.fault == ESTOP


def test_a_trip_is_not_reset_while_its_cause_is_there() -> None:
    subject = after(*INTO["tripped"])
    assert subject.reset(True) == CAUSE_PRESENT
    assert (mode_of(subject), subject.fault) == ("tripped", SHAKEN)
    assert subject.reset(False) == 0


def test_nothing_runs_by_itself_after_a_reset() -> None:
    subject = after(*INTO["tripped"], ("run", 700), ("reset", False))
    assert [subject.tick(1000) for _ in range(10)] == [0] * 10
    assert speed(subject) == ("idle", 0)
    assert subject.operator_permille == 0


def test_a_fault_before_the_self_test_is_done_is_not_forgotten_by_it() -> None:
    subject = after(("self_test_begins",), ("trip", ESTOP), ("self_test_passed",), REST)
    assert (mode_of(subject), subject.fault) == ("tripped", ESTOP)
    assert subject.reset(False) == 0
    assert subject.run(500) == 0


def test_without_a_passed_self_test_nothing_runs() -> None:
    for way in ([("trip", ESTOP)], [("self_test_begins",), ("trip", ESTOP)]):
        subject = after(*way, ("reset", False), REST)
        assert mode_of(subject) == "idle"
        assert subject.run(500) == int(NOT_READY)
        assert (subject.self_test_begins(), subject.self_test_passed()) == (0, 0)
        assert subject.run(500) == 0


def test_a_self_test_that_never_began_cannot_pass() -> None:
    subject = after(("trip", ESTOP))
    assert subject.self_test_passed() == int(NO_SELF_TEST)
    subject.reset(False)
    assert subject.self_test_passed() == int(NO_SELF_TEST)


@pytest.mark.parametrize("asked", [-1, 0, 1001, 1 << 29])
def test_a_speed_out_of_range_changes_nothing(asked: int) -> None:
    for mode in ("idle", *COMMAND):
        subject = after(*INTO[mode])
        before = everything(subject)
        assert subject.run(asked) == OUT_OF_RANGE
        assert everything(subject) == before
    assert after(*INTO["running"]).change_speed(asked) == OUT_OF_RANGE


def test_a_change_of_speed_starts_nothing() -> None:
    subject = after(*INTO["idle"])
    assert subject.change_speed(500) == int(NOT_TURNING)
    assert speed(subject) == ("idle", 0)


# ---- the minimum off time ------------------------------------------------------------------------


@pytest.mark.parametrize("end", [[("stop",)], [("trip", ESTOP), ("reset", False)]])
def test_a_motor_that_has_just_stopped_does_not_start_again_too_soon(end: list[Event]) -> None:
    subject = running(*end)
    for _ in range(MIN_OFF_MS // 20):
        assert subject.run(500) == TOO_SOON
        assert speed(subject) == ("idle", 0)
        assert subject.tick(20) == 0
    assert subject.run(500) == 0
    assert speed(subject) == ("starting", 0)


def test_time_in_tripped_counts_as_off() -> None:
    subject = running(("trip", ESTOP), REST, ("reset", False))
    assert subject.run(500) == 0


def test_a_stop_at_rest_does_not_begin_the_time_anew() -> None:
    subject = running(("stop",), ("tick", MIN_OFF_MS - 20), ("stop",), ("trip", ESTOP))
    subject.reset(False)
    assert subject.run(500) == TOO_SOON
    subject.tick(20)
    assert subject.run(500) == 0


def test_after_a_power_cut_the_time_counts_from_power_up() -> None:
    subject = after(("self_test_begins",), ("self_test_passed",))
    assert subject.run(500) == TOO_SOON


def test_a_board_without_a_minimum_starts_at_once() -> None:
    subject = running(("stop",), board=BOARD | {"MOTOR_MIN_OFF_MS": 0})
    assert subject.run(500) == 0


# ---- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cap", [HARD_CAP + 1, 1000, 5000])
def test_a_board_cannot_lift_the_hard_cap(cap: int) -> None:
    subject = running(
        ("hold_below", 5000),
        ("hold_probation", 5000),
        ("hold_supply", 5000),
        ("tick", 100_000),
        board=BOARD | {"DERATE_CAP_PERMILLE": cap},
    )
    assert subject.cap_permille == HARD_CAP
    assert speed(subject) == ("running", HARD_CAP)
    assert limit_of(subject) == "derate cap"


HELD_450 = [("tick", 5000), *[("restrain", VIBRATION, 900), ("tick", 1000)] * 7]


@pytest.mark.parametrize(
    ("asked", "others", "speed_permille", "limit"),
    [
        (500, [], 500, "operator"),
        (699, [], 699, "operator"),
        (700, [], 700, "derate cap"),
        (1000, [], 700, "derate cap"),
        (1000, [("hold_below", 400)], 400, "operator"),
        (300, [("hold_below", 400)], 300, "operator"),
        (1000, [("hold_below", 699)], 699, "operator"),
        (1000, [("hold_below", 900)], 700, "derate cap"),
        (1000, [("hold_below", 0)], 0, "operator"),
        (1000, [("hold_below", -5)], 0, "operator"),
        (1000, [("hold_probation", 600)], 600, "probation"),
        (600, [("hold_probation", 600)], 600, "probation"),
        (599, [("hold_probation", 600)], 599, "operator"),
        (1000, [("hold_probation", 700)], 700, "derate cap"),
        (1000, [("hold_probation", 900)], 700, "derate cap"),
        (1000, [("hold_probation", 600), ("hold_below", 500)], 500, "operator"),
        (1000, [("hold_supply", 550)], 550, "supply"),
        (1000, [("hold_supply", 550), ("hold_probation", 540)], 540, "probation"),
        (550, [("hold_supply", 550)], 550, "operator"),
        (1000, [("hold_supply", 0)], 0, "supply"),
        (1000, [("hold_supply", -9)], 0, "supply"),
        (1000, [("hold_supply", 700)], 700, "derate cap"),
        (1000, [("hold_supply", 550), ("hold_supply", 1000)], 700, "derate cap"),
        (1000, HELD_450, 457, "vibration"),
        (1000, [*HELD_450, ("hold_supply", 300)], 300, "supply"),
        (1000, [*HELD_450, ("hold_below", 300)], 300, "operator"),
    ],
)
def test_the_least_limit_binds_and_is_named(
    asked: int, others: list[Event], speed_permille: int, limit: str
) -> None:
    subject = after(*READY, ("run", asked), *others, ("tick", 10_000), TICK)
    protects = limit in wire.LIMITS[6:]
    assert speed(subject) == ("limiting" if protects else "running", speed_permille)
    assert limit_of(subject) == limit


@pytest.mark.parametrize("limit", PROTECTING)
def test_each_limit_that_protects_is_named_and_lets_go_again(limit: int) -> None:
    subject = running()
    for _ in range(20):
        subject.restrain(limit, 300)
        subject.tick(1000)
    assert mode_of(subject) == "limiting"
    assert subject.limit == limit
    assert subject.command_permille == subject.held_permille(limit) < CAP
    for _ in range(CAP):
        subject.restrain(limit, None)
        subject.tick(1000)
    assert speed(subject) == ("running", CAP)
    assert limit_of(subject) == "derate cap"


def test_of_two_limits_that_protect_the_lower_binds_until_it_lets_go() -> None:
    current, heat = LIMIT["current"], LIMIT["bearing temperature"]
    subject = running()
    for _ in range(5):
        subject.restrain(heat, 500)
        subject.restrain(current, 100)
        subject.tick(1000)
    assert limit_of(subject) == "bearing temperature"
    for _ in range(CAP):
        subject.restrain(heat, None)
        subject.restrain(current, -1)
    subject.tick(100_000)
    assert limit_of(subject) == "current"
    assert subject.command_permille == subject.held_permille(current)


def test_the_ramp_binds_on_the_way_up_and_not_where_it_ends() -> None:
    subject = after(*READY, ("run", 500))
    seen = [(subject.tick(500), limit_of(subject), mode_of(subject)) for _ in range(6)]
    assert seen[:4] == [(n, "ramp", "starting") for n in (100, 200, 300, 400)]
    assert seen[4:] == [(500, "operator", "running")] * 2


def test_the_operator_s_lasting_limit_outlives_runs_and_trips() -> None:
    again: list[Event] = [("trip", ESTOP), ("reset", False), REST, ("run", 700), ("tick", 9000)]
    subject = running(("hold_below", 300), *again)
    assert speed(subject) == ("running", 300)
    subject.hold_below(1000)
    subject.tick(9000)
    assert speed(subject) == ("running", CAP)


def test_probation_and_supply_outlive_runs_too() -> None:
    subject = running(("hold_probation", 400), ("stop",), REST, ("run", 700), ("tick", 9000))
    assert (subject.command_permille, limit_of(subject)) == (400, "probation")
    subject = running(("hold_supply", 300), ("stop",), REST, ("run", 700), ("tick", 9000))
    assert (subject.command_permille, limit_of(subject)) == (300, "supply")


def test_at_rest_no_limit_is_named() -> None:
    for way_out in (("stop",), ("trip", ESTOP)):
        assert limit_of(after(*INTO["limiting"], way_out)) == "none"


# ---- ramps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tick_ms", [1, 5, 7, 20, 33])
@pytest.mark.parametrize("rate", [1, 37, 200, 10_000])
def test_a_ramp_is_as_steep_as_the_board_says_at_any_tick(tick_ms: int, rate: int) -> None:
    rates = {"RAMP_UP_PERMILLE_PER_S": rate, "RAMP_DOWN_PERMILLE_PER_S": rate}
    subject = after(*READY, ("run", CAP), board=BOARD | rates)
    for n in range(1, 200):
        assert subject.tick(tick_ms) == min(n * tick_ms * rate // 1000, CAP)
    while subject.tick(10_000) < CAP:
        pass
    subject.run(1)
    for n in range(1, 200):
        exact_micro = max(CAP * 1000 - n * tick_ms * rate, 1000)
        assert subject.tick(tick_ms) == exact_micro // 1000


def test_no_time_no_change_of_speed() -> None:
    subject = after(*INTO["starting"])
    assert [subject.tick(0) for _ in range(3)] == [200] * 3


@pytest.mark.parametrize(
    ("event", "limit"),
    [
        (("run", 400), "operator"),
        (("hold_below", 400), "operator"),
        (("hold_probation", 400), "probation"),
        (("hold_supply", 400), "supply"),
    ],
)
def test_a_limit_that_sinks_is_approached_by_the_ramp_down(event: Event, limit: str) -> None:
    subject = running(event)
    seen = [(subject.tick(200), limit_of(subject)) for _ in range(4)]
    assert [s for s, _ in seen] == [600, 500, 400, 400]
    assert {name for _, name in seen} == {limit}


def test_stop_and_trip_do_not_ramp() -> None:
    for event in (("stop",), ("trip", ESTOP)):
        subject = running(event)
        assert (subject.command_permille, subject.tick(20)) == (0, 0)


def test_a_new_run_starts_from_standstill_and_without_the_old_restraint() -> None:
    subject = running(("restrain", 6, 500), ("stop",), REST, ("restrain", 6, 500), ("run", 700))
    assert subject.held_permille(6) == CAP
    assert [subject.tick(20) for _ in range(3)] == [4, 8, 12]


# ---- the critical band ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "settles_at", "limit"),
    [
        (LOW - 1, LOW - 1, "operator"),
        (LOW, LOW, "operator"),
        (LOW + 1, LOW, "critical speed"),
        (HIGH - 1, LOW, "critical speed"),
        (HIGH, HIGH, "operator"),
        (1000, CAP, "derate cap"),
    ],
)
def test_a_speed_in_the_band_is_lowered_to_its_low_edge(
    asked: int, settles_at: int, limit: str
) -> None:
    subject = after(*READY, ("run", asked), ("tick", 100_000), board=BAND)
    assert speed(subject) == ("running", settles_at)
    assert limit_of(subject) == limit


@pytest.mark.parametrize(
    "event", [("hold_below", 450), ("hold_probation", 450), ("run", 450), ("hold_supply", 450)]
)
def test_a_limit_that_sinks_into_the_band_goes_to_its_low_edge(event: Event) -> None:
    subject = running(event, ("tick", 100_000), board=BAND)
    assert subject.command_permille == LOW
    assert limit_of(subject) == "critical speed"
    assert mode_of(subject) == ("limiting" if event[0] == "hold_supply" else "running")


def test_what_sinks_step_by_step_jumps_over_the_band() -> None:
    subject = running(board=BAND)
    seen = []
    for _ in range(60):
        subject.restrain(VIBRATION, 0)
        subject.tick(1000)
        seen.append((subject.command_permille, mode_of(subject), limit_of(subject)))
    assert not [s for s, _, _ in seen if LOW < s < HIGH]
    assert {mode for _, mode, _ in seen} == {"limiting"}
    assert (LOW, "limiting", "critical speed") in seen
    assert seen[-1][0] == FLOOR


@pytest.mark.parametrize(("first", "then", "rate"), [(300, 650, UP), (650, 300, DOWN)])
def test_the_band_is_crossed_four_times_as_fast_and_without_a_stop(
    first: int, then: int, rate: int
) -> None:
    subject = after(*READY, ("run", first), ("tick", 100_000), ("run", then), board=BAND)
    path = [subject.command_permille]
    while path[-1] != then:
        path.append(subject.tick(20))
    steps = {n: abs(b - a) for n, (a, b) in enumerate(itertools.pairwise(path))}
    inside = [n for n in steps if LOW < path[n] < HIGH]
    assert {steps[n] for n in inside} == {CROSSING * rate * 20 // 1000}
    outside = [n for n in steps if n not in inside]
    assert {steps[n] for n in outside[:-1]} <= {rate * 20 // 1000, then - path[outside[-1]]}
    assert len(inside) <= (HIGH - LOW) * 1000 // (CROSSING * rate * 20) + 1


# ---- how a limit that protects is kept -----------------------------------------------------------


@pytest.mark.parametrize("limit", SHAKING)
@pytest.mark.parametrize(
    ("excess", "left_permille"),
    [
        (-1, 700),  # between limit and hysteresis it stays
        (0, 693),  # 1 % at least
        (27, 693),
        (54, 686),
        (134, 665),
        (160, 658),  # 6 % at most
        (1000, 658),
        (1 << 28, 658),
    ],
)
def test_the_more_it_shakes_the_more_speed_is_taken(
    limit: int, excess: int, left_permille: int
) -> None:
    assert running(("restrain", limit, excess)).held_permille(limit) == left_permille


def test_back_off_starts_from_the_speed_that_shook() -> None:
    subject = after(*READY, ("run", 500), ("tick", 5000), ("restrain", 6, 0), ("tick", 1000))
    assert speed(subject) == ("limiting", 495)


def test_nothing_more_is_taken_while_the_ramp_is_on_its_way_down() -> None:
    slow = BOARD | {"RAMP_DOWN_PERMILLE_PER_S": 1}
    subject = running(*[("restrain", 6, 1000), TICK] * 20, board=slow)
    assert subject.held_permille(6) == 658
    subject.restrain(6, 0)
    assert subject.held_permille(6) == 658
    subject.tick(100_000)
    subject.restrain(6, 1000)
    assert subject.held_permille(6) == 658 - 39


@pytest.mark.parametrize(("limits", "floor"), [(SHAKING, FLOOR), (ELECTRIC, LOWEST), (HOT, LOWEST)])
def test_no_excess_takes_more_than_to_the_floor(limits: list[int], floor: int) -> None:
    for limit in limits:
        subject = running()
        before = CAP
        for _ in range(300):
            subject.restrain(limit, 1000)
            subject.tick(250)
            held = subject.held_permille(limit)
            assert floor <= held <= before
            assert held < before or before == floor
            before = held
        assert speed(subject) == ("limiting", floor)


@pytest.mark.parametrize("cap", [60, 300, 349])
def test_a_cap_below_the_floor_is_still_the_cap(cap: int) -> None:
    subject = running(board=BOARD | {"DERATE_CAP_PERMILLE": cap})
    for limit in PROTECTING * 10:
        subject.restrain(limit, 1000)
        subject.tick(250)
        assert subject.held_permille(limit) <= cap
        assert subject.command_permille <= cap


def test_speed_comes_back_slower_than_it_went_and_not_beyond_the_cap() -> None:
    subject = running(*[("restrain", 6, 1000), ("tick", 1000)] * 30)
    assert subject.held_permille(6) == FLOOR
    back = []
    for _ in range(100):
        subject.restrain(6, None)
        back.append(subject.held_permille(6))
    rises = [b - a for a, b in itertools.pairwise([FLOOR, *back])]
    assert set(rises[:87]) == {GIVE_BACK}
    assert back[86:] == [698, *[CAP] * 13]


def test_what_is_given_back_in_steps_is_still_the_same_limit() -> None:
    slow = BOARD | {"RAMP_UP_PERMILLE_PER_S": 1}
    subject = after(*READY, ("run", 1000), ("tick", 1_000_000), board=slow)
    for _ in range(5):
        subject.restrain(VIBRATION, 1000)
        subject.tick(1000)
    before = subject.command_permille
    subject.restrain(VIBRATION, None)
    for _ in range(3):
        subject.tick(1000)
        assert (mode_of(subject), limit_of(subject)) == ("limiting", "vibration")
    assert subject.command_permille == before + 3
    subject.run(before + 4)
    subject.tick(20)
    assert (mode_of(subject), limit_of(subject)) == ("running", "ramp")


def test_a_temperature_takes_speed_on_a_straight_line_to_the_trip() -> None:
    for excess, speed_permille in ((0, 699), (100, 640), (500, 400), (999, 101), (1000, 100)):
        subject = running()
        for _ in range(40):
            subject.restrain(HOT[0], excess)
            subject.tick(1000)
        assert subject.command_permille == speed_permille
    subject = running(*[("restrain", HOT[0], 500), ("tick", 1000)] * 20)
    for _ in range(20):
        subject.restrain(HOT[0], 499)
        subject.tick(1000)
    assert subject.command_permille == 401  # cooler: back along the line, not beyond


def test_a_hot_bearing_binds_at_any_speed_asked_for() -> None:
    for asked in (150, 300, 600):
        subject = after(*READY, ("run", asked), ("tick", 10_000))
        for _ in range(30):
            subject.restrain(HOT[0], 500)
            subject.tick(1000)
        assert subject.command_permille == asked - (asked - LOWEST) // 2


def settle(limit: int, quantity: Callable[[float, float], float], every_s: float) -> list[int]:
    """Speeds over the last third of a run whose `quantity(speed, old)` is 1,000 at its limit and
    1,200 at its trip, hysteresis 40; no speed is taken where it is above its trip for long."""
    subject = running()
    excess: int | None = None
    value = 0.0
    path = []
    limiting = False
    for n in range(18_000):
        value = quantity(subject.command_permille / CAP, value)
        if n % round(every_s / 0.02) == 0:
            limiting = value >= 1000 or (limiting and value >= 960)
            excess = int((value - 1000) * 5) if limiting else None
            subject.restrain(limit, excess)
        path.append(subject.tick(20))
        assert value < 1200 or n < 12_000
    return path[12_000:]


@pytest.mark.parametrize("lag_s", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("strength", [1.05, 1.3, 1.8])
@pytest.mark.parametrize("limit", [VIBRATION, *ELECTRIC])
def test_what_answers_at_once_settles_under_its_limit(
    limit: int, strength: float, lag_s: float
) -> None:
    every_s = 0.25 if limit == VIBRATION else 0.1

    def follows(speed: float, value: float) -> float:
        return value + (1000 * strength * speed**2 - value) * 0.02 / max(lag_s, 0.02)

    path = settle(limit, follows, every_s)
    assert max(path) - min(path) <= 0.03 * CAP
    exact = CAP * strength**-0.5
    assert 0.93 * exact <= min(path) <= max(path) <= exact + 1


@pytest.mark.parametrize("lag_s", [20, 60])
@pytest.mark.parametrize("strength", [1.1, 1.5, 2.5])
@pytest.mark.parametrize("limit", HOT)
def test_what_answers_slowly_settles_between_limit_and_trip(
    limit: int, strength: float, lag_s: float
) -> None:
    def warms(speed: float, value: float) -> float:
        return value + (1000 * strength * speed**2 - value) * 0.02 / lag_s

    path = settle(limit, warms, 0.1)
    assert max(path) - min(path) <= 0.02 * CAP
    final = 1000 * strength * (path[-1] / CAP) ** 2
    assert 955 <= final <= 1200


# ---- what may never be ---------------------------------------------------------------------------

SETTLED = {"idle", "tripped", "boot", "self-test", "maintenance"}


class Watched(RuleBasedStateMachine):
    """A governor and what a bystander knows of it from the events alone."""

    @initialize(
        cap=st.integers(1, 1200),
        up=st.integers(1, 10_000),
        down=st.integers(1, 10_000),
        min_off_ms=st.sampled_from([0, 20, 1000, 60_000]),
        band=st.one_of(
            st.just((None, None)),
            st.tuples(st.integers(1, 998), st.integers(1, 400)).map(
                lambda b: (b[0], min(b[0] + b[1], 999))
            ),
        ),
    )
    def board(
        self, cap: int, up: int, down: int, min_off_ms: int, band: tuple[int | None, int | None]
    ) -> None:
        self.subject = governor.Governor(
            SimpleNamespace(
                DERATE_CAP_PERMILLE=cap,
                RAMP_UP_PERMILLE_PER_S=up,
                RAMP_DOWN_PERMILLE_PER_S=down,
                MOTOR_MIN_OFF_MS=min_off_ms,
                CRITICAL_LOW_PERMILLE=band[0],
                CRITICAL_HIGH_PERMILLE=band[1],
            )
        )
        self.cap, self.up, self.down, self.min_off_ms = min(cap, HARD_CAP), up, down, min_off_ms
        self.low, self.high = 1000 if band[0] is None else band[0], band[1] or 1000
        self.forget()

    def forget(self) -> None:
        self.mode = "boot"
        self.test = 0
        self.off_ms = 0
        self.first_fault = 0
        self.asked = 0
        self.ceiling = self.probation = self.supply = self.cap

    def happen(self, event: str, *arguments: Any) -> None:
        """An event of the table, and what must follow from it."""
        subject = self.subject
        before = everything(subject)
        was = self.mode
        cell = CELLS[was, event]
        expected: int | None = None if cell.isdecimal() else 0
        if event == "self_test_passed" and not self.test:
            expected = int(NO_SELF_TEST)
        if event in ("run", "change_speed") and expected == 0:
            if not 0 < arguments[0] <= 1000:
                expected = OUT_OF_RANGE
            elif was == "idle" and self.test < 2:
                expected = int(NOT_READY)
            elif was == "idle" and self.off_ms < self.min_off_ms:
                expected = TOO_SOON
        if event == "reset" and expected == 0 and arguments[0]:
            expected = CAUSE_PRESENT
        answer = getattr(subject, event)(*arguments)
        if cell.isdecimal():
            expected = int(cell)
        assert (answer or 0) == expected
        if expected:
            assert everything(subject) == before
            return
        self.mode = was if cell == "=" else cell
        self.follow(event, arguments, was)
        if was in COMMAND and self.mode in COMMAND:
            assert subject.command_permille == before["command_permille"]
        assert mode_of(subject) == self.mode

    def follow(self, event: str, arguments: tuple[Any, ...], was: str) -> None:
        if event == "power_up":
            self.forget()
        if event == "self_test_begins":
            self.test = 1
        if event == "self_test_passed":
            self.test = 2
        if event in ("run", "change_speed"):
            self.asked = arguments[0]
        if event == "trip" and was not in ("tripped", "maintenance"):
            self.first_fault = arguments[0]
        if event == "reset":
            self.first_fault = 0
        if was in COMMAND and self.mode not in COMMAND:
            self.off_ms = 0
            self.asked = 0

    @rule(
        event=st.sampled_from(
            [("self_test_begins",), ("self_test_passed",), ("stop",), ("reset", False)]
        )
    )
    def often(self, event: Event) -> None:
        self.happen(*event)

    @rule(chance=st.integers(0, 15))
    def seldom(self, chance: int) -> None:
        if chance < 3:
            self.happen(*[("maintain",), ("power_up",), ("reset", True)][chance])

    @rule(name=st.sampled_from(["run", "change_speed"]), asked=st.integers(-1, 1010))
    def ask(self, name: str, asked: int) -> None:
        self.happen(name, asked)

    @rule(fault=st.integers(1, len(wire.FAULTS) - 1))
    def trip(self, fault: int) -> None:
        self.happen("trip", fault)

    @precondition(lambda self: self.mode == "boot")
    @rule()
    def come_up(self) -> None:
        """What the app does: without it few histories would come to a run."""
        self.happen("self_test_begins")
        self.happen("self_test_passed")
        self.tick(1000, 60)
        self.happen("run", 1000)

    @rule(name=st.sampled_from(["ceiling", "probation", "supply"]), permille=st.integers(-10, 1200))
    def hold(self, name: str, permille: int) -> None:
        method = {"ceiling": "hold_below"}.get(name, f"hold_{name}")
        getattr(self.subject, method)(permille)
        setattr(self, name, max(0, min(permille, self.cap)))

    @rule(
        limit=st.sampled_from(PROTECTING),
        excess=st.one_of(st.none(), st.integers(-100, 1100)),
        times=st.integers(1, 5),
    )
    def restrain(self, limit: int, excess: int | None, times: int) -> None:
        for _ in range(times):
            subject = self.subject
            before = everything(subject)
            self.subject.restrain(limit, excess)
            if self.mode not in COMMAND:
                assert everything(subject) == before
                continue
            held, now = before["_held"], [*subject._held]
            assert held[:limit] + held[limit + 1 :] == now[:limit] + now[limit + 1 :]
            if excess is None:
                rise = GIVE_BACK if limit in SHAKING else 1
                assert now[limit] == min(held[limit] + rise, self.cap)
            elif excess < 0:
                assert now[limit] == held[limit]
            elif limit not in HOT:
                assert now[limit] <= held[limit]
            assert min(FLOOR if limit in SHAKING else LOWEST, self.cap) <= now[limit] <= self.cap

    @rule(
        elapsed_ms=st.one_of(st.just(20), st.sampled_from([0, 1, 1000])), times=st.integers(1, 40)
    )
    def tick(self, elapsed_ms: int, times: int) -> None:
        for _ in range(times):
            self.tick_once(elapsed_ms)

    def tick_once(self, elapsed_ms: int) -> None:
        subject = self.subject
        micro = subject._micro
        was = self.mode
        answer = subject.tick(elapsed_ms)
        assert answer == subject.command_permille
        self.mode = mode_of(subject)
        if was not in COMMAND:
            self.off_ms += elapsed_ms
            assert (answer, self.mode) == (0, was)
            return
        assert self.mode in COMMAND
        held = min(subject.held_permille(limit) for limit in PROTECTING)
        asked = min(self.asked, self.ceiling, self.cap, self.probation)
        least = min(asked, held, self.supply)
        banded = self.low if self.low < least < self.high else least
        crossing = CROSSING if self.low * 1000 < micro < self.high * 1000 else 1
        rise, fall = self.up * elapsed_ms * crossing, self.down * elapsed_ms * crossing
        target = banded * 1000
        # It goes to its target by the ramps and stays there, whatever else.
        assert (
            subject._micro == max(min(micro + rise, target), min(micro - fall, micro), target)
            if micro > target
            else subject._micro == min(micro + rise, target)
        )
        assert answer <= max(banded, micro // 1000) <= self.cap
        self.name_fits(least, banded, asked, was)

    def name_fits(self, least: int, banded: int, asked: int, was: str) -> None:
        subject = self.subject
        limit = limit_of(subject)
        protects = least < asked
        if subject._micro < banded * 1000:
            # A limit that protects gives back in steps; the ramp between them binds nothing.
            steps = wire.LIMITS[5:] if was == "limiting" and protects else ()
            assert limit in {"ramp", *steps}
            assert (limit == "ramp") != bool(steps)
        elif banded != least:
            assert limit == "critical speed"
        elif protects:
            assert limit in wire.LIMITS[6:]
            supplied = limit == "supply" and self.supply == least
            assert supplied or subject.held_permille(subject.limit) == least
        elif self.probation < self.cap and self.probation == least:
            assert limit == "probation"
        else:
            assert limit == ("derate cap" if least == self.cap else "operator")
        if limit == "ramp":
            assert self.mode == ("starting" if was == "starting" else "running")
        else:
            assert self.mode == ("limiting" if protects else "running")

    @invariant()
    def always(self) -> None:
        if not hasattr(self, "subject"):
            return
        subject = self.subject
        assert mode_of(subject) == self.mode
        assert subject.turning == (self.mode in COMMAND)
        assert 0 <= subject.command_permille <= min(self.cap, HARD_CAP)
        assert subject.ceiling_permille == self.ceiling
        assert subject.probation_permille == self.probation
        assert subject.supply_ceiling_permille == self.supply
        if self.mode in SETTLED:
            assert subject.command_permille == subject.operator_permille == 0
            assert limit_of(subject) == "none"
        if self.mode != "maintenance":
            assert subject.fault == (self.first_fault if self.mode == "tripped" else 0)


Watched.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestWhateverHappens = Watched.TestCase


# ---- small integers ------------------------------------------------------------------------------

BIGGEST = (1 << 30) - 1


class Small(int):
    """An integer that MicroPython on the chip would not put on the heap, nor its results."""

    def _kept(self, result: int) -> Small:
        assert -BIGGEST - 1 <= result <= BIGGEST
        return Small(result)

    def __add__(self, other: int) -> Small:
        return self._kept(int(self) + int(other))

    def __sub__(self, other: int) -> Small:
        return self._kept(int(self) - int(other))

    def __rsub__(self, other: int) -> Small:
        return self._kept(int(other) - int(self))

    def __mul__(self, other: int) -> Small:
        return self._kept(int(self) * int(other))

    def __floordiv__(self, other: int) -> Small:
        return self._kept(int(self) // int(other))

    def __rfloordiv__(self, other: int) -> Small:
        return self._kept(int(other) // int(self))

    def __rshift__(self, other: int) -> Small:
        return self._kept(int(self) >> int(other))

    def __neg__(self) -> Small:
        return self._kept(-int(self))

    __radd__ = __add__
    __rmul__ = __mul__


def test_a_small_integer_notices_what_does_not_fit() -> None:
    for wrong in (
        lambda: Small(1 << 29) * 2,
        lambda: 1 + Small(BIGGEST),
        lambda: -2 - Small(1 << 30),
    ):
        with pytest.raises(AssertionError):
            wrong()


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([1, 850, 1000]),
    st.sampled_from([1, 200, 10_000]),
    st.sampled_from([1, 200, 10_000]),
    st.sampled_from([(None, None), (1, 999), (999, 999)]),
    st.lists(
        st.one_of(
            st.tuples(st.just("tick"), st.sampled_from([20, 1000]).map(Small)),
            st.tuples(
                st.just("restrain"),
                st.sampled_from(PROTECTING),
                st.one_of(st.none(), st.sampled_from([-BIGGEST, 0, 1000, BIGGEST]).map(Small)),
            ),
            st.tuples(st.just("run"), st.sampled_from([1, 999, 1000]).map(Small)),
            st.tuples(st.just("hold_supply"), st.sampled_from([-BIGGEST, 300, BIGGEST]).map(Small)),
        ),
        max_size=60,
    ),
)
def test_no_number_leaves_the_small_integers(
    cap: int, up: int, down: int, band: tuple[int | None, int | None], history: list[Event]
) -> None:
    low, high = (None if edge is None else Small(edge) for edge in band)
    subject = after(
        *[(name, *map(Small, arguments)) for name, *arguments in READY],
        ("run", Small(1000)),
        board={
            "DERATE_CAP_PERMILLE": Small(cap),
            "RAMP_UP_PERMILLE_PER_S": Small(up),
            "RAMP_DOWN_PERMILLE_PER_S": Small(down),
            "MOTOR_MIN_OFF_MS": Small(1000),
            "CRITICAL_LOW_PERMILLE": low,
            "CRITICAL_HIGH_PERMILLE": high,
        },
    )
    assert subject.turning
    subject._held = list(map(Small, subject._held))
    for name, *arguments in history:
        getattr(subject, name)(*arguments)


# ---- the same on MicroPython ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def vm() -> Iterator[Vm]:
    vm = Vm("control_device.py")
    yield vm
    vm.close()


def _random_history(noise: random.Random) -> list[Event]:
    history: list[Event] = [*READY, ("run", noise.randint(1, 1000))]
    choices = (
        ["tick"] * 10 + ["restrain"] * 8 + ["run", "run", "change_speed", "hold_below", "trip"]
    )
    choices += ["reset", "hold_supply", "hold_probation", "stop", "self_test_begins", "maintain"]
    for name in noise.choices([*choices, "self_test_passed", "power_up"], k=80):
        if name in ("maintain", "power_up") and noise.random() < 0.7:
            continue
        arguments: tuple[Any, ...] = {
            "tick": (noise.choice([20, 20, 1000]),),
            "restrain": (
                noise.choice(PROTECTING),
                noise.choice([None, None, -5, 0, 50, 1000]),
            ),
            "trip": (noise.randint(1, len(wire.FAULTS) - 1),),
            "reset": (noise.random() < 0.3,),
            **dict.fromkeys(
                ("run", "change_speed", "hold_below", "hold_supply", "hold_probation"),
                (noise.randint(-1, 1100),),
            ),
        }.get(name, ())
        history.append((name, *arguments))
    return history


def test_micropython_governs_as_cpython_does(vm: Vm) -> None:
    noise = random.Random(20_260)
    cases: list[tuple[Any, ...]] = [
        (BAND, [*INTO[mode], EVENTS[event], TICK]) for mode in wire.MODES for event in EVENTS
    ]
    for _ in range(200):
        board = BAND if noise.random() < 0.5 else BOARD
        rates = {"RAMP_UP_PERMILLE_PER_S": noise.randint(1, 900), "MOTOR_MIN_OFF_MS": 0}
        cap = {"DERATE_CAP_PERMILLE": noise.randint(300, 1000)}
        cases.append((board | rates | cap, _random_history(noise)))
    for first in range(0, len(cases), 20):  # as much as fits the VM's heap
        batch = cases[first : first + 20]
        here = [governor_trace(governor, *case) for case in batch]
        assert vm.ask("governor", batch) == here


def test_nothing_is_allocated_in_the_steady_state(vm: Vm) -> None:
    loop = (CAP, 3000, 1, 12_000, 3450)
    assert vm.ask("allocated", BAND, loop, 2000) == 0
