"""What stops the motor without Python: 5,000 turns a second from SysTick, at the highest priority.

Each turn looks at the switch-off pins (e-stop, driver fault) and at the current, counts down the
dead-man that the control tick refreshes, and moves the vibration sensor's samples along. What it
finds wrong on two turns in a row (0.2 to 0.4 ms) it answers at once with the motor's kill words,
and again at every turn until `clear`. It runs whatever Python does: collecting, waiting, hanging.
Only flash writes hold it up, because they run with interrupts off.

The code is copied into RAM at `start`, so that it never waits for flash, also where this module is
frozen into the image. Costs of a turn, emulated at 125 MHz: 330 cycles with current, 1.3 % of the
core; 480 where a sample has come.
"""

import array

import micropython
import uctypes
from machine import ADC, mem32
from micropython import const

TURNS_PER_S = const(5000)

CAUSE_PINS = const(1)
CAUSE_CURRENT = const(2)
CAUSE_DEAD_MAN = const(4)

SLOW_SLOTS = const(4)

TURNS = const(0)
_PINS_MASK = const(1)
_PINS_XOR = const(2)
_PINS_BEFORE = const(3)
CAUSE = const(4)
_CAUSE_GPIO = const(5)
DEAD_MAN = const(7)
_CURRENT_SELECT = const(8)
_CURRENT_ZERO = const(9)
_CURRENT_TRIP = const(10)
_CURRENT_OVER = const(11)
CURRENT_SUM = const(12)
CURRENT_COUNT = const(13)
_CURRENT_CODE = const(14)
_SLOW_AT = const(15)
_FINISH = const(16)
_BEGIN = const(17)
_ENGINE = const(18)
_KILL_WORDS = const(19)
_SLOW_SELECT = const(20)
SLOW_CODE = const(24)
_WORDS = const(28)

_SYST_CSR = const(0xE000E010)
_SYST_RVR = const(0xE000E014)
_SYST_CVR = const(0xE000E018)
_SHPR3 = const(0xE000ED20)
_ICSR = const(0xE000ED04)
_CLEAR_PENDING = const(0x02000000)
_VTOR = const(0xE000ED08)
_SYSTICK_VECTOR = const(60)
_ADC_START = const(5)  # CS: EN, START_ONCE (datasheet section 4.9.6)


