"""The `rig`: a board with the firmware on it, emulated or real, and the machine around it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, cast

import pytest

from wrench.bench.emulator import NOMINAL, ChipClock
from wrench.bench.plant import Playback
from wrench.bench.virtual import STEP_NS
from wrench.boards import Board, load_board
from wrench.errors import RigError, WrenchError
from wrench.hil.content import BOARD, content_of
from wrench.hil.pytest_plugin import fail_unsaid, skip_without
from wrench.hil.pytest_report import TIMELINES
from wrench.hil.real_rig import RealRig, opened
from wrench.hil.rig import Rig
from wrench.hil.rig_file import RigFile, load_rig
from wrench.hil.virtual_rig import VirtualRig


class MakeRig(Protocol):
    """Makes a rig of a board, its machine in a condition; `content` is that of its flash."""

    def __call__(
        self,
        board: Board | None = None,
        *,
        condition: str = "healthy",
        image: str = "stock",
        content: bytes | None = None,
        step_ns: int = STEP_NS,
        flash_times_ns: dict[str, int] | None = None,
        clock: ChipClock = NOMINAL,
        replay: Playback | None = None,
        emulator: str | None = None,
    ) -> Rig: ...


@pytest.fixture(scope="session")
def the_board(pytestconfig: pytest.Config) -> Board:
    """The board of every test that names none."""
    name = pytestconfig.getoption("hil_board")
    try:
        return load_board(name) if name else BOARD
    except WrenchError as error:
        pytest.exit(str(error), RigError.exit_code)


@pytest.fixture(scope="session")
def real_rig(pytestconfig: pytest.Config) -> Iterator[RealRig | None]:
    """The real rig, found and verified; None on the virtual bench."""
    if pytestconfig.getoption("bench") == "virtual":
        yield None
        return
    if hasattr(pytestconfig, "workerinput"):
        pytest.exit("a real rig is one: run its tests without -n", 2)
    path = cast(Path | None, pytestconfig.getoption("hil_rig"))
    name = pytestconfig.getoption("hil_board")
    try:
        described = load_rig(path) if path else RigFile(board=name or BOARD.name)
        rig = opened(described, described.load_board(), pytestconfig.getoption("hil_port"))
    except WrenchError as error:
        pytest.exit(f"the tests do not start: {error}", RigError.exit_code)
    yield rig
    try:
        rig.close()
    except WrenchError as error:
        pytest.exit(str(error), RigError.exit_code)


@pytest.fixture
def make_rig(
    request: pytest.FixtureRequest, the_board: Board, real_rig: RealRig | None
) -> Iterator[MakeRig]:
    """A board and a machine as the test wants them; an emulated one is not yet powered up."""
    node = request.node
    made: list[Rig] = []

    def make(
        board: Board | None = None,
        *,
        condition: str = "healthy",
        image: str = "stock",
        content: bytes | None = None,
        step_ns: int = STEP_NS,
        flash_times_ns: dict[str, int] | None = None,
        clock: ChipClock = NOMINAL,
        replay: Playback | None = None,
        emulator: str | None = None,
    ) -> Rig:
        if real_rig is not None:
            skip_without(real_rig.able, node)
            real_rig.begin()
            made.append(real_rig)
            return real_rig
        mine = the_board if board is None else board
        flash = content_of(mine, image) if content is None else content
        rig = VirtualRig(
            mine,
            flash,
            condition,
            step_ns=step_ns,
            flash_times_ns=flash_times_ns,
            clock=clock,
            replay=replay,
            emulator=emulator or str(request.config.getoption("--emulator")),
        )
        made.append(rig)
        skip_without(rig.able, node)
        node.stash.setdefault(TIMELINES, []).append(rig.timeline())
        asked: dict[str, Any] = {
            "other boards": board is not None,
            "machine": condition != "healthy" or replay is not None,
            "other images": image != "stock",
            "flash content": content is not None,
            "emulator": step_ns != STEP_NS
            or flash_times_ns is not None
            or clock != NOMINAL
            or emulator is not None,
        }
        rig.used.update(name for name, so in asked.items() if so)
        return rig

    yield make
    for rig in made:
        if isinstance(rig, VirtualRig):
            rig.close()
    for rig in made:
        fail_unsaid(rig.used, node)


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    """A healthy machine."""
    return make_rig()


@pytest.fixture(autouse=True)
def emulated_board_of_its_own(request: pytest.FixtureRequest) -> None:
    """A test that makes its own emulated board says nothing of a real one."""
    if request.config.getoption("bench") != "virtual" and "make_rig" not in request.fixturenames:
        pytest.skip("needs 'emulator': it makes an emulated board of its own")
