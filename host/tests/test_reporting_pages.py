"""The pages of a report: nothing is left out, and none but the last is left half empty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import worn_drill

from wrench.analysis.analyse import analyse
from wrench.analysis.load import load
from wrench.analysis.measurement import Measurement
from wrench.analysis.result import Choices
from wrench.reporting import pdf
from wrench.reporting.compose import compose
from wrench.reporting.document import Table
from wrench.reporting.pdf import LEAST, ROOM_IN, Item, paginated, stretch


def nothing(*_: Any) -> None:
    """Pages are laid out before anything is drawn."""


def text(height_in: float, **options: Any) -> Item:
    return Item(height_in, nothing, **options)


def figure(height_in: float, panels: int = 1) -> Item:
    """A figure that can be cut between its panels, where it has several."""

    def cut(first: int) -> tuple[Item, Item]:
        one_in = height_in / panels
        return figure(first * one_in, first), figure((panels - first) * one_in, panels - first)

    return Item(0.5, nothing, flexible_in=height_in, panels=panels, cut=cut if panels > 1 else None)


def used_in(page: Sequence[Item], *, last: bool = False) -> float:
    """How much of a page is used."""
    share = stretch(page, last=last)
    spaces_in = sum(item.space_in for item in page[1:])
    return spaces_in + sum(item.fixed_in + share * item.flexible_in for item in page)


def test_figures_fill_a_page_and_never_more() -> None:
    pages = paginated([text(1.0), *(figure(4.0) for _ in range(7))])
    assert [len(page) for page in pages] == [3, 2, 2, 1]
    for page in pages[:-1]:
        assert used_in(page) == pytest.approx(ROOM_IN, abs=0.3)
        assert used_in(page) <= ROOM_IN + 1e-9
        assert stretch(page) >= LEAST
    assert stretch(pages[-1], last=True) == 1.0
    # What a page has too little of is not blown up.
    assert stretch([text(5.0), figure(1.0)]) < 1.5


def test_figures_give_way_so_that_one_more_fits() -> None:
    height_in = (ROOM_IN - 1.0) / 2 / LEAST
    (page,) = paginated([figure(height_in - 0.01), figure(height_in - 0.01)])
    assert used_in(page, last=True) == pytest.approx(ROOM_IN)
    assert len(paginated([figure(height_in + 0.01), figure(height_in + 0.01)])) == 2


def test_a_heading_is_not_left_behind() -> None:
    heading = text(0.3, holds_next=True, space_in=0.3)
    pages = paginated([text(ROOM_IN - 1.0), heading, heading, figure(4.0)])
    assert [len(page) for page in pages] == [1, 3]
    assert pages[1][0] is heading


def test_a_table_goes_on_below_its_head() -> None:
    head = text(0.2, holds_next=True)
    rows = [text(0.2, again=head) for _ in range(120)]
    pages = paginated([text(2.0), head, *rows])
    assert len(pages) == 3
    assert all(head in page for page in pages)
    assert [item for page in pages for item in page if item.again] == rows
    assert all(used_in(page) <= ROOM_IN + 1e-9 for page in pages)


def test_a_figure_of_panels_is_cut_where_the_page_ends() -> None:
    pages = paginated([text(6.0), figure(6.0, panels=6)])
    assert [page[-1].panels for page in pages] == [4, 2]
    assert all(used_in(page, last=page is pages[-1]) <= ROOM_IN + 1e-9 for page in pages)
    # One panel alone is not worth a cut.
    assert [page[-1].panels for page in paginated([text(8.5), figure(6.0, panels=6)])] == [1, 6]


def test_what_is_higher_than_a_page_is_put_on_one_all_the_same() -> None:
    pages = paginated([text(1.0), text(2 * ROOM_IN), text(1.0)])
    assert [len(page) for page in pages] == [1, 1, 1]


@pytest.fixture(scope="module")
def measurement(tmp_path_factory: pytest.TempPathFactory) -> Measurement:
    return load(worn_drill.record(tmp_path_factory.mktemp("drill") / "worn.mcap"))


@pytest.mark.parametrize("choices", [Choices(), Choices(4.0, 8.0)], ids=["with events", "without"])
def test_no_page_of_a_board_s_report_is_half_empty(
    choices: Choices, measurement: Measurement
) -> None:
    document = compose(analyse(measurement, choices))
    items = list(pdf.Items(document))
    tables = [it for section in document.sections for it in section.blocks if isinstance(it, Table)]
    # A heading, and a table's caption and head.
    assert sum(it.holds_next for it in items) == len(document.sections) + 2 * len(tables)
    assert {it.panels for it in items} > {1, 4}
    pages = paginated(items)
    assert len(pages) > 4
    for number, page in enumerate(pages[:-1], 1):
        assert used_in(page) > 0.9 * ROOM_IN, f"page {number}"
