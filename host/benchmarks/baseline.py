"""Figures beside those of the committed baseline: which have become worse.

Device time is the same on every computer and in every run, but a change of the firmware shifts what
comes when; so a figure may be worse by what the luck of seeds and phases is worth: the spread that
it was measured with, and a little. Of wall-clock time, only ratios within one run are compared, and
widely. Everything else is not compared at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import yardstick
from figure import Figure

PATH = Path(__file__).with_name("baseline.json")


@dataclass(frozen=True)
class Tolerance:
    """What is not worse yet: a part of the baseline's value, and so much in the figure's unit."""

    relative: float
    absolute: float


EXACT = Tolerance(0.0, 0.0)
TOLERANCES = {
    "ms of device time": Tolerance(0.02, 0.05),
    "s of device time": Tolerance(0.02, 0.001),
    "x as long": Tolerance(0.02, 0.0),
    "% of 125 MHz": Tolerance(0.02, 0.1),
    "% of it": Tolerance(0.0, 0.1),
    "% of them": Tolerance(0.0, 0.01),
    "MB": Tolerance(0.02, 0.0),
    "samples": EXACT,
    "frames": EXACT,
    "B": EXACT,
    "1 is yes": EXACT,
    yardstick.UNIT: Tolerance(0.5, 0.0),  # other work on the computer: 10 %; other processors more
}
"""By unit, of the figures that are compared."""


class Verdict(Enum):
    """What a figure is beside its baseline."""

    UNCOMPARED = ""
    NEW = "not in the baseline"
    SAME = "as the baseline"
    BETTER = "better than the baseline"
    WORSE = "WORSE THAN THE BASELINE"


@dataclass(frozen=True)
class Known:
    """A figure of the baseline."""

    value: float
    unit: str
    spread: float = 0.0


def load(path: Path = PATH) -> dict[str, Known]:
    """The figures of a baseline by their names; none where there is no file.

    Raises SystemExit with a sentence where the file is not a baseline.
    """
    if not path.exists():
        return {}
    try:
        return {name: Known(**known) for name, known in json.loads(path.read_text()).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise SystemExit(
            f"error: {path} is not a baseline ({error}); bring it back with `git checkout`, or "
            "delete it and save a new one with --save-baseline"
        ) from error


def save(
    figures: Iterable[Figure], path: Path = PATH, kept: Mapping[str, Known] | None = None
) -> None:
    """Write what of these figures is compared, beside `kept` ones that are not among them."""
    known: dict[str, dict[str, Any]] = {name: vars(it) for name, it in (kept or {}).items()}
    for it in figures:
        if it.unit in TOLERANCES:
            known[it.name] = {
                "value": float(f"{it.value:.6g}"),
                "unit": it.unit,
                "spread": float(f"{it.spread:.3g}"),
            }
    path.write_text(json.dumps(known, indent=1) + "\n")


def judge(figure: Figure, known: Known | None) -> Verdict:
    """What a figure is beside its baseline. One with another unit than then is new."""
    if figure.unit not in TOLERANCES:
        return Verdict.UNCOMPARED
    if known is None or known.unit != figure.unit:
        return Verdict.NEW
    tolerance = TOLERANCES[figure.unit]
    allowed = max(tolerance.relative * abs(known.value) + tolerance.absolute, known.spread)
    worse_by = figure.value - known.value
    if figure.more_is_better:
        worse_by = -worse_by
    if abs(worse_by) <= allowed + 1e-5 * abs(known.value):  # the file's digits
        return Verdict.SAME
    if figure.target.startswith("=="):
        return Verdict.WORSE if not figure.met else Verdict.BETTER
    return Verdict.WORSE if worse_by > 0 else Verdict.BETTER
