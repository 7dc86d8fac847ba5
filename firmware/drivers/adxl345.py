"""ADXL345 three-axis accelerometer on SPI or I2C. Tables, sections: Analog Devices datasheet,
revision G.
"""

import time

from machine import Pin
from micropython import const

from . import WrongSensorError
from .registers import I2cRegisters, SpiRegisters

_DEVID = const(0x00)
_OFSX = const(0x1E)
_BW_RATE = const(0x2C)
_POWER_CTL = const(0x2D)
_INT_ENABLE = const(0x2E)
_INT_MAP = const(0x2F)
_DATA_FORMAT = const(0x31)
_DATAX0 = const(0x32)
_FIFO_CTL = const(0x38)
_FIFO_STATUS = const(0x39)
_READ = const(0x80)
_MANY = const(0x40)

_IDENTITY = const(0xE5)
_MEASURE = const(0x08)
_WATERMARK = const(0x02)
_FULL_RESOLUTION = const(0x08)
_SELF_TEST = const(0x80)
_STREAM_MODE = const(0x80)
_RATE_CODES = {3200: 0x0F, 1600: 0x0E, 800: 0x0D, 400: 0x0C, 200: 0x0B, 100: 0x0A}
_RANGE_CODES = {2000: 0, 4000: 1, 8000: 2, 16000: 3}
_I2C_FASTEST_HZ = const(800)  # "I2C": at 400 kHz the highest output rate is 800 Hz

_FIFO_ENTRIES = const(32)
_COUNT_UG = const(3906)  # full resolution: 256 counts a g in every range (table 1)

# "Using Self-Test": full resolution, 16 g, 100 to 800 Hz; averages of at least 0.1 s; the first
# samples after the change do not count.
_TEST_RATE_HZ = const(800)
_TEST_SETTLE_SAMPLES = const(16)
_TEST_SAMPLES = const(80)
_TEST_WAIT_MS = const(60)
# Change in counts at 2.5 V ("Self-Test Output"), and what a supply of 3.3 V makes of it: 1.77 times
# on x and y, 1.47 times on z ("Self-Test Output Scale Factors").
_TEST_LEAST = (50 * 177 // 100, 50 * 177 // 100, 75 * 147 // 100)
_TEST_MOST = (540 * 177 // 100, 540 * 177 // 100, 875 * 147 // 100)
_TEST_SIGNS = (1, -1, 1)


class Adxl345:
    """The sensor as the board file has it."""

    count_ug = _COUNT_UG

    def __init__(self, board):
        self.rate_hz = board.VIBRATION_RATE_HZ
        if board.VIBRATION_BUS == "spi":
            self._registers = SpiRegisters("ADXL345", board, _READ, _MANY)
        else:
            if self.rate_hz > _I2C_FASTEST_HZ:
                raise ValueError("an ADXL345 on I2C gives 800 samples a second at most")
            self._registers = I2cRegisters("ADXL345", board)
        if board.VIBRATION_INT1_PIN is None:
            raise ValueError("the ADXL345's INT1 must be wired")
        self._int_pin = board.VIBRATION_INT1_PIN
        Pin(self._int_pin, Pin.IN, Pin.PULL_DOWN)
        range_mg = board.VIBRATION_RANGE_MG
        # "Data Formatting at 3200 and 1600 Hz": there the lowest bit is 0.
        self.full_scale_counts = range_mg * 256 // 1000 - (2 if self.rate_hz >= 1600 else 1)
        self._wanted = (
            (_BW_RATE, _RATE_CODES[self.rate_hz]),
            (_DATA_FORMAT, _FULL_RESOLUTION | _RANGE_CODES[range_mg]),
            (_INT_MAP, 0),
            # INT1 is high while there is at least one entry in the FIFO.
            (_INT_ENABLE, _WATERMARK),
            (_FIFO_CTL, _STREAM_MODE | 1),
            (_POWER_CTL, _MEASURE),
        )

    def identify(self):
        """Raises OSError where nothing answers, WrongSensorError where another chip does."""
        try:
            identity = self._registers.read(_DEVID)
        except OSError:
            raise self._registers.silent()
        if identity in (0x00, 0xFF):
            raise self._registers.silent()
        if identity != _IDENTITY:
            raise WrongSensorError("not an ADXL345: it answers 0x%02X" % identity)

    def self_test(self):
        """Whether the masses move when they are pushed, and as far as they should. Takes 0.25 s, at
        rest; leaves the sensor stopped.
        """
        write = self._registers.write
        self._stop()
        write(_BW_RATE, _RATE_CODES[_TEST_RATE_HZ])
        write(_DATA_FORMAT, _FULL_RESOLUTION | _RANGE_CODES[16000])
        write(_FIFO_CTL, _STREAM_MODE)
        write(_POWER_CTL, _MEASURE)
        at_rest = self._sums()
        write(_DATA_FORMAT, _SELF_TEST | _FULL_RESOLUTION | _RANGE_CODES[16000])
        pushed = self._sums()
        self._stop()
        write(_DATA_FORMAT, _FULL_RESOLUTION)
        for axis in range(3):
            change = _TEST_SIGNS[axis] * (pushed[axis] - at_rest[axis])
            least = _TEST_LEAST[axis] * _TEST_SAMPLES
            if not least <= change <= _TEST_MOST[axis] * _TEST_SAMPLES:
                return False
        return True

    def start(self):
        """Configure and begin to fill the FIFO."""
        self._stop()
        for axis in range(3):
            self._registers.write(_OFSX + axis, 0)
        for register, value in self._wanted:
            self._registers.write(register, value)

    def configured(self):
        """True while the sensor still has what `start` wrote: False after a brown-out."""
        return self._registers.hold(self._wanted)

    def recover(self):
        """After a transfer without an answer."""
        self._registers.recover()

    def engine_parameters(self):
        """For `acquire_rp2.engine`: an entry waits while INT1 is high."""
        registers = self._registers
        if isinstance(registers, SpiRegisters):
            data = _DATAX0 | _READ | _MANY
            status = _FIFO_STATUS | _READ
            where = ("spi", registers.base, registers.cs_pin, self._int_pin)
            return where + (data, status, _FIFO_ENTRIES, 0)
        registers.aim()
        return ("i2c", registers.base, registers.address, _DATAX0, 0, self._int_pin, 0, 0, 0)

    def _stop(self):
        self._registers.write(_POWER_CTL, 0)
        self._registers.write(_FIFO_CTL, 0)

    def _sums(self):
        """Sums of x, y, z over the samples of the test, from now on."""
        registers = self._registers
        entry = bytearray(6)
        sums = [0, 0, 0]
        taken = 0 - _TEST_SETTLE_SAMPLES - _FIFO_ENTRIES  # what the FIFO holds already is older
        while taken < _TEST_SAMPLES:
            deadline = time.ticks_add(time.ticks_ms(), _TEST_WAIT_MS)
            while not registers.read(_FIFO_STATUS) & 0x3F:
                if time.ticks_diff(deadline, time.ticks_ms()) < 0:
                    raise self._registers.silent()
            registers.read_into(_DATAX0, entry)
            taken += 1
            if taken > 0:
                for axis in range(3):
                    value = entry[2 * axis] | entry[2 * axis + 1] << 8
                    sums[axis] += value - 65536 if value & 0x8000 else value
        return sums
