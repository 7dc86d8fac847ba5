"""The pads as the world outside sees and drives them, and what a logic analyser would note."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rp2040py import GPIOPinState

_EDGES_KEPT = 64
_FIRST_PAD = 4
_LAST_CTRL = 0xEC
_DRIVEN_BY_CHIP = (GPIOPinState.LOW, GPIOPinState.HIGH)


class Pins:
    """All pads of a chip.

    rp2040py does not let an output be read back, and looks at all 30 pins for every read of
    GPIO_IN: `mcu.inputs` holds them instead.
    """

    def __init__(self, mcu: Any, now: Callable[[], float], watched: list[int]) -> None:
        self._mcu = mcu
        self._now = now
        self._outside: list[int | None] = [None] * len(mcu.gpio)
        self._set: list[int | None] = [None] * len(mcu.gpio)
        self._listeners: list[list[Callable[[], None]]] = [[] for _ in mcu.gpio]
        self.levels = [0] * len(mcu.gpio)
        self.meters = {pin: Meter() for pin in watched}
        for pin, gpio in enumerate(mcu.gpio):
            gpio.add_listener(lambda *_, pin=pin: self._update(pin))
            self._update(pin)
        self._follow(mcu.pads_bank0, lambda offset: (offset - _FIRST_PAD) >> 2)
        self._follow(mcu.io_bank0, lambda offset: offset >> 3 if offset <= _LAST_CTRL else -1)

    def _follow(self, block: Any, pin_of: Callable[[int], int]) -> None:
        write = block.write_uint32

        def written(offset: int, value: int) -> None:
            write(offset, value)
            pin = pin_of(offset)
            if 0 <= pin < len(self.levels):
                self._update(pin)

        block.write_uint32 = written

    def listen(self, pin: int, listener: Callable[[], None]) -> None:
        """Call this whenever the pin's level changes."""
        self._listeners[pin].append(listener)

    def drive(self, pin: int, level: int | None) -> None:
        """Drive a pin from outside, or let go of it. An output of the chip wins over this."""
        if self._outside[pin] != level:
            self._outside[pin] = level
            self._update(pin)

    def release(self, now_ns: float) -> None:
        """The chip is reset or without power: it drives nothing any more."""
        for meter in self.meters.values():
            meter.see(0, now_ns)

    def _update(self, pin: int) -> None:
        gpio = self._mcu.gpio[pin]
        state = gpio.value
        level = int(state) if state in _DRIVEN_BY_CHIP else self._outside[pin]
        if level != self._set[pin]:
            self._set[pin] = level
            if level is None:
                gpio.release_input()
            else:
                gpio.set_input_value(bool(level))
        if level is None:
            level = 1 if state == GPIOPinState.INPUT_PULL_UP else 0
        bit = 1 << pin
        self._mcu.inputs = self._mcu.inputs & ~bit | (bit if gpio.input_value else 0)
        if level == self.levels[pin]:
            return
        self.levels[pin] = level
        meter = self.meters.get(pin)
        if meter is not None:
            meter.see(level, self._now())
        for listener in self._listeners[pin]:
            listener()


class Meter:
    """What happened on one pin since it was last read."""

    def __init__(self) -> None:
        self._level = 0
        self._clear(0.0)

    def _clear(self, now_ns: float) -> None:
        self._begin_ns = self._since_ns = now_ns
        self._high_ns = 0.0
        self._rises = self._falls = 0
        self._edges_ns: list[float] = []

    def see(self, level: int, now_ns: float) -> None:
        """The pin has this level from now on."""
        if level == self._level:
            return
        if self._level:
            self._high_ns += now_ns - self._since_ns
            self._falls += 1
        else:
            self._rises += 1
        self._level, self._since_ns = level, now_ns
        if len(self._edges_ns) == _EDGES_KEPT:
            self._edges_ns.pop()
        self._edges_ns.append(now_ns)

    def take(self, now_ns: float) -> dict[str, Any]:
        """The fields of `PinSeen`; begins anew."""
        if self._level:
            self._high_ns += now_ns - self._since_ns
        span_ns = now_ns - self._begin_ns
        seen = {
            "high": self._high_ns / span_ns if span_ns > 0 else float(self._level),
            "level": self._level,
            "rises": self._rises,
            "falls": self._falls,
            "edges_ns": self._edges_ns,
        }
        self._clear(now_ns)
        return seen
