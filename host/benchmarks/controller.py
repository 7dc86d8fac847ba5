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
_TICKS_LINE = "                self._housekeeping(seen)\n"
_ELAPSED_LINE = "            elapsed_ms = TICK_MS\n"
# Of each module: the line behind which they can be replaced, and their numbers of arguments.
_KERNELS = {
    "features.py": (
        "    statistics = statistics_reference\n",
        {"statistics": 4, "velocity": 4, "envelope": 4},
    ),
    "framing.py": (
        "    copy = copy_reference\n",
        {"append_crc": 3, "cobs_encode": 4, "copy": 5},
    ),
}
_CLOSING = {"begin_window": 4, "take_turn": 4, "close_axis": 5, "close_moments": 4}
_CLASS_LINE = "class Features:\n"


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


def _changed(*edits: tuple[str, str, str]) -> bytes:
    """Flash content of a board on which some lines of the firmware, (module, line), are others."""
    texts: dict[str, str] = {}
    for path, line, instead in edits:
        if path not in texts:
            texts[path] = resources.files("wrench_firmware").joinpath(path).read_text()
        assert texts[path].count(line) == 1, (path, line)
        texts[path] = texts[path].replace(line, instead)
    with assemble(BOARD, bare_flash(find("stock"))).bench as bench:
        changed = {path: text.encode() for path, text in texts.items()}
        flash(bench.open(CONSOLE), deployment(BOARD, changed))
        return bench.read_flash()


def _telling(values: str) -> tuple[str, str, str]:
    """An edit: the loop prints "told" and these values every 20 s."""
    more = f"                if seen % 4000 == 0:\n                    print('told', {values})\n"
    return "loop.py", _TICKS_LINE, _TICKS_LINE + more


def _told(drill: Drill, seconds: float) -> list[list[int]]:
    """What the loop has printed in that time."""
    console = drill.bench.open(CONSOLE)
    drill.attend(2.0)
    console.read_available()
    drill.attend(seconds)
    lines = re.findall(rb"told([ \d]+)", console.read_available())
    return [[int(word) for word in line.split()] for line in lines]


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
    drill = Drill(_changed(("loop.py", _LOOP_LINE, hanging))).run()
    with drill.bench:
        seconds = drill.off_after(lambda: drill.link._send("stream", 1))
        yield Figure("firmware hung to off", 1e3 * seconds, "ms of device time", "<= 300")


def allocation(seconds: float = 60.0) -> Iterator[Figure]:
    """Heap taken in a steady run; collections are off while the motor turns."""
    drill = Drill(_changed(_telling("__import__('gc').mem_alloc()"))).run()
    with drill.bench:
        told = _told(drill, seconds + 21.0)
        taken = told[-1][0] - told[0][0]
        yield Figure(f"heap taken in {20 * (len(told) - 1)} s of running", taken, "B", "== 0")


def intervals(seconds: float = 60.0) -> Iterator[Figure]:
    """Of the control tick, as the chip's timer sees it; the host streams the waveform meanwhile."""
    counting = (
        _ELAPSED_LINE + "            if 4750 <= interval <= 5250:\n"
        "                self.within += 1\n"
        "            else:\n"
        "                self.beyond += 1\n"
    )
    begun = "        self.late = 0\n"
    edits = (
        ("control.py", _ELAPSED_LINE, counting),
        ("control.py", begun, begun + "        self.within = self.beyond = 0\n"),
        _telling("control.within, control.beyond"),
    )
    drill = Drill(_changed(*edits)).run()
    with drill.bench:
        drill.link.command("stream", 1)
        told = _told(drill, seconds + 21.0)
        within, beyond = (last - first for first, last in zip(told[0], told[-1], strict=True))
        share = 100 * within / (within + beyond)
        yield Figure("control intervals within 5 %", share, "% of them", ">= 99.9")


def kernels(seconds: float = 20.0) -> Iterator[Figure]:
    """The longest call of any kernel, with what interrupts it."""
    imports = "from .console import Console\n"
    edits = [
        _telling("timed.WORST[0], framing.WORST[0]"),
        ("loop.py", imports, imports + "from . import features as timed, framing\n"),
        ("features.py", _CLASS_LINE, _timed(_CLOSING) + _CLASS_LINE),
    ]
    for path, (line, names) in _KERNELS.items():
        head = "\nimport time\n\nWORST = [0]\n"
        edits.append((path, line, line + head + _timed(names)))
    drill = Drill(_changed(*edits)).run()
    with drill.bench:
        drill.link.command("stream", 1)
        worst_us = max(_told(drill, seconds + 21.0)[-1])
        yield Figure("longest kernel call", worst_us / 1e3, "ms of device time", "<= 0.2")


def _timed(names: dict[str, int]) -> str:
    """MicroPython text that keeps the longest time of each of these functions in WORST[0]."""
    text = ""
    for name, count in names.items():
        arguments = ", ".join("abcde"[:count])
        text += (
            f"_{name} = {name}\n"
            f"def {name}({arguments}):\n"
            "    begin = time.ticks_us()\n"
            f"    result = _{name}({arguments})\n"
            "    WORST[0] = max(WORST[0], time.ticks_diff(time.ticks_us(), begin))\n"
            "    return result\n"
        )
    return text


def vibration(content: bytes) -> Iterator[Figure]:
    """From the end of the first window above the trip level to off, its delay excluded."""
    drill = Drill(content).run()
    level = round(1000 * BOARD.protection.vibration.velocity_trip_mm_s)
    with drill.bench:
        drill.plant.set_wear(0.7)
        drill.fell_s = None
        first_s = None
        while drill.fell_s is None:
            frame = drill.link.receive(1.0)
            if frame is None:
                raise SystemExit("the board has fallen silent")
            if frame.name != "features" or first_s is not None:
                continue
            if max(frame[f"velocity_{axis}_um_s"] for axis in "xyz") >= level:
                first_s = frame.time_us / 1e6
        assert first_s is not None
        delay_s = BOARD.protection.vibration.delay_ms / 1e3
        seconds = drill.fell_s - first_s - delay_s
        yield Figure(
            "vibration trip, after its delay", 1e3 * seconds, "ms of device time", "<= 100"
        )
