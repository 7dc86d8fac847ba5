"""A served bench as a user has it: `wrench bench up` in one process, other commands in others."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served_bench import (
    CONSOLE_ONLY,
    IN_BOOTSEL,
    OPERATES,
    PATIENCE_S,
    WRENCH,
    Up,
    alive,
    cache_with_flashed_board,
    wait_until,
    wrench,
)

from wrench import operation
from wrench.bench import registry
from wrench.errors import PortError
from wrench.install import enter_maintenance
from wrench.link import Link
from wrench.sharing import let_go
from wrench.tcp_port import TcpPort
from wrench.transport import BoardConnection, choose

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups")

MPREMOTE = [sys.executable, "-m", "mpremote", "connect"]


def alone(up: Up) -> TcpPort:
    """The link, opened as a program does that shares it with nobody."""
    url = up.wait_for("link     socket").split()[1]
    let_go(url)
    opened: list[TcpPort] = []

    def tried() -> bool:
        """The bench sees a moment later that the last one has gone."""
        with contextlib.suppress(PortError):
            opened.append(TcpPort(url))
        return bool(opened)

    assert wait_until(tried)
    return opened[0]


def mpremote(*arguments: str) -> str:
    done = subprocess.run(
        [*MPREMOTE, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, flashed_flash: bytes) -> Iterator[Path]:
    """A cache in which the board is flashed."""
    folder = tmp_path_factory.mktemp("served") / "cache"
    with cache_with_flashed_board(folder, flashed_flash):
        yield folder


@pytest.fixture(scope="module")
def up(cache: Path) -> Iterator[Up]:
    """A bench with a flashed board, with pseudo-terminals too."""
    del cache
    bench = Up("--pty")
    try:
        bench.wait_for(OPERATES)
        yield bench
    finally:
        bench.end()


def test_other_programs_find_it_and_its_ports_are_those_it_prints(up: Up) -> None:
    board = choose(None)
    assert board.console is not None
    assert board.link is not None
    assert board.console in up.wait_for("console  socket")
    assert board.link in up.wait_for("link     socket")
    assert f"mpremote connect {board.console}" in up.wait_for("mpremote")


def test_status_tells_who_the_board_is(up: Up) -> None:
    del up
    told = json.loads(wrench("status", "--json").stdout)
    assert told["board"]["board_name"] == "pico-adxl345"
    assert told["status"]["mode"] in ("self-test", "idle")
    assert 11.0 < told["status"]["supply_mv"] / 1000 < 13.0


def test_a_port_in_use_is_refused_and_its_user_is_not_disturbed(up: Up) -> None:
    first = alone(up)
    link = Link(first)
    link.hello()
    refused = wrench("status", "--port", up.wait_for("link     socket").split()[1])
    assert refused.returncode == PortError.exit_code
    assert "in use by another program" in refused.stderr
    assert link.status()["mode"] in ("self-test", "idle")
    first.close()


def test_a_port_may_be_closed_and_opened_again_and_again(up: Up) -> None:
    del up
    for _ in range(5):
        port = BoardConnection().open_link()
        assert Link(port).hello()["version"] == 2
        port.close()


def test_a_killed_owner_of_a_run_leaves_a_motor_that_stops(up: Up) -> None:
    del up
    owner = subprocess.Popen(
        [*WRENCH, "run", "--speed", "40%"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert owner.stdout
    assert b"starting" in owner.stdout.readline()
    owner.kill()
    owner.communicate()
    assert wait_until(lambda: _mode() == "tripped"), _mode()
    told = json.loads(wrench("status", "--json").stdout)["status"]
    assert told["fault"] == "link lost"
    assert told["duty_permille"] == 0
    refused = wrench("run", "--speed", "40%")
    assert refused.returncode == 9
    assert "link lost" in refused.stderr
    assert wrench("reset").returncode == 0
    assert _mode() == "idle"


def _mode() -> str:
    port = BoardConnection().open_link()
    try:
        return Link(port).status()["mode"]
    finally:
        port.close()


def test_ctrl_c_ends_a_run_in_order(up: Up) -> None:
    del up
    owner = subprocess.Popen([*WRENCH, "run", "--speed", "40%"], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    owner.stdout.readline()
    owner.send_signal(signal.SIGINT)
    rest, _ = owner.communicate(timeout=PATIENCE_S)
    assert owner.returncode == 0
    assert rest.endswith("stopped\n")
    assert _mode() == "idle", "stopped, not tripped"


def test_closing_the_port_of_a_run_stops_the_motor_before_anything_else_can_happen(up: Up) -> None:
    port = alone(up)
    link = Link(port)
    operation.start(link, 300)
    port.close()
    assert _mode() == "tripped"
    assert wrench("reset").returncode == 0


def test_maintenance_gives_the_console_to_mpremote_and_flashing_ends_it(up: Up) -> None:
    before = len(up.said)
    asked = wrench("maintenance")
    assert asked.returncode == 0
    console = up.wait_for("console  socket").split()[1]
    assert f"mpremote connect {console}" in asked.stdout
    assert "wrench.pack" in mpremote(console, "fs", "ls", ":/lib")
    pty = up.wait_for("console  /").split()[1]
    assert "hello" in mpremote(pty, "exec", "print('hel' + 'lo')")
    told = wrench("status")
    assert told.returncode == PortError.exit_code
    assert "maintenance" in told.stderr
    flashed = wrench("flash")
    assert flashed.returncode == 0, flashed.stderr
    assert "nothing changed" in flashed.stdout
    up.wait_for(OPERATES, before)
    assert wait_until(lambda: _mode() == "idle"), _mode()


def attached_board() -> dict[str, Any]:
    listed = wrench("boards", "--json")
    assert listed.returncode == 0, listed.stderr
    (board,) = json.loads(listed.stdout)
    return board


def test_what_is_attached_is_told_in_every_state(up: Up) -> None:
    operating = attached_board()
    assert (operating["state"], operating["up_to_date"]) == ("operating", True)
    assert operating["board_name"] == "pico-adxl345"
    assert operating["to_do"] == ""
    assert wrench("maintenance").returncode == 0
    resting = attached_board()
    assert (resting["state"], resting["up_to_date"]) == ("console", True)
    assert resting["firmware_hash"] == operating["firmware_hash"]
    before = len(up.said)
    assert wrench("flash").returncode == 0
    up.wait_for(OPERATES, before)


def test_an_image_is_installed_through_the_boot_rom_and_one_that_is_there_is_left(up: Up) -> None:
    before = len(up.said)
    flashed = wrench("flash", "--image", "stock", "--json")
    assert flashed.returncode == 0, flashed.stderr
    up.wait_for(IN_BOOTSEL, before)
    up.wait_for(OPERATES, before)
    facts = json.loads(flashed.stdout)
    assert (facts["image_bytes_written"], facts["files_written"]) == (0, [])
    assert facts["board"]["micropython_version"] == "1.25.0"


def test_the_doctor_finds_a_bench_well_and_a_tripped_one_not(up: Up) -> None:
    del up
    assert wait_until(lambda: _mode() == "idle"), _mode()
    well = wrench("doctor", "--for", "1s")
    assert well.returncode == 0, well.stdout + well.stderr
    assert "none of" in well.stdout
    assert "steady part" in well.stdout
    port = BoardConnection().open_link()
    operation.start(Link(port), 300)
    port.close()
    ill = wrench("doctor", "--for", "1s", "--json")
    assert ill.returncode == 1
    found = {it["about"]: it for it in json.loads(ill.stdout)}
    assert found["self-test"]["verdict"] == "bad"
    assert "link lost" in found["self-test"]["seen"]
    assert wrench("reset").returncode == 0


def test_what_was_written_to_flash_outlives_a_killed_bench_and_no_process_is_left(
    up: Up, cache: Path
) -> None:
    mark = f"mark-{time.time_ns()}"
    enter_maintenance(BoardConnection())
    console = up.wait_for("console  socket").split()[1]
    file = cache / "flash" / "pico-adxl345.flash"
    mpremote(console, "exec", f"f = open('mark', 'w'); f.write('{mark}'); f.close()")
    assert wait_until(lambda: mark.encode() in file.read_bytes()), "saved while the bench runs"
    (emulator,) = up.children()
    up.process.kill()
    up.process.wait()
    assert wait_until(lambda: not alive(emulator), 5), "the emulator ends with its parent"
    assert registry.running() == []
    again = Up()
    try:
        again.wait_for("as the last bench left it")
        again.wait_for(OPERATES)
        enter_maintenance(BoardConnection())
        console = again.wait_for("console  socket").split()[1]
        assert mark in mpremote(console, "exec", "print(open('mark').read())")
        (emulator,) = again.children()
        assert again.end(signal.SIGTERM) == 0
        assert again.said[-1] == "bench ended"
        assert not alive(emulator)
        assert registry.running() == []
    finally:
        again.end(signal.SIGKILL)


@pytest.mark.usefixtures("own_cache")
def test_a_fresh_bench_has_a_bare_board_and_ctrl_c_ends_it() -> None:
    bench = Up("--fresh", "--speed", "fast")
    try:
        bench.wait_for("The board is bare")
        bench.wait_for(CONSOLE_ONLY)
        assert choose(None).link is None
        assert bench.end(signal.SIGINT) == 0
        assert bench.said[-1] == "bench ended"
        assert registry.running() == []
    finally:
        bench.end(signal.SIGKILL)


def test_scenarios_are_listed_with_their_sentence() -> None:
    assert "healthy " in wrench("bench", "scenarios").stdout
    listed = json.loads(wrench("bench", "scenarios", "--json").stdout)
    assert {"name", "description", "compression"} <= set(listed[0])
