"""ADXL345 three-axis accelerometer on SPI. Tables, sections: Analog Devices datasheet, revision G.

`read_into` reads whole FIFO entries, 7 bytes each, by the SPI's registers: 15.5 us an entry at
4.8 MHz (emulated).
"""

import array
import time

import machine
from machine import SPI, Pin
from micropython import const

from ..kernels_rp2 import spi_read_register, spi_read_triples

_DEVID = const(0x00)
_BW_RATE = const(0x2C)
_POWER_CTL = const(0x2D)
_INT_ENABLE = const(0x2E)
_INT_MAP = const(0x2F)
_DATA_FORMAT = const(0x31)
_FIFO_CTL = const(0x38)
_FIFO_STATUS = const(0x39)
_READ = const(0x80)

_IDENTITY = const(0xE5)
_MEASURE = const(0x08)
_WATERMARK = const(0x02)
_FULL_RESOLUTION = const(0x08)
_STREAM_MODE = const(0x80)
_RATE_CODES = {3200: 0x0F, 1600: 0x0E, 800: 0x0D, 400: 0x0C}
_RANGE_CODES = {2000: 0, 4000: 1, 8000: 2, 16000: 3}

FIFO_ENTRIES = const(32)
COUNT_UG = const(3906)  # full resolution: 256 counts a g in every range (table 1)

_READ_FIFO = const(0xF2)  # several bytes, from DATAX0 on

# "Retrieval of FIFO data": at 5 MHz, CS stays high for 3.4 us and more between reads; with the
# address that follows, this makes the 5 us that the FIFO needs to move on.
_GAP_NS = const(3600)
_GAP_TURN_CYCLES = const(3)
_ENTRIES_A_CALL = const(8)  # 124 us: the control tick waits for a call's end

# What the transfers share: the SPI's registers, CS as a bit of SIO, turns of the gap, the command.
_BUS_SPI = const(0)
_BUS_CS = const(1)
_BUS_GAP = const(2)
_BUS_COMMAND = const(3)


class Adxl345:
    """The sensor as the board file has it.

    Raises OSError, naming the likely wiring fault, when it does not answer.
    """

    count_ug = COUNT_UG
    fifo_entries = FIFO_ENTRIES

    def __init__(self, board):
        if board.VIBRATION_BUS != "spi":
            raise ValueError("this driver reads the ADXL345 over SPI")
        self._cs = Pin(board.VIBRATION_CS_PIN, Pin.OUT, value=1)
        self._spi = SPI(
            board.VIBRATION_BUS_NUMBER,
            baudrate=board.VIBRATION_BAUDRATE_HZ,
            polarity=1,
            phase=1,
            sck=Pin(board.VIBRATION_SCK_PIN),
            mosi=Pin(board.VIBRATION_MOSI_PIN),
            miso=Pin(board.VIBRATION_MISO_PIN),
        )
        self._bus = array.array("i", [0] * 4)
        self._bus[_BUS_SPI] = 0x4003C000 if board.VIBRATION_BUS_NUMBER == 0 else 0x40040000
        self._bus[_BUS_CS] = 1 << board.VIBRATION_CS_PIN
        turns = _GAP_NS * (machine.freq() // 1000) // (1_000_000 * _GAP_TURN_CYCLES)
        self._bus[_BUS_GAP] = turns + 1
        self._bus[_BUS_COMMAND] = _READ_FIFO
        self.data_ready = Pin(board.VIBRATION_INT1_PIN, Pin.IN, Pin.PULL_DOWN)
        self._two = bytearray(2)
        self.rate_hz = board.VIBRATION_RATE_HZ
        self._watermark = board.VIBRATION_WATERMARK_SAMPLES
        self._format = _FULL_RESOLUTION | _RANGE_CODES[board.VIBRATION_RANGE_MG]

    def start(self):
        """Check the identity, configure, and begin to fill the FIFO."""
        identity = self._read(_DEVID)
        if identity != _IDENTITY:
            if identity in (0x00, 0xFF):
                raise OSError("ADXL345 silent: check its supply, CS and MISO")
            raise OSError("not an ADXL345: it answers 0x%02X" % identity)
        self._write(_POWER_CTL, 0)
        self._write(_FIFO_CTL, 0)
        self._write(_BW_RATE, _RATE_CODES[self.rate_hz])
        self._write(_DATA_FORMAT, self._format)
        self._write(_INT_MAP, 0)
        self._write(_INT_ENABLE, _WATERMARK)
        self._write(_FIFO_CTL, _STREAM_MODE | self._watermark)
        self._write(_POWER_CTL, _MEASURE)

    def waiting(self):
        """FIFO entries ready to be read, 0 to 32. At 32 some may have been lost."""
        return spi_read_register(self._bus, _FIFO_STATUS | _READ) & 0x3F

    def configured(self):
        """True while the sensor still has what `start` wrote: False after a brown-out."""
        return (
            self._read(_POWER_CTL) == _MEASURE and self._read(_BW_RATE) == _RATE_CODES[self.rate_hz]
        )

    def read_into(self, samples, first, count):
        """Read `count` entries as x, y, z int16 counts into `samples[3 * first:]`."""
        bus = self._bus
        while count > _ENTRIES_A_CALL:
            spi_read_triples(samples, first, _ENTRIES_A_CALL, bus)
            first += _ENTRIES_A_CALL
            count -= _ENTRIES_A_CALL
        spi_read_triples(samples, first, count, bus)

    def _read(self, register):
        return spi_read_register(self._bus, register | _READ)

    def _write(self, register, value):
        two = self._two
        two[0] = register
        two[1] = value
        self._cs(0)
        self._spi.write(two)
        self._cs(1)
        if self._read(register) != value:
            time.sleep_us(10)
            if self._read(register) != value:
                raise OSError(
                    "ADXL345 register 0x%02X did not take 0x%02X: check MOSI and SCK"
                    % (register, value)
                )
