"""The firmware's pure modules under CPython, which has no `micropython` module."""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

from wrench.boards import Board

PACKAGE = "wrench_firmware"


def _same(thing: Any) -> Any:
    return thing


def firmware_module(name: str) -> Any:
    """A module of the firmware that touches no hardware and has no viper code in it.

    `micropython.const` and the decorators are there while it is imported, and only then.
    """
    stand_in = types.ModuleType("micropython")
    vars(stand_in).update(const=_same, native=_same, viper=_same)
    before = sys.modules.get("micropython")
    sys.modules["micropython"] = stand_in
    try:
        return importlib.import_module(f"{PACKAGE}.{name}")
    finally:
        if before is None:
            del sys.modules["micropython"]
        else:
            sys.modules["micropython"] = before


def board_constants(board: Board) -> dict[str, Any]:
    """What the chip finds in its `wrench_board`."""
    constants: dict[str, Any] = {}
    exec(board.render(), {}, constants)
    return constants
