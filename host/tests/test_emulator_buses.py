"""A sensor on the emulated I2C bus, driven by MicroPython's own driver, and what the bench's trace
tells of it."""

from __future__ import annotations

import array
import itertools
import json
from pathlib import Path

import pytest

from wrench.bench.emulator import StepRequest, StepSeen
from wrench.bench.emulator.traffic import Trace
from wrench.bench.virtual import CONSOLE
from wrench.hil.chip import Chip, Wiring

SDA, SCL = 2, 3


class SensorOnI2c(Wiring):
    """One ADXL345 on I2C, feeling a ramp."""

    def __init__(self) -> None:
        device: dict[str, object] = {
            "kind": "adxl345",
            "bus": "i2c",
            "i2c": 1,
            "sda": SDA,
            "scl": SCL,
            "address": 0x53,
            "int1": None,
            "period_ns": 1e9 / 3200,
        }
        super().__init__((), [device])
        self._next = 0

    def step(self, request: StepRequest, start_ns: int, seen: StepSeen | None) -> None:
        """Sixteen samples of x rising by two, y at rest, z at 1 g."""
        counts = array.array("h")
        for _ in range(round(request.duration_ns * 3200 / 1e9)):
            self._next = (self._next + 2) % 1000
            counts.extend((self._next, 0, 256))
        request.signal[0] = counts.tobytes()


@pytest.fixture(scope="module")
def conversation() -> tuple[str, Trace]:
    """What a script on the chip has printed, and what the bench has seen."""
    with Chip(wiring=SensorOnI2c(), trace=True) as chip:
        out = chip.execute((Path(__file__).parent / "i2c_device.py").read_text())
        chip.bench.step()
        traced = chip.bench.trace()
        chip.bench.settle()
    return out, traced


def test_an_accelerometer_answers_on_i2c_by_peripheral_and_by_pins(
    conversation: tuple[str, Trace],
) -> None:
    text: list[str] = conversation[0].splitlines()
    said = {name: value for name, _, value in (line.partition(" ") for line in text)}
    lines = [line for line in text if line.startswith("SAMPLE")]
    samples = [json.loads(line[7:]) for line in lines]
    assert said["SCAN"] == "[83]"
    assert said["IDENTITY"] == str(0xE5)
    assert said["BACK"] == "13 11"
    assert int(said["WAITING"]) >= 20
    x = [sample[0] for sample in samples]
    # 800 Hz of the sensor's 3,200: every fourth sample of a ramp of two.
    assert [b - a for a, b in itertools.pairwise(x)] == [8, 8]
    assert all(sample[1:] == [0, 256] for sample in samples)


def test_the_trace_tells_what_crossed_the_bus(conversation: tuple[str, Trace]) -> None:
    said, trace = conversation
    bus = [one for one in trace.transfers if one.kind == "i2c"]
    assert all(one.bus == 1 for one in bus)
    scanned = bus[: 0x78 - 0x08]
    assert [one.chip for one in scanned] == list(range(0x08, 0x78)), "bit by bit on the pins"
    assert [one.chip for one in scanned if not one.refused] == [0x53]
    rest = bus[len(scanned) :]
    told = [(one.reading, (one.received if one.reading else one.sent).hex()) for one in rest]
    assert told[:6] == [
        (False, "00"),
        (True, "e5"),
        (False, "2c0d"),
        (False, "310b"),
        (False, "3890"),
        (False, "2d08"),
    ]
    samples = [one.received for one in rest if one.received_bytes == 6]
    x = [int.from_bytes(sample[:2], "little", signed=True) for sample in samples]
    assert [f"SAMPLE [{it}, 0, 256]" for it in x] == said.splitlines()[-4:-1]
    bytes_each = [1 + max(one.sent_bytes, one.received_bytes) for one in rest]
    per_bit = [
        (one.end_ns - one.begin_ns) / (9 * n) for one, n in zip(rest, bytes_each, strict=True)
    ]
    assert all(2_500 <= it <= 3_100 for it in per_bit), "400 kHz, and the STOP"


def test_the_trace_tells_what_crossed_usb(conversation: tuple[str, Trace]) -> None:
    said, trace = conversation
    packets = [one for one in trace.transfers if one.kind == "usb"]
    assert {one.chip for one in packets} == {CONSOLE}
    sent = b"".join(one.sent for one in packets)
    assert said.replace("\n", "\r\n").encode() in sent
    received = b"".join(one.received for one in packets)
    assert (Path(__file__).parent / "i2c_device.py").read_bytes()[-64:] in received
    assert all(one.sent_bytes + one.received_bytes <= 64 for one in packets)
    assert all(one.end_ns > one.begin_ns for one in packets)
    setups = [one.received[:2] for one in trace.transfers if one.kind == "usb control"]
    set_address, set_configuration, set_line_state = b"\x00\x05", b"\x00\x09", b"\x21\x22"
    at = [setups.index(one) for one in (set_address, set_configuration, set_line_state)]
    assert at == sorted(at)
