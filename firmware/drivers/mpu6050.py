"""MPU-6050, MPU-9250 and MPU-6500 on I2C, the accelerometer part, 1,000 samples a second.

Registers, sections: MPU-6000/6050 register map RM-MPU-6000A revision 4.2, MPU-9250 register map
RM-MPU-9250A revision 1.6. Their accelerometers reach to 260 and 460 Hz: the band of velocity that
they cover is narrower than 10 to 1,000 Hz.
"""

import time

from machine import Pin
from micropython import const

from . import WrongSensorError
from .registers import I2cRegisters

_SELF_TEST_X = const(0x0D)
_SMPLRT_DIV = const(0x19)
_CONFIG = const(0x1A)
_GYRO_CONFIG = const(0x1B)
_ACCEL_CONFIG = const(0x1C)
_ACCEL_CONFIG_2 = const(0x1D)
_FIFO_EN = const(0x23)
_INT_PIN_CFG = const(0x37)
_INT_ENABLE = const(0x38)
_INT_STATUS = const(0x3A)
_ACCEL_XOUT_H = const(0x3B)
_USER_CTRL = const(0x6A)
_PWR_MGMT_1 = const(0x6B)
_PWR_MGMT_2 = const(0x6C)
_FIFO_COUNTH = const(0x72)
_ENTRY_BYTES = const(6)
_WHO_AM_I = const(0x75)

_DEVICE_RESET = const(0x80)
_CLOCK_GYRO_X = const(0x01)  # register 107: better than the internal oscillator
_FIFO_ENABLE = const(0x40)
_FIFO_RESET = const(0x04)
_ACCEL_TO_FIFO = const(0x08)
_DATA_RDY = const(0x01)
_INT_HELD_UNTIL_ANY_READ = const(0x30)  # LATCH_INT_EN, INT_RD_CLEAR
_ALL_AXES_SELF_TEST = const(0xE0)

_RESET_MS = const(100)  # "4.28": after DEVICE_RESET
_RATE_HZ = const(1000)
_RANGE_CODES = {2000: 0, 4000: 1, 8000: 2, 16000: 3}
# Name, what WHO_AM_I says (the second is the MPU-6500, the same without a compass), bytes of FIFO.
_CHIPS = {
    "mpu6050": ("MPU-6050", (0x68,), 1024),
    "mpu9250": ("MPU-9250", (0x71, 0x70), 512),
}

_TEST_SETTLE_MS = const(20)
_TEST_SAMPLES = const(100)
_TEST_WAIT_MS = const(60)


