"""A board file's wiring, seen from outside the chip: pins to drive, and quantities to voltages."""

from __future__ import annotations

from collections.abc import Callable

from wrench.bench.emulator import StepRequest, StepSeen
from wrench.bench.plant import Drive, Plant, Reading
from wrench.bench.plant.sensors import Adxl345Signal
from wrench.boards import Board
from wrench.boards.ntc import code as ntc_code

_ADC_REFERENCE_V = 3.3
_FULL_SCALE = 4096
_TACHO_WIDTH_S = 1e-3


class WiredMachine:
    """The plant, wired to the board as its file says: what a `VirtualBench` has around the chip.

    `machine` is the plant: tests jam it, load it, heat it. `reading` is what it did in the last
    step, `drive` what the motor driver was told in it. `press_estop`, `press_button` work the
    switches.
    """

    def __init__(self, board: Board, plant: Plant, signal: Adxl345Signal) -> None:
        self.board = board
        self.machine = plant
        self.signal = signal
        self.reading: Reading | None = None
        self.drive = Drive(0.0, False)
        self.on_reading: list[Callable[[Reading], None]] = []
        motor = board.motor
        self.watched_gpio = [motor.pwm_pin, motor.enable_pin, motor.direction_pin]
        if board.led:
            self.watched_gpio.append(board.led.pin)
        v = board.vibration
        self.devices: list[dict[str, object]] = [
            {
                "kind": v.driver,
                "bus": v.bus,
                "spi": v.bus_number,
                "cs": v.cs_pin,
                "int1": v.int1_pin,
                "period_ns": 1e9 / signal.rate_hz,
            }
        ]
        self._switches: list[tuple[float, int, int | None]] = []
        self._tacho_end_ns = -1.0
        self._estop_closed = True
        self._at_rest_level = 1 if board.tacho and board.tacho.edge == "falling" else 0
        self._first_signal = True

    # -- switches ------------------------------------------------------------------------
    def press_estop(self, pressed: bool = True, after_ns: float = 0.0) -> None:
        """Open the e-stop's contact (a broken wire does the same), or close it again."""
        self._estop_closed = not pressed
        self._switches.append((after_ns, self.board.estop.pin, None if pressed else 0))

    def press_button(self, pressed: bool = True) -> None:
        """Hold the start/stop button, or let go."""
        if self.board.button:
            self._switches.append((0.0, self.board.button.pin, 0 if pressed else None))

    def set_service_jumper(self, fitted: bool) -> None:
        """Fit the service jumper, or take it off."""
        if self.board.service:
            self._switches.append((0.0, self.board.service.pin, 0 if fitted else None))

    # -- Surroundings --------------------------------------------------------------------
    def power_on(self, now_ns: int) -> list[tuple[float, int, int | None]]:
        """The levels of the switches and of the tacho at rest."""
        del now_ns
        self._first_signal = True
        inputs: list[tuple[float, int, int | None]] = [
            (0.0, self.board.estop.pin, 0 if self._estop_closed else None)
        ]
        if self.board.tacho:
            inputs.append((0.0, self.board.tacho.pin, self._at_rest_level))
        return inputs

    def step(self, request: StepRequest, start_ns: int, seen: StepSeen | None) -> None:
        """Advance the machine by the step and put what it does onto the pins."""
        duration_s = request.duration_ns * 1e-9
        self.drive = self._driven(seen)
        times = self.signal.instants(duration_s)
        reading = self.machine.step(self.drive, duration_s, times)
        self.reading = reading
        counts = self.signal.counts(reading.acceleration_g)
        # One sample ahead, so that the sensor's own rounding of time never finds the queue empty.
        lead = counts[:1].tobytes() if self._first_signal and len(counts) else b""
        self._first_signal = self._first_signal and not len(counts)
        request.signal[0] = lead + counts.tobytes()
        request.inputs += self._switches
        self._switches = []
        self._turn_tacho(request, start_ns, reading)
        self._measure(request, reading)
        for listener in self.on_reading:
            listener(reading)

    def _driven(self, seen: StepSeen | None) -> Drive:
        if seen is None or not seen.powered:
            return Drive(0.0, False)
        motor = self.board.motor
        pwm, enable = seen.pins[motor.pwm_pin], seen.pins[motor.enable_pin]
        forward = seen.pins[motor.direction_pin].high >= 0.5
        duty = pwm.high * enable.high
        return Drive(duty if forward else -duty, enable.high > 0.5)

    def _turn_tacho(self, request: StepRequest, start_ns: int, reading: Reading) -> None:
        tacho = self.board.tacho
        if tacho is None:
            return
        rest = self._at_rest_level
        if start_ns <= self._tacho_end_ns < start_ns + request.duration_ns:
            request.inputs.append((self._tacho_end_ns - start_ns, tacho.pin, rest))
        for edge_s in reading.tacho_edge_s:
            at = float(edge_s) * 1e9
            request.inputs.append((at, tacho.pin, 1 - rest))
            end = at + _TACHO_WIDTH_S * 1e9
            self._tacho_end_ns = start_ns + end
            if end < request.duration_ns:
                request.inputs.append((end, tacho.pin, rest))

    def _measure(self, request: StepRequest, reading: Reading) -> None:
        board = self.board
        if current := board.current:
            volts = current.zero_v + current.volts_per_amp * reading.motor_current_a
            request.adc[current.pin - 26] = _code(volts * current.divider_ratio)
        if ntc := board.temperatures.bearing:
            request.adc[ntc.pin - 26] = _clip(
                ntc_code(
                    reading.bearing_temperature_c,
                    ntc.r25_ohm,
                    ntc.beta_k,
                    ntc.series_ohm,
                    to_ground=ntc.ntc_to == "ground",
                )
            )
        if supply := board.supply:
            request.adc[supply.pin - 26] = _code(reading.supply_v * supply.divider_ratio)


def _code(volts: float) -> int:
    return _clip(volts / _ADC_REFERENCE_V * _FULL_SCALE)


def _clip(code: float) -> int:
    return max(0, min(_FULL_SCALE - 1, round(code)))
