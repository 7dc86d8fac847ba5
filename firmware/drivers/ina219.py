"""INA219 power monitor on I2C. Tables: Texas Instruments datasheet SBOS448G."""

from micropython import const

from . import WrongSensorError
from .ina2xx import Monitor

_CONFIG_REGISTER = const(0)
_SHUNT = const(1)
_BUS = const(2)
_AFTER_RESET = const(0x399F)

# Figure 19 and tables 4 to 6: 32 V, shunt up to 320 mV, 2 averages of 12 bits for both, over and
# over. A new result every 2.1 ms.
_CONFIG = const(1 << 13 | 3 << 11 | 9 << 7 | 9 << 3 | 7)


class Ina219(Monitor):
    """Voltage up to 32 V (26 V on its pin), shunt up to 320 mV either way.

    It has no identity: what its configuration is after a reset tells it from others.
    """

    name = "INA219"

    def __init__(self, i2c, address, shunt_uohm):
        super().__init__(i2c, address, shunt_uohm, _CONFIG)

    def identify(self):
        found = self._read(_CONFIG_REGISTER)
        if found != _AFTER_RESET:
            raise WrongSensorError(
                "not an INA219 at 0x%02X: after a reset it says 0x%04X" % (self._address, found)
            )

    def read_mv(self):
        """Voltage of the supply in mV: 4 mV a bit, above three bits of flags."""
        two = self._two
        self._read_into(self._address, _BUS, two)
        return (two[0] << 5 | two[1] >> 3) * 4

    def read_ma(self):
        """Current in mA, negative into the supply: 10 uV a bit across the shunt."""
        two = self._two
        self._read_into(self._address, _SHUNT, two)
        value = two[0] << 8 | two[1]
        if value & 0x8000:
            value -= 65536
        return value * 10000 // self._shunt_uohm
