"""A part that can be bought, and a list of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

ORDER = ("life support", "propulsion", "power", "income")
"""Criticality classes, the first first, where the user names none."""

BETA = 0.1
"""The share of failures that a common cause has where the list names none: the usual first guess
of the beta-factor model (Mosleh and others, NUREG/CR-4780, 1988)."""


@dataclass(frozen=True)
class Part:
    """A part as it is in the machine now, and what it costs to replace it.

    `probability` is that of failing within the horizon if it stays, all causes but other parts'
    failures included, 0 to 1; `new_probability` that of the new part. `loss` is what its failure
    costs, in any unit that is the same within its class. `cost` is in the list's currency.

    `needs` names parts without which a new one is of no use. `cause` names the parts that share a
    common cause with it, and `beta` that cause's share of its failures, 0 to 1. `raises` has, for
    other parts, the probability that this part's failure makes them fail, too. Parts of the same
    `function` stand in for each other: its loss comes when all have failed.
    """

    name: str
    criticality: str
    cost: Decimal
    probability: float
    loss: float = 1.0
    new_probability: float = 0.0
    needs: tuple[str, ...] = ()
    cause: str = ""
    beta: float = BETA
    raises: dict[str, float] = field(default_factory=dict)
    function: str = ""
    line: int = 0


@dataclass(frozen=True)
class PartsList:
    """Parts in the file's order, the classes in order of criticality, and the names of the units;
    empty where the file tells none."""

    parts: tuple[Part, ...]
    order: tuple[str, ...] = ORDER
    currency: str = ""
    loss_unit: str = ""
