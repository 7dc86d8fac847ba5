"""One board under test: its bench, its machine, its link, and what its pins did."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from wrench.bench.assemble import assemble, bare_flash, flashed
from wrench.bench.emulator import DEFAULT_EMULATOR, StepSeen
from wrench.bench.plant import Reading
from wrench.bench.virtual import CONSOLE, LINK, STEP_NS, VirtualBench
from wrench.blackbox import Event
from wrench.boards import Board, load_board
from wrench.deploy import deployment
from wrench.errors import PortError, RefusedError
from wrench.flash import flash
from wrench.image import find_named
from wrench.link import Frame, Link, encode
from wrench_firmware import wire

BOARD = load_board("pico-adxl345")
BUTTON_STARTS_S = 2.0
BUTTON_RESETS_S = 3.1
_BOOTED_WITHIN_S = 5.0


def variant(name: str, of: Board = BOARD, /, **changes: str) -> Board:
    """A board like `of`, in whose file the lines of some keys are others, or more; `changes` maps
    the name of a section, with "__" for a dot, to the lines that are put first in it. A section
    given as "" is left out.
    """
    assert of.path is not None
    text = "\n" + of.path.read_text()
    for section, lines in changes.items():
        title = f"[{section.replace('__', '.')}]"
        before, found, after = text.partition(f"\n{title}")
        body, more, rest = after.partition("\n[")
        if not lines:
            assert found, title
            text = f"{before}{more}{rest}"
            continue
        new = {line.partition("=")[0].strip() for line in lines.splitlines()}
        kept = [line for line in body.splitlines() if line.partition("=")[0].strip() not in new]
        text = "\n".join([before, title, lines, *kept[1:]]) + more + rest
    path = Path(_folder(), f"{name}.toml")
    path.write_text(text)
    return load_board(path)


@cache
def _folder() -> str:
    return tempfile.mkdtemp(prefix="wrench-boards-")


_contents: dict[tuple[str, int, str], bytes] = {}


def content_of(board: Board, image: str = "stock") -> bytes:
    """Flash content with that kind of image and the firmware for a board."""
    key = (board.name, board.hash, image)
    if key not in _contents:
        _contents[key] = flashed(board, image)
    return _contents[key]


def content_with(changed: Mapping[str, str], board: Board = BOARD, image: str = "stock") -> bytes:
    """The same with other texts for some modules of the firmware."""
    with VirtualBench(bare_flash(find_named(image))) as bench:
        texts = {path: text.encode() for path, text in changed.items()}
        flash(bench.open(CONSOLE), deployment(board, texts))
        return bench.read_flash()


class Rig:
    """One board under test. Times are device time in seconds unless their name says otherwise.

    Time begins with the first step: until then the machine may be put into any condition in which
    power is to find it. The link opens when it is first used.
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
        emulator: str = DEFAULT_EMULATOR,
    ):
        assembly = assemble(
            board,
            content,
            condition=condition,
            seed=seed,
            step_ns=step_ns,
            flash_times_ns=flash_times_ns,
            emulator=emulator,
        )
        self._step_s = step_ns / 1e9
        self.board = board
        self.bench = assembly.bench
        self.machine = assembly.machine
        self.plant = assembly.machine.machine
        self.status: Frame | None = None
        self.features: list[Frame] = []
        self.events: list[Frame] = []
        self.highest_duty = 0.0
        self.highest_speed_rpm = 0.0
        self._link: Link | None = None
        self._holding: list[Callable[[], None]] = []
        self._edges_s: list[float] = []
        self.fell_s: float | None = None  # when the driver was disabled, if it is
        self.flash_writes: list[tuple[str, float, float]] = []  # as in `StepSeen`, all of them
        self.bench.on_step.append(self._watch)
        self.machine.on_reading.append(self._feel)

    # -- what the pins and the shaft did -------------------------------------------------
    def _watch(self, seen: StepSeen) -> None:
        self.flash_writes += seen.flash_writes
        duty = self.duty_of(seen)
        self.highest_duty = max(self.highest_duty, duty)
        motor = self.board.motor
        pin = seen.pins[motor.pwm_pin if motor.enable_pin is None else motor.enable_pin]
        if seen.powered and pin.falls and pin.level == 0:
            self.fell_s = pin.edges_ns[-1] / 1e9
        elif pin.level or not seen.powered:
            self.fell_s = None

    def _feel(self, reading: Reading) -> None:
        for act in self._holding:
            act()
        if self.machine.drive.duty <= 0.0:
            self._edges_s.clear()
            return
        begin_s = reading.time_s - self._step_s
        pulses = self.plant.parameters.tacho_pulses_per_turn
        for edge_s in reading.tacho_edge_s:
            self._edges_s.append(begin_s + float(edge_s))
            if len(self._edges_s) > pulses:
                turn_s = self._edges_s[-1] - self._edges_s[-1 - pulses]
                self.highest_speed_rpm = max(self.highest_speed_rpm, 60.0 / turn_s)

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
        """Duty on the PWM pin, 0 where the driver is not enabled, as a logic analyser sees it."""
        seen = self.bench.seen
        assert seen is not None
        return self.duty_of(seen)

    @property
    def plant_speed_rpm(self) -> float:
        """The shaft's true speed."""
        assert self.machine.reading is not None
        return self.machine.reading.speed_rpm

    def off_after(self, begin_s: float, within_s: float) -> float:
        """Seconds from `begin_s`, which is now or will be, to the fall of the enable pin (of the
        PWM pin where there is none), after which it stays low for 10 ms; fails where it does not
        fall in time.
        """
        self.fell_s = None
        end_s = self.bench.now_s + within_s
        while self.bench.now_s < end_s:
            self.pass_time(self._step_s)
            if self.fell_s is not None and self.bench.now_s - self.fell_s > 0.01:
                return self.fell_s - begin_s
        raise AssertionError("the driver is still enabled")

    # -- time ----------------------------------------------------------------------------
    def pass_time(self, duration_s: float) -> None:
        """Let time pass, taking in what frames there are."""
        end_s = self.bench.now_s + duration_s
        while self.bench.now_s < end_s - 1e-6:
            self.bench.advance(0)
            self._take_waiting()

    def wait_for(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Let time pass until the condition holds; False where it does not in time."""
        end_s = self.bench.now_s + within_s
        while not condition():
            if self.bench.now_s >= end_s:
                return False
            self.pass_time(self._step_s)
        return True

    def hold(self, act: Callable[[], None] | None) -> None:
        """Do this at every step from now on; None ends all such."""
        if act is None:
            self._holding.clear()
        else:
            self._holding.append(act)

    # -- the link ------------------------------------------------------------------------
    @property
    def link(self) -> Link:
        """The open link; opens it where it is not."""
        if self._link is None:
            self._link = Link(self.bench.open(LINK))
        return self._link

    @property
    def open_link(self) -> Link | None:
        """The link where it is open."""
        return self._link

    def leave(self) -> None:
        """The host closes its port and is gone."""
        if self._link is not None:
            self._link.port.close()
        self._link = None
        self.status = None

    def reconnect(self) -> Frame:
        """The host is there again; returns the board's greeting once a status has come as well."""
        self._link = None
        self.status = None
        greeting = self.link.hello()
        assert self.wait_for(lambda: self.status is not None, 1.0)
        return greeting

    def _take_waiting(self) -> None:
        if self._link is None:
            return
        try:
            while frame := self._link.receive(0.0):
                self._take(frame)
        except PortError:
            return  # the board has gone from the bus: time passes all the same

    def _take(self, frame: Frame) -> None:
        if frame.name == "status":
            self.status = frame
        elif frame.name == "event":
            self.events.append(frame)
        elif frame.name == "features":
            self.features.append(frame)

    @property
    def mode(self) -> str:
        """The mode of the last status frame."""
        return str(self.status["mode"]) if self.status else "unknown"

    @property
    def fault(self) -> str:
        """The latched fault of the last status frame."""
        return str(self.status["fault"]) if self.status else "unknown"

    def trips(self, within_s: float = 1.0) -> str:
        """Wait for the trip to be told; returns its fault."""
        assert self.wait_for(lambda: self.mode == "tripped", within_s), self.mode
        return self.fault

    @property
    def limit(self) -> str:
        """What binds, by the last status frame."""
        return str(self.status["limit"]) if self.status else "unknown"

    def flag(self, name: str) -> bool:
        """A flag of the last status frame."""
        return bool(self.status and self.status["flags"] >> wire.FLAGS.index(name) & 1)

    def log(self) -> list[Event]:
        """The black box's events of this boot."""
        events = list(self.link.log())
        return [event for event in events if event.boot == events[-1].boot]

    def happened(self, name: str, detail: int | None = None) -> list[Event]:
        """Those of that name."""
        return [e for e in self.log() if e.name == name and detail in (None, e.detail)]

    # -- running -------------------------------------------------------------------------
    def ready(self) -> None:
        """Wait until the self-test is over, nothing is wrong, and a run may begin."""
        assert self.link
        assert self.wait_for(
            lambda: self.mode == "idle" and self.flag("window settled"), _BOOTED_WITHIN_S
        ), (self.mode, self.fault)

    def run(self, speed_permille: int = 1000, until_steady: bool = True) -> None:
        """Start the motor over the link, and wait until the ramp is over."""
        self.ready()
        self.link.run(speed_permille)
        if until_steady:
            assert self.wait_for(lambda: self.mode == "running", 8.0), (self.mode, self.fault)
            self.pass_time(0.3)

    def run_alone(self, ceiling_permille: int) -> None:
        """Start at the board's button with no host there, and wait until the ramp is over."""
        self.ready()
        self.link.command("set_limit", ceiling_permille)
        self.leave()
        self.press_start()
        ramp_s = ceiling_permille / 10.0 / self.board.motor.ramp_up_percent_per_s
        self.pass_time(ramp_s + 0.3)
        assert self.duty_at_pin > 0.0, "the button has not started it"

    def reset(self, within_s: float = 2.0) -> None:
        """Reset the trip, whose cause is gone; the board may have to measure that first, and
        measures nothing while it writes the waveform.
        """
        end_s = self.bench.now_s + within_s
        while True:
            try:
                self.link.command("reset_trip")
                return
            except RefusedError:
                if self.bench.now_s >= end_s:
                    raise
            self.pass_time(0.2)

    def press_start(self) -> None:
        """Hold the button for as long as starting takes."""
        self.machine.press_button()
        assert self.wait_for(lambda: self.duty_at_pin > 0.0, BUTTON_STARTS_S)
        self.machine.press_button(False)

    def stream_command(self) -> bytes:
        """A `stream` command as it goes over the wire, for tests that expect no reply."""
        return encode("stream", 1, 1)
