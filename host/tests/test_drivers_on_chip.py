"""The sensor drivers in MicroPython on the emulated chip, against the models of the sensors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from micropython_vm import FIRMWARE
from on_chip import PartChip, modules

from wrench.bench.emulator import StepRequest, StepSeen
from wrench.hil.chip import Wiring

HERE = Path(__file__).parent
MODULES = sorted(f"drivers/{path.stem}" for path in (FIRMWARE / "drivers").glob("*.py"))
MODULES += ["acquire_rp2", "guard_rp2"]
SDA, SCL, INT1, CS = 2, 3, 20, 17
GRAVITY = {"adxl345": 256, "mpu6050": 2048, "mpu9250": 2048}

I2C_BOARD: dict[str, object] = {
    "VIBRATION_BUS": "i2c",
    "VIBRATION_BUS_NUMBER": 1,
    "VIBRATION_SDA_PIN": SDA,
    "VIBRATION_SCL_PIN": SCL,
    "VIBRATION_INT1_PIN": INT1,
    "VIBRATION_BAUDRATE_HZ": 400_000,
    "VIBRATION_RANGE_MG": 16000,
}
BOARDS: dict[str, dict[str, object]] = {
    "adxl345 spi": {
        "VIBRATION_DRIVER": "adxl345",
        "VIBRATION_BUS": "spi",
        "VIBRATION_BUS_NUMBER": 0,
        "VIBRATION_SCK_PIN": 18,
        "VIBRATION_MOSI_PIN": 19,
        "VIBRATION_MISO_PIN": 16,
        "VIBRATION_CS_PIN": CS,
        "VIBRATION_INT1_PIN": INT1,
        "VIBRATION_BAUDRATE_HZ": 5_000_000,
        "VIBRATION_RATE_HZ": 3200,
        "VIBRATION_RANGE_MG": 16000,
    },
    "adxl345 i2c": I2C_BOARD
    | {"VIBRATION_DRIVER": "adxl345", "VIBRATION_ADDRESS": 0x53, "VIBRATION_RATE_HZ": 800},
    "mpu6050": I2C_BOARD
    | {"VIBRATION_DRIVER": "mpu6050", "VIBRATION_ADDRESS": 0x68, "VIBRATION_RATE_HZ": 1000},
    "mpu9250": I2C_BOARD
    | {"VIBRATION_DRIVER": "mpu9250", "VIBRATION_ADDRESS": 0x69, "VIBRATION_RATE_HZ": 1000},
}


class Parts(Wiring):
    """Sensors and monitors around a board; `faults` and `ina` reach it at the next step."""

    def __init__(self, devices: list[dict[str, object]]) -> None:
        super().__init__([INT1], devices)
        self.adc_signal: dict[int, tuple[np.ndarray, float]] = {}
        self.faults: dict[int, dict[str, Any]] = {}
        self.ina: dict[int, tuple[int, int]] = {}
        self.sent: dict[int, int] = {}

    def step(self, request: StepRequest, start_ns: int, seen: StepSeen | None) -> None:
        """Each sampled sensor feels a ramp of 2 a sample on x and y and gravity on z."""
        super().step(request, start_ns, seen)
        for index, device in enumerate(self.devices):
            period_ns = device.get("period_ns")
            if isinstance(period_ns, float):
                end = int((start_ns + request.duration_ns) / period_ns) + 2
                x = np.arange(self.sent.get(index, 0), end) * 2 % 200 - 100
                self.sent[index] = end
                z = np.full_like(x, GRAVITY[str(device["kind"])])
                request.signal[index] = np.stack([x, -x, z], axis=1).astype("<i2").tobytes()
            if index in self.ina:
                request.signal[index] = np.array(self.ina[index]).astype("<i2").tobytes()
        for channel, (codes, rate_hz) in self.adc_signal.items():
            first = round(start_ns * rate_hz / 1e9)
            count = round(request.duration_ns * rate_hz / 1e9)
            block = codes[np.arange(first, first + count) % len(codes)]
            request.adc_signal[channel] = block.astype("<i2").tobytes(), rate_hz
        if self.faults:
            request.device_faults = self.faults
            self.faults = {}


class Chip(PartChip):
    """A board with the drivers on it."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(modules("__init__", *MODULES), wiring=parts)
        self.parts = parts

    def make(self, board: str, **changes: object) -> None:
        """The driver for one of BOARDS as `sensor` on the chip."""
        constants = BOARDS[board] | changes
        self.run(f"sensor = make({board.partition(' ')[0]!r}, {constants!r})")

    def break_device(self, index: int = 0, **faults: object) -> None:
        """Set what is wrong with a device, and let two steps pass."""
        self.parts.faults = {index: faults}
        self.run("time.sleep_ms(15)")


