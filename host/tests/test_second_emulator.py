"""What is put right in rp2040py, each told by the chip itself: registers written, code run."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import pytest
from rp2040py import GPIOPinState
from rp2040py.execute_batch import execute_batch

from wrench.bench.emulator import TYPICAL_FLASH_TIMES_NS
from wrench.bench.second_emulator.adxl345 import Adxl345
from wrench.bench.second_emulator.flash_chip import Flash
from wrench.bench.second_emulator.mcu import Core, Mcu, SpiBus, peripheral_hz
from wrench.bench.second_emulator.pins import Pins
from wrench.bench.second_emulator.usb_host import serial_functions

CYCLE_NS = 8.0
RAM = 0x20000000
CODE, VECTORS, HANDLER, RESULT = RAM + 0x400, RAM, RAM + 0x800, RAM + 0x1000
SYST_CSR, SYST_RVR, SYST_CVR, VTOR = 0xE000E010, 0xE000E014, 0xE000E018, 0xE000ED08
TIMERAWL, ALARM0, TIMER_INTE, TIMER_INTR = 0x40054028, 0x40054010, 0x40054038, 0x40054034
RESETS_SET, RESET_SPI0 = 0x4000E000, 1 << 16
GPIO_CTRL, SIO_IN, SIO_OUT_SET, SIO_OE_SET = 0x40014004, 0xD0000004, 0xD0000014, 0xD0000024
SIO_FUNCTION = 5
PADS, INPUT_ENABLED, PULL_UP = 0x4001C004, 0x40, 8
CLK_PERI_CTRL, FROM_USB_PLL = 0x40008048, 2 << 5
SSPCR0, SSPCR1, SSPDR, SSPSR, SSPCPSR = (0x4003C000 + at for at in (0, 4, 8, 12, 16))
NVIC_ISER = 0xE000E100


@pytest.fixture
def mcu() -> Mcu:
    made = Mcu()
    made.core = Core(made)
    made.device_clock.core = made.core
    made.write_uint32(VTOR, VECTORS)
    made.core.sp = RAM + 0x4000
    return made


def load(mcu: Mcu, at: int, *halfwords: int) -> None:
    for i, halfword in enumerate(halfwords):
        mcu.write_uint16(at + 2 * i, halfword)


def run_until(mcu: Mcu, ns: float) -> None:
    runner = SimpleNamespace(rp2040=mcu, clock=mcu.clock, stopped=False)
    alarm = mcu.clock.create_alarm(lambda: setattr(runner, "stopped", True))
    alarm.schedule(ns - mcu.clock.nanos)
    while not runner.stopped:
        execute_batch(runner, 1)  # type: ignore[arg-type]


def test_the_first_systick_comes_after_one_period_and_the_next_after_another(mcu: Mcu) -> None:
    mcu.write_uint32(SYST_RVR, 24_999)
    mcu.write_uint32(SYST_CVR, 0)
    mcu.write_uint32(SYST_CSR, 7)
    for _ in range(2):
        mcu.clock.tick(24_999 * CYCLE_NS)
        assert not mcu.core.pending_systick
        mcu.clock.tick(CYCLE_NS)
        assert mcu.core.pending_systick
        mcu.core.pending_systick = False


def test_an_interrupt_handler_finds_an_even_program_counter(mcu: Mcu) -> None:
    mcu.write_uint32(VECTORS + 60, HANDLER | 1)
    load(mcu, CODE, 0xE7FE)  # b .
    # mov r7, pc; str r7, [r0]; b .
    load(mcu, HANDLER, 0x467F, 0x6007, 0xE7FE)
    mcu.core.registers[0] = RESULT
    mcu.core.pc = CODE
    mcu.core.pending_systick = mcu.core.interrupts_updated = True
    run_until(mcu, 1e3)
    assert mcu.read_uint32(RESULT) == HANDLER + 4


@pytest.mark.parametrize("count", [1, 200], ids=["comes in the sleep", "is pending before"])
def test_an_interrupt_ends_the_wfi_and_waits_for_the_cpsie(mcu: Mcu, count: int) -> None:
    mcu.write_uint32(VECTORS + 64, HANDLER | 1)
    # cpsid i; str r1, [r2], which is alarm 0; count r3 down; wfi; str r4, [r0]; cpsie i; b .
    load(mcu, CODE, 0xB672, 0x6011, 0x3B01, 0xD1FD, 0xBF30, 0x6004, 0xB662, 0xE7FE)
    # ldr r5, [r0]; str r5, [r0, 4]; b .
    load(mcu, HANDLER, 0x6805, 0x6045, 0xE7FE)
    mcu.write_uint32(TIMER_INTE, 1)
    mcu.write_uint32(NVIC_ISER, 1)
    for i, value in enumerate((RESULT, 2, ALARM0, count, 55)):
        mcu.core.registers[i] = value
    mcu.core.pc = CODE
    run_until(mcu, 8e3)
    assert mcu.read_uint32(RESULT) == 55, "the wfi has not ended"
    assert mcu.read_uint32(RESULT + 4) == 55, "the handler ran before the cpsie, or not at all"


def test_an_alarm_comes_when_the_count_is_there_not_before(mcu: Mcu) -> None:
    mcu.clock.tick(700.0)
    mcu.write_uint32(TIMER_INTE, 1)
    mcu.write_uint32(ALARM0, 5)
    mcu.clock.tick(4_299.0)
    assert not mcu.read_uint32(TIMER_INTR) & 1
    mcu.clock.tick(1.0)
    assert mcu.read_uint32(TIMERAWL) == 5
    assert mcu.read_uint32(TIMER_INTR) & 1


def test_resets_reset(mcu: Mcu) -> None:
    mcu.write_uint32(SSPCR0, 0xC7)
    mcu.write_uint32(RESETS_SET, RESET_SPI0)
    assert mcu.read_uint32(SSPCR0) == 0


def test_an_output_reads_back_and_is_measured(mcu: Mcu) -> None:
    pins = Pins(mcu, lambda: mcu.clock.nanos, [15])
    mcu.write_uint32(GPIO_CTRL + 8 * 15, SIO_FUNCTION)
    mcu.write_uint32(PADS + 4 * 15, INPUT_ENABLED)
    mcu.write_uint32(SIO_OE_SET, 1 << 15)
    mcu.clock.tick(300.0)
    mcu.write_uint32(SIO_OUT_SET, 1 << 15)
    assert mcu.read_uint32(SIO_IN) >> 15 & 1
    mcu.clock.tick(100.0)
    seen = pins.meters[15].take(mcu.clock.nanos)
    assert (seen["high"], seen["rises"], seen["edges_ns"]) == (0.25, 1, [300.0])
    pins.drive(15, 0)
    assert pins.levels[15] == 1, "an output wins"


def test_an_input_is_driven_or_as_its_pull_leaves_it(mcu: Mcu) -> None:
    pins = Pins(mcu, lambda: 0.0, [])
    mcu.write_uint32(PADS + 4 * 22, INPUT_ENABLED | PULL_UP)
    assert mcu.gpio[22].value == GPIOPinState.INPUT_PULL_UP
    for driven, level in ((0, 0), (None, 1), (1, 1), (0, 0)):
        pins.drive(22, driven)
        assert (mcu.read_uint32(SIO_IN) >> 22 & 1, pins.levels[22]) == (level, level)


def flash_of(mcu: Mcu) -> tuple[Flash, list[tuple[str, float]]]:
    counts = {"sector_erases": 0, "block_erases": 0, "page_programs": 0}
    chip = Flash(mcu, TYPICAL_FLASH_TIMES_NS, bytes(range(8)), counts)
    seen: list[tuple[str, float]] = []
    chip.on_write = lambda what, until_ns: seen.append((what, until_ns))
    chip._ssienr = 1
    return chip, seen


def ask(chip: Flash, *command: int, answers: int = 0) -> bytes:
    select: Any = chip._on_cs_pin_changed
    select(GPIOPinState.HIGH, GPIOPinState.LOW)
    select(GPIOPinState.LOW, GPIOPinState.HIGH)
    answer = [chip._shift_byte(byte) for byte in (*command, *bytes(answers))]
    select(GPIOPinState.HIGH, GPIOPinState.LOW)
    return bytes(answer[len(command) :])


def test_the_flash_chip_wraps_in_its_page_takes_its_time_and_has_an_id(mcu: Mcu) -> None:
    chip, seen = flash_of(mcu)
    mcu.flash[:512] = b"\xff" * 512
    ask(chip, 0x06)
    ask(chip, 0x02, 0, 0, 0xFE, 1, 2, 3)
    assert bytes(mcu.flash[254:258]) == b"\x01\x02\xff\xff"
    assert mcu.flash[0] == 3
    assert seen == [("page program", 400_000.0)]
    assert ask(chip, 0x05, answers=1) == b"\x01"
    mcu.clock.tick(400_000.0)
    assert ask(chip, 0x05, answers=1) == b"\x00"
    assert ask(chip, 0x4B, 0, 0, 0, 0, answers=8) == bytes(range(8))


def test_power_that_goes_during_an_erase_leaves_a_part(mcu: Mcu) -> None:
    chip, _ = flash_of(mcu)
    mcu.flash[:4096] = bytes(4096)
    ask(chip, 0x06)
    ask(chip, 0x20, 0, 0, 0)
    mcu.clock.tick(45e6 / 2)
    chip.power_lost()
    ones = sum(byte.bit_count() for byte in mcu.flash[:4096])
    assert 0.45 < ones / (8 * 4096) < 0.55


class Desk:
    """A board for a sensor alone: its INT1, and the chip's clock."""

    def __init__(self, mcu: Mcu) -> None:
        self._clock: Any = mcu.clock
        self.alarm = self._clock.create_alarm
        self.interrupt: int | None = None

    @property
    def now(self) -> float:
        return self._clock.nanos

    def drive(self, pin: int, level: int | None) -> None:
        assert pin == 20
        self.interrupt = level