class Mpu6050:
    """The sensor as the board file has it: `VIBRATION_DRIVER` says which of the two."""

    rate_hz = _RATE_HZ

    def __init__(self, board):
        self._is_6050 = board.VIBRATION_DRIVER == "mpu6050"
        name, self._identities, self._fifo_bytes = _CHIPS[board.VIBRATION_DRIVER]
        if board.VIBRATION_RATE_HZ != _RATE_HZ:
            raise ValueError("the %s gives 1,000 samples a second" % name)
        self._registers = I2cRegisters(name, board)
        range_mg = board.VIBRATION_RANGE_MG
        code = _RANGE_CODES[range_mg]
        self.count_ug = range_mg * 1000 // 32768
        self.full_scale_counts = 32767
        self._int_pin = -1
        self._count = bytearray(2)
        held = 0
        if board.VIBRATION_INT1_PIN is not None:
            self._int_pin = board.VIBRATION_INT1_PIN
            Pin(self._int_pin, Pin.IN, Pin.PULL_DOWN)
            held = _DATA_RDY
        power = ((_PWR_MGMT_1, _CLOCK_GYRO_X), (_PWR_MGMT_2, 0))
        settings = (
            (_GYRO_CONFIG, 0),
            (_ACCEL_CONFIG, code << 3),
            (_INT_PIN_CFG, _INT_HELD_UNTIL_ANY_READ),
            (_INT_ENABLE, held),
            (_FIFO_EN, _ACCEL_TO_FIFO if held else 0),
        )
        self._wanted = power + self._filter() + settings

    def _filter(self):
        """The widest band at 1,000 samples a second."""
        if self._is_6050:
            # Register 26: DLPF_CFG 0 is 260 Hz and an output rate of the gyroscope of 8 kHz, which
            # register 25 divides.
            return ((_CONFIG, 0), (_SMPLRT_DIV, 7))
        # Registers 25 and 26: only with DLPF_CFG 1 to 6 the rate is 1 kHz; register 29: A_DLPF_CFG
        # 0 is 460 Hz (product specification revision 1.1, table 2).
        return ((_CONFIG, 1), (_SMPLRT_DIV, 0), (_ACCEL_CONFIG_2, 0))

    def identify(self):
        """Raises OSError where nothing answers, WrongSensorError where another chip does."""
        registers = self._registers
        try:
            identity = registers.read(_WHO_AM_I)
        except OSError:
            raise registers.silent()
        if identity in (0x00, 0xFF):
            raise registers.silent()
        if identity not in self._identities:
            raise WrongSensorError("not an %s: it answers 0x%02X" % (registers.name, identity))

    def self_test(self):
        """Whether the masses move when they are pushed, as far as the factory has written down.
        Takes 0.3 s, at rest; leaves the sensor stopped.
        """
        self._reset()
        write = self._registers.write
        # The MPU-6050's factory values are for 8 g (section 4.1), the MPU-9250's for 2 g
        # (AN-MPU-9250A-03).
        code = _RANGE_CODES[8000] if self._is_6050 else _RANGE_CODES[2000]
        for register, value in self._wanted:
            if register not in (_FIFO_EN, _INT_ENABLE, _ACCEL_CONFIG):
                write(register, value)
        write(_ACCEL_CONFIG, code << 3)
        at_rest = self._sums()
        write(_ACCEL_CONFIG, _ALL_AXES_SELF_TEST | code << 3)
        pushed = self._sums()
        trims = bytearray(4)
        self._registers.read_into(_SELF_TEST_X, trims)
        self._reset()
        for axis in range(3):
            change = (pushed[axis] - at_rest[axis]) / _TEST_SAMPLES
            if not self._plausible(change, self._trim(trims, axis)):
                return False
        return True

    def _trim(self, registers, axis):
        if self._is_6050:
            # Registers 13 to 16: three upper bits of each axis in its own, two lower in the last.
            return registers[axis] >> 5 << 2 | registers[3] >> 4 - 2 * axis & 3
        return registers[axis]

    def _plausible(self, change, trim):
        """`change` in counts of the test's range, against the factory's trim code."""
        if self._is_6050:
            if not trim:
                return False
            factory = 4096 * 0.34 * (0.92 / 0.34) ** ((trim - 1) / 30)
            return abs(change - factory) <= 0.14 * factory
        if not trim:
            return 225 <= abs(change) * 1000 / 16384 <= 675
        return 0.5 < change / (2620 * 1.01 ** (trim - 1)) < 1.5

    def start(self):
        """Configure and begin to fill the FIFO."""
        self._reset()
        for register, value in self._wanted:
            self._registers.write(register, value)
        if self._int_pin >= 0:
            self.empty_fifo()

    def empty_fifo(self):
        """Throw away what the FIFO holds. Needed once it has overflowed: it drops single bytes, so
        that entries no longer begin where they did.
        """
        self._registers.write(_USER_CTRL, 0)
        self._registers.write_blind(_USER_CTRL, _FIFO_RESET)
        self._registers.write(_USER_CTRL, _FIFO_ENABLE)

    def configured(self):
        """True while the sensor still has what `start` wrote: False after a brown-out.

        Empties a FIFO whose entries do not begin where the engine reads: a transfer that broke off
        within one, or a FIFO that has overflowed, and bit errors when it was emptied for that.
        """
        if not self._registers.hold(self._wanted):
            return False
        # Twice: the first look may have met an entry on its way into the FIFO.
        if self._int_pin >= 0 and self._begin_elsewhere() and self._begin_elsewhere():
            self.empty_fifo()
        return True

    def _begin_elsewhere(self):
        count = self._count
        self._registers.read_into(_FIFO_COUNTH, count)
        return (count[0] << 8 | count[1]) % _ENTRY_BYTES != 0

    def recover(self):
        """After a transfer without an answer, or when the FIFO has overflowed."""
        self._registers.recover()
        if self._int_pin >= 0:
            self.empty_fifo()

    def engine_parameters(self):
        """For `acquire_rp2.engine`.

        With INT wired: each burst begins with the FIFO's count of bytes; one may begin when INT is
        high, which any read lowers, or when the last count was two entries or more. At other times
        a burst could meet an entry that comes while it runs, and split it. A count that is no
        multiple of 6 means that entries no longer begin where they are read: see `configured`.

        Without: a burst of INT_STATUS, whose bit 0 says that the registers behind it are new, and
        the registers, which stand still while they are read.
        """
        registers = self._registers
        registers.aim()
        where = ("i2c", registers.base, registers.address)
        if self._int_pin < 0:
            return where + (_INT_STATUS, 1, -1, 1, 2, 0)
        return where + (_FIFO_COUNTH, 2, self._int_pin, 1, 1, self._fifo_bytes - 1)

    def _reset(self):
        self._registers.write_blind(_PWR_MGMT_1, _DEVICE_RESET)
        time.sleep_ms(_RESET_MS)

    def _sums(self):
        """Sums of x, y, z over the samples of the test, from now on."""
        registers = self._registers
        time.sleep_ms(_TEST_SETTLE_MS)
        entry = bytearray(7)
        sums = [0, 0, 0]
        taken = 0
        deadline = time.ticks_add(time.ticks_ms(), _TEST_WAIT_MS + 2 * _TEST_SAMPLES)
        while taken < _TEST_SAMPLES:
            registers.read_into(_INT_STATUS, entry)
            if not entry[0] & _DATA_RDY:
                if time.ticks_diff(deadline, time.ticks_ms()) < 0:
                    raise registers.silent()
                continue
            taken += 1
            for axis in range(3):
                value = entry[2 * axis + 1] << 8 | entry[2 * axis + 2]
                sums[axis] += value - 65536 if value & 0x8000 else value
        return sums