@contextmanager
def powered(parts: Parts) -> Iterator[Chip]:
    with Chip(parts) as chip:
        chip.run((HERE / "drivers_device.py").read_text())
        yield chip


def on_i2c(kind: str, address: int, **more: object) -> dict[str, object]:
    return {"kind": kind, "bus": "i2c", "i2c": 1, "sda": SDA, "scl": SCL, "address": address} | more


@pytest.fixture(scope="module", params=list(BOARDS))
def sensor(request: pytest.FixtureRequest) -> Iterator[tuple[str, Chip]]:
    """Each sampled sensor on its bus."""
    board: str = request.param
    constants = BOARDS[board]
    kind = board.partition(" ")[0]
    rate_hz = 3200 if kind == "adxl345" else 1000
    period_ns = 1e9 / rate_hz
    if constants["VIBRATION_BUS"] == "spi":
        device: dict[str, object] = {
            "kind": kind,
            "bus": "spi",
            "spi": 0,
            "cs": CS,
            "int1": INT1,
            "period_ns": period_ns,
        }
    else:
        address = constants["VIBRATION_ADDRESS"]
        assert isinstance(address, int)
        device = on_i2c(kind, address, int1=INT1, period_ns=period_ns)
    with powered(Parts([device])) as chip:
        chip.make(board)
        yield board, chip


