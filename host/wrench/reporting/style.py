"""How figures look: the same on a screen, on paper, and to eyes that tell few colours apart.

The colours are those of Okabe and Ito ("Color universal design", 2008); maps of amplitude are
cividis (Nuñez, Anderton and Renslow, PLoS ONE 13, 2018). Nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import matplotlib as mpl
from matplotlib.figure import Figure, SubFigure

Canvas: TypeAlias = Figure | SubFigure
"""What a figure is drawn into: one of its own, or a part of a page."""

BLACK = "#1a1a1a"
GREY = "#6b6b6b"
PALE = "#c9c9c9"
BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
ORANGE = "#E69F00"
RED = "#D55E00"
PURPLE = "#CC79A7"

LINES = (BLUE, RED, GREEN, PURPLE, ORANGE)
"""Of the lines of one panel, in order; dashes below tell them apart without colour."""
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), "-")
FAMILIES = {"shaft": GREY, "FTF": PURPLE, "BSF": GREEN, "BPFO": RED, "BPFI": BLUE}
_LEVELS = {"alarm": (ORANGE, (0, (1, 1.5))), "limit": (RED, (0, (4, 2))), "trip": (BLACK, "-")}
MAP = "cividis"
WIDTH_IN = 6.85
"""Of every figure: what an A4 page leaves between its margins."""


def level(name: str) -> tuple[str, Any]:
    """Colour and dashes of a level, by the last word of its name."""
    return _LEVELS.get(name.rpartition(" ")[2], (GREY, (0, (6, 2))))


_SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": BLACK,
    "ytick.labelcolor": BLACK,
    "text.color": BLACK,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 0.8,
    "path.simplify": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    # Text stays text: it can be searched and copied.
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}


@contextmanager
def styled() -> Iterator[None]:
    """Figures made inside look as reports do."""
    with mpl.rc_context(_SETTINGS):
        yield
