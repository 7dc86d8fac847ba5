"""The machine as each board file wires it: what its pins, ADC inputs and chips get to see, and what
the motor drivers make of the pins."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping

import numpy as np
import pytest

from wrench.bench.assemble import machine_of, signal_of
from wrench.bench.drivers import RcController, driver_of
from wrench.bench.emulator import PinSeen, StepRequest, StepSeen
from wrench.bench.plant import Adxl345Signal, Drive, Plant, scenario
from wrench.bench.wiring import WiredMachine, ina219_registers, ina226_registers
from wrench.boards import Board, load_board, ntc
from wrench.boards.schema import Esc, PwmDirectionEnable, TwoPwm

STEP_NS = 5_000_000
SPI, I2C, MPU, ANALOG = (
    "pico-adxl345",
    "pico-adxl345-i2c-pwm-enable",
    "pico-mpu6050-two-pwm",
    "pico-analog-piezo-esc",
)


def pin(high: float, edges_ns: list[float] | None = None, level: int | None = None) -> PinSeen:
    edges = edges_ns or []
    return PinSeen(high, round(high) if level is None else level, 0, 0, edges)


def seen(pins: Mapping[int, PinSeen], now_ns: float = 0.0, powered: bool = True) -> StepSeen:
    return StepSeen(now_ns, 0.0, powered, dict(pins), [], 0, [], 0, [], [], {}, None)


class Wired:
    """A machine on a board, stepped by hand."""

    def __init__(self, name: str, condition: str = "healthy") -> None:
        self.board = load_board(name)
        signal = signal_of(self.board, 1)
        self.plant = Plant(machine_of(self.board), scenario(condition), 1, signal.site())
        self.machine = WiredMachine(self.board, self.plant, signal)
        self.now_ns = 0

    def step(self, pins: Mapping[int, PinSeen] | None = None) -> StepRequest:
        request = StepRequest(STEP_NS)
        self.machine.step(request, self.now_ns, seen(pins, self.now_ns) if pins else None)
        self.now_ns += STEP_NS
        return request

    def steps(self, count: int, pins: Mapping[int, PinSeen] | None = None) -> list[StepRequest]:
        return [self.step(pins) for _ in range(count)]


# -- devices --------------------------------------------------------------------------------------


def test_the_devices_of_every_board_are_where_its_file_says() -> None:
    rate = Adxl345Signal(1).rate_hz
    assert Wired(SPI).machine.devices == [
        {
            "kind": "adxl345",
            "bus": "spi",
            "spi": 0,
            "cs": 17,
            "int1": 20,
            "period_ns": pytest.approx(1e9 / rate),
        }
    ]
    sensor, chip = Wired(I2C).machine.devices
    assert (sensor["kind"], sensor["bus"], sensor["i2c"], sensor["address"]) == (
        "adxl345",
        "i2c",
        0,
        0x53,
    )
    assert (sensor["sda"], sensor["scl"], sensor["int1"]) == (16, 17, 20)
    assert (chip["kind"], chip["i2c"], chip["address"]) == ("ina226", 1, 0x44)
    sensor, chip = Wired(MPU).machine.devices
    assert (sensor["kind"], sensor["address"]) == ("mpu6050", 0x68)
    assert sensor["period_ns"] == pytest.approx(1e6, rel=0.011)
    adapter, pack = Wired(ANALOG).machine.devices
    assert (adapter["kind"], adapter["address"], pack["address"]) == ("ina219", 0x41, 0x40)


def test_what_is_wrong_with_a_chip_reaches_it_once() -> None:
    wired = Wired(MPU)
    wired.machine.set_sensor_fault(absent=True)
    wired.machine.set_supply_chip_fault("main", stuck=True)
    assert wired.step().device_faults == {0: {"absent": True}, 1: {"stuck": True}}
    assert wired.step().device_faults == {}
    with pytest.raises(KeyError):
        wired.machine.set_supply_chip_fault("adapter")
    with pytest.raises(ValueError, match="on the ADC"):
        Wired(ANALOG).machine.set_sensor_fault(absent=True)


# -- vibration ------------------------------------------------------------------------------------


def test_an_adxl345_at_800_hz_gets_each_sample_four_times() -> None:
    """The model of the chip takes 3,200 a second and keeps every fourth."""
    wired = Wired(I2C)
    triples = np.concatenate(
        [np.frombuffer(r.signal[0], "<i2").reshape(-1, 3) for r in wired.steps(100)]
    )
    assert len(triples) == pytest.approx(0.5 * 3200, rel=0.03)
    groups = triples.reshape(-1, 4, 3)
    assert np.all(groups == groups[:, :1])
    assert len(np.unique(groups[:, 0, 0])) > 5
    sensor = wired.machine.devices[0]
    assert sensor["period_ns"] == pytest.approx(1e9 / 3200, rel=0.021)


def test_an_analog_sensor_is_on_its_pin_and_nowhere_else() -> None:
    wired = Wired(ANALOG)
    requests = wired.steps(40)
    assert all(list(r.adc_signal) == [0] and 0 not in r.adc for r in requests)
    codes = np.concatenate([np.frombuffer(r.adc_signal[0][0], "<i2") for r in requests])
    assert {r.adc_signal[0][1] for r in requests} == {25_600.0}
    assert len(codes) == 40 * 128
    # y carries gravity: 1.65 V and 100 mV.
    assert codes.mean() == pytest.approx(1.75 / 3.3 * 4096, abs=1.0)


# -- supplies -------------------------------------------------------------------------------------


def registers(data: bytes) -> tuple[int, int]:
    bus, shunt = struct.unpack("<Hh", data)
    return bus, shunt


def test_the_registers_of_the_supply_chips() -> None:
    assert registers(ina226_registers(12.0, 0.05)) == (9600, 20_000)
    assert registers(ina226_registers(0.0, -0.01)) == (0, -4000)
    assert registers(ina226_registers(60.0, 1.0)) == (0x7FFF, 0x7FFF)
    assert registers(ina219_registers(12.0, 0.05)) == (3000 << 3, 5000)
    assert registers(ina219_registers(60.0, -1.0)) == (8000 << 3, -32_000)


def test_every_supply_is_measured_in_its_own_way() -> None:
    wired = Wired(I2C)
    wired.plant.jam()
    request = wired.steps(20, {14: pin(0.4), 15: pin(1.0)})[-1]
    reading = wired.machine.reading
    assert reading is not None
    adapter_v, battery_v, pack_v = reading.supplies_v
    assert request.adc[2] == pytest.approx(adapter_v / 5.7 / 3.3 * 4096, abs=1)
    assert request.adc[1] == pytest.approx(battery_v / 5.7 / 3.3 * 4096, abs=1)
    bus, shunt = registers(request.signal[1])
    assert bus * 1.25e-3 == pytest.approx(pack_v, abs=1e-3)
    assert shunt * 2.5e-6 / 0.010 == pytest.approx(reading.supplies_a[2], abs=1e-3)
    assert reading.supplies_a[2] > 2.0


def test_a_supply_that_goes_reads_nothing_and_the_motor_goes_on() -> None:
    wired = Wired(I2C)
    running = {14: pin(0.6), 15: pin(1.0)}
    wired.steps(300, running)
    assert wired.machine.supply("pack") is wired.machine.supplies[2]
    wired.machine.supply("pack").lose()
    wired.machine.supply("battery").set_voltage(11.0)
    request = wired.steps(200, running)[-1]
    assert registers(request.signal[1]) == (0, 0)
    assert request.adc[1] == pytest.approx(11.0 / 5.7 / 3.3 * 4096, abs=1)
    reading = wired.machine.reading
    assert reading is not None
    assert reading.supplies_a[0] > 1.0  # the adapter's 12 V are the highest now
    assert reading.speed_rpm > 1000


def test_a_board_without_supplies_has_one_of_the_motors_voltage() -> None:
    data = load_board(SPI)
    protection = data.protection.model_copy(update={"supplies": {}})
    bare = data.model_copy(update={"supplies": {}, "protection": protection})
    assert [s.emf_v for s in machine_of(bare).supplies] == [12.0]
    assert [s.resistance_ohm for s in machine_of(data).supplies] == pytest.approx([0.08])


# -- temperature, current, tacho, fault output ----------------------------------------------------


@pytest.mark.parametrize("place", ["bearing", "driver"])
def test_both_thermistors_are_read_and_can_be_cut_or_shorted(place: str) -> None:
    wired = Wired(MPU)
    board = wired.board
    wired.plant.set_temperatures(bearing_c=60.0, driver_c=80.0)
    part = board.temperatures.bearing if place == "bearing" else board.temperatures.driver
    assert part is not None
    channel, to_ground = part.pin - 26, part.ntc_to == "ground"
    degc = 60.0 if place == "bearing" else 80.0
    code = ntc.code(degc, part.r25_ohm, part.beta_k, part.series_ohm, to_ground=to_ground)
    assert wired.step().adc[channel] == pytest.approx(code, abs=2)
    wired.machine.break_thermistor(part_name(place))
    assert wired.step().adc[channel] == (4095 if to_ground else 0)
    wired.machine.break_thermistor(part_name(place), shorted=True)
    assert wired.step().adc[channel] == (0 if to_ground else 4095)
    wired.machine.mend_thermistor(part_name(place))
    assert wired.step().adc[channel] == pytest.approx(code, abs=4)


def part_name(place: str):
    return "bearing" if place == "bearing" else "driver"


def test_a_magnet_beside_the_current_sensor_shifts_what_it_shows() -> None:
    wired = Wired(SPI)
    rest = wired.step().adc[0]
    wired.machine.offset_current(2.0)
    assert wired.step().adc[0] - rest == pytest.approx(2.0 * 0.185 / 1.5 / 3.3 * 4096, abs=1.5)


def tacho_edges(requests: list[StepRequest], gpio: int) -> list[int | None]:
    return [level for r in requests for _, at, level in r.inputs if at == gpio]


def test_a_cut_tacho_gives_no_edges_until_it_is_mended() -> None:
    wired = Wired(SPI)
    wired.plant.set_speed(2000)
    assert len(tacho_edges(wired.steps(40), 21)) > 8
    wired.machine.cut_tacho()
    assert tacho_edges(wired.steps(40), 21) == [None]
    assert (0.0, 21, 1) not in wired.machine.power_on(0)
    wired.machine.cut_tacho(False)
    wired.plant.set_speed(2000)
    edges = tacho_edges(wired.steps(40), 21)
    assert edges[0] == 1  # pulled up by the sensor's own resistor
    assert len(edges) > 4


def test_the_pulses_of_a_fine_tacho_stay_apart() -> None:
    board = load_board(SPI)
    assert board.tacho is not None
    board = board.model_copy(
        update={"tacho": board.tacho.model_copy(update={"pulses_per_rev": 60})}
    )
    signal = signal_of(board, 1)
    plant = Plant(machine_of(board), scenario("healthy"), 1, signal.site())
    machine = WiredMachine(board, plant, signal)
    plant.set_speed(2900)
    levels: list[tuple[float, int | None]] = []
    for step in range(4):
        request = StepRequest(STEP_NS)
        machine.step(request, step * STEP_NS, None)
        levels += sorted(
            (step * STEP_NS + at, level) for at, gpio, level in request.inputs if gpio == 21
        )
    falls = sum(level == 0 for _, level in levels)
    assert falls == pytest.approx(2900 / 60 * 60 * 0.02, abs=6)
    assert all(a != b for (_, a), (_, b) in itertools.pairwise(levels))


def test_the_drivers_fault_output() -> None:
    wired = Wired(I2C)
    wired.machine.set_driver_fault(after_ns=1e6)
    assert (1e6, 13, 0) in wired.step().inputs
    assert (0.0, 13, 0) in wired.machine.power_on(0)
    wired.machine.set_driver_fault(False)
    assert (0.0, 13, None) in wired.step().inputs
    without = Wired(SPI)
    without.machine.set_driver_fault()
    assert without.step().inputs == []


# -- motor drivers --------------------------------------------------------------------------------


def bridge(**changes: object) -> PwmDirectionEnable:
    motor = load_board(SPI).motor
    assert isinstance(motor, PwmDirectionEnable)
    return motor.model_copy(update=changes)


def two_pwm(**changes: object) -> TwoPwm:
    motor = load_board(MPU).motor
    assert isinstance(motor, TwoPwm)
    return motor.model_copy(update=changes)


@pytest.mark.parametrize(
    ("enable", "direction", "inverted", "expected"),
    [
        (1.0, 1.0, False, Drive(0.6, True)),
        (1.0, 0.0, False, Drive(-0.6, True)),
        (1.0, 0.0, True, Drive(0.6, True)),
        (0.0, 1.0, False, Drive(0.0, False)),
        (0.75, 1.0, False, Drive(0.8, True, 0.75)),  # stopped in the middle of the step
        (0.25, 1.0, False, Drive(1.0, True, 0.25)),
    ],
)
def test_a_bridge_with_direction(
    enable: float, direction: float, inverted: bool, expected: Drive
) -> None:
    driver = driver_of(bridge(direction_inverted=inverted))
    assert driver.pins == [14, 15, 13]
    drive = driver.driven(seen({14: pin(0.6), 15: pin(enable), 13: pin(direction)}))
    assert drive.duty == pytest.approx(expected.duty)
    assert (drive.enabled, drive.share) == (expected.enabled, expected.share)


def test_an_enable_that_comes_in_the_middle_of_a_step_drives_its_end() -> None:
    late = PinSeen(0.3, 1, 1, 0, [3.5e6])
    drive = driver_of(bridge()).driven(seen({14: pin(0.15), 15: late, 13: pin(1.0)}))
    assert drive == Drive(0.5, True, 0.3, at_end=True)


@pytest.mark.parametrize(
    ("forward", "reverse", "expected"),
    [
        (0.6, 0.0, Drive(0.6, True)),
        (0.0, 0.5, Drive(-0.5, True)),
        (0.0, 0.0, Drive(0.0, False)),
    ],
)
def test_two_inputs_without_enable_let_go_while_both_are_low(
    forward: float, reverse: float, expected: Drive
) -> None:
    driver = driver_of(two_pwm())
    assert driver.pins == [14, 15]
    assert driver.driven(seen({14: pin(forward), 15: pin(reverse)})) == expected


def test_two_inputs_with_enable_brake_while_both_are_low() -> None:
    driver = driver_of(two_pwm(enable_pin=13))
    assert driver.pins == [14, 15, 13]
    low = {14: pin(0.0), 15: pin(0.0)}
    assert driver.driven(seen({**low, 13: pin(1.0)})) == Drive(0.0, True)
    assert driver.driven(seen({14: pin(0.7), 15: pin(0.0), 13: pin(0.0)})) == Drive(0.0, False)


class Sender:
    """Pulses every 20 ms into an ESC."""

    def __init__(self) -> None:
        motor = load_board(ANALOG).motor
        assert isinstance(motor, Esc)
        self.esc = driver_of(motor)
        assert isinstance(self.esc, RcController)
        self.now_ns = 0.0
        self.drive = Drive(0.0, False)

    def send(self, width_us: float | None, seconds: float, enable: int = 1) -> Drive:
        """Pulses that begin 4.6 ms into every fourth step, so that they cross its end."""
        for _ in range(round(seconds / 0.005)):
            start, self.now_ns = self.now_ns, self.now_ns + STEP_NS
            edges: list[float] = []
            if width_us is not None:
                for pulse in range(int(start // 20e6) - 1, int(self.now_ns // 20e6) + 1):
                    rise = pulse * 20e6 + 4.6e6
                    edges += [t for t in (rise, rise + width_us * 1e3) if start <= t < self.now_ns]
            level = 0
            if width_us is not None and edges:
                level = int((edges[-1] - 4.6e6) % 20e6 < 1.0)
            pins = {14: pin(0.0, edges, level), 15: pin(float(enable))}
            self.drive = self.esc.driven(seen(pins, self.now_ns))
        return self.drive


def test_an_esc_listens_once_it_has_seen_the_shortest_pulse_for_long_enough() -> None:
    sender = Sender()
    assert sender.send(1000, 1.4) == Drive(0.0, False)
    assert sender.send(1400, 0.5) == Drive(0.0, False)  # too early: it begins anew
    assert sender.send(1000, 1.4) == Drive(0.0, False)
    sender.send(1000, 0.2)
    drive = sender.send(1400, 0.1)
    assert drive.duty == pytest.approx(0.4)
    assert drive.enabled
    assert sender.send(2300, 0.1).duty == 1.0
    assert sender.send(1010, 0.1) == Drive(0.0, False)


def test_an_esc_that_loses_enable_stops_at_once_and_arms_anew() -> None:
    sender = Sender()
    sender.send(1000, 1.6)
    assert sender.send(1500, 0.1).duty == pytest.approx(0.5)
    assert sender.send(1500, 0.005, enable=0) == Drive(0.0, False)
    assert sender.send(1500, 3.0) == Drive(0.0, False)


def test_an_esc_that_hears_nothing_stops_within_a_tenth_of_a_second() -> None:
    sender = Sender()
    sender.send(1000, 1.6)
    sender.send(1500, 0.1)
    assert sender.send(None, 0.08).duty == pytest.approx(0.5)
    assert sender.send(None, 0.05) == Drive(0.0, False)
    assert sender.send(1500, 0.5) == Drive(0.0, False)


def test_an_unpowered_board_drives_nothing() -> None:
    wired = Wired(SPI)
    request = StepRequest(STEP_NS)
    pins = {14: pin(0.6), 15: pin(1.0), 13: pin(1.0)}
    wired.machine.step(request, 0, seen(pins, powered=False))
    assert wired.machine.drive == Drive(0.0, False)


@pytest.mark.parametrize("name", [SPI, I2C, MPU, ANALOG])
def test_the_bench_watches_every_pin_of_the_motor(name: str) -> None:
    board: Board = load_board(name)
    wired = Wired(name)
    driven = {use.gpio for use in board.pins if use.key.startswith("motor.")}
    driven -= {board.motor.fault_pin}
    assert driven <= set(wired.machine.watched_gpio)
