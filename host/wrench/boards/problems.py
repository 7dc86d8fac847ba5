"""How a fault in a board file is told: which file, which line, which key, and what to do."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from wrench.errors import BoardFileError

_CHOOSERS = ("kind", "driver", "bus")

_LIST_CHARACTERS = 150

_ADD = "add it (`wrench boards keys` tells its range)"

_WHOLE = "must be a whole number, without quotes or a decimal point"
_NUMBER = "must be a number, without quotes"
_TYPE_TEXTS = {
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": "is too large",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text in quotes",
    "tuple_type": 'must be a list, such as ["x", "y", "z"]',
}


@dataclass(frozen=True)
class Problem:
    """One fault of a board file.

    `key` is the dotted key ("" when the whole file is meant), `text` a sentence that names the key
    and ends with what to do, `line` the line in the file, from 1, or None where it is not known.
    """

    key: str
    text: str
    line: int | None = None

    def at(self, file: str) -> str:
        """The sentence with the file and the line before it."""
        return f"{file}: {self.text}" if self.line is None else f"{file}:{self.line}: {self.text}"


class InvalidBoardError(BoardFileError):
    """A board file cannot be used; the message tells the first problem, `problems` all of them."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = list(problems)
        message = self.problems[0].at(file)
        if len(self.problems) > 1:
            more = len(self.problems) - 1
            message += f" (and {more} more; see `wrench boards check {file}`)"
        super().__init__(message)


def from_validation(
    error: ValidationError, model: type[BaseModel], data: Mapping[str, Any], text: str = ""
) -> list[Problem]:
    """Every problem of a failed validation of `data` (parsed from `text`) against `model`.

    They are in the order of their lines. A required key that an unknown key seems to misspell is
    told once, as the misspelling.
    """
    problems: list[Problem] = []
    meant: set[str] = set()
    details = error.errors(include_url=False)
    unchosen = {detail["loc"][:-1] for detail in details if _misses_choice(detail)}
    for detail in details:
        loc = _data_path(detail, data)
        if detail["loc"][:-1] in unchosen and not _about_choice(detail):
            continue
        if detail["type"] == "board_rules":
            problems += detail.get("ctx", {})["problems"]
        elif detail["type"] == "extra_forbidden":
            known = _known_keys(model, loc[:-1], data)
            key, nearest, sentence = _unknown(loc, known)
            meant |= {nearest} if nearest else set()
            problems.append(Problem(key, sentence))
        else:
            section = detail["type"] == "missing" and _is_section(model, loc, data)
            problems.append(_sentence(loc, detail, section=section))
    kept = [p for p in problems if p.key not in meant or not p.text.startswith("missing")]
    placed = [replace(p, line=_line_of(p.key, text)) for p in kept]
    return sorted(placed, key=lambda p: p.line or 0)


def _misses_choice(detail: Mapping[str, Any]) -> bool:
    known = bool(detail["loc"]) and detail["loc"][-1] in _CHOOSERS
    return known and detail["type"] in ("missing", "literal_error")


def _about_choice(detail: Mapping[str, Any]) -> bool:
    return bool(difflib.get_close_matches(str(detail["loc"][-1]), _CHOOSERS))


