"""The motor: the only code that touches its pins.

Made first at boot, it puts the enable pin low before anything else. `off` is safe to call at any
time, from anywhere. An interrupt stops the motor without this module, by the writes that
`kill_writes` gives it. Sections and tables: RP2040 datasheet.
"""

import array

import micropython
from machine import PWM, Pin, mem32
from micropython import const

from .limits import HARD_CAP_PERMILLE

_IO_BANK0_CTRL = const(0x40014004)  # of GPIO 0; 8 bytes a pin (2.19.6.1)
_FUNCTION_PWM = const(4)
_FUNCTION_SIO = const(5)
_OUTPUT_LOW = const(0x200)  # OUTOVER: drive output low
_SLICES = const(0x40050000)  # 20 bytes a slice (4.5.3)
_CC = const(0x0C)
_TOP = const(0x10)
_GPIO_OUT_SET = const(0xD0000014)  # 2.3.1.7
_GPIO_OUT_CLR = const(0xD0000018)
_TIMERAWL = const(0x40054028)  # 4.6.5

# What the kernels below share, one array a motor.
_DUTY = const(0)  # permille, at the pin
_CEILING = const(1)
_SCALE = const(2)  # counts of the PWM for 1,024/1,000 of the way from no duty to all of it
_BASE = const(3)  # counts of no duty
_SHIFT = const(4)  # 0 for channel A, 16 for channel B
_CC_ADDRESS = const(5)
_ENABLE = const(6)  # mask of the enable pin, 0 without
_SET_ADDRESS = const(7)
_CLEAR_ADDRESS = const(8)
_CTRL_ADDRESS = const(9)  # of the PWM pin
_TIMER_ADDRESS = const(10)
_STARTED_US = const(11)
_ARM_US = const(12)
_ARMED = const(13)  # 0 off, 1 arming, 2 listening
_RISE = const(14)  # permille a call
_WORDS = const(15)

_CALLS_PER_S = const(50)


