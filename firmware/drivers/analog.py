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
_FCS_OVER = const(0x800)
_FCS_THRESHOLD_1 = const(1 << 24)
_FCS_WRITTEN = const(0x0F00000F)
_DMA = const(0x50000000)
_DMA_INTR = const(0x50000400)
_DREQ_ADC = const(36)

_CLOCK_HZ = const(48_000_000)
_CONVERSION_CYCLES = const(96)  # section 4.9.2: 2 us at least
_TEMPERATURE = const(4)
_FIRST_PIN = const(26)

_HALF_BITS = const(12)
_HALF_BYTES = const(4096)
_HALF_CODES = const(2048)
_RING_BYTES = const(8192)  # four inputs at 25,600 Hz: a reader may be 20 ms late
_RING_MASK = const(0x1FFF)
_SETTLE_US = const(300)

# Words that `_waiting` and `_decode_into` share.
_RING = const(0)
_NEXT = const(1)  # bytes into the ring, at the first code not yet decoded
_FRAME = const(2)  # bytes of a round
_X = const(3)  # bytes into a round, -1 where the axis has no input
_ZERO = const(6)
_CHANNEL_A = const(7)  # registers of the DMA's channels
_CHANNEL_B = const(8)
_A_BIT = const(9)  # in the DMA's INTR
_B_BIT = const(10)
_OVERFLOWS = const(11)
_WORDS = const(12)

# How far a mean code may be from that of 0 g while nothing is broken: a rail is further away.
_RAIL_CODES = const(16)
_LOOK_US = const(8000)
_LOOK_CODES = const(1000)  # less than half the ring


@micropython.viper
def _waiting(words: ptr32) -> int:
    """Whole rounds that the DMA has written and `_decode_into` has not read. 100 cycles.

    Where the DMA has come round to what is not yet read, all of it is given up: one overflow is
    counted, and the next round that is written will be the first.
    """
    a = ptr32(int(words[_CHANNEL_A]))
    b = ptr32(int(words[_CHANNEL_B]))
    busy = 0
    at = 0
    while True:
        busy = int(a[3]) & 0x1000000
        if busy:
            at = int(a[1])
        else:
            at = int(b[1])
        if busy == int(a[3]) & 0x1000000:
            break  # no change between the two looks
    at = (at - int(words[_RING])) & _RING_MASK
    at -= at & (int(words[_FRAME]) - 1)
    # A channel's bit is set when it has filled its half, and cleared when that half has been read.
    bits = int(words[_A_BIT]) | int(words[_B_BIT])
    filled = ptr32(_DMA_INTR)
    following = int(words[_NEXT])
    done = int(filled[0]) & bits
    if done == bits:
        words[_OVERFLOWS] = int(words[_OVERFLOWS]) + 1
        filled[0] = bits
        words[_NEXT] = at
        return 0
    return ((at - following) & _RING_MASK) // int(words[_FRAME])


@micropython.viper
def _decode_into(words: ptr32, samples: ptr16, first: int, count: int):
    """Turn the next `count` rounds into x, y, z counts at `samples[3 * first:]`; no more than
    `_waiting` says. An axis without an input is left as it is. 75 cycles for each axis and round,
    emulated at 125 MHz.
    """
    ring = ptr16(int(words[_RING]))
    step = int(words[_FRAME]) >> 1
    zero = int(words[_ZERO])
    filled = ptr32(_DMA_INTR)
    at = int(words[_NEXT]) >> 1
    out = 3 * first
    while count > 0:
        # Up to the end of this half without a look at it.
        rounds = (_HALF_CODES - (at & (_HALF_CODES - 1))) // step
        if rounds > count:
            rounds = count
        count -= rounds
        end = out + 3 * rounds
        axis = 0
        while axis < 3:
            place = int(words[_X + axis])
            if place >= 0:
                code = at + (place >> 1)
                to = out + axis
                while to < end:
                    samples[to] = int(ring[code]) - zero
                    code += step
                    to += 3
            axis += 1
        out = end
        at += rounds * step
        if at == _HALF_CODES:
            filled[0] = int(words[_A_BIT])
        elif at == 2 * _HALF_CODES:
            at = 0
            filled[0] = int(words[_B_BIT])
    words[_NEXT] = at << 1


