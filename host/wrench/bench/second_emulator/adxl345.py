"""An ADXL345 on SPI, from its datasheet (rev. G), and what can be wrong with it.

The signal (noise, range and full-resolution counts) comes from the plant's side.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any, Protocol

_DEVID, _OFSX, _BW_RATE, _POWER_CTL, _INT_ENABLE, _INT_MAP = 0x00, 0x1E, 0x2C, 0x2D, 0x2E, 0x2F
_INT_SOURCE, _DATA_FORMAT, _DATAX0, _DATAZ1 = 0x30, 0x31, 0x32, 0x37
_FIFO_CTL, _FIFO_STATUS = 0x38, 0x39
_DATA = range(_DATAX0, _DATAZ1 + 1)
_READ_ONLY = frozenset([*range(0x1D), 0x2B, _INT_SOURCE, *_DATA, _FIFO_STATUS])
_MEASURE, _FULL_RES, _INT_INVERT, _SELF_TEST = 0x08, 0x08, 0x20, 0x80
_DATA_READY, _WATERMARK, _OVERRUN = 0x80, 0x02, 0x01
_IDENTITY = 0xE5
_RATE_3200 = 15
_BYPASS, _FIFO_STOPS = 0, 1
# "FIFO": 32 entries, and one more at the output filter.
_DEPTH = 33
_SPI_MAX_HZ, _SPI_MODE = 5e6, 3
_READ_GAP_NS = 5_000.0  # "Retrieval of data from FIFO"
# Table 15: the middles of the self-test's limits at 2.5 V, times 1.77 and 1.47 for 3.3 V.
_SELF_TEST_COUNTS = (522, -522, 698)
_HEALTHY = {
    "absent": False,
    "floats": 0xFF,
    "stuck": False,
    "identity": None,
    "bit_errors": 0.0,
    "clock": 1.0,
    "interrupt_dead": False,
}


class Board(Protocol):
    """What a device needs of the board it is on."""

    @property
    def now(self) -> float:
        """Device time in ns."""
        ...

    def alarm(self, callback: Any) -> Any:
        """An alarm of the running chip's clock."""
        ...

    def drive(self, pin: int, level: int | None) -> None:
        """Drive one of the chip's pins, or let go of it."""
        ...


