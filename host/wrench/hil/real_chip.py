"""A real board with plain MicroPython, for the same tests as an emulated chip: what it prints, and
what a helper board sees of its pins."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from wrench.flash import flash, plain, restart
from wrench.hil.capabilities import CAPABILITIES, UnableError
from wrench.hil.chip import Repl
from wrench.hil.helper_board import HelperBoard
from wrench.hil.rig_commands import perform
from wrench.hil.rig_file import RigFile
from wrench.transport import BoardConnection, Port, wait_until_gone

_GONE_WITHIN_S = 5.0


class RealChip:
    """As `chip.Chip`, as far as a rig's description goes.

    `files` are installed, and the board is restarted. Times are s since then. A pin is seen, and
    driven, by the helper that it is wired to; `duty` is that of the 25 ms that follow. Raises
    RigError, PortError, FlashError, and UnableError where the rig cannot do what is asked.
    """

    def __init__(
        self,
        files: Mapping[str, bytes | str],
        open_console: Callable[[], Port],
        described: RigFile,
        helper: HelperBoard | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._described = described
        self._helper = helper
        self._clock, self._sleep = clock, sleep
        console = open_console()
        flash(console, plain(files))
        restart(console)
        wait_until_gone(console, _GONE_WITHIN_S)
        console.close()
        self._repl = Repl(open_console)
        self._began_s = clock()

    # -- time and power ------------------------------------------------------------------
    @property
    def now_s(self) -> float:
        """Since the board was restarted."""
        return self._clock() - self._began_s

    def pass_time(self, duration_s: float) -> None:
        """Wait."""
        self._sleep(duration_s)

    def cycle_power(self, off_s: float = 1.0) -> None:
        """By the rig's command."""
        power = self._described.commands.power
        if power is None:
            raise _unable(CAPABILITIES["power"])
        perform(power.off)
        self._sleep(off_s)
        perform(power.on)

    # -- code ----------------------------------------------------------------------------
    @property
    def console(self) -> Port:
        """The board's console, open."""
        return self._repl.console

    def execute(self, code: str, timeout_s: float = 20.0) -> str:
        """See `Repl.execute`."""
        return self._repl.execute(code, timeout_s)

    def evaluate(self, expression: str, timeout_s: float = 20.0) -> Any:
        """See `Repl.evaluate`."""
        return self._repl.evaluate(expression, timeout_s)

    def begin(self, code: str) -> None:
        """See `Repl.begin`."""
        self._repl.begin(code)

    # -- pins ----------------------------------------------------------------------------
    def _wire(self, gpio: int) -> tuple[HelperBoard, int]:
        wired = self._described.helper
        at = wired.gpio_of(gpio) if wired else None
        if self._helper is None or at is None:
            raise _unable(f"reach GP{gpio}; wire it to the helper")
        return self._helper, at

    def drive(self, gpio: int, level: int | None, after_s: float = 0.0) -> None:
        """Drive a pin from outside (0, 1) or let go (None)."""
        helper, at = self._wire(gpio)
        self._sleep(after_s)
        helper.put(at, level)

    def pin(self, gpio: int) -> int:
        """The level of a pin now."""
        return round(self.duty(gpio))

    def duty(self, gpio: int) -> float:
        """The part of the next 25 ms for which a pin is high."""
        helper, at = self._wire(gpio)
        return helper.duty(at)

    def rises(self, gpio: int) -> int:
        """Raises UnableError: a helper does not count what has been."""
        raise _unable(f"tell what GP{gpio} has done")

    falls = rises

    def edges_s(self, gpio: int) -> list[tuple[float, int]]:
        """Raises UnableError, as `rises`."""
        raise _unable(f"tell what GP{gpio} has done")

    def set_voltage(self, gpio: int, volts: float) -> None:
        """Raises UnableError: a helper has no analog output."""
        raise _unable(f"put {volts:g} V on GP{gpio}")

    # ------------------------------------------------------------------------------------
    def close(self) -> None:
        """Interrupt what runs there."""
        self._repl.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _unable(what: str) -> UnableError:
    return UnableError(f"this rig cannot {what}")


def opened(described: RigFile, port: str | None, files: Mapping[str, bytes | str]) -> RealChip:
    """The board at a port, or at the description's, with these files. Raises as RealChip does."""
    helper = None
    if described.helper is not None:
        helper = HelperBoard(BoardConnection(described.helper.port).open_console())
    connection = BoardConnection(port or described.port)
    return RealChip(files, connection.open_console, described, helper)
