"""A document as a PDF of A4 pages: figures are vectors, text can be searched and copied.

Matplotlib writes it, which a report needs anyway: other ways to a PDF want libraries of the system
(WeasyPrint: Pango), or a browser.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.textpath import TextToPath

from wrench import __version__
from wrench.reporting import style
from wrench.reporting.document import Block, Document, Facts, Picture, Points, Table, Text

_PAGE_IN = (8.27, 11.69)
_MARGIN_IN = 0.71
_TOP_IN = 0.65
_BOTTOM_IN = 0.75
_WIDTH_IN = _PAGE_IN[0] - 2 * _MARGIN_IN
ROOM_IN = _PAGE_IN[1] - _TOP_IN - _BOTTOM_IN
"""What a page has for what stands in it, in height."""
LEAST, _MOST = 0.8, 1.3
"""A figure is drawn at so many times the height that it would like to have."""
_LEAST_PANELS = 2
_POINT_IN = 1.0 / 72.0
_LEADING = 1.35
_BODY, _SMALL, _HEADING, _TITLE = 9.0, 7.5, 12.0, 16.0
_GAP_IN = 0.09
_CELL_GAP_IN = 0.1
_FACT_NAMES_IN = 1.35


def render(document: Document) -> bytes:
    """The file."""
    file = io.BytesIO()
    with style.styled(), PdfPages(file, metadata=_metadata(document)) as pages:
        for page in drawn_pages(document):
            pages.savefig(page, dpi=200)
    return file.getvalue()


def drawn_pages(document: Document) -> Iterator[Figure]:
    """Each page as a figure; to be made inside `style.styled`."""
    laid_out = paginated(list(Items(document)))
    for number, page in enumerate(laid_out, 1):
        sheet = _Sheet()
        y_in, share = _TOP_IN, stretch(page, last=number == len(laid_out))
        for place, item in enumerate(page):
            y_in += item.space_in if place else 0.0
            item.draw(sheet, y_in, share * item.flexible_in)
            y_in += item.fixed_in + share * item.flexible_in
        foot = f"{document.title} · made by wrench {__version__} · page {number} of {len(laid_out)}"
        sheet.write(_MARGIN_IN, _PAGE_IN[1] - 0.45, foot, 7.0, colour=style.GREY)
        yield sheet.figure


def _metadata(document: Document) -> dict[str, str]:
    return {"Title": document.title, "Creator": f"wrench {__version__}", "Subject": "Vibration"}


@dataclass(frozen=True)
class Item:
    """What stays in one piece: `fixed_in` high, and a figure of `flexible_in` in it that may be
    higher or lower. `space_in` is left above it, but not at the top of a page.

    One that `holds_next` is never the last of a page. `again` stands once more above it where it
    is the first of one. `cut` makes two of it at the least, with so many of its `panels` in the
    first. `draw` takes the sheet, where the item begins, and how high its figure is.
    """

    fixed_in: float
    draw: Callable[[_Sheet, float, float], None]
    flexible_in: float = 0.0
    space_in: float = 0.0
    holds_next: bool = False
    again: Item | None = None
    panels: int = 1
    cut: Callable[[int], tuple[Item, Item]] | None = None


def paginated(items: Sequence[Item]) -> list[list[Item]]:
    """Items page by page: as many on each as fit with figures at their lowest. What can be cut is
    cut where most of it would be left for the next page."""
    waiting = deque(items)
    pages: list[list[Item]] = [[]]
    while waiting:
        item, page = waiting.popleft(), pages[-1]
        if not page and item.again is not None:
            page.append(item.again)
        if _fits([*page, item]) or not page:
            page.append(item)
            continue
        for panels in range(item.panels - _LEAST_PANELS, _LEAST_PANELS - 1, -1):
            assert item.cut is not None
            first, rest = item.cut(panels)
            if _fits([*page, first]):
                page.append(first)
                waiting.appendleft(rest)
                break
        else:
            waiting.appendleft(item)
            while len(page) > 1 and page[-1].holds_next:
                waiting.appendleft(page.pop())
        pages.append([])
    return [page for page in pages if page]


def stretch(page: Sequence[Item], *, last: bool = False) -> float:
    """How many times as high as it would like to be each figure is, so that a page is full."""
    flexible_in = sum(item.flexible_in for item in page)
    if not flexible_in:
        return 1.0
    share = (ROOM_IN - _height_in(page, 0.0)) / flexible_in
    return min(share, 1.0 if last else _MOST)


def _fits(page: Sequence[Item]) -> bool:
    return _height_in(page, LEAST) <= ROOM_IN


def _height_in(page: Sequence[Item], share: float) -> float:
    spaces_in = sum(item.space_in for item in page[1:])
    return spaces_in + sum(item.fixed_in + share * item.flexible_in for item in page)


class Items:
    """What a document is made of, from top to bottom."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._figures = 0

    def __iter__(self) -> Iterator[Item]:
        document = self._document
        yield _lines(_wrapped(document.title, _WIDTH_IN, _TITLE, "bold"), _TITLE, "bold")
        yield _lines(_wrapped(document.subtitle, _WIDTH_IN, _BODY), _BODY, colour=style.GREY)
        for section in document.sections:
            yield _heading(section.title)
            for block in section.blocks:
                yield from self._block(block)

    def _block(self, block: Block) -> Iterator[Item]:
        if isinstance(block, Text):
            yield _text(block)
        elif isinstance(block, Points):
            for number, point in enumerate(block.items):
                yield _hanging("•", point, 0.15, 0.0 if number else _GAP_IN)
        elif isinstance(block, Facts):
            for number, (name, value) in enumerate(block.rows):
                yield _hanging(name, value, _FACT_NAMES_IN, 0.0 if number else _GAP_IN)
        elif isinstance(block, Table):
            yield from _table(block)
        else:
            self._figures += 1
            yield _picture(block, self._figures)