def sensor_of(mcu: Mcu, number: int) -> tuple[Adxl345, Desk]:
    sensor, desk = Adxl345(20, 312_500.0, 1), Desk(mcu)
    sensor.attach(desk)
    sensor.feed(memoryview(struct.pack(f"<{3 * number}h", *range(3 * number))))
    for register, value in ((0x2C, 15), (0x31, 0x0B), (0x2E, 0x80), (0x38, 0x80), (0x2D, 8)):
        transfer(sensor, register, value)
    return sensor, desk


def transfer(sensor: Adxl345, *sent: int) -> bytes:
    sensor.selected()
    answer = bytes(sensor.exchange(byte, 3, 4.8e6) for byte in sent)
    sensor.deselected()
    return answer[1:]


def test_the_sensors_samples_come_in_order_5_us_apart_and_33_are_kept(mcu: Mcu) -> None:
    sensor, desk = sensor_of(mcu, 40)
    mcu.clock.tick(312_500.0 * 35)
    assert (sensor.counts["samples"], sensor.counts["overruns"]) == (35, 2)
    assert transfer(sensor, 0x80 | 0x39, 0) == bytes([33])
    read = (0x80 | 0x40 | 0x32, *bytes(6))
    first = struct.pack("<3h", 6, 6, 8)  # the third sample, its lowest bits 0
    assert transfer(sensor, *read) == first
    mcu.clock.tick(4_000.0)
    assert transfer(sensor, *read) == first, "not yet moved on"
    assert sensor.counts["early_reads"] == 1
    mcu.clock.tick(5_000.0)
    assert transfer(sensor, *read) == struct.pack("<3h", 8, 10, 10)
    assert desk.interrupt == 1
    for _ in range(40):
        mcu.clock.tick(5_000.0)
        transfer(sensor, *read)
    mcu.clock.tick(5_000.0)
    assert desk.interrupt == 0


