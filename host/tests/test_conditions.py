"""What is seen becomes how the machine is: standing, seizing, a tacho that is lost, a sensor that
is blind, a host that is gone."""

from __future__ import annotations

from typing import Any

import pytest
from firmware_host import board_constants
from hypothesis import given, settings
from hypothesis import strategies as st
from protection_traces import Fields, make_healthy
from viper_modules import viper_module

from wrench.boards import Board, load_board

q = viper_module("quantities")
conditions = viper_module("conditions")

TICK_MS = 5
RATED_RPM = 3000
# One pulse a turn: 600 ms between two edges at STALL_RPM (100).
LEVELS = board_constants(load_board("pico-adxl345"))
NO_TACHO: dict[str, Any] = {
    n: None for n in LEVELS if n.startswith(("TACHO_", "STALL_", "OVERSPEED_"))
}
NO_CURRENT: dict[str, Any] = {n: None for n in LEVELS if n.startswith(("CURRENT_", "SEIZURE_"))}


class Machine:
    """A shaft with one mark for the tacho, a motor and a sensor, seen tick by tick."""

    def __init__(self, **other: Any) -> None:
        self.values = q.make_values()
        make_healthy(self.values, q)
        self.values[q.SPEED_RPM] = 0
        self.board: Any = Fields(LEVELS | other)
        self.seen = conditions.Conditions(self.board, self.values)
        self.rpm = 0.0
        self.turned = 0.0
        self.duty = 0
        self.current_ma = 0
        self.samples_per_tick = 16
        self.pulses = self.board.TACHO_PULSES_PER_REV or 1
        self._last_edge_ms = self._now_ms = 0.0
        self.tick()

    def __getitem__(self, quantity: str) -> int:
        return self.values[getattr(q, quantity)]

    def observe(self, what: str, value: int) -> None:
        self.seen.observed[getattr(conditions, what)] = value

    def tick(self, elapsed_ms: int = TICK_MS, interval_us: int = 5000) -> None:
        self._now_ms += elapsed_ms
        before = int(self.turned * self.pulses)
        self.turned += self.rpm / 60_000 * elapsed_ms
        edges = int(self.turned * self.pulses)
        # As inputs.py does it: the speed of the last two edges, and never faster than the wait.
        if edges != before:
            self.values[q.SPEED_RPM] = round(self.rpm)
            self._last_edge_ms = self._now_ms
        elif (wait := self._now_ms - self._last_edge_ms) > 0:
            fastest = int(60_000 / wait / self.pulses)
            self.values[q.SPEED_RPM] = min(max(self["SPEED_RPM"], 0), fastest)
        if self.board.TACHO_PIN is None:
            self.values[q.SPEED_RPM] = q.ABSENT
        self.observe("EDGES", edges & 0x3FFFFFFF)
        self.observe("DUTY_PERMILLE", self.duty)
        self.observe("COMMAND_PERMILLE", self.duty)
        self.observe("SAMPLES", self.seen.observed[conditions.SAMPLES] + self.samples_per_tick)
        self.observe("INTERVAL_US", interval_us)
        has_current = self.board.CURRENT_TRIP_MA is not None
        self.values[q.CURRENT_MA] = self.current_ma if has_current else q.ABSENT
        self.seen.update(elapsed_ms)

    def run(self, ms: int, *most: str) -> list[int]:
        """Go on for so long; the greatest values that these quantities had."""
        greatest = [self[name] for name in most]
        for _ in range(ms // TICK_MS):
            self.tick()
            greatest = [max(a, self[name]) for a, name in zip(greatest, most, strict=True)]
        return greatest

    def until(self, quantity: str, level: int, within_ms: int = 5000) -> int | None:
        """Milliseconds from now until a quantity reaches a level."""
        for ms in range(TICK_MS, within_ms + 1, TICK_MS):
            self.tick()
            if self[quantity] >= level:
                return ms
        return None


def turning(rpm: float = 2100, current_ma: int = 1200, **other: Any) -> Machine:
    """A machine that has run at this speed for a second."""
    machine = Machine(**other)
    machine.rpm, machine.current_ma = rpm, current_ma
    machine.duty = round(rpm * 1000 / RATED_RPM)
    machine.run(1000)
    return machine


# ---- standing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rpm", [240, 600, 2100, 2550, 6000, 30_000])
def test_a_shaft_that_turns_does_not_stand(rpm: int) -> None:
    machine = turning(rpm)
    machine.duty = 700
    standing, silent, seizing = machine.run(10_000, "STANDING_MS", "TACHO_SILENT_MS", "SEIZING")
    assert max(standing, silent) <= 60_000 / rpm + 2 * TICK_MS
    assert seizing == 0


def test_a_shaft_at_the_stall_speed_never_stands_for_as_long_as_a_stall_takes() -> None:
    machine = turning(101)
    machine.duty = 200
    (standing,) = machine.run(30_000, "STANDING_MS")
    assert standing < conditions.stall_delay_ms(machine.board)


def test_a_shaft_below_the_stall_speed_stands() -> None:
    machine = turning(60)
    machine.duty = 200
    assert machine.until("STANDING_MS", conditions.stall_delay_ms(machine.board)) is not None


@pytest.mark.parametrize(
    ("delay_ms", "stall_rpm", "pulses", "level_ms"),
    [(1000, 100, 1, 1000), (500, 100, 1, 760), (50, 100, 1, 760), (50, 1000, 12, 50)],
)
def test_the_stall_delay_leaves_room_for_a_turn(
    delay_ms: int, stall_rpm: int, pulses: int, level_ms: int
) -> None:
    board = Fields(
        LEVELS
        | {"STALL_DELAY_MS": delay_ms, "STALL_RPM": stall_rpm, "TACHO_PULSES_PER_REV": pulses}
    )
    assert conditions.stall_delay_ms(board) == level_ms


@pytest.mark.parametrize(("current_ma", "stall_ms"), [(1500, 1000), (2624, 1000), (2625, 500)])
def test_a_jam_stands_from_the_last_edge_on_and_twice_as_fast_at_a_high_current(
    current_ma: int, stall_ms: int
) -> None:
    machine = turning()
    machine.rpm, machine.current_ma = 0, current_ma
    assert machine.until("STANDING_MS", 1000) == pytest.approx(stall_ms, abs=30)


def test_a_motor_that_is_not_driven_does_not_stand() -> None:
    machine = turning()
    machine.rpm = machine.duty = machine.current_ma = 0
    machine.run(1000)
    assert machine["STANDING_MS"] == machine["TACHO_SILENT_MS"] == 0
    machine.duty = LEVELS["MOTOR_MIN_DUTY_PERMILLE"] - 1
    assert machine.run(3000, "STANDING_MS") == [0]


def test_a_duty_that_flickers_about_the_least_does_not_hide_a_stall() -> None:
    machine = turning(300)
    machine.rpm = 0
    for _ in range(40):
        machine.duty = 79
        machine.run(100)
        machine.duty = 100
        machine.run(100)
        if machine["STANDING_MS"] >= 1000:
            break
    assert machine["STANDING_MS"] >= 1000


def test_a_first_turn_may_take_as_long_as_one_at_the_stall_speed() -> None:
    machine = Machine()
    machine.duty, machine.current_ma = 100, 1500
    assert machine.until("STANDING_MS", 1) == 600 + TICK_MS
    machine.rpm = 300
    machine.run(450)  # the second edge proves it
    assert machine["STANDING_MS"] <= 200
    machine.rpm = machine.duty = 0
    machine.run(300)
    machine.duty = 100
    assert machine.until("STANDING_MS", 1) == 600 + TICK_MS, "every run has its first turn"


def test_a_high_current_ends_the_patience_with_the_first_turn() -> None:
    machine = Machine()
    machine.duty, machine.current_ma = 200, 3000
    assert machine.until("STANDING_MS", 1000) == 500


def test_the_edges_count_may_wrap() -> None:
    machine = turning()
    machine.turned += (1 << 30) - int(machine.turned) - 3
    machine.tick()
    assert max(machine.run(2000, "STANDING_MS")) <= 40


# ---- the tacho lost ------------------------------------------------------------------------------


def test_a_tacho_that_falls_silent_at_the_current_of_a_motor_that_turns_is_lost() -> None:
    machine = turning()
    machine.rpm = 0  # of its signal; the motor draws what it did
    assert machine.until("TACHO_SILENT_MS", 1000) == pytest.approx(1000, abs=30)
    assert machine["STANDING_MS"] == machine["TACHO_SILENT_MS"]


@pytest.mark.parametrize("current_ma", [2625, 8000, 164, 0, -2625])
def test_a_motor_that_stands_or_is_cut_off_is_no_lost_tacho(current_ma: int) -> None:
    machine = turning()
    machine.rpm, machine.current_ma = 0, current_ma
    machine.run(3000)
    assert machine["TACHO_SILENT_MS"] == 0
    assert machine["STANDING_MS"] > 1000


def test_a_surge_of_current_starts_the_tacho_s_silence_anew() -> None:
    machine = turning()
    machine.rpm = 0
    machine.run(900)
    machine.current_ma = 3500
    machine.tick()
    machine.current_ma = 1200
    machine.run(200)
    assert machine["TACHO_SILENT_MS"] == 200
    assert machine["STANDING_MS"] > 1000


@pytest.mark.parametrize(
    ("lacking", "there", "absent"),
    [
        ({}, ("STANDING_MS", "TACHO_SILENT_MS", "SEIZING"), ()),
        (NO_TACHO, ("SEIZING",), ("STANDING_MS", "TACHO_SILENT_MS")),
        (NO_CURRENT, ("STANDING_MS",), ("TACHO_SILENT_MS", "SEIZING")),
        (NO_TACHO | NO_CURRENT, (), ("STANDING_MS", "TACHO_SILENT_MS", "SEIZING")),
    ],
    ids=["both", "no tacho", "no current", "neither"],
)
def test_what_a_board_cannot_know_stays_absent(
    lacking: dict[str, None], there: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    values = q.make_values()
    seen = conditions.Conditions(Fields(LEVELS | lacking), values)
    seen.observed[conditions.DUTY_PERMILLE] = 700
    for _ in range(100):
        seen.update(5)
    assert all(values[getattr(q, name)] != q.ABSENT for name in there)
    assert all(values[getattr(q, name)] == q.ABSENT for name in absent)


def test_a_board_without_a_current_sensor_finds_a_stall_by_its_tacho_alone() -> None:
    machine = turning(**NO_CURRENT)
    machine.rpm = 0
    assert machine.until("STANDING_MS", 1000) == pytest.approx(1000, abs=30)


# ---- seizure -------------------------------------------------------------------------------------


def seized_after(machine: Machine, current_ma: int, within_ms: int = 2000) -> int | None:
    machine.rpm, machine.current_ma = 0, current_ma
    return machine.until("SEIZING", conditions.SEIZED, within_ms)


@pytest.mark.parametrize("phase_ms", range(0, 30, TICK_MS))
@pytest.mark.parametrize("current_ma", [7500, 9000, 14_000, 60_000, -14_000])
def test_a_jam_with_a_current_far_above_is_found_within_40_ms(
    current_ma: int, phase_ms: int
) -> None:
    machine = turning()
    machine.run(phase_ms)
    found_ms = seized_after(machine, current_ma)
    assert found_ms is not None
    assert found_ms <= 40


@pytest.mark.parametrize(
    ("current_ma", "least_ms", "most_ms"),
    # Half of 500 ms where nothing turns, and what it takes until that is known.
    [(3000, 250, 370), (3600, 120, 230), (4500, 60, 150), (5900, 25, 110)],
)
def test_the_worse_a_seizure_is_the_sooner_it_is_found(
    current_ma: int, least_ms: int, most_ms: int
) -> None:
    found_ms = seized_after(turning(), current_ma)
    assert found_ms is not None
    assert least_ms <= found_ms <= most_ms


def test_a_shaft_that_is_held_back_seizes_slower_than_one_that_stands() -> None:
    times = []
    for rpm in (0, 500, 1000):
        machine = turning()
        machine.rpm, machine.current_ma = rpm, 3300
        times.append(machine.until("SEIZING", conditions.SEIZED))
    assert None not in times
    assert times == sorted(times)
    assert times[0] < times[2]


@pytest.mark.parametrize("current_ma", [3000, 4000, 5900])
def test_a_motor_that_works_hard_and_turns_is_overloaded_and_not_seized(current_ma: int) -> None:
    machine = turning()
    machine.current_ma = current_ma
    (worst,) = machine.run(5000, "SEIZING")
    assert worst == 0


def test_an_edge_clears_a_motor_of_the_suspicion_that_a_current_twice_the_level_raises() -> None:
    machine = turning()
    machine.current_ma = 6300
    (worst,) = machine.run(5000, "SEIZING")
    assert 0 < worst < conditions.SEIZED


def test_a_current_below_the_level_is_no_seizure_and_lets_go_of_one() -> None:
    assert seized_after(turning(), 2999, 3000) is None
    machine = turning()
    machine.rpm, machine.current_ma = 0, 3300
    machine.until("SEIZING", 500)
    machine.current_ma = 2900
    machine.run(150)
    assert machine["SEIZING"] == 0


@pytest.mark.parametrize(("current_ma", "least_ms"), [(3100, 495), (5900, 495), (6000, 40)])
def test_a_motor_that_has_not_broken_away_yet_has_the_whole_delay(
    current_ma: int, least_ms: int
) -> None:
    machine = Machine()
    machine.duty = 200
    found_ms = seized_after(machine, current_ma)
    assert found_ms is not None
    assert least_ms <= found_ms <= 505


def test_a_healthy_start_along_the_ramp_neither_stands_nor_seizes() -> None:
    machine = Machine()
    worst = [0, 0, 0]
    for ms in range(0, 3500, TICK_MS):
        machine.duty = ms // 5
        # It breaks away at 15 % duty, at four fifths of the level, and follows.
        machine.rpm = machine.duty * 3 if machine.duty > 150 else 0
        machine.current_ma = 1200 if machine.rpm else machine.duty * 16
        machine.tick()
        names = ("STANDING_MS", "TACHO_SILENT_MS", "SEIZING")
        worst = [max(a, machine[name]) for a, name in zip(worst, names, strict=True)]
    assert worst[0] < 1000
    assert worst[1] < 1000
    assert worst[2] == 0


def test_without_a_tacho_only_a_current_of_twice_the_level_is_a_seizure() -> None:
    assert seized_after(turning(**NO_TACHO), 5990) is None
    assert seized_after(turning(**NO_TACHO), 6000) == pytest.approx(500 / 9, abs=TICK_MS)


def test_a_trip_lets_go_of_everything() -> None:
    machine = turning()
    seized_after(machine, 14_000)
    machine.duty = machine.current_ma = 0
    machine.run(210)
    assert machine["SEIZING"] == machine["STANDING_MS"] == machine["TACHO_SILENT_MS"] == 0


@pytest.mark.parametrize("unknown", [q.BROKEN, q.ABSENT])
def test_a_speed_that_cannot_be_read_counts_as_none(unknown: int) -> None:
    machine = turning()
    machine.values[q.CURRENT_MA] = 3300
    machine.values[q.SPEED_RPM] = unknown
    for _ in range(250 // TICK_MS):
        machine.seen.update(TICK_MS)
    assert machine["SEIZING"] > conditions.SEIZED


# ---- the sensor ----------------------------------------------------------------------------------


def test_a_sensor_is_silent_from_its_last_sample_on() -> None:
    machine = turning()
    assert machine["SENSOR_SILENT_MS"] == 0
    machine.samples_per_tick = 0
    assert machine.until("SENSOR_SILENT_MS", 100) == 100
    machine.samples_per_tick = 1
    machine.tick()
    assert machine["SENSOR_SILENT_MS"] == 0


def test_the_time_in_which_the_core_was_deaf_proves_no_silence() -> None:
    machine = Machine()
    machine.samples_per_tick = 0
    machine.tick(400)
    assert machine["SENSOR_SILENT_MS"] == 20
    assert machine["HEARTBEAT_AGE_MS"] >= 400, "a host that was there may have been heard later"


def test_a_sensor_is_stuck_for_as_long_as_its_windows_say() -> None:
    machine = Machine()
    for expected in (250, 500, 750):
        machine.seen.window(250, True, False, 0)
        assert machine["SENSOR_STUCK_MS"] == expected
    machine.seen.window(250, False, False, 0)
    assert machine["SENSOR_STUCK_MS"] == 0


def test_a_sensor_is_saturated_in_the_window_that_says_so() -> None:
    machine = Machine()
    machine.seen.window(250, False, True, 0)
    assert machine["SENSOR_SATURATED"] == 1
    machine.seen.window(250, False, False, 0)
    assert machine["SENSOR_SATURATED"] == 0


@pytest.mark.parametrize(
    ("took_ms", "lost"), [(250, 0), (205, 0), (295, 0), (199, 800), (301, 800), (125, 800)]
)
def test_the_samples_of_a_sensor_whose_clock_is_off_by_a_fifth_count_as_lost(
    took_ms: int, lost: int
) -> None:
    machine = turning()
    machine.seen.forget()
    machine.seen.pace(250, took_ms, 800)
    machine.run(20)
    assert machine["SAMPLES_LOST"] == 0, "the first window of a run has begun before it"
    machine.seen.pace(250, took_ms, 800)
    machine.run(20)
    assert machine["SAMPLES_LOST"] == lost


def test_at_rest_windows_may_take_as_long_as_flash_is_erased() -> None:
    machine = Machine()
    for _ in range(3):
        machine.seen.pace(250, 700, 800)
        machine.run(20)
    assert machine["SAMPLES_LOST"] == 0


def test_noise_is_judged_when_the_shaft_has_come_to_rest() -> None:
    machine = turning()

    def noisy(rms_mg: int) -> bool:
        machine.seen.window(250, False, False, rms_mg)
        return machine["SENSOR_NOISY"] == 1

    assert not noisy(5000)
    machine.duty = machine.current_ma = 0
    machine.run(2000)  # it coasts, and its tacho says so
    machine.rpm = 0
    machine.run(3000)
    assert not noisy(5000), "the window began before"
    machine.run(300)
    assert noisy(LEVELS["NOISE_TRIP_MG"] + 1)
    assert not noisy(LEVELS["NOISE_TRIP_MG"])


def test_a_board_without_a_noise_level_is_never_noisy() -> None:
    machine = Machine(NOISE_TRIP_MG=None)
    machine.run(4000)
    machine.seen.window(250, False, False, 30_000)
    assert machine["SENSOR_NOISY"] == 0


# ---- counts of the last second -------------------------------------------------------------------


def test_lost_samples_count_for_a_second() -> None:
    machine = Machine()
    machine.observe("LOST", 70)
    machine.tick()
    assert machine["SAMPLES_LOST"] == 70
    machine.run(400)
    machine.observe("LOST", 100)
    machine.tick()
    assert machine["SAMPLES_LOST"] == 100
    machine.run(700)
    assert machine["SAMPLES_LOST"] == 30
    machine.run(500)
    assert machine["SAMPLES_LOST"] == 0


@pytest.mark.parametrize("per_tick", [1, 7])
def test_a_steady_loss_is_told_as_what_is_lost_in_a_second(per_tick: int) -> None:
    machine = Machine()
    lost = (1 << 30) - 1000  # and its count may wrap
    machine.observe("LOST", lost)
    machine.tick()
    machine.seen.forget()
    seen = []
    for _ in range(1200):
        lost = (lost + per_tick) & 0x3FFFFFFF
        machine.observe("LOST", lost)
        machine.tick()
        seen.append(machine["SAMPLES_LOST"])
    rate = per_tick * 1000 // TICK_MS
    assert all(0.74 * rate <= n <= 1.01 * rate for n in seen[250:])


def test_the_longest_interval_and_the_late_ones_count_for_a_second() -> None:
    machine = Machine()
    machine.run(100)
    assert (machine["CONTROL_INTERVAL_US"], machine["LATE_TICKS"]) == (5000, 0)
    machine.tick(interval_us=6000)
    assert (machine["CONTROL_INTERVAL_US"], machine["LATE_TICKS"]) == (6000, 0)
    machine.tick(interval_us=17_000)
    machine.tick(interval_us=6001)
    machine.run(600)
    assert (machine["CONTROL_INTERVAL_US"], machine["LATE_TICKS"]) == (17_000, 2)
    machine.run(500)
    assert (machine["CONTROL_INTERVAL_US"], machine["LATE_TICKS"]) == (5000, 0)


# ---- the operator --------------------------------------------------------------------------------


def test_a_heartbeat_ages_until_the_next() -> None:
    machine = Machine()
    machine.seen.heartbeat()
    assert machine.until("HEARTBEAT_AGE_MS", 495) == 495
    machine.seen.heartbeat()
    assert machine["HEARTBEAT_AGE_MS"] == 0
    machine.tick()
    assert machine["HEARTBEAT_AGE_MS"] == TICK_MS


def test_a_closed_link_is_as_old_as_its_timeout() -> None:
    machine = Machine()
    machine.seen.heartbeat()
    machine.seen.link_closed()
    machine.tick()
    assert machine["HEARTBEAT_AGE_MS"] == LEVELS["LINK_TIMEOUT_MS"] + TICK_MS
    machine.run(1000)
    machine.seen.link_closed()
    machine.tick()
    assert machine["HEARTBEAT_AGE_MS"] > LEVELS["LINK_TIMEOUT_MS"] + 1000, "it does not get younger"


def test_a_new_run_begins_with_nothing_against_it() -> None:
    machine = Machine()
    machine.observe("LOST", 5000)
    machine.tick(interval_us=400_000)
    machine.run(600)
    machine.seen.forget()
    names = ("SAMPLES_LOST", "CONTROL_INTERVAL_US", "LATE_TICKS", "HEARTBEAT_AGE_MS")
    assert [machine[name] for name in names] == [0] * 4
    machine.tick()
    assert [machine[name] for name in names] == [0, 5000, 0, TICK_MS]


# ---- what may never be ---------------------------------------------------------------------------

_SEEN = st.fixed_dictionaries(
    {
        "elapsed_ms": st.sampled_from([0, 1, 5, 6, 20, 400, 10_000]),
        "edges": st.one_of(st.integers(0, 3), st.integers(0, (1 << 30) - 1)),
        "duty": st.sampled_from([0, 79, 80, 700, 1000]),
        "samples": st.integers(0, (1 << 30) - 1),
        "lost": st.integers(0, 50_000),
        "interval_us": st.sampled_from([5000, 6001, 1 << 29]),
        "current": st.sampled_from(
            [0, 2999, 3000, 3001, 6000, (1 << 30) - 1, -1200, -(1 << 29), q.BROKEN, q.ABSENT]
        ),
        "speed": st.sampled_from([0, 1, 2100, 80_000, (1 << 30) - 1, q.BROKEN, q.ABSENT, -1]),
    }
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([{}, NO_TACHO, NO_CURRENT, {"SEIZURE_CURRENT_MA": 1}]),
    st.lists(_SEEN, max_size=40),
)
def test_nothing_that_can_be_seen_leaves_32_bits_or_the_range_of_its_quantity(
    lacking: dict[str, Any], life: list[dict[str, int]]
) -> None:
    values = q.make_values()
    seen = conditions.Conditions(Fields(LEVELS | lacking), values)
    edges = lost = 0
    for one in life:
        edges = (edges + one["edges"]) & 0x3FFFFFFF
        lost = (lost + one["lost"]) & 0x3FFFFFFF
        given = [edges, one["duty"], one["duty"], one["samples"], lost, one["interval_us"]]
        for i, value in enumerate(given):
            seen.observed[i] = value
        values[q.CURRENT_MA], values[q.SPEED_RPM] = one["current"], one["speed"]
        seen.update(one["elapsed_ms"])
        for name in ("STANDING_MS", "TACHO_SILENT_MS", "SEIZING"):
            value = values[getattr(q, name)]
            assert value == q.ABSENT or 0 <= value <= 1_000_000
        for name in ("SENSOR_SILENT_MS", "HEARTBEAT_AGE_MS", "SAMPLES_LOST", "LATE_TICKS"):
            assert 0 <= values[getattr(q, name)] <= 2_000_000


def test_the_board_of_these_tests_is_the_one_of_most(board: Board) -> None:
    assert board_constants(board) == LEVELS
