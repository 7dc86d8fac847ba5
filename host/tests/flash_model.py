"""NOR flash to the bit, for the pure modules: what a power cut leaves of a page or of an erase."""

from __future__ import annotations

import builtins
import random
from typing import Any

from firmware_host import firmware_module

PAGE = 256


def storage_module(name: str) -> Any:
    """A firmware module with viper code in it, under CPython."""
    pointers = {"ptr8": bytearray, "ptr16": bytearray, "ptr32": bytearray}
    for pointer, kind in pointers.items():
        setattr(builtins, pointer, kind)
    try:
        return firmware_module(name)
    finally:
        for pointer in pointers:
            delattr(builtins, pointer)


class PowerCutError(Exception):
    """Power has gone, in the middle of something."""


class Flash:
    """A raw region as `storage_rp2` shows it; `cut(n)` takes the power away in the n-th operation
    from now.

    Programming clears bits and must find its bytes blank; a sector whose erase was cut may look
    blank and must not be programmed before it is erased again.
    """

    guarantee = True
    programming_erases = False

    def __init__(self, sectors: int, sector_bytes: int = 4096, fill: bytes = b"\xff") -> None:
        self.sectors = sectors
        self.sector_bytes = sector_bytes
        size = sectors * sector_bytes
        self.data = bytearray((fill * (size // len(fill) + 1))[:size])
        self.weak: set[int] = set()
        self.erases = [0] * sectors
        self.programs = 0
        self.worn: set[int] = set()
        self._left: int | None = None
        self._random = random.Random(0)

    def cut(self, operations: int, seed: int) -> None:
        """Lose power in the middle of the `operations`-th program or erase from now on (1: the
        next)."""
        self._left = operations
        self._random = random.Random(seed)

    def _is_cut(self) -> bool:
        if self._left is None:
            return False
        self._left -= 1
        if self._left:
            return False
        self._left = None
        return True

    def _some_bits(self, before: int, after: int, share: float) -> int:
        taken = sum(1 << bit for bit in range(8) if self._random.random() < share)
        return (before & ~taken) | (after & taken)

    def read(self, sector: int, page: int, buffer: Any) -> None:
        at = sector * self.sector_bytes + page * PAGE
        buffer[:] = self.data[at : at + len(buffer)]

    def program(self, sector: int, page: int, buffer: Any, start: int, end: int) -> None:
        assert len(buffer) == PAGE
        assert not start or set(buffer[:start]) == {0xFF}
        assert not buffer[end:] or set(buffer[end:]) == {0xFF}
        assert sector not in self.weak, "programmed a sector whose erase was cut"
        at = sector * self.sector_bytes + page * PAGE
        was = self.data[at + start : at + end]
        assert set(was) == {0xFF}, "programmed onto what was there"
        self.programs += 1
        cut = self._is_cut()
        share = self._random.choice((0.0, 0.03, 0.5, 0.97, 1.0)) if cut else 1.0
        for k in range(start, end):
            if cut:
                self.data[at + k] = self._some_bits(0xFF, buffer[k], share)
            else:
                self.data[at + k] = buffer[k]
        if cut:
            raise PowerCutError

    def erase(self, sector: int) -> None:
        at = sector * self.sector_bytes
        self.erases[sector] += 1
        if self._is_cut():
            self.weak.add(sector)
            share = self._random.choice((0.0, 0.02, 0.5, 0.98, 1.0))
            to = self._random.choice((0x00, 0xFF, 0xFF))  # cells are cleared before they are erased
            for k in range(at, at + self.sector_bytes):
                self.data[k] = self._some_bits(self.data[k], to, share)
            raise PowerCutError
        self.weak.discard(sector)
        self.data[at : at + self.sector_bytes] = b"\xff" * self.sector_bytes
        if sector in self.worn:
            self.data[at + 100] = 0x7F

    def sync(self) -> None:
        pass


class Clock:
    """Device time that a test sets."""

    def __init__(self, now_us: int = 0) -> None:
        self.now_us = now_us

    def __call__(self, target: bytearray, at: int) -> None:
        target[at : at + 8] = self.now_us.to_bytes(8, "little")
