"""The `rig`: an emulated board with the firmware on it, and the machine around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest

from wrench.bench.emulator import DEFAULT_EMULATOR, EMULATORS
from wrench.bench.virtual import STEP_NS
from wrench.boards import Board
from wrench.hil.rig import BOARD, Rig, content_of


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--emulator",
        choices=EMULATORS,
        default=DEFAULT_EMULATOR,
        help="the chip's emulator; rp2040py, the second opinion, is for `-m smoke`",
    )


class MakeRig(Protocol):
    """Makes a rig of a board, its machine in a condition; `content` is that of its flash."""

    def __call__(
        self,
        board: Board = BOARD,
        *,
        condition: str = "healthy",
        image: str = "stock",
        content: bytes | None = None,
        step_ns: int = STEP_NS,
        flash_times_ns: dict[str, int] | None = None,
        emulator: str | None = None,
    ) -> Rig: ...


@pytest.fixture
def make_rig(pytestconfig: pytest.Config) -> Iterator[MakeRig]:
    """A board and a machine as the test wants them, not yet powered up."""
    asked = str(pytestconfig.getoption("--emulator"))
    open_rigs: list[Rig] = []

    def make(
        board: Board = BOARD,
        *,
        condition: str = "healthy",
        image: str = "stock",
        content: bytes | None = None,
        step_ns: int = STEP_NS,
        flash_times_ns: dict[str, int] | None = None,
        emulator: str | None = None,
    ) -> Rig:
        flash = content_of(board, image) if content is None else content
        made = Rig(
            board,
            flash,
            condition,
            step_ns=step_ns,
            flash_times_ns=flash_times_ns,
            emulator=emulator or asked,
        )
        open_rigs.append(made)
        return made

    yield make
    for made in open_rigs:
        made.bench.close()


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    """A healthy machine."""
    return make_rig()
