"""Translated code against the interpreter on the real firmware: twenty seconds of a machine, down
to each edge and each byte on the link.
"""

from __future__ import annotations

from dataclasses import asdict

import pytest

from wrench.bench.emulator import Emulator, StepSeen, processes
from wrench.bench.emulator.traffic import Trace
from wrench.boards import Board, load_board
from wrench.errors import BenchError
from wrench.hil.content import content_of
from wrench.hil.virtual_rig import VirtualRig

RUN_S, MISS_CYCLES = 20.0, 50
OTHER = load_board("pico-mpu6050-two-pwm")


def _machine_day(
    board: Board, flash: bytes, core: str, miss_cycles: int, run_s: float = RUN_S
) -> tuple[list[StepSeen], Trace, bytes]:
    """Boot, run, load, jam, trip, stand: what was seen of each step, the buses, and the memory."""
    steps: list[StepSeen] = []
    rig = VirtualRig(board, flash, core=core, xip_miss_cycles=miss_cycles)
    try:
        rig.bench.on_step.append(steps.append)
        rig.run(800)
        assert rig.duty_at_pin > 0.1
        rig.pass_time(2.0)
        rig.machine.set_load(0.6)
        rig.pass_time(3.0)
        rig.machine.jam()
        assert rig.trips(2.0) != "none"
        rig.machine.jam(False)
        rig.pass_time(run_s - rig.now_s)
        assert rig.features, "telemetry"
        return steps, rig.bench.trace(), rig.bench.read_memory(0x20000000, 0x42000)
    finally:
        rig.close()


@pytest.mark.parametrize("miss_cycles", [0, MISS_CYCLES])
def test_a_machines_day_is_the_same_translated_and_interpreted(
    board: Board, flashed_flash: bytes, miss_cycles: int
) -> None:
    translated, interpreted = (
        _machine_day(board, flashed_flash, core, miss_cycles) for core in ("translated", "fast")
    )
    for number, (ours, theirs) in enumerate(zip(translated[0], interpreted[0], strict=True)):
        assert asdict(ours) == asdict(theirs), f"step {number}"
    assert translated[1:] == interpreted[1:]
    assert translated[0][-1].now_ns >= RUN_S * 1e9
    xip = translated[0][-1].xip
    assert (xip is not None) == (miss_cycles > 0)
    if xip:
        assert xip["misses"] > 10_000


def test_nothing_of_a_chip_is_left_to_the_next_one_of_its_process(
    board: Board, flashed_flash: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[processes.Process] = []

    def started(command: list[str]) -> processes.Process:
        begun.append(start(command))
        return begun[-1]

    start = processes.started
    monkeypatch.setattr(processes, "started", started)
    monkeypatch.setattr(processes, "_kept", [])
    # Another board: other files in flash, and other code at the same places in SRAM.
    other = VirtualRig(OTHER, content_of(OTHER), core="translated")
    other.run(500)
    other.close()
    second = _machine_day(board, flashed_flash, "translated", 0, 13.0)
    assert len(begun) == 1
    monkeypatch.setattr(processes, "_kept", [])
    first = _machine_day(board, flashed_flash, "translated", 0, 13.0)
    assert len(begun) == 2
    for number, (ours, theirs) in enumerate(zip(second[0], first[0], strict=True)):
        assert asdict(ours) == asdict(theirs), f"step {number}"
    assert second[1:] == first[1:]


def test_a_core_that_there_is_not() -> None:
    with pytest.raises(BenchError, match="no such core: faster; there are translated, fast"):
        Emulator(b"", watched=[], devices=[], core="faster")
