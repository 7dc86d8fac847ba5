"""The rig of an emulated board: the virtual bench, and the machine on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from wrench.bench import DEFAULT_CORE, DEFAULT_EMULATOR
from wrench.bench.assemble import assemble
from wrench.bench.emulator import NOMINAL, ChipClock, StepSeen
from wrench.bench.plant import Drive, Plant, Playback, Reading
from wrench.bench.virtual import CONSOLE, LINK, STEP_NS, BenchPort, VirtualBench
from wrench.bench.wiring import WiredMachine
from wrench.boards import Board
from wrench.hil.capabilities import CAPABILITIES
from wrench.hil.machine import Machine, Place
from wrench.hil.observation.timeline import Timeline
from wrench.hil.observation.wired_board import timeline_of
from wrench.hil.rig import Rig


class VirtualRig(Rig):
    """An emulated board on the virtual bench. Times are device time.

    Time begins with the first step: until then the machine may be put into any condition in which
    power is to find it.
    """

    def __init__(
        self,
        board: Board,
        content: bytes,
        condition: str = "healthy",
        *,
        step_ns: int = STEP_NS,
        flash_times_ns: dict[str, int] | None = None,
        seed: int = 1,
        replay: Playback | None = None,
        clock: ChipClock = NOMINAL,
        trace: bool = True,
        emulator: str = DEFAULT_EMULATOR,
        core: str = DEFAULT_CORE,
        xip_miss_cycles: int = 0,
    ):
        super().__init__(board, able_on_bench(board))
        assembly = assemble(
            board,
            content,
            condition=condition,
            seed=seed,
            replay=replay,
            step_ns=step_ns,
            flash_times_ns=flash_times_ns,
            clock=clock,
            trace=trace,
            emulator=emulator,
            core=core,
            xip_miss_cycles=xip_miss_cycles,
        )
        self._moment_s = step_ns / 1e9
        self._bench = assembly.bench
        self._wired = assembly.machine
        self.machine = VirtualMachine(self, assembly.machine)
        self._highest_duty = 0.0
        self._highest_speed_rpm = 0.0
        self._holding: list[Callable[[], None]] = []
        self._edges_s: list[float] = []
        self._fell_s: float | None = None
        self._times_enabled = 0
        self._light_s: tuple[float, int] = (0.0, 0)
        self.flash_writes: list[tuple[str, float, float]] = []  # as in `StepSeen`, all of them
        self._bench.on_step.append(self._watch)
        self._wired.on_reading.append(self._feel)

    @property
    def bench(self) -> VirtualBench:
        """The bench itself, for what no other rig has."""
        self.need("emulator")
        return self._bench

    @property
    def wired(self) -> WiredMachine:
        """The machine as the bench has it, for what no other rig has."""
        self.need("emulator")
        return self._wired

    @property
    def plant(self) -> Plant:
        """The machine's physics, for what no other rig has."""
        self.need("emulator")
        return self._wired.machine

    def timeline(self, *, calls: bool = True) -> Timeline:
        """What happens to the board from now on; `calls` as `timeline_of` takes it."""
        return timeline_of(self.board, self._bench, self._wired, calls=calls)

    def close(self) -> None:
        """End the emulator."""
        self._bench.close()

    # -- what the pins and the shaft did -------------------------------------------------
    def _watch(self, seen: StepSeen) -> None:
        self.flash_writes += seen.flash_writes
        duty = self.duty_of(seen)
        self._highest_duty = max(self._highest_duty, duty)
        motor = self.board.motor
        pin = seen.pins[motor.pwm_pin if motor.enable_pin is None else motor.enable_pin]
        self._times_enabled += pin.rises
        if seen.powered and pin.falls and pin.level == 0:
            self._fell_s = pin.edges_ns[-1] / 1e9
        elif pin.level or not seen.powered:
            self._fell_s = None
        if self.board.led:
            light = seen.pins[self.board.led.pin]
            on_s, flashes = self._light_s
            self._light_s = on_s + light.high * self._moment_s, flashes + light.rises

    def _feel(self, reading: Reading) -> None:
        for act in self._holding:
            act()
        if self._wired.drive.duty <= 0.0:
            self._edges_s.clear()
            return
        begin_s = reading.time_s - self._moment_s
        pulses = self._wired.machine.parameters.tacho_pulses_per_turn
        for edge_s in reading.tacho_edge_s:
            self._edges_s.append(begin_s + float(edge_s))
            if len(self._edges_s) > pulses:
                turn_s = self._edges_s[-1] - self._edges_s[-1 - pulses]
                self._highest_speed_rpm = max(self._highest_speed_rpm, 60.0 / turn_s)

    def duty_of(self, seen: StepSeen) -> float:
        """Duty on the PWM pin in a step, 0 where the driver is not enabled."""
        if not seen.powered:
            return 0.0
        motor = self.board.motor
        duty = seen.pins[motor.pwm_pin].high
        if motor.kind == "two_pwm":
            duty += seen.pins[motor.reverse_pwm_pin].high
        return duty if motor.enable_pin is None else duty * seen.pins[motor.enable_pin].high

    @property
    def duty_at_pin(self) -> float:
        """In the last step."""
        self.need("motor pins")
        seen = self._bench.seen
        return self.duty_of(seen) if seen else 0.0

    @property
    def highest_duty(self) -> float:
        """Of all steps since `forget_highest`."""
        self.need("motor pins")
        return self._highest_duty

    @property
    def times_enabled(self) -> int:
        """Of all steps since `forget_highest`."""
        self.need("motor pins")
        return self._times_enabled

    def forget_highest(self) -> None:
        """Look for the highest duty and speed, and for rises of the enable pin, anew."""
        self._times_enabled = 0
        self._highest_duty = self._highest_speed_rpm = 0.0

    @property
    def shaft_speed_rpm(self) -> float:
        """The plant's."""
        self.need("shaft")
        reading = self._wired.reading
        return reading.speed_rpm if reading else 0.0

    @property
    def highest_speed_rpm(self) -> float:
        """From the true angle of the shaft, over one revolution, while driven."""
        self.need("shaft")
        return self._highest_speed_rpm

    @property
    def fell_s(self) -> float | None:
        """When the driver was disabled, if it is."""
        self.need("motor pins")
        return self._fell_s

    def off_after(self, begin_s: float, within_s: float) -> float:
        """As `Rig` has it."""
        self._fell_s = None
        return super().off_after(begin_s, within_s)

    def watch_light(self, duration_s: float) -> tuple[float, int]:
        """As `Rig` has it."""
        self.need("light")
        self._light_s, begin_s = (0.0, 0), self.now_s
        self.pass_time(duration_s)
        on_s, flashes = self._light_s
        return on_s / (self.now_s - begin_s), flashes

    # -- time ----------------------------------------------------------------------------
    @property
    def now_s(self) -> float:
        """Device time up to which the bench has been computed."""
        return self._bench.now_s

    def pass_time(self, duration_s: float) -> None:
        """Let so much device time pass, taking in what frames there are."""
        end_s = self.now_s + duration_s
        while self.now_s < end_s - 1e-6:
            self._bench.advance(0)
            self._take_waiting()

    def hold(self, act: Callable[[], None] | None) -> None:
        """Do this at every step from now on; None ends all such."""
        if act is None:
            self._holding.clear()
        else:
            self._holding.append(act)

    # -- power, and the cable ------------------------------------------------------------
    def cut_power(self) -> None:
        """Flash keeps its content, everything else is lost."""
        self.need("power")
        self._bench.cut_power()
        self.leave()

    def restore_power(self) -> None:
        """Give it back."""
        self.need("power")
        self._bench.restore_power()

    def plug_usb(self, plugged: bool) -> None:
        """Pull the USB cable, or put it back."""
        self.need("cable")
        self._bench.plug_usb(plugged)

    # -- the ports -----------------------------------------------------------------------
    def _open_link(self) -> BenchPort:
        return self._bench.open(LINK)

    def open_console(self) -> BenchPort:
        """The board's console."""
        return self._bench.open(CONSOLE)

    @property
    def serial_functions(self) -> int:
        """How many serial ports the board shows."""
        return self._bench.serial_functions

    def stop_reading(self, stopped: bool = True) -> None:
        """The host takes nothing off the bus for the link, or does again."""
        self.need("silent host")
        self._bench.hold_reading(LINK, not stopped)


