"""How fast the motor may turn, and why: every mode and event, then everything that may never be."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
from firmware_host import firmware_module
from firmware_traces import governor_trace
from hypothesis import given, settings
from hypothesis import strategies as st
from micropython_vm import Vm

from wrench_firmware import wire

governor = firmware_module("governor")
HARD_CAP = firmware_module("limits").HARD_CAP_PERMILLE

Event = tuple[Any, ...]

CAP = 700
UP, DOWN = 200, 500  # 1/1000 of rated speed in a second
LIMIT_UM_S, HYSTERESIS_UM_S = 1800, 100
FLOOR = 350  # the vibration limit goes no lower
GIVE_BACK = 4  # nor back up faster, in one window
RATED_RPM = 3000
BOARD = (CAP, UP, DOWN, LIMIT_UM_S, HYSTERESIS_UM_S, RATED_RPM)

QUIET = ("window", LIMIT_UM_S - HYSTERESIS_UM_S - 1)
ROUGH = ("window", LIMIT_UM_S)
TICK = ("tick", 20)
VIBRATION, ESTOP = 1, 2


def after(*events: Event, board: tuple[int, ...] = BOARD) -> Any:
    """The governor after these events."""
    subject = governor.Governor(*board)
    for name, *arguments in events:
        getattr(subject, name)(*arguments)
    return subject


def mode_of(subject: Any) -> str:
    return wire.MODES[subject.mode]


def limit_of(subject: Any) -> str:
    return wire.LIMITS[subject.limit]


def speed(subject: Any) -> tuple[str, int]:
    return mode_of(subject), subject.command_permille


# ---- modes and events ----------------------------------------------------------------------------

INTO: dict[str, list[Event]] = {
    "boot": [],
    "idle": [("ready",)],
    "starting": [("ready",), ("run", 1000), ("tick", 1000)],
    "running": [("ready",), ("run", 1000), ("tick", 5000)],
    "limiting": [("ready",), ("run", 1000), ("tick", 5000), ROUGH, ("tick", 1000)],
    "tripped": [("ready",), ("run", 1000), ("tick", 1000), ("trip", VIBRATION)],
    "maintenance": [("ready",), ("maintain",)],
}
COMMAND = {"starting": 200, "running": 700, "limiting": 693}

EVENTS: dict[str, list[Event]] = {
    "ready": [("ready",)],
    "run": [("run", 500)],
    "run, tick": [("run", 500), TICK],
    "stop": [("stop",)],
    "stop, tick": [("stop",), TICK],
    "trip": [("trip", ESTOP)],
    "trip, tick": [("trip", ESTOP), TICK],
    "reset": [("reset",)],
    "reset, tick": [("reset",), TICK],
    "maintain": [("maintain",)],
    "maintain, tick": [("maintain",), TICK],
    "rough": [ROUGH],
    "rough, tick": [ROUGH, TICK],
    "quiet": [QUIET],
    "quiet, tick": [QUIET, TICK],
    "quiet twice, tick": [QUIET, QUIET, TICK],
    "lower limit, tick": [("hold_below", 690), TICK],
    "tick": [TICK],
}
# What is not here changes neither mode nor command.
CHANGES = {
    ("boot", "ready"): ("idle", 0),
    ("idle", "run"): ("starting", 0),
    ("idle", "run, tick"): ("starting", 4),
    ("starting", "run, tick"): ("starting", 204),
    ("starting", "rough, tick"): ("starting", 204),
    ("starting", "quiet, tick"): ("starting", 204),
    ("starting", "quiet twice, tick"): ("starting", 204),
    ("starting", "lower limit, tick"): ("starting", 204),
    ("starting", "tick"): ("starting", 204),
    ("starting", "reset, tick"): ("starting", 204),
    ("starting", "maintain, tick"): ("starting", 204),
    ("running", "run, tick"): ("running", 690),
    ("running", "rough, tick"): ("limiting", 693),
    ("running", "lower limit, tick"): ("running", 690),
    ("limiting", "run, tick"): ("running", 683),
    ("limiting", "rough, tick"): ("limiting", 687),
    ("limiting", "quiet, tick"): ("limiting", 697),
    ("limiting", "quiet twice, tick"): ("running", 697),
    ("limiting", "lower limit, tick"): ("running", 690),
    **{(mode, e): ("idle", 0) for mode in COMMAND for e in ("stop", "stop, tick")},
    **{
        (mode, e): ("tripped", 0)
        for mode in ("boot", "idle", *COMMAND)
        for e in ("trip", "trip, tick")
    },
    **{("tripped", e): ("idle", 0) for e in ("reset", "reset, tick")},
    **{
        (mode, e): ("maintenance", 0)
        for mode in ("boot", "idle", "tripped")
        for e in ("maintain", "maintain, tick")
    },
}


def test_the_stories_lead_into_every_mode() -> None:
    found = {mode: speed(after(*events)) for mode, events in INTO.items()}
    assert found == {mode: (mode, COMMAND.get(mode, 0)) for mode in wire.MODES}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("mode", wire.MODES)
def test_what_follows_in_each_mode_on_each_event(mode: str, event: str) -> None:
    expected = CHANGES.get((mode, event), (mode, COMMAND.get(mode, 0)))
    subject = after(*INTO[mode], *EVENTS[event])
    assert speed(subject) == expected
    assert subject.turning == (expected[0] in COMMAND)


def test_a_trip_keeps_its_first_fault_until_it_is_reset() -> None:
    subject = after(*INTO["tripped"])
    for event in (("trip", ESTOP), ("run", 500), ("stop",), ("ready",), ROUGH, QUIET, TICK):
        getattr(subject, event[0])(*event[1:])
        assert (mode_of(subject), subject.fault) == ("tripped", VIBRATION)
    subject.reset()
    assert (mode_of(subject), subject.fault) == ("idle", 0)
    subject.trip(ESTOP)
    assert subject.fault == ESTOP


def test_nothing_runs_by_itself_after_a_reset() -> None:
    subject = after(*INTO["tripped"], ("run", 700), ("reset",))
    assert subject.tick(1000) == 0
    assert speed(subject) == ("idle", 0)


def test_a_fault_before_the_self_test_is_done_is_not_forgotten_by_it() -> None:
    assert mode_of(after(("trip", ESTOP), ("ready",))) == "tripped"


def test_a_new_run_starts_from_standstill_and_without_the_old_vibration_limit() -> None:
    subject = after(*INTO["limiting"], ("stop",), *[ROUGH] * 3, ("run", 700))
    assert subject.vibration_permille == CAP
    assert [subject.tick(20) for _ in range(3)] == [4, 8, 12]


def test_a_change_of_speed_keeps_the_vibration_limit() -> None:
    subject = after(*INTO["limiting"], ("run", 600), ("tick", 1000), ("run", 700), ("tick", 1000))
    assert speed(subject) == ("limiting", 693)


# ---- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cap", [HARD_CAP + 1, 1000, 5000])
def test_a_board_cannot_lift_the_hard_cap(cap: int) -> None:
    subject = after(
        ("ready",), ("run", 5000), ("hold_below", 5000), ("tick", 100_000), board=(cap, *BOARD[1:])
    )
    assert subject.cap_permille == HARD_CAP
    assert speed(subject) == ("running", HARD_CAP)
    assert limit_of(subject) == "derate cap"


@pytest.mark.parametrize(
    ("asked", "ceiling", "speed_permille", "limit"),
    [
        (500, None, 500, "operator"),
        (699, None, 699, "operator"),
        (700, None, 700, "derate cap"),
        (1000, None, 700, "derate cap"),
        (1000, 400, 400, "operator"),
        (300, 400, 300, "operator"),
        (1000, 699, 699, "operator"),
        (1000, 700, 700, "derate cap"),
        (1000, 900, 700, "derate cap"),
        (1000, 0, 0, "operator"),
    ],
)
def test_the_least_limit_binds_and_is_named(
    asked: int, ceiling: int | None, speed_permille: int, limit: str
) -> None:
    held: list[Event] = [] if ceiling is None else [("hold_below", ceiling)]
    subject = after(*held, ("ready",), ("run", asked), ("tick", 10_000))
    assert speed(subject) == ("running", speed_permille)
    assert limit_of(subject) == limit


def test_the_ramp_binds_on_the_way_up_and_not_where_it_ends() -> None:
    subject = after(("ready",), ("run", 500))
    seen = [(subject.tick(500), limit_of(subject), mode_of(subject)) for _ in range(6)]
    assert seen[:4] == [(n, "ramp", "starting") for n in (100, 200, 300, 400)]
    assert seen[4:] == [(500, "operator", "running")] * 2


def test_the_operator_s_lasting_limit_outlives_runs_and_trips() -> None:
    subject = after(
        ("ready",),
        ("hold_below", 300),
        *[("run", 700), ("tick", 9000), ("trip", ESTOP), ("reset",), ("run", 700), ("tick", 9000)],
    )
    assert speed(subject) == ("running", 300)
    subject.hold_below(1000)
    subject.tick(9000)
    assert speed(subject) == ("running", CAP)


def test_at_rest_no_limit_is_named() -> None:
    for way_out in (("stop",), ("trip", ESTOP)):
        assert limit_of(after(*INTO["limiting"], way_out)) == "none"


# ---- ramps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tick_ms", [1, 5, 7, 20, 33])
@pytest.mark.parametrize("rate", [1, 37, 200, 10_000])
def test_a_ramp_is_as_steep_as_the_board_says_at_any_tick(tick_ms: int, rate: int) -> None:
    subject = after(("ready",), ("run", CAP), board=(CAP, rate, rate, *BOARD[3:]))
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


def test_a_lower_speed_is_approached_by_the_ramp_down() -> None:
    subject = after(*INTO["running"], ("run", 400))
    seen = [(subject.tick(200), limit_of(subject)) for _ in range(4)]
    assert [s for s, _ in seen] == [600, 500, 400, 400]
    assert {limit for _, limit in seen} == {"operator"}


# ---- the duty ------------------------------------------------------------------------------------


def test_a_shaft_faster_than_its_command_is_brought_down_to_it() -> None:
    subject = after(*INTO["running"])
    light_load = 1.2  # the shaft turns this much faster than the duty says
    duty = subject.duty(0, 0)
    assert duty == CAP
    for _ in range(150):
        subject.tick(20)
        duty = subject.duty(int(duty * light_load * RATED_RPM / 1000), 20)
    assert duty == pytest.approx(CAP / light_load, abs=2)


@pytest.mark.parametrize("rpm", [0, CAP * RATED_RPM // 1000])
def test_under_load_the_duty_is_the_command(rpm: int) -> None:
    subject = after(*INTO["running"])
    assert {subject.duty(rpm, 20) for _ in range(200)} == {CAP}


def test_without_a_tacho_the_duty_is_the_command() -> None:
    subject = after(*INTO["running"], board=BOARD[:5])
    assert {subject.duty(9000, 20) for _ in range(200)} == {CAP}


def test_what_was_taken_off_is_not_kept_for_the_next_run() -> None:
    subject = after(*INTO["running"])
    assert [subject.duty(30_000, 1000) for _ in range(2)] == [0, 0]
    for name, *arguments in (("stop",), ("run", 700), ("tick", 1000)):
        getattr(subject, name)(*arguments)
    assert subject.duty(0, 20) == 200


# ---- the limit that follows the bearing ----------------------------------------------------------


@pytest.mark.parametrize(
    ("velocity_um_s", "left_permille"),
    [
        (LIMIT_UM_S - 1, 700),
        (LIMIT_UM_S, 693),  # 1 % at least
        (LIMIT_UM_S + 72, 693),
        (LIMIT_UM_S + 144, 686),  # a quarter of the excess
        (LIMIT_UM_S + 360, 665),
        (LIMIT_UM_S + 432, 658),  # 6 % at most
        (100 * LIMIT_UM_S, 658),
    ],
)
def test_the_more_it_shakes_the_more_speed_is_taken(velocity_um_s: int, left_permille: int) -> None:
    subject = after(*INTO["running"], ("window", velocity_um_s))
    assert subject.vibration_permille == left_permille


def test_back_off_starts_from_the_speed_that_shook() -> None:
    subject = after(("ready",), ("run", 500), ("tick", 5000), ROUGH, ("tick", 1000))
    assert speed(subject) == ("limiting", 495)


def test_shaking_on_and_on_ends_at_the_slowest_speed() -> None:
    subject = after(*INTO["running"])
    before = CAP
    for _ in range(100):
        subject.window(50_000)
        subject.tick(250)
        assert FLOOR <= subject.vibration_permille <= before
        assert subject.vibration_permille < before or before == FLOOR
        before = subject.vibration_permille
    assert speed(subject) == ("limiting", FLOOR)


def test_speed_comes_back_slower_than_it_went_and_not_beyond_the_cap() -> None:
    subject = after(*INTO["running"], *[("window", 50_000)] * 30)
    assert subject.vibration_permille == FLOOR
    back = []
    for _ in range(100):
        subject.window(QUIET[1])
        back.append(subject.vibration_permille)
    rises = [b - a for a, b in itertools.pairwise([FLOOR, *back])]
    assert set(rises[:87]) == {GIVE_BACK}
    assert back[86:] == [698, *[CAP] * 13]


@pytest.mark.parametrize(
    ("velocity_um_s", "rise"),
    [(LIMIT_UM_S - HYSTERESIS_UM_S - 1, GIVE_BACK), (LIMIT_UM_S - HYSTERESIS_UM_S, 0)],
)
def test_between_release_and_limit_it_holds(velocity_um_s: int, rise: int) -> None:
    subject = after(*INTO["limiting"], ("window", velocity_um_s))
    assert subject.vibration_permille == 693 + rise


@pytest.mark.parametrize("cap", [100, 300, 349])
def test_a_cap_below_the_slowest_speed_is_still_the_cap(cap: int) -> None:
    subject = after(("ready",), ("run", cap), ("tick", 5000), board=(cap, *BOARD[1:]))
    for _ in range(20):
        subject.window(50_000)
        subject.tick(250)
        assert subject.vibration_permille <= cap
        assert subject.command_permille <= cap


# ---- what may never be ---------------------------------------------------------------------------

boards = st.tuples(
    st.integers(FLOOR, 1200),
    st.integers(1, 10_000),
    st.integers(1, 10_000),
    st.integers(500, 5000),
    st.integers(0, 400),
    st.sampled_from([0, 600, 3000, 30_000]),
)
speeds = st.integers(0, 1200)
windows = st.tuples(st.just("window"), st.integers(0, 12_000))
ticks = st.tuples(
    st.just("tick"), st.one_of(st.just(20), st.integers(0, 100), st.integers(0, 1 << 20))
)
runs = st.tuples(st.just("run"), speeds)
holds = st.tuples(st.just("hold_below"), speeds)
trips = st.tuples(st.just("trip"), st.integers(1, len(wire.FAULTS) - 1))
plain = st.sampled_from([("ready",), ("stop",), ("reset",), ("maintain",)])
anything = st.one_of(ticks, windows, runs, holds, trips, plain)
in_operation = st.one_of(ticks, ticks, windows, windows, runs, holds)
histories = st.one_of(
    st.lists(anything, max_size=60),
    st.lists(in_operation, min_size=10, max_size=50).map(
        lambda events: [("ready",), ("run", 900), *events]
    ),
)
# Which event may lead from one mode to another.
WAYS = {
    ("boot", "idle"): {"ready"},
    ("idle", "starting"): {"run"},
    ("starting", "running"): {"tick"},
    ("starting", "limiting"): {"tick"},
    ("running", "limiting"): {"tick"},
    ("limiting", "running"): {"tick"},
    ("tripped", "idle"): {"reset"},
    **{(mode, "idle"): {"stop"} for mode in COMMAND},
    **{(mode, "tripped"): {"trip"} for mode in ("boot", "idle", *COMMAND)},
    **{(mode, "maintenance"): {"maintain"} for mode in ("boot", "idle", "tripped")},
}


def _rounded_up(micro: int) -> int:
    return -(-micro // 1000)


class Watched:
    """A governor and what a bystander knows of it from the events alone."""

    def __init__(self, board: tuple[int, ...]) -> None:
        self.subject = governor.Governor(*board)
        cap, self.up, self.down, self.limit_um_s, self.hysteresis_um_s, _ = board
        self.cap = min(cap, HARD_CAP)
        self.ceiling = self.cap
        self.asked = 0
        self.run_ms = 0
        self.first_fault = 0

    def happen(self, name: str, *arguments: int) -> None:
        subject = self.subject
        before, command, vibration = mode_of(subject), *self._levels()
        answer = getattr(subject, name)(*arguments)
        now = mode_of(subject)
        if now != before:
            assert name in WAYS.get((before, now), ()), f"{before} to {now} by {name}"
        self._follow(name, arguments, before)
        assert subject.ceiling_permille == self.ceiling
        if now == "tripped":
            assert subject.fault == self.first_fault
        assert 0 <= subject.duty(arguments[0] if arguments else 0, 20) <= subject.command_permille
        if not subject.turning:
            assert subject.command_permille == 0
            assert limit_of(subject) == "none"
            assert name != "tick" or answer == 0
            assert subject.duty(3000, 20) == 0
        elif name == "tick":
            assert answer == subject.command_permille
            self._ticked(command, arguments[0])
        elif before in COMMAND:
            assert subject.command_permille == command
        self._vibration_followed(name, arguments, before, vibration)

    def _levels(self) -> tuple[int, int]:
        return self.subject.command_permille, self.subject.vibration_permille

    def _follow(self, name: str, arguments: tuple[int, ...], before: str) -> None:
        if name == "hold_below":
            self.ceiling = min(arguments[0], self.cap)
        if name == "run" and (before in COMMAND or before == "idle"):
            self.asked = arguments[0]
            self.run_ms = self.run_ms if before in COMMAND else 0
        if name == "tick":
            self.run_ms += arguments[0]
        if name == "trip" and before not in ("tripped", "maintenance"):
            self.first_fault = arguments[0]

    def _ticked(self, command: int, elapsed_ms: int) -> None:
        """Limits in their order, then the ramps, then whether the name fits."""
        subject = self.subject
        now, vibration = self._levels()
        asked = min(self.asked, self.ceiling)
        least = min(asked, self.cap, vibration)
        assert 0 <= now <= min(self.cap, HARD_CAP)
        rise, fall = (_rounded_up(rate * elapsed_ms) for rate in (self.up, self.down))
        assert now - command <= rise
        assert command - now <= fall
        assert now * 1000 <= self.up * self.run_ms
        # Above a limit only where that limit has come down, and then no longer than the ramp needs.
        assert now <= max(least, command - fall + 1)
        if now < least:
            assert now - command >= rise - 1
            # Where the vibration limit gives back in steps, it is named and not the ramp.
            steps = {"bearing vibration"} if least == vibration < self.cap else set[str]()
            assert limit_of(subject) in {"ramp"} | steps
        elif vibration < min(asked, self.cap):
            assert limit_of(subject) == "bearing vibration"
        else:
            assert limit_of(subject) == ("derate cap" if self.cap <= asked else "operator")
        assert (mode_of(subject) == "limiting") == (limit_of(subject) == "bearing vibration")
        if mode_of(subject) == "starting":
            assert limit_of(subject) == "ramp"

    def _vibration_followed(
        self, name: str, arguments: tuple[int, ...], before: str, vibration: int
    ) -> None:
        now = self.subject.vibration_permille
        assert FLOOR <= now <= self.cap
        if name == "window":
            velocity = arguments[0]
            if velocity >= self.limit_um_s:
                assert now < vibration or now == FLOOR
            elif velocity < self.limit_um_s - self.hysteresis_um_s:
                assert now == min(vibration + GIVE_BACK, self.cap)
            else:
                assert now == vibration
        elif name == "run" and before == "idle":
            assert now == self.cap
        else:
            assert now == vibration


@settings(max_examples=200, deadline=None)
@given(boards, histories)
def test_whatever_happens_the_limits_hold(board: tuple[int, ...], history: list[Event]) -> None:
    watched = Watched(board)
    for name, *arguments in history:
        watched.happen(name, *arguments)


# ---- the same on MicroPython ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def vm() -> Iterator[Vm]:
    vm = Vm("traces_device.py")
    yield vm
    vm.close()


def _random_history(noise: random.Random) -> list[Event]:
    history: list[Event] = [("ready",), ("run", noise.randint(1, 1000))]
    choices = ["tick"] * 8 + ["window"] * 6 + ["run", "run", "hold_below", "trip", "reset"]
    for name in noise.choices([*choices, "stop", "ready", "maintain"], k=80):
        if name == "maintain" and noise.random() < 0.7:
            continue
        limits = {"tick": noise.choice([20, 20, 1 << 20]), "window": 6000, "run": 1100}
        limits |= {"hold_below": 1100, "trip": len(wire.FAULTS) - 1}
        history.append((name, noise.randint(1, limits[name])) if name in limits else (name,))
    return history


def test_micropython_governs_as_cpython_does(vm: Vm) -> None:
    noise = random.Random(20_260)
    cases: list[tuple[Any, ...]] = [
        (BOARD, [*INTO[mode], *EVENTS[event]])
        for mode, event in itertools.product(wire.MODES, EVENTS)
    ]
    for _ in range(300):
        board = (noise.randint(300, 1000), *(noise.randint(1, 900) for _ in range(2)))
        cases.append(((*board, noise.randint(500, 5000), 100, RATED_RPM), _random_history(noise)))
    for first in range(0, len(cases), 30):  # as much as fits the VM's heap
        batch = cases[first : first + 30]
        here = [governor_trace(governor, *case) for case in batch]
        assert vm.ask("governor", batch) == here


def test_the_numbers_of_modes_and_limits_are_those_of_the_wire() -> None:
    assert [getattr(governor, name.upper()) for name in wire.MODES] == list(range(len(wire.MODES)))
    named = ("NONE", "OPERATOR", "DERATE", "RAMP", "VIBRATION", "SUPPLY")
    assert [getattr(governor, f"LIMIT_{name}") for name in named] == list(range(len(wire.LIMITS)))
