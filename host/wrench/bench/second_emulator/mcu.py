"""rp2040py's chip with the blocks that the bench has to have otherwise."""

from __future__ import annotations

import math
from typing import Any

from rp2040py import RP2040
from rp2040py.cortex_m0_core import CortexM0Core
from rp2040py.peripherals import reset
from rp2040py.peripherals.reset import RPReset
from rp2040py.peripherals.spi import RPSPI
from rp2040py.peripherals.timer import RPTimer

from wrench.bench.second_emulator.clock import DeviceClock
from wrench.bench.second_emulator.systick import Ppb
from wrench.bench.second_emulator.usb_host import Controller

_RESET = 0x0
_ALARM0, _ALARM3 = 0x10, 0x1C
_USB_PLL_HZ, _CRYSTAL_HZ = 48_000_000, 12_000_000
_EXCEPTION_CYCLES = 27  # 16 in, 11 out (Cortex-M0+ TRM, 3.3 and 3.9); rp2040py charges none


class Core(CortexM0Core):
    """The core, with the time that exceptions take.

    rp2040py leaves the Thumb bit in the program counter, where `mov r7, pc` finds it.
    """

    def exception_entry(self, exception_number: int) -> None:
        super().exception_entry(exception_number)
        self.pc &= ~1
        self.rp2040.clock.tick(_EXCEPTION_CYCLES * 1e9 / self.rp2040.clk_sys)


class Mcu(RP2040):
    """The chip. `inputs` is GPIO_IN, which `Pins` keeps."""

    def __init__(self) -> None:
        self.inputs = 0
        self.device_clock = DeviceClock()
        super().__init__(self.device_clock)
        self.logger = Silent()
        self.io_bank0: Any = self.peripherals[0x40014]
        self.ppb = Ppb(self, "PPB")
        self.timer = self.peripherals[0x40054] = Timer(self, "TIMER_BASE")
        self.resets = self.peripherals[0x4000C] = Resets(self, "RESETS_BASE")
        self.usb_ctrl = self.peripherals[0x50110] = Controller(self, "USB")
        self.device_clock.core = self.core

    # rp2040py takes the exception here, PRIMASK or not, where the core sleeps.
    def set_interrupt(self, irq: int, value: bool) -> None:
        core, bit = self.core, 1 << irq
        if not value:
            core.pending_interrupts &= ~bit & 0xFFFFFFFF
        elif not core.pending_interrupts & bit:
            core.pending_interrupts |= bit
            core.interrupts_updated = True

    @property
    def gpio_values(self) -> int:
        return self.inputs


class Silent:
    """rp2040py's log goes nowhere."""

    def debug(self, component_name: str, message: str) -> None: ...
    def info(self, component_name: str, message: str) -> None: ...
    def warning(self, component_name: str, message: str) -> None: ...
    def error(self, component_name: str, message: str) -> None: ...


class Resets(RPReset):
    """rp2040py keeps what is written to RESETS and resets nothing."""

    def write_uint32(self, offset: int, value: int) -> None:
        if offset == _RESET:
            mcu = self.rp2040
            for bit, block in (
                (reset.RESET_ADC, mcu.adc),
                (reset.RESET_DMA, mcu.dma),
                (reset.RESET_PWM, mcu.pwm),
                (reset.RESET_SPI0, mcu.spi[0]),
                (reset.RESET_SPI1, mcu.spi[1]),
                (reset.RESET_USBCTRL, mcu.usb_ctrl),
            ):
                if value & bit and not self._reset & bit:
                    block.reset()
        super().write_uint32(offset, value)


class Timer(RPTimer):
    """rp2040py forgets the part of a microsecond: its alarms come before the count is there."""

    def write_uint32(self, offset: int, value: int) -> None:
        super().write_uint32(offset, value)
        if _ALARM0 <= offset <= _ALARM3:
            now_us = self._micros()
            left_us = (value - math.floor(now_us)) & 0xFFFFFFFF
            self.alarms[(offset - _ALARM0) // 4].clock_alarm.schedule(
                max(0.0, left_us + math.floor(now_us) - now_us) * 1000
            )


def peripheral_hz(mcu: RP2040) -> float:
    """clk_peri as CLK_PERI_CTRL selects it (datasheet, 2.15.7); rp2040py always has 125 MHz."""
    source = mcu.clocks.peri_ctrl >> 5 & 7
    return {2: _USB_PLL_HZ, 4: _CRYSTAL_HZ}.get(source, mcu.clk_sys)


class SpiBus:
    """An SPI peripheral's wires, and the devices on them by their chip selects."""

    def __init__(self, spi: RPSPI, pins: Any) -> None:
        self._spi = spi
        self._pins = pins
        self._devices: list[tuple[int, Any]] = []
        self._answer = 0xFF
        self._done = spi.rp2040.clock.create_alarm(lambda: spi.complete_transmit(self._answer))
        spi.on_transmit = self._transmit

    def attach(self, device: Any, select_pin: int) -> None:
        """Put a device on the bus."""
        self._devices.append((select_pin, device))

        def selected() -> None:
            device.deselected() if self._pins.levels[select_pin] else device.selected()

        self._pins.listen(select_pin, selected)

    def _transmit(self, value: int) -> None:
        spi = self._spi
        settings = spi._control0
        mode = (settings >> 6 & 1) << 1 | settings >> 7 & 1  # SPO, SPH
        divider = spi._clock_divisor * (1 + (settings >> 8 & 0xFF))
        hz = peripheral_hz(spi.rp2040) / max(divider, 1)
        self._answer = 0xFF
        for pin, device in self._devices:
            if not self._pins.levels[pin]:
                self._answer &= device.exchange(value, mode, hz)
        self._done.schedule(spi.data_bits * 1e9 / hz)