def _heading(title: str) -> Item:
    def draw(sheet: _Sheet, y_in: float, _: float) -> None:
        sheet.rule(y_in, 1.2)
        sheet.write(_MARGIN_IN, y_in + _GAP_IN, title, _HEADING, "bold")

    return Item(_line_in(_HEADING) + _GAP_IN, draw, space_in=3 * _GAP_IN, holds_next=True)


def _lines(
    lines: Sequence[str],
    size: float,
    weight: str = "normal",
    *,
    colour: str = style.BLACK,
    space_in: float = 0.0,
    holds_next: bool = False,
) -> Item:
    def draw(sheet: _Sheet, y_in: float, _: float) -> None:
        sheet.lines(y_in, lines, size, weight, colour=colour)

    height_in = len(lines) * _line_in(size)
    return Item(height_in, draw, space_in=space_in, holds_next=holds_next)


def _text(block: Text) -> Item:
    warning = block.weight == "warning"
    indent_in = 0.12 if warning else 0.0
    lines = _wrapped(block.text, _WIDTH_IN - indent_in, _BODY)
    height_in = len(lines) * _line_in(_BODY)

    def draw(sheet: _Sheet, y_in: float, _: float) -> None:
        if warning:
            sheet.bar(y_in, height_in)
        sheet.lines(y_in, lines, _BODY, indent_in=indent_in)

    return Item(height_in, draw, space_in=_GAP_IN)


def _hanging(name: str, text: str, indent_in: float, space_in: float) -> Item:
    lines = _wrapped(text, _WIDTH_IN - indent_in, _BODY)

    def draw(sheet: _Sheet, y_in: float, _: float) -> None:
        sheet.write(_MARGIN_IN, y_in, name, _BODY, colour=style.GREY)
        sheet.lines(y_in, lines, _BODY, indent_in=indent_in)

    return Item(len(lines) * _line_in(_BODY), draw, space_in=space_in)


def _table(block: Table) -> Iterator[Item]:
    caption = _wrapped(block.caption, _WIDTH_IN, _SMALL)
    yield _lines(caption, _SMALL, colour=style.GREY, space_in=_GAP_IN, holds_next=True)
    head = _row(block, block.columns, None)
    yield replace(head, space_in=0.5 * _GAP_IN)
    for row in block.rows:
        yield _row(block, row, head)


def _row(block: Table, cells: Iterable[str], head: Item | None) -> Item:
    """A row below `head`, or the head itself."""
    weight = "bold" if head is None else "normal"
    total = sum(block.shares)
    widths_in = [_WIDTH_IN * share / total for share in block.shares]
    wrapped = [
        _wrapped(cell, width_in - _CELL_GAP_IN, _SMALL, weight)
        for cell, width_in in zip(cells, widths_in, strict=True)
    ]
    height_in = max(len(lines) for lines in wrapped) * _line_in(_SMALL) + 0.05

    def draw(sheet: _Sheet, y_in: float, _: float) -> None:
        x_in = _MARGIN_IN
        for number, (lines, width_in) in enumerate(zip(wrapped, widths_in, strict=True)):
            right = number in block.numeric
            at_in = x_in + width_in - _CELL_GAP_IN if right else x_in
            aligned = "right" if right else "left"
            for line, text in enumerate(lines):
                below_in = y_in + line * _line_in(_SMALL)
                sheet.write(at_in, below_in, text, _SMALL, weight, aligned=aligned)
            x_in += width_in
        width, colour = (0.8, style.BLACK) if head is None else (0.3, style.PALE)
        sheet.rule(y_in + height_in - 0.025, width, colour)

    return Item(height_in, draw, holds_next=head is None, again=head)


