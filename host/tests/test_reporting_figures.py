"""The figures of a report can be read: no text lies on another or is cut off, axes have units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
import worn_drill
from known_signals import of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from wrench.analysis.analyse import analyse
from wrench.analysis.load import load
from wrench.analysis.result import Analysis
from wrench.reporting import figures, onepage, pdf, style
from wrench.reporting.compose import compose

_TOUCHING_PX = 1.0
_APART_PX = 1.5
_UNIT = re.compile(r"(, (g|g RMS|mm/s|mm/s RMS|s|min|h|Hz|rpm|A|V|°C)|multiples of .*)( \(.*\))?$")
_PURE = ("crest factor", "kurtosis")


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """A board's recording: three axes, events, levels, a speed that changes."""
    return analyse(load(worn_drill.record(tmp_path_factory.mktemp("drill") / "worn.mcap")))


@pytest.fixture(scope="module")
def bare() -> Analysis:
    """The least that can be known: one axis, one second, no speed and nobody who told of it."""
    return analyse(of(worn_drill.acceleration_g()[-3200:, 1]))


def drawn(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Bbox]]:
    """Every text that is drawn, and where; those at an angle have no box worth the name."""
    figure.set_dpi(100)
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    found: list[tuple[str, Bbox]] = []
    draw = Text.draw

    def noting(text: Text, renderer: Any) -> None:
        draw(text, renderer)
        if text.get_text().strip() and text.get_visible() and not text.get_rotation() % 90.0:
            found.append((text.get_text(), text.get_window_extent(renderer).padded(_APART_PX, 0.0)))

    with monkeypatch.context() as patched:
        patched.setattr(Text, "draw", noting)
        figure.canvas.draw()
    return found


def assert_legible(figure: Figure, found: Sequence[tuple[str, Bbox]]) -> None:
    """Every text lies inside the figure, and none on another."""
    page = figure.bbox.padded(_APART_PX + _TOUCHING_PX)
    for name, box in found:
        assert page.x0 <= box.x0 < box.x1 <= page.x1, f"{name!r} is cut off"
        assert page.y0 <= box.y0 < box.y1 <= page.y1, f"{name!r} is cut off"
    for (name, box), (other, box_2) in combinations(found, 2):
        width = min(box.x1, box_2.x1) - max(box.x0, box_2.x0)
        height = min(box.y1, box_2.y1) - max(box.y0, box_2.y0)
        assert min(width, height) <= _TOUCHING_PX, f"{name!r} lies on {other!r}"


# The others are parts of the page below.
_ALONE = ("machine", "waveform", "velocity", "envelope-over-time", "over-speed")


@pytest.mark.parametrize(
    "kind",
    [kind for kind in figures.FIGURES if kind.name in _ALONE],
    ids=lambda kind: kind.name,
)
def test_every_figure_is_legible(
    kind: figures.Kind, drill: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kind.there(drill)
    with style.styled():
        figure = Figure(figsize=(style.WIDTH_IN, kind.height_in(drill)), layout="constrained")
        kind.draw(figure, drill)
        found = drawn(figure, monkeypatch)
    assert_legible(figure, found)
    labels = [ax.get_ylabel() for ax in figure.axes] + [ax.get_xlabel() for ax in figure.axes]
    for label in filter(None, labels):
        line = label.replace("\n", " ")
        assert line.startswith(_PURE) or _UNIT.search(line), label


@pytest.mark.parametrize("name", ["vibration", "velocity"])
def test_a_figure_is_legible_where_a_page_leaves_it_the_least(
    name: str, drill: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = next(kind for kind in figures.FIGURES if kind.name == name)
    with style.styled():
        least_in = pdf.LEAST * kind.height_in(drill)
        figure = Figure(figsize=(style.WIDTH_IN, least_in), layout="constrained")
        kind.draw(figure, drill)
        assert_legible(figure, drawn(figure, monkeypatch))


@pytest.mark.parametrize("which", ["drill", "bare"])
def test_the_page_is_legible(
    which: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = request.getfixturevalue(which)
    with style.styled():
        figure = onepage.page(compose(analysis), analysis)
        assert_legible(figure, drawn(figure, monkeypatch))
