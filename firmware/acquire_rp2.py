"""Engines that carry a sensor's samples into a ring, one step at each of the guard's turns.

A driver gives the parameters; the guard calls `finish` at the start of a turn and `begin` at its
end, both with the address of the engine's words. Each sample costs no Python at all: 210 cycles in
the two calls together over SPI, and at 25,600 Hz on the ADC 300 a turn, emulated.

The ring holds int16 x, y, z triples. Word 0 of every engine counts the triples so far (the next one
goes to that number modulo the ring's length), word 1 the times the sensor's FIFO was found full, or
the samples lost where it has none.
"""

import array

import micropython
import uctypes
from machine import mem32
from micropython import const

from .guard_rp2 import in_ram

TAKEN = const(0)
OVERFLOWS = const(1)
_PHASE = const(2)
_AT = const(3)  # bytes into the ring
_RING = const(4)
_RING_BYTES = const(5)
_PAUSED = const(6)
_BASE = const(7)
_INT_MASK = const(8)
_SWAP = const(9)
_COMMAND = const(10)
_CS_MASK = const(11)
_STATUS_COMMAND = const(12)
_STATUS_IN = const(13)  # transfers until the next look at the sensor's own count
_STATUS = const(14)
_FULL = const(15)
_RAISED = const(16)  # SysTick's count when CS went up
_FAILS = const(17)
_HEADER = const(18)
_READS = const(19)
_WAITED = const(20)
_VALIDITY = const(21)
_HOLD_AT = const(22)
_WORDS = const(23)
# Of an analog sensor's engine, in the place of others:
_TRIPLES = const(8)
_INPUTS = const(9)

_STATUS_EVERY = const(16)
_IC_TAR = const(0x04)
_STUCK = const(2)


@micropython.asm_thumb
def _spi_finish(r0):
    ldr(r1, [r0, 8])
    cmp(r1, 0)
    beq(NOTHING)
    ldr(r2, [r0, 28])
    ldr(r3, [r2, 12])  # SSPSR
    lsr(r3, r3, 5)  # BSY
    bcs(NOTHING)
    mov(r3, 0xD0)
    lsl(r3, r3, 24)
    ldr(r4, [r0, 44])
    str(r4, [r3, 20])  # GPIO_OUT_SET: CS up
    mov(r3, 0xE0)
    lsl(r3, r3, 24)
    mov(r4, 0xE0)
    lsl(r4, r4, 8)
    add(r3, r3, r4)  # 0xE000E000
    ldr(r4, [r3, 0x18])  # SYST_CVR
    str(r4, [r0, 64])
    mov(r4, 0)
    str(r4, [r0, 8])
    ldr(r3, [r2, 8])  # what came with the command
    cmp(r1, 2)
    beq(STATUS)

    ldr(r5, [r0, 12])
    ldr(r6, [r0, 16])
    add(r6, r6, r5)
    add(r5, 6)
    ldr(r7, [r0, 20])
    cmp(r5, r7)
    bne(NOT_ROUND)
    mov(r5, 0)
    label(NOT_ROUND)
    str(r5, [r0, 12])
    ldr(r5, [r0, 36])
    mov(r4, 0)
    label(BYTE)
    ldr(r3, [r2, 8])
    mov(r7, r4)
    eor(r7, r5)
    data(2, 0x55F3)  # strb r3, [r6, r7]
    add(r4, 1)
    cmp(r4, 6)
    bne(BYTE)
    ldr(r3, [r0, 0])
    add(r3, 1)
    str(r3, [r0, 0])
    b(NOTHING)

    label(STATUS)
    ldr(r3, [r2, 8])
    str(r3, [r0, 56])
    mov(r4, 0x3F)
    and_(r3, r4)
    ldr(r4, [r0, 60])
    cmp(r3, r4)
    blt(NOTHING)
    ldr(r4, [r0, 4])
    add(r4, 1)
    str(r4, [r0, 4])
    b(NOTHING)
    data(2, 0x57A7)
    label(NOTHING)


