# Runs on the emulated chip: the guard with an ADXL345 on SPI, an e-stop, a current and two slow
# channels.
import json
import struct
import time

import machine
from machine import SPI, Pin

from wrench_firmware import acquire_rp2, guard_rp2

enable = Pin(15, Pin.OUT, value=1)
cs = Pin(17, Pin.OUT, value=1)
spi = SPI(0, baudrate=5000000, polarity=1, phase=1, sck=Pin(18), mosi=Pin(19), miso=Pin(16))
int1 = Pin(20, Pin.IN, Pin.PULL_DOWN)
estop = Pin(22, Pin.IN, Pin.PULL_UP)


def write(register, value):
    cs(0)
    spi.write(bytes((register, value)))
    cs(1)


guard = guard_rp2.Guard([(0xD0000018, 1 << 15)])
ring = acquire_rp2.Ring(bytearray(6 * 4096))
engine = acquire_rp2.spi_engine(ring, 0x4003C000, 17, 20, 0xF2, 0xB9, 32, False)
guard.use(engine)
guard.watch_pin(22, 1)
guard.watch_current(26, 2048, 1000)
guard.measure_slowly(27)
guard.measure_slowly(28)


def start_sensor():
    # 3,200 Hz, full resolution, watermark of one on INT1, stream
    for register, value in (
        (0x2D, 0x00),
        (0x38, 0x00),
        (0x2C, 0x0F),
        (0x31, 0x0B),
        (0x2F, 0x00),
        (0x2E, 0x02),
        (0x38, 0x81),
        (0x2D, 0x08),
    ):
        write(register, value)
    engine.resume()


def watch(busy):
    """A second of turns and samples, Python asleep or busy: how many of each, samples out of
    order, overflows.
    """
    guard.start(machine.freq())
    turns = guard.turns
    taken = engine.words[0]
    begin = time.ticks_us()
    while time.ticks_diff(time.ticks_us(), begin) < 1000000:
        if not busy:
            machine.idle()
    turns = guard.turns - turns
    last = engine.words[0]
    samples = struct.unpack("<12288h", ring.samples)
    wrong = 0
    for i in range(taken, last - 1):
        if samples[3 * ((i + 1) % 4096)] - samples[3 * (i % 4096)] not in (2, -8190):
            wrong += 1
    print(json.dumps([turns, last - taken, wrong, engine.overflows]))


def codes():
    time.sleep_ms(100)
    words = guard.words
    mean = words[guard_rp2.CURRENT_SUM] // words[guard_rp2.CURRENT_COUNT]
    print(json.dumps([mean, guard.slow_code(0), guard.slow_code(1)]))


def drive():
    """As a program that wants to drive the motor at any price."""
    guard.clear()
    for _ in range(400):
        enable(1)
        time.sleep_us(50)
    cause = guard.cause
    guard.clear()
    enable(0)
    return cause


def arm(turns):
    guard.clear()
    enable(1)
    guard.words[guard_rp2.DEAD_MAN] = turns


def state():
    print(json.dumps([guard.cause, guard.cause_gpio, enable.value()]))


def allow():
    guard.words[guard_rp2.DEAD_MAN] = -1
    guard.clear()
    enable(1)


def spin():
    """Microseconds for the same work: with samples, without, without the guard."""
    took = []
    for after in (engine.pause, guard.stop, None):
        begin = time.ticks_us()
        for _ in range(20000):
            pass
        took.append(time.ticks_diff(time.ticks_us(), begin))
        if after:
            after()
    engine.resume()
    guard.start(machine.freq())
    print(json.dumps(took))
