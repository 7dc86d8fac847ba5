"""INA226 power monitor on I2C. Tables: Texas Instruments datasheet SBOS547A."""

from micropython import const

from . import WrongSensorError
from .ina2xx import Monitor

_SHUNT = const(1)
_BUS = const(2)
_MANUFACTURER_ID = const(0xFE)
_DIE_ID = const(0xFF)
_TEXAS_INSTRUMENTS = const(0x5449)
_DIE = const(0x2260)

# Tables 6 to 9: 4 averages of 332 us for the bus and 332 us for the shunt, over and over; bit 14
# always reads as 1. A new result every 2.7 ms.
_CONFIG = const(0x4000 | 1 << 9 | 2 << 6 | 2 << 3 | 7)


class Ina226(Monitor):
    """Voltage up to 36 V, shunt up to 81.9 mV either way."""

    name = "INA226"

    def __init__(self, i2c, address, shunt_uohm):
        super().__init__(i2c, address, shunt_uohm, _CONFIG)

    def identify(self):
        maker = self._read(_MANUFACTURER_ID)
        die = self._read(_DIE_ID)
        if maker != _TEXAS_INSTRUMENTS or die != _DIE:
            raise WrongSensorError(
                "not an INA226 at 0x%02X: it says 0x%04X, 0x%04X" % (self._address, maker, die)
            )

    def read_mv(self):
        """Voltage of the supply in mV: 1.25 mV a bit."""
        two = self._two
        self._read_into(self._address, _BUS, two)
        return (two[0] << 8 | two[1]) * 5 // 4

    def read_ma(self):
        """Current in mA, negative into the supply: 2.5 uV a bit across the shunt."""
        two = self._two
        self._read_into(self._address, _SHUNT, two)
        value = two[0] << 8 | two[1]
        if value & 0x8000:
            value -= 65536
        return value * 2500 // self._shunt_uohm
