"""The motor's pins on the emulated RP2040, by kind of driver, as a logic analyser sees them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from on_chip import PartChip, modules

from wrench.boards import load_board

PWM, ENABLE = 14, 15
REVERSE, ONE_WAY, ESC, BRIDGE = (
    "pico-mpu6050-two-pwm",
    "pico-adxl345-i2c-pwm-enable",
    "pico-analog-piezo-esc",
    "pico-adxl345",
)
# Boards of the tests' own: two PWM inputs with an enable input, and with slow PWM.
ENABLED, SLOW = "two-pwm-enable", "two-pwm-slow"
BOARDS = {
    BRIDGE: load_board(BRIDGE).render(),
    ONE_WAY: load_board(ONE_WAY).render(),
    REVERSE: load_board(REVERSE).render(),
    ESC: load_board(ESC).render(),
    ENABLED: load_board(REVERSE)
    .render()
    .replace("MOTOR_ENABLE_PIN = None", "MOTOR_ENABLE_PIN = 13"),
    SLOW: load_board(REVERSE)
    .render()
    .replace("MOTOR_PWM_FREQUENCY_HZ = 20000", "MOTOR_PWM_FREQUENCY_HZ = 100"),
}
SET_UP = """
import json, machine, time
from machine import mem32
from wrench_firmware.motor import make_motor
board = __import__(NAME)
motor = make_motor(board)
def kill():
    for address, value in motor.kill_writes():
        mem32[address] = value
print(0)
"""


class Chip(PartChip):
    """A chip with the motor of one board file made on it."""

    def __init__(self, name: str, files: dict[str, bytes]) -> None:
        super().__init__(files, watched=[13, PWM, ENABLE])
        self.run(f"NAME = {name!r}\n{SET_UP}")

    def look(self, after_s: float = 0.02) -> Chip:
        """Look at the pins for one step, some time from now."""
        self.pass_time(after_s)
        self.pass_time(0.005)
        return self

    def do(self, source: str) -> Chip:
        """Run a statement, and look at the pins some steps later."""
        self.run(f"{source}\nprint(0)")
        return self.look()

    def edges(self, duration_s: float, pin: int = PWM) -> list[tuple[float, int]]:
        """(seconds, level) of every edge in the next stretch of time."""
        self.pass_time(0.025)
        self.pass_time(duration_s)
        return self.edges_s(pin)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return modules("__init__", "limits", "motor", **BOARDS)


def chip_with(files: dict[str, bytes], name: str) -> Iterator[Chip]:
    with Chip(name, files) as chip:
        yield chip


@pytest.fixture
def bridge(files: dict[str, bytes]) -> Iterator[Chip]:
    yield from chip_with(files, BRIDGE)


@pytest.fixture
def one_way(files: dict[str, bytes]) -> Iterator[Chip]:
    yield from chip_with(files, ONE_WAY)


@pytest.fixture
def two_pwm(files: dict[str, bytes]) -> Iterator[Chip]:
    yield from chip_with(files, REVERSE)


@pytest.fixture
def two_pwm_enable(files: dict[str, bytes]) -> Iterator[Chip]:
    yield from chip_with(files, ENABLED)


@pytest.fixture
def slow(files: dict[str, bytes]) -> Iterator[Chip]:
    yield from chip_with(files, SLOW)


@pytest.fixture
def esc(files: dict[str, bytes]) -> Iterator[Chip]:
    yield from chip_with(files, ESC)


@pytest.mark.parametrize("kind", ["bridge", "one_way"])
def test_a_driver_with_enable(kind: str, request: pytest.FixtureRequest) -> None:
    chip: Chip = request.getfixturevalue(kind)
    chip.look()
    assert chip.duty(PWM) == chip.duty(ENABLE) == 0.0
    chip.do("motor.drive(300)")
    assert chip.duty(PWM) == pytest.approx(0.3, abs=2e-4)
    assert chip.rises(PWM) == 100  # 20 kHz in 5 ms
    assert chip.duty(ENABLE) == 1.0
    chip.do("motor.drive(0)")
    assert chip.duty(PWM) == chip.duty(ENABLE) == 0.0
    assert chip.run("motor.drive(300); motor.off(); print(motor.duty_permille)") == 0
    assert chip.look().duty(ENABLE) == 0.0


def test_the_direction_is_given_before_the_driver_is_enabled(bridge: Chip) -> None:
    assert bridge.do("motor.drive(300)").duty(13) == 1.0
    assert bridge.do("motor.off()").duty(13) == 1.0


@pytest.mark.parametrize("kind", ["bridge", "one_way", "two_pwm", "two_pwm_enable"])
def test_with_a_tacho_the_hard_cap_is_the_ceiling_of_the_duty(
    kind: str, request: pytest.FixtureRequest
) -> None:
    chip: Chip = request.getfixturevalue(kind)
    for asked in (851, 1000, 65_536, 1 << 29):
        assert chip.do(f"motor.drive({asked})").duty(PWM) == pytest.approx(0.85, abs=2e-4)
        assert chip.run("print(motor.duty_permille)") == 850
    assert chip.do("motor.drive(-1)").duty(PWM) == 0.0


def test_two_pwm_without_enable_is_off_by_its_pins_alone(two_pwm: Chip) -> None:
    two_pwm.look()
    assert two_pwm.duty(PWM) == two_pwm.duty(ENABLE) == 0.0
    two_pwm.do("motor.drive(500)")
    assert two_pwm.duty(PWM) == pytest.approx(0.5, abs=2e-4)
    assert two_pwm.rises(ENABLE) == two_pwm.pin(ENABLE) == 0  # the other direction's pin
    two_pwm.do("motor.off()")
    assert two_pwm.duty(PWM) == 0.0


def test_off_ends_a_pulse_that_has_begun(slow: Chip) -> None:
    """At 100 Hz a pulse of 80 % lasts 8 ms; GP13 marks when `off` has come back."""
    slow.run(
        """
