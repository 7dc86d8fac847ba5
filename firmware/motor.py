"""The motor: the only code that touches its pins.

Made first at boot, it puts the enable pin low before anything else. `off` is safe to call at any
time, from anywhere.
"""

from machine import PWM, Pin

from .limits import HARD_CAP_PERMILLE


class PwmDirectionEnable:
    """An H-bridge with PWM, direction and enable inputs.

    The enable pin is low whenever the duty is zero, and needs a pull-down on the board: a chip in
    reset lets go of it.
    """

    def __init__(self, board):
        self._enable = Pin(board.MOTOR_ENABLE_PIN, Pin.OUT, value=0)
        self._direction = Pin(board.MOTOR_DIRECTION_PIN, Pin.OUT, value=board.MOTOR_FORWARD_LEVEL)
        self._ceiling_permille = min(board.DERATE_CAP_PERMILLE, HARD_CAP_PERMILLE)
        self._pwm = PWM(Pin(board.MOTOR_PWM_PIN, Pin.OUT, value=0))
        self._pwm.freq(board.MOTOR_PWM_FREQUENCY_HZ)
        self._pwm.duty_u16(0)
        self.duty_permille = 0

    def drive(self, duty_permille):
        """Drive forwards; anything above the ceiling is the ceiling, zero or less is off."""
        if duty_permille <= 0:
            self.off()
            return
        if duty_permille > self._ceiling_permille:
            duty_permille = self._ceiling_permille
        if duty_permille != self.duty_permille:
            self.duty_permille = duty_permille
            self._pwm.duty_u16(duty_permille * 65535 // 1000)
        self._enable(1)

    def off(self):
        """Enable low first, then the duty: the driver is dead within two instructions."""
        self._enable(0)
        if self.duty_permille:
            self.duty_permille = 0
            self._pwm.duty_u16(0)


_KINDS = {"pwm_direction_enable": PwmDirectionEnable}


def make_motor(board):
    """The motor of this board, off."""
    return _KINDS[board.MOTOR_KIND](board)
