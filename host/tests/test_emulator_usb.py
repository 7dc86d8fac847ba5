"""The USB host at the other end of the emulated cable: what was printed before anybody listened,
and a cable that is pulled.
"""

from __future__ import annotations

import re

import pytest

from wrench import image
from wrench.bench.emulator import Emulator, StepRequest
from wrench.bench.virtual import CONSOLE, VirtualBench
from wrench.deploy import Deployment
from wrench.flash import flash

STEP_NS = 5_000_000
PRINTS = """
import time
slow = 0
start = time.ticks_ms()
while time.ticks_diff(time.ticks_ms(), start) < 4000:
    before = time.ticks_ms()
    print('x' * 300)
    slow += time.ticks_diff(time.ticks_ms(), before) > 100
    time.sleep_ms(5)
while True:
    print('SLOW', slow)
    time.sleep_ms(100)
"""


def flash_with_main(source: str) -> bytes:
    if not any(cached.kind == "stock" for cached in image.cached()):
        pytest.skip("no MicroPython image in the cache: wrench image get")
    _, content = image.read_uf2(image.find("stock").path)
    with VirtualBench(content) as bench:
        flash(bench.open(CONSOLE), Deployment({"/main.py": source.encode()}, 0))
        return bench.read_flash()


@pytest.mark.parametrize("characters", [100, 600, 2000])
def test_what_is_printed_before_the_port_is_opened_does_not_silence_the_console(
    characters: int,
) -> None:
    emulator = Emulator(flash_with_main(f"print('x' * {characters})"), watched=[], devices=[])
    said = b""
    try:
        for step in range(160):
            request = StepRequest(STEP_NS, serial=[(step > 60, True)])
            if step == 120:
                request.sent = {0: b"\r\nprint(6 * 7)\r\n"}
            emulator.submit(request)
            said += b"".join(data for _, data in emulator.collect().serial)
    finally:
        emulator.close()
    # The newest 256 bytes have waited in the device's FIFO; the host's opening flushes them.
    assert said.startswith(b"x" * min(100, characters))
    assert b"\r\n42\r\n" in said


def test_a_pulled_cable_suspends_the_device_and_later_prints_do_not_wait() -> None:
    emulator = Emulator(flash_with_main(PRINTS), watched=[], devices=[])
    said = b""
    functions = []
    try:
        for step in range(1000):
            request = StepRequest(STEP_NS, serial=[(True, True)])
            if step in (100, 700):
                request.usb_plugged = step == 700
            emulator.submit(request)
            seen = emulator.collect()
            functions.append(seen.serial_functions)
            said += b"".join(data for _, data in seen.serial)
    finally:
        emulator.close()
    assert functions[99] == 1
    assert functions[120] == 0
    assert functions[-1] == 1
    found = re.findall(rb"SLOW (\d+)\r\n", said)
    assert found
    # MicroPython waits 500 ms for a host that does not read. The one print under way when the cable
    # goes does; a suspended device is not connected, and the others wait for nobody.
    assert int(found[-1]) == 1
