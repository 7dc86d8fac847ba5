"""Figures of the controller, seen at the pins by the bench: what stops the motor, and how soon."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources

from figure import SEEDS, Figure, worst

from wrench.bench.virtual import CONSOLE
from wrench.hil.content import BOARD, content_with
from wrench.hil.virtual_rig import VirtualRig

# With steps that are no whole number of the chip's control ticks (5 ms), nor of its guard's turns
# (0.2 ms), what happens 19 steps later comes a third of either later in its course.
_STEP_NS = 4_930_000
_STEPS_BETWEEN_PHASES = 19
_STEADY_S = 7.0
RATED_RPM = BOARD.motor.rated_speed_rpm
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


def _running(content: bytes, seed: int = 1) -> VirtualRig:
    """A drill that runs at the derate cap, at the seed's phase of the control tick."""
    rig = VirtualRig(BOARD, content, seed=seed, step_ns=_STEP_NS)
    rig.run(1000)
    rig.pass_time(_STEADY_S - rig.bench.now_s)
    rig.pass_time(_STEPS_BETWEEN_PHASES * SEEDS.index(seed) * _STEP_NS / 1e9)
    return rig


def _changed(*edits: tuple[str, str, str]) -> bytes:
    """Flash content of a board on which some lines of the firmware, (module, line), are others."""
    texts: dict[str, str] = {}
    for path, line, instead in edits:
        if path not in texts:
            texts[path] = resources.files("wrench_firmware").joinpath(path).read_text()
        assert texts[path].count(line) == 1, (path, line)
        texts[path] = texts[path].replace(line, instead)
    return content_with(texts)


def _telling(values: str) -> tuple[str, str, str]:
    """An edit: the loop prints "told" and these values every 20 s."""
    more = f"                if seen % 4000 == 0:\n                    print('told', {values})\n"
    return "loop.py", _TICKS_LINE, _TICKS_LINE + more


def _told(rig: VirtualRig, seconds: float) -> list[list[int]]:
    """What the loop has printed in that time."""
    console = rig.bench.open(CONSOLE)
    rig.pass_time(2.0)
    console.read_available()
    rig.pass_time(seconds)
    lines = re.findall(rb"told([ \d]+)", console.read_available())
    return [[int(word) for word in line.split()] for line in lines]


def stopping(content: bytes) -> Iterator[Figure]:
    """From each cause to the fall of the enable pin."""
    stories: list[tuple[str, str, Callable[[VirtualRig], object]]] = [
        ("e-stop to off", "<= 1", lambda rig: rig.machine.press_estop()),
        ("current pin to off", "<= 1", lambda rig: rig.machine.offset_current(20.0)),
        ("jam to off", "<= 50", lambda rig: rig.plant.jam()),
        ("link closed to off", "<= 500", lambda rig: rig.leave()),
        ("heartbeat lost to off", "<= 500", _fall_silent),
    ]
    for name, target, cause in stories:
        yield from worst(partial(_stop, content, name, target, cause))


def _stop(
    content: bytes, name: str, target: str, cause: Callable[[VirtualRig], object], seed: int
) -> Iterator[Figure]:
    rig = _running(content, seed)
    with rig.bench:
        cause(rig)
        seconds = rig.off_after(rig.bench.now_s, 3.0)
        yield Figure(name, 1e3 * seconds, "ms of device time", target)


def _fall_silent(rig: VirtualRig) -> None:
    rig.link.owns_run = False


def speed(content: bytes) -> Iterator[Figure]:
    """The fastest revolution, with a load that comes and goes; control intervals meanwhile."""

    def measure(seed: int) -> Iterator[Figure]:
        rig = _running(content, seed)
        with rig.bench:
            longest_us = 0
            for load in (1.0, 0.0, 0.5, 0.0):
                rig.plant.set_load(load)
                rig.pass_time(3.0)
                assert rig.status
                longest_us = max(longest_us, rig.status["control_interval_us"])
            share = 100 * rig.highest_speed_rpm / (BOARD.motor.derate_cap * RATED_RPM)
            yield Figure("fastest revolution at the cap", share, "% of it", "<= 101")
            yield Figure("longest control interval", longest_us / 1e3, "ms of device time", "<= 6")

    yield from worst(measure)


def hang() -> Iterator[Figure]:
    """The loop hangs at a `stream` command."""
    hanging = _LOOP_LINE + "            while self.streaming:\n                pass\n"
    content = _changed(("loop.py", _LOOP_LINE, hanging))
    yield from worst(partial(_stop, content, "firmware hung to off", "<= 300", _stream))


def _stream(rig: VirtualRig) -> None:
    rig.link.port.write(rig.stream_command())


def allocation(seconds: float = 60.0) -> Iterator[Figure]:
    """Heap taken in a steady run; collections are off while the motor turns."""
    rig = _running(_changed(_telling("__import__('gc').mem_alloc()")))
    with rig.bench:
        told = _told(rig, seconds + 21.0)
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
    rig = _running(_changed(*edits))
    with rig.bench:
        rig.link.command("stream", 1)
        told = _told(rig, seconds + 21.0)
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
    rig = _running(_changed(*edits))
    with rig.bench:
        rig.link.command("stream", 1)
        worst_us = max(_told(rig, seconds + 21.0)[-1])
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
    level = round(1000 * BOARD.protection.vibration.velocity_trip_mm_s)
    delay_s = BOARD.protection.vibration.delay_ms / 1e3

    def measure(seed: int) -> Iterator[Figure]:
        rig = _running(content, seed)
        with rig.bench:
            rig.plant.set_wear(0.7)
            rig.features.clear()
            begin_s = rig.bench.now_s
            off_s = begin_s + rig.off_after(begin_s, 20.0)
            first_s = next(
                frame.time_us / 1e6
                for frame in rig.features
                if max(frame[f"velocity_{axis}_um_s"] for axis in "xyz") >= level
            )
            seconds = off_s - first_s - delay_s
            name = "vibration trip, after its delay"
            yield Figure(name, 1e3 * seconds, "ms of device time", "<= 100")

    yield from worst(measure)
