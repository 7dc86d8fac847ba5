"""An accelerometer, or a piezo with its amplifier, on the RP2040's own ADC.

The ADC converts its inputs round robin without end, and two channels of the DMA carry the codes
into the two halves of a ring, each starting the other: it costs the core nothing. The other inputs
that the board uses are in the same round, for the ADC has no time for anybody else; a round has 1,
2 or 4 conversions, so that a code's place in the ring tells its input. Sections: RP2040 datasheet.
"""

# pyright: reportAttributeAccessIssue=false
# The stubs lack the attributes of rp2.DMA.
import array
import time

import micropython
import rp2
import uctypes
from machine import ADC, mem16, mem32
from micropython import const

from .analog_rp2 import carry

_ADC = const(0x4004C000)
_CS = const(0x00)
_FCS = const(0x08)
_FIFO = const(0x0C)
_DIV = const(0x10)
_CS_EN = const(1)
_CS_TS_EN = const(2)
_CS_START_MANY = const(8)
_CS_AINSEL_SHIFT = const(12)
_CS_RROBIN_SHIFT = const(16)
_FCS_EN = const(1)
_FCS_DREQ_EN = const(8)
_FCS_FLAGS = const(0xC00)  # OVER, UNDER
_FCS_THRESHOLD_1 = const(1 << 24)
_FCS_WRITTEN = const(0x0F00000F)
_DMA = const(0x50000000)
_DMA_INTR = const(0x50000400)
_DREQ_ADC = const(36)
_DMA_BUSY = const(0x1000000)

_CLOCK_HZ = const(48_000_000)
_CONVERSION_CYCLES = const(96)  # section 4.9.2: 2 us at least
_TEMPERATURE = const(4)
_FIRST_PIN = const(26)

_HALF_BITS = const(12)
_HALF_BYTES = const(4096)
_RING_BYTES = const(8192)  # four inputs at 25,600 Hz: the guard may be deaf for 20 ms
_SETTLE_US = const(300)

# Words that `analog_rp2.carry` works on.
_RING = const(0)
_NEXT = const(1)  # bytes into the ring, at the first code not yet carried
_FRAME = const(2)  # bytes of a round
_X = const(3)  # bytes into a round, -1 where the axis has no input
_ZERO = const(6)
_CHANNEL_A = const(7)  # registers of the DMA's channels
_CHANNEL_B = const(8)
_A_BIT = const(9)  # in the DMA's INTR
_B_BIT = const(10)
_FCS_AT = const(11)
_INTR_AT = const(12)
_FRAME_SHIFT = const(13)
_WORDS = const(14)

# How far a mean code may be from that of 0 g while nothing is broken: a rail is further away.
_RAIL_CODES = const(16)
_LOOK_US = const(8000)
_LOOK_CODES = const(1000)  # less than half the ring


@micropython.viper
def _as_started(words: ptr32, mask: int, div: int) -> int:
    adc = ptr32(0x4004C000)
    a = int(ptr32(int(words[_CHANNEL_A]))[4])
    b = int(ptr32(int(words[_CHANNEL_B]))[4])
    if not (a ^ b) & _DMA_BUSY or not a & b & 1:
        return 0
    control = int(adc[0])
    if not control & _CS_START_MANY or (control >> _CS_RROBIN_SHIFT) & 0x1F != mask:
        return 0
    if int(adc[2]) & _FCS_WRITTEN != _FCS_THRESHOLD_1 | _FCS_DREQ_EN | _FCS_EN:
        return 0
    return 1 if int(adc[4]) == div else 0


