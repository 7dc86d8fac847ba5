"""Fixtures that tests of several subjects share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from own_cache import link_cache

from wrench.bench.assemble import flashed
from wrench.boards import Board, load_board

# What is checked before something lands must not depend on chance; elsewhere chance finds more.
settings.register_profile("repeatable", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def board() -> Board:
    """The board of most tests."""
    return load_board("pico-adxl345")


@pytest.fixture(scope="session")
def flashed_flash(board: Board) -> bytes:
    """Content of the flash chip of a board that has this checkout's firmware.

    Prepared once and kept in the cache by its hash.
    """
    return flashed(board)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own that shares what is expensive: no bench of anybody else is in it,
    and it keeps no board from one test to the next."""
    return link_cache(tmp_path / "cache", monkeypatch)


_OF_AN_EMULATED_BOARD = {"VirtualBench", "Emulator", "assemble", "Up", "Chip", "PartChip"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs an emulated board, for `make unit`."""
    for item in items:
        names = vars(getattr(item, "module", None) or object)
        if _OF_AN_EMULATED_BOARD & names.keys():
            item.add_marker(pytest.mark.emulator)
