"""The answer as lines for a terminal, and as facts for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from wrench.cli.tables import aligned, folded
from wrench.triage.parts import Part
from wrench.triage.result import Bought, Left, Triage

_LEFT_TOLD = 5


def lines(result: Triage, currency: str, columns: int | None) -> list[str]:
    """Choice, reasons, what is left at risk, and what more money would buy; within so many columns,
    or as long as they are where None."""

    def money(sum_of_it: Decimal) -> str:
        return f"{sum_of_it:,f} {currency}".strip()

    count = len(result.bought)
    head = (
        f"{money(result.cost)} of {money(result.budget)} buy {count} of {len(result.parts.parts)} "
        f"part{'s' * (len(result.parts.parts) != 1)}: the proven optimum"
    )
    if not count:
        head = f"{money(result.budget)} buy none of {len(result.parts.parts)} parts that helps"
    told = folded(head, columns)
    if count:
        rows = [("BUY", "CLASS", "COST", "WHY")]
        rows += [
            (one.part.name, one.part.criticality, f"{one.part.cost:,f}", why(one))
            for one in result.bought
        ]
        told += ["", *aligned(rows, columns)]
    rows = [("CLASS", "BOUGHT", "EXPECTED LOSS", "WITH THIS", "WITH ALL")]
    rows += [
        (
            risk.name,
            f"{risk.bought} of {risk.parts}",
            amount(risk.before),
            amount(risk.after),
            amount(risk.least),
        )
        for risk in result.classes
    ]
    told += ["", *aligned(rows)]
    waiting = [one for one in result.left if one.avoids][:_LEFT_TOLD]
    if waiting:
        rows = [("NOT BOUGHT", "CLASS", "COST", "WOULD AVOID")]
        rows += [
            (one.part.name, one.part.criticality, f"{one.cost:,f}", would(one)) for one in waiting
        ]
        told += ["", *aligned(rows, columns)]
        more = sum(bool(one.avoids) for one in result.left) - len(waiting)
        if more > 0:
            told.append(f"and {more} more; --json tells all")
    told += ["", *folded(further(result, currency), columns)]
    return told


def why(one: Bought) -> str:
    """Why a part was chosen."""
    avoided = f"avoids {_avoided(one.avoids)}" if one.avoids else ""
    needed = f"{', '.join(one.needed_by)} needs it" if one.needed_by else ""
    if len(one.needed_by) > 1:
        needed = f"{', '.join(one.needed_by)} need it"
    return "; ".join(part for part in (needed, avoided) if part)


def would(one: Left) -> str:
    """What a part that is not bought would avoid."""
    also = f", with {', '.join(one.also)}" if one.also else ""
    return _avoided(one.avoids) + also


def further(result: Triage, currency: str) -> str:
    """What the next credit would buy."""
    better = result.next
    if better is None:
        return "More money would buy nothing that helps."
    first = next(iter(better.avoids))
    more = f"{better.more:,f} {currency}".strip()
    dropped = f" in place of {_names(better.dropped)}" if better.dropped else ""
    return (
        f"The next improvement costs {more} more: {_names(better.added)}{dropped}, which avoids "
        f"{_avoided(better.avoids, first)}."
    )


def facts(result: Triage, currency: str) -> dict[str, Any]:
    """All of it. Losses are expected ones within the horizon, in the unit of their class."""
    better = result.next
    return {
        "budget": float(result.budget),
        "cost": float(result.cost),
        "currency": currency,
        "loss_unit": result.parts.loss_unit,
        "proven_optimum": True,
        "order": list(result.parts.order),
        "classes": [
            {
                "class": risk.name,
                "parts": risk.parts,
                "bought": risk.bought,
                "expected_loss": risk.before,
                "expected_loss_with_choice": risk.after,
                "expected_loss_with_all": risk.least,
            }
            for risk in result.classes
        ],
        "bought": [
            {
                **_part(one.part),
                "avoids": one.avoids,
                "needed_by": list(one.needed_by),
                "why": why(one),
            }
            for one in result.bought
        ],
        "not_bought": [
            {
                **_part(one.part),
                "avoids": one.avoids,
                "cost_with_needs": float(one.cost),
                "with": list(one.also),
            }
            for one in result.left
        ],
        "next": None
        if better is None
        else {
            "budget": float(better.budget),
            "more": float(better.more),
            "added": [part.name for part in better.added],
            "dropped": [part.name for part in better.dropped],
            "avoids": better.avoids,
        },
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "part": part.name,
        "class": part.criticality,
        "cost": float(part.cost),
        "probability": part.probability,
        "line": part.line,
    }


def _avoided(avoids: Mapping[str, float], first: str | None = None) -> str:
    ordered = sorted(avoids, key=lambda name: name != first) if first else list(avoids)
    gained = [f"{amount(avoids[name])} ({name})" for name in ordered if avoids[name] > 0]
    lost = [f"{amount(-avoids[name])} more ({name})" for name in ordered if avoids[name] < 0]
    told = ", ".join(gained) or "nothing"
    return f"{told} and risks {', '.join(lost)}" if lost else told


def _names(parts: Sequence[Part]) -> str:
    return ", ".join(part.name for part in parts)


def amount(value: float) -> str:
    """Three digits or all before the point: more were not known."""
    if value >= 1000.0:
        return f"{value:,.0f}"
    return f"{value:.3g}"
