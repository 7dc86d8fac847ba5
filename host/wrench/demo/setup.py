"""A board got ready as a person would do it: image, flashing over its USB, restart, greeting."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from wrench import image as images
from wrench.bench.assemble import bare_flash, machine_of, signal_of
from wrench.bench.emulator.runtime import installed_emulator
from wrench.bench.plant import Plant, Playback, Replay, SensorSignal, scenario
from wrench.bench.virtual import CONSOLE, LINK, VirtualBench
from wrench.bench.wiring import WiredMachine
from wrench.boards import Board, load_board
from wrench.demo.interrupts import Interrupts
from wrench.demo.pins import MotorPins
from wrench.demo.record import Record, SetUp
from wrench.deploy import deployment
from wrench.errors import FlashError, LinkError
from wrench.flash import flash, restart
from wrench.image import Progress, Step
from wrench.link import Link
from wrench.monitor import readings

_BOARD = "pico-adxl345"
_RECORDING_S = 40.0
_SETTLE_S = 5.0
_RESTART_S = 3.0


@dataclass(frozen=True)
class Options:
    """What a person may choose.

    `replay` is a recording to play into the sensor. `speed` is how many times faster than real
    time the run goes where this machine can; 0 is as fast as it can.
    """

    replay: str | None = None
    seed: int = 1
    speed: float = 1.25


class Ready(AbstractContextManager["Ready"]):
    """An emulated board and its machine, flashed and greeted; closing ends the emulator.

    Parameters
    ----------
    options
        See `Options`.
    progress
        Is told each step.
    interrupts
        Are taken between the emulator's steps.
    flash_image
        Content of the flash chip with the firmware on it already; flashing is skipped.

    Raises
    ------
    WrenchError
        No image, no recording, no emulator, or the board does not answer.
    """

    def __init__(
        self,
        options: Options,
        progress: Progress,
        interrupts: Interrupts,
        flash_image: bytes | None = None,
    ) -> None:
        self.board: Board = load_board(_BOARD)
        signal = signal_of(self.board, options.seed)
        condition = scenario("healthy" if options.replay else "demo")
        self.replay: Replay | None = None
        if options.replay:
            self.replay = _recording(options, signal)
            name = Path(options.replay).name
            self.record = Record(self.board, f"recording {name}", recording=name)
            self.record.notes = [
                f"The sensor feels {name} once, from the board's greeting on.",
                *self.replay.notes,
            ]
        else:
            self.record = Record(
                self.board, "a bearing wearing out", compression=condition.wear_time_scale
            )
            self.record.notes = [condition.compression] if condition.compression else []
        if flash_image is None:
            flash_image, self.record.setup.image = _image(progress)
            flashed = False
        else:
            flashed = True
        installed_emulator(lambda text: progress(Step("emulator", text)))
        self.plant = Plant(machine_of(self.board), condition, options.seed, signal.site())
        self.machine = WiredMachine(self.board, self.plant, signal)
        interrupts.defer()
        self.bench = VirtualBench(flash_image, self.machine)
        try:
            self.bench.on_step.append(interrupts.check)
            if not flashed:
                _flash(self.bench, self.board, self.record.setup, progress)
            self.link = self._greet(progress)
        except BaseException:
            self.bench.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bench.close()

    def watch_pins(self) -> MotorPins:
        """A watcher of the motor's pins on device time, from now on."""
        pins = MotorPins(self.board.motor, self.bench.resets[-1][0] if self.bench.resets else 0.0)
        self.bench.on_step.append(pins.see)
        return pins

    def _greet(self, progress: Progress) -> Link:
        progress(Step("greeting", "waiting for the firmware"))
        link = Link(self.bench.open(LINK))
        greeting = link.hello()
        name, version, python = (
            greeting[key] for key in ("board_name", "firmware_version", "micropython_version")
        )
        setup = self.record.setup
        setup.firmware_version, setup.micropython_version = version, python
        text = f"{name}: firmware {version} on MicroPython {python}"
        progress(Step("greeting", text, done=True))
        if self.replay:
            self.plant.replay = self.replay
            self.record.recording_end_s = greeting.time_us / 1e6 + self.replay.duration_s
        deadline = self.bench.now_s + _SETTLE_S
        while self.bench.now_s < deadline:
            frame = link.receive(1.0)
            if not frame or frame.name != "status":
                continue
            status = readings.status(frame)
            if status.mode == "idle" and status.settled:
                return link
            if status.mode == "tripped":
                raise LinkError(
                    f"the emulated board's self-test ends with {status.fault!r}; "
                    "choose another --seed or recording"
                )
        raise LinkError(
            f"the emulated board's self-test does not end within {_SETTLE_S:g} s; "
            "choose another --seed or recording"
        )


def _recording(options: Options, signal: SensorSignal) -> Replay:
    assert options.replay
    return Replay(
        Playback(options.replay),
        signal.rate_hz,
        float(signal.range_g),
        options.seed,
        seconds=_RECORDING_S,
    )


def _image(progress: Progress) -> tuple[bytes, str]:
    """The flash chip's content with MicroPython alone, and the image in words."""
    found = images.find("stock", progress=_without_path(progress))
    words = f"MicroPython {found.version}, {found.kind}"
    progress(Step("image", words, done=True))
    return bare_flash(found), words


def _without_path(progress: Progress) -> Callable[[Step], None]:
    def report(step: Step) -> None:
        if not (step.phase == "cache" and step.done and "corrupt" not in step.text):
            progress(step)

    return report


def _flash(bench: VirtualBench, board: Board, setup: SetUp, progress: Progress) -> None:
    progress(Step("board", "starting the emulated RP2040"))
    started = time.monotonic()
    wanted = deployment(board)
    console = bench.open(CONSOLE)
    progress(
        Step("board", "emulated RP2040, the real image byte for byte; its REPL answers", done=True)
    )

    def show(done: int, total: int) -> None:
        progress(Step("flash", f"{done / 1000:.1f} of {total / 1000:.1f} kB", done / total))

    progress(Step("flash", "comparing files", 0.0))
    report = flash(console, wanted, show)
    restart(console)
    deadline = bench.now_s + _RESTART_S
    while console.is_open:
        if bench.now_s > deadline:
            raise FlashError("the emulated board does not restart; run the demo again")
        bench.advance(0)
    setup.files, setup.bytes_sent = len(report.written), report.bytes_sent
    setup.flash_wall_s = time.monotonic() - started
    text = (
        f"{setup.files} files, {setup.bytes_sent / 1000:.1f} kB over USB, checked; board restarted"
    )
    progress(Step("flash", text, 1.0, done=True))
