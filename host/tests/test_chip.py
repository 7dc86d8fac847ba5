"""A bare chip: code on its REPL, its pins driven and observed, its time and its power."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from on_chip import image_or_skip

from wrench.errors import PortError
from wrench.hil.chip import Chip, CodeError

OUT, IN, LED = 15, 16, 25
BLINK = """
from machine import PWM, Pin, Timer
def start(pin, hz, duty):
    global pwm
    pwm = PWM(Pin(pin), freq=hz, duty_u16=round(65535 * duty))
"""
COUNTS = """
import time
from machine import Pin
led = Pin(25, Pin.OUT)
while True:
    led.toggle()
    time.sleep_ms(20)
"""


@pytest.fixture(scope="module")
def chip() -> Iterator[Chip]:
    image_or_skip()
    with Chip(files={"/lib/blink.py": BLINK}, watched=[OUT, IN]) as chip:
        yield chip


def test_code_prints_and_its_names_live_on(chip: Chip) -> None:
    assert chip.execute("import blink\nx = 6\nprint('a\\nb')") == "a\nb\n"
    assert chip.execute("x *= 7") == ""
    assert chip.evaluate("[x, {'half': x / 84}, b'\\x00', None]") == [
        42,
        {"half": 0.5},
        b"\0",
        None,
    ]


def test_what_code_raises_is_told_with_its_traceback_and_the_repl_goes_on(chip: Chip) -> None:
    with pytest.raises(CodeError, match=r"line 2, in <module>\nZeroDivisionError: divide by zero"):
        chip.execute("x = 1\nx / 0")
    assert chip.evaluate("x") == 1


def test_code_that_does_not_end_is_interrupted_by_the_next(chip: Chip) -> None:
    before_s = chip.now_s
    with pytest.raises(TimeoutError, match=r"said nothing for 0.5 s of device time"):
        chip.execute("n = 0\nwhile True: n += 1", timeout_s=0.5)
    assert chip.now_s - before_s == pytest.approx(0.5, abs=0.1)
    assert chip.evaluate("n") > 1000


def test_an_output_is_measured_over_the_last_stretch_of_time(chip: Chip) -> None:
    chip.execute("import blink; blink.start(15, 100, 0.25)")
    chip.pass_time(0.1)
    assert chip.duty(OUT) == pytest.approx(0.25, abs=0.005)
    assert chip.rises(OUT) in (10, 11)
    edges = chip.edges_s(OUT)
    assert all(after != before for (_, before), (_, after) in pairwise(edges))
    widths_s = [fall_s - rise_s for (rise_s, up), (fall_s, _) in pairwise(edges) if up]
    assert widths_s == pytest.approx([0.0025] * len(widths_s), abs=2e-6)
    assert chip.now_s - 0.1 <= edges[0][0] <= edges[-1][0] <= chip.now_s
    chip.execute("blink.pwm.duty_u16(65535)")
    chip.pass_time(0.05)
    chip.pass_time(0.05)
    assert (chip.duty(OUT), chip.pin(OUT), chip.falls(OUT), chip.edges_s(OUT)) == (1.0, 1, 0, [])


def test_edges_that_are_too_close_are_counted_and_not_made_up(chip: Chip) -> None:
    chip.execute("import blink; blink.start(15, 20000, 0.5)")
    chip.pass_time(0.1)
    assert chip.rises(OUT) == pytest.approx(2000, abs=2)
    assert chip.duty(OUT) == pytest.approx(0.5, abs=0.001)
    with pytest.raises(ValueError, match="GP15 had more than 64 edges in one step"):
        chip.edges_s(OUT)
    chip.execute("blink.pwm.deinit()")
    chip.pass_time(0.01)
    assert chip.edges_s(OUT) == []


def test_an_input_feels_what_drives_it_from_outside(chip: Chip) -> None:
    chip.execute("from machine import Pin; p = Pin(16, Pin.IN, Pin.PULL_UP)")
    for level in (0, 1):
        chip.drive(IN, level)
        chip.pass_time(0.005)
        assert chip.evaluate("p.value()") == chip.pin(IN) == level
    chip.drive(IN, 0)
    chip.pass_time(0.005)
    chip.drive(IN, None, after_s=0.002)
    began_s = chip.now_s
    chip.pass_time(0.005)
    assert chip.edges_s(IN) == [(pytest.approx(began_s + 0.002, abs=1e-6), 1)]  # the pull-up's
    assert chip.evaluate("p.value()") == 1


def test_a_pin_that_is_not_watched_is_told(chip: Chip) -> None:
    with pytest.raises(ValueError, match="GP7 is not watched"):
        chip.duty(7)


def test_a_program_of_its_own_runs_until_the_repl_is_used_and_from_the_next_power_up() -> None:
    image_or_skip()
    with Chip(files={"main.py": COUNTS}, watched=[LED]) as chip:
        assert chip.pin(LED) == 0  # no time has passed
        chip.pass_time(1.0)
        chip.pass_time(0.4)
        assert chip.rises(LED) == pytest.approx(10, abs=1)
        chip.execute("led.value(1)")
        chip.pass_time(0.2)
        assert (chip.duty(LED), chip.rises(LED)) == (1.0, 0)
        chip.cycle_power()
        chip.pass_time(1.0)
        assert chip.rises(LED) > 5
        chip.begin("x = 1\nimport machine\nmachine.reset()")
        chip.pass_time(1.5)
        assert chip.rises(LED) > 5
        assert chip.evaluate("'x' in dir()") is False


def test_a_chip_whose_firmware_shows_no_console_is_told() -> None:
    with Chip(flash=b"") as chip, pytest.raises(PortError, match="no serial function"):
        chip.execute("1")


def test_the_converter_reads_what_is_wired_to_it(chip: Chip) -> None:
    for code in (700, 3000):
        chip.wiring.adc[1] = code
        chip.pass_time(0.005)
        read = chip.evaluate("__import__('machine').ADC(27).read_u16()")
        assert read >> 4 == pytest.approx(code, abs=1)