class Analog:
    """The sensor as the board file has it, and every other analog input of the board."""

    ring_bytes = _RING_BYTES

    def __init__(self, board):
        pins = board.VIBRATION_ADC_PINS
        channels = {pin - _FIRST_PIN for pin in pins}
        for pin in _other_pins(board):
            channels.add(pin - _FIRST_PIN)
        if len(channels) == 3:
            channels.add(_TEMPERATURE)  # to make four; it is the chip's own
        self._channels = sorted(channels)
        per_round = len(self._channels)
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

        self._memory = bytearray(_RING_BYTES + _HALF_BYTES)
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

    def identify(self):
        """Raises OSError where the sensor's mean is at a rail: its lead or its supply is gone."""
        self._run()
        words = self.words
        frame = words[_FRAME]
        time.sleep_us(min(_LOOK_US, _LOOK_CODES * 2_000_000 // (self.rate_hz * frame)))
        end = _waiting(words) * frame
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
        """True while the ADC and the DMA do what `start` told them."""
        control = mem32[_ADC + _CS]
        a = mem32[self.words[_CHANNEL_A] + 0x10]
        b = mem32[self.words[_CHANNEL_B] + 0x10]
        running = (a ^ b) & 0x1000000 and a & b & 1
        rounds = control >> _CS_RROBIN_SHIFT & 0x1F
        return bool(
            control & _CS_START_MANY
            and rounds == self._mask()
            and mem32[_ADC + _FCS] & _FCS_WRITTEN == _FCS_THRESHOLD_1 | _FCS_DREQ_EN | _FCS_EN
            and mem32[_ADC + _DIV] == self._div
            and running
        )

    def recover(self):
        """Begin again."""
        self.start()

    @property
    def overflows(self):
        """Times that codes were lost: the reader was late, or the DMA was."""
        if mem32[_ADC + _FCS] & _FCS_OVER:
            self.start()
            self.words[_OVERFLOWS] += 1
        return self.words[_OVERFLOWS]

    def place(self, pin):
        """Where an input's codes are: bytes into a round."""
        return 2 * self._channels.index(pin - _FIRST_PIN)

    def latest(self, pin):
        """The newest code of an input, 0 to 4095."""
        words = self.words
        a = words[_CHANNEL_A]
        at = mem32[(a if mem32[a + 0x10] & 0x1000000 else words[_CHANNEL_B]) + 4] - words[_RING]
        frame = words[_FRAME]
        return self._code((at - at % frame - frame) % _RING_BYTES + self.place(pin))

    def round(self):
        """Where the newest codes are: the registers of the DMA's two channels, the ring, and the
        bytes of a round.
        """
        words = self.words
        return words[_CHANNEL_A], words[_CHANNEL_B], words[_RING], words[_FRAME]

    def waiting(self):
        """Whole rounds that wait to be decoded."""
        return _waiting(self.words)

    def decode_into(self, samples, first, count):
        """Turn the next `count` rounds into x, y, z counts at samples[3 * first:]."""
        _decode_into(self.words, samples, first, count)

    def engine_parameters(self):
        """None but itself; the inputs that the guard follows are the engine's last argument."""
        return ("adc", self)

    def _code(self, place):
        return mem16[self.words[_RING] + place]

    def _mask(self):
        """CS.RROBIN; nothing where there is but one."""
        mask = 0
        if len(self._channels) > 1:
            for channel in self._channels:
                mask |= 1 << channel
        return mask

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
            self._mask() << _CS_RROBIN_SHIFT
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
