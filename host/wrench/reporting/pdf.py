"""A document as a PDF of A4 pages: figures are vectors, text can be searched and copied.

Matplotlib writes it, which a report needs anyway: other ways to a PDF want libraries of the system
(WeasyPrint: Pango), or a browser.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from functools import cache

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.textpath import TextToPath

from wrench import __version__
from wrench.reporting import style
from wrench.reporting.document import Document, Facts, Picture, Points, Section, Table, Text

_PAGE_IN = (8.27, 11.69)
_MARGIN_IN = 0.71
_TOP_IN = 0.65
_BOTTOM_IN = 0.75
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
        _Layout(document, pages).write()
    return file.getvalue()


def _metadata(document: Document) -> dict[str, str]:
    return {"Title": document.title, "Creator": f"wrench {__version__}", "Subject": "Vibration"}


class _Layout:
    """Puts blocks below each other and begins a new page where one does not fit any more."""

    def __init__(self, document: Document, pages: PdfPages) -> None:
        self._document = document
        self._pages = pages
        self._page = 0
        self._figures = 0
        self._left_in = _MARGIN_IN
        self._width_in = _PAGE_IN[0] - 2 * _MARGIN_IN
        self._figure = Figure(figsize=_PAGE_IN)
        self._y_in = 0.0
        self._begin()

    def write(self) -> None:
        """Every section, and the last page's end."""
        document = self._document
        self._lines(_wrapped(document.title, self._width_in, _TITLE, "bold"), _TITLE, "bold")
        self._lines(_wrapped(document.subtitle, self._width_in, _BODY), _BODY, colour=style.GREY)
        for section in document.sections:
            self._section(section)
        self._end()

    # -- pages -----------------------------------------------------------------------------------
    def _begin(self) -> None:
        self._page += 1
        self._figure = Figure(figsize=_PAGE_IN, layout="constrained")
        self._y_in = _TOP_IN

    def _end(self) -> None:
        foot = f"{self._document.title} · made by wrench {__version__} · page {self._page}"
        self._write(self._left_in, _PAGE_IN[1] - 0.45, foot, 7.0, colour=style.GREY)
        self._pages.savefig(self._figure, dpi=200)

    def _turn(self) -> None:
        self._end()
        self._begin()

    def _room(self, needed_in: float) -> None:
        if self._y_in + needed_in > _PAGE_IN[1] - _BOTTOM_IN and self._y_in > _TOP_IN:
            self._turn()

    # -- blocks ----------------------------------------------------------------------------------
    def _section(self, section: Section) -> None:
        self._y_in += 2 * _GAP_IN
        first = section.blocks[0]
        below_in = self._height_in(first) if isinstance(first, Picture) else 0.6
        self._room(_HEADING * _LEADING * _POINT_IN + 3 * _GAP_IN + below_in)
        self._rule(self._y_in, 1.2)
        self._y_in += _GAP_IN
        self._lines([section.title], _HEADING, "bold")
        for block in section.blocks:
            self._y_in += _GAP_IN
            if isinstance(block, Text):
                self._text(block)
            elif isinstance(block, Points):
                for item in block.items:
                    self._hanging("•", item, 0.15)
            elif isinstance(block, Facts):
                for name, value in block.rows:
                    self._hanging(name, value, _FACT_NAMES_IN)
            elif isinstance(block, Table):
                self._table(block)
            else:
                self._picture(block)

    def _text(self, block: Text) -> None:
        warning = block.weight == "warning"
        indent_in = 0.12 if warning else 0.0
        lines = _wrapped(block.text, self._width_in - indent_in, _BODY)
        height_in = len(lines) * _BODY * _LEADING * _POINT_IN
        self._room(height_in)
        if warning:
            x = (self._left_in + 0.02) / _PAGE_IN[0]
            ends = [1.0 - (self._y_in + at) / _PAGE_IN[1] for at in (0.0, height_in)]
            bar = Line2D([x, x], ends, color=style.RED, linewidth=3)
            self._figure.add_artist(bar)
        self._lines(lines, _BODY, indent_in=indent_in)

    def _hanging(self, name: str, text: str, indent_in: float) -> None:
        lines = _wrapped(text, self._width_in - indent_in, _BODY)
        self._room(len(lines) * _BODY * _LEADING * _POINT_IN)
        self._write(self._left_in, self._y_in, name, _BODY, colour=style.GREY)
        self._lines(lines, _BODY, indent_in=indent_in)

    def _table(self, block: Table) -> None:
        caption = _wrapped(block.caption, self._width_in, _SMALL)
        self._room((len(caption) + 4) * _SMALL * _LEADING * _POINT_IN)
        self._lines(caption, _SMALL, colour=style.GREY)
        self._y_in += 0.5 * _GAP_IN
        total = sum(block.shares)
        widths_in = [self._width_in * share / total for share in block.shares]
        self._row(block, block.columns, widths_in, head=True)
        for row in block.rows:
            self._row(block, row, widths_in)

    def _row(
        self, block: Table, cells: Iterable[str], widths_in: list[float], *, head: bool = False
    ) -> None:
        weight = "bold" if head else "normal"
        wrapped = [
            _wrapped(cell, width_in - _CELL_GAP_IN, _SMALL, weight)
            for cell, width_in in zip(cells, widths_in, strict=True)
        ]
        line_in = _SMALL * _LEADING * _POINT_IN
        height_in = max(len(lines) for lines in wrapped) * line_in + 0.05
        page = self._page
        self._room(height_in + (2 * line_in if head else 0.0))
        if page != self._page and not head:
            self._row(block, block.columns, widths_in, head=True)
        x_in = self._left_in
        for number, (lines, width_in) in enumerate(zip(wrapped, widths_in, strict=True)):
            right = number in block.numeric
            at_in = x_in + width_in - _CELL_GAP_IN if right else x_in
            for line, text in enumerate(lines):
                self._write(
                    at_in,
                    self._y_in + line * line_in,
                    text,
                    _SMALL,
                    weight,
                    aligned="right" if right else "left",
                )
            x_in += width_in
        self._y_in += height_in
        self._rule(self._y_in - 0.025, 0.8 if head else 0.3, style.BLACK if head else style.PALE)

    def _picture(self, block: Picture) -> None:
        caption = self._caption(block)
        self._room(self._height_in(block))
        self._figures += 1
        height_in = self._drawn_in(block)
        block.draw(self._subfigure(height_in))
        self._y_in += height_in + 0.3 * _GAP_IN
        self._lines(caption, _SMALL, colour=style.GREY)
        self._y_in += _GAP_IN

    def _caption(self, block: Picture) -> list[str]:
        text = f"Figure {self._figures + 1}. {block.caption}"
        return _wrapped(text, self._width_in, _SMALL)

    def _height_in(self, block: Picture) -> float:
        lines = len(self._caption(block))
        return self._drawn_in(block) + lines * _SMALL * _LEADING * _POINT_IN + 1.3 * _GAP_IN

    def _drawn_in(self, block: Picture) -> float:
        """No figure is higher than a page and its caption and heading allow."""
        lines = len(self._caption(block)) + 4
        most_in = _PAGE_IN[1] - _TOP_IN - _BOTTOM_IN - lines * _BODY * _LEADING * _POINT_IN - 0.4
        return min(block.height_in, most_in)

    def _subfigure(self, height_in: float) -> SubFigure:
        """A part of the page, as wide as the text, from here on down."""
        below_in = _PAGE_IN[1] - self._y_in - height_in
        grid = GridSpec(
            3,
            3,
            figure=self._figure,
            width_ratios=[self._left_in, self._width_in, self._left_in],
            height_ratios=[self._y_in, height_in, below_in],
        )
        return self._figure.add_subfigure(grid[1, 1])

    # -- marks on paper --------------------------------------------------------------------------
    def _lines(
        self,
        lines: Iterable[str],
        size: float,
        weight: str = "normal",
        *,
        colour: str = style.BLACK,
        indent_in: float = 0.0,
    ) -> None:
        for line in lines:
            height_in = size * _LEADING * _POINT_IN
            self._room(height_in)
            self._write(self._left_in + indent_in, self._y_in, line, size, weight, colour=colour)
            self._y_in += height_in

    def _write(
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
        # By the baseline: a line's highest letter must not move it.
        self._figure.text(
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

    def _rule(self, y_in: float, width: float, colour: str = style.BLACK) -> None:
        ends = [self._left_in / _PAGE_IN[0], 1.0 - self._left_in / _PAGE_IN[0]]
        at = 1.0 - y_in / _PAGE_IN[1]
        self._figure.add_artist(Line2D(ends, [at, at], color=colour, linewidth=width))


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