from machine import Pin
mark = Pin(13, Pin.OUT, value=0)
for delay_us in (11000, 13000, 15000, 17000):
    motor.drive(800)
    time.sleep_us(delay_us)
    motor.off()
    mark.toggle()
    time.sleep_ms(23)
print(0)
"""
    )
    marks = [at_s for at_s, _ in slow.edges_s(13)]
    edges = [at_s for at_s, _ in slow.edges_s(PWM)]
    assert len(marks) == 4
    cut = 0
    for mark_s in marks:
        assert sum(at_s <= mark_s for at_s in edges) % 2 == 0, "high after off"
        assert not [at_s for at_s in edges if mark_s < at_s < mark_s + 0.020]
        cut += mark_s - max(at_s for at_s in edges if at_s <= mark_s) < 50e-6
    assert cut >= 2


def test_two_pwm_with_enable(two_pwm_enable: Chip) -> None:
    two_pwm_enable.do("motor.drive(400)")
    assert two_pwm_enable.duty(PWM) == pytest.approx(0.4, abs=2e-4)
    assert (two_pwm_enable.pin(13), two_pwm_enable.pin(ENABLE)) == (1, 0)
    two_pwm_enable.do("motor.off()")
    assert two_pwm_enable.duty(PWM) == two_pwm_enable.duty(13) == 0.0


@pytest.mark.parametrize("kind", ["bridge", "one_way", "two_pwm", "two_pwm_enable", "esc"])
def test_a_kill_stops_it_and_it_stays_off_until_it_is_revived(
    kind: str, request: pytest.FixtureRequest
) -> None:
    chip: Chip = request.getfixturevalue(kind)
    enable = {"two_pwm": PWM, "two_pwm_enable": 13}.get(kind, ENABLE)
    chip.do("motor.drive(400)")
    chip.do("kill()")
    chip.look()
    assert chip.duty(PWM) == chip.duty(enable) == 0.0
    assert chip.rises(PWM) == 0
    chip.do("motor.off(); kill()")
    assert chip.duty(PWM) == chip.duty(enable) == 0.0
    chip.do("motor.off(); motor.revive()")
    assert chip.duty(enable) == 0.0
    chip.do("motor.drive(400)")
    assert chip.duty(enable) > 0.3
    # An ESC's pulse shows in one step of four.
    assert max(chip.look(0.005).duty(PWM) for _ in range(4)) > 0.15


def test_every_write_of_a_kill_is_a_register_of_a_motor_pin(files: dict[str, bytes]) -> None:
    expected = {
        BRIDGE: [[0xD0000018, 1 << 15], [0x40014074, 0x204]],
        ONE_WAY: [[0xD0000018, 1 << 15], [0x40014074, 0x204]],
        REVERSE: [[0x40014074, 0x204], [0x4001407C, 0x205]],
        ENABLED: [[0xD0000018, 1 << 13], [0x40014074, 0x204], [0x4001407C, 0x205]],
        ESC: [[0xD0000018, 1 << 15], [0x40014074, 0x204]],
    }
    for name, writes in expected.items():
        for chip in chip_with(files, name):
            assert chip.run("print(json.dumps(motor.kill_writes()))") == writes


def assert_pulses(edges: list[tuple[float, int]], long_us: float) -> None:
    widths_us = [
        1e6 * (fall - rise)
        for (rise, up), (fall, down) in itertools.pairwise(edges)
        if up and not down
    ]
    assert len(widths_us) >= 4
    assert widths_us == pytest.approx([long_us] * len(widths_us), abs=1.5)


def test_an_esc_gets_the_shortest_pulse_and_no_enable_while_it_is_off(esc: Chip) -> None:
    edges = esc.edges(0.1)
    assert_pulses(edges, 1000)
    rises = [at for at, level in edges if level]
    assert [b - a for a, b in itertools.pairwise(rises)] == pytest.approx(
        [0.02] * (len(rises) - 1), abs=1e-5
    )
    assert esc.look().duty(ENABLE) == 0.0


def test_an_esc_arms_before_it_listens_and_then_rises_no_faster_than_the_ramp(esc: Chip) -> None:
    """15 %/s, so 0.3 % at each of 50 calls a second; the cap of 60 % is that of the pulse."""
    esc.run("motor.drive(1000); print(0)")
    assert esc.look().duty(ENABLE) == 1.0
    drive = """
