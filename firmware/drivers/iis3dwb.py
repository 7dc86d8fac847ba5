"""IIS3DWB wideband accelerometer on SPI: 26,667 samples a second on three axes, in bursts out of
its FIFO. Registers, sections: ST datasheet DS12569.
"""

import time

from machine import Pin
from micropython import const

from . import WrongSensorError
from .registers import SpiRegisters

_FIFO_CTRL1 = const(0x07)
_FIFO_CTRL2 = const(0x08)
_FIFO_CTRL3 = const(0x09)
_FIFO_CTRL4 = const(0x0A)
_INT1_CTRL = const(0x0D)
_WHO_AM_I = const(0x0F)
_CTRL1_XL = const(0x10)
_CTRL3_C = const(0x12)
_CTRL5_C = const(0x14)
_CTRL6_C = const(0x15)
_STATUS = const(0x1E)
_OUTX_L = const(0x28)
_FIFO_STATUS2 = const(0x3B)
_FIFO_DATA_OUT_TAG = const(0x78)
_READ = const(0x80)

_IDENTITY = const(0x7B)
_XL_ON = const(0xA0)  # XL_EN = 101
_RANGE_CODES = {2000: 0x00, 16000: 0x04, 4000: 0x08, 8000: 0x0C}
_BDU = const(0x40)
_IF_INC = const(0x04)
_SW_RESET = const(0x01)
_BATCH = const(0x0A)  # 26,667 Hz into the FIFO
_CONTINUOUS = const(0x06)
_INT1_FIFO_TH = const(0x08)
_THREE_AXES = const(0x00)
_SELF_TEST_UP = const(0x01)
_SELF_TEST_DOWN = const(0x02)

# A burst of 256 words leaves room for as many in the FIFO, 9.6 ms.
BURST_SAMPLES = const(256)
_WATERMARK_LOW = const(0x00)
_WATERMARK_HIGH = const(0x01)
_RESET_MS = const(10)
_RESET_WAIT_MS = const(50)

# "Self-test": 800 to 3,200 mg either way, in a range of 4 g.
_TEST_RANGE_MG = const(4000)
_TEST_LEAST_MG = const(800)
_TEST_MOST_MG = const(3200)
_TEST_SETTLE_MS = const(100)
_TEST_SAMPLES = const(64)
_TEST_WAIT_MS = const(20)


class Iis3dwb:
    """The sensor as the board file has it. `memory` is where the bursts go, of
    `buffers.BURST_BYTES`.
    """

    full_scale_counts = 32768

    def __init__(self, board, memory):
        self.rate_hz = board.VIBRATION_RATE_HZ
        self._registers = SpiRegisters("IIS3DWB", board, _READ, 0)
        self._int_pin = board.VIBRATION_INT1_PIN
        Pin(self._int_pin, Pin.IN, Pin.PULL_DOWN)
        self._spi_number = board.VIBRATION_BUS_NUMBER
        self._memory = memory
        range_mg = board.VIBRATION_RANGE_MG
        self.count_ug = range_mg * 61 // 2000  # 0.061 mg at 2 g (mechanical characteristics)
        self._wanted = (
            (_CTRL3_C, _BDU | _IF_INC),
            (_CTRL5_C, 0),
            (_CTRL6_C, _THREE_AXES),
            (_FIFO_CTRL1, _WATERMARK_LOW),
            (_FIFO_CTRL2, _WATERMARK_HIGH),
            (_INT1_CTRL, _INT1_FIFO_TH),
            (_FIFO_CTRL3, _BATCH),
            (_CTRL1_XL, _XL_ON | _RANGE_CODES[range_mg]),
            (_FIFO_CTRL4, _CONTINUOUS),
        )

    def identify(self):
        """Raises OSError where nothing answers, WrongSensorError where another chip does."""
        identity = self._registers.read(_WHO_AM_I)
        if identity in (0x00, 0xFF):
            raise self._registers.silent()
        if identity != _IDENTITY:
            raise WrongSensorError("not an IIS3DWB: it answers 0x%02X" % identity)

    def self_test(self):
        """Whether the masses move when they are pushed either way, and as far as they should. Takes
        0.4 s, at rest; leaves the sensor stopped.
        """
        self._reset()
        write = self._registers.write
        write(_CTRL3_C, _BDU | _IF_INC)
        write(_CTRL1_XL, _XL_ON | _RANGE_CODES[_TEST_RANGE_MG])
        at_rest = self._sums()
        passed = True
        for push, sign in ((_SELF_TEST_UP, 1), (_SELF_TEST_DOWN, -1)):
            write(_CTRL5_C, push)
            pushed = self._sums()
            write(_CTRL5_C, 0)
            for axis in range(3):
                counts = sign * (pushed[axis] - at_rest[axis]) // _TEST_SAMPLES
                moved_mg = counts * _TEST_RANGE_MG // 32768
                if not _TEST_LEAST_MG <= moved_mg <= _TEST_MOST_MG:
                    passed = False
        write(_CTRL1_XL, 0)
        return passed

    def start(self):
        """Configure and begin to fill the FIFO."""
        self._reset()
        for register, value in self._wanted:
            self._registers.write(register, value)

    def configured(self):
        """True while the sensor still has what `start` wrote: False after a brown-out."""
        return self._registers.hold(self._wanted)

    def recover(self):
        """Whatever a burst without sense has left behind: the FIFO begins anew."""
        self._registers.write(_FIFO_CTRL4, 0)
        self._registers.write(_FIFO_CTRL4, _CONTINUOUS)

    def engine_parameters(self):
        """For `acquire_rp2.engine`: a burst waits while INT1 is high."""
        registers = self._registers
        where = ("burst", registers.base, self._spi_number, registers.cs_pin, self._int_pin)
        commands = (_FIFO_DATA_OUT_TAG | _READ, _FIFO_STATUS2 | _READ)
        return where + commands + (BURST_SAMPLES, self._memory)

    def _reset(self):
        """As after power-on ("SW_RESET"): no word of before is left in the FIFO."""
        registers = self._registers
        registers.write_blind(_CTRL3_C, _SW_RESET)
        deadline = time.ticks_add(time.ticks_ms(), _RESET_WAIT_MS)
        time.sleep_ms(_RESET_MS)
        while registers.read(_CTRL3_C) & _SW_RESET:
            if time.ticks_diff(deadline, time.ticks_ms()) < 0:
                raise registers.silent()

    def _sums(self):
        """Sums of x, y, z over the samples of the test, once the filters have settled."""
        registers = self._registers
        time.sleep_ms(_TEST_SETTLE_MS)
        entry = bytearray(6)
        sums = [0, 0, 0]
        for _ in range(_TEST_SAMPLES):
            deadline = time.ticks_add(time.ticks_ms(), _TEST_WAIT_MS)
            while not registers.read(_STATUS) & 1:
                if time.ticks_diff(deadline, time.ticks_ms()) < 0:
                    raise registers.silent()
            registers.read_into(_OUTX_L, entry)
            for axis in range(3):
                value = entry[2 * axis] | entry[2 * axis + 1] << 8
                sums[axis] += value - 65536 if value & 0x8000 else value
        return sums
