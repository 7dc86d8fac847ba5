"""Two emulated boards wired to each other: one under test, and the helper of its rig, in lock-step.

What one board's pins do reaches the other's a step later.
"""

from __future__ import annotations

from collections.abc import Collection

from wrench.bench.assemble import Assembly, assemble, bare_flash
from wrench.bench.emulator import StepSeen
from wrench.bench.virtual import CONSOLE, LINK, BenchPort, VirtualBench
from wrench.boards import Board
from wrench.hil.content import content_of
from wrench.image import find_named

STEP_NS = 5_000_000
"""All edges of a PWM of up to 6 kHz within a step are told one by one."""


class Pair:
    """The board under test on its bench, `watched` pins of which are observed, and the helper;
    `wires` maps GPIOs of the first to GPIOs of the second. Reading from a port of either lets time
    pass for both.
    """

    def __init__(
        self, tested: VirtualBench, wires: dict[int, int], watched: Collection[int]
    ) -> None:
        self.bench = tested
        self._watched = watched
        self._wires = wires
        self.helper = VirtualBench(bare_flash(find_named("stock")), step_ns=STEP_NS)
        for gpio in wires.values():
            self.helper.drive_pin(gpio, 1)  # the pull-up at the other end
        tested.on_step.append(self._step_helper)
        self._levels: dict[int, int] = {}

    @property
    def now_s(self) -> float:
        """Device time of both."""
        return self.bench.now_s

    def pass_time(self, duration_s: float) -> None:
        """Let time pass for both."""
        self.bench.advance(duration_s)

    def _step_helper(self, seen: StepSeen) -> None:
        begin_ns = seen.now_ns - STEP_NS
        for gpio, at in self._wires.items():
            if gpio not in self._watched:
                continue
            pin = seen.pins[gpio]
            assert pin.rises + pin.falls <= len(pin.edges_ns), "edges are left out"
            level = pin.level ^ (len(pin.edges_ns) & 1)
            if not pin.edges_ns:
                self.helper.drive_pin(at, level)
            for edge_ns in pin.edges_ns:
                level ^= 1
                self.helper.drive_pin(at, level, max(0.0, edge_ns - begin_ns))
        self.helper.advance(0)
        helped = self.helper.seen
        assert helped is not None
        for gpio, at in self._wires.items():
            level = helped.pins[at].level
            if gpio not in self._watched and level != self._levels.get(at):
                self._levels[at] = level
                self.bench.drive_pin(gpio, level)

    def open_console(self) -> BenchPort:
        """Of the board under test."""
        return self.bench.open(CONSOLE)

    def open_helper(self) -> PairedPort:
        """The helper's console."""
        while self.helper.serial_functions <= CONSOLE:
            self.pass_time(0)
        return PairedPort(self, self.helper.open(CONSOLE))

    def close(self) -> None:
        """End both."""
        self.helper.close()
        self.bench.close()


class PairedBoards(Pair):
    """A board with Wrench's firmware, on its machine, as the one under test."""

    def __init__(self, board: Board, wires: dict[int, int]) -> None:
        self.tested: Assembly = assemble(board, content_of(board), step_ns=STEP_NS)
        super().__init__(self.tested.bench, wires, self.tested.machine.watched_gpio)

    def open_link(self) -> BenchPort:
        """Of the board under test."""
        return self.bench.open(LINK)

    def shown(self) -> int:
        """Ports of the board under test."""
        return self.bench.serial_functions


class PairedPort:
    """A port of the helper, whose reads let time pass for both boards."""

    def __init__(self, boards: Pair, port: BenchPort) -> None:
        self._boards = boards
        self._port = port
        self.timeout: float | None = None
        self.port = "the helper"

    @property
    def in_waiting(self) -> int:
        return self._port.in_waiting

    def inWaiting(self) -> int:  # noqa: N802  (pyserial's old name, which mpremote uses)
        return self._port.in_waiting

    def read(self, size: int = 1) -> bytes:
        end_s = None if self.timeout is None else self._boards.now_s + self.timeout
        while self._port.in_waiting < size and (end_s is None or self._boards.now_s < end_s):
            self._boards.pass_time(0)
        return self._port.read(min(size, self._port.in_waiting))

    def write(self, data: bytes) -> int:
        return self._port.write(data)

    def reset_input_buffer(self) -> None:
        self._port.reset_input_buffer()

    def close(self) -> None:
        self._port.close()
