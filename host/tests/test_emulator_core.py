"""The emulator's own cores against rp2040js's, instruction by instruction and with MicroPython on
them.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from wrench import image
from wrench.bench import CORES
from wrench.bench.assemble import bare_flash
from wrench.bench.emulator import Emulator, StepRequest, StepSeen
from wrench.bench.emulator.runtime import installed_emulator, node

NODE_TESTS = sorted((Path(__file__).parent / "emulator").glob("*.test.mjs"))
STEP_NS, LED = 5_000_000, 25
TYPED_AT, STEPS = 140, 400

WORKLOAD = b"""
import array, machine, micropython, time
@micropython.viper
def mix(p: ptr32, n: int) -> int:
    s = 0
    for i in range(n):
        s += p[i & 63] * i
        p[i & 63] = s >> 3
    return s
@micropython.asm_thumb
def count(r0, r1):
    label(L)
    ldr(r2, [r0, 0])
    add(r2, r2, 1)
    str(r2, [r0, 0])
    sub(r1, r1, 1)
    bne(L)
@micropython.asm_thumb
def nap():
    cpsid(i)
    wfi()
    cpsie(i)
a = array.array('i', range(64))
ticks = 0
def tick(t):
    global ticks
    ticks += 1
timer = machine.Timer(period=3, callback=tick)
led = machine.Pin(25, machine.Pin.OUT)
pwm = machine.PWM(machine.Pin(15), freq=2000, duty_u16=20000)
adc = machine.ADC(4)
words = {}
for i in range(12):
    t = time.ticks_us()
    count(a, 5000)
    words[str(i)] = (mix(a, 500), 2.5 ** i / (i + 1), i * 10**12 // 7)
    led.toggle()
    time.sleep_ms(7)
    nap()
    time.sleep_us(150)
    print(i, time.ticks_diff(time.ticks_us(), t), words[str(i)], adc.read_u16(), ticks)
machine.freq(133_000_000)
for i in range(3):
    print(time.ticks_us(), sum(range(3000)))
    time.sleep_ms(3)
timer.deinit()
pwm.deinit()
print('end of work', hash(str(words)))
"""


@pytest.mark.parametrize("script", NODE_TESTS, ids=lambda path: path.name)
def test_instructions_under_node(script: Path) -> None:
    environment = os.environ | {"WRENCH_EMULATOR": str(installed_emulator())}
    done = subprocess.run(
        [node(), "--test", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("miss_cycles", [0, 50])
def test_micropython_is_the_same_on_all_cores(miss_cycles: int) -> None:
    flash = bare_flash(image.find("stock"))
    runs = [run(flash, core, miss_cycles) for core in CORES]
    for step, (translated, interpreted, library) in enumerate(zip(*runs, strict=True)):
        assert translated == interpreted, f"step {step}"
        for seen in (interpreted, library):
            if seen.xip:
                del seen.xip["hits"]  # rp2040js's core counts every halfword that it fetches
        assert interpreted == library, f"step {step}"
    said = b"".join(data for seen in runs[0] for _, data in seen.serial)
    assert b"end of work" in said
    last = runs[0][-1]
    assert last.now_ns == pytest.approx(STEPS * STEP_NS, rel=1e-4)
    assert 0.3 * STEPS * STEP_NS < last.idle_ns < 0.95 * STEPS * STEP_NS
    if miss_cycles:
        assert last.xip
        assert last.xip["misses"] > 10_000


def run(flash: bytes, core: str, miss_cycles: int) -> list[StepSeen]:
    """Boot, type the workload in raw mode, and return what was seen in each step."""
    emulator = Emulator(
        flash, watched=[15, LED], devices=[], xip_miss_cycles=miss_cycles, core=core
    )
    typed = {TYPED_AT: b"\x03\x01", TYPED_AT + 10: WORKLOAD + b"\x04"}
    try:
        seen = []
        for step in range(STEPS):
            request = StepRequest(STEP_NS, serial=[(True, True)])
            if step in typed:
                request.sent = {0: typed[step]}
            emulator.submit(request)
            seen.append(emulator.collect())
        return seen
    finally:
        emulator.close()