def _data_path(detail: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of the file that pydantic's `loc` means: without the tags of unions, without list
    positions, and without the mark of a bad name of a section."""
    path: list[str] = []
    here: Any = data
    loc: Sequence[int | str] = detail["loc"]
    if detail["type"].startswith("union_tag") or loc[-1:] == ("[key]",):
        loc = [*loc, 0]
    for i, step in enumerate(loc):
        last = i == len(loc) - 1
        if not isinstance(step, str) or not (isinstance(here, Mapping) and (step in here or last)):
            continue
        path.append(step)
        here = here.get(step)
    return tuple(path)


def _sentence(loc: tuple[str, ...], detail: Mapping[str, Any], *, section: bool) -> Problem:
    key, kind, given = ".".join(loc), detail["type"], detail.get("input")
    ctx = detail.get("ctx", {})
    shown = _shown(given)
    if detail["loc"][-1:] == ("[key]",):
        parent = ".".join(loc[:-1])
        text = f"{parent}.{shown} is no name; use up to 20 of a-z, 0-9 and _, a letter first"
        return Problem(parent, text)
    if kind == "missing":
        if section:
            return Problem(key, f"missing section [{key}]; add it (`wrench boards keys`)")
        return Problem(key, f"missing key {key}; {_ADD}")
    if kind == "literal_error":
        known = ctx["expected"].replace("'", '"')
        return Problem(key, f"{key} = {shown} is not known; use {known}")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        chooser = ctx["discriminator"].strip("'")
        key = f"{key}.{chooser}"
        known = ctx.get("expected_tags", "").replace("'", '"')
        if kind == "union_tag_not_found":
            return Problem(key, f"missing key {key}; {_ADD}")
        return Problem(key, f"{key} = {_shown(ctx['tag'])} is not known; use {known}")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return Problem(key, f"{key} = {shown} must be a section; write [{key}] and its keys below")
    bounds = {
        "greater_than": ("must be above {}", "gt"),
        "greater_than_equal": ("must be at least {}", "ge"),
        "less_than": ("must be below {}", "lt"),
        "less_than_equal": ("must be at most {}", "le"),
        "string_too_short": ("must have at least {} character", "min_length"),
        "string_too_long": ("must have at most {} characters", "max_length"),
        "string_pattern_mismatch": ("must match {}", "pattern"),
        "too_short": ("must have at least {} entry", "min_length"),
        "too_long": ("must have at most {} entries", "max_length"),
    }
    if kind in bounds:
        words, name = bounds[kind]
        need = words.format(ctx[name])
    else:
        need = _TYPE_TEXTS.get(kind) or str(detail["msg"]).removeprefix("Value error, ")
    return Problem(key, f"{key} = {shown} {need}; correct it")


def _shown(given: object) -> str:
    """A value roughly as TOML writes it, shortened."""
    if isinstance(given, Mapping):
        return "{…}"
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, int) and abs(given) > 10**18:
        return "a huge number"
    text = isinstance(given, str)
    shown = json.dumps(given, ensure_ascii=True) if text else str(given).replace("'", '"')
    return shown if len(shown) <= 40 else shown[:37] + "…"


def _unknown(loc: tuple[str, ...], known: Sequence[str]) -> tuple[str, str | None, str]:
    prefix = ".".join(loc[:-1]) + "." if loc[:-1] else ""
    bare = re.fullmatch(r"[A-Za-z0-9_-]{1,40}", loc[-1])
    key = prefix + (loc[-1] if bare else _shown(loc[-1]))
    close = difflib.get_close_matches(loc[-1], known, n=1, cutoff=0.6)
    if close:
        nearest = prefix + close[0]
        return key, nearest, f"unknown key {key}; did you mean {nearest}?"
    listed = ", ".join(sorted(known))
    if len(listed) > _LIST_CHARACTERS:
        return key, None, f"unknown key {key}; remove it (`wrench boards keys` lists those known)"
    return key, None, f"unknown key {key}; remove it, or use one of {listed}"


def _known_keys(model: type[BaseModel], loc: Sequence[str], data: Mapping[str, Any]) -> list[str]:
    models = _models_at(model, loc, data)
    return [key for m in models for key, f in m.model_fields.items() if not f.exclude]


def _is_section(model: type[BaseModel], loc: Sequence[str], data: Mapping[str, Any]) -> bool:
    return bool(_models_at(model, loc, data))


def _models_at(
    model: type[BaseModel], loc: Sequence[str], data: Mapping[str, Any]
) -> list[type[BaseModel]]:
    """The models that the section at `loc` can have: none where `loc` is a plain key."""
    here: list[type[BaseModel]] = [model]
    section: Any = data
    named = False  # the next step is a name that the file gives, such as one of a supply
    for step in loc:
        section = section.get(step, {})
        if named:
            named = False
        else:
            fields = [m.model_fields[step] for m in here if step in m.model_fields]
            here = [sub for field in fields for sub in section_models(field.annotation)]
            named = any(get_origin(field.annotation) is dict for field in fields)
        if not named:
            here = [m for m in here if _chosen(m, section)] or here
    return [] if named else here


def _chosen(model: type[BaseModel], section: Mapping[str, Any]) -> bool:
    """Whether `model` is the member of its union that the section's kind or driver names."""
    return all(
        section.get(chooser) in get_args(model.model_fields[chooser].annotation)
        for chooser in choosers(model)
    )


def choosers(model: type[BaseModel]) -> list[str]:
    """The keys that choose which set of keys a section has: while one of them is wrong, the rest
    means nothing."""
    return [
        name
        for name in _CHOOSERS
        if name in model.model_fields and get_origin(model.model_fields[name].annotation) is Literal
    ]


def section_models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a field's annotation: one for a section, several for a union of kinds or for
    sections that the file names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from section_models(argument)


_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-\".' ]+?)\s*=")


def _line_of(key: str, text: str) -> int | None:
    """The line, from 1, of a dotted key in TOML text; else that of the section around it."""
    lines: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            section = _plain(header[1])
            lines.setdefault(section, number)
        elif pair := _KEY.match(line):
            lines.setdefault(f"{section}.{_plain(pair[1])}".lstrip("."), number)
    while key and key not in lines:
        key = key.rpartition(".")[0]
    return lines.get(key)


def _plain(dotted: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in dotted.split("."))
