"""The run as plain lines: one for each second of device time, one for each event and phase."""

from __future__ import annotations

from typing import TextIO

from wrench.demo.record import Event, Phase, Record
from wrench.image import Step
from wrench.monitor.symbols import Symbols


class Lines:
    """A watcher of the story that writes whole lines and no control characters."""

    def __init__(self, out: TextIO, symbols: Symbols) -> None:
        self._out = out
        self._symbols = symbols
        self._phase: Phase | None = None
        self._told: set[Event] = set()
        self._second = -1
        self._quarters: dict[str, int] = {}

    def step(self, step: Step) -> None:
        """One line for each step begun and done, and for each quarter of a long one."""
        quarter = 4 if step.done else int((step.fraction or 0.0) * 4)
        if quarter > self._quarters.get(step.phase, -1):
            self._quarters[step.phase] = quarter
            share = "" if step.fraction is None or step.done else f"{step.fraction:4.0%} "
            self._line(f"{step.phase:>9}  {share}{step.text}")

    def begin(self, record: Record) -> None:
        """What is going to be seen."""
        for note in record.notes:
            self._line(f"{'note':>9}  {note}")

    def tick(self, record: Record) -> None:
        """Whatever is new."""
        if record.phase != self._phase and record.phase in record.phases:
            self._phase = record.phase
            self._line(f"{record.phases[record.phase]:7.2f} s  phase: {record.phase.title}")
        for event in record.events:
            if event not in self._told:
                self._told.add(event)
                self._line(f"{event.time_s:7.2f} s  {event.seen_by}: {event.text}")
        if int(record.now_s) > self._second and record.statuses:
            self._second = int(record.now_s)
            self._line(reading(record))

    def _line(self, text: str) -> None:
        self._out.write(
            "".join(c if c.isprintable() else "?" for c in self._symbols.fold(text)) + "\n"
        )
        self._out.flush()


def _told(value: float | None, code: str) -> str:
    return "?" if value is None else f"{value:{code}}"


def reading(record: Record) -> str:
    """The last readings in one line."""
    status = record.statuses[-1]
    crest = record.windows[-1].crest if record.windows else 0.0
    losses = record.losses
    held = f", {status.limit}" if status.limit != "none" else ""
    return (
        f"{record.now_s:7.2f} s  {status.mode}{held}: "
        f"command {100 * status.command:.0f} %, pin {100 * record.pin_duty:.0f} %, "
        f"{_told(status.speed_rpm, 'd')} rpm, "
        f"velocity {_told(status.velocity_mm_s, '.2f')} mm/s, "
        f"peak {_told(status.peak_g, '.2f')} g, crest {crest:.1f}, "
        f"{_told(status.bearing_c, '.1f')} °C, {_told(status.current_a, '.2f')} A, "
        f"{_told(status.supply_v, '.2f')} V, "
        f"lost {losses.samples}, dropped {losses.frames_dropped}, bad {losses.bad_frames}"
    )
