"""The answer as a picture: each class's expected loss, avoided and left, and what is bought."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wrench.errors import ReportError
from wrench.reporting import style
from wrench.reporting.whole import write_whole
from wrench.triage.result import Triage
from wrench.triage.told import amount

_DPI = 180
_ROW_IN = 0.2
_MOST_ROWS = 25
_LEFT_ROWS = 8
_NAME = 42


def refuse(path: Path, force: bool) -> None:
    """Raises ReportError where a picture cannot go there."""
    if path.exists() and not force:
        raise ReportError(f"{path} is there already; give another name with -o, or --force")
    if not path.parent.is_dir():
        raise ReportError(f"there is no folder {path.parent}; make it, or name another with -o")


def write(result: Triage, currency: str, path: Path) -> None:
    """Raises ReportError where it cannot be written; what was there before then stays."""
    file = io.BytesIO()
    form = path.suffix.lower().removeprefix(".")
    with style.styled():
        picture(result, currency).savefig(file, format=form, dpi=_DPI)
    write_whole(path, file.getvalue())


def picture(result: Triage, currency: str) -> Figure:
    """As a figure; to be made and drawn inside `style.styled`."""
    bought = result.bought[:_MOST_ROWS]
    left = [one for one in result.left if one.avoids][:_LEFT_ROWS]
    heights = [0.75 + 2 * _ROW_IN * len(result.classes)]
    heights += [0.55 + _ROW_IN * len(rows) for rows in (bought, left) if rows]
    figure = Figure(figsize=(style.WIDTH_IN, sum(heights)), layout="constrained")
    places = list(figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
    _classes(places.pop(0), result)
    if bought:
        title = f"Bought: {result.cost:,f} of {result.budget:,f} {currency}".strip()
        if len(result.bought) > len(bought):
            title += f", the first {len(bought)} of {len(result.bought)} parts"
        rows = [(one.part.name, one.part.criticality, float(one.part.cost)) for one in bought]
        _costs(places.pop(0), rows, title, currency, style.BLUE)
    if left:
        title = "Not bought: what would avoid most, with what it needs"
        rows = [(one.part.name, one.part.criticality, float(one.cost)) for one in left]
        _costs(places.pop(0), rows, title, currency, style.PALE)
    return figure


def _classes(place: Axes, result: Triage) -> None:
    """A bar for each class: its whole is the loss with nothing bought."""
    for row, risk in enumerate(result.classes):
        whole = risk.before or 1.0
        stays = 100.0 * risk.least / whole
        could = 100.0 * max(risk.after - risk.least, 0.0) / whole
        saved = 100.0 * max(risk.before - risk.after, 0.0) / whole
        names = ("avoided", "left at risk", "no part of the list avoids it")
        colours = (style.BLUE, style.ORANGE, style.PALE)
        begin = 0.0
        for share, name, colour, hatch in zip(
            (saved, could, stays), names, colours, ("", "///", "..."), strict=True
        ):
            place.barh(
                row,
                share,
                left=begin,
                color=colour,
                edgecolor="white",
                hatch=hatch,
                height=0.6,
                label=name if row == 0 else None,
            )
            begin += share
        place.text(
            101.0,
            row,
            f"{amount(risk.before)} → {amount(risk.after)}",
            va="center",
            fontsize=7.5,
        )
    labels = [f"{risk.name}\n{risk.bought} of {risk.parts} bought" for risk in result.classes]
    place.set_yticks(range(len(labels)), labels)
    place.invert_yaxis()
    place.set_xlim(0.0, 100.0)
    place.set_xlabel("share of the class's expected loss, %")
    place.grid(visible=False, axis="y")
    unit = f", {result.parts.loss_unit}" if result.parts.loss_unit else ""
    place.set_title(f"Expected loss within the horizon, classes in strict order{unit}", pad=18)
    place.legend(loc="lower left", bbox_to_anchor=(0.0, 0.99), ncols=3, borderpad=0.0)


def _costs(
    place: Axes, rows: list[tuple[str, str, float]], title: str, currency: str, colour: str
) -> None:
    costs = [cost for _, _, cost in rows]
    place.barh(range(len(rows)), costs, color=colour, height=0.7)
    for row, (_, criticality, cost) in enumerate(rows):
        place.annotate(
            f"{cost:,.10g}  {criticality}",
            (cost, row),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
        )
    names = [name if len(name) <= _NAME else f"{name[: _NAME - 1]}…" for name, _, _ in rows]
    place.set_yticks(range(len(rows)), names)
    place.invert_yaxis()
    place.set_xlim(0.0, 1.3 * max(costs) or 1.0)
    place.grid(visible=False, axis="y")
    place.set_xlabel(f"cost, {currency}" if currency else "cost")
    place.set_title(title)