def test_what_can_be_wrong_with_the_sensor(mcu: Mcu) -> None:
    sensor, desk = sensor_of(mcu, 9)
    sensor.set_faults({"identity": 0x33})
    assert transfer(sensor, 0x80, 0) == b"\x33"
    sensor.set_faults({"absent": True, "floats": 0})
    assert transfer(sensor, 0x80, 0) == b"\x00"
    assert desk.interrupt is None
    sensor.set_faults({"bit_errors": 1.0})
    assert transfer(sensor, 0x80, 0) != b"\xe5"
    sensor.set_faults({"stuck": True})
    mcu.clock.tick(312_500.0 * 3)
    read = (0x80 | 0x40 | 0x32, *bytes(6))
    stuck = transfer(sensor, *read)
    mcu.clock.tick(5_000.0)
    assert transfer(sensor, *read) == stuck
    sensor.set_faults({"clock": 2.0})
    before = sensor.counts["samples"]
    mcu.clock.tick(312_500.0 * 2)
    assert sensor.counts["samples"] - before >= 3
    sensor.set_faults({"reset": True})
    assert transfer(sensor, 0x80 | 0x2C, 0) == b"\x0a"
    with pytest.raises(ValueError, match="no such device fault: deaf"):
        sensor.set_faults({"deaf": True})


