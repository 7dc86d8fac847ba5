"""The table of keys in boards/README.md, made from the schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from wrench.boards.problems import section_models
from wrench.boards.schema import Board

_UNITS = {
    "volts_per_amp": "V/A",
    "percent_per_s": "%/s",
    "mm_s": "mm/s",
    "derate_cap": "fraction",
    "min_duty": "fraction",
    "samples": "samples",
    "degc": "°C",
    "rpm": "rpm",
    "ohm": "Ω",
    "deg": "°",
    "pin": "GPIO",
    "hz": "Hz",
    "ms": "ms",
    "mm": "mm",
    "k": "K",
    "v": "V",
    "a": "A",
    "g": "g",
}


@dataclass(frozen=True)
class Key:
    """One key of a board file as told to people: dotted name, unit, range, default, meaning."""

    key: str
    unit: str
    range: str
    default: str
    meaning: str


def keys() -> list[Key]:
    """Every key that a board file may have, in the order of the schema."""
    return list(_keys(Board, "", optional=False))


def markdown() -> str:
    """The table of all keys as Markdown, without a line end after the last row."""
    rows = ["| key | unit | range | default | meaning |", "|---|---|---|---|---|"]
    for key in keys():
        rows.append(f"| `{key.key}` | {key.unit} | {key.range} | {key.default} | {key.meaning} |")
    return "\n".join(rows)


def _keys(model: type[BaseModel], prefix: str, *, optional: bool) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        sections = list(section_models(field.annotation))
        if sections:
            for section in sections:
                yield from _keys(section, f"{prefix}{name}.", optional=not field.is_required())
            continue
        yield Key(
            prefix + name, _unit(name), _range(field), _default(field), field.description or ""
        )


def _unit(name: str) -> str:
    for ending, unit in _UNITS.items():
        if name == ending or name.endswith(f"_{ending}"):
            return unit
    return ""


def _range(field: FieldInfo) -> str:
    annotation: Any = field.annotation
    if get_origin(annotation) is tuple:
        annotation = get_args(annotation)[0]
        return f"list of {_choices(annotation)}"
    if get_origin(annotation) is Literal:
        return _choices(annotation)
    if annotation is bool:
        return "true, false"
    low = high = ""
    length = ""
    for limit in field.metadata:
        match limit:
            case annotated_types.Ge(ge):
                low = f"{ge:g}" if abs(float(str(ge))) < 1e6 else f"{ge:.0f}"
            case annotated_types.Gt(gt):
                low = f"above {gt:g}"
            case annotated_types.Le(le):
                high = f"{le:.0f}" if float(str(le)) >= 1e5 else f"{le:g}"
            case annotated_types.Lt(lt):
                high = f"below {lt:g}"
            case annotated_types.MaxLen(longest):
                length = f"up to {longest} characters"
            case _:
                pass
    return length or f"{low} to {high}"


def _choices(annotation: Any) -> str:
    return ", ".join(f'"{c}"' if isinstance(c, str) else str(c) for c in get_args(annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default: Any = field.default
    if isinstance(default, tuple):
        return "all" if len(default) == 3 else ", ".join(default)
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, str):
        return f'"{default}"'
    return f"{default:.0f}" if default == int(default) else f"{default:g}"