@pytest.fixture(autouse=True)
def mended(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "sensor" in request.fixturenames:
        _, chip = request.getfixturevalue("sensor")
        chip.break_device()


def test_a_good_sensor_is_known_passes_its_test_and_keeps_its_settings(
    sensor: tuple[str, Chip],
) -> None:
    _, chip = sensor
    assert chip.run("sensor.identify(); tell(sensor.self_test())") is True
    assert chip.run("sensor.start(); tell(sensor.configured())") is True


def test_a_sensor_that_is_not_there_is_named_with_its_wires(sensor: tuple[str, Chip]) -> None:
    board, chip = sensor
    for floats in (0xFF, 0x00):
        chip.break_device(absent=True, floats=floats)
        kind, text = chip.run("tell(said(sensor.identify))")
        assert kind == "OSError"
        assert "silent" in text
        assert ("MISO" if "spi" in board else "SDA") in text


def test_another_chip_is_the_wrong_sensor(sensor: tuple[str, Chip]) -> None:
    _, chip = sensor
    chip.break_device(identity=0x19)
    kind, text = chip.run("tell(said(sensor.identify))")
    assert kind == "WrongSensorError"
    assert "0x19" in text


def test_a_converter_that_stands_still_fails_the_self_test(sensor: tuple[str, Chip]) -> None:
    _, chip = sensor
    chip.break_device(stuck=True)
    assert chip.run("tell(sensor.self_test())") is False
    chip.break_device()
    assert chip.run("tell(sensor.self_test())") is True


def test_a_brown_out_of_the_sensor_is_seen(sensor: tuple[str, Chip]) -> None:
    _, chip = sensor
    chip.run("sensor.start()")
    chip.break_device(reset=True)
    assert chip.run("tell(sensor.configured())") is False
    assert chip.run("sensor.start(); tell(sensor.configured())") is True


def test_a_write_that_does_not_arrive_is_an_error(sensor: tuple[str, Chip]) -> None:
    _, chip = sensor
    chip.break_device(bit_errors=1.0, seed=3)
    kind, text = chip.run("tell(said(sensor.start))")
    assert kind == "OSError"
    assert "check" in text


def test_every_sample_once(sensor: tuple[str, Chip]) -> None:
    board, chip = sensor
    read = "entries" if "adxl345" in board else "mpu_entries"
    if board == "adxl345 spi":
        chip.make(board, VIBRATION_RATE_HZ=1600)  # as fast as Python can read
    got = chip.run(f"sensor.start(); tell({read}(sensor, 300))")
    assert len(got) == 300
    step = {"adxl345 spi": 4, "adxl345 i2c": 8}.get(board, 2)
    steps = [(b[0] - a[0]) % 200 for a, b in pairwise(got)]
    assert set(steps) == {step}
    gravity = GRAVITY[board.partition(" ")[0]]
    assert all(y == -x and z == gravity for x, y, z in got)
    chip.make(board)


def test_the_scale_follows_the_range(sensor: tuple[str, Chip]) -> None:
    board, chip = sensor
    for range_mg in (2000, 4000, 8000, 16000):
        chip.make(board, VIBRATION_RANGE_MG=range_mg)
        register = 0x32 if "adxl345" in board else 0x3B
        z, count_ug, full = chip.run(
            "sensor.start(); time.sleep_ms(10)\n"
            f"tell([sample(sensor, {register})[2], sensor.count_ug, sensor.full_scale_counts])"
        )
        assert z * count_ug == pytest.approx(1e6, rel=2e-3)
        assert full * count_ug == pytest.approx(range_mg * 1000, rel=5e-3)
    chip.make(board)


def test_what_the_engine_is_told(sensor: tuple[str, Chip]) -> None:
    board, chip = sensor
    told = chip.run("tell(sensor.engine_parameters())")
    assert (
        told
        == {
            "adxl345 spi": ["spi", 0x4003C000, CS, INT1, 0xF2, 0xB9, 32, 0],
            "adxl345 i2c": ["i2c", 0x40048000, 0x53, 0x32, 0, INT1, 0, 0, 0],
            "mpu6050": ["i2c", 0x40048000, 0x68, 0x72, 2, INT1, 1, 1, 1023],
            "mpu9250": ["i2c", 0x40048000, 0x69, 0x72, 2, INT1, 1, 1, 511],
        }[board]
    )
    if told[0] == "i2c":
        assert chip.run("tell(machine.mem32[0x40048004])") == told[2]
    if "mpu" in board:
        chip.make(board, VIBRATION_INT1_PIN=None)
        assert chip.run("tell(sensor.engine_parameters())")[3:] == [0x3A, 1, -1, 1, 2, 0]
        chip.make(board)


def test_an_mpu_s_fifo_that_overflowed_is_seen_and_emptied(sensor: tuple[str, Chip]) -> None:
    board, chip = sensor
    if "mpu" not in board:
        pytest.skip("the ADXL345 keeps whole entries")
    late_ms = 200 if board == "mpu6050" else 100
    full = 1024 if board == "mpu6050" else 512
    assert (
        chip.run(f"sensor.start(); time.sleep_ms({late_ms}); tell(mpu_entries(sensor, 3))") == full
    )
    got = chip.run("sensor.empty_fifo(); tell(mpu_entries(sensor, 20))")
    assert {(b[0] - a[0]) % 200 for a, b in pairwise(got)} == {2}


def test_an_mpu_s_fifo_whose_entries_begin_elsewhere_is_seen_and_emptied(
    sensor: tuple[str, Chip],
) -> None:
    board, chip = sensor
    if "mpu" not in board:
        pytest.skip("the ADXL345 keeps whole entries")
    registers = "sensor._registers"
    one_byte = f"{registers}._i2c.readfrom_mem({registers}.address, 0x74, 1)"
    count = f"int.from_bytes({registers}._i2c.readfrom_mem({registers}.address, 0x72, 2), 'big')"
    chip.run(f"sensor.start(); time.sleep_ms(20); {one_byte}")
    assert chip.run(f"tell({count} % 6)") == 5
    assert chip.run("tell(sensor.configured())") is True
    assert chip.run(f"tell({count} % 6)") == 0
    got = chip.run("tell(mpu_entries(sensor, 20))")
    assert {(b[0] - a[0]) % 200 for a, b in pairwise(got)} == {2}
    assert chip.run(f"time.sleep_ms(5); sensor.configured(); tell({count})") > 24, "left alone"


def test_a_dead_interrupt_line_and_a_slow_clock(sensor: tuple[str, Chip]) -> None:
    board, chip = sensor
    if "spi" not in board:
        pytest.skip("one sensor shows it")
    chip.run("sensor.start()")
    chip.break_device(interrupt_dead=True)
    assert chip.run("tell(machine.Pin(20).value())") == 0
    chip.break_device(clock=0.5)
    took_us = chip.run("entries(sensor, 200); tell(took_us[0])")
    assert 200 / (took_us * 1e-6) == pytest.approx(1600, rel=0.02)


# -- monitors of supplies ----------------------------------------------------------------------

INA_BOARD = "i2c = machine.I2C(1, sda=machine.Pin(2), scl=machine.Pin(3), freq=400_000)\n"


@pytest.fixture(scope="module")
def monitors() -> Iterator[Chip]:
    """An INA226 at 0x40 and an INA219 at 0x41 on one bus."""
    parts = Parts([on_i2c("ina226", 0x40), on_i2c("ina219", 0x41)])
    with powered(parts) as chip:
        chip.run(
            "from wrench_firmware.drivers.ina226 import Ina226\n"
            "from wrench_firmware.drivers.ina219 import Ina219\n" + INA_BOARD
        )
        yield chip


@pytest.fixture
def both(monitors: Chip) -> Chip:
    """`both` on the chip: the two drivers, with nothing wrong."""
    monitors.parts.faults = {0: {}, 1: {}}
    monitors.run("time.sleep_ms(15)\nboth = (Ina226(i2c, 0x40, 20_000), Ina219(i2c, 0x41, 40_000))")
    return monitors


@pytest.mark.parametrize(("volts", "amps"), [(12.0, 2.0), (5.0, -1.5), (24.0, 0.0), (0.0, 0.0)])
def test_voltage_and_current(both: Chip, volts: float, amps: float) -> None:
    both.parts.ina = {
        0: (round(volts / 1.25e-3), round(amps * 0.020 / 2.5e-6)),
        1: (round(volts / 4e-3) << 3, round(amps * 0.040 / 10e-6)),
    }
    read = "tell([[m.read_mv(), m.read_ma()] for m in both])"
    for mv, ma in both.run("time.sleep_ms(30)\n" + read):
        assert mv == pytest.approx(1000 * volts, abs=4)
        assert ma == pytest.approx(1000 * amps, abs=2)


def test_reading_takes_less_than_a_fifth_of_a_millisecond_and_allocates_nothing(
    both: Chip,
) -> None:
    for us, allocated in both.run(
        "tell([cost(call) for m in both for call in (m.read_mv, m.read_ma)])"
    ):
        assert allocated == 0
        assert 128 < us < 200


def test_a_monitor_that_is_not_there_or_is_another_one(both: Chip) -> None:
    make = "[said(Ina226, i2c, 0x40, 50_000), said(Ina219, i2c, 0x41, 40_000)]"
    both.parts.faults = {0: {"absent": True}, 1: {"absent": True}}
    both.run("time.sleep_ms(15)")
    for kind, text in both.run(f"tell({make})"):
        assert kind == "OSError"
        assert "silent" in text
    assert [kind for kind, _ in both.run("tell([said(m.read_mv) for m in both])")] == [
        "OSError",
        "OSError",
    ]
    both.parts.faults = {0: {"identity": 0x2270}, 1: {"identity": 0x4127}}
    both.run("time.sleep_ms(15)")
    (kind, text), (kind_219, text_219) = both.run(f"tell({make})")
    assert kind == kind_219 == "WrongSensorError"
    assert "0x2270" in text
    assert "0x4127" in text_219


def test_a_monitor_that_browned_out_has_lost_its_settings(both: Chip) -> None:
    assert both.run("tell([m.configured() for m in both])") == [True, True]
    both.parts.faults = {0: {"reset": True}, 1: {"reset": True}}
    both.run("time.sleep_ms(15)")
    assert both.run("tell([m.configured() for m in both])") == [False, False]


def test_the_ina219_clips_its_shunt_and_the_ina226_reads_both_signs(both: Chip) -> None:
    both.parts.ina = {0: (9600, -32768), 1: (3000 << 3, 32500)}
    ma = both.run("time.sleep_ms(30); tell([m.read_ma() for m in both])")
    assert ma == [-32768 * 2500 // 20_000, 32_000 * 10_000 // 40_000]


def test_an_absent_address_is_eio_as_on_silicon(both: Chip) -> None:
    assert both.run("tell(said(i2c.readfrom, 0x33, 2))") == ["OSError", "[Errno 5] EIO"]
    assert both.run("tell(said(i2c.writeto, 0x33, b'abc'))") == ["OSError", "[Errno 5] EIO"]
    assert both.run("tell(said(i2c.readfrom_mem, 0x33, 0, 2))") == ["OSError", "[Errno 5] EIO"]
    assert both.run("tell(i2c.scan())") == [0x40, 0x41]


# -- analog --------------------------------------------------------------------------------------

ANALOG: dict[str, object] = {
    "VIBRATION_DRIVER": "analog",
    "VIBRATION_BUS": "adc",
    "VIBRATION_RATE_HZ": 25_600,
    "VIBRATION_UG_PER_CODE": 8057,
    "VIBRATION_ZERO_CODE": 2048,
    "VIBRATION_AXES": (1,),
    "VIBRATION_ADC_PINS": (26,),
}
RAMP = np.arange(1000, 3048)


@pytest.fixture(scope="module")
def adc_chip() -> Iterator[Chip]:
    with powered(Parts([])) as chip:
        yield chip


@contextmanager
def analog_sensor(chip: Chip, **changes: object) -> Iterator[None]:
    """`sensor` on the chip; afterwards the DMA's channels are free."""
    chip.run(f"carried = None; sensor = make('analog', {ANALOG | changes!r})")
    try:
        yield
    finally:
        chip.run("carried and carried.guard.stop(); carried = None")
        chip.run("sensor._stop(); sensor._a.close(); sensor._b.close()")


def follows_the_ramp(codes: np.ndarray) -> bool:
    """No sample is lost or doubled; where the instants of conversion and of the signal meet, one
    may show its neighbour."""
    beside = (codes - codes[0] - np.arange(len(codes)) + 1) % len(RAMP)
    return bool(beside.max() <= 2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"CURRENT_PIN": 27},
        {"CURRENT_PIN": 27, "BEARING_TEMPERATURE_PIN": 28},
        {"SUPPLIES": ((0, 27, 0, 1, 0, 1), (2, 0, 0x40, 1, 1, 1)), "DRIVER_TEMPERATURE_PIN": 28},
        {"VIBRATION_AXES": (0, 1, 2), "VIBRATION_ADC_PINS": (28, 26, 27)},
    ],
    ids=["alone", "two", "three", "divider", "axes"],
)
def test_analog_samples_come_at_their_rate_and_in_their_places(
    adc_chip: Chip, changes: dict[str, object]
) -> None:
    adc_chip.parts.adc_signal = {0: (RAMP, 25_600.0)}  # it steps once a round
    adc_chip.parts.adc = {1: 700, 2: 900}
    with analog_sensor(adc_chip, **changes):
        adc_chip.run("sensor.identify()")
        assert adc_chip.run("tell([sensor.rate_hz, sensor.full_scale_counts])") == [25_600, 2047]
        pins = [27, 28] if len(changes) == 2 and "VIBRATION_AXES" not in changes else []
        adc_chip.run(f"carried = Carried(sensor, {pins}); carried.until(2600)")
        got = adc_chip.run("tell(carried.samples(0, 1000))")
        got += adc_chip.run("tell(carried.samples(1000, 1048))")
        assert adc_chip.run("tell([carried.engine.overflows, sensor.configured()])") == [0, True]
        if pins:
            assert adc_chip.run("tell(list(carried.followed))") == [700, 900, 0]
    x, y, z = np.array(got).reshape(-1, 3).T
    assert follows_the_ramp(y)  # and goes on at the ring's end where it began: both have 2,048
    three = "VIBRATION_AXES" in changes
    assert set(x) == {900 - 2048 if three else 0}
    assert set(z) == {700 - 2048 if three else 0}


