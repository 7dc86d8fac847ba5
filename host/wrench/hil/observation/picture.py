"""An excerpt as a picture: every line, bus and note on one axis of device time, and beside it the
moment that matters, enlarged."""

from __future__ import annotations

import io
import itertools
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from wrench.bench.emulator.traffic import Transfer
from wrench.hil.observation.excerpt import Excerpt, Lane, LineSeen, Note, Stretch
from wrench.hil.observation.words import repeated, time
from wrench.reporting import style

_WIDTH_IN = 13.0
_LANE_IN = 0.3
_DPI = 110
_LEAST_NS = 1e9
"""How much a picture shows, if not more to have the last notes on it."""
_REACTION_NS = 0.3e9
"""The close view begins with what was done, if that was no longer before the watched edge."""
_CLOSE_NS = 10e6
_RESOLVED_PX = 3.0
_CLOSE_PX, _WIDE_PX = 480.0, 640.0
_NOTES_SHOWN = 24
_TALL = 0.66
_BY = {"test": style.RED, "host": style.BLUE, "board": style.GREEN}
_HATCHED = {"facecolor": "#e9eff5", "edgecolor": style.SKY, "hatch": "//////", "linewidth": 0.0}


@dataclass(frozen=True)
class _View:
    """A window of time, and how much of it a pixel is."""

    begin_ns: float
    end_ns: float
    pixels: float

    @property
    def pixel_ns(self) -> float:
        return (self.end_ns - self.begin_ns) / self.pixels

    def shows(self, begin_ns: float, end_ns: float) -> bool:
        return end_ns >= self.begin_ns and begin_ns <= self.end_ns


_Draw = Callable[[Axes, _View, float], None]
"""Draws one lane, whose foot is at a height, as far as a view shows it."""


def render(excerpt: Excerpt, title: str = "") -> bytes:
    """The PNG. Where a line has more edges than can be drawn, or than are known, it is hatched."""
    with style.styled():
        file = io.BytesIO()
        figure(excerpt, title).savefig(file, format="png", dpi=_DPI)
    return file.getvalue()


