"""A board file's wiring, seen from outside the chip: pins to drive, and quantities to voltages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from wrench.bench.drivers import driver_of
from wrench.bench.emulator import StepRequest, StepSeen
from wrench.bench.plant import AnalogSignal, Drive, Plant, Reading, SensorSignal
from wrench.bench.plant.supply import Supply
from wrench.boards import Board
from wrench.boards.ntc import code as ntc_code
from wrench.boards.schema import Ntc

_FULL_SCALE = 4096
_TACHO_WIDTH_S = 1e-3
_ADXL345_TOP_HZ = 3200
_SENSOR = 0

Place = Literal["bearing", "driver"]


class WiredMachine:
    """The plant, wired to the board as its file says: what a `VirtualBench` has around the chip.

    `machine` is the plant: tests jam it, load it, heat it, and make its `supplies` sag or go.
    `signal` is its vibration sensor, which can stick, saturate or be noisy. `reading` is what the
    plant did in the last step, `drive` what the motor driver was told in it. `press_estop`,
    `press_button` work the switches; what is broken in the wiring is below "breakage".

    `devices` are those on the board's buses, the vibration sensor first where it is one of them,
    then the chips that measure supplies, by the supplies' names.
    """

    def __init__(self, board: Board, plant: Plant, signal: SensorSignal) -> None:
        self.board = board
        self.machine = plant
        self.signal = signal
        self.reading: Reading | None = None
        self.drive = Drive(0.0, False)
        self.on_reading: list[Callable[[Reading], None]] = []
        self.driver = driver_of(board.motor)
        self.watched_gpio = list(self.driver.pins)
        if board.led:
            self.watched_gpio.append(board.led.pin)
        self.devices: list[dict[str, object]] = []
        self._repeated = 1
        self._wire_sensor()
        self._wire_supplies()
        self._switches: list[tuple[float, int, int | None]] = []
        self._switches_at_page_program: list[tuple[float, int, int | None]] = []
        self._device_faults: dict[int, dict[str, Any]] = {}
        self._tacho_end_ns = -1.0
        self._tacho_cut = False
        self._estop_closed = True
        self._driver_fault = False
        self._current_offset_a = 0.0
        self._broken_ntc: dict[str, bool] = {}
        self._at_rest_level = 1 if board.tacho and board.tacho.edge == "falling" else 0
        self._first_signal = True

    def _wire_sensor(self) -> None:
        v = self.board.vibration
        if v.bus == "adc":
            return
        period_ns = 1e9 / self.signal.rate_hz
        if v.driver == "adxl345":
            # The model takes its signal at the chip's highest rate and leaves out what is between.
            self._repeated = _ADXL345_TOP_HZ // v.rate_hz
            period_ns /= self._repeated
        device: dict[str, object] = {
            "kind": v.driver,
            "bus": v.bus,
            "int1": v.int1_pin,
            "period_ns": period_ns,
        }
        if v.bus == "spi":
            device |= {"spi": v.bus_number, "cs": v.cs_pin}
        else:
            device |= {"i2c": v.bus_number, "sda": v.sda_pin, "scl": v.scl_pin}
            device["address"] = v.address
        self.devices.append(device)

    def _wire_supplies(self) -> None:
        self._chip_of: dict[str, int] = {}
        bus = self.board.supply_bus
        for name, part in self.board.ordered_supplies:
            if part.kind == "divider" or bus is None:
                continue
            self._chip_of[name] = len(self.devices)
            self.devices.append(
                {
                    "kind": part.kind,
                    "bus": "i2c",
                    "i2c": bus.bus_number,
                    "sda": bus.sda_pin,
                    "scl": bus.scl_pin,
                    "address": part.address,
                }
            )

    @property
    def supplies(self) -> tuple[Supply, ...]:
        """The machine's supplies as the chip numbers them, the first of them at 0."""
        return self.machine.supplies

    def supply(self, name: str) -> Supply:
        """The supply of that name in the board file. Raises KeyError where there is none."""
        names = [name for name, _ in self.board.ordered_supplies]
        return dict(zip(names, self.supplies, strict=bool(names)))[name]

    # -- switches ------------------------------------------------------------------------
    def press_estop(
        self, pressed: bool = True, after_ns: float = 0.0, *, at_page_program: bool = False
    ) -> None:
        """Open the e-stop's contact (a broken wire does the same), or close it again: `after_ns`
        into the next step, or after the flash chip next begins to program a page.
        """
        self._estop_closed = not pressed
        switches = self._switches_at_page_program if at_page_program else self._switches
        switches.append((after_ns, self.board.estop.pin, None if pressed else 0))

    def press_button(self, pressed: bool = True) -> None:
        """Hold the start/stop button, or let go."""
        if self.board.button:
            self._switches.append((0.0, self.board.button.pin, 0 if pressed else None))

    def set_service_jumper(self, fitted: bool) -> None:
        """Fit the service jumper, or take it off."""
        if self.board.service:
            self._switches.append((0.0, self.board.service.pin, 0 if fitted else None))

    # -- breakage ------------------------------------------------------------------------
    def set_driver_fault(self, present: bool = True, after_ns: float = 0.0) -> None:
        """The motor driver pulls its fault output low, or lets go of it."""
        pin = self.board.motor.fault_pin
        if pin is not None:
            self._driver_fault = present
            self._switches.append((after_ns, pin, 0 if present else None))

    def cut_tacho(self, cut: bool = True) -> None:
        """Cut the tacho's lead, or mend it: the pin is as its pull leaves it."""
        self._tacho_cut = cut
        if self.board.tacho:
            level = None if cut else self._at_rest_level
            self._switches.append((0.0, self.board.tacho.pin, level))

    def break_thermistor(self, place: Place, *, shorted: bool = False) -> None:
        """Cut a thermistor's lead, or short it."""
        self._broken_ntc[place] = shorted

    def mend_thermistor(self, place: Place) -> None:
        """Undo `break_thermistor`."""
        self._broken_ntc.pop(place, None)

    def set_sensor_fault(self, **faults: Any) -> None:
        """What is wrong with the sensor's chip from now on, as `StepRequest.device_faults` tells;
        nothing given mends it. Raises ValueError for a sensor that is not on a bus.
        """
        if self.board.vibration.bus == "adc":
            raise ValueError("this sensor is on the ADC; use `signal`")
        self._device_faults[_SENSOR] = faults

    def set_supply_chip_fault(self, supply: str, **faults: Any) -> None:
        """The same for the chip that measures a supply. Raises KeyError where none does."""
        self._device_faults[self._chip_of[supply]] = faults

    def offset_current(self, amps: float) -> None:
        """Shift what the current sensor shows, as a magnet beside a Hall sensor does."""
        self._current_offset_a = amps

    # -- Surroundings --------------------------------------------------------------------
    def power_on(self, now_ns: int) -> list[tuple[float, int, int | None]]:
        """The levels of the switches and of the tacho at rest."""
        del now_ns
        self._first_signal = True
        inputs: list[tuple[float, int, int | None]] = [
            (0.0, self.board.estop.pin, 0 if self._estop_closed else None)
        ]
        if self.board.tacho and not self._tacho_cut:
            inputs.append((0.0, self.board.tacho.pin, self._at_rest_level))
        if self._driver_fault and self.board.motor.fault_pin is not None:
            inputs.append((0.0, self.board.motor.fault_pin, 0))
        return inputs

    def step(self, request: StepRequest, start_ns: int, seen: StepSeen | None) -> None:
        """Advance the machine by the step and put what it does onto the pins."""
        duration_s = request.duration_ns * 1e-9
        powered = seen is not None and seen.powered
        self.drive = self.driver.driven(seen) if seen and powered else Drive(0.0, False)
        times = self.signal.instants(duration_s)
        reading = self.machine.step(self.drive, duration_s, times)
        self.reading = reading
        self._feel(request, reading)
        request.inputs += self._switches
        request.device_faults |= self._device_faults
        request.inputs_at_page_program += self._switches_at_page_program
        self._switches, self._switches_at_page_program, self._device_faults = [], [], {}
        self._turn_tacho(request, start_ns, reading)
        self._measure(request, reading)
        self._measure_supplies(request, reading)
        for listener in self.on_reading:
            listener(reading)

    def _feel(self, request: StepRequest, reading: Reading) -> None:
        counts = self.signal.counts(reading.acceleration_g)
        if isinstance(self.signal, AnalogSignal):
            vibration = self.board.vibration
            pins = vibration.adc_pins if vibration.bus == "adc" else ()
            for column, pin in enumerate(pins):
                codes = np.ascontiguousarray(counts[:, column])
                request.adc_signal[pin - 26] = (codes.tobytes(), self.signal.rate_hz)
            return
        if self._repeated > 1:
            counts = counts.repeat(self._repeated, axis=0)
        # One sample ahead, so that the sensor's own rounding of time never finds the queue empty.
        lead = counts[: self._repeated].tobytes() if self._first_signal and len(counts) else b""
        self._first_signal = self._first_signal and not len(counts)
        request.signal[_SENSOR] = lead + counts.tobytes()

    def _turn_tacho(self, request: StepRequest, start_ns: int, reading: Reading) -> None:
        tacho = self.board.tacho
        if tacho is None or self._tacho_cut:
            return
        rest = self._at_rest_level
        if start_ns <= self._tacho_end_ns < start_ns + request.duration_ns:
            request.inputs.append((self._tacho_end_ns - start_ns, tacho.pin, rest))
        per_s = abs(reading.speed_rpm) / 60.0 * tacho.pulses_per_rev
        width_s = min(_TACHO_WIDTH_S, 0.4 / per_s) if per_s else _TACHO_WIDTH_S
        for edge_s in reading.tacho_edge_s:
            at = float(edge_s) * 1e9
            request.inputs.append((at, tacho.pin, 1 - rest))
            end = at + width_s * 1e9
            self._tacho_end_ns = start_ns + end
            if end < request.duration_ns:
                request.inputs.append((end, tacho.pin, rest))

    def _measure(self, request: StepRequest, reading: Reading) -> None:
        board = self.board
        if current := board.current:
            amps = reading.motor_current_a + self._current_offset_a
            volts = current.zero_v + current.volts_per_amp * amps
            request.adc[current.pin - 26] = self._code(volts * current.divider_ratio)
        places: list[tuple[Place, Ntc | None, float]] = [
            ("bearing", board.temperatures.bearing, reading.bearing_temperature_c),
            ("driver", board.temperatures.driver, reading.driver_temperature_c),
        ]
        for place, ntc, celsius in places:
            if ntc is not None:
                request.adc[ntc.pin - 26] = self._ntc_code(place, ntc, celsius)

    def _ntc_code(self, place: Place, ntc: Ntc, celsius: float) -> int:
        to_ground = ntc.ntc_to == "ground"
        if place in self._broken_ntc:
            return 0 if self._broken_ntc[place] == to_ground else _FULL_SCALE - 1
        return _clip(
            ntc_code(celsius, ntc.r25_ohm, ntc.beta_k, ntc.series_ohm, to_ground=to_ground)
        )

    def _measure_supplies(self, request: StepRequest, reading: Reading) -> None:
        parts = self.board.ordered_supplies
        for (name, part), volts, amps in zip(
            parts, reading.supplies_v, reading.supplies_a, strict=bool(parts)
        ):
            if part.kind == "divider":
                request.adc[part.pin - 26] = self._code(volts * part.divider_ratio)
                continue
            shunt_v = amps * part.shunt_mohm / 1000.0
            pair = ina226_registers if part.kind == "ina226" else ina219_registers
            request.signal[self._chip_of[name]] = pair(volts, shunt_v)

    def _code(self, volts: float) -> int:
        return _clip(volts / self.board.adc.reference_v * _FULL_SCALE)


def ina226_registers(volts: float, shunt_v: float) -> bytes:
    """Bus and shunt register of an INA226 as int16: 1.25 mV and 2.5 µV a bit (datasheet, 7.6)."""
    return _pair(_within(volts / 1.25e-3, 0, 0x7FFF), _within(shunt_v / 2.5e-6, -0x8000, 0x7FFF))


def ina219_registers(volts: float, shunt_v: float) -> bytes:
    """Bus and shunt register of an INA219 as int16: 4 mV a bit in bits 15 to 3, and 10 µV a bit, up
    to 320 mV (datasheet, 8.6)."""
    return _pair(_within(volts / 4e-3, 0, 8000) << 3, _within(shunt_v / 10e-6, -32_000, 32_000))


def _pair(bus: int, shunt: int) -> bytes:
    return np.array([bus, shunt & 0xFFFF], dtype="<u2").tobytes()


def _within(value: float, low: int, high: int) -> int:
    return max(low, min(high, round(value)))


def _clip(code: float) -> int:
    return _within(code, 0, _FULL_SCALE - 1)
