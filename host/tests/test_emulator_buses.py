"""A sensor on the emulated I2C bus, driven by MicroPython's own driver."""

from __future__ import annotations

import array
import itertools
import json
from pathlib import Path

from wrench.bench.emulator import StepRequest, StepSeen
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


def test_an_accelerometer_answers_on_i2c_by_peripheral_and_by_pins():
    with Chip(wiring=SensorOnI2c()) as chip:
        out = chip.execute((Path(__file__).parent / "i2c_device.py").read_text())
    text: list[str] = out.splitlines()
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
