"""Conditions, supplies and protection on the emulated RP2040: what a control tick of them costs and
allocates, and that 32 bits are enough."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import protection_traces
import pytest
from micropython_vm import FIRMWARE
from protection_traces import LIFE
from test_protection import LEVELS
from viper_modules import viper_module

from wrench import image
from wrench.bench.assemble import bare_flash
from wrench.bench.virtual import CONSOLE, VirtualBench
from wrench.deploy import PACKAGE, Deployment, compile_module
from wrench.flash import flash
from wrench.raw_repl import RawRepl

HERE = Path(__file__).parent
MODULES = ("quantities", "limits", "conditions", "protection", "supplies")
CYCLES_PER_US = 125


@pytest.fixture(scope="module")
def answer() -> list[Any]:
    """What `protection_device.py` prints."""
    if not any(cached.kind == "stock" for cached in image.cached()):
        pytest.skip("no MicroPython image in the cache: wrench image get")
    files = {
        f"/lib/{PACKAGE}/{name}.mpy": compile_module(
            f"{PACKAGE}/{name}.py", (FIRMWARE / f"{name}.py").read_bytes()
        )
        for name in ("__init__", *MODULES)
    }
    traces = (HERE / "protection_traces.py").read_bytes()
    files["/lib/protection_traces.mpy"] = compile_module("protection_traces.py", traces)
    given = f"FOLDER = '/lib'\nPACKAGE = {PACKAGE!r}\nCONSTANTS = {LEVELS!r}\n"
    with VirtualBench(bare_flash(image.find("stock"))) as bench:
        console = bench.open(CONSOLE)
        flash(console, Deployment({**files, "/main.py": b""}, 0))
        repl = RawRepl(console)
        repl.in_raw_repl = True
        script = given + (HERE / "protection_device.py").read_text()
        out, err = repl.exec_raw(script, timeout=120)
        assert not err, err.decode()
        return json.loads(out)


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
