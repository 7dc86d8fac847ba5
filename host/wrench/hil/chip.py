"""A bare emulated RP2040 that runs MicroPython, for tests of code for the chip.

::

    with Chip(files={"/blink.py": source}) as chip:
        chip.execute("import blink; blink.start(15)")
        chip.pass_time(1.0)
        assert chip.duty(15) == pytest.approx(0.5, abs=0.01)

Time on the chip passes only while something waits for it here, so the same test does the same thing
on any computer.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from wrench.bench.assemble import installed
from wrench.bench.emulator import PinSeen, StepRequest, StepSeen
from wrench.bench.virtual import CONSOLE, STEP_NS, BenchPort, VirtualBench
from wrench.hil.observation.excerpt import Line
from wrench.hil.observation.timeline import Timeline
from wrench.raw_repl import RawRepl, TransportError
from wrench.transport import Port

PINS = range(29)
"""GP0 to GP28, all that a Pico has."""

P = TypeVar("P", bound=Port)

_REFERENCE_V = 3.3
_MOST_CODE = 4095
_FIRST_ADC_GPIO = 26


class CodeError(Exception):
    """Code on the chip has raised an exception; the text is the chip's traceback."""


class Wiring:
    """What is wired to the chip: nothing that does anything by itself. A subclass fills in
    `power_on` and `step` where something does.

    `devices` are sensors on the chip's buses, as the emulator takes them; `adc` holds the 12-bit
    code at channels of the chip's converter (0 is GP26), for all time to come.
    """

    def __init__(
        self, watched: Iterable[int] = PINS, devices: Iterable[dict[str, object]] = ()
    ) -> None:
        self.watched_gpio = list(watched)
        self.devices = list(devices)
        self.adc: dict[int, int] = {}

    def power_on(self, now_ns: int) -> list[tuple[float, int, int | None]]:
        """Power has come at `now_ns`: the levels that the wiring gives to undriven pins, each as
        (ns from now, GPIO, 0 or 1)."""
        del now_ns
        return []

    def step(self, request: StepRequest, start_ns: int, seen: StepSeen | None) -> None:
        """Fill in what the chip will feel during the step that begins at `start_ns`; `seen` is what
        its pins did two steps before."""
        del start_ns, seen
        request.adc |= self.adc


class Repl(Generic[P]):
    """The raw REPL of a board whose console `open_console` opens; it is entered, and what runs
    there is interrupted, when it is first used, and again after the board has been reset or without
    power."""

    def __init__(self, open_console: Callable[[], P]) -> None:
        self._open_console = open_console
        self._port: P | None = None
        self._raw: RawRepl | None = None

    @property
    def console(self) -> P:
        """The host's end of the console, open. Raises PortError where the board shows none."""
        if self._port is None or not getattr(self._port, "is_open", True):
            self._port = self._open_console()
            self._raw = None
        return self._port

    def close(self) -> None:
        """Interrupt what runs there, and let go of the console."""
        port, self._port, self._raw = self._port, None, None
        if port is not None:
            port.write(b"\x03")
            port.close()

    def begin(self, code: str) -> None:
        """Start code, and do not wait for its end; what it prints comes to `console`, with what the
        REPL says of its own at the end."""
        self._begin(code)

    def execute(self, code: str, timeout_s: float = 20.0) -> str:
        """Run code to its end; what it has printed, lines ending in a line feed.

        Names live on from one call to the next. Raises CodeError where the code does, and
        TimeoutError where it says nothing for `timeout_s` of device time: it is interrupted by the
        next call.
        """
        raw = self._begin(code)
        try:
            printed, error = raw.follow(timeout_s)
        except TransportError as fault:
            raise TimeoutError(
                f"the code on the chip has said nothing for {timeout_s:g} s of device time"
            ) from fault
        self._raw = raw
        if error:
            raise CodeError(_text(error).strip())
        return _text(printed)

    def evaluate(self, expression: str, timeout_s: float = 20.0) -> Any:
        """The value of an expression: None, a number, text, bytes, or a tuple, list, set or dict of
        such."""
        return ast.literal_eval(self.execute(f"print(repr({expression}))", timeout_s).strip())

    def _begin(self, code: str) -> RawRepl:
        """The REPL while the code runs; whoever follows it to the end puts it back."""
        console = self.console
        raw, self._raw = self._raw, None
        try:
            if raw is None:
                raw = RawRepl(console)
                raw.enter_raw_repl(soft_reset=False)
            raw.exec_raw_no_follow(code)
        except TransportError as error:
            raise TimeoutError(f"the chip's REPL does not answer: {error}") from error
        return raw


