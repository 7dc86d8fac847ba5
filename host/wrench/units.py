"""How the wire's integers are written for people, and read from them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wrench_firmware import wire

STANDARD_GRAVITY = 9.80665
"""In m/s²."""
UNITS_G = {
    "g": 1.0,
    "mg": 1e-3,
    "m/s2": 1.0 / STANDARD_GRAVITY,
    "mm/s2": 1e-3 / STANDARD_GRAVITY,
}
"""How many g one unit of acceleration is."""

_NUMBER = re.compile(r"([+-]?\d+(?:[.,]\d+)?)\s*(.*)")


@dataclass(frozen=True)
class Unit:
    """A readable unit: `per` of the wire's make one, `digits` follow the point.

    `also` are other ways to write it and its fractions, with how many of the wire's units each has.
    A `flag` is 0 or 1, written "no" and "yes".
    """

    symbol: str
    per: int = 1
    digits: int = 0
    also: tuple[tuple[str, float], ...] = ()
    flag: bool = False

    def of(self, value: int | None) -> float | None:
        """The wire's number in this unit; None for a quantity that is not there."""
        return None if value is None else value / self.per

    def shown(self, value: int | None) -> str:
        """The wire's number for people, such as "3.50 A"; "-" for one that is not there."""
        if value is None:
            return "-"
        if self.flag:
            return "yes" if value else "no"
        return f"{value / self.per:.{self.digits}f} {self.symbol}".rstrip()

    def read(self, text: str) -> int:
        """What a person has written, "3.5A" or "3500 mA", as the wire's number; a bare number is
        in this unit. Raises ValueError with a sentence."""
        match = _NUMBER.fullmatch(text.strip())
        known = {self.symbol: float(self.per), "": float(self.per)} | dict(self.also)
        if match is None or match[2] not in known:
            example = self.shown(self.per * 3 if self.digits else 300)
            also = " or ".join(name for name, _ in self.also if name.isascii())
            raise ValueError(
                f"{text!r} is no value here; write it as {example!r}"
                + (f", or in {also}" if also else "")
            )
        return round(float(match[1].replace(",", ".")) * known[match[2]])


_BY_WIRE = {
    "1/min": Unit("rpm", also=(("1/min", 1),)),
    "mA": Unit("A", 1000, 2, (("mA", 1),)),
    "mV": Unit("V", 1000, 2, (("mV", 1),)),
    "0.001 degC": Unit("°C", 1000, 1, (("degC", 1000), ("C", 1000))),
    "um/s RMS": Unit("mm/s", 1000, 2, (("um/s", 1), ("µm/s", 1))),
    "um/s": Unit("mm/s", 1000, 2, (("um/s", 1), ("µm/s", 1))),
    "mg": Unit("g", 1000, 2, (("mg", 1),)),
    "mW": Unit("W", 1000, 1, (("mW", 1),)),
    "ms": Unit("ms", also=(("s", 1000),)),
    "s": Unit("s", also=(("min", 60), ("h", 3600))),
    "us": Unit("ms", 1000, 2, (("us", 1), ("µs", 1))),
    "1/100": Unit("", 100, 2),
    "1/1000": Unit("%", 10, 1),
    "0 or 1": Unit("", flag=True),
}
_COUNT = Unit("")
_QUANTITY_UNITS = dict(wire.QUANTITIES)


def counted(number: int, what: str) -> str:
    """So many of something: "1 gap", "1,234 gaps"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def unit_of_wire(unit: str) -> Unit:
    """The readable unit for what `wire` or the table of settings says of a number; a bare count
    where they say nothing else."""
    for name, readable in _BY_WIRE.items():
        if unit == name or unit.startswith((f"{name},", f"{name}:", f"{name} ")):
            return readable
    return _COUNT


def unit_of(quantity: str) -> Unit:
    """The readable unit of a quantity by its name in `wire.QUANTITIES`; raises KeyError."""
    return unit_of_wire(_QUANTITY_UNITS[quantity])
