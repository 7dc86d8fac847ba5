"""The core's own registers, with a SysTick that counts as the architecture says (ARMv6-M, B3.3).

rp2040py's reloads after RVR cycles instead of RVR + 1, and a write to SYST_CVR makes it count
2^24 cycles before the first interrupt: the guard would begin 134 ms late.
"""

from __future__ import annotations

import math

from rp2040py import RP2040
from rp2040py.peripherals.ppb import RPPPB

_CSR, _RVR, _CVR = 0x10, 0x14, 0x18
_ENABLE, _TICKINT, _CLKSOURCE, _COUNTFLAG = 1, 2, 4, 1 << 16
_MASK = 0xFFFFFF
_REFERENCE_NS = 1000.0  # RP2040 datasheet, 2.4.5: the watchdog's tick
_ROUNDING = 1e-6


class Ppb(RPPPB):
    """rp2040py's private peripheral bus, SysTick replaced."""

    def __init__(self, rp2040: RP2040, name: str) -> None:
        self._clock = rp2040.clock
        self._cycle_ns = 1e9 / rp2040.clk_sys
        self._csr = self._reload = self._held = self._began_with = 0
        self._counted = False
        self._zero_ns: float | None = None  # when the count is next 0, while it counts
        self._alarm = self._clock.create_alarm(self._zero)
        super().__init__(rp2040, name)
        self.systick_alarm.enable = False

    def read_uint32(self, offset: int) -> int:
        if offset == _CSR:
            counted, self._counted = self._counted, False
            return self._csr | (_COUNTFLAG if counted else 0)
        if offset == _RVR:
            return self._reload
        if offset == _CVR:
            return self._value()
        return super().read_uint32(offset)

    def write_uint32(self, offset: int, value: int) -> None:
        if offset == _CSR:
            self._stop()
            self._csr = value & (_ENABLE | _TICKINT | _CLKSOURCE)
            self._go()
        elif offset == _RVR:
            counting = self._zero_ns is not None
            self._reload = value & _MASK
            if not counting:
                self._go()
        elif offset == _CVR:
            self._stop()
            self._held, self._counted = 0, False
            self._go()
        else:
            super().write_uint32(offset, value)

    @property
    def _period_ns(self) -> float:
        return self._cycle_ns if self._csr & _CLKSOURCE else _REFERENCE_NS

    def _value(self) -> int:
        if self._zero_ns is None:
            return self._held
        left = math.ceil((self._zero_ns - self._clock.nanos) / self._period_ns - _ROUNDING)
        return 0 if left > self._began_with else max(left, 0)

    def _stop(self) -> None:
        self._held = self._value()
        self._zero_ns = None
        self._alarm.cancel()

    def _go(self) -> None:
        if not self._csr & _ENABLE:
            return
        cycles = self._held or (self._reload + 1 if self._reload else 0)
        if cycles:
            self._began_with = self._held or self._reload
            self._zero_ns = self._clock.nanos + cycles * self._period_ns
            self._alarm.schedule(cycles * self._period_ns)

    def _zero(self) -> None:
        assert self._zero_ns is not None
        self._counted = True
        if self._csr & _TICKINT:
            self.rp2040.core.pending_systick = True
            self.rp2040.core.interrupts_updated = True
        if not self._reload:
            self._held, self._zero_ns = 0, None
            return
        self._began_with = self._reload
        self._zero_ns += (self._reload + 1) * self._period_ns
        self._alarm.schedule(self._zero_ns - self._clock.nanos)