class _Motor:
    """What the kinds have in common. Off after construction; turns one way only.

    `drive` is called 50 times a second while the motor is driven. `fault_pin` is the GPIO of the
    driver's fault output, low when it complains, or None; `ready_after_ms` is how long the motor
    stays off after the first `drive`.
    """

    ready_after_ms = 0

    def __init__(self, board):
        state = self._state = array.array("i", [0] * _WORDS)
        self._enable_pin = board.MOTOR_ENABLE_PIN
        if self._enable_pin is not None:
            Pin(self._enable_pin, Pin.OUT, value=0)
            state[_ENABLE] = 1 << self._enable_pin
        self._hold_others(board)
        self._pwm_pin = pin = board.MOTOR_PWM_PIN
        # With a tacho the speed loop holds the derate cap, in speed: under load it needs more duty.
        ceiling = HARD_CAP_PERMILLE
        if board.TACHO_PIN is None:
            ceiling = min(board.DERATE_CAP_PERMILLE, ceiling)
        state[_CEILING] = ceiling
        slice_ = _SLICES + 20 * (pin // 2 % 8)
        mem32[slice_ + _CC] = 0
        self._pwm = PWM(Pin(pin, Pin.OUT, value=0), freq=board.MOTOR_PWM_FREQUENCY_HZ, duty_u16=0)
        self._counts = mem32[slice_ + _TOP] + 1
        state[_SHIFT] = 16 * (pin & 1)
        state[_CC_ADDRESS] = _signed(slice_ + _CC)
        state[_SET_ADDRESS] = _signed(_GPIO_OUT_SET)
        state[_CLEAR_ADDRESS] = _signed(_GPIO_OUT_CLR)
        state[_CTRL_ADDRESS] = _signed(_ctrl(pin))
        state[_TIMER_ADDRESS] = _signed(_TIMERAWL)
        self._set_span(0, self._counts)
        self.fault_pin = board.MOTOR_FAULT_PIN
        if self.fault_pin is not None:
            Pin(self.fault_pin, Pin.IN, Pin.PULL_UP)

    def _hold_others(self, board):
        """Give the pins that never change their levels, before the PWM begins."""

    def _set_span(self, base, counts):
        self._state[_BASE] = base
        self._state[_SCALE] = counts * 1024 // 1000

    @property
    def duty_permille(self):
        """What the motor is driven with; 0 is off."""
        return self._state[_DUTY]

    @micropython.viper
    def drive(self, duty_permille: int):
        """Drive forwards; anything above the ceiling is the ceiling, zero or less is off.

        1,000 cycles, of which the call is 500 (emulated); `off` takes 830.
        """
        state = ptr32(self._state)
        clear = ptr32(state[_CLEAR_ADDRESS])
        cc = ptr32(state[_CC_ADDRESS])
        if duty_permille <= 0:
            clear[0] = state[_ENABLE]
            cc[0] = 0
            state[_DUTY] = 0
            return
        if duty_permille > state[_CEILING]:
            duty_permille = state[_CEILING]
        state[_DUTY] = duty_permille
        cc[0] = (duty_permille * state[_SCALE] >> 10) << state[_SHIFT]
        enable = ptr32(state[_SET_ADDRESS])
        enable[0] = state[_ENABLE]

    @micropython.viper
    def off(self):
        """Enable low first, then the duty: the driver is dead within two instructions."""
        state = ptr32(self._state)
        clear = ptr32(state[_CLEAR_ADDRESS])
        clear[0] = state[_ENABLE]
        cc = ptr32(state[_CC_ADDRESS])
        cc[0] = 0
        state[_DUTY] = 0

    def kill_writes(self):
        """The (address, value) words that stop the motor from an interrupt, in their order.

        They may be written again and again. Afterwards `off`, then `revive`, before the next run.
        """
        writes = [(_ctrl(self._pwm_pin), _FUNCTION_PWM | _OUTPUT_LOW)]
        if self._enable_pin is not None:
            writes.insert(0, (_GPIO_OUT_CLR, 1 << self._enable_pin))
        return writes

    def revive(self):
        """Undo what `kill_writes` forced. Only for a motor that is off."""
        mem32[_ctrl(self._pwm_pin)] = _FUNCTION_PWM


class PwmEnable(_Motor):
    """A driver for one direction, with a PWM and an enable input.

    The enable pin is low whenever the duty is zero, and needs a pull-down on the board: a chip in
    reset lets go of it.
    """


class PwmDirectionEnable(_Motor):
    """An H-bridge with PWM, direction and enable inputs; the direction never changes."""

    def _hold_others(self, board):
        Pin(board.MOTOR_DIRECTION_PIN, Pin.OUT, value=board.MOTOR_FORWARD_LEVEL)


class TwoPwm(_Motor):
    """An H-bridge with a PWM input for each direction, and an enable input; forwards only.

    The other direction's pin is a plain output that nothing ever raises.
    """

    def _hold_others(self, board):
        self._reverse_pin = board.MOTOR_REVERSE_PWM_PIN
        Pin(self._reverse_pin, Pin.OUT, value=0)

    def kill_writes(self):
        """As every motor's, and the other direction's pin once more."""
        writes = super().kill_writes()
        writes.append((_ctrl(self._reverse_pin), _FUNCTION_SIO | _OUTPUT_LOW))
        return writes


class TwoPwmWithoutEnable(TwoPwm):
    """The same without an enable input: off is both pins forced low, whatever the PWM does.

    A duty written to the PWM counts from its next turn on, so that alone would be up to 10 ms late.
    """

    def __init__(self, board):
        super().__init__(board)
        self.off()

    @micropython.viper
    def drive(self, duty_permille: int):
        """Drive forwards; anything above the ceiling is the ceiling, zero or less is off."""
        state = ptr32(self._state)
        ctrl = ptr32(state[_CTRL_ADDRESS])
        cc = ptr32(state[_CC_ADDRESS])
        if duty_permille <= 0:
            ctrl[0] = _FUNCTION_PWM | _OUTPUT_LOW
            cc[0] = 0
            state[_DUTY] = 0
            return
        if duty_permille > state[_CEILING]:
            duty_permille = state[_CEILING]
        state[_DUTY] = duty_permille
        cc[0] = (duty_permille * state[_SCALE] >> 10) << state[_SHIFT]
        ctrl[0] = _FUNCTION_PWM

    @micropython.viper
    def off(self):
        """Force the pin low first, then the duty."""
        state = ptr32(self._state)
        ctrl = ptr32(state[_CTRL_ADDRESS])
        ctrl[0] = _FUNCTION_PWM | _OUTPUT_LOW
        cc = ptr32(state[_CC_ADDRESS])
        cc[0] = 0
        state[_DUTY] = 0

    def revive(self):
        """Nothing to undo: off is what a kill leaves behind, and `drive` ends it."""


class Esc(_Motor):
    """An RC-style controller: a pulse every 20 ms, whose length is the duty.

    A pulse ends in its own time, so that only the enable pin stops it. The controller wants to see
    the shortest pulse for `ready_after_ms` from enable on; the duty stays 0 meanwhile, and then
    rises no faster than the board's ramp, whatever has been asked for in the meantime.
    """

    def __init__(self, board):
        super().__init__(board)
        state = self._state
        low, high = board.MOTOR_ESC_MIN_US, board.MOTOR_ESC_MAX_US
        period_us = 1000000 // board.MOTOR_PWM_FREQUENCY_HZ
        self._set_span(low * self._counts // period_us, (high - low) * self._counts // period_us)
        self.ready_after_ms = board.MOTOR_ESC_ARM_MS
        state[_ARM_US] = 1000 * board.MOTOR_ESC_ARM_MS
        state[_RISE] = -(-board.RAMP_UP_PERMILLE_PER_S // _CALLS_PER_S)
        self.off()

    @property
    def arming(self):
        """Whether the controller has power and does not listen yet."""
        return self._state[_ARMED] == 1

    @micropython.viper
    def drive(self, duty_permille: int):
        """Drive; anything above the ceiling is the ceiling, zero or less is off. 1,040 cycles, of
        which the call is 500 (emulated).
        """
        state = ptr32(self._state)
        cc = ptr32(state[_CC_ADDRESS])
        if duty_permille <= 0:
            clear = ptr32(state[_CLEAR_ADDRESS])
            clear[0] = state[_ENABLE]
            cc[0] = state[_BASE] << state[_SHIFT]
            state[_DUTY] = 0
            state[_ARMED] = 0
            return
        timer = ptr32(state[_TIMER_ADDRESS])
        now = timer[0] & 0x3FFFFFFF
        if state[_ARMED] == 0:
            state[_STARTED_US] = now
            state[_ARMED] = 1
            enable = ptr32(state[_SET_ADDRESS])
            enable[0] = state[_ENABLE]
        if state[_ARMED] == 1 and (now - state[_STARTED_US]) & 0x3FFFFFFF >= state[_ARM_US]:
            state[_ARMED] = 2
        if state[_ARMED] == 1:
            return
        if duty_permille > state[_CEILING]:
            duty_permille = state[_CEILING]
        highest = state[_DUTY] + state[_RISE]
        if duty_permille > highest:
            duty_permille = highest
        state[_DUTY] = duty_permille
        cc[0] = (state[_BASE] + (duty_permille * state[_SCALE] >> 10)) << state[_SHIFT]

    @micropython.viper
    def off(self):
        """Enable low first, then the shortest pulse."""
        state = ptr32(self._state)
        clear = ptr32(state[_CLEAR_ADDRESS])
        clear[0] = state[_ENABLE]
        cc = ptr32(state[_CC_ADDRESS])
        cc[0] = state[_BASE] << state[_SHIFT]
        state[_DUTY] = 0
        state[_ARMED] = 0


def _ctrl(pin):
    return _IO_BANK0_CTRL + 8 * pin


def _signed(address):
    """An address as the array's 32 signed bits hold it."""
    return address - (1 << 32) if address & (1 << 31) else address


def _two_pwm(board):
    return (TwoPwmWithoutEnable if board.MOTOR_ENABLE_PIN is None else TwoPwm)(board)


_KINDS = {
    "pwm_direction_enable": PwmDirectionEnable,
    "pwm_enable": PwmEnable,
    "two_pwm": _two_pwm,
    "esc": Esc,
}


def make_motor(board):
    """The motor of this board, off."""
    return _KINDS[board.MOTOR_KIND](board)