@micropython.asm_thumb
def _turn():
    b(START)
    data(4, 0)  # the address of the words
    label(START)
    mov(r7, pc)
    sub(r7, 8)
    ldr(r7, [r7, 0])
    ldr(r0, [r7, 0])
    add(r0, 1)
    str(r0, [r7, 0])
    mov(r6, 0xD0)
    lsl(r6, r6, 24)  # SIO
    mov(r5, 0x40)
    lsl(r5, r5, 8)
    add(r5, 0x04)
    lsl(r5, r5, 8)
    add(r5, 0xC0)
    lsl(r5, r5, 8)  # 0x4004C000: ADC

    # The slow channel that the last turn started: a sum that forgets 1/4 at each reading.
    ldr(r4, [r7, 60])
    add(r4, r4, r7)
    ldr(r0, [r4, 80])
    cmp(r0, 0)
    beq(NO_SLOW)
    ldr(r0, [r5, 4])  # RESULT
    ldr(r1, [r4, 96])
    lsr(r2, r1, 2)
    sub(r1, r1, r2)
    add(r1, r1, r0)
    str(r1, [r4, 96])
    label(NO_SLOW)
    ldr(r0, [r7, 32])
    cmp(r0, 0)
    beq(NO_START)
    str(r0, [r5, 0])  # the current: 2 us, used for the sensor and the pins
    label(NO_START)

    ldr(r3, [r7, 64])
    cmp(r3, 0)
    beq(NO_FINISH)
    ldr(r0, [r7, 72])
    data(2, 0x4798)  # blx r3
    label(NO_FINISH)

    mov(r4, 0)  # causes found in this turn
    ldr(r0, [r6, 4])  # GPIO_IN
    ldr(r1, [r7, 8])
    eor(r0, r1)
    ldr(r1, [r7, 4])
    and_(r0, r1)
    ldr(r3, [r7, 12])
    str(r0, [r7, 12])
    and_(r3, r0)  # wrong twice
    beq(PINS_GOOD)
    mov(r4, 1)
    label(PINS_GOOD)

    ldr(r0, [r7, 28])
    cmp(r0, 0)
    blt(ALIVE)  # not armed
    beq(DEAD)
    sub(r0, 1)
    str(r0, [r7, 28])
    b(ALIVE)
    label(DEAD)
    add(r4, 4)
    label(ALIVE)

    ldr(r0, [r7, 32])
    cmp(r0, 0)
    beq(HAVE_CODE)
    label(CONVERTING)
    ldr(r0, [r5, 0])
    lsr(r0, r0, 9)  # READY
    bcc(CONVERTING)
    ldr(r0, [r5, 4])
    str(r0, [r7, 56])
    label(HAVE_CODE)
    ldr(r2, [r7, 40])
    cmp(r2, 0)
    beq(CURRENT_GOOD)
    ldr(r0, [r7, 56])
    ldr(r1, [r7, 48])
    add(r1, r1, r0)
    str(r1, [r7, 48])
    ldr(r1, [r7, 52])
    add(r1, 1)
    str(r1, [r7, 52])
    ldr(r1, [r7, 36])
    sub(r0, r0, r1)
    bpl(POSITIVE)
    neg(r0, r0)
    label(POSITIVE)
    mov(r1, 0)
    cmp(r0, r2)
    blt(BELOW)
    mov(r1, 2)
    label(BELOW)
    ldr(r0, [r7, 44])
    str(r1, [r7, 44])
    and_(r0, r1)
    orr(r4, r0)
    label(CURRENT_GOOD)

    ldr(r0, [r7, 60])
    add(r0, 4)
    mov(r1, 15)
    and_(r0, r1)
    str(r0, [r7, 60])
    add(r0, r0, r7)
    ldr(r0, [r0, 80])
    cmp(r0, 0)
    beq(NO_NEXT)
    str(r0, [r5, 0])
    label(NO_NEXT)

    ldr(r0, [r7, 16])
    cmp(r4, 0)
    beq(NOTHING_NEW)
    cmp(r0, 0)
    bne(NOT_FIRST)
    str(r3, [r7, 20])
    label(NOT_FIRST)
    orr(r0, r4)
    str(r0, [r7, 16])
    label(NOTHING_NEW)
    cmp(r0, 0)
    beq(ALL_WELL)
    ldr(r0, [r7, 76])
    label(KILL)
    ldr(r1, [r0, 0])
    cmp(r1, 0)
    beq(ALL_WELL)
    ldr(r2, [r0, 4])
    str(r2, [r1, 0])
    add(r0, 8)
    b(KILL)
    label(ALL_WELL)

    ldr(r3, [r7, 68])
    cmp(r3, 0)
    beq(END)
    ldr(r0, [r7, 72])
    data(2, 0x4798)  # blx r3
    b(END)
    data(2, 0x57A7)
    label(END)


def in_ram(function):
    """A copy of an assembler function's machine code in RAM, as a bytearray to be kept, without the
    code's own address in it. The halfword 0x57A7 stands in front of its last label.
    """
    source = mem32[id(function) + 8] & ~1
    size = 0
    while uctypes.bytearray_at(source + size, 2) != b"\xa7\x57":
        size += 2
        if size > 1024:
            raise ValueError("no end mark")
    return bytearray(uctypes.bytearray_at(source, size + 8))


