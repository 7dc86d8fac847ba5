"""The run itself, from the command to start until the shaft stands; a watcher is told."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from wrench.bench.emulator import StepSeen
from wrench.bench.virtual import Pacer
from wrench.demo.interrupts import Interrupts
from wrench.demo.pins import MotorPins
from wrench.demo.record import Event, Phase, Record, Weight
from wrench.demo.setup import Options, Ready
from wrench.errors import LinkError
from wrench.image import Step

_LONGEST_S = 75.0
_USUAL_S = 33.0
_COAST_S = 3.0
_SILENCE_S = 1.0
_LONGEST_WALL_S = 60.0
_RATE_OVER_S = 2.0
_JUDGED_AFTER_S = 4.0


class Watcher(Protocol):
    """Who is told how the story goes."""

    def step(self, step: Step) -> None:
        """Something of the set-up has been done, or goes on."""
        ...

    def begin(self, record: Record) -> None:
        """The board is ready and the run begins."""
        ...

    def tick(self, record: Record) -> None:
        """A frame has come: about 30 times a second of device time."""
        ...


def tell(
    options: Options,
    watcher: Watcher,
    interrupts: Interrupts | None = None,
    flash_image: bytes | None = None,
) -> Record:
    """Set up, run to the end, and return what happened; ends the emulator in any case.

    Parameters
    ----------
    options, watcher
        See there.
    interrupts
        See `Interrupts`; without one, a KeyboardInterrupt ends it wherever it happens to be.
    flash_image
        See `setup.Ready`.

    Raises
    ------
    WrenchError
        Something is missing, or the board does not do its part.
    """
    with Ready(options, watcher.step, interrupts or Interrupts(), flash_image) as ready:
        return _Run(ready, options, watcher).run()


class _Run:
    def __init__(self, ready: Ready, options: Options, watcher: Watcher) -> None:
        self._ready = ready
        self._record = ready.record
        self._watcher = watcher
        self._pins: MotorPins = ready.watch_pins()
        self._wall = time.monotonic()
        self._rate = _Rate()
        self._pace = options.speed
        self._warned = False

    def run(self) -> Record:
        ready, record = self._ready, self._record
        link, board = ready.link, ready.board
        watcher = self._watcher
        if self._pace > 0:
            ready.bench.on_step.append(_paced(Pacer(self._pace)))
        worn = _wear(ready)
        cap = board.motor.derate_cap
        record.begin(cap, ready.bench.now_s - self._offset_s())
        watcher.begin(record)
        link.run(round(cap * 1000))
        end_s = record.recording_end_s or record.start_s + _LONGEST_S
        while record.trip_s is None and record.now_s < end_s:
            self._take()
        if record.trip_s is None:
            record.enter(Phase.ENDED)
            link.stop()
        link.owns_run = False
        coast_end_s = record.now_s + _COAST_S
        while record.now_s < coast_end_s:
            self._take()
            if self._pins.off_s is not None:
                record.motor_off(self._pins.off_s)
                watcher.tick(record)
        record.enter(Phase.ENDED)
        if not record.recording:
            record.wear = (worn, _wear(ready))
        record.wall_s = time.monotonic() - self._wall
        watcher.tick(record)
        return record

    def _take(self) -> None:
        record, link = self._record, self._ready.link
        frame = link.receive(_SILENCE_S)
        if frame is None:
            raise LinkError(
                f"the emulated board has been silent for {_SILENCE_S:g} s; run the demo again, "
                "and report it with --seed if it stays so"
            )
        record.take(frame, link.decoder.missing_frames, link.decoder.bad_frames)
        record.pin_duty = self._pins.duty
        record.wall_s = time.monotonic() - self._wall
        record.real_time_factor = self._rate.factor(record.now_s)
        self._warn_if_slow()
        self._watcher.tick(record)

    def _offset_s(self) -> float:
        """The bench's time at which the chip's own clock began."""
        resets = self._ready.bench.resets
        return resets[-1][0] / 1e9 if resets else 0.0

    def _warn_if_slow(self) -> None:
        record = self._record
        factor = record.real_time_factor
        if self._warned or not factor or record.wall_s < _JUDGED_AFTER_S:
            return
        self._warned = True
        chosen = 0 < self._pace <= 1.1 * factor
        left_s = (record.recording_end_s or record.start_s + _USUAL_S) + _COAST_S - record.now_s
        if not chosen and record.wall_s + left_s / factor > _LONGEST_WALL_S:
            text = f"slow: {factor:.2f}× real, {left_s / factor:.0f} s to go"
            record.tell(Event(record.now_s, text, Weight.WATCH, "bench"))


def _wear(ready: Ready) -> float:
    return ready.machine.reading.wear if ready.machine.reading else 0.0


def _paced(pacer: Pacer) -> Callable[[StepSeen], None]:
    def wait(seen: StepSeen) -> None:
        ahead_s = pacer.ahead_s(seen.now_ns / 1e9)
        if ahead_s > 0.01:
            time.sleep(ahead_s)

    return wait


class _Rate:
    """How fast device time goes, over the last seconds of wall time."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, float]] = deque()

    def factor(self, device_s: float) -> float | None:
        """Device seconds per second of wall time; None until there is something to judge by."""
        now = time.monotonic()
        marks = self._marks
        marks.append((now, device_s))
        while now - marks[0][0] > _RATE_OVER_S:
            marks.popleft()
        wall_s = now - marks[0][0]
        return (device_s - marks[0][1]) / wall_s if wall_s > 0.25 else None
