"""The board in lines and in objects, as a pipe gets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from stepped_session import Bench

from wrench.monitor.lines import print_lines, print_objects
from wrench.readout import Losses


@pytest.fixture
def bench() -> Bench:
    """A session that has just greeted its board."""
    made = Bench()
    made.session.connect()
    return made


def printed(
    bench: Bench,
    seconds: float,
    show: Callable[..., None] = print_lines,
    *,
    halfway: Callable[[], None] = lambda: None,
    **how: Any,
) -> list[str]:
    """What is printed while that much time passes; something happens halfway."""
    said: list[str] = []
    turns = round(seconds / 0.02)
    left = turns

    def ended() -> bool:
        nonlocal left
        for _ in range(5):
            left -= 1
            if left == turns // 2:
                halfway()
            bench.clock.now_s += 0.02
            bench.session.turn(0.0)
        return left <= 0

    show(bench.session, said.append, ended=ended, **how)
    return said


def objects(bench: Bench, seconds: float, **how: Any) -> list[dict[str, Any]]:
    """The same in objects."""
    return [json.loads(line) for line in printed(bench, seconds, print_objects, **how)]


# ---- lines -----------------------------------------------------------------------------------
def test_a_line_a_second_of_device_time(bench: Bench) -> None:
    lines = printed(bench, 10.0)
    assert 9 <= len(lines) <= 11
    assert all("idle" in line and "nothing lost" in line for line in lines)
    assert len(printed(bench, 10.0, every_s=5.0)) in (2, 3)


def test_a_line_for_every_event_however_seldom_a_status_is_asked_for(bench: Bench) -> None:
    bench.pass_time(0.2)
    bench.board.trip("vibration", 4_700)
    lines = printed(bench, 1.0, every_s=60.0)
    assert [line.strip() for line in lines if "s  TRIP" in line] == [
        "0.2 s  TRIP: vibration, 4.70 mm/s"
    ]


def test_lines_tell_of_losses(bench: Bench) -> None:
    bench.pass_time(0.2)
    bench.board.lost_samples, bench.board.dropped_frames = 12, 3
    last = printed(bench, 2.5)[-1]
    assert last.endswith(str(Losses(frames=3, samples=12)))


def test_lines_go_on_after_an_unplug_and_after_another_boot(bench: Bench) -> None:
    bench.pass_time(30.0)
    bench.session.run(450)
    bench.pass_time(0.3)
    bench.board.unplug()
    gone = printed(bench, 2.0)
    assert [line.strip() for line in gone] == [
        "the link is lost: the board stops the run that this monitor owned",
        "waiting for the board: memory has gone (the board was unplugged); try again",
        "waiting for the board: there is no board; plug it in",
    ]
    bench.board.plug_in()
    back = printed(bench, 4.0)
    assert back[0].strip() == "the board is there again"
    assert len([line for line in back if "tripped" in line]) >= 3
    # The board's time begins anew with a boot.
    anew = printed(bench, 8.0, every_s=30.0, halfway=bench.board.reset)
    assert len([line for line in anew if "idle" in line]) == 1
    assert len([line for line in anew if "tripped" in line]) == 1


# ---- objects -----------------------------------------------------------------------------------
def test_an_object_for_everything_that_comes(bench: Bench) -> None:
    bench.pass_time(0.04)
    bench.board.happen("alarm", 1, 1_300)
    came = objects(bench, 4.0)
    kinds = [it["type"] for it in came]
    assert kinds.count("status") >= 45
    assert kinds.count("features") >= 14
    assert kinds.count("event") == 1
    (event,) = [it for it in came if it["type"] == "event"]
    assert event["text"].startswith("alarm")
    assert (event["value"], event["time_us"]) == (1_300, 40_000)
    status = next(it for it in came if it["type"] == "status")
    assert status["velocity_um_s"] == 640
    assert {"waveform", "reply"}.isdisjoint(kinds)


def test_objects_at_most_so_often(bench: Bench) -> None:
    came = objects(bench, 10.0, every_s=2.0)
    times_us = [it["time_us"] for it in came if it["type"] == "status"]
    assert 4 <= len(times_us) <= 6
    assert all(later - earlier >= 2_000_000 for earlier, later in pairwise(times_us))
    assert len([it for it in came if it["type"] == "features"]) > 30


def test_objects_tell_of_the_link_and_of_losses(bench: Bench) -> None:
    assert objects(bench, 0.2)[0]["type"] == "connected"
    bench.board.lost_samples, bench.board.dropped_frames = 12, 3
    bench.board.send_raw(b"noise\0")
    bench.board._sequence += 5  # three of them by the board, which says so
    assert objects(bench, 1.0)[-1]["losses"] == {
        "missing_frames": 2,
        "bad_frames": 1,
        "dropped_frames": 3,
        "lost_samples": 12,
        "skipped_frames": 0,
    }
    bench.session.run(450)
    bench.pass_time(0.3)
    bench.board.unplug()
    gone = objects(bench, 1.0)
    assert [(it["type"], it.get("reason") or it.get("text")) for it in gone] == [
        ("told", "the link is lost: the board stops the run that this monitor owned"),
        ("waiting", "memory has gone (the board was unplugged); try again"),
        ("waiting", "there is no board; plug it in"),
    ]
    assert gone[-1]["losses"]["missing_frames"] == 2
    bench.board.plug_in()
    again = objects(bench, 1.0)[0]
    assert again["type"] == "connected"
    assert again["board"]["board_name"] == "bench drill"
