"""The `rig`: an emulated board with the firmware on it, and the machine around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest

from wrench.bench.virtual import STEP_NS
from wrench.boards import Board
from wrench.hil.observation.wired_board import timeline_of
from wrench.hil.pytest_report import TIMELINES
from wrench.hil.rig import BOARD, Rig, content_of


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
    ) -> Rig: ...


@pytest.fixture
def make_rig(request: pytest.FixtureRequest) -> Iterator[MakeRig]:
    """A board and a machine as the test wants them, not yet powered up."""
    open_rigs: list[Rig] = []

    def make(
        board: Board = BOARD,
        *,
        condition: str = "healthy",
        image: str = "stock",
        content: bytes | None = None,
        step_ns: int = STEP_NS,
        flash_times_ns: dict[str, int] | None = None,
    ) -> Rig:
        flash = content_of(board, image) if content is None else content
        made = Rig(board, flash, condition, step_ns=step_ns, flash_times_ns=flash_times_ns)
        open_rigs.append(made)
        request.node.stash.setdefault(TIMELINES, []).append(timeline_of(made))
        return made

    yield make
    for made in open_rigs:
        made.bench.close()


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    """A healthy machine."""
    return make_rig()
