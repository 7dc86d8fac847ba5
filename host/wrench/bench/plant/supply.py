"""The supplies: ideal sources behind internal resistances, joined by diodes if there are several.

::

    supply 1 --[R1]--+--|>|--+
    supply 2 --[R2]--+--|>|--+-- bus: motor driver and controller
    supply 3 --[R3]--+--|>|--+
                     measured here

One supply alone needs no diode: it takes current back, as a battery does. Through diodes nothing
flows back; what the motor feeds back then ends in the clamp that such a bus needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SupplyParameters:
    """A 12 V bench supply or a tool battery with its leads."""

    emf_v: float = 12.0
    """Voltage without load."""
    resistance_ohm: float = 0.08
    """Internal resistance and leads: 3S2P of 18650 cells at about 20 mΩ each gives 30 mΩ,
    two metres of 1.5 mm² lead 25 mΩ, connectors the rest."""


@dataclass(frozen=True, slots=True)
class BusParameters:
    """Where the supplies meet."""

    idle_current_a: float = 0.05
    """Drawn by the controller, whatever the motor does."""
    diode_v: float = 0.45
    """A Schottky diode of some amperes; in each supply's lead where there are several."""
    clamp_ohm: float = 0.5
    """How much the clamp rises above the highest supply, per ampere fed back through diodes."""


class Supply:
    """One supply: `emf_v` behind `resistance_ohm`, or not there at all.

    A test makes it sag (`set_voltage`), age (`set_resistance`), go (`lose`) and come back
    (`restore`).
    """

    def __init__(self, parameters: SupplyParameters) -> None:
        self.parameters = parameters
        self.emf_v = parameters.emf_v
        self.resistance_ohm = parameters.resistance_ohm
        self.present = True

    def set_voltage(self, volts: float) -> None:
        """Its voltage without load, in V; below 0 is 0."""
        self.emf_v = max(0.0, volts)

    def set_resistance(self, ohm: float) -> None:
        """Its internal resistance, in Ω; at least 1 mΩ."""
        self.resistance_ohm = max(1e-3, ohm)

    def lose(self) -> None:
        """Its plug is pulled, or its fuse has gone: no voltage and no current."""
        self.present = False

    def restore(self) -> None:
        """As it was when the machine was made."""
        self.present = True
        self.emf_v = self.parameters.emf_v
        self.resistance_ohm = self.parameters.resistance_ohm

    def terminal_v(self, current_a: float) -> float:
        """Its terminal voltage, ahead of its diode, at a current: V = E − I·R, never below 0."""
        return max(0.0, self.emf_v - current_a * self.resistance_ohm) if self.present else 0.0


class SupplyBus:
    """The supplies together.

    Parameters
    ----------
    parameters
        Of the bus.
    supplies
        One to three; a single one is joined without a diode.
    """

    def __init__(self, parameters: BusParameters, supplies: Sequence[SupplyParameters]) -> None:
        if not supplies:
            raise ValueError("a machine needs a supply")
        self.parameters = parameters
        self.supplies = tuple(Supply(supply) for supply in supplies)
        self._diode_v = parameters.diode_v if len(self.supplies) > 1 else 0.0

    @property
    def alive(self) -> bool:
        """Whether any supply is connected."""
        return any(supply.present for supply in self.supplies)

    def source(self, current_a: float) -> tuple[float, float]:
        """Voltage and resistance of the one source that equals them all, as they share a current.

        Exact as long as the same supplies conduct. Without any supply, no voltage behind the
        clamp.
        """
        if len(self.supplies) == 1:
            (supply,) = self.supplies
            return (supply.emf_v if supply.present else 0.0), supply.resistance_ohm
        conducting = self._conducting(current_a)
        if not conducting:
            return max(0.0, self._highest_v()), self.parameters.clamp_ohm
        conductance = sum(1.0 / supply.resistance_ohm for supply in conducting)
        driven = sum((s.emf_v - self._diode_v) / s.resistance_ohm for s in conducting)
        return driven / conductance, 1.0 / conductance

    def voltage_v(self, current_a: float) -> float:
        """Of the bus at the total current taken from it; never below 0."""
        emf_v, resistance_ohm = self.source(current_a)
        return max(0.0, emf_v - current_a * resistance_ohm)

    def currents_a(self, current_a: float) -> tuple[float, ...]:
        """What each supply gives of a total current."""
        if len(self.supplies) == 1:
            return (current_a if self.alive else 0.0,)
        bus_v = self.voltage_v(current_a)
        conducting = self._conducting(current_a)
        return tuple(
            max(0.0, (s.emf_v - self._diode_v - bus_v) / s.resistance_ohm)
            if s in conducting
            else 0.0
            for s in self.supplies
        )

    def _highest_v(self) -> float:
        return max((s.emf_v - self._diode_v for s in self.supplies if s.present), default=0.0)

    def _conducting(self, current_a: float) -> list[Supply]:
        """The supplies whose diodes conduct: those above the voltage that they make together."""
        chosen: list[Supply] = []
        if current_a < 0.0:
            return chosen
        able = [s for s in self.supplies if s.present and s.emf_v > self._diode_v]
        for supply in sorted(able, key=lambda s: -s.emf_v):
            conductance = sum(1.0 / s.resistance_ohm for s in chosen)
            driven = sum((s.emf_v - self._diode_v) / s.resistance_ohm for s in chosen)
            if chosen and (driven - current_a) / conductance >= supply.emf_v - self._diode_v:
                break
            chosen.append(supply)
        return chosen
