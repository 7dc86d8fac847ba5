"""The helper of a real rig: a second board with plain MicroPython whose pins are wired to the
board under test. It works switches, and tells when the motor's pins rose and fell, on its own
clock.
"""

from __future__ import annotations

import ast

from wrench.errors import RigError
from wrench.raw_repl import RawRepl, TransportError
from wrench.transport import Port

# The interrupt's handler runs some 10 us after the edge and keeps the last fall. A pin's duty is
# counted over 25 ms, which is more than a period of the slowest PWM there is (50 Hz).
_DEVICE = """
import machine, time, micropython
micropython.alloc_emergency_exception_buf(100)
_fell = [0, 0, 0]
def _edge(pin):
    t = time.ticks_us()
    if pin.value():
        _fell[1] += 1
        _fell[2] = 0
    else:
        _fell[0] = t
        _fell[2] = 1
def _watch(n):
    _fell[2] = 0
    p = machine.Pin(n, machine.Pin.IN, machine.Pin.PULL_DOWN)
    p.irq(_edge, machine.Pin.IRQ_RISING | machine.Pin.IRQ_FALLING, hard=True)
def _put(n, level):
    if level is None:
        machine.Pin(n, machine.Pin.IN, None)
    else:
        machine.Pin(n, machine.Pin.OUT, value=level)
    return time.ticks_us()
@micropython.viper
def _count(n: int, end: int) -> int:
    levels = ptr32(0xD0000004)
    timer = ptr32(0x40054028)
    on = 0
    all = 0
    while timer[0] - end < 0:
        on += (levels[0] >> n) & 1  # as long whether high or low
        all += 1
    return (on << 12) // all
def _duty(n):
    machine.Pin(n, machine.Pin.IN, machine.Pin.PULL_DOWN)
    return _count(n, machine.mem32[0x40054028] + 25000) / 4096
def _light(n, ms):
    p = machine.Pin(n, machine.Pin.IN, machine.Pin.PULL_DOWN)
    on = all = rises = 0
    before = p.value()
    end = time.ticks_add(time.ticks_ms(), ms)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        now = p.value()
        on += now
        all += 1
        rises += now > before
        before = now
        time.sleep_us(500)
    return on / all, rises
"""
_WRAPS_US = 1 << 30


class HelperBoard:
    """A helper at an open console. Its `ticks_us` are made into s that do not wrap, from 0 at its
    start; ask it at least every few minutes.

    Raises RigError where it does not answer as MicroPython.
    """

    def __init__(self, console: Port) -> None:
        self._repl = RawRepl(console)
        self._ticks = 0
        self._wraps = 0
        try:
            self._repl.enter_raw_repl(soft_reset=False)
            self._repl.exec(_DEVICE)
        except TransportError as error:
            raise RigError(
                f"the helper at {console.port} does not answer as MicroPython does; "
                "put plain MicroPython on it, and stop what runs there"
            ) from error

    def _ask(self, expression: str) -> object:
        try:
            return ast.literal_eval(self._repl.exec(f"print({expression})").decode())
        except (TransportError, ValueError, SyntaxError) as error:
            raise RigError(f"the helper has stopped answering ({error}); start it anew") from error

    def _seconds(self, ticks: int) -> float:
        if ticks < self._ticks - _WRAPS_US // 2:
            self._wraps += 1
            self._ticks = ticks
        elif ticks <= self._ticks + _WRAPS_US // 2:
            self._ticks = max(self._ticks, ticks)
        elif self._wraps:
            return ((self._wraps - 1) * _WRAPS_US + ticks) / 1e6  # from before the last wrap
        return (self._wraps * _WRAPS_US + ticks) / 1e6

    def now_s(self) -> float:
        """Its clock."""
        ticks = self._ask("time.ticks_us()")
        assert isinstance(ticks, int)
        return self._seconds(ticks)

    def unique_id(self) -> str:
        """Hex, as `wrench status` shows a board's."""
        told = self._ask("machine.unique_id()")
        assert isinstance(told, bytes)
        return told.hex()

    def put(self, gpio: int, level: int | None) -> float:
        """Drive a pin low or high, or let it go (None); returns when, on its clock."""
        ticks = self._ask(f"_put({gpio}, {level})")
        assert isinstance(ticks, int)
        return self._seconds(ticks)

    def watch(self, gpio: int) -> None:
        """Keep the time of that pin's last fall from now on."""
        self._repl.exec(f"_watch({gpio})")

    def fell(self) -> tuple[float | None, int]:
        """When the watched pin fell, if it is low since it did; and how often it rose."""
        told = self._ask("_fell")
        assert isinstance(told, list)
        ticks, rises, low = (int(part) for part in told)
        return (self._seconds(ticks) if low else None), rises

    def duty(self, gpio: int) -> float:
        """The part of the time for which a pin is high, over 25 ms."""
        told = self._ask(f"_duty({gpio})")
        assert isinstance(told, float)
        return told

    def light(self, gpio: int, duration_s: float) -> tuple[float, int]:
        """Watch a pin for so long: the part of the time for which it is high, and its rises."""
        told = self._ask(f"_light({gpio}, {round(1000 * duration_s)})")
        assert isinstance(told, tuple)
        return float(told[0]), int(told[1])
