"""One board and several commands at once, each in a process of its own, as a user has them."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served_bench import (
    OPERATES,
    PATIENCE_S,
    WRENCH,
    Lines,
    Up,
    alive,
    operating_bench,
    wait_until,
    wrench,
)

from wrench import sharing
from wrench.board import Board
from wrench.errors import PortError, RefusedError, RunEndedError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

READER = """
from wrench import Board
samples = missing = 0
with Board() as board:
    print("reading", flush=True)
    for block in board.waveform():
        samples += len(block.time_us)
        missing += block.missing + block.broken
        if samples >= 32_000:
            break
    losses = board.losses
print(samples, missing, losses.frames, losses.missing, losses.broken, flush=True)
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, flashed_flash: bytes) -> Iterator[Up]:
    with operating_bench(tmp_path_factory.mktemp("shared") / "cache", flashed_flash) as bench:
        yield bench


@pytest.fixture(autouse=True)
def at_rest(up: Up) -> Iterator[None]:
    """Whatever a test does, the next one finds the board idle."""
    yield
    del up
    with Board() as board:
        board.stop()
        if board.status()["mode"] == "tripped":
            board.reset()


def start(*arguments: str) -> Lines:
    """A command in a process of its own."""
    return Lines([*WRENCH, *arguments])


def modes(monitor: Lines) -> list[str]:
    return [said["mode"] for said in objects(monitor) if said["type"] == "status"]


def objects(monitor: Lines) -> list[dict[str, Any]]:
    return [json.loads(line) for line in list(monitor.said) if line.startswith("{")]


def connections(monitor: Lines) -> int:
    return sum(said["type"] == "connected" for said in objects(monitor))


def status() -> dict[str, Any]:
    return json.loads(wrench("status", "--json").stdout)["status"]


def test_monitor_reader_run_and_stop_work_side_by_side(up: Up) -> None:
    del up
    monitor = start("monitor", "--json")
    monitor.wait_for("{")
    reader = Lines([sys.executable, "-c", READER])
    reader.wait_for("reading")
    run = start("run", "--speed", "40%")
    run.wait_for("running")
    assert len(sharing.running()) == 1
    assert reader.process.wait(PATIENCE_S) == 0
    assert wrench("stop").stdout == "stopped\n"
    assert run.process.wait(PATIENCE_S) == RunEndedError.exit_code
    assert run.wait_for("the run was ended by another command")
    assert wait_until(lambda: modes(monitor)[-1] == "idle")
    assert "running" in modes(monitor)
    assert monitor.end(signal.SIGINT) == 0
    assert reader.said[-1] == "32000 0 0 0 0", "samples, and what was lost"


def test_a_run_goes_on_when_the_command_that_opened_the_port_is_killed(up: Up) -> None:
    monitor = start("monitor", "--json")
    monitor.wait_for("{")
    (hub,) = sharing.running()
    run = start("run", "--speed", "30%")
    run.wait_for("running")
    monitor.process.kill()
    seen = len(run.said)
    assert wait_until(lambda: len(run.said) >= seen + 3), "three seconds more"
    assert all("running" in line for line in run.said[seen:])
    assert sharing.running() == [hub]
    assert run.end(signal.SIGINT) == 0
    assert run.said[-1] == "stopped"
    assert len([line for line in up.said if OPERATES in line]) == 1


def test_who_takes_a_run_over_is_its_only_owner(up: Up) -> None:
    del up
    first = start("run", "--speed", "30%")
    first.wait_for("running")
    second = start("run", "--speed", "40%", "--take-over")
    assert first.wait_for("another command has taken the run over")
    assert first.process.wait(PATIENCE_S) == RunEndedError.exit_code
    second.wait_for("running")
    assert status()["mode"] == "running", "the first has not stopped it"
    second.process.kill()
    assert wait_until(lambda: status()["mode"] == "tripped"), "the first keeps it alive no more"


