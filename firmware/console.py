"""What comes in on the console while the firmware operates: a modem manager's AT commands, a
Ctrl-C, another tool's knock at the raw REPL. None of it does anything; it is counted.
"""

import select
import sys

from micropython import const

_MOST_AT_ONCE = const(64)


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
