"""A session with a board: what it asks, what it keeps alive, and what a lost link does to it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from served_board import ServedBoard
from stepped_session import Bench

from wrench.bench.registry import Registration, RunningBench
from wrench.errors import PortError
from wrench.link import Frame
from wrench.monitor.session import (
    Answer,
    Connected,
    Told,
    Waiting,
    board_opener,
)
from wrench_firmware import wire


@pytest.fixture
def bench() -> Bench:
    """A session that has just greeted its board."""
    made = Bench()
    made.session.connect()
    return made


@pytest.fixture
def slow() -> Bench:
    """The same over a line that can become slow."""
    made = Bench(slow=True)
    made.session.connect()
    return made


@pytest.fixture
def screen() -> Bench:
    """The same for a screen, once everything has been asked."""
    made = Bench(for_screen=True)
    made.session.connect()
    made.wait_for(lambda: made.report.waveform_on)
    return made


# ---- runs ----------------------------------------------------------------------------------------
def test_who_merely_watches_sends_no_heartbeat(bench: Bench) -> None:
    bench.board.mode, bench.board.command_permille = "running", 700
    bench.pass_time(2.0)
    assert bench.frames("status")
    assert not bench.board.commands("heartbeat")


def test_a_run_that_is_started_here_lives_by_heartbeats(bench: Bench) -> None:
    bench.session.run(450)
    bench.wait_for(lambda: bench.answers("run"))
    assert bench.answers("run") == [Answer("run", (450,))]
    assert bench.report.owns_run
    assert bench.report.target_permille == 450
    bench.pass_time(2.0)
    beats_us = bench.board.commands("heartbeat")
    gaps_us = [later - earlier for earlier, later in pairwise(beats_us)]
    assert max(gaps_us) <= 200_000  # the board waits 450 ms
    assert 2_000_000 - sum(gaps_us) < 300_000


def test_a_refused_run_is_nobodys(bench: Bench) -> None:
    bench.board.refusal = "sensor not ready"
    bench.session.run(450)
    bench.wait_for(lambda: bench.answers("run"))
    assert bench.answers("run")[0].refusal == "sensor not ready"
    bench.turn()
    assert not bench.report.owns_run


def test_a_refused_change_of_speed_leaves_the_run_alive(bench: Bench) -> None:
    bench.session.run(450)
    bench.wait_for(lambda: bench.answers("run"))
    bench.board.refusal = "out of range"
    bench.session.run(999)
    bench.wait_for(lambda: len(bench.answers("run")) == 2)
    bench.pass_time(1.0)
    assert bench.report.owns_run
    assert bench.report.target_permille == 450


def test_a_stop_goes_before_what_waits_and_ends_the_heartbeat(bench: Bench) -> None:
    bench.session.run(450)
    bench.wait_for(lambda: bench.answers("run"))
    bench.session.run(500)
    bench.session.run(550)
    bench.session.stop()
    bench.turn()
    assert bench.board.heard[-1][1] == "stop"
    bench.pass_time(0.2)
    assert bench.board.mode == "idle"
    assert [arguments for _, name, arguments in bench.board.heard if name == "run"] == [(450,)]
    stopped_us = bench.board.commands("stop")[0]
    assert not [beat for beat in bench.board.commands("heartbeat") if beat > stopped_us]
    assert not bench.report.owns_run


def test_a_stop_is_sent_again_until_it_is_answered(bench: Bench) -> None:
    bench.session.run(450)
    bench.wait_for(lambda: bench.answers("run"))
    bench.board.deaf = True
    bench.session.stop()
    bench.pass_time(1.0)
    assert len(bench.board.commands("stop")) >= 3
    assert not bench.answers("stop")
    bench.board.deaf = False
    bench.wait_for(lambda: bench.answers("stop"))
    assert bench.answers("stop") == [Answer("stop", ())]
    count = len(bench.board.commands("stop"))
    bench.pass_time(1.0)
    assert len(bench.board.commands("stop")) == count


def test_a_stop_that_finds_no_link_goes_to_a_board_that_is_back_soon(bench: Bench) -> None:
    bench.board.mode, bench.board.command_permille = "running", 700  # by its button
    bench.pass_time(0.3)
    bench.board.deaf = True
    bench.session.stop()
    bench.pass_time(0.1)
    bench.board.plugged = False
    bench.pass_time(0.3)
    assert bench.answers("stop")[-1].refusal == "the link was lost"
    bench.board.plugged, bench.board.deaf = True, False
    bench.wait_for(lambda: bench.board.mode == "idle")
    bench.wait_for(lambda: bench.answers("stop")[-1].refusal == "")
    bench.board.plugged = False
    bench.pass_time(0.3)
    bench.session.stop()
    bench.pass_time(60.0)
    bench.board.mode, bench.board.plugged = "running", True
    bench.pass_time(2.0)
    assert bench.report.connected
    assert bench.board.mode == "running"


def test_a_stop_goes_out_though_the_end_comes_at_once(bench: Bench) -> None:
    bench.board.mode, bench.board.command_permille = "running", 700  # another host's
    bench.pass_time(0.3)
    bench.session.stop()
    assert bench.session.end()
    bench.session._hang_up()
    assert bench.board.mode == "idle"


def test_the_end_says_whether_the_stop_was_answered(bench: Bench) -> None:
    bench.session.run(450)
    bench.wait_for(lambda: bench.answers("run"))
    bench.board.deaf = True
    bench.session.stop()
    bench.turn()
    assert not bench.session.end()


def test_a_session_that_only_watches_cannot_command() -> None:
    watching = Bench(commands=False)
    watching.session.connect()
    for command in (lambda: watching.session.run(450), watching.session.stop):
        with pytest.raises(PermissionError):
            command()
    with pytest.raises(PermissionError):
        watching.session.reset_trip()
    watching.pass_time(1.0)
    assert not {"run", "stop", "reset_trip"} & {name for _, name, _ in watching.board.heard}


def test_a_screen_that_stands_still_stops_its_run(bench: Bench) -> None:
    bench.session.run(450)
    bench.wait_for(lambda: bench.answers("run"))
    bench.pass_time(8.0)
    assert bench.board.mode == "running"
    bench.looks = False
    bench.pass_time(6.0)
    assert bench.board.mode == "idle"
    bench.look()
    assert "the screen stood still for 5 s: the motor was stopped" in bench.told()


def test_a_trip_ends_the_ownership(bench: Bench) -> None:
    bench.session.run(450)
    bench.wait_for(lambda: bench.answers("run"))
    bench.board.trip("vibration", 4700)
    bench.pass_time(0.3)
    assert not bench.report.owns_run
    beats = len(bench.board.commands("heartbeat"))
    bench.pass_time(1.0)
    assert len(bench.board.commands("heartbeat")) == beats


def test_a_stop_at_the_board_is_told(bench: Bench) -> None:
    bench.session.run(450)
    bench.wait_for(lambda: bench.answers("run"))
    bench.pass_time(0.3)
    bench.board.mode, bench.board.command_permille = "idle", 0
    bench.pass_time(0.3)
    assert not bench.report.owns_run
    assert bench.told() == ["the run was ended at the board, or by another host"]


def test_a_run_that_was_taken_over_is_told_once_and_left_alone() -> None:
    bench = Bench()
    vars(bench.board)["sequences"] = range(0x300, 0x400)
    bench.session.connect()
    bench.session.run(450)
    bench.wait_for(lambda: bench.answers("run"))
    bench.pass_time(0.3)
    bench.board.reply("run", 0x407)
    bench.pass_time(0.3)
    assert not bench.report.owns_run
    assert bench.told() == ["another command has taken the run over"]
    beats = len(bench.board.commands("heartbeat"))
    bench.pass_time(1.0)
    assert len(bench.board.commands("heartbeat")) == beats
    bench.session.end()
    bench.session._hang_up()
    assert bench.board.mode == "running"


def test_the_end_stops_a_run_that_it_owns_and_no_other(bench: Bench) -> None:
    other = Bench()
    other.session.connect()
    other.board.mode, other.board.command_permille = "running", 700
    other.session.end()
    other.session._hang_up()
    assert other.board.mode == "running"
    bench.session.run(450)
    bench.wait_for(lambda: bench.answers("run"))
    bench.session.end()
    bench.session._hang_up()
    assert bench.board.mode == "idle"


# ---- the link ------------------------------------------------------------------------------------
def test_an_unplug_is_waited_for(bench: Bench) -> None:
    bench.pass_time(0.5)
    bench.session.run(450)
    bench.wait_for(lambda: bench.answers("run"))
    bench.board.unplug()
    bench.pass_time(2.0)
    assert not bench.report.connected
    assert not bench.report.owns_run
    waits = [it.reason for it in bench.items if isinstance(it, Waiting)]
    assert waits == [
        "memory has gone (the board was unplugged); try again",
        "there is no board; plug it in",
    ]
    own = Told("the link is lost: the board stops the run that this monitor owned")
    # What the black box tells later of that time comes after both.
    assert bench.items.index(own) < bench.items.index(Waiting(waits[0]))
    bench.session.run(500)
    bench.pass_time(0.1)
    assert bench.answers("run")[-1].refusal == "the board is not there"
    bench.board.plug_in()
    bench.wait_for(lambda: bench.report.connected)
    assert isinstance(bench.items[-1], Connected | Frame)
    assert [it.again for it in bench.items if isinstance(it, Connected)] == [False, True]
    bench.pass_time(1.0)
    assert bench.board.mode == "tripped"
    assert [arguments for _, name, arguments in bench.board.heard if name == "run"] == [(450,)]


def test_a_silent_board_is_a_lost_one(bench: Bench) -> None:
    bench.pass_time(0.5)
    clock = bench.board._clock
    bench.board._clock = lambda: bench.board._began_s  # its time stands still
    bench.board.deaf = True
    bench.pass_time(3.5)
    assert not bench.report.connected
    bench.board._clock, bench.board.deaf = clock, False
    bench.wait_for(lambda: bench.report.connected)


def test_a_board_that_starts_anew_is_greeted_again(bench: Bench) -> None:
    bench.pass_time(1.0)
    bench.board.reset()
    bench.wait_for(lambda: len([it for it in bench.items if isinstance(it, Connected)]) == 2)
    again = [it for it in bench.items if isinstance(it, Connected)][-1]
    assert again.greeting["boot_count"] == 8
    assert again.again


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("named", [True, False])
def test_a_board_that_has_come_back_at_another_place_is_found(named: bool) -> None:
    def plugged_in(place: int, link: str) -> Registration:
        return Registration(RunningBench(place, "A board", "a.toml", "socket://x:1", link, 2))

    with ServedBoard() as served:
        first = plugged_in(1, served.url)
        open_port = board_opener(served.url if named else None)
        open_port().close()
        first.withdraw()
        if not named:
            with pytest.raises(PortError, match="A board shows no port"):
                open_port()
        second = plugged_in(2, served.url)
        open_port().close()
        second.withdraw()
        with ServedBoard() as renamed:
            third = plugged_in(2, renamed.url)
            again = open_port()
            assert again.port == renamed.url
            again.close()
            third.withdraw()


def test_the_first_connection_fails_loudly() -> None:
    bench = Bench()
    bench.board.plugged = False
    with pytest.raises(PortError, match="plug it in"):
        bench.session.connect()


# ---- a slow link ---------------------------------------------------------------------------------
def test_what_comes_late_is_known_to_be_old(slow: Bench) -> None:
    slow.pass_time(3.0)
    assert age_s(slow) < 0.5
    grow_late(slow, 8.0)
    slow.pass_time(9.0)  # what is asked now and then has felt it
    for _ in range(20):
        slow.pass_time(0.5)
        newest_s = slow.frames("status")[-1].time_us / 1e6
        assert age_s(slow) > slow.board.time_us / 1e6 - newest_s - 0.1
        assert age_s(slow) < 11.0
    slow.line.late_s = 0.0
    slow.pass_time(12.0)
    assert age_s(slow) < 0.5


def age_s(slow: Bench) -> float:
    """How old the newest frame is, at most."""
    assert slow.report.frame_age_s is not None
    return slow.report.frame_age_s


def test_a_stop_over_a_slow_link_goes_out_at_once(slow: Bench) -> None:
    slow.session.run(450)
    slow.wait_for(lambda: slow.answers("run"))
    grow_late(slow, 4.0)
    assert slow.board.mode == "running"
    slow.session.stop()
    slow.turn()
    assert slow.board.mode == "idle"
    slow.pass_time(6.0)
    assert [it.refusal for it in slow.answers("stop")][-1] == ""
    count = len(slow.board.commands("stop"))
    slow.pass_time(1.0)
    assert len(slow.board.commands("stop")) == count


def test_an_answer_that_does_not_come_makes_what_is_shown_old(slow: Bench) -> None:
    slow.pass_time(3.0)
    slow.board.deaf = True  # its statuses come as ever
    slow.pass_time(6.0)
    assert age_s(slow) > 4.0


def test_a_run_whose_answer_is_lost_is_followed_all_the_same(slow: Bench) -> None:
    answer = slow.board.answer

    def lose(name: str, sequence: int) -> None:
        answer(name, sequence)
        if name == "run":
            slow.board._outbox.clear()

    slow.board.answer = lose
    slow.session.run(450)
    slow.pass_time(4.0)
    assert slow.answers("run") == [
        Answer("run", (450,), "the board's answer was lost", unknown=True)
    ]
    assert slow.report.owns_run
    slow.board.mode, slow.board.command_permille = "idle", 0
    slow.pass_time(0.3)
    assert not slow.report.owns_run


def test_a_run_over_a_slow_link_is_not_taken_for_ended(slow: Bench) -> None:
    slow.pass_time(0.5)
    grow_late(slow, 4.0)
    slow.session.run(450)
    slow.pass_time(3.5)
    assert slow.answers("run")[-1].refusal == "the board has not answered for 3 s"
    slow.pass_time(4.0)  # and the board's words from before the run have come
    assert slow.answers("run")[-1].refusal == ""
    assert slow.report.owns_run
    assert slow.told() == []
    assert slow.frames("status")[-1]["mode"] == "running"
    slow.board.mode, slow.board.command_permille = "idle", 0
    slow.pass_time(5.0)
    assert slow.told() == ["the run was ended at the board, or by another host"]


def grow_late(slow: Bench, late_s: float) -> None:
    """The link gets slower and slower, and is never silent."""
    while slow.line.late_s < late_s:
        slow.line.late_s += 0.01
        slow.turn()


# ---- losses and the queue --------------------------------------------------------------------
def test_losses_add_up_over_connections(bench: Bench) -> None:
    bench.pass_time(0.5)
    bench.board.dropped_frames, bench.board.lost_samples = 3, 40
    bench.board.send_raw(b"noise\0")
    bench.board._sequence += 5  # three of them by the board, which says so
    bench.pass_time(0.5)
    losses = bench.report.losses
    assert (losses.frames, losses.samples, losses.missing, losses.broken) == (3, 40, 2, 1)
    bench.board.unplug()
    bench.pass_time(0.5)
    bench.board.plug_in()
    bench.wait_for(lambda: bench.report.connected)
    bench.board.dropped_frames = 4
    bench.pass_time(0.5)
    losses = bench.report.losses
    assert (losses.frames, losses.samples, losses.missing, losses.broken) == (4, 40, 2, 1)


def test_the_boards_counters_may_wrap(bench: Bench) -> None:
    bench.pass_time(0.2)
    for count in (0xFFF0, 5, 0x8000):
        bench.board.dropped_frames = count
        bench.pass_time(0.3)
    assert bench.report.losses.frames == 0x10000 + 0x8000


def test_a_slow_screen_misses_old_pictures_and_no_event(bench: Bench) -> None:
    bench.pass_time(0.2)
    bench.looks = False
    for number in range(60):
        bench.board.happen("probation", number)
        bench.pass_time(10.0)
    bench.looks = True
    bench.turn()
    assert [frame["detail"] for frame in bench.frames("event")] == list(range(60))
    assert bench.report.skipped > 0
    statuses = bench.frames("status")
    assert len(statuses) < 5000
    assert statuses[-1].time_us > 590_000_000


# ---- what a screen asks for ------------------------------------------------------------------
def test_a_pipe_asks_for_nothing(bench: Bench) -> None:
    bench.pass_time(5.0)
    asked = {name for _, name, _ in bench.board.heard}
    assert asked == {"hello", "get_setting"}


def test_a_screen_asks_for_levels_events_and_the_waveform() -> None:
    screen = Bench(for_screen=True)
    for second in range(40):
        screen.board.remember(second * 1_000_000, "run", 1, second)
    screen.session.connect()
    screen.wait_for(lambda: screen.report.waveform_on)
    levels = {frame["protection"]: frame["trip"] for frame in screen.frames("levels")}
    assert levels == {"vibration": 4500, "acceleration peak": 12_000}
    logs = screen.frames("log")
    assert [frame["records"] for frame in logs] == [0, 24]
    screen.pass_time(1.0)
    assert screen.frames("waveform")
    assert screen.report.latency_s is not None


def test_levels_wait_until_the_motor_is_off() -> None:
    screen = Bench(for_screen=True)
    screen.board.mode, screen.board.command_permille = "running", 700
    screen.session.connect()
    screen.pass_time(4.0)
    assert not screen.board.commands("get_levels")
    screen.board.mode, screen.board.command_permille = "idle", 0
    screen.pass_time(2.0)
    assert {frame["protection"] for frame in screen.frames("levels")} == {
        "vibration",
        "acceleration peak",
    }


def test_a_waveform_that_somebody_turns_off_is_asked_for_again(screen: Bench) -> None:
    screen.board.streams = False
    screen.wait_for(lambda: screen.board.streams)


def test_the_waveform_is_turned_off_where_the_board_drops_frames(screen: Bench) -> None:
    screen.pass_time(2.0)
    screen.board.dropped_frames = 50
    screen.pass_time(2.0)
    assert not screen.board.streams
    assert "drop" in screen.report.waveform
    assert not screen.report.waveform_on


def test_the_waveform_is_off_when_the_monitor_has_gone(screen: Bench) -> None:
    screen.session.end()
    screen.session._hang_up()
    assert not screen.board.streams


def test_a_board_that_does_not_stream_is_believed() -> None:
    screen = Bench(for_screen=True)
    obey = screen.board.answer

    def refuse(name: str, sequence: int) -> None:
        if name == "stream":
            screen.board.reply(name, sequence, wire.REASONS[1])
        else:
            obey(name, sequence)

    screen.board.answer = refuse
    screen.session.connect()
    screen.wait_for(lambda: screen.report.waveform)
    assert screen.report.waveform == "the board does not send it: unknown command"
