"""What the INA226 and the INA219 have in common: 16-bit registers on I2C, read without allocating.

One call reads one register, 48 bits on the bus: 0.13 ms at 400 kHz, 0.17 ms in all, emulated. The
register is named each time: after a brown-out the chip would answer with another.
"""

import time

from micropython import const

_CONFIG = const(0)
_RESET = const(0x8000)
_RESET_MS = const(1)


class Monitor:
    """A chip at an address of an `I2C`, with the shunt of a supply.

    Raises OSError where nothing answers, WrongSensorError where another chip does. `read_mv` and
    `read_ma` raise OSError where it has stopped answering.
    """

    name = ""

    def __init__(self, i2c, address, shunt_uohm, config):
        self._write_from = i2c.writeto_mem
        self._read_into = i2c.readfrom_mem_into
        self._address = address
        self._shunt_uohm = shunt_uohm
        self._config = config
        self._two = bytearray(2)
        try:
            self._write(_CONFIG, _RESET)
            time.sleep_ms(_RESET_MS)
            self.identify()
            self._write(_CONFIG, config)
            written = self._read(_CONFIG)
        except OSError:
            where = "%s at 0x%02X silent: check its supply, SDA, SCL and A0, A1"
            raise OSError(where % (self.name, address))
        if written != config:
            raise OSError("%s at 0x%02X takes no settings: check SDA" % (self.name, address))

    def identify(self):
        """Raises WrongSensorError where another chip answers; just after a reset."""
        raise NotImplementedError

    def configured(self):
        """True while it still has its settings: False after a brown-out of its own."""
        return self._read(_CONFIG) == self._config

    def _read(self, register):
        two = self._two
        self._read_into(self._address, register, two)
        return two[0] << 8 | two[1]

    def _write(self, register, value):
        two = self._two
        two[0] = value >> 8
        two[1] = value & 0xFF
        self._write_from(self._address, register, two)