@micropython.asm_thumb
def _spi_begin(r0):
    ldr(r1, [r0, 8])
    ldr(r2, [r0, 24])
    orr(r1, r2)
    bne(NOTHING)  # under way, or paused
    ldr(r2, [r0, 28])
    mov(r3, 0xD0)
    lsl(r3, r3, 24)
    ldr(r4, [r3, 4])  # GPIO_IN
    ldr(r5, [r0, 32])
    and_(r4, r5)
    beq(NOTHING)
    # The FIFO needs 5 us from the end of one read to the next (ADXL345, "Retrieval of FIFO data"):
    # CS has been up since this turn's beginning, and the address takes the rest.
    mov(r4, 0xE0)
    lsl(r4, r4, 24)
    mov(r6, 0xE0)
    lsl(r6, r6, 8)
    add(r4, r4, r6)
    ldr(r6, [r0, 64])
    mov(r5, 215)
    add(r5, 215)
    label(WAIT)
    ldr(r7, [r4, 0x18])
    sub(r7, r6, r7)
    bmi(ROUND)
    cmp(r7, r5)
    blt(WAIT)
    label(ROUND)
    ldr(r4, [r0, 44])
    str(r4, [r3, 24])  # GPIO_OUT_CLR: CS down
    mov(r5, 0)
    ldr(r4, [r0, 52])
    sub(r4, 1)
    beq(STATUS)
    str(r4, [r0, 52])
    ldr(r4, [r0, 40])
    str(r4, [r2, 8])  # SSPDR
    str(r5, [r2, 8])
    str(r5, [r2, 8])
    str(r5, [r2, 8])
    str(r5, [r2, 8])
    str(r5, [r2, 8])
    str(r5, [r2, 8])
    mov(r4, 1)
    str(r4, [r0, 8])
    b(NOTHING)
    label(STATUS)
    mov(r4, 16)
    str(r4, [r0, 52])
    ldr(r4, [r0, 48])
    str(r4, [r2, 8])
    str(r5, [r2, 8])
    mov(r4, 2)
    str(r4, [r0, 8])
    b(NOTHING)
    data(2, 0x57A7)
    label(NOTHING)


@micropython.asm_thumb
def _i2c_finish(r0):
    ldr(r1, [r0, 8])
    cmp(r1, 0)
    beq(LEAVE)
    ldr(r2, [r0, 28])
    ldr(r3, [r2, 120])  # IC_RXFLR
    ldr(r4, [r0, 76])
    cmp(r3, r4)
    bge(COMPLETE)
    ldr(r3, [r2, 52])  # IC_RAW_INTR_STAT
    lsr(r3, r3, 7)  # TX_ABRT: nobody answered
    bcs(FAILED)
    ldr(r3, [r0, 80])
    add(r3, 1)
    str(r3, [r0, 80])
    cmp(r3, 25)  # 5 ms
    bge(FAILED)
    label(LEAVE)
    b(NOTHING)
    label(FAILED)
    mov(r3, 2)
    str(r3, [r0, 24])
    mov(r3, 0)
    str(r3, [r0, 8])
    ldr(r3, [r0, 68])
    add(r3, 1)
    str(r3, [r0, 68])
    b(NOTHING)

    label(COMPLETE)
    mov(r4, 0)
    str(r4, [r0, 8])
    ldr(r5, [r0, 72])
    cmp(r5, 0)
    beq(NO_HEADER)
    label(HEADER)
    ldr(r3, [r2, 16])  # IC_DATA_CMD
    data(2, 0xB2DB)  # uxtb r3, r3: above the byte is FIRST_DATA_BYTE
    lsl(r4, r4, 8)
    orr(r4, r3)
    sub(r5, 1)
    bne(HEADER)
    label(NO_HEADER)
    str(r4, [r0, 56])
    ldr(r3, [r0, 84])
    cmp(r3, 0)
    beq(VALID)
    cmp(r3, 1)
    beq(COUNTED)
    lsr(r4, r4, 1)  # bit 0: the sample is new
    bcs(VALID)
    b(EMPTY)
    label(COUNTED)
    cmp(r4, 6)
    blt(EMPTY)
    ldr(r5, [r0, 60])
    cmp(r4, r5)
    blt(VALID)
    ldr(r5, [r0, 4])
    add(r5, 1)
    str(r5, [r0, 4])
    mov(r5, 2)
    str(r5, [r0, 24])  # what the FIFO gives now is no entry any more
    b(EMPTY)
    label(VALID)
    ldr(r5, [r0, 12])
    ldr(r6, [r0, 16])
    add(r6, r6, r5)
    add(r5, 6)
    ldr(r7, [r0, 20])
    cmp(r5, r7)
    bne(NOT_ROUND)
    mov(r5, 0)
    label(NOT_ROUND)
    str(r5, [r0, 12])
    ldr(r5, [r0, 36])
    mov(r4, 0)
    label(BYTE)
    ldr(r3, [r2, 16])
    mov(r7, r4)
    eor(r7, r5)
    data(2, 0x55F3)  # strb r3, [r6, r7]
    add(r4, 1)
    cmp(r4, 6)
    bne(BYTE)
    ldr(r3, [r0, 0])
    add(r3, 1)
    str(r3, [r0, 0])
    b(NOTHING)
    label(EMPTY)
    mov(r4, 6)
    label(DISCARD)
    ldr(r3, [r2, 16])
    sub(r4, 1)
    bne(DISCARD)
    b(NOTHING)
    data(2, 0x57A7)
    label(NOTHING)