def test_a_killed_owners_motor_stops_though_the_port_stays_open_for_others(up: Up) -> None:
    del up
    monitor = start("monitor", "--json")
    monitor.wait_for("{")
    (hub,) = sharing.running()
    run = start("run", "--speed", "30%")
    run.wait_for("running")
    run.process.kill()
    assert wait_until(lambda: modes(monitor)[-1] == "tripped")
    told = status()
    assert (told["fault"], told["duty_permille"]) == ("link lost", 0)
    assert sharing.running() == [hub]
    assert monitor.end(signal.SIGINT) == 0


def test_a_killed_hub_is_told_by_every_command_and_the_motor_stops(up: Up) -> None:
    del up
    monitor = start("monitor", "--json")
    monitor.wait_for("{")
    run = start("run", "--speed", "30%")
    run.wait_for("running")
    (hub,) = sharing.running()
    os.kill(hub.pid, signal.SIGKILL)
    assert run.process.wait(PATIENCE_S) == PortError.exit_code
    assert run.wait_for("the process that shared")
    assert wait_until(lambda: connections(monitor) == 2), "the monitor joins the next one"
    told = status()
    assert (told["mode"], told["fault"], told["duty_permille"]) == ("tripped", "link lost", 0)
    assert monitor.end(signal.SIGINT) == 0


def test_a_stopped_reader_holds_up_nobody(up: Up) -> None:
    del up
    reader = Lines([sys.executable, "-c", READER])
    reader.wait_for("reading")
    os.kill(reader.process.pid, signal.SIGSTOP)
    run = start("run", "--speed", "30%")
    run.wait_for("running")
    seen = len(run.said)
    assert wait_until(lambda: len(run.said) >= seen + 3)
    assert run.said[-1].endswith("nothing lost")
    assert run.end(signal.SIGINT) == 0
    os.kill(reader.process.pid, signal.SIGCONT)
    assert reader.process.wait(PATIENCE_S) == 0, reader.said


def test_maintenance_goes_through_the_hub_and_flashing_brings_the_board_back(up: Up) -> None:
    before = len(up.said)
    monitor = start("monitor", "--json")
    monitor.wait_for("{")
    run = start("run", "--speed", "30%")
    run.wait_for("running")
    refused = wrench("maintenance")
    assert refused.returncode == 7
    assert "motor is turning" in refused.stderr
    assert run.end(signal.SIGINT) == 0
    asked = wrench("maintenance")
    assert asked.returncode == 0, asked.stderr
    assert monitor.wait_for('"waiting"')
    flashed = wrench("flash")
    assert flashed.returncode == 0, flashed.stderr
    assert "nothing changed" in flashed.stdout
    up.wait_for(OPERATES, before)
    assert wait_until(lambda: connections(monitor) == 2)
    assert monitor.end(signal.SIGINT) == 0


def test_a_second_run_is_refused_while_one_goes_on(up: Up) -> None:
    del up
    run = start("run", "--speed", "30%")
    run.wait_for("running")
    second = wrench("run", "--speed", "20%")
    assert second.returncode == RefusedError.exit_code
    assert "--take-over" in second.stderr
    assert status()["mode"] == "running"
    assert run.end(signal.SIGINT) == 0


def test_a_run_ends_when_its_file_appears(up: Up, tmp_path: Path) -> None:
    del up
    file = tmp_path / "enough"
    run = start("run", "--speed", "30%", "--until-file", str(file))
    run.wait_for("running")
    file.write_text("")
    assert run.process.wait(PATIENCE_S) == 0
    assert run.wait_for("stopped")
    again = wrench("run", "--speed", "30%", "--until-file", str(file))
    assert again.returncode == 2
    assert "is there already; remove it first" in again.stderr


def test_what_runs_beside_the_commands_ends_with_them(up: Up) -> None:
    del up
    assert wrench("status").returncode == 0
    (hub,) = sharing.running()
    assert wait_until(lambda: sharing.running() == [])
    assert wait_until(lambda: not alive(hub.pid))
