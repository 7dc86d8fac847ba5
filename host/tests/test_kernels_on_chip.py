"""The assembler kernels on the emulated RP2040, against the viper references and the host's VM."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from micropython_vm import FIRMWARE
from on_chip import PartChip, modules
from test_features import worst_inputs

from wrench.deploy import PACKAGE

HERE = Path(__file__).parent
MODULES = (
    "__init__",
    "features",
    "features_rp2",
    "framing",
    "kernels_rp2",
)
RATE_HZ = 3200


@pytest.fixture(scope="module")
def chip() -> Iterator[PartChip]:
    with PartChip(modules(*MODULES)) as chip:
        yield chip


def test_assembler_and_viper_and_the_host_s_vm_agree_to_the_bit(
    chip: PartChip, tmp_path: Path
) -> None:
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