class Analog:
    """The sensor as the board file has it, and every other analog input of the board.

    `memory` is where the ring of codes is made: `buffers.CODES_BYTES` of them.
    """

    def __init__(self, board, memory):
        pins = board.VIBRATION_ADC_PINS
        channels = {pin - _FIRST_PIN for pin in pins}
        for pin in _other_pins(board):
            channels.add(pin - _FIRST_PIN)
        if len(channels) == 3:
            channels.add(_TEMPERATURE)  # to make four; it is the chip's own
        self._channels = sorted(channels)
        per_round = len(self._channels)
        self._mask = 0  # CS.RROBIN; nothing where there is but one
        if per_round > 1:
            for channel in self._channels:
                self._mask |= 1 << channel
        if per_round not in (1, 2, 4):
            raise ValueError("the ADC's round takes four inputs")
        for channel in self._channels:
            ADC(channel if channel == _TEMPERATURE else channel + _FIRST_PIN)
        cycles_256 = (_CLOCK_HZ * 256 + board.VIBRATION_RATE_HZ * per_round // 2) // (
            board.VIBRATION_RATE_HZ * per_round
        )
        if cycles_256 < _CONVERSION_CYCLES * 256:
            raise ValueError("the ADC makes 500,000 conversions a second")
        self._div = cycles_256 - 256  # the period is 1 + INT + FRAC / 256
        self.rate_hz = (_CLOCK_HZ * 256 + cycles_256 * per_round // 2) // (cycles_256 * per_round)

        self.count_ug = board.VIBRATION_UG_PER_CODE
        zero = board.VIBRATION_ZERO_CODE
        self.full_scale_counts = min(zero, 4095 - zero)

        self._memory = memory
        ring = -(-uctypes.addressof(self._memory) // _HALF_BYTES) * _HALF_BYTES
        self._a = rp2.DMA()
        self._b = rp2.DMA()
        # Signed: the axes without an input. Addresses stay below 2^31.
        words = self.words = array.array("i", [0] * _WORDS)
        words[_RING] = ring
        words[_FRAME] = 2 * per_round
        for axis in range(3):
            words[_X + axis] = -1
        for axis, pin in zip(board.VIBRATION_AXES, pins):
            words[_X + axis] = 2 * self._channels.index(pin - _FIRST_PIN)
        words[_ZERO] = zero
        words[_CHANNEL_A] = _DMA + 0x40 * self._a.channel
        words[_CHANNEL_B] = _DMA + 0x40 * self._b.channel
        words[_A_BIT] = 1 << self._a.channel
        words[_B_BIT] = 1 << self._b.channel
        words[_FCS_AT] = _ADC + _FCS
        words[_INTR_AT] = _DMA_INTR
        words[_FRAME_SHIFT] = per_round // 2 + 1

    def identify(self):
        """Raises OSError where the sensor's mean is at a rail: its lead or its supply is gone."""
        self._run()
        words = self.words
        frame = words[_FRAME]
        time.sleep_us(min(_LOOK_US, _LOOK_CODES * 2_000_000 // (self.rate_hz * frame)))
        end = self._written()
        if not end:
            raise OSError("the ADC does not run: another user of it?")
        for axis in range(3):
            at = words[_X + axis]
            if at < 0:
                continue
            total = 0
            for place in range(at, end, frame):
                total += self._code(place)
            mean = total * frame // end
            if not _RAIL_CODES <= mean <= 4095 - _RAIL_CODES:
                pin = self._channels[at // 2] + _FIRST_PIN
                raise OSError(
                    "analog sensor's code is %d on GP%d: check its supply and lead" % (mean, pin)
                )

    def self_test(self):
        """None: such a sensor has none."""
        return

    def start(self):
        """Begin to convert, at the start of the ring."""
        self._run()

    def configured(self):
        """True while the ADC and the DMA do what `start` told them. Nothing is allocated."""
        return _as_started(self.words, self._mask, self._div) == 1

    def recover(self):
        """Begin again."""
        self.start()

    def place(self, pin):
        """Where an input's codes are: bytes into a round."""
        return 2 * self._channels.index(pin - _FIRST_PIN)

    def engine_parameters(self):
        """The inputs that the guard follows are the engine's last argument."""
        return ("adc", carry, uctypes.addressof(self.words))

    def _written(self):
        """Bytes of whole rounds in the ring since `start`, until it is full for the first time."""
        words = self.words
        a = words[_CHANNEL_A]
        at = mem32[(a if mem32[a + 0x10] & _DMA_BUSY else words[_CHANNEL_B]) + 4] - words[_RING]
        return at - at % words[_FRAME]

    def _code(self, place):
        return mem16[self.words[_RING] + place]

    def _stop(self):
        mem32[_ADC + _CS] = _CS_EN | _CS_TS_EN
        self._a.active(0)
        self._b.active(0)
        # Both must be at rest before one is set up: each starts the other when it ends.
        for dma in (self._a, self._b):
            dma.ctrl = 0
        mem32[0x50000444] = self.words[_A_BIT] | self.words[_B_BIT]  # CHAN_ABORT
        time.sleep_us(_SETTLE_US)
        while not mem32[_ADC + _FCS] & 0x100:  # EMPTY
            mem32[_ADC + _FIFO]

    def _run(self):
        self._stop()
        words = self.words
        mem32[_ADC + _FCS] = _FCS_FLAGS | _FCS_THRESHOLD_1 | _FCS_DREQ_EN | _FCS_EN
        mem32[_ADC + _DIV] = self._div
        ring = words[_RING]
        self._set_up(self._b, ring + _HALF_BYTES, self._a)
        self._set_up(self._a, ring, self._b)
        mem32[_DMA_INTR] = words[_A_BIT] | words[_B_BIT]
        words[_NEXT] = 0
        self._a.active(1)
        mem32[_ADC + _CS] = (
            self._mask << _CS_RROBIN_SHIFT
            | self._channels[0] << _CS_AINSEL_SHIFT
            | _CS_START_MANY
            | _CS_TS_EN
            | _CS_EN
        )

    def _set_up(self, dma, address, following):
        control = dma.pack_ctrl(
            inc_read=False,
            inc_write=True,
            size=1,
            ring_sel=True,
            ring_size=_HALF_BITS,
            treq_sel=_DREQ_ADC,
            chain_to=following.channel,
            irq_quiet=False,
        )
        dma.config(read=_ADC + _FIFO, write=address, count=_HALF_BYTES // 2, ctrl=control)


def _other_pins(board):
    """The board's analog inputs beside the sensor's."""
    for pin in (board.CURRENT_PIN, board.BEARING_TEMPERATURE_PIN, board.DRIVER_TEMPERATURE_PIN):
        if pin is not None:
            yield pin
    for kind, pin, *_ in board.SUPPLIES:
        if kind == 0:
            yield pin
