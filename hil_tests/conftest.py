"""The `rig`: an emulated board with the firmware on it, the machine around it, and a link to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from rig import BOARD, Rig

from wrench.bench.assemble import assemble, flashed


@pytest.fixture(scope="session")
def content() -> bytes:
    """Flash content with the image and the firmware."""
    return flashed(BOARD)


@pytest.fixture
def rig(content: bytes) -> Iterator[Rig]:
    """A healthy machine, powered up."""
    assembly = assemble(BOARD, content)
    with assembly.bench as bench:
        yield Rig(bench, assembly.machine)


@pytest.fixture
def make_rig(content: bytes) -> Iterator[Callable[[str], Rig]]:
    """A machine in a condition that the test names."""
    open_rigs: list[Rig] = []

    def make(condition: str) -> Rig:
        assembly = assemble(BOARD, content, condition=condition)
        made = Rig(assembly.bench, assembly.machine)
        open_rigs.append(made)
        return made

    yield make
    for made in open_rigs:
        made.bench.close()