@micropython.asm_thumb
def _i2c_begin(r0):
    ldr(r1, [r0, 8])
    ldr(r2, [r0, 24])
    orr(r1, r2)
    bne(NOTHING)  # under way, or paused
    ldr(r5, [r0, 32])
    cmp(r5, 0)
    beq(GO)
    mov(r3, 0xD0)
    lsl(r3, r3, 24)
    ldr(r4, [r3, 4])  # GPIO_IN
    and_(r4, r5)
    bne(GO)
    ldr(r4, [r0, 84])
    cmp(r4, 1)
    bne(NOTHING)
    ldr(r4, [r0, 56])
    cmp(r4, 12)  # the last count says that another waits
    blt(NOTHING)
    label(GO)
    mov(r1, 1)
    str(r1, [r0, 8])
    mov(r1, 0)
    str(r1, [r0, 80])
    ldr(r2, [r0, 28])
    ldr(r3, [r0, 40])
    str(r3, [r2, 16])  # IC_DATA_CMD: the register
    ldr(r4, [r0, 76])
    mov(r1, 5)
    lsl(r1, r1, 8)  # RESTART, CMD: read
    mov(r3, 1)
    lsl(r3, r3, 8)
    label(READ)
    sub(r4, 1)
    beq(LAST)
    str(r1, [r2, 16])
    mov(r1, r3)
    b(READ)
    label(LAST)
    mov(r1, 3)
    lsl(r1, r1, 8)  # STOP, CMD: read
    str(r1, [r2, 16])
    b(NOTHING)
    data(2, 0x57A7)
    label(NOTHING)


class Ring:
    """Where the samples go: a buffer of int16 x, y, z triples, as many as a power of two."""

    def __init__(self, samples):
        self.triples = len(samples) // 6
        self.samples = samples


