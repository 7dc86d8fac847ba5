"""The assembler kernels on the emulated RP2040, against the viper references and the host's VM."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from micropython_vm import FIRMWARE
from test_features import worst_inputs

from wrench import image
from wrench.bench.emulator import StepRequest, StepSeen
from wrench.bench.virtual import CONSOLE, VirtualBench
from wrench.deploy import PACKAGE, Deployment, compile_module
from wrench.flash import flash
from wrench.raw_repl import RawRepl

HERE = Path(__file__).parent
MODULES = (
    "__init__",
    "features",
    "features_rp2",
    "framing",
    "kernels_rp2",
    "drivers/__init__",
    "drivers/adxl345",
)
CS_PIN, INT1_PIN = 17, 20
RATE_HZ = 3200
BOARD = f"""
class BOARD:
    VIBRATION_BUS = "spi"
    VIBRATION_BUS_NUMBER = 0
    VIBRATION_SCK_PIN = 18
    VIBRATION_MOSI_PIN = 19
    VIBRATION_MISO_PIN = 16
    VIBRATION_CS_PIN = {CS_PIN}
    VIBRATION_INT1_PIN = {INT1_PIN}
    VIBRATION_BAUDRATE_HZ = 5_000_000
    VIBRATION_RATE_HZ = {RATE_HZ}
    VIBRATION_WATERMARK_SAMPLES = 16
    VIBRATION_RANGE_MG = 16000
"""


class Ramp:
    """An ADXL345 that feels a ramp, two counts a sample, and nothing else around the board."""

    watched_gpio = [CS_PIN]  # noqa: RUF012
    devices: list[dict[str, object]] = [  # noqa: RUF012
        {
            "kind": "adxl345",
            "bus": "spi",
            "spi": 0,
            "cs": CS_PIN,
            "int1": INT1_PIN,
            "period_ns": 1e9 / RATE_HZ,
        }
    ]

    def __init__(self) -> None:
        self._next = 0

    def power_on(self, now_ns: int) -> list[tuple[float, int, int | None]]:
        del now_ns
        return []

    def step(self, request: StepRequest, start_ns: int, seen: StepSeen | None) -> None:
        del seen
        end = (start_ns + request.duration_ns) * RATE_HZ // 1_000_000_000 + 2
        x = (np.arange(self._next, end) * 2) % 8192 - 4096
        self._next = end
        request.signal[0] = np.stack([x, ~x, x], axis=1).astype("<i2").tobytes()


@dataclass
class Chip:
    """A board with the kernels on it, at its REPL."""

    bench: VirtualBench
    repl: RawRepl

    def run(self, source: str) -> Any:
        out, err = self.repl.exec_raw(source, timeout=20)
        assert not err, err.decode()
        return json.loads(out)

    @property
    def sensor(self) -> dict[str, float]:
        assert self.bench.seen
        return self.bench.seen.devices[0]


@pytest.fixture(scope="module")
def chip() -> Iterator[Chip]:
    if not any(cached.kind == "stock" for cached in image.cached()):
        pytest.skip("no MicroPython image in the cache: wrench image get")
    _, content = image.read_uf2(image.find("stock").path)
    files = {
        f"/lib/{PACKAGE}/{name}.mpy": compile_module(
            f"{PACKAGE}/{name}.py", (FIRMWARE / f"{name}.py").read_bytes()
        )
        for name in MODULES
    }
    with VirtualBench(content, Ramp()) as bench:
        console = bench.open(CONSOLE)
        flash(console, Deployment({**files, "/main.py": b""}, 0))
        repl = RawRepl(console)
        repl.in_raw_repl = True
        yield Chip(bench, repl)


def test_assembler_and_viper_and_the_host_s_vm_agree_to_the_bit(chip: Chip, tmp_path: Path) -> None:
    signs = [
        np.packbits(signal[: len(signal) // 8 * 8] > 0, bitorder="little").tobytes().hex()
        for signal in worst_inputs(RATE_HZ).values()
    ]

    def script(folder: str, package: str) -> str:
        given = f"FOLDER = {folder!r}\nPACKAGE = {package!r}\nWORST_INPUTS = {signs}\n"
        return given + (HERE / "kernels_device.py").read_text()

    platform, differing, digest, allocated = chip.run(script("/lib", PACKAGE))
    assert platform == "rp2"
    assert differing == []
    assert allocated == 0
    vm = Path(sys.executable).with_name("micropython")
    if not vm.exists():
        pytest.skip("no MicroPython for the host beside this Python: pip install '.[dev]'")
    on_host = tmp_path / "script.py"
    on_host.write_text(script(str(FIRMWARE.parent), FIRMWARE.name))
    done = subprocess.run([vm, on_host], capture_output=True, text=True, check=True)
    # There integers have 64 bits: the same digest means that nothing wrapped on the chip.
    assert json.loads(done.stdout)[1:3] == [[], digest]


def test_every_fifo_entry_is_read_once_and_the_gap_is_kept(chip: Chip) -> None:
    level, edges_ns, high_ns = 1, [], []

    def look(seen: StepSeen) -> None:
        nonlocal level, edges_ns
        pin = seen.pins[CS_PIN]
        if pin.rises + pin.falls != len(pin.edges_ns):
            edges_ns = []  # more edges than it remembers
        else:
            for at in pin.edges_ns:
                level = 1 - level
                if level == 0 and edges_ns:
                    high_ns.append(at - edges_ns[-1])
                edges_ns.append(at)
        level = pin.level

    early = chip.sensor["early_reads"]
    chip.bench.on_step.append(look)
    broken, allocated = chip.run(
        BOARD + (HERE / "adxl345_device.py").read_text() + "read_ramp(BOARD, 0)"
    )
    chip.bench.on_step.remove(look)
    assert broken == 0
    assert allocated == 0
    assert chip.sensor["early_reads"] == early
    assert chip.sensor["overruns"] == 0
    assert chip.sensor["spi_faults"] == 0
    between_entries = [high for high in high_ns if high < 10_000]
    assert len(between_entries) > 300
    assert min(between_entries) >= 3_400  # "Retrieval of FIFO data"


def test_the_sensor_repeats_a_sample_where_the_gap_is_too_short(chip: Chip) -> None:
    early = chip.sensor["early_reads"]
    broken, _ = chip.run(BOARD + (HERE / "adxl345_device.py").read_text() + "read_ramp(BOARD, 5)")
    assert broken > 0
    assert chip.sensor["early_reads"] > early
