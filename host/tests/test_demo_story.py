"""The demo's story on the emulated board, as fast as it goes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from wrench.demo.interrupts import Interrupts
from wrench.demo.record import Phase, Record
from wrench.demo.setup import Options
from wrench.demo.story import tell
from wrench.demo.summary import summary
from wrench.errors import RecordingError
from wrench.image import Step


class Notebook:
    """A watcher that writes down in which order things come."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.highest_duty = 0.0
        self.ticks = 0

    def note(self, text: str) -> None:
        if text not in self.order:
            self.order.append(text)

    def step(self, step: Step) -> None:
        if step.done:
            self.note(step.phase)

    def begin(self, record: Record) -> None:
        self.note("begin")

    def tick(self, record: Record) -> None:
        self.ticks += 1
        self.highest_duty = max(self.highest_duty, record.pin_duty)
        self.note(record.phase.title)
        if record.pin_off_s is not None:
            self.note("off at the pin")


def test_the_whole_story() -> None:
    notebook = Notebook()
    record = tell(Options(speed=0.0), notebook)

    assert notebook.order[:5] == ["image", "board", "flash", "greeting", "begin"]
    phases = [step for step in notebook.order[5:] if step != "off at the pin"]
    assert phases == ["spinning up", "at speed", "limited", "tripped", "ended"]
    assert record.setup.bytes_sent > 20_000

    assert record.first_limit is not None
    assert record.first_limit[1] == "vibration"
    assert record.fault == "vibration"
    assert 0.5 < notebook.highest_duty <= 0.705
    speeds = [status.speed_rpm or 0 for status in record.statuses]
    assert 0.55 * record.rated_rpm < max(speeds) <= 1.01 * 0.70 * record.rated_rpm
    assert record.trip_s is not None
    assert record.above_trip_s is not None
    assert record.pin_off_s is not None
    assert record.pin_off_s == pytest.approx(record.trip_s, abs=0.03)
    assert 0.25 < record.pin_off_s - record.above_trip_s < 0.65
    assert record.pin_duty == 0.0
    assert record.stop_s is not None
    assert record.elapsed_s < 60.0
    assert record.losses.samples == 0
    assert record.losses.frames == 0

    text = summary(record)
    for words in (
        "vibration became the limit",
        "tripped: vibration",
        "at the pin",
        "0 lost",
    ):
        assert words in text


def test_a_short_recording_plays_to_its_end(flashed_flash: bytes, tmp_path: Path) -> None:
    quiet = tmp_path / "quiet.npz"
    wave = 0.05 * np.sin(2 * np.pi * 50 * np.arange(30_000) / 12_000)
    np.savez(quiet, DE=wave.astype(np.float32), fs=12_000)
    record = tell(Options(replay=str(quiet), speed=0.0), Notebook(), flash_image=flashed_flash)
    assert record.trip_s is None
    assert record.phase == Phase.ENDED
    assert record.pin_off_s is not None
    assert record.pin_duty == 0.0
    assert any("quiet.npz" in note for note in record.notes)
    assert "There was no trip" in summary(record)


def test_an_interrupt_ends_the_emulator(flashed_flash: bytes) -> None:
    class Impatient(Notebook):
        def tick(self, record: Record) -> None:
            super().tick(record)
            if self.ticks == 5:
                os.kill(os.getpid(), signal.SIGINT)

    before = _children()
    interrupts = Interrupts()
    watcher = Impatient()
    with pytest.raises(KeyboardInterrupt), interrupts.watching():
        tell(Options(speed=0.0), watcher, interrupts, flashed_flash)
    assert watcher.ticks < 10
    assert _children() == before


def test_a_missing_recording_is_told_before_anything_starts() -> None:
    notebook = Notebook()
    with pytest.raises(RecordingError, match="no recording"):
        tell(Options(replay="/nowhere/at-all.npz"), notebook)
    assert notebook.order == []


def _children() -> set[str]:
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return set(path.read_text().split()) if path.exists() else set()
