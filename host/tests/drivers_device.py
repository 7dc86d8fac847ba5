# Runs on the chip for test_drivers_on_chip.py.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
# ruff: noqa: PLC0415  (each driver is imported where it is wanted)
import array
import gc
import json
import struct
import time

import machine
import uctypes

from wrench_firmware.drivers import WrongSensorError

took_us = [0]


class Board:
    """A board's constants; what it does not have is None."""

    def __init__(self, constants):
        for name, value in constants.items():
            setattr(self, name, value)

    def __getattr__(self, name):
        return () if name in ("SUPPLIES", "VIBRATION_ADC_PINS") else None


def make(name, constants):
    """The driver of the board with these constants."""
    board = Board(constants)
    if name == "adxl345":
        from wrench_firmware.drivers.adxl345 import Adxl345

        return Adxl345(board)
    if name == "analog":
        from wrench_firmware.drivers.analog import Analog

        return Analog(board, bytearray(12288))
    from wrench_firmware.drivers.mpu6050 import Mpu6050

    return Mpu6050(board)


def said(call, *arguments):
    """What a call returns, or the name of its exception and its text."""
    try:
        return call(*arguments)
    except (OSError, ValueError) as error:
        kind = "WrongSensorError" if isinstance(error, WrongSensorError) else type(error).__name__
        return [kind, str(error)]


def tell(value):
    """To the test."""
    print(json.dumps(value))


def decoded(raw, kind):
    """x, y, z as int16 from each six bytes."""
    return [list(struct.unpack_from(kind + "hhh", raw, i)) for i in range(0, len(raw), 6)]


def sample(sensor, register):
    """x, y, z from the data registers of a sensor that has started."""
    raw = bytearray(6)
    sensor._registers.read_into(register, raw)
    return decoded(raw, "<" if register == 0x32 else ">")[0]


def entries(sensor, count):
    """Entries of an ADXL345's FIFO from its start on, each read once, as [x, y, z]; decoded when
    all have come. `took_us[0]` is the time they took.
    """
    raw = bytearray(6 * count)
    each = [memoryview(raw)[i : i + 6] for i in range(0, 6 * count, 6)]
    waits = machine.Pin(sensor._int_pin).value
    read_into = sensor._registers.read_into
    sensor.start()
    start = time.ticks_us()
    for entry in each:
        while not waits():
            pass
        read_into(0x32, entry)
    took_us[0] = time.ticks_diff(time.ticks_us(), start)
    return decoded(raw, "<")


def mpu_entries(sensor, count):
    """Entries of an MPU's FIFO by the burst that the engine makes, when INT is high."""
    _, _, _, register, header, pin, _, _, full = sensor.engine_parameters()
    pin = machine.Pin(pin)
    raw = bytearray(header + 6)
    found = []
    backlog = 0
    while len(found) < count:
        if not (pin.value() or backlog >= 12):
            continue
        sensor._registers.read_into(register, raw)
        backlog = raw[0] << 8 | raw[1]
        if backlog >= full or backlog % 6:
            return backlog
        if backlog >= 6:
            values = [raw[2 + i] << 8 | raw[3 + i] for i in (0, 2, 4)]
            found.append([v - 65536 if v & 0x8000 else v for v in values])
    return found


def cost(call, *arguments):
    """[us a call, bytes allocated by 100 of them]."""
    gc.collect()
    gc.disable()
    call(*arguments)
    before = gc.mem_alloc()
    start = time.ticks_us()
    for _ in range(100):
        call(*arguments)
    us = time.ticks_diff(time.ticks_us(), start)
    allocated = gc.mem_alloc() - before
    gc.enable()
    return [us / 100, allocated]


class Carried:
    """The guard's turns with an analog sensor's engine, which follows `pins` besides."""

    def __init__(self, sensor, pins=()):
        from wrench_firmware import acquire_rp2, guard_rp2

        self.followed = array.array("I", [0] * (len(pins) + 1))
        follow = []
        for i, pin in enumerate(pins):
            follow.append((uctypes.addressof(self.followed) + 4 * i, sensor.place(pin), 0))
        self.guard = guard_rp2.Guard(())
        self.ring = acquire_rp2.Ring(bytearray(6 * 2048))
        parameters = list(sensor.engine_parameters())
        parameters.append(follow)
        self.engine = acquire_rp2.engine(self.ring, parameters)
        sensor.start()
        self.engine.resume()
        self.guard.use(self.engine)
        self.guard.start(machine.freq())

    def until(self, count):
        """Let samples come until there are so many, then end the turns."""
        while self.engine.words[0] < count:
            time.sleep_us(500)
        self.guard.stop()

    def deaf(self, ms):
        """No turns for so long, as in an erase of flash."""
        self.guard.stop()
        time.sleep_ms(ms)
        self.guard.start(machine.freq())

    def samples(self, first, count):
        """x, y, z, x, ... of the ring."""
        return list(struct.unpack_from(f"<{3 * count}h", self.ring.samples, 6 * first))


def four_us(call, *arguments):
    """Time of four calls."""
    start = time.ticks_us()
    call(*arguments)
    call(*arguments)
    call(*arguments)
    call(*arguments)
    return time.ticks_diff(time.ticks_us(), start)


def carry_cycles(carried, waiting):
    """Cycles of one turn's work: with 16 rounds waiting, or with none."""
    from wrench_firmware import acquire_rp2
    from wrench_firmware.drivers.analog_rp2 import carry

    carried.guard.stop()
    address = carried.engine.address
    best = 1 << 29
    nothing = 1 << 29
    for _ in range(20):
        for _ in range(100):
            carry(address)
        if waiting:
            time.sleep_ms(5)
        best = min(best, four_us(carry, address))
        nothing = min(nothing, four_us(acquire_rp2._nothing, address))
    return (best - nothing) * 125 // 4
