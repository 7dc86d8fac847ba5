"""What a person at the board sees and does: one light, one button. Pure; time comes in.

The light, in steps of 100 ms over 2 s:

    boot, self-test   flickers
    idle              one short flash
    starting          blinks evenly, twice a second
    running           on
    limiting          on, with a short gap each half second
    tripped           as many flashes as the group of its fault, then a pause
    maintenance       off: the console is the host's, and nothing of this runs

Groups: 1 stopped by a person (e-stop, link lost), 2 bearing or shaft (vibration, stall, speed),
3 electrical, 4 heat, 5 sensor, 6 controller.

The button stops at once when it is pressed while the motor turns, and does nothing more until it is
let go. Held for a second in idle it starts; held for three seconds in tripped it resets. While the
core is deaf, in an erase of flash, nobody knows whether it is held.
"""

import array

import micropython
from micropython import const

NOTHING = const(0)
STOP = const(1)
START = const(2)
RESET = const(3)

_STEP_MS = const(100)
_STEPS = const(20)
_DEBOUNCE_MS = const(40)
_START_MS = const(1000)
_LONGEST_LOOK_MS = const(40)
_RESET_MS = const(3000)

_TRIPPED = const(6)
_STARTING = const(3)
_LIMITING = const(5)
_IDLE = const(2)

# Bit n is the light in step n. An array: in a constant tuple that is frozen into an image, numbers
# beyond 8,191 are objects, and each shift of one takes memory (MicroPython 1.25: mpy-tool.py,
# mp_small_int_fits).
_PATTERNS = array.array("i", (0x55555, 0x55555, 0x00001, 0x39CE7, 0xFFFFF, 0x7BDEF, 0, 0))
_FLASHES = (0, 0x00001, 0x00005, 0x00015, 0x00055, 0x00155, 0x00555)
# By fault, as `wire.FAULTS` numbers them.
_GROUPS = bytes(
    (0, 2, 2, 2, 2, 3, 3, 2, 2, 4, 4, 3, 3, 2, 5, 1, 3, 5, 5, 5, 5, 5, 5, 5, 1, 6, 6, 6, 6)
)


class Light:
    """The light's pattern."""

    def __init__(self):
        self._ms = 0

    @micropython.native
    def tick(self, mode, fault, elapsed_ms):
        """Advance; True where the light is on."""
        self._ms = ms = (self._ms + elapsed_ms) % (_STEP_MS * _STEPS)
        pattern = _FLASHES[_GROUPS[fault]] if mode == _TRIPPED else _PATTERNS[mode]
        return (pattern >> (ms // _STEP_MS)) & 1 == 1


class Button:
    """What a press means. A button that is down at the start counts only after it was let go."""

    def __init__(self):
        self._down_ms = 0
        self._done = True

    @micropython.native
    def tick(self, down, mode, elapsed_ms):
        """Advance; returns what is asked for, once for each press."""
        if not down:
            self._down_ms = 0
            self._done = False
            return NOTHING
        self._down_ms += min(elapsed_ms, _LONGEST_LOOK_MS)
        if self._done or self._down_ms < _DEBOUNCE_MS:
            return NOTHING
        if _STARTING <= mode <= _LIMITING:
            self._done = True
            return STOP
        if mode == _IDLE and self._down_ms >= _START_MS:
            self._done = True
            return START
        if mode == _TRIPPED and self._down_ms >= _RESET_MS:
            self._done = True
            return RESET
        return NOTHING
