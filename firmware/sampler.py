"""Samples from the sensor into a buffer, on the watermark interrupt, with nothing lost in silence.

The interrupt only wakes the chip; `drain` looks at the pin's level, because the edge of a watermark
that was reached while interrupts were off never comes again.
"""

import array

import micropython
from machine import Pin
from micropython import const

_BLOCK = const(16)


@micropython.viper
def _wake(pin):
    pass


class Sampler:
    """Reads one sensor. `overflows` counts the times its FIFO was found full: samples were lost
    then.
    """

    def __init__(self, sensor):
        self._sensor = sensor
        self._ready = sensor.data_ready
        self.block_samples = _BLOCK
        self.samples = array.array("h", bytes(2 * 3 * _BLOCK))
        self.taken = 0
        self.overflows = 0

    def start(self):
        """Start the sensor; raises OSError where it does not answer."""
        self._sensor.start()
        self._ready.irq(_wake, Pin.IRQ_RISING, hard=True)

    def drain(self):
        """Read one block into `samples` where the sensor has one; True where it had."""
        if not self._ready.value():
            return False
        if self._sensor.waiting() >= self._sensor.fifo_entries:
            self.overflows += 1
        self._sensor.read_into(self.samples, 0, _BLOCK)
        self.taken = (self.taken + _BLOCK) & 0x3FFFFFFF
        return True