def figure(excerpt: Excerpt, title: str = "") -> Figure:
    """The picture as a figure; to be made and drawn inside `style.styled`."""
    wide = _wide(excerpt)
    close = _close(excerpt, wide)
    lanes = _lanes(excerpt, wide)
    shown = [note for note in excerpt.notes if wide.shows(note.time_ns, note.time_ns)]
    left_out = max(0, len(shown) - _NOTES_SHOWN)
    numbered = list(enumerate(shown[left_out:], 1))
    rows = max(1, (len(numbered) + 1) // 2)
    heading = textwrap.wrap(title, 150)[:1] + _failure_lines(excerpt)
    head_in, notes_in = 0.3 + 0.17 * len(heading), 0.25 + 0.16 * rows
    lanes_in = 0.7 + _LANE_IN * len(lanes)
    made = Figure(figsize=(_WIDTH_IN, head_in + lanes_in + notes_in))
    height_in = head_in + lanes_in + notes_in
    for number, text in enumerate(heading):
        y = 1.0 - (0.22 + 0.17 * number) / height_in
        weight, color = ("bold", style.BLACK) if not number else ("normal", style.RED)
        made.text(0.01, y, text, fontsize=9, fontweight=weight, color=color, parse_math=False)
    bottom, top = (notes_in + 0.42) / height_in, 1.0 - (head_in + 0.22) / height_in
    left = made.add_axes((0.13, bottom, 0.48, top - bottom))
    right = made.add_axes((0.625, bottom, 0.365, top - bottom), sharey=left)
    for axes, view in ((left, wide), (right, close)):
        _draw(axes, view, lanes, excerpt, numbered)
    middles = [_foot(number) + 0.5 * _TALL for number in range(len(lanes))]
    left.set_yticks(middles, [name for name, _ in lanes])
    right.tick_params(labelleft=False, left=False)
    left.axvspan(close.begin_ns, close.end_ns, color=style.ORANGE, alpha=0.18, lw=0, zorder=0)
    _axis(left, "device time, s", 1e9, 0.0)
    about_ns = _about(excerpt, wide)
    unit, per = ("ms", 1e6) if close.end_ns - close.begin_ns > 2e6 else ("µs", 1e3)
    _axis(right, f"{unit} from {time(about_ns)} of device time", per, about_ns)
    _list(made, numbered, left_out, rows, height_in)
    return made


def _failure_lines(excerpt: Excerpt) -> list[str]:
    told = [] if excerpt.failure is None else textwrap.wrap(excerpt.failure.text, 165)[:3]
    return told + [f"not seen: {sentence}" for sentence in excerpt.missing]


# ---- what is shown ------------------------------------------------------------------------------
def _wide(excerpt: Excerpt) -> _View:
    """The last second, and more where the last things that the test did are older."""
    end_ns = excerpt.end_ns
    if excerpt.failure and excerpt.exact:
        end_ns = min(end_ns, excerpt.failure.time_ns + 0.2 * _LEAST_NS)
    begin_ns = end_ns - _LEAST_NS
    done = [note.time_ns for note in excerpt.notes if note.by == "test"][-2:]
    if done:
        begin_ns = min(begin_ns, done[0] - 0.1e9)
    begin_ns = max(begin_ns, excerpt.begin_ns)
    return _View(begin_ns, max(end_ns, begin_ns + 1e6), _WIDE_PX)


def _about(excerpt: Excerpt, wide: _View) -> float:
    """The instant that matters: the failure where it is known, else the watched line's last edge
    that is shown, else the end."""
    if excerpt.failure and excerpt.exact:
        return min(max(excerpt.failure.time_ns, wide.begin_ns), wide.end_ns)
    edge_ns = excerpt.watched.last_edge_ns() if excerpt.watched else None
    if edge_ns is None or not wide.shows(edge_ns, edge_ns):
        return wide.end_ns
    return edge_ns


def _close(excerpt: Excerpt, wide: _View) -> _View:
    """From the last thing that was done before the instant that matters, to a little after."""
    about_ns = _about(excerpt, wide)
    causes = [
        note.time_ns
        for note in excerpt.notes
        if note.by != "board" and about_ns - _REACTION_NS <= note.time_ns <= about_ns
    ]
    before_ns = about_ns - causes[-1] if causes else _CLOSE_NS
    before_ns = max(1.25 * before_ns, 0.05 * _CLOSE_NS)
    after_ns = min(0.5 * before_ns, max(0.05 * before_ns, excerpt.end_ns - about_ns))
    return _View(about_ns - before_ns, about_ns + after_ns, _CLOSE_PX)


def _lanes(excerpt: Excerpt, wide: _View) -> list[tuple[str, _Draw]]:
    """From top to bottom; of buses, flash and USB those that were used in the time shown."""
    lanes: list[tuple[str, _Draw]] = []
    for seen in excerpt.lines:
        label = f"{seen.line.name}  GP{seen.line.gpio}"
        lanes.append((label, _digital(seen)))
        if seen.line.pwm:
            lanes.append((f"{seen.line.name} duty, 0–100 %", _duty(seen)))
    lanes.append(("power, reset", _power(excerpt)))
    if any(wide.shows(from_ns, until_ns) for _, from_ns, until_ns in excerpt.flash_writes):
        lanes.append(("flash writes", _flash(excerpt)))
    lanes += [
        (f"board says: {name}", _states(told, excerpt)) for name, told in excerpt.states.items()
    ]
    lanes += [
        (lane.name, _transfers(lane))
        for lane in excerpt.lanes
        if any(wide.shows(one.begin_ns, one.end_ns) for one in lane.transfers)
    ]
    return lanes


# ---- drawing ------------------------------------------------------------------------------------
def _foot(lane: int) -> float:
    return -float(lane)


def _draw(
    axes: Axes,
    view: _View,
    lanes: Sequence[tuple[str, _Draw]],
    excerpt: Excerpt,
    numbered: Sequence[tuple[int, Note]],
) -> None:
    axes.set_xlim(view.begin_ns, view.end_ns)
    top = 1.0
    axes.set_ylim(_foot(len(lanes) - 1) - 0.3, top)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    for number, (_, draw) in enumerate(lanes):
        draw(axes, view, _foot(number))
    last_px = {True: -99.0, False: -99.0}
    high = False
    for number, note in numbered:
        if not view.shows(note.time_ns, note.time_ns):
            continue
        colour = _BY.get(note.by, style.GREY)
        axes.axvline(note.time_ns, color=colour, lw=0.7, alpha=0.6, zorder=1)
        # Numbers that would lie on each other take turns, and are left out where even that fails.
        at_px = (note.time_ns - view.begin_ns) / view.pixel_ns
        high = at_px - last_px[False] < 14.0
        if at_px - last_px[high] < 14.0:
            continue
        last_px[high] = at_px
        axes.annotate(
            str(number),
            (note.time_ns, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 10.5 if high else 1.5),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            color=colour,
            annotation_clip=False,
        )
    failure = excerpt.failure
    if failure and view.shows(failure.time_ns, failure.time_ns):
        axes.axvline(failure.time_ns, color=style.BLACK, lw=1.4, ls=(0, (2, 1.2)), zorder=5)
        ha = "right" if failure.time_ns > 0.5 * (view.begin_ns + view.end_ns) else "left"
        axes.annotate(
            " failure ",
            (failure.time_ns, 0.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha=ha,
            fontsize=7,
            fontweight="bold",
        )


def _digital(seen: LineSeen) -> _Draw:
    def draw(axes: Axes, view: _View, foot: float) -> None:
        points: list[tuple[float, float]] = []
        bands: list[tuple[float, float]] = []
        for stretch in seen.stretches:
            if not view.shows(stretch.begin_ns, stretch.end_ns):
                continue
            if not points:
                points.append((stretch.begin_ns, foot + _TALL * stretch.before))
            for band in _crowded(stretch, view):
                if bands and band[0] - bands[-1][1] < _RESOLVED_PX * view.pixel_ns:
                    bands[-1] = bands[-1][0], band[1]
                else:
                    bands.append(band)
            for at_ns, level in stretch.changes():
                before = points[-1][1]
                # In a band nobody can tell the lines apart; without them the picture is small.
                after = before if level is None else foot + _TALL * level
                points += [(at_ns, before), (at_ns, after)]
            points.append((stretch.end_ns, foot + _TALL * stretch.after))
        for from_ns, until_ns in bands:
            axes.fill_between([from_ns, until_ns], foot, foot + _TALL, zorder=2.5, **_HATCHED)
        xs, ys = _outside(points, bands)
        axes.plot(xs, ys, color=style.BLACK, lw=0.9, zorder=3)
        axes.axhline(foot, color=style.PALE, lw=0.4, zorder=0)

    return draw


def _outside(
    points: Sequence[tuple[float, float]], bands: Sequence[tuple[float, float]]
) -> tuple[list[float], list[float]]:
    """The points of a line that are in no band; the line is broken there."""
    xs: list[float] = []
    ys: list[float] = []
    at = 0
    for x, y in points:
        while at < len(bands) and bands[at][1] < x:
            at += 1
        if at < len(bands) and bands[at][0] < x < bands[at][1]:
            if xs and xs[-1] == xs[-1]:
                xs.append(float("nan"))
                ys.append(float("nan"))
            continue
        xs.append(x)
        ys.append(y)
    return xs, ys


def _crowded(stretch: Stretch, view: _View) -> list[tuple[float, float]]:
    """Where its edges are not known, or too near to each other to be told apart."""
    least_ns = _RESOLVED_PX * view.pixel_ns
    found: list[tuple[float, float]] = []
    unknown = stretch.unknown_ns
    known = list(stretch.edges_ns if unknown is None else stretch.edges_ns[:-1])
    run: list[float] = []
    for at_ns in [*known, float("inf")]:
        if run and at_ns - run[-1] >= least_ns:
            if len(run) > 3:
                found.append((run[0], run[-1]))
            run = []
        run.append(at_ns)
    # What a stretch begins and ends with is as narrow as what is between its edges.
    if found and found[0][0] - stretch.begin_ns < least_ns:
        found[0] = stretch.begin_ns, found[0][1]
    if found and unknown is None and stretch.end_ns - found[-1][1] < least_ns:
        found[-1] = found[-1][0], stretch.end_ns
    if unknown is not None:
        if found and unknown[0] - found[-1][1] < least_ns:
            found[-1] = found[-1][0], unknown[1]
        else:
            found.append(unknown)
    return found


def _duty(seen: LineSeen) -> _Draw:
    def draw(axes: Axes, view: _View, foot: float) -> None:
        xs: list[float] = []
        ys: list[float] = []
        for stretch in seen.stretches:
            if view.shows(stretch.begin_ns, stretch.end_ns):
                xs += [stretch.begin_ns, stretch.end_ns]
                ys += [foot + _TALL * stretch.high] * 2
        axes.fill_between(xs, foot, ys, color=style.SKY, alpha=0.5, lw=0, zorder=2)
        axes.plot(xs, ys, color=style.BLUE, lw=1.0, zorder=3)
        last: tuple[float, float] | None = None
        for begin_ns, y in zip(xs[::2], ys[::2], strict=True):
            x = max(begin_ns, view.begin_ns)
            new = last is None or abs(y - last[1]) > 0.02 * _TALL
            if new and (last is None or x - last[0] > 45 * view.pixel_ns) and x < view.end_ns:
                last = x, y
                text = f" {(y - foot) / _TALL:.1%}"
                axes.text(x, foot + 0.02, text, fontsize=6.5, va="bottom", zorder=4, clip_on=True)
        axes.axhline(foot, color=style.PALE, lw=0.4, zorder=0)
        axes.axhline(foot + _TALL, color=style.PALE, lw=0.4, ls=":", zorder=0)

    return draw


def _power(excerpt: Excerpt) -> _Draw:
    def draw(axes: Axes, view: _View, foot: float) -> None:
        states = [*excerpt.powered, (excerpt.end_ns, False)]
        for (from_ns, on), (until_ns, _) in itertools.pairwise(states):
            if view.shows(from_ns, until_ns):
                _box(axes, view, (from_ns, until_ns), foot, "on" if on else "OFF", on=on)
        for at_ns, _ in excerpt.resets:
            axes.axvline(at_ns, color=style.PURPLE, lw=1.2, ls=(0, (1, 1)), zorder=2)
            if view.shows(at_ns, at_ns):
                axes.text(at_ns, foot, " reset", fontsize=7, color=style.BLACK, va="bottom")

    return draw


def _flash(excerpt: Excerpt) -> _Draw:
    def draw(axes: Axes, view: _View, foot: float) -> None:
        for what, from_ns, until_ns in excerpt.flash_writes:
            if view.shows(from_ns, until_ns):
                _box(axes, view, (from_ns, until_ns), foot, what, color=style.ORANGE)

    return draw


def _states(told: Sequence[tuple[float, str]], excerpt: Excerpt) -> _Draw:
    """Each until the board tells another, or can tell nothing."""
    ends = [at_ns for at_ns, on in excerpt.powered if not on] + [at for at, _ in excerpt.resets]

    def draw(axes: Axes, view: _View, foot: float) -> None:
        nexts = [at_ns for at_ns, _ in told[1:]] + [excerpt.end_ns]
        for (from_ns, text), next_ns in zip(told, nexts, strict=True):
            until_ns = min([next_ns, *(at_ns for at_ns in ends if at_ns > from_ns)])
            if view.shows(from_ns, until_ns):
                _box(axes, view, (from_ns, until_ns), foot, text)

    return draw


def _box(
    axes: Axes,
    view: _View,
    times_ns: tuple[float, float],
    foot: float,
    text: str,
    *,
    color: str = style.GREEN,
    on: bool = True,
) -> None:
    """A stretch of time with a word in it, where the word fits."""
    from_ns, until_ns = max(times_ns[0], view.begin_ns), min(times_ns[1], view.end_ns)
    axes.fill_between(
        [from_ns, until_ns],
        foot,
        foot + _TALL,
        facecolor=color,
        edgecolor=color,
        alpha=0.3 if on else 0.05,
        lw=0.8,
        zorder=2,
    )
    axes.plot([from_ns, from_ns], [foot, foot + _TALL], color=style.GREY, lw=0.8, zorder=3)
    if (until_ns - from_ns) / view.pixel_ns > 7.5 * len(text):
        axes.text(
            from_ns + 3 * view.pixel_ns,
            foot + 0.5 * _TALL,
            text,
            fontsize=7,
            va="center",
            zorder=4,
            clip_on=True,
        )


def _transfers(lane: Lane) -> _Draw:
    def draw(axes: Axes, view: _View, foot: float) -> None:
        shown = [one for one in lane.transfers if view.shows(one.begin_ns, one.end_ns)]
        for wrong, color in ((False, style.BLUE), (True, style.RED)):
            chosen = [one for one in shown if (one.refused or one.cut) == wrong]
            segments = [_segment(one, view, foot) for one in chosen]
            if segments:
                axes.add_collection(LineCollection(segments, colors=color, linewidths=6, zorder=3))
        axes.axhline(foot + 0.5 * _TALL, color=style.PALE, lw=0.4, zorder=0)

    return draw


def _segment(one: Transfer, view: _View, foot: float) -> list[tuple[float, float]]:
    until_ns = max(one.end_ns, one.begin_ns + 0.7 * view.pixel_ns)
    return [(one.begin_ns, foot + 0.5 * _TALL), (until_ns, foot + 0.5 * _TALL)]


def _axis(axes: Axes, label: str, per: float, zero_ns: float) -> None:
    axes.set_xlabel(label)
    low_ns, high_ns = axes.get_xlim()
    locator = MaxNLocator(8, steps=[1, 2, 5, 10])
    ticks = locator.tick_values((low_ns - zero_ns) / per, (high_ns - zero_ns) / per)
    inside = [it for it in ticks if low_ns <= it * per + zero_ns <= high_ns]
    axes.set_xticks([it * per + zero_ns for it in inside])
    places = 0
    while places < 9 and any(abs(it - round(it, places)) > 1e-9 for it in inside):
        places += 1
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{(x - zero_ns) / per:.{places}f}"))


def _list(
    made: Figure,
    numbered: Sequence[tuple[int, Note]],
    left_out: int,
    rows: int,
    height_in: float,
) -> None:
    """The notes in two columns below, each with its number above the lanes."""
    for place, (number, note) in enumerate(numbered):
        column, row = divmod(place, rows)
        text = f"{number}  {time(note.time_ns)}  {note.by}: {note.text}{repeated(note.times)}"
        made.text(
            0.02 + 0.49 * column,
            (0.16 * (rows - row)) / height_in,
            textwrap.shorten(text, 88),
            fontsize=7.5,
            color=_BY.get(note.by, style.GREY),
            parse_math=False,
        )
    if left_out:
        older = f"{left_out} older notes of this time are in the VCD file"
        made.text(0.99, 0.16 * rows / height_in, older, fontsize=7.5, ha="right", color=style.GREY)
