"""Runs a firmware module's viper code under CPython, with integers that refuse to leave 32 bits.

On the chip an integer that does not fit wraps in silence; here it raises OverflowError. `Int32` is
what `int(...)` makes inside the module, and every result of its arithmetic is one again.
"""

from __future__ import annotations

import operator
import sys
import types
from collections.abc import Callable
from typing import Any

from micropython_vm import FIRMWARE


class Int32(int):
    """An int32 that raises where it would wrap."""

    def __new__(cls, value: Any) -> Int32:
        if not -(1 << 31) <= value < 1 << 31:
            raise OverflowError(f"{int(value)} does not fit 32 bits")
        return super().__new__(cls, value)


def _checked(operation: Callable[[int, int], int], *, swapped: bool) -> Callable[..., Int32]:
    def method(self: Int32, other: int) -> Int32:
        a, b = (int(other), int(self)) if swapped else (int(self), int(other))
        return Int32(operation(a, b))

    return method


for _name in ("add", "sub", "mul", "floordiv", "lshift", "rshift", "and", "or", "xor"):
    _operation = getattr(operator, f"__{_name}__")
    setattr(Int32, f"__{_name}__", _checked(_operation, swapped=False))
    setattr(Int32, f"__r{_name}__", _checked(_operation, swapped=True))


def load(name: str) -> dict[str, Any]:
    """The names of a firmware module, its viper functions as plain Python."""

    def same(thing: Any) -> Any:
        return thing

    shim = types.ModuleType("micropython")
    vars(shim).update(viper=same, native=same, const=same)
    namespace: dict[str, Any] = {
        "__name__": name,
        "int": Int32,
        "ptr8": None,
        "ptr16": None,
        "ptr32": None,
    }
    source = (FIRMWARE / f"{name}.py").read_text(encoding="utf-8")
    before = sys.modules.get("micropython")
    sys.modules["micropython"] = shim
    try:
        exec(compile(source, name, "exec"), namespace)
    finally:
        if before is None:
            del sys.modules["micropython"]
        else:
            sys.modules["micropython"] = before
    return namespace
