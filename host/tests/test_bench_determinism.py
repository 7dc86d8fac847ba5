"""Stepped, a virtual bench is a function of its seed and of what is sent at which step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest

from wrench.bench.assemble import assemble
from wrench.bench.emulator import StepSeen
from wrench.bench.virtual import CONSOLE, LINK, STEP_NS, VirtualBench
from wrench.boards import Board
from wrench.link import Decoder, encode

STEP_S = STEP_NS / 1e9
STRIDE = 20
HELLO, RUN, STOP, END = 400, 780, 940, 980
COMMANDS = {step: encode("heartbeat", step) for step in range(RUN, STOP, STRIDE)} | {
    HELLO: encode("hello", 1),
    RUN: encode("run", 2, 400),
    STOP: encode("stop", 3),
}


@dataclass
class Notes:
    """What the outside of a bench saw."""

    console: bytes
    link: bytes
    pins: str
    resets: int
    driven: float

    def names(self) -> set[str]:
        return {frame.name for frame in Decoder().feed(self.link)}


class _End:
    """Notes what the board sends, and is opened again whenever the board comes back."""

    def __init__(self, bench: VirtualBench, function: int) -> None:
        self._bench, self._function, self._open = bench, function, False
        self.data = b""

    def before_step(self) -> None:
        if not self._open and self._bench.serial_functions > self._function:
            self._open = True
            self._bench.attach(self._function, self)

    def received(self, data: bytes) -> None:
        self.data += data

    def lost(self) -> None:
        self._open = False
        self._bench.detach(self._function)


def _run(board: Board, flash: bytes, *, seed: int = 1, steps: int = END, by: int = STRIDE) -> Notes:
    """Boot and run `steps` steps, `by` in a call, with the commands at their steps."""
    assembly = assemble(board, flash, seed=seed)
    pins = hashlib.sha256()
    driven = 0.0

    def watch(seen: StepSeen) -> None:
        nonlocal driven
        pins.update(repr(seen.pins).encode())
        driven = max(driven, seen.pins[board.motor.pwm_pin].high)

    with assembly.bench as bench:
        bench.on_step.append(watch)
        ends = [_End(bench, CONSOLE), _End(bench, LINK)]
        for step in range(0, steps, STRIDE):
            for end in ends:
                end.before_step()
            if step in COMMANDS:
                bench.send(LINK, COMMANDS[step])
            for _ in range(STRIDE // by):
                bench.advance(by * STEP_S)
        # A wait for the flash chip may end a poll behind a step.
        assert bench.now_s == pytest.approx(steps * STEP_S, abs=1e-3)
        console, link = (end.data for end in ends)
        return Notes(console, link, pins.hexdigest(), len(bench.resets), driven)


@pytest.fixture(scope="module")
def whole_run(board: Board, flashed_flash: bytes) -> Notes:
    return _run(board, flashed_flash)


def test_the_run_is_worth_comparing(whole_run: Notes) -> None:
    assert {"greeting", "reply", "status", "features"} <= whole_run.names()
    assert whole_run.driven > 0.12, "the motor was driven"
    assert whole_run.resets == 0


def test_one_seed_gives_the_same_bytes_and_the_same_pins(
    board: Board, flashed_flash: bytes, whole_run: Notes
) -> None:
    assert _run(board, flashed_flash) == whole_run


def test_how_many_steps_a_call_takes_changes_nothing(
    board: Board, flashed_flash: bytes, whole_run: Notes
) -> None:
    assert _run(board, flashed_flash, by=1) == whole_run


def test_another_seed_gives_others(board: Board, flashed_flash: bytes, whole_run: Notes) -> None:
    other = _run(board, flashed_flash, seed=2, steps=RUN)
    assert len(other.link) > 1000
    assert other.link != whole_run.link[: len(other.link)]
