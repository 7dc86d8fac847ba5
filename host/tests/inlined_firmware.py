"""A pytest plugin (`-p inlined_firmware`): the firmware that tests import is what is deployed, with
its constants put in by `wrench.constants`.

The tests ask modules for constants by name, so a module gets those back that it has lost; that its
own code asks for none of them is a test of `test_constants.py`.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Any

from micropython_vm import FIRMWARE

from wrench.constants import inlined

# Whatever imports a module of the firmware before the end of this file gets the wrong one.
PACKAGE = "wrench_firmware"
SOURCES = {
    path.relative_to(FIRMWARE).as_posix(): path.read_bytes()
    for path in FIRMWARE.rglob("*.py")
    if "typings" not in path.parts
}
INLINED = inlined(SOURCES)
assert INLINED != SOURCES


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        return self._code(INLINED)

    def _code(self, texts: dict[str, bytes]) -> CodeType:
        name = self.path.removeprefix(f"{FIRMWARE}/")
        return compile(texts[name], self.path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        original = dict(vars(module))
        exec(self._code(SOURCES), original)
        for name, value in original.items():
            if type(value) is int:
                vars(module).setdefault(name, value)


class _Finder:
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] != PACKAGE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if fullname == PACKAGE or spec is None or spec.origin is None:
            return spec
        return importlib.util.spec_from_file_location(
            fullname,
            spec.origin,
            loader=_Loader(fullname, spec.origin),
            submodule_search_locations=spec.submodule_search_locations,
        )


assert not any(name.startswith(f"{PACKAGE}.") for name in sys.modules)
sys.meta_path.insert(0, _Finder())