def _text(said: bytes) -> str:
    return said.decode(errors="replace").replace("\r\n", "\n")


@dataclass
class _Stretch:
    """What one pin has done since a stretch of time began; `edges` is None where some of its
    edges were too close together to be kept."""

    level: int = 0
    high_ns: float = 0.0
    rises: int = 0
    falls: int = 0
    edges: list[tuple[float, int]] | None = field(default_factory=list)

    def take(self, seen: PinSeen, lasted_ns: float) -> None:
        self.high_ns += seen.high * lasted_ns
        self.rises += seen.rises
        self.falls += seen.falls
        if self.edges is not None and seen.rises + seen.falls == len(seen.edges_ns):
            level = self.level
            for at_ns in seen.edges_ns:
                level = 1 - level
                self.edges.append((at_ns / 1e9, level))
        else:
            self.edges = None
        self.level = seen.level


class Chip:
    """An emulated RP2040 with an image and some files, its REPL, and what its pins do.

    `image` is the name of a kind of image ("stock", "wrench") or the path of a UF2 file. `files`
    maps paths on the chip to what they hold; a `/main.py` among them runs when the power comes,
    until the REPL is first used. `flash` may give the content of a whole flash chip instead of
    both. `watched` are the pins that are observed, and `wiring` is what else surrounds the chip
    (its own `watched_gpio` counts then).

    What is observed (`duty`, `edges_s`, `rises`, `falls`) is of the last stretch of time, which
    begins with every `pass_time`, `execute` and `evaluate`. Times are device time in seconds, from
    the first power-up on. Raises ImageError, BenchError, FlashError.
    """

    def __init__(
        self,
        image: str = "stock",
        files: Mapping[str, bytes | str] | None = None,
        *,
        flash: bytes | None = None,
        watched: Iterable[int] = PINS,
        wiring: Wiring | None = None,
        step_ns: int = STEP_NS,
        xip_miss_cycles: int = 0,
        flash_times_ns: dict[str, int] | None = None,
        trace: bool = False,
    ) -> None:
        content = installed(image, files or {}) if flash is None else flash
        self.wiring = wiring or Wiring(watched)
        self.bench = VirtualBench(
            content,
            self.wiring,
            step_ns=step_ns,
            xip_miss_cycles=xip_miss_cycles,
            flash_times_ns=flash_times_ns,
            trace=trace,
        )
        self._repl = Repl(lambda: self.bench.open(CONSOLE))
        self._pins: dict[int, _Stretch] = {}
        self._until_ns = 0.0
        self._lasted_ns = 0.0  # the stretch, summed as the time for which a pin was high
        self.bench.on_step.append(self._take)

    # -- time and power ------------------------------------------------------------------
    @property
    def now_s(self) -> float:
        """Device time up to which everything has been computed."""
        return self.bench.now_s

    def pass_time(self, duration_s: float) -> None:
        """Let time pass, in whole steps (of 5 ms), one at least."""
        self._begin_stretch()
        self.bench.advance(duration_s)

    def cycle_power(self, off_s: float = 0.01) -> None:
        """Take the power away at once, for so long; flash alone keeps what it holds."""
        self._begin_stretch()
        self.bench.cut_power()
        self.bench.advance(off_s)
        self.bench.restore_power()

    # -- code ----------------------------------------------------------------------------
    @property
    def console(self) -> BenchPort:
        """The host's end of the console, as a serial port, open; waiting for it lets time pass."""
        return self._repl.console

    def execute(self, code: str, timeout_s: float = 20.0) -> str:
        """See `Repl.execute`."""
        self._begin_stretch()
        return self._repl.execute(code, timeout_s)

    def evaluate(self, expression: str, timeout_s: float = 20.0) -> Any:
        """See `Repl.evaluate`."""
        self._begin_stretch()
        return self._repl.evaluate(expression, timeout_s)

    def begin(self, code: str) -> None:
        """See `Repl.begin`."""
        self._begin_stretch()
        self._repl.begin(code)

    # -- pins ----------------------------------------------------------------------------
    def drive(self, gpio: int, level: int | None, after_s: float = 0.0) -> None:
        """Drive a pin from outside (0, 1) or let go (None), `after_s` into the next step."""
        self.bench.drive_pin(gpio, level, after_s * 1e9)

    def set_voltage(self, gpio: int, volts: float) -> None:
        """Put a voltage, 0 to 3.3 V, on a pin of the converter (GP26 to GP29) from now on."""
        code = round(volts / _REFERENCE_V * _MOST_CODE)
        self.wiring.adc[gpio - _FIRST_ADC_GPIO] = min(max(code, 0), _MOST_CODE)

    def pin(self, gpio: int) -> int:
        """The level of a watched pin now."""
        return self._stretch(gpio).level

    def duty(self, gpio: int) -> float:
        """The part of the last stretch of time for which a watched pin was high."""
        high_ns = self._stretch(gpio).high_ns
        return high_ns / self._lasted_ns if high_ns else 0.0

    def rises(self, gpio: int) -> int:
        """How often a watched pin rose in the last stretch of time."""
        return self._stretch(gpio).rises

    def falls(self, gpio: int) -> int:
        """How often a watched pin fell in the last stretch of time."""
        return self._stretch(gpio).falls

    def edges_s(self, gpio: int) -> list[tuple[float, int]]:
        """Time of each edge of a watched pin in the last stretch of time, and the level after it.

        Raises ValueError where one step had more than 64 edges.
        """
        edges = self._stretch(gpio).edges
        if edges is None:
            raise ValueError(
                f"GP{gpio} had more than 64 edges in one step; "
                "use `duty`, `rises` and `falls`, or give the chip a shorter step_ns"
            )
        return edges

    def _stretch(self, gpio: int) -> _Stretch:
        if gpio in self._pins:
            return self._pins[gpio]
        if gpio not in self.wiring.watched_gpio:
            raise ValueError(f"GP{gpio} is not watched; name it in the chip's `watched`")
        return _Stretch()  # no time has passed yet

    def _begin_stretch(self) -> None:
        self.bench.settle()
        self._lasted_ns = 0.0
        self._pins = {gpio: _Stretch(it.level) for gpio, it in self._pins.items()}

    def _take(self, seen: StepSeen) -> None:
        lasted_ns = seen.now_ns - self._until_ns
        self._until_ns = seen.now_ns
        self._lasted_ns += lasted_ns
        for gpio, pin in seen.pins.items():
            self._pins.setdefault(gpio, _Stretch()).take(pin, lasted_ns)

    def timeline(self) -> Timeline:
        """What happens to the chip from now on, and what is done to it."""
        lines = [Line(f"GP{gpio}", gpio) for gpio in self.wiring.watched_gpio]
        timeline = Timeline(self.bench, lines, name="chip", serial=("console",), busy_alone=True)
        timeline.note_calls(self, ("drive", "set_voltage", "cycle_power", "execute", "begin"))
        return timeline

    # ------------------------------------------------------------------------------------
    def close(self) -> None:
        """End the emulator."""
        self.bench.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
