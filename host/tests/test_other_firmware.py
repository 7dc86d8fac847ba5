"""The plugin's part for any firmware: the example of its page runs, fails when its firmware is
wrong, and runs on a board behind a serial port as on an emulated one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from on_chip import image_or_skip
from paired_boards import Pair

from wrench.bench.assemble import bare_flash
from wrench.bench.virtual import VirtualBench
from wrench.hil.capabilities import UnableError
from wrench.hil.chip import Wiring
from wrench.hil.helper_board import HelperBoard
from wrench.hil.real_chip import RealChip
from wrench.hil.rig_file import Helper, RigFile

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "testing-other-firmware.md"
FAN, BUTTON = 15, 16
COPIES = f"""
import time
from machine import Pin
fan, button = Pin({FAN}, Pin.OUT), Pin({BUTTON}, Pin.IN)
while True:
    fan(button())
    time.sleep_ms(1)
"""

pytestmark = pytest.mark.emulator


def example(folder: Path) -> None:
    """The two files of the page."""
    firmware, tests = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[:2]
    (folder / "fan.py").write_text(firmware)
    (folder / "test_fan.py").write_text(tests)
    code = [line for line in tests.splitlines() if line.strip()]
    assert len(code) <= 20, "the page promises as much"


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_example_of_the_page_passes(tmp_path: Path) -> None:
    image_or_skip()
    example(tmp_path)
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_of_a_wrong_firmware_the_page_s_example_tells_what_the_pins_did(tmp_path: Path) -> None:
    image_or_skip()
    example(tmp_path)
    firmware = tmp_path / "fan.py"
    firmware.write_text(firmware.read_text().replace("knob.read_u16()", "knob.read_u16() // 2"))
    done = run(tmp_path, "--hil-report", "report")
    assert done.returncode == 1, done.stdout
    assert "2 failed" in done.stdout
    assert "in its last second" in done.stdout
    assert "GP15" in done.stdout
    assert "set voltage" in done.stdout
    assert len([*(tmp_path / "report").glob("*.png")]) == 2


@pytest.fixture
def pair() -> Iterator[Pair]:
    image = image_or_skip()
    pair = Pair(VirtualBench(bare_flash(image), Wiring([FAN])), {FAN: 3, BUTTON: 4}, [FAN])
    yield pair
    pair.close()


def test_a_board_behind_a_port_is_tested_as_an_emulated_chip(pair: Pair) -> None:
    helper = HelperBoard(pair.open_helper())
    wires = {f"GP{FAN}": 3, f"GP{BUTTON}": 4}
    described = RigFile(helper=Helper(port="COM9", wires=wires))
    with RealChip(
        {"main.py": COPIES},
        pair.open_console,
        described,
        helper,
        clock=lambda: pair.now_s,
        sleep=pair.pass_time,
    ) as chip:
        for level in (1, 0, 1):
            chip.drive(BUTTON, level)
            chip.pass_time(1.5 if chip.now_s < 1.0 else 0.1)
            assert chip.pin(FAN) == level
        assert chip.evaluate("6 * 7") == 42
        chip.drive(BUTTON, 0)
        chip.pass_time(0.1)
        assert chip.pin(FAN) == 1, "the REPL has ended the program"
        for act, told in (
            (lambda: chip.set_voltage(26, 1.0), "put 1 V on GP26"),
            (lambda: chip.rises(FAN), "tell what GP15 has done"),
            (lambda: chip.duty(7), "reach GP7; wire it to the helper"),
            (chip.cycle_power, "cut the board's power"),
        ):
            with pytest.raises(UnableError, match=re.escape(told)):
                act()
