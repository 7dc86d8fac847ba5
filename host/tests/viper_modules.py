"""The firmware's pure modules that have viper code and import each other, under CPython.

As in `viper_on_cpython`, an integer that would leave 32 bits raises where it would wrap on the
chip.
"""

from __future__ import annotations

import builtins
from typing import Any

from firmware_host import firmware_module
from viper_on_cpython import Int32

_POINTERS = ("ptr8", "ptr16", "ptr32")


def viper_module(name: str) -> Any:
    """A module of the firmware; its viper code takes arrays where the chip takes pointers."""
    for pointer in _POINTERS:
        setattr(builtins, pointer, None)
    try:
        module = firmware_module(name)
    finally:
        for pointer in _POINTERS:
            delattr(builtins, pointer)
    vars(module)["int"] = Int32
    return module
