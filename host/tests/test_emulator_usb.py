"""The USB host at the other end of the emulated cable: what was printed before anybody listened,
a cable that is pulled, a device that answers late, or refuses.
"""

from __future__ import annotations

import re
from importlib import resources

import pytest
from on_chip import image_or_skip

from wrench.bench.assemble import installed
from wrench.bench.emulator import Emulator, StepRequest

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
COUNTS_STILL = """
import time
from machine import mem32
still = 0
start = time.ticks_ms()
while time.ticks_diff(time.ticks_ms(), start) < 1500:
    before = mem32[0x50110048]
    time.sleep_ms(10)
    still += mem32[0x50110048] == before
while True:
    print('STILL', still)
    time.sleep_ms(50)
"""
HOLDS_INTERRUPTS = """
import machine, time
while time.ticks_ms() < 117: time.sleep_ms(1)
state = machine.disable_irq()
time.sleep_us({ms} * 1000)
machine.enable_irq(state)
"""
TELLS_WHEN_OPENED = """
import time
link = UsbLink(bytearray(128), bytearray(128), 512)
while not link.open: time.sleep_ms(1)
while True:
    print('OPENED')
    time.sleep_ms(50)
"""


def flash_with_main(source: str) -> bytes:
    image_or_skip()
    return installed("stock", {"/main.py": source})


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


def test_a_pulled_cable_suspends_the_device() -> None:
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
    # MicroPython waits 500 ms for a host that does not read, six times here. A suspended device is
    # not connected: for that it does not wait, and the one print that finds no room any more does
    # not end until frames come again (see `console.wait_for_host` of the firmware).
    assert int(found[-1]) == 1


def test_frames_come_only_while_the_cable_is_in() -> None:
    emulator = Emulator(flash_with_main(COUNTS_STILL), watched=[], devices=[])
    said = b""
    try:
        for step in range(360):
            request = StepRequest(STEP_NS, serial=[(True, True)])
            if step in (60, 160):
                request.usb_plugged = step == 160
            emulator.submit(request)
            said += b"".join(data for _, data in emulator.collect().serial)
    finally:
        emulator.close()
    found = re.findall(rb"STILL (\d+)\r\n", said)
    assert found
    # 500 ms without a cable, and twice 110 ms from its connection to the end of the bus reset; what
    # of the first MicroPython itself takes to boot is not counted.
    assert 66 <= int(found[-1]) <= 72


@pytest.mark.parametrize("ms", [400, 5300])
def test_a_device_that_answers_late_is_enumerated_all_the_same(ms: int) -> None:
    """For 400 ms a flash chip may erase; after 5 s the host resets the bus and begins anew."""
    content = flash_with_main(HOLDS_INTERRUPTS.format(ms=ms))
    emulator = Emulator(content, watched=[], devices=[])
    functions = []
    try:
        for _ in range((ms + 400) // 5):
            emulator.submit(StepRequest(STEP_NS))
            functions.append(emulator.collect().serial_functions)
    finally:
        emulator.close()
    assert functions[(117 + ms) // 5 - 1] == 0
    assert functions[-1] == 1


def test_the_host_does_not_wait_for_what_the_device_has_refused() -> None:
    text = resources.files("wrench_firmware").joinpath("usb_link.py").read_text()
    answer = "return self._line_coding if stage == _STAGE_SETUP else True"
    assert text.count(answer) == 2
    text = text.replace(answer, "return False").replace("from .framing import copy", "")
    emulator = Emulator(flash_with_main(text + TELLS_WHEN_OPENED), watched=[], devices=[])
    said = b""
    try:
        for step in range(130):
            emulator.submit(StepRequest(STEP_NS, serial=[(True, True), (step >= 80, True)]))
            seen = emulator.collect()
            said += b"".join(data for index, data in seen.serial if index == 0)
            assert step < 80 or seen.serial_functions == 2
    finally:
        emulator.close()
    assert b"OPENED" in said
