"""One board under test: its bench, its machine, its link, and what its pins did."""

from __future__ import annotations

from collections.abc import Callable

from wrench.bench.emulator import StepSeen
from wrench.bench.virtual import LINK, VirtualBench
from wrench.bench.wiring import WiredMachine
from wrench.boards import load_board
from wrench.errors import PortError
from wrench.link import Frame, Link, encode

BOARD = load_board("pico-adxl345")


class Rig:
    """One board under test. Times are device time in seconds unless their name says otherwise."""

    def __init__(self, bench: VirtualBench, machine: WiredMachine) -> None:
        self.bench = bench
        self.machine = machine
        self.plant = machine.machine
        self.status: Frame | None = None
        self.events: list[Frame] = []
        self.highest_duty = 0.0
        self.link = Link(bench.open(LINK))
        bench.on_step.append(self._watch)

    def _watch(self, seen: StepSeen) -> None:
        motor = BOARD.motor
        if seen.powered:
            self.highest_duty = max(
                self.highest_duty, seen.pins[motor.pwm_pin].high * seen.pins[motor.enable_pin].level
            )

    def listen(self, duration_s: float) -> None:
        """Let time pass, taking in frames."""
        self.wait_for(lambda: False, duration_s)

    def wait_for(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Let time pass until the condition holds; False where it does not in time."""
        end = self.bench.now_s + within_s
        while not condition():
            if self.bench.now_s >= end:
                return False
            frame = self._receive()
            if frame is not None and frame.name == "status":
                self.status = frame
            elif frame is not None and frame.name == "event":
                self.events.append(frame)
        return True

    def _receive(self) -> Frame | None:
        try:
            return self.link.receive(0.02)
        except PortError:  # the board has gone from the bus: time passes all the same
            self.bench.advance(0.005)
            return None

    def ready(self) -> None:
        """Wait until the firmware's filters have settled."""
        assert self.wait_for(lambda: bool(self.status and self.status["flags"] & 8), 4.0)

    def run(self, speed_permille: int = 1000, until_steady: bool = True) -> None:
        """Start the motor, and wait until the ramp is over."""
        self.ready()
        self.link.run(speed_permille)
        if until_steady:
            assert self.wait_for(lambda: self.mode == "running", 8.0)
            self.listen(0.5)

    def stream_command(self) -> bytes:
        """A `stream` command as it goes over the wire, for tests that expect no reply."""
        return encode("stream", 1, 1)

    @property
    def mode(self) -> str:
        """The mode of the last status frame."""
        return str(self.status["mode"]) if self.status else "unknown"

    @property
    def fault(self) -> str:
        """The latched fault of the last status frame."""
        return str(self.status["fault"]) if self.status else "unknown"

    @property
    def plant_speed_rpm(self) -> float:
        """The shaft's true speed."""
        assert self.machine.reading is not None
        return self.machine.reading.speed_rpm

    @property
    def duty_at_pin(self) -> float:
        """Duty on the PWM pin, 0 where the driver is not enabled, as a logic analyser sees it."""
        seen = self.bench.seen
        assert seen is not None
        if not seen.powered:
            return 0.0
        return seen.pins[BOARD.motor.pwm_pin].high * seen.pins[BOARD.motor.enable_pin].level

    def off_after(self, begin_s: float, within_s: float) -> float:
        """Seconds from `begin_s` to the enable pin's fall; fails where it does not fall in time."""
        fall_s: list[float] = []

        def look(seen: StepSeen) -> None:
            pin = seen.pins[BOARD.motor.enable_pin]
            if pin.falls and pin.level == 0:
                fall_s.append(pin.edges_ns[-1] / 1e9)

        self.bench.on_step.append(look)
        try:
            assert self.wait_for(lambda: bool(fall_s), within_s), "the driver is still enabled"
        finally:
            self.bench.on_step.remove(look)
        return fall_s[0] - begin_s
