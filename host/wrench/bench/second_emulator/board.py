"""One board with rp2040py's chip: power, resets, pins, flash, bus, USB; and running it for a time.

A chip that begins anew is a new one with the old one's flash; what survives a watchdog's reset
(its reason and scratch registers) is carried over.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.execute_batch import execute_batch

from wrench.bench.second_emulator.adxl345 import Adxl345
from wrench.bench.second_emulator.flash_chip import FLASH_BYTES, Flash
from wrench.bench.second_emulator.mcu import Core, Mcu, SpiBus
from wrench.bench.second_emulator.pins import Pins
from wrench.bench.second_emulator.usb_host import Host

_SSI = 0x18000
_FLASH_AT = 0x10000000
_EACH_INSTRUCTION = 1  # rp2040py can let the clock lag behind by several


class Board:
    """`options` are those of the message "start"; `flash` is the flash chip's content."""

    def __init__(self, options: dict[str, Any], flash: bytes) -> None:
        if options["xip_miss_cycles"]:
            raise ValueError("Error: rp2040py is run without a model of the XIP cache")
        self._options = options
        self._content = flash
        self._past_ns = 0.0  # device time before the present chip's own
        self._until_ns = 0.0
        self._past_idle_ns = 0.0
        self.resets: list[tuple[float, int]] = []
        self.serial: list[tuple[int, bytes]] = []
        self.detached = 0
        self.flash_counts = {"sector_erases": 0, "block_erases": 0, "page_programs": 0}
        self.flash_writes: list[tuple[str, float, float]] = []
        self._inputs: list[tuple[float, int, int | None]] = []
        self.inputs_at_program: list[tuple[float, int, int | None]] = []
        self._outside: dict[int, int | None] = {}
        self._adc = [0, 0, 0, 0, 0]
        self._faults: dict[int, dict[str, Any]] = {}
        self._wanted: dict[int, tuple[bool, bool]] = {}
        self._plugged = True
        self._power_off_ns = math.inf
        self.power_off_at_write_ns: float | None = None
        self._power_goes = False
        self._reset_asked = False
        self._mcu: Mcu | None = None
        self._pins: Pins | None = None
        self.devices: list[Adxl345] = []
        self.power_up()

    # -- power and reset -----------------------------------------------------------------
    @property
    def powered(self) -> bool:
        """Whether the board has power."""
        return self._mcu is not None

    @property
    def now(self) -> float:
        """Device time in ns."""
        return self._past_ns + (self._mcu.device_clock.nanos if self._mcu else 0.0)

    @property
    def idle_ns(self) -> float:
        """Of which the core slept."""
        return self._past_idle_ns + (self._mcu.device_clock.idle_ns if self._mcu else 0.0)

    def power_up(self) -> None:
        """Power comes."""
        if self._mcu is not None:
            return
        self.devices = [_device(i, d) for i, d in enumerate(self._options["devices"])]
        self._boot(0, [0] * 8)

    def power_down(self) -> None:
        """Power goes."""
        self._power_off_ns = math.inf
        self.power_off_at_write_ns = None
        self._power_goes = False
        if self._mcu is not None:
            self._flash.power_lost()
            self._leave()

    def power_off_in(self, ns: float) -> None:
        """Power goes that long from now."""
        if self._mcu is None:
            return
        self.power_off_at_write_ns = None
        self._power_off_ns = min(self._power_off_ns, self.now + ns)
        self._cut_alarm.schedule(max(0.0, self._power_off_ns - self.now))

    def reset_pin(self) -> None:
        """The RUN pin is pulled low for a moment. The devices keep their power."""
        if self._mcu is not None:
            self._leave()
            self.resets.append((self._past_ns, 0))
            self._boot(0, [0] * 8)

    def _leave(self) -> None:
        assert self._mcu is not None
        assert self._pins is not None
        self._content = bytes(self._mcu.flash[:FLASH_BYTES])
        self._past_idle_ns = self.idle_ns
        self._past_ns = self.now
        self._pins.release(self._past_ns)
        self.detached += bool(self._host.functions)
        self._mcu = None

    def _boot(self, reason: int, scratch: list[int]) -> None:
        mcu = Mcu()
        mcu.load_bootrom(BOOTROM_B1)
        flash: Any = mcu.flash
        flash[:FLASH_BYTES] = self._content
        mcu.core = Core(mcu)
        mcu.core.reset()
        mcu.device_clock.core = mcu.core
        self._flash = mcu.ssi = mcu.peripherals[_SSI] = Flash(
            mcu,
            self._options["flash_timing"],
            bytes(self._options["unique_id"]),
            self.flash_counts,
        )
        self._flash.on_write = self._flash_busy
        watchdog: Any = mcu.watchdog
        watchdog._reason, watchdog.scratch_data = reason, list(scratch)
        watchdog.on_watchdog_trigger = self._watchdog_bites
        mcu.adc.channel_values = self._adc
        self._mcu = mcu
        self._runner = SimpleNamespace(rp2040=mcu, clock=mcu.clock, stopped=False)
        held = self._pins
        self._pins = Pins(mcu, lambda: self.now, self._options["watched"])
        if held is not None:
            self._pins.meters = held.meters
        for pin, level in self._outside.items():
            self._pins.drive(pin, level)
        self._end_alarm = self.alarm(self._stop)
        self._input_alarm = self.alarm(self._apply_inputs)
        self._cut_alarm = self.alarm(self._cut)
        if self._power_off_ns < math.inf:
            self.power_off_in(self._power_off_ns - self.now)
        self._host = Host(mcu.usb_ctrl, self._options["usb_packet_ns"])
        self._host.plugged = self._plugged
        self._host.wanted = self._wanted
        self._host.on_data = lambda index, data: self.serial.append((index, data))
        self._host.on_detach = self._gone
        buses: dict[int, SpiBus] = {}
        for i, (device, options) in enumerate(
            zip(self.devices, self._options["devices"], strict=True)
        ):
            number = options["spi"]
            if number not in buses:
                buses[number] = SpiBus(mcu.spi[number], self._pins)
            buses[number].attach(device, options["cs"])
            device.attach(self)
            device.set_faults(self._faults.get(i, {}))
        # What the boot ROM does first needs more of the flash interface than there is.
        mcu.core.pc = _FLASH_AT

    def _watchdog_bites(self) -> None:
        self._reset_asked = True
        self._stop()

    def _cut(self) -> None:
        self._power_goes = True
        self._stop()

    def _stop(self) -> None:
        self._runner.stopped = True

    def _gone(self) -> None:
        self.detached += 1

    # -- what is around the chip ---------------------------------------------------------
    def alarm(self, callback: Any) -> Any:
        """An alarm of the running chip's clock."""
        assert self._mcu is not None
        return self._mcu.clock.create_alarm(callback)

    def drive(self, pin: int, level: int | None) -> None:
        """Drive one of the chip's pins, or let go of it."""
        assert self._pins is not None
        self._pins.drive(pin, level)

    def set_adc(self, channel: int, code: int) -> None:
        """A steady code on an ADC input."""
        self._adc[channel] = code

    def set_device_faults(self, index: int, faults: dict[str, Any]) -> None:
        """What is wrong with a device from now on."""
        self._faults[index] = {k: v for k, v in faults.items() if k not in ("reset", "seed")}
        if self.powered:
            self.devices[index].set_faults(faults)

    def schedule(self, inputs: list[tuple[float, int, int | None]]) -> None:
        """Levels on pins: ns from now, GPIO, 0, 1 or None."""
        now_ns = self.now
        self._inputs += [(now_ns + after, pin, level) for after, pin, level in inputs]
        self._inputs.sort(key=lambda it: it[0])
        if self.powered:
            self._apply_inputs()

    def _apply_inputs(self) -> None:
        assert self._pins is not None
        while self._inputs and self._inputs[0][0] <= self.now:
            _, pin, level = self._inputs.pop(0)
            self._outside[pin] = level
            self._pins.drive(pin, level)
        if self._inputs:
            self._input_alarm.schedule(self._inputs[0][0] - self.now)

    def _flash_busy(self, what: str, until_ns: float) -> None:
        self.flash_writes.append((what, self.now, self._past_ns + until_ns))
        if self.power_off_at_write_ns is not None:
            self.power_off_in(self.power_off_at_write_ns)
        if what == "page program" and self.inputs_at_program:
            inputs, self.inputs_at_program = self.inputs_at_program, []
            self.schedule(inputs)

    # -- USB -----------------------------------------------------------------------------
    def want_serial(self, index: int, is_open: bool, reading: bool) -> None:
        """A port is opened or closed, and read from or not."""
        self._wanted[index] = is_open, reading
        if self.powered:
            self._host.want(index, is_open, reading)

    def plug_usb(self, plugged: bool) -> None:
        """The cable is put in or pulled."""
        self._plugged = plugged
        if self.powered:
            self._host.plug(plugged)

    def write(self, index: int, data: bytes) -> None:
        """Bytes for a serial function."""
        if self.powered:
            self._host.write(index, data)

    @property
    def unsent(self) -> list[int]:
        """Bytes that wait for each serial function."""
        return [len(f.waiting) for f in self._host.functions] if self.powered else []

    # -- running -------------------------------------------------------------------------
    def run(self, ns: float) -> None:
        """Run for that much device time."""
        self._until_ns += ns
        while self._mcu is not None:
            if self.now >= self._until_ns:
                return
            self._runner.stopped = False
            self._end_alarm.schedule(self._until_ns - self.now)
            while not self._runner.stopped:
                execute_batch(self._runner, _EACH_INSTRUCTION)  # type: ignore[arg-type]
            self._end_alarm.cancel()
            if self._power_goes:
                self.power_down()
            elif self._reset_asked:
                self._reset_asked = False
                watchdog: Any = self._mcu.watchdog
                reason, scratch = watchdog._reason, list(watchdog.scratch_data)
                self._leave()
                self.resets.append((self._past_ns, reason))
                self._boot(reason, scratch)
                if self._inputs:
                    self._apply_inputs()
        self._past_ns = self._until_ns
        while self._inputs and self._inputs[0][0] <= self._until_ns:
            _, pin, level = self._inputs.pop(0)
            self._outside[pin] = level

    # -- what was seen -------------------------------------------------------------------
    def take_pins(self) -> dict[int, dict[str, Any]]:
        """What each watched pin did since this was last asked."""
        assert self._pins is not None
        return {pin: meter.take(self.now) for pin, meter in self._pins.meters.items()}

    @property
    def content(self) -> bytes:
        """The flash chip's content."""
        return bytes(self._mcu.flash[:FLASH_BYTES]) if self._mcu else self._content


def _device(index: int, options: dict[str, Any]) -> Adxl345:
    if (options["kind"], options["bus"]) != ("adxl345", "spi"):
        raise ValueError("Error: on rp2040py there is no sensor but the ADXL345 on SPI")
    return Adxl345(options.get("int1"), options["period_ns"], index + 1)