class Engine:
    """What all engines have: their words and the code that the guard calls."""

    def __init__(self, ring, finish, begin):
        self.words = array.array("I", [0] * _WORDS)
        self.address = uctypes.addressof(self.words)
        self._finish = in_ram(finish)
        self._begin = in_ram(begin)
        self.finish_address = uctypes.addressof(self._finish) | 1
        self.begin_address = uctypes.addressof(self._begin) | 1
        self._ring = ring
        words = self.words
        words[_RING] = uctypes.addressof(ring.samples)
        words[_RING_BYTES] = 6 * ring.triples
        words[_PAUSED] = 1

    @property
    def overflows(self):
        """Times that the sensor's FIFO was found full, or samples lost where it has none."""
        return self.words[OVERFLOWS]

    @property
    def fails(self):
        """Transfers that were not answered; each pauses the engine."""
        return self.words[_FAILS]

    def pause(self):
        """Leave the bus alone; returns once the present transfer is over, within 6 ms."""
        words = self.words
        words[_PAUSED] = 1
        while words[_PHASE]:
            pass

    def resume(self):
        """Go on."""
        self.words[_PAUSED] = 0

    def hold(self, count):
        """Leave the ring as it is from this count of samples on, to be read at leisure; what comes
        is lost, and counted. None ends it. Only an analog sensor's engine does so: its ring is over
        in 80 ms, and a waveform takes a second to be written. The others' last.
        """
        self.words[_HOLD_AT] = 0 if count is None else count or 1

    @property
    def stuck(self):
        """True where a transfer has failed, or a FIFO has overflowed: `resume` ends it."""
        return self.words[_PAUSED] == _STUCK


def _pin_mask(pin):
    return 0 if pin < 0 else 1 << pin


def spi_engine(ring, base, cs_pin, int_pin, command, status_command, full, big_endian):
    """For sensors whose FIFO gives one entry of 6 bytes after each `command` byte.

    An entry waits when `int_pin` is high. `status_command` reads a byte whose low six bits count
    the entries; `full` of them mean that some are lost.
    """
    engine = Engine(ring, _spi_finish, _spi_begin)
    words = engine.words
    words[_BASE] = base
    words[_CS_MASK] = 1 << cs_pin
    words[_INT_MASK] = _pin_mask(int_pin)
    words[_COMMAND] = command
    words[_STATUS_COMMAND] = status_command
    words[_STATUS_IN] = _STATUS_EVERY
    words[_FULL] = full
    words[_SWAP] = 1 if big_endian else 0
    return engine


def i2c_engine(ring, base, address, register, header_bytes, int_pin, big_endian, validity, full):
    """For sensors that give one entry from `register` on: `header_bytes`, then 6 bytes.

    `validity` says when an entry is one:

        0   `int_pin` is high before it is read
        1   the header is the count of bytes in the sensor's FIFO, big-endian, of at least 6; `full`
            of them mean that some are lost, and pause the engine. It reads when `int_pin` is high,
            or when the last count said that another entry waits.
        2   bit 0 of the header is 1
    """
    engine = Engine(ring, _i2c_finish, _i2c_begin)
    words = engine.words
    words[_BASE] = base
    words[_INT_MASK] = _pin_mask(int_pin)
    words[_COMMAND] = register
    words[_HEADER] = header_bytes
    words[_READS] = header_bytes + 6
    words[_VALIDITY] = validity
    words[_FULL] = full
    words[_SWAP] = 1 if big_endian else 0
    if mem32[base + _IC_TAR] & 0x3FF != address:
        raise OSError("I2C is set to another address")
    return engine


@micropython.asm_thumb
def _nothing(r0):
    b(NOTHING)
    data(2, 0x57A7)
    label(NOTHING)


def adc_engine(ring, carry, words_address, inputs):
    """For analog sensors: the DMA brings the codes, and `carry` (`drivers.analog`) makes samples of
    them and tells the guard the newest codes of the other inputs.

    `words_address` is that of the sensor's words; `inputs` is a list of (address, place in a round,
    shift) of words that follow a code.
    """
    engine = Engine(ring, carry, _nothing)
    words = engine.words
    words[_BASE] = words_address
    words[_TRIPLES] = ring.triples
    flat = []
    for follow in inputs:
        flat += follow
    engine.inputs = array.array("I", flat + [0])
    words[_INPUTS] = uctypes.addressof(engine.inputs)
    return engine


def engine(ring, parameters):
    """The engine for what a driver's `engine_parameters` says: its kind, then its arguments."""
    return _KINDS[parameters[0]](ring, *parameters[1:])


_KINDS = {"spi": spi_engine, "i2c": i2c_engine, "adc": adc_engine}