def test_spi_runs_at_the_peripheral_clock_and_only_the_selected_device_answers(mcu: Mcu) -> None:
    pins = Pins(mcu, lambda: mcu.clock.nanos, [])
    heard: list[tuple[int, int, float]] = []

    def exchange(byte: int, mode: int, hz: float) -> int:
        heard.append((byte, mode, hz))
        return 0x5A

    device = SimpleNamespace(exchange=exchange, selected=lambda: None, deselected=lambda: None)
    SpiBus(mcu.spi[0], pins).attach(device, 17)
    mcu.write_uint32(CLK_PERI_CTRL, FROM_USB_PLL)
    assert peripheral_hz(mcu) == 48e6
    mcu.write_uint32(SSPCPSR, 2)
    mcu.write_uint32(SSPCR0, 0x4C7)  # 8 bits, mode 3, divided by 5
    mcu.write_uint32(SSPCR1, 2)
    pins.drive(17, 1)
    for level, answer in ((1, 0xFF), (0, 0x5A)):
        pins.drive(17, level)
        mcu.write_uint32(SSPDR, 0x80)
        mcu.clock.tick(8 / 4.8e6 * 1e9 - 1)
        assert mcu.read_uint32(SSPSR) & 0x10, "busy"
        mcu.clock.tick(2)
        assert not mcu.read_uint32(SSPSR) & 0x10
        assert mcu.read_uint32(SSPDR) == answer
    assert heard == [(0x80, 3, 4.8e6)]


def test_both_serial_functions_are_found_in_the_descriptor() -> None:
    def function(first: int, endpoint: int) -> bytes:
        return b"".join(
            [
                bytes([9, 4, first, 0, 1, 2, 2, 0, 0]),
                bytes([5, 0x24, 0, 0x20, 1]),
                bytes([7, 5, 0x80 | endpoint, 3, 8, 0, 16]),
                bytes([9, 4, first + 1, 0, 2, 10, 0, 0, 0]),
                bytes([7, 5, endpoint + 1, 2, 64, 0, 0]),
                bytes([7, 5, 0x80 | endpoint + 1, 2, 64, 0, 0]),
            ]
        )

    descriptor = bytes([9, 2, 0, 0, 4, 1, 0, 0x80, 125]) + function(0, 1) + function(2, 3)
    found = serial_functions(descriptor)
    assert [(f.control, f.into_host, f.out_of_host) for f in found] == [(0, 2, 2), (2, 4, 4)]
