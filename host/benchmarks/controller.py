"""Figures of the controller, seen at the pins by the bench: what stops the motor, and how soon."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import resources

from figure import Figure

from wrench.bench.assemble import assemble, bare_flash
from wrench.bench.emulator import StepSeen
from wrench.bench.plant import Reading
from wrench.bench.virtual import CONSOLE, LINK, VirtualBench
from wrench.bench.wiring import WiredMachine
from wrench.boards import load_board
from wrench.deploy import deployment
from wrench.errors import PortError
from wrench.flash import flash
from wrench.image import find
from wrench.link import Link

BOARD = load_board("pico-adxl345")
_STEP_S = 0.005
_LOOP_LINE = "            control.loop_came_round = True\n"


class Drill:
    """A drill that runs at the derate cap, and what its enable pin does."""

    def __init__(self, content: bytes, condition: str = "healthy") -> None:
        assembly = assemble(BOARD, content, condition=condition)
        self.bench: VirtualBench = assembly.bench
        self.machine: WiredMachine = assembly.machine
        self.plant = assembly.machine.machine
        self.fell_s: float | None = None
        self.highest_rpm = 0.0
        self.status: dict[str, int] = {}
        self._edges_s: list[float] = []
        self.bench.on_step.append(self._watch)
        self.machine.on_reading.append(self._feel)
        self.link = Link(self.bench.open(LINK))
        self.link.hello()
        while not (self._take() and self.status.get("mode") == "idle"):
            pass

    def _watch(self, seen: StepSeen) -> None:
        pin = seen.pins[BOARD.motor.enable_pin]  # pyright: ignore[reportArgumentType]
        if pin.falls and pin.level == 0:
            self.fell_s = pin.edges_ns[-1] / 1e9

    def _feel(self, reading: Reading) -> None:
        if self.machine.drive.duty <= 0.0:
            self._edges_s.clear()
            return
        for edge_s in reading.tacho_edge_s:
            self._edges_s.append(reading.time_s - _STEP_S + float(edge_s))
            if len(self._edges_s) > 1:
                turn_s = self._edges_s[-1] - self._edges_s[-2]
                self.highest_rpm = max(self.highest_rpm, 60.0 / turn_s)

    def _take(self) -> bool:
        frame = self.link.receive(1.0)
        if frame is None:
            raise SystemExit("the board has fallen silent")
        if frame.name == "status":
            self.status = dict(frame.values)
        return frame.name == "status"

    def attend(self, seconds: float) -> None:
        """Let time pass, with a heartbeat."""
        end = self.bench.now_s + seconds
        while self.bench.now_s < end:
            self._take()

    def run(self) -> Drill:
        """Up to the cap."""
        self.attend(1.2)
        self.link.run(1000)
        self.attend(5.0)
        return self

    def off_after(self, cause: Callable[[], object], within_s: float = 3.0) -> float:
        """Seconds from the cause to the fall of the enable pin."""
        self.bench.settle()
        self.fell_s = None
        begin_s = self.bench.now_s
        cause()
        while self.fell_s is None:
            if self.bench.now_s > begin_s + within_s:
                raise SystemExit("the motor was not switched off")
            self.bench.advance(_STEP_S)
            try:
                if self.link.port.in_waiting:
                    self._take()
            except PortError:
                continue  # the cause was to close it
        return self.fell_s - begin_s


def _changed(path: str, line: str, instead: str) -> bytes:
    """Flash content of a board on which one line of the firmware is another."""
    text = resources.files("wrench_firmware").joinpath(path).read_text()
    assert text.count(line) == 1, (path, line)
    with assemble(BOARD, bare_flash(find("stock"))).bench as bench:
        changed = {path: text.replace(line, instead).encode()}
        flash(bench.open(CONSOLE), deployment(BOARD, changed))
        return bench.read_flash()


def stopping(content: bytes) -> Iterator[Figure]:
    """From each cause to the fall of the enable pin."""
    stories: list[tuple[str, str, float, Callable[[Drill], object]]] = [
        ("e-stop to off", "<= 1", 1e3, lambda d: d.machine.press_estop()),
        ("current pin to off", "<= 1", 1e3, lambda d: d.machine.offset_current(20.0)),
        ("jam to off", "<= 50", 1e3, lambda d: d.plant.jam()),
        ("link closed to off", "<= 500", 1e3, lambda d: d.link.port.close()),
        ("heartbeat lost to off", "<= 500", 1e3, _fall_silent),
    ]
    for name, target, scale, cause in stories:
        drill = Drill(content).run()
        with drill.bench:
            seconds = drill.off_after(lambda drill=drill, cause=cause: cause(drill))
            yield Figure(name, scale * seconds, "ms of device time", target)


def _fall_silent(drill: Drill) -> None:
    drill.link.owns_run = False


def speed(content: bytes) -> Iterator[Figure]:
    """The fastest revolution, with a load that comes and goes; control intervals meanwhile."""
    drill = Drill(content).run()
    with drill.bench:
        longest_us = 0
        for load in (1.0, 0.0, 0.5, 0.0):
            drill.plant.set_load(load)
            drill.attend(3.0)
            longest_us = max(longest_us, drill.status["control_interval_us"])
        cap_rpm = BOARD.motor.derate_cap * BOARD.motor.rated_speed_rpm
        yield Figure(
            "fastest revolution at the cap", 100 * drill.highest_rpm / cap_rpm, "% of it", "<= 101"
        )
        yield Figure("longest control interval", longest_us / 1e3, "ms of device time", "<= 6")


def hang() -> Iterator[Figure]:
    """The loop hangs at a `stream` command."""
    hanging = _LOOP_LINE + "            while self.streaming:\n                pass\n"
    drill = Drill(_changed("loop.py", _LOOP_LINE, hanging)).run()
    with drill.bench:
        seconds = drill.off_after(lambda: drill.link._send("stream", 1))
        yield Figure("firmware hung to off", 1e3 * seconds, "ms of device time", "<= 300")


def allocation(seconds: float = 60.0) -> Iterator[Figure]:
    """Heap taken in a steady run; collections are off while the motor turns."""
    line = "                self._housekeeping(seen)\n"
    telling = line + (
        "                if seen % 4000 == 0:\n"
        "                    import gc\n"
        "                    print('alloc', gc.mem_alloc())\n"
    )
    drill = Drill(_changed("loop.py", line, telling)).run()
    with drill.bench:
        console = drill.bench.open(CONSOLE)
        drill.attend(2.0)
        console.read_available()
        drill.attend(seconds + 21.0)
        told = [int(n) for n in re.findall(rb"alloc (\d+)", console.read_available())]
        yield Figure(
            f"heap taken in {20 * (len(told) - 1)} s of running", told[-1] - told[0], "B", "== 0"
        )
