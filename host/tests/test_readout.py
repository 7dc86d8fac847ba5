"""What a person reads of a board: one line a status, and what it means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scripted_board import ScriptedBoard, data_frame

from wrench import operation, readout
from wrench.errors import RefusedError, RunEndedError
from wrench.hints import fault_hint, limit_hint
from wrench.link import Decoder, Frame, Link
from wrench_firmware import wire

MEASURED = {
    "speed_rpm": 1836,
    "velocity_um_s": 1_230,
    "bearing_mdegc": 41_230,
    "current_ma": 1_810,
    "supply_mv": 11_960,
}


def status(**values: Any) -> Frame:
    """A status frame of a machine that runs; names instead of numbers for what has them."""
    known: dict[str, Any] = {"mode": "running", "limit": "derate cap", "fault": "none", **MEASURED}
    known |= {"derate_cap_permille": 700, "ceiling_permille": 700} | values
    tables = {"mode": wire.MODES, "limit": wire.LIMITS, "fault": wire.FAULTS}
    for name, names in tables.items():
        known[name] = names.index(known[name])
    (frame,) = Decoder().feed(data_frame("status", time_us=12_345_678, **known))
    return frame


def bits(names: tuple[str, ...], *which: str) -> int:
    """A mask with the bits of these names."""
    return sum(1 << names.index(name) for name in which)


def line(frame: Frame) -> str:
    """The line for it, with nothing lost."""
    return readout.line(frame, readout.Losses().update(frame, Decoder()))


def test_a_line_has_every_reading() -> None:
    shown = line(status(speed_command_permille=612))
    for words in (
        "12.3 s",
        "running",
        "61.2 %",
        "1836 rpm",
        "derate cap",
        "1.23 mm/s",
        "41.2 °C",
        "1.81 A",
        "11.96 V",
        "nothing lost",
    ):
        assert words in shown
    assert "alarm" not in shown


@pytest.mark.parametrize("sentinel", [wire.ABSENT, wire.BROKEN])
def test_what_is_not_measured_keeps_its_column(sentinel: int) -> None:
    shown = line(status(**dict.fromkeys(MEASURED, sentinel)))
    for words in ("- rpm", "- mm/s", "- °C", "- A", "- V"):
        assert f" {words}" in shown
    assert len(shown) == len(line(status()))


def test_a_line_names_the_alarms() -> None:
    shown = line(status(alarms=bits(wire.FAULTS, "vibration", "tacho lost")))
    assert shown.endswith("alarm: vibration, tacho lost")


@pytest.mark.parametrize("fault", wire.FAULTS[1:])
def test_a_trip_is_explained(fault: str) -> None:
    tripped = status(mode="tripped", fault=fault, limit="none", alarms=bits(wire.FAULTS, fault))
    assert fault in line(tripped)
    told = readout.explained(tripped)
    assert f"tripped: {fault}. {fault_hint(fault)}" in told
    assert sum(str(fault_hint(fault)) in text for text in told) == 1


@pytest.mark.parametrize("limit", wire.LIMITS[1:])
def test_what_holds_the_speed_is_explained(limit: str) -> None:
    assert f"held by: {limit}. {limit_hint(limit)}" in readout.explained(status(limit=limit))


@pytest.mark.parametrize("fault", wire.FAULTS[1:])
def test_an_alarm_is_explained(fault: str) -> None:
    told = readout.explained(status(alarms=bits(wire.FAULTS, fault)))
    assert [text for text in told if text.startswith("alarm")] == [
        f"alarm: {fault}. {fault_hint(fault)}"
    ]


def test_what_a_newer_board_says_is_told_without_a_hint() -> None:
    told = readout.explained(status(alarms=1 << 31))
    assert any(text.startswith("alarm: unknown 31. ") and "wrench flash" in text for text in told)


def test_the_ceiling_is_told_with_what_lowers_it() -> None:
    assert readout.ceiling(status(probation_step=3)) == (
        "ceiling: 70 % of rated speed, the derate cap; probation steps earned: 3"
    )
    assert "45 % of rated speed, below the derate cap of 70 %" in readout.ceiling(
        status(ceiling_permille=450)
    )


def test_flags_and_stray_bytes_are_told_where_there_are_any() -> None:
    flags = bits(wire.FLAGS, "unlocked at the board", "closed loop")
    told = readout.explained(status(flags=flags, stray_bytes=14, bad_frames=2))
    assert "also: unlocked at the board, closed loop" in told
    assert "not understood: 14 bytes on the ports, 2 bad frames" in told
    assert not [text for text in readout.explained(status()) if text.startswith(("also", "not"))]


def test_programs_get_names_for_bits_and_none_for_what_is_not_measured() -> None:
    frame = status(
        alarms=bits(wire.FAULTS, "envelope"),
        flags=bits(wire.FLAGS, "closed loop", "motor enabled"),
        driver_mdegc=wire.ABSENT,
    )
    told = json.loads(json.dumps(readout.values(frame)))
    assert told["alarms"] == ["envelope"]
    assert told["flags"] == ["motor enabled", "closed loop"]
    assert told["driver_mdegc"] is None
    assert (told["speed_rpm"], told["time_us"]) == (1836, 12_345_678)


@pytest.mark.parametrize("git_hash", [b"", b"0123abcd+"])
def test_a_board_is_told_by_all_its_hashes(git_hash: bytes) -> None:
    (greeting,) = Decoder().feed(
        data_frame(
            "greeting",
            board_name=b"pico-adxl345",
            firmware_version=b"0.2.0",
            micropython_version=b"1.26.1",
            firmware_hash=0x00C0FFEE,
            git_hash=git_hash,
            boot_count=41,
            reset_cause=wire.RESET_CAUSES.index("watchdog"),
            unique_id=bytes.fromhex("e661640843735300"),
        )
    )
    shown = readout.identity(greeting)
    git = f", git {git_hash.decode()}" if git_hash else ""
    assert f"pico-adxl345  firmware 0.2.0 (00c0ffee{git})  MicroPython 1.26.1 (stock)" in shown
    assert "boot 41, by watchdog  id e661640843735300" in shown


# ---- a run that has to wait ----------------------------------------------------------------------


class Hesitant:
    """A board that sends a status every 40 ms and refuses to run until `ready_s`."""

    def __init__(self, board: ScriptedBoard, reason: str, ready_s: float) -> None:
        self.board, self.reason, self.ready_us = board, reason, ready_s * 1e6
        board.answer, board.goes_on = self.answer, self.go_on

    def go_on(self) -> None:
        self.board.time_us += 40_000
        self.board.send("status", mode=wire.MODES.index("self-test"))

    def answer(self, name: str, sequence: int) -> None:
        waits = name == "run" and self.board.time_us < self.ready_us
        self.board.reply(name, sequence, self.reason if waits else "done")


@pytest.mark.parametrize("reason", ["sensor not ready", "too soon after the last stop"])
def test_a_run_waits_for_what_passes_by_itself(reason: str) -> None:
    board = ScriptedBoard()
    Hesitant(board, reason, ready_s=3.0)
    link = Link(board)
    operation.start(link, 500)
    assert link.owns_run
    assert 3.0e6 <= board.commands("run")[-1] < 3.2e6


@pytest.mark.parametrize(
    ("reason", "ready_s"), [("sensor not ready", 60.0), ("e-stop is open", 1.0)]
)
def test_a_run_does_not_wait_for_ever_nor_for_a_person(reason: str, ready_s: float) -> None:
    board = ScriptedBoard()
    Hesitant(board, reason, ready_s)
    with pytest.raises(RefusedError, match=reason):
        operation.start(Link(board), 500)
    assert board.time_us < 6e6


def test_a_tripped_board_does_not_run_and_says_where_to_look() -> None:
    board = ScriptedBoard()
    fault = wire.FAULTS.index("seizure")
    board.goes_on = lambda: board.send("status", mode=wire.MODES.index("tripped"), fault=fault)
    with pytest.raises(RunEndedError, match=r"tripped: seizure; .*`wrench status`.*`wrench reset`"):
        operation.start(Link(board), 500)
