"""Conditions, supplies and protection on the emulated RP2040: what a control tick of them costs and
allocates, and that 32 bits are enough."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import protection_traces
import pytest
from on_chip import PartChip, modules
from protection_traces import LIFE
from test_protection import LEVELS
from viper_modules import viper_module

from wrench.deploy import PACKAGE

HERE = Path(__file__).parent
MODULES = ("quantities", "limits", "conditions", "protection", "supplies")
CYCLES_PER_US = 125


@pytest.fixture(scope="module")
def answer() -> list[Any]:
    """What `protection_device.py` prints."""
    traces = (HERE / "protection_traces.py").read_text()
    given = f"FOLDER = '/lib'\nPACKAGE = {PACKAGE!r}\nCONSTANTS = {LEVELS!r}\n"
    with PartChip(modules("__init__", *MODULES, protection_traces=traces)) as chip:
        return chip.run(given + (HERE / "protection_device.py").read_text())


def test_a_tick_costs_what_its_budget_allows(answer: list[Any]) -> None:
    """In device time, which the emulator counts by the cycle; 5 ms are 625,000 cycles."""
    platform, costs, _, _ = answer
    assert platform == "rp2"
    assert costs["rows"] == 31, "a board with everything"
    cycles = {name: CYCLES_PER_US * (us - costs["call"]) for name, us in costs.items()}
    assert cycles["evaluate"] <= 3000 * 31 / 25 * 1.05
    assert cycles["evaluate, four rows tripping"] <= 6500
    assert cycles["advance"] <= 2000
    assert cycles["advance, jammed"] <= 2500
    assert cycles["supplies"] <= 4000
    # The longest call of a kernel that control allows.
    assert costs["evaluate, all broken"] <= 200


def test_the_steady_state_allocates_nothing(answer: list[Any]) -> None:
    assert answer[2] == 0


def test_the_chip_s_32_bits_make_of_a_life_what_cpython_does(answer: list[Any]) -> None:
    modules = [viper_module(name) for name in protection_traces.MODULES]
    life = protection_traces.random_life(*LIFE)
    here = protection_traces.digest(protection_traces.trace(*modules, constants=LEVELS, life=life))
    assert answer[3] == here