def test_turns_that_come_late_lose_no_code(adc_chip: Chip) -> None:
    adc_chip.parts.adc_signal = {0: (RAMP, 25_600.0)}
    with analog_sensor(adc_chip):
        adc_chip.run("carried = Carried(sensor); carried.deaf(60); carried.until(2000)")
        assert adc_chip.run("tell(carried.engine.overflows)") == 0
        got = adc_chip.run("tell(carried.samples(0, 2000))")
    assert follows_the_ramp(np.array(got[1::3]))


def test_what_the_turns_miss_is_counted_and_they_go_on(adc_chip: Chip) -> None:
    adc_chip.parts.adc_signal = {0: (RAMP, 25_600.0)}
    with analog_sensor(adc_chip):
        adc_chip.run("carried = Carried(sensor); carried.until(100); n = carried.engine.words[0]")
        adc_chip.run("carried.deaf(400); carried.until(2000)")
        count, lost = adc_chip.run("tell([n, carried.engine.overflows])")
        got = adc_chip.run(f"tell(carried.samples({count}, {2000 - count}))")
    assert lost in (4096, 8192)  # the ring's; between the commands there are no turns either
    assert follows_the_ramp(np.array(got[1::3]))


@pytest.mark.parametrize("taken", [0, 0x3FFFFF80, 0xFFFFFF80])
def test_a_ring_that_is_held_stays_as_it_is_until_it_goes_on(adc_chip: Chip, taken: int) -> None:
    adc_chip.parts.adc_signal = {0: (RAMP, 25_600.0)}
    until = (taken + 1000) & 0x3FFFFFFF
    with analog_sensor(adc_chip, CURRENT_PIN=27, BEARING_TEMPERATURE_PIN=28):
        adc_chip.run(
            "carried = Carried(sensor); carried.guard.stop(); words = carried.engine.words"
        )
        adc_chip.run(f"words[0] = {taken}; sensor.start(); carried.engine.hold({until})")
        adc_chip.run("carried.deaf(0); time.sleep_ms(200); n = words[1]; us = time.ticks_us()")
        adc_chip.run("held = carried.samples(0, 2048)")
        told = "tell([words[0] & 0x3FFFFFFF, words[1] - n, time.ticks_diff(time.ticks_us(), us)])"
        adc_chip.run("time.sleep_ms(300)")
        count, lost, us = adc_chip.run(told)
        assert count == until
        assert lost == pytest.approx(us * 25_600 / 1e6, abs=20)
        assert adc_chip.run("tell(held == carried.samples(0, 2048))") is True
        adc_chip.run("carried.engine.hold(None); time.sleep_ms(30); carried.guard.stop()")
        more = adc_chip.run("tell(words[0] & 0x3FFFFFFF)") - until
        assert 700 < more < 1000
        got = adc_chip.run(f"tell(carried.samples({until & 2047}, 700))")
    assert follows_the_ramp(np.array(got[1::3]))


