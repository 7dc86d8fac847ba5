"""The table of keys in boards/README.md, made from the schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from inspect import get_annotations
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from wrench.boards.problems import choosers, section_models
from wrench.boards.schema import Board, OneOf

_UNITS = {
    "volts_per_amp": "V/A",
    "percent_per_s": "%/s",
    "percent": "%",
    "minutes": "min",
    "mm_s": "mm/s",
    "derate_cap": "fraction",
    "min_duty": "fraction",
    "samples": "samples",
    "volts_per_g": "V/g",
    "mohm": "mΩ",
    "degc": "°C",
    "rpm": "rpm",
    "ohm": "Ω",
    "deg": "°",
    "pin": "GPIO",
    "hz": "Hz",
    "ms": "ms",
    "us": "µs",
    "w": "W",
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
    return list(_keys(Board, ""))


def markdown() -> str:
    """The table of all keys as Markdown, without a line end after the last row."""
    rows = ["| key | unit | range | default | meaning |", "|---|---|---|---|---|"]
    for key in keys():
        rows.append(f"| `{key.key}` | {key.unit} | {key.range} | {key.default} | {key.meaning} |")
    return "\n".join(rows)


def _keys(model: type[BaseModel], prefix: str) -> Iterator[Key]:
    for name, field in _fields(model):
        variants = list(section_models(field.annotation))
        if not variants:
            span, default = _range(field), _default(field)
            if name == "address":
                span, default = _hexadecimal(span), _hexadecimal(default)
            yield Key(prefix + name, _unit(name), span, default, field.description or "")
            continue
        inner = f"{prefix}{name}." + ("NAME." if get_origin(field.annotation) is dict else "")
        if len(variants) == 1:
            yield from _keys(variants[0], inner)
        else:
            yield from _keys_of_variants(variants, inner)


def _fields(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """What chooses the section's kind comes first, and what is its own before what all have."""
    chosen = choosers(model)

    def order(name: str) -> tuple[bool, int]:
        owners = (i for i, owner in enumerate(model.__mro__) if name in get_annotations(owner))
        return name not in chosen, next(owners)

    fields = {name: field for name, field in model.model_fields.items() if not field.exclude}
    return [(name, fields[name]) for name in sorted(fields, key=order)]


def _keys_of_variants(variants: Sequence[type[BaseModel]], prefix: str) -> Iterator[Key]:
    """The keys of a section of several kinds: one row for all that mean the same by it."""
    labels = _labels(variants)
    rows: dict[Key, list[str]] = {}
    choices: dict[str, list[str]] = {}
    names: list[str] = []
    for label, variant in zip(labels, variants, strict=True):
        place = 0
        for key in _keys(variant, prefix):
            chooses = key.key.removeprefix(prefix) in choosers(variant)
            if chooses:
                choices.setdefault(key.key, []).append(key.range)
            if key.key not in names:
                names.insert(place, key.key)
            place = names.index(key.key) + 1
            rows.setdefault(replace(key, range="") if chooses else key, []).append(label)
    for row in sorted(rows, key=lambda row: names.index(row.key)):
        known = rows[row]
        if row.key in choices:
            yield replace(row, range=", ".join(dict.fromkeys(choices[row.key])))
        elif len(known) == len(variants):
            yield row
        else:
            yield replace(row, meaning=f"*{', '.join(dict.fromkeys(known))}:* {row.meaning}")


def _labels(variants: Sequence[type[BaseModel]]) -> list[str]:
    """What a board file calls each of several kinds: the least that tells one from the others."""
    named = [
        [
            str(get_args(variant.model_fields[chooser].annotation)[0])
            for chooser in choosers(variant)
        ]
        for variant in variants
    ]
    firsts = [first for first, *_ in named]
    return [" on ".join(names) if firsts.count(names[0]) > 1 else names[0] for names in named]


def _unit(name: str) -> str:
    for ending, unit in _UNITS.items():
        if name == ending or name.endswith(f"_{ending}"):
            return unit
    return ""


def _range(field: FieldInfo) -> str:
    annotation, limits = _bare(field.annotation, list(field.metadata))
    if get_origin(annotation) is tuple:
        item, item_limits = _bare(get_args(annotation)[0], [])
        return f"list of {_scalar_range(item, item_limits)}"
    return _scalar_range(annotation, limits)


def _bare(annotation: Any, limits: list[Any]) -> tuple[Any, list[Any]]:
    """A key's type without None and without what is annotated to it, and the latter."""
    if NoneType in get_args(annotation):
        (annotation,) = (a for a in get_args(annotation) if a is not NoneType)
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        limits = limits + [m for info in more for m in getattr(info, "metadata", [info])]
    return annotation, limits


def _scalar_range(annotation: Any, limits: Sequence[Any]) -> str:
    if get_origin(annotation) is Literal:
        return _choices(get_args(annotation))
    if annotation is bool:
        return "true, false"
    low = high = ""
    length = ""
    for limit in limits:
        match limit:
            case OneOf(values):
                return _choices(values)
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


def _hexadecimal(text: str) -> str:
    return re.sub(r"\d+", lambda number: hex(int(number[0])), text)


def _choices(values: Sequence[Any]) -> str:
    return ", ".join(f'"{c}"' if isinstance(c, str) else str(c) for c in values)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default: Any = field.default
    if default is None:
        return "none"
    if isinstance(default, tuple):
        return "all" if len(default) == 3 else ", ".join(default)
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, str):
        return f'"{default}"'
    return f"{default:.0f}" if default == int(default) else f"{default:g}"
