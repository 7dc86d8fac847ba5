"""A soak finds what grows."""

from __future__ import annotations

from importlib import resources

import pytest

from wrench.hil import content
from wrench.hil.content import BOARD, content_with
from wrench.hil.invariants import Violation
from wrench.hil.soak import Lengths, soak

pytestmark = pytest.mark.emulator


def test_a_soak_finds_a_leak_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (resources.files("wrench_firmware") / "loop.py").read_text()
    line = "            self.tell()\n"
    assert text.count(line) == 1
    leaks = line + "            self._parts = [n, getattr(self, '_parts', None)]\n"
    leaking = content_with({"loop.py": text.replace(line, leaks)})
    monkeypatch.setitem(content._contents, (BOARD.name, BOARD.hash, "stock"), leaking)
    with pytest.raises(Violation, match="running takes memory"):
        list(soak(0.001, 1, BOARD.name, "stock", Lengths(runs=1, run_s=(1.0, 1.2))))
