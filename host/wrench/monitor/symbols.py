"""The characters to draw with: Unicode where the terminal can show it, ASCII where it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_FOLDED = {"×": "x", "°": "deg", "±": "+/-", "µ": "u", "²": "2", "√": "sqrt "}
_FOLDED |= {"−": "-", "–": "-", "—": "-", "…": "..."}


@dataclass(frozen=True)
class Symbols:
    """One set of characters, each one column wide."""

    unicode: bool
    levels: str
    """A cell filled from below: empty first, full last."""
    parts: str
    """A cell filled from the left: empty first, full last."""
    beyond: str
    """A cell of a bar above its mark."""
    mark: str
    """The mark in a bar."""
    level_line: str
    corners: str
    """Upper left, upper right, lower left, lower right."""
    horizontal: str
    vertical: str
    tick: str
    """On a horizontal line, pointing up."""
    done: str
    now: str
    then: str

    def fold(self, text: str) -> str:
        """`text` in these characters."""
        return text if self.unicode else fold(text)


UNICODE = Symbols(
    unicode=True,
    levels=" ▁▂▃▄▅▆▇█",
    parts=" ▏▎▍▌▋▊▉█",
    beyond="╱",
    mark="┃",
    level_line="┄",
    corners="╭╮╰╯",
    horizontal="─",
    vertical="│",
    tick="┴",
    done="✓",
    now="▶",
    then="›",
)
ASCII = Symbols(
    unicode=False,
    levels=" .::||##",
    parts=" -=#",
    beyond="/",
    mark="|",
    level_line="-",
    corners="++++",
    horizontal="-",
    vertical="|",
    tick="+",
    done="+",
    now=">",
    then=">",
)


def fold(text: str) -> str:
    """`text` in ASCII; what has no spelling there becomes a question mark."""
    for mark, spelling in _FOLDED.items():
        text = text.replace(mark, spelling)
    return text.encode("ascii", "replace").decode()


def symbols_for(encoding: str | None, environment: Mapping[str, str]) -> Symbols:
    """The set that a stream of this encoding can show in this environment.

    Python itself turns the C locale into UTF-8 (PEP 538) and says so in LC_CTYPE, so a locale that
    was asked for by LC_ALL or LANG is looked at as well.
    """
    if not (encoding or "").lower().replace("-", "").replace("_", "").startswith("utf"):
        return ASCII
    asked = environment.get("LC_ALL")
    if not asked:
        ctype = environment.get("LC_CTYPE", "")
        coerced = ctype.lower().replace("-", "") in ("", "c.utf8", "utf8")
        asked = environment.get("LANG") if coerced else ctype
    return ASCII if asked in ("C", "POSIX") else UNICODE
