"""Ctrl-C while an emulator runs: taken between two steps, so that its pipe is left in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from wrench.errors import WrenchError

_SIGNALS = [signal.SIGINT, signal.SIGTERM] + ([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])


class Interrupts:
    """While `watching`, takes the signals to end.

    After `defer` the first one is kept until `check` is called; a second one acts at once.
    """

    def __init__(self) -> None:
        self.pending = False
        self._deferring = False

    def check(self, _: object = None) -> None:
        """Raise the KeyboardInterrupt that is due, if one is."""
        if self.pending:
            raise KeyboardInterrupt

    def defer(self) -> None:
        """From now on keep the first signal."""
        self._deferring = True

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take the signals over. An error that a signal has caused comes out as KeyboardInterrupt.

        The terminal's Ctrl-C reaches the emulator too, and ends it.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._arrived) for number in _SIGNALS}
        try:
            yield
        except (WrenchError, OSError) as error:
            if self.pending:
                raise KeyboardInterrupt from error
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        first, self.pending = not self.pending, True
        if not (self._deferring and first):
            raise KeyboardInterrupt
