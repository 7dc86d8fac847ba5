"""What comes in on the console while the firmware operates: a modem manager's AT commands, a
Ctrl-C, another tool's knock at the raw REPL. None of it does anything; it is counted. And when it
is safe to print there.
"""

import select
import sys
import time

from machine import mem32
from micropython import const

_MOST_AT_ONCE = const(64)
_USB_SOF_RD = const(0x50110048)  # number of the last frame (datasheet section 4.1.4)
_FRAMES_MS = const(3)  # a bus without frames for so long is suspended


def wait_for_host():
    """Until the computer at the other end of the cable shows that it is there, for ever if it is
    not; USB is served meanwhile. For what is printed once the motor is off for good.

    MicroPython 1.25 never comes back from printing more than 256 bytes to a port that the host had
    open when the cable was pulled, or the descriptors changed: the FIFO gives no room until the
    next bus reset, and `mp_usbd_cdc_tx_strn` looks for none meanwhile.
    """
    time.sleep_ms(_FRAMES_MS)  # a change of descriptors that has been asked for begins in here
    frame = mem32[_USB_SOF_RD]
    while mem32[_USB_SOF_RD] == frame:
        time.sleep_ms(_FRAMES_MS)


class Console:
    """Empties the console's input. Call `look` now and then; it never waits."""

    def __init__(self):
        self.stray_bytes = 0
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)
        self._byte = bytearray(1)

    def look(self):
        """Throw away what has come."""
        left = _MOST_AT_ONCE
        while left:
            left -= 1
            for _ in self._poll.ipoll(0):  # pyright: ignore[reportAttributeAccessIssue]
                sys.stdin.buffer.readinto(self._byte)  # pyright: ignore[reportAttributeAccessIssue]
                self.stray_bytes += 1
                break
            else:
                return
