"""A report as a document: headings, text, tables and figures, whatever it is written as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wrench.reporting.style import Canvas


@dataclass(frozen=True)
class Text:
    """A paragraph; `weight` "warning" for what a reader must not miss."""

    text: str
    weight: str = "plain"


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Rows under columns. `numeric` holds the columns that are aligned to the right; `shares` is
    what each column takes of the width."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shares: tuple[float, ...]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A figure `height_in` high, `style.WIDTH_IN` wide; `alt` says in words what it shows.

    One of several `panels` below each other may be cut in two where a page ends: `cut` takes how
    many the first of the two is to have.
    """

    name: str
    caption: str
    alt: str
    height_in: float
    draw: Callable[[Canvas], None]
    panels: int = 1
    cut: Callable[[int], tuple[Picture, Picture]] | None = None


Block = Text | Points | Facts | Table | Picture


@dataclass(frozen=True)
class Section:
    """Blocks under a heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A report: its title, one line below it, and its sections in order."""

    title: str
    subtitle: str
    sections: tuple[Section, ...] = field(default_factory=tuple)