class Adxl345:
    """The device; it keeps its state over a reset of the chip, not over a loss of power."""

    def __init__(self, int1: int | None, period_ns: float, seed: int) -> None:
        self._int1 = int1
        self._period_ns = period_ns
        self._next_ns: float | None = None
        self._signal: deque[tuple[int, int, int]] = deque()
        self._behind = 0.0
        self.counts = dict.fromkeys(
            ("samples", "overruns", "starved", "early_reads", "spi_faults"), 0
        )
        self._faults: dict[str, Any] = dict(_HEALTHY)
        self._draw = random.Random(seed)
        self._board: Board | None = None
        self._reset()

    def _reset(self) -> None:
        self._registers = bytearray(64)
        self._registers[_BW_RATE] = 0x0A
        self._fifo: deque[tuple[int, int, int]] = deque()
        self._output = (0, 0, 0)
        self._given: tuple[int, int, int] | None = None
        self._overrun = False
        self._skipped = 0
        self._moves_ns: float | None = None  # when the entry that was read makes room for the next
        self._pointer: int | None = None
        self._reading = self._multiple = self._touched = False
        if self._board is not None:
            self._show()

    # -- around it -----------------------------------------------------------------------
    def attach(self, board: Board) -> None:
        """The chip has booted; the sensor's own clock goes on where it was."""
        self._board = board
        self._tick = board.alarm(self._sample)
        self._move = board.alarm(self._settle)
        if self._next_ns is None:
            self._next_ns = board.now + self._period_ns
        self._tick.schedule(max(0.0, self._next_ns - board.now))
        self._show()

    def set_faults(self, faults: dict[str, Any]) -> None:
        """As `StepRequest.device_faults` has it."""
        present = {k: v for k, v in faults.items() if k not in ("reset", "seed")}
        if unknown := set(present) - set(_HEALTHY):
            raise ValueError(f"Error: no such device fault: {', '.join(sorted(unknown))}")
        self._faults = _HEALTHY | present
        if "seed" in faults:
            self._draw = random.Random(faults["seed"])
        if faults.get("reset"):
            self._reset()
        self._show()

    def feed(self, signal: memoryview) -> None:
        """More x, y, z counts at its highest rate."""
        axes = iter(signal.cast("h"))
        self._signal.extend(zip(axes, axes, axes, strict=True))

    @property
    def buffered(self) -> int:
        """Triples of signal that it has not felt yet."""
        return len(self._signal)

    # -- sampling ------------------------------------------------------------------------
    def _sample(self) -> None:
        assert self._board is not None
        assert self._next_ns is not None
        next_ns = self._next_ns + self._period_ns / self._faults["clock"]
        self._tick.schedule(next_ns - self._board.now)
        self._next_ns = next_ns
        if not self._signal:
            self.counts["starved"] += 1
            return
        felt = self._signal[0]
        self._behind += 1.0 / self._faults["clock"]
        while self._behind > 1.0 - 1e-9 and self._signal:
            self._behind -= 1.0
            self._signal.popleft()
        registers = self._registers
        if not registers[_POWER_CTL] & _MEASURE:
            return
        self._skipped += 1
        if self._skipped < 1 << max(0, _RATE_3200 - (registers[_BW_RATE] & 15)):
            return
        self._skipped = 0
        self._settle()
        mode = registers[_FIFO_CTL] >> 6
        if len(self._fifo) >= (_DEPTH if mode != _BYPASS else 1):
            self._overrun = True
            self.counts["overruns"] += 1
            if mode == _FIFO_STOPS:
                self._show()
                return
            self._fifo.popleft()
        if self._given is None or not self._faults["stuck"]:
            self._given = self._formatted(felt)
        self._fifo.append(self._given)
        self.counts["samples"] += 1
        self._show()

    def _formatted(self, felt: tuple[int, int, int]) -> tuple[int, int, int]:
        registers = self._registers
        form = registers[_DATA_FORMAT]
        wide = form & 3
        limit = 512 << wide
        counts: list[int] = []
        for axis, acceleration in enumerate(felt):
            offset = registers[_OFSX + axis]
            value = acceleration + 4 * (offset - 256 if offset & 0x80 else offset)  # 15.6 mg a bit
            if form & _SELF_TEST:
                value += _SELF_TEST_COUNTS[axis]
            value = max(-limit, min(limit - 1, value))
            if not form & _FULL_RES:
                value >>= wide
            # "Data formatting of upper data rates": at 3,200 and 1,600 Hz the lowest bit is 0.
            counts.append(value & ~1 if registers[_BW_RATE] & 15 >= _RATE_3200 - 1 else value)
        return counts[0], counts[1], counts[2]

    def _settle(self) -> None:
        if self._moves_ns is not None and self._board and self._board.now >= self._moves_ns:
            self._moves_ns = None
            if self._fifo:
                self._output = self._fifo.popleft()
            self._overrun = False
            self._show()

    def _show(self) -> None:
        registers, waiting = self._registers, len(self._fifo)
        mark = registers[_FIFO_CTL] & 31
        registers[_INT_SOURCE] = (
            (_DATA_READY if waiting else 0)
            | (_WATERMARK if waiting and waiting >= mark else 0)
            | (_OVERRUN if self._overrun else 0)
        )
        if self._int1 is None or self._board is None:
            return
        if self._faults["interrupt_dead"] or self._faults["absent"]:
            self._board.drive(self._int1, None)
            return
        enabled = registers[_INT_ENABLE] & ~registers[_INT_MAP]
        active = bool(registers[_INT_SOURCE] & enabled)
        inverted = bool(registers[_DATA_FORMAT] & _INT_INVERT)
        self._board.drive(self._int1, int(active != inverted))

    # -- SPI -----------------------------------------------------------------------------
    def selected(self) -> None:
        """CS has fallen."""
        self._pointer = None
        self._touched = False
        self._settle()

    def deselected(self) -> None:
        """CS has risen."""
        self._end_read()

    def exchange(self, byte: int, mode: int, hz: float) -> int:
        """A byte on the wires; returns the one that comes back."""
        if self._faults["absent"]:
            return self._faults["floats"]
        return self._wrong(self._exchange(self._wrong(byte), mode, hz))

    def _wrong(self, byte: int) -> int:
        rate = self._faults["bit_errors"]
        if rate and self._draw.random() < rate:
            return byte ^ 1 << self._draw.randrange(8)
        return byte

    def _exchange(self, byte: int, mode: int, hz: float) -> int:
        if mode != _SPI_MODE or hz > _SPI_MAX_HZ:
            self.counts["spi_faults"] += 1
            return 0xFF
        if self._pointer is None:
            self._reading, self._multiple = bool(byte & 0x80), bool(byte & 0x40)
            self._pointer = byte & 63
            return 0xFF
        answer = 0xFF
        if self._reading:
            answer = self._read(self._pointer)
        else:
            self._write(self._pointer, byte)
        if self._multiple:
            if self._pointer == _DATAZ1:
                self._end_read()
            self._pointer = (self._pointer + 1) & 63
        return answer

    def _read(self, address: int) -> int:
        if address == _DEVID:
            identity = self._faults["identity"]
            return _IDENTITY if identity is None else identity
        if address == _FIFO_STATUS:
            return len(self._fifo)
        if address in _DATA:
            if not self._touched:
                self._touched = True
                if self._moves_ns is not None:
                    self.counts["early_reads"] += 1
                elif self._fifo:
                    self._output = self._fifo[0]
            at = address - _DATAX0
            return self._output[at // 2] >> 8 * (at % 2) & 0xFF
        return self._registers[address]

    def _end_read(self) -> None:
        if not self._touched:
            return
        self._touched = False
        assert self._board is not None
        self._moves_ns = self._board.now + _READ_GAP_NS
        self._move.schedule(_READ_GAP_NS)

    def _write(self, address: int, value: int) -> None:
        if address in _READ_ONLY:
            return
        self._registers[address] = value
        if address == _FIFO_CTL and value >> 6 == _BYPASS:
            self._fifo.clear()
        self._show()
