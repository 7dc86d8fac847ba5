"""The chip on another emulator: what a board does must not be one emulator's doing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.emulator

HIL_TESTS = Path(__file__).parents[2] / "hil_tests"
STORY = "test_a_board_boots_with_the_motor_off_runs_and_is_off_within_a_millisecond"


def test_a_story_of_the_smoke_suite_holds_on_the_second_emulator() -> None:
    """All of the suite: `wrench hil smoke --emulator rp2040py`, some minutes."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += ["--emulator=rp2040py", f"{HIL_TESTS / 'test_motor_is_off.py'}::{STORY}"]
    done = subprocess.run(
        command, cwd=HIL_TESTS.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
