"""The board's flash chip behind rp2040py's SSI: a W25Q16JV that takes its time.

rp2040py's chip is never busy, has no unique id, and programs past the end of a page.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from rp2040py import RP2040
from rp2040py.peripherals.ssi import RPSSI

FLASH_BYTES = 2 << 20

_STATUS, _PROGRAM, _SECTOR_ERASE, _BLOCK_ERASE, _UNIQUE_ID = 0x05, 0x02, 0x20, 0xD8, 0x4B
_BUSY = 1
_POLL_NS = 2_000.0  # a status read by the boot ROM takes about that long on silicon
_PAGE = 256
_ERASES = {
    _SECTOR_ERASE: (4096, "sector erase", "sector_erase"),
    _BLOCK_ERASE: (65536, "block erase", "block_erase"),
}


class Flash(RPSSI):
    """`content` outlives the chip; `counts` and `on_write` (what, busy until) tell of its use."""

    def __init__(
        self,
        rp2040: RP2040,
        times_ns: dict[str, int],
        unique_id: bytes,
        counts: dict[str, int],
    ) -> None:
        self._times_ns = times_ns
        self._unique_id = unique_id
        self.counts = counts
        self.on_write: Callable[[str, float], None] = lambda _what, _until: None
        self._busy_until_ns = 0.0
        self._underway: tuple[int, bytes, float] | None = None
        super().__init__(rp2040, "SSI")

    def _shift_byte(self, byte_out: int) -> int:
        answer = super()._shift_byte(byte_out)
        at = len(self._tx_buffer) - 1
        if self._tx_buffer[0] == _STATUS and at:
            left_ns = self._busy_until_ns - self.rp2040.clock.nanos
            if left_ns > 0.0:
                # It is polled with interrupts off: what nobody can see need not be computed.
                self.rp2040.clock.tick(min(_POLL_NS, left_ns))
                answer |= _BUSY
        elif self._tx_buffer[0] == _UNIQUE_ID and at > 4:
            answer = self._unique_id[at - 5] if at - 5 < len(self._unique_id) else 0xFF
        return answer

    def _apply_command(self) -> None:
        command = bytes(self._tx_buffer)
        enabled = self._write_enabled
        writes = command[:1] and command[0] in (_PROGRAM, _SECTOR_ERASE, _BLOCK_ERASE)
        if not writes or not enabled or len(command) < 4:
            super()._apply_command()
            return
        address = int.from_bytes(command[1:4], "big") & (FLASH_BYTES - 1)
        flash: Any = self.rp2040.flash
        if command[0] == _PROGRAM:
            first, size, what, key = address & ~(_PAGE - 1), _PAGE, "page program", "page_program"
            before = bytes(flash[first : first + size])
            for i, byte in enumerate(command[4:]):
                flash[first | (address + i) % _PAGE] &= byte
            self._tx_buffer = bytearray()
            self._write_enabled = False
        else:
            size, what, key = _ERASES[command[0]]
            first = address & ~(size - 1)
            before = bytes(flash[first : first + size])
            super()._apply_command()
        self.counts[f"{key}s"] += 1
        now_ns = self.rp2040.clock.nanos
        self._busy_until_ns = now_ns + self._times_ns[f"{key}_ns"]
        self._underway = first, before, now_ns
        self.on_write(what, self._busy_until_ns)

    def power_lost(self) -> None:
        """The power goes now: of a write that is not over, each bit is as it was or as it should
        have become, more of the latter the later it is."""
        now_ns = self.rp2040.clock.nanos
        if self._underway is None or now_ns >= self._busy_until_ns:
            return
        first, before, since_ns = self._underway
        reached = (now_ns - since_ns) / (self._busy_until_ns - since_ns)
        flash: Any = self.rp2040.flash
        draw = random.Random(first)
        for i, old in enumerate(before):
            kept = sum(1 << bit for bit in range(8) if draw.random() >= reached)
            flash[first + i] = (flash[first + i] & ~kept) | (old & kept)