for _ in range(90):
    motor.drive(1000)
    time.sleep_ms(20)
print(json.dumps([motor.duty_permille, motor.arming, motor.ready_after_ms]))
"""
    assert esc.run(drive) == [0, True, 2000]
    assert_pulses(esc.edges(0.1), 1000)
    esc.pass_time(0.2)
    duty, arming, _ = esc.run(drive)
    assert arming is False
    assert duty == 90 * 3
    assert_pulses(esc.edges(0.1), 1270)
    esc.run(drive)
    duty, *_ = esc.run(drive)
    assert duty == 600
    assert_pulses(esc.edges(0.1), 1600)


def test_an_esc_that_was_off_arms_anew(esc: Chip) -> None:
    esc.run("motor.drive(500); time.sleep_ms(2100); motor.drive(500); print(0)")
    assert esc.run("print(motor.duty_permille)") == 3
    esc.run("motor.off(); motor.drive(500); print(0)")
    assert esc.run("print(json.dumps([motor.duty_permille, motor.arming]))") == [0, True]


@pytest.mark.parametrize("kind", ["bridge", "two_pwm", "esc"])
def test_it_allocates_nothing_and_costs_little(kind: str, request: pytest.FixtureRequest) -> None:
    chip: Chip = request.getfixturevalue(kind)
    allocated, drive_cycles, off_cycles = chip.run(
        """
import gc
def empty():
    t = time.ticks_us()
    for _ in range(1000):
        pass
    return time.ticks_diff(time.ticks_us(), t)
def cost_of_drive(do):
    t = time.ticks_us()
    for _ in range(1000):
        do(400)
    return (time.ticks_diff(time.ticks_us(), t) - empty()) // 8
def cost_of_off(do):
    t = time.ticks_us()
    for _ in range(1000):
        do()
    return (time.ticks_diff(time.ticks_us(), t) - empty()) // 8
def drive_all(do):
    for duty in range(1000):
        do(duty)
motor.drive(1); time.sleep_ms(2100)
drive, off = motor.drive, motor.off
drive_all(drive)
gc.collect(); gc.disable()
before = gc.mem_alloc()
drive_all(drive)
drive_all(drive)
allocated = gc.mem_alloc() - before
gc.enable()
print(json.dumps([allocated, cost_of_drive(drive), cost_of_off(off)]))
"""
    )
    assert allocated == 0
    assert drive_cycles < 1200
    assert off_cycles < 1000