class Guard:
    """The words that the turns work on (`words`: TURNS, CAUSE and so on), and starting and stopping
    them.

    `kill_words` are pairs of address and value that switch the motor off, as `motor.kill_writes()`
    gives them. Every method may be called while the turns run.
    """

    def __init__(self, kill_writes):
        self.words = array.array("i", [0] * _WORDS)
        kill = []
        for address, value in kill_writes:
            kill += [address, value]
        self._kill = array.array("I", kill + [0, 0])
        self.words[_KILL_WORDS] = uctypes.addressof(self._kill)
        self.words[DEAD_MAN] = -1
        self._code = in_ram(_turn)
        self._address = uctypes.addressof(self.words)
        self._engine = None
        self._slots = 0
        self._place = None
        self.followed = []
        mem32[uctypes.addressof(self._code) + 4] = self._address

    def watch_pin(self, gpio, bad_level):
        """Kill when this pin has the bad level."""
        self.words[_PINS_MASK] |= 1 << gpio
        if not bad_level:
            self.words[_PINS_XOR] |= 1 << gpio

    def follow(self, place):
        """The ADC belongs to an analog sensor's round: inputs are not converted here, but follow
        the codes that its engine tells. `place(pin)` is where in the round.
        """
        self._place = place
        self.followed = []

    def watch_current(self, pin, zero_code, trip_codes):
        """Measure the current on an ADC pin at every turn, and kill when it is `trip_codes` or more
        from zero.
        """
        words = self.words
        words[_CURRENT_ZERO] = zero_code
        words[_CURRENT_TRIP] = trip_codes
        if self._place:
            words[_CURRENT_CODE] = zero_code
            self.followed.append((self._address + 4 * _CURRENT_CODE, self._place(pin), 0))
            return
        ADC(pin)
        words[_CURRENT_SELECT] = _ADC_START | (pin - 26) << 12

    def measure_slowly(self, pin):
        """Measure an ADC pin, 1,250 times a second; returns the slot for `slow_code`."""
        slot = self._slots
        if slot == SLOW_SLOTS:
            raise ValueError("no slow channel left")
        self._slots = slot + 1
        if self._place:
            self.followed.append((self._address + 4 * (SLOW_CODE + slot), self._place(pin), 2))
            return slot
        ADC(pin)
        self.words[_SLOW_SELECT + slot] = _ADC_START | (pin - 26) << 12
        return slot

    def use(self, engine):
        """Let an acquisition engine work at every turn; None ends it."""
        words = self.words
        words[_FINISH] = 0
        words[_BEGIN] = 0
        self._engine = engine
        if engine is None:
            return
        words[_ENGINE] = engine.address
        words[_FINISH] = engine.finish_address
        words[_BEGIN] = engine.begin_address

    def start(self, clock_hz):
        """Begin the turns."""
        mem32[_SYST_CSR] = 0
        mem32[mem32[_VTOR] + _SYSTICK_VECTOR] = uctypes.addressof(self._code) | 1
        mem32[_SHPR3] = mem32[_SHPR3] & 0x3FFFFFFF
        mem32[_SYST_RVR] = clock_hz // TURNS_PER_S - 1
        mem32[_SYST_CVR] = 0
        mem32[_SYST_CSR] = 7  # enabled, interrupting, on the core's clock

    def stop(self):
        """End the turns: before the heap that they live in goes away."""
        mem32[_SYST_CSR] = 0
        mem32[_ICSR] = _CLEAR_PENDING

    @property
    def cause(self):
        """CAUSE_... bits of what has killed the motor; 0 while nothing has."""
        return self.words[CAUSE]

    @property
    def cause_gpio(self):
        """Mask of the pins that were bad when the first cause was found."""
        return self.words[_CAUSE_GPIO]

    @property
    def turns(self):
        """Turns so far, modulo 2^30."""
        return self.words[TURNS] & 0x3FFFFFFF

    def clear(self):
        """Forget the cause: the motor may be driven again, unless it is still there."""
        words = self.words
        words[_CAUSE_GPIO] = 0
        words[CAUSE] = 0

    def slow_code(self, slot):
        """The smoothed ADC code of a slow channel, in 1/4: 3 ms to 63 % of a step."""
        return self.words[SLOW_CODE + slot]
