"""A sensor's registers on SPI or I2C, for configuration: written and read back, byte by byte."""

import time

from machine import I2C, SPI, Pin, mem32
from micropython import const

_SPI_BASES = (0x4003C000, 0x40040000)
_I2C_BASES = (0x40044000, 0x40048000)
_IC_TAR = const(0x04)
_IC_ENABLE = const(0x6C)
_MOST_BYTES = const(16)
_RETRY_US = const(10)


class Registers:
    """What both buses share. `hint` ends every error: what to look at on the board."""

    def __init__(self, name, hint):
        self.name = name
        self.hint = hint
        self._one = bytearray(1)

    def read(self, register):
        """The byte in a register. Raises OSError where the bus says that nobody answers."""
        self.read_into(register, self._one)
        return self._one[0]

    def write(self, register, value):
        """Write a byte and read it back. Raises OSError where it has not arrived."""
        self.write_blind(register, value)
        if self.read(register) != value:
            time.sleep_us(_RETRY_US)
            found = self.read(register)
            if found != value:
                raise OSError(
                    "%s register 0x%02X took 0x%02X as 0x%02X: check %s"
                    % (self.name, register, value, found, self.hint)
                )

    def hold(self, wanted):
        """True where every register of `wanted` (pairs of number and value) has its value."""
        for register, value in wanted:
            if self.read(register) != value:
                return False
        return True

    def recover(self):
        """Whatever a transfer without an answer has left behind."""

    def silent(self):
        """The error for a sensor that does not answer."""
        return OSError("%s silent: check its supply, %s" % (self.name, self.hint))

    def read_into(self, register, buffer):
        """Fill a buffer from successive registers."""
        raise NotImplementedError

    def write_blind(self, register, value):
        """Write a byte to a register that does not read back what was written."""
        raise NotImplementedError


class SpiRegisters(Registers):
    """On SPI, mode 3, with `read_bit` and, for several bytes, `many_bit` in the address byte."""

    def __init__(self, name, board, read_bit, many_bit):
        super().__init__(name, "CS, SCK, MOSI and MISO")
        number = board.VIBRATION_BUS_NUMBER
        self.base = _SPI_BASES[number]
        self.cs_pin = board.VIBRATION_CS_PIN
        self._cs = Pin(self.cs_pin, Pin.OUT, value=1)
        self._spi = SPI(
            number,
            baudrate=board.VIBRATION_BAUDRATE_HZ,
            polarity=1,
            phase=1,
            sck=Pin(board.VIBRATION_SCK_PIN),
            mosi=Pin(board.VIBRATION_MOSI_PIN),
            miso=Pin(board.VIBRATION_MISO_PIN),
        )
        self._read_bit = read_bit
        self._many_bit = many_bit
        self._out = bytearray(_MOST_BYTES + 1)
        self._back = bytearray(_MOST_BYTES + 1)
        # Made beforehand: the check of a running sensor allocates nothing.
        self._out_one = memoryview(self._out)[:2]
        self._back_one = memoryview(self._back)[:2]

    def read(self, register):
        self._out[0] = register | self._read_bit
        self._cs(0)
        self._spi.write_readinto(self._out_one, self._back_one)
        self._cs(1)
        return self._back[1]

    def read_into(self, register, buffer):
        length = len(buffer) + 1
        out = memoryview(self._out)[:length]
        back = memoryview(self._back)[:length]
        out[0] = register | self._read_bit | (self._many_bit if length > 2 else 0)
        self._cs(0)
        self._spi.write_readinto(out, back)
        self._cs(1)
        buffer[:] = back[1:]

    def write_blind(self, register, value):
        out = self._out
        out[0] = register
        out[1] = value
        self._cs(0)
        self._spi.write(memoryview(out)[:2])
        self._cs(1)
        out[1] = 0


class I2cRegisters(Registers):
    """On I2C, at the board's address."""

    def __init__(self, name, board):
        super().__init__(name, "SDA, SCL and the address pin")
        number = board.VIBRATION_BUS_NUMBER
        self.base = _I2C_BASES[number]
        self.address = board.VIBRATION_ADDRESS
        self._i2c = I2C(
            number,
            sda=Pin(board.VIBRATION_SDA_PIN),
            scl=Pin(board.VIBRATION_SCL_PIN),
            freq=board.VIBRATION_BAUDRATE_HZ,
        )

    def read_into(self, register, buffer):
        self._i2c.readfrom_mem_into(self.address, register, buffer)

    def write_blind(self, register, value):
        one = self._one
        one[0] = value
        self._i2c.writeto_mem(self.address, register, one)

    def recover(self):
        self.aim()

    def aim(self):
        """Set the I2C block to the sensor's address, as every transfer does: IC_TAR is written
        while the block is disabled (RP2040 datasheet, IC_TAR).
        """
        mem32[self.base + _IC_ENABLE] = 0
        mem32[self.base + _IC_TAR] = self.address
        mem32[self.base + _IC_ENABLE] = 1