def _picture(block: Picture, number: int, *, continued: bool = False) -> Item:
    text = f"Figure {number}, continued." if continued else f"Figure {number}. {block.caption}"
    caption = _wrapped(text, _WIDTH_IN, _SMALL)
    fixed_in = len(caption) * _line_in(_SMALL) + 1.3 * _GAP_IN
    # No figure is higher than a page with its caption and a heading.
    most_in = ROOM_IN - fixed_in - _line_in(_HEADING) - 4 * _GAP_IN

    def draw(sheet: _Sheet, y_in: float, height_in: float) -> None:
        block.draw(sheet.part(y_in, height_in))
        sheet.lines(y_in + height_in + 0.3 * _GAP_IN, caption, _SMALL, colour=style.GREY)

    def cut(panels: int) -> tuple[Item, Item]:
        assert block.cut is not None
        first, rest = block.cut(panels)
        return (
            _picture(first, number, continued=continued),
            _picture(rest, number, continued=True),
        )

    return Item(
        fixed_in,
        draw,
        flexible_in=min(block.height_in, most_in),
        space_in=_GAP_IN,
        panels=block.panels,
        cut=None if block.cut is None else cut,
    )


def _line_in(size: float) -> float:
    return size * _LEADING * _POINT_IN


class _Sheet:
    """A page, and what is put on it; places are in inches from its upper left corner."""

    def __init__(self) -> None:
        self.figure = Figure(figsize=_PAGE_IN, layout="constrained")

    def part(self, y_in: float, height_in: float) -> SubFigure:
        """A part of the page, as wide as the text."""
        below_in = _PAGE_IN[1] - y_in - height_in
        grid = GridSpec(
            3,
            3,
            figure=self.figure,
            width_ratios=[_MARGIN_IN, _WIDTH_IN, _MARGIN_IN],
            height_ratios=[y_in, height_in, below_in],
        )
        return self.figure.add_subfigure(grid[1, 1])

    def lines(
        self,
        y_in: float,
        lines: Iterable[str],
        size: float,
        weight: str = "normal",
        *,
        colour: str = style.BLACK,
        indent_in: float = 0.0,
    ) -> None:
        """Lines of text below each other."""
        for number, line in enumerate(lines):
            at_in = y_in + number * _line_in(size)
            self.write(_MARGIN_IN + indent_in, at_in, line, size, weight, colour=colour)

    def write(
        self,
        x_in: float,
        y_in: float,
        text: str,
        size: float,
        weight: str = "normal",
        *,
        colour: str = style.BLACK,
        aligned: str = "left",
    ) -> None:
        """One line of text."""
        # By the baseline: a line's highest letter must not move it.
        self.figure.text(
            x_in / _PAGE_IN[0],
            1.0 - (y_in + size * _POINT_IN) / _PAGE_IN[1],
            text,
            fontsize=size,
            fontweight=weight,
            color=colour,
            ha=aligned,
            va="baseline",
            parse_math=False,
        )

    def rule(self, y_in: float, width: float, colour: str = style.BLACK) -> None:
        """A line across the text."""
        ends = [_MARGIN_IN / _PAGE_IN[0], 1.0 - _MARGIN_IN / _PAGE_IN[0]]
        at = 1.0 - y_in / _PAGE_IN[1]
        self.figure.add_artist(Line2D(ends, [at, at], color=colour, linewidth=width))

    def bar(self, y_in: float, height_in: float) -> None:
        """A bar at the left of what must not be missed."""
        x = (_MARGIN_IN + 0.02) / _PAGE_IN[0]
        ends = [1.0 - (y_in + at) / _PAGE_IN[1] for at in (0.0, height_in)]
        self.figure.add_artist(Line2D([x, x], ends, color=style.RED, linewidth=3))


def _wrapped(text: str, width_in: float, size: float, weight: str = "normal") -> list[str]:
    """Lines that are no wider than `width_in`; words that are wider themselves are broken."""
    space_in = _word_in(" ", size, weight)
    lines: list[str] = []
    line, used_in = "", 0.0
    for word in _words(text, width_in, size, weight):
        word_in = _word_in(word, size, weight)
        if line and used_in + space_in + word_in > width_in:
            lines.append(line)
            line, used_in = word, word_in
        else:
            used_in += word_in + (space_in if line else 0.0)
            line = f"{line} {word}" if line else word
    return [*lines, line]


def _words(text: str, width_in: float, size: float, weight: str) -> Iterator[str]:
    for word in text.split():
        rest = word
        while _word_in(rest, size, weight) > width_in and len(rest) > 1:
            cut = len(rest) - 1
            while cut > 1 and _word_in(rest[:cut], size, weight) > width_in:
                cut -= 1
            yield rest[:cut]
            rest = rest[cut:]
        yield rest


@cache
def _word_in(word: str, size: float, weight: str) -> float:
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    # A space alone has no outline.
    framed, frame = (f"x{word}x", "xx") if not word.strip() else (word, "")
    path = TextToPath()
    width = path.get_text_width_height_descent(framed, font, ismath=False)[0]
    if frame:
        width -= path.get_text_width_height_descent(frame, font, ismath=False)[0]
    return width * _POINT_IN