def test_a_code_that_the_adc_has_lost_stops_the_engine_until_it_recovers(adc_chip: Chip) -> None:
    adc_chip.parts.adc_signal = {0: (RAMP, 25_600.0)}
    adc_chip.parts.adc = {1: 700, 2: 900}
    with analog_sensor(adc_chip, CURRENT_PIN=27, BEARING_TEMPERATURE_PIN=28):
        adc_chip.run("carried = Carried(sensor, [27, 28]); time.sleep_ms(5)")
        adc_chip.run("machine.mem32[0x50000444] = 0xFFF; time.sleep_ms(5)")
        stuck = "tell([carried.engine.stuck, carried.engine.overflows])"
        assert adc_chip.run(stuck) == [True, 1]
        adc_chip.run("n = carried.engine.words[0]; sensor.recover(); carried.engine.resume()")
        adc_chip.run("carried.until(n + 500)")
        assert adc_chip.run(stuck) == [False, 1]
        assert adc_chip.run("tell(list(carried.followed))") == [700, 900, 0]
        got = adc_chip.run("tell(carried.samples(n, 500))")
    assert follows_the_ramp(np.array(got[1::3]))


def test_a_cut_lead_is_named_by_its_pin(adc_chip: Chip) -> None:
    adc_chip.parts.adc_signal = {}
    with analog_sensor(adc_chip, CURRENT_PIN=27):
        for code, wrong in ((0, True), (4095, True), (2100, False)):
            adc_chip.parts.adc = {0: code}
            adc_chip.run("time.sleep_ms(15)")
            said = adc_chip.run("tell(said(sensor.identify))")
            assert (said is not None) is wrong
            if wrong:
                assert said[0] == "OSError"
                assert "GP26" in said[1]
        assert adc_chip.run("tell(sensor.self_test())") is None


def test_somebody_else_at_the_adc_is_seen(adc_chip: Chip) -> None:
    with analog_sensor(adc_chip):
        assert adc_chip.run("sensor.start(); tell(sensor.configured())") is True
        assert adc_chip.run("machine.mem32[0x4004C000] = 1; tell(sensor.configured())") is False


@pytest.mark.parametrize(("axes", "idle", "busy"), [(1, 160, 400), (3, 160, 800)])
def test_a_turn_costs_what_it_says(adc_chip: Chip, axes: int, idle: int, busy: int) -> None:
    some = {"VIBRATION_AXES": (0, 1, 2)[:axes], "VIBRATION_ADC_PINS": (26, 27, 28)[:axes]}
    with analog_sensor(adc_chip, **some):
        adc_chip.run("carried = Carried(sensor)")
        cycles = adc_chip.run("tell([carry_cycles(carried, waiting) for waiting in (0, 1)])")
        _, allocated = adc_chip.run("tell(cost(sensor.configured))")
    assert allocated == 0
    assert cycles[0] < idle
    assert cycles[1] < busy
    print(cycles)
