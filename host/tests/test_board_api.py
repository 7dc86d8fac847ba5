"""`wrench.Board` and the commands that use it, on a served bench; and the examples of
docs/python.md, each run as it stands there."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from served_bench import Up, operating_bench, wrench

import wrench as package
from wrench import readout
from wrench.board import Board
from wrench.errors import RefusedError, RunEndedError
from wrench.waveform import Waveform
from wrench_firmware import wire

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups")

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
EXAMPLES = re.findall(r"^## (.+?)$.*?^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, flashed_flash: bytes) -> Iterator[Up]:
    with operating_bench(tmp_path_factory.mktemp("api") / "cache", flashed_flash) as bench:
        yield bench


@pytest.fixture
def attached(up: Up) -> Iterator[Board]:
    del up
    with Board() as opened:
        yield opened


def test_every_example_of_the_page_is_run() -> None:
    assert PAGE.read_text().count("```python") == len(EXAMPLES) == 7


@pytest.mark.parametrize(("title", "code"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_an_example_of_the_page_runs(up: Up, title: str, code: str) -> None:
    del up
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, f"{PAGE} ({title})", "exec"), {"__name__": "__main__"})
    said = printed.getvalue()
    assert said.strip()
    assert "not now" not in said
    if title == "Limits and levels":
        assert "refused: less protective" in said
        assert "600 ['ceiling_permille']" in said
    if title == "When something goes wrong":
        assert said.startswith("PortError 5 ")


def test_the_package_offers_the_board_and_nothing_else_by_accident() -> None:
    assert package.Board is Board
    with pytest.raises(AttributeError, match="no attribute 'Bord'"):
        package.Bord  # noqa: B018


def test_a_board_is_told_the_time_once(attached: Board) -> None:
    assert attached.status()["flags"] >> wire.FLAGS.index("wall time known") & 1
    with Board() as again:
        assert again.name == "pico-adxl345"
    boot = attached.greeting["boot_count"]
    told = [e for e in attached.log() if e.name == "wall time" and e.boot == boot]
    assert len(told) == 1
    newest = attached.log()[-1]
    assert newest.date is not None
    assert abs(newest.date - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=10)


def test_the_waveform_comes_in_g_with_a_time_for_each_sample(attached: Board) -> None:
    def some() -> list[Waveform]:
        with contextlib.closing(attached.waveform()) as blocks:
            return [next(blocks) for _ in range(300)]

    # At rest the board may erase a sector of its log, and hears nothing meanwhile.
    tries = (some() for _ in range(4))
    taken = next(blocks for blocks in tries if not any(block.broken for block in blocks))
    times = np.concatenate([block.time_us for block in taken])
    assert all(np.diff(times) > 0)
    assert [block.first for block in taken[1:]] == [
        block.first + len(block.time_us) for block in taken[:-1]
    ]
    assert not any(block.missing or block.broken for block in taken)
    # The emulated sensor's clock is wrong by less than a hundredth, as a real one's.
    late = times[-3200:]
    assert (late[-1] - late[0]) / (len(late) - 1) == pytest.approx(1e6 / 3200, rel=0.02)
    mean_g = np.concatenate([block.acceleration_g for block in taken]).mean(axis=0)
    assert np.linalg.norm(mean_g) == pytest.approx(1.0, abs=0.2), "gravity"
    assert attached.status().time_us >= times[-1]
    seen = [frame.name for frame, _ in zip(attached.frames(), range(100), strict=False)]
    assert "waveform" not in seen[-30:], "it is off again"


def test_a_run_that_nobody_attends_to_trips_and_is_told(attached: Board) -> None:
    attached.run(300)
    attached.link.owns_run = False  # what a hung program does
    with pytest.raises(RunEndedError, match="link lost"):
        attached.attend(5.0)
    assert attached.status()["duty_permille"] == 0
    attached.reset()
    with pytest.raises(RefusedError) as refusal:
        attached.reset()
    assert refusal.value.reason == "not tripped"
    told = wrench("log", "--trips", "--json")
    assert json.loads(told.stdout)[-1]["text"].startswith("TRIP: link lost, ")


def test_leaving_stops_the_motor(attached: Board) -> None:
    with Board() as other:
        other.run(300)
    now = attached.status()
    assert now["mode"] == "idle"
    assert now["duty_permille"] == 0


# ---- the commands --------------------------------------------------------------------------------


def test_limits_are_shown_and_set_in_units_that_people_use(attached: Board) -> None:
    shown = wrench("limits").stdout
    assert re.search(r"over-current +\d\.\d\d A +2\.50 A +3\.00 A +4\.00 A +20 ms", shown)
    assert "all levels are the board file's" in shown
    changed = wrench("limits", "set", "Over-Current", "trip", "3500mA")
    assert re.search(r"over-current .* 3\.50 A", changed.stdout), changed.stderr
    assert attached.protection("over-current").trip == 3500
    listed = json.loads(wrench("limits", "--json").stdout)
    (one,) = [it for it in listed["protections"] if it["protection"] == "over-current"]
    assert (one["trip"], one["board_trip"], one["unit"]) == (3.5, 4.0, "A")
    refused = wrench("limits", "set", "over-current", "trip", "4.5", "A")
    assert refused.returncode == RefusedError.exit_code
    assert "less protective than the board file" in refused.stderr
    assert "press the board's button" in refused.stderr
    assert "trip: 3.50 A, board file 4.00 A" in wrench("settings", "diff").stdout
    assert wrench("limits", "set", "over-current", "trip", "4").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gremlins", "trip", "3A"], "there is no protection 'gremlins'"),
        (["temperature", "trip", "3A"], "there is no protection 'temperature'"),
        (["sensor", "trip", "3"], "did you mean sensor silent or"),
        (["over-current", "trip", "3 V"], "'3 V' is no value here; write it as '3.00 A'"),
        (["over-current", "trip"], "give a level (alarm, limit, trip) and a value"),
        (["over-current", "3A"], "give a level"),
        (["speed", "fast"], "'fast' is not a speed"),
    ],
)
def test_what_is_no_level_is_told(attached: Board, words: list[str], said: str) -> None:
    del attached
    told = wrench("limits", "set", *words)
    assert told.returncode == 2
    assert said in " ".join(told.stderr.split())


def test_the_operators_ceiling_is_set_and_forgotten(attached: Board) -> None:
    assert "up to 55 % of rated speed, below" in wrench("limits", "set", "speed", "55%").stdout
    above = wrench("limits", "set", "speed", "80%")
    assert above.returncode == RefusedError.exit_code
    assert "above the board's ceiling" in above.stderr
    assert json.loads(wrench("settings", "get", "ceiling-permille", "--json").stdout)[0] == {
        "setting": "ceiling_permille",
        "unit": "1/1000 of rated speed, the operator's lasting limit",
        "value": 550,
        "factory": 700,
        "least": 0,
        "most": 1000,
    }
    assert "ceiling_permille: 55.0 %, factory 70.0 %" in wrench("settings", "diff").stdout
    assert wrench("settings", "factory").returncode == 2, "nobody has said yes"
    assert attached.ceiling_permille() == 550
    assert wrench("settings", "factory", "--yes").returncode == 0
    assert attached.ceiling_permille() == 700
    assert wrench("settings", "set", "boots", "5").returncode == RefusedError.exit_code
    assert wrench("settings", "set", "boots", "x").returncode == 2
    assert "there is no setting 'boot'" in wrench("settings", "get", "boot").stderr


def test_the_log_is_told_by_time(attached: Board) -> None:
    attached.set_time()
    everything = json.loads(wrench("log", "--json").stdout)
    places = [(event["boot"], event["time_us"]) for event in everything]
    assert places == sorted(places)
    recent = wrench("log", "--since", "1h")
    assert f"{dt.datetime.now():%Y-%m-%d}" in recent.stdout
    assert wrench("log", "--since", "2001-01-01", "--trips").returncode == 0
    assert "no such event" in wrench("log", "--since", "2999-01-01").stdout
    assert wrench("log", "--since", "2026-99-01").returncode == 2
    assert "it is 20" in wrench("time").stdout


def test_the_log_in_files_is_not_read_while_the_motor_turns(attached: Board) -> None:
    attached.run(300)
    for read in (attached.log, attached.captures):
        with pytest.raises(RefusedError, match="read when the motor is off") as refusal:
            read()
        assert refusal.value.reason == "motor is turning: stop first"
    attached.stop()
    assert attached.log()


def test_a_stop_needs_no_greeting(attached: Board) -> None:
    attached.run(300)
    with Board(greet=False) as stopper:
        stopper.stop()
        assert stopper._greeting is None
    with pytest.raises(RunEndedError, match="ended by another command"):
        attached.attend(5.0)
    assert "pico-adxl345" in readout.identity(attached.greeting)