_OF_BOARD = {
    "light": lambda board: board.led is not None,
    "button": lambda board: board.button is not None,
    "service jumper": lambda board: board.service is not None,
    "supplies": lambda board: len(board.ordered_supplies) > 1,
    "tacho": lambda board: board.tacho is not None,
    "thermistor": lambda board: board.temperatures.bearing is not None,
    "current": lambda board: board.current is not None,
    "driver fault": lambda board: board.motor.fault_pin is not None,
    "sensor plug": lambda board: board.vibration.bus != "adc",
    "sensor faults": lambda board: board.vibration.bus != "adc",
}


def able_on_bench(board: Board) -> frozenset[str]:
    """What the bench can do with that board: everything that its file has a part for."""
    return frozenset(
        name for name in CAPABILITIES if name not in _OF_BOARD or _OF_BOARD[name](board)
    )


class VirtualMachine(Machine):
    """The plant and its wiring."""

    def __init__(self, rig: VirtualRig, wired: WiredMachine) -> None:
        self._rig = rig
        self._wired = wired
        self._plant = wired.machine

    def _does(self, capability: str, after_ns: float = 0.0) -> float:
        self._rig.need(capability)
        if after_ns:
            self._rig.need("exact instants")
        return self._rig.now_s + after_ns / 1e9

    # -- switches ------------------------------------------------------------------------
    def press_estop(
        self, pressed: bool = True, after_ns: float = 0.0, *, at_page_program: bool = False
    ) -> float:
        """A broken wire does the same."""
        self._wired.press_estop(pressed, after_ns, at_page_program=at_page_program)
        return self._does("e-stop", after_ns)

    def press_button(self, pressed: bool = True) -> float:
        """At the pin."""
        self._wired.press_button(pressed)
        return self._does("button")

    def set_service_jumper(self, fitted: bool = True) -> float:
        """At the pin."""
        self._wired.set_service_jumper(fitted)
        return self._does("service jumper")

    # -- the shaft and its bearing -------------------------------------------------------
    def set_load(self, fraction: float) -> float:
        """Of the rated torque."""
        self._plant.set_load(fraction)
        return self._does("load")

    def jam(self, jammed: bool = True) -> float:
        """The bit catches, or comes loose."""
        if jammed:
            self._plant.jam()
        else:
            self._plant.free()
        return self._does("jam")

    def spin(self, speed_rpm: float) -> float:
        """At every step."""
        self._rig.hold(lambda: self._plant.set_speed(speed_rpm))
        return self._does("spin")

    def set_wear(self, wear: float) -> float:
        """Of the bearing."""
        self._plant.set_wear(wear)
        return self._does("wear")

    def set_defect(self, kind: Literal["inner", "outer", "ball"], severity: float) -> float:
        """Of the bearing."""
        self._plant.set_defect(kind, severity)
        return self._does("wear")

    def knock(self, strength_g: float) -> float:
        """Once."""
        self._plant.knock(strength_g)
        return self._does("knock")

    def knock_again_and_again(self, strength_g: float, every_s: float) -> float:
        """At the first step after `every_s`, and so on."""
        due_s = [self._rig.now_s + every_s]

        def strike() -> None:
            if self._rig.now_s >= due_s[0] - 1e-6:
                due_s[0] += every_s
                self._plant.knock(strength_g)

        self._rig.hold(strike)
        return self._does("knock")

    def hold_temperatures(
        self, bearing_c: float | None = None, driver_c: float | None = None
    ) -> float:
        """At every step."""
        self._rig.hold(lambda: self._plant.set_temperatures(bearing_c=bearing_c, driver_c=driver_c))
        return self._does("heat")

    def let_be(self) -> float:
        """As `Machine` has it."""
        self._rig.hold(None)
        self._plant.set_temperatures(bearing_c=25.0, driver_c=25.0)
        return self._rig.now_s

    # -- electricity ---------------------------------------------------------------------
    def set_supply(self, volts: float) -> float:
        """Ahead of its resistance."""
        self._plant.set_supply(volts)
        return self._does("supply")

    def lose_supply(self, name: str | None = None) -> float:
        """As `Machine` has it."""
        for each in self._wired.supplies if name is None else (self._wired.supply(name),):
            each.lose()
        return self._does("supplies")

    def restore_supplies(self) -> float:
        """As `Machine` has it."""
        for each in self._wired.supplies:
            each.restore()
        return self._does("supplies")

    def offset_current(self, amps: float) -> float:
        """A magnet lies beside the sensor."""
        self._wired.offset_current(amps)
        return self._does("current")

    def cut_motor_lead(self) -> float:
        """The motor coasts whatever the driver is told."""
        self._wired.driver.driven = lambda seen: Drive(0.0, False)
        return self._does("motor lead")

    def set_driver_fault(self, present: bool = True) -> float:
        """At the pin."""
        self._wired.set_driver_fault(present)
        return self._does("driver fault")

    # -- sensors -------------------------------------------------------------------------
    def cut_tacho(self, cut: bool = True) -> float:
        """As `Machine` has it."""
        self._wired.cut_tacho(cut)
        return self._does("tacho")

    def break_thermistor(self, place: Place, *, shorted: bool = False) -> float:
        """As `Machine` has it."""
        self._wired.break_thermistor(place, shorted=shorted)
        return self._does("thermistor")

    def mend_thermistor(self, place: Place) -> float:
        """As `Machine` has it."""
        self._wired.mend_thermistor(place)
        return self._does("thermistor")

    def set_sensor_fault(self, **faults: Any) -> float:
        """As `Machine` has it."""
        self._wired.set_sensor_fault(**faults)
        if not faults:
            return self._rig.now_s
        return self._does("sensor plug" if faults == {"absent": True} else "sensor faults")

    def saturate_sensor(self, saturated: bool = True) -> float:
        """As `Machine` has it."""
        self._wired.signal.saturate(saturated)
        return self._does("signal")

    def set_sensor_noise(self, rms_g: float) -> float:
        """As `Machine` has it."""
        self._wired.signal.add_noise(rms_g)
        return self._does("signal")
