"""A waveform and a spectrum as lines of text: in braille dots and eighths of a cell, or ASCII."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from wrench.monitor import styles
from wrench.monitor.symbols import Symbols
from wrench.monitor.waveform import Spectrum

GUTTER = 8
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BRAILLE = 0x2800
_STEPS = (1.0, 2.0, 5.0, 10.0)


class Scale:
    """A round top of a vertical axis that follows what is drawn, and does not dance: it grows at
    once and shrinks where little of it is used.
    """

    def __init__(self, least: float) -> None:
        self.top = least
        self._least = least

    def fit(self, highest: float) -> float:
        """The top to draw with; 1, 2 or 5 times a power of ten."""
        wanted = _round_up(max(highest, self._least))
        if highest > self.top or wanted < 0.45 * self.top:
            self.top = wanted
        return self.top


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(step for step in _STEPS if step * power >= value * (1 - 1e-9)) * power


def waveform_lines(
    values: NDArray[np.float64],
    width: int,
    height: int,
    symbols: Symbols,
    *,
    top: float,
    length_s: float,
) -> list[Text]:
    """`height` lines of `width` columns, the last of them the time axis.

    `values` (g) fill the width; a column shows all of its samples from least to greatest, so that
    no blow is between two dots. The vertical axis spans -`top` to `top`.
    """
    columns, rows = max(4, width - GUTTER), max(1, height - 1)
    cells = _trace(values, columns, rows, symbols, top)
    unit, per_unit = ("g", 1.0) if top >= 0.1 else ("mg", 1000.0)
    labels = {0: f"{top * per_unit:+.3g} {unit}", rows - 1: f"{-top * per_unit:+.3g} {unit}"}
    if rows >= 3:
        labels[rows // 2] = "0"
    lines = [
        Text.assemble(
            (f"{labels.get(row, ''):>{GUTTER - 1}} ", styles.FAINT),
            (cells[row], styles.ACCENT),
            no_wrap=True,
        )
        for row in range(rows)
    ]
    ticks = [(0.0, f"{symbols.tick} 0 ms"), (0.5, _ms(symbols, 0.5 * length_s))]
    lines.append(_axis(columns, symbols, ticks, _ms(symbols, length_s, last=True)))
    return lines


def spectrum_lines(
    spectrum: Spectrum,
    width: int,
    height: int,
    symbols: Symbols,
    *,
    top: float,
) -> list[Text]:
    """`height` lines of `width` columns, the last of them the frequency axis.

    A column shows the highest of its lines, so that a narrow one stays as high as it is.
    """
    columns, rows = max(4, width - GUTTER), max(1, height - 1)
    amplitudes = spectrum.amplitude_g
    edges = np.linspace(0, len(amplitudes), columns + 1).astype(int)[:-1]
    highest = np.maximum.reduceat(amplitudes, edges)
    full = len(symbols.levels) - 1
    fills = np.clip(np.rint(highest / top * rows * full), 0, rows * full).astype(int)
    mark = np.array(list(symbols.levels))
    labels = {0: f"{top:.3g} g" if top >= 1.0 else f"{1000 * top:.3g} mg", rows - 1: "0"}
    lines: list[Text] = []
    for row in range(rows):
        parts = np.clip(fills - (rows - 1 - row) * full, 0, full)
        text = "".join(mark[parts])
        lines.append(
            Text.assemble(
                (f"{labels.get(row, ''):>{GUTTER - 1}} ", styles.FAINT),
                (text, styles.ACCENT),
                no_wrap=True,
            )
        )
    end_hz = (len(amplitudes) - 1) * spectrum.step_hz
    ticks = [(at, f"{symbols.tick} {at * end_hz:.0f}") for at in (0.0, 0.25, 0.5, 0.75)]
    lines.append(_axis(columns, symbols, ticks, f"{end_hz:.0f} Hz"))
    return lines


def _trace(
    values: NDArray[np.float64], columns: int, rows: int, symbols: Symbols, top: float
) -> list[str]:
    across, down = (2, 4) if symbols.unicode else (1, 2)
    if len(values) < 2:
        return [" " * columns] * rows
    places = rows * down
    edges = np.minimum(
        np.linspace(0, len(values), columns * across + 1).astype(int)[:-1], len(values) - 1
    )
    least, greatest = np.minimum.reduceat(values, edges), np.maximum.reduceat(values, edges)
    # Neighbours touch: a steep flank is a line, not two dots.
    low = least.copy()
    high = greatest.copy()
    low[1:] = np.minimum(low[1:], greatest[:-1])
    high[1:] = np.maximum(high[1:], least[:-1])
    upper = _place(high, places, top)
    lower = _place(low, places, top)
    place = np.arange(places)[:, None]
    dots = (place >= upper) & (place <= lower)
    if not symbols.unicode:
        marks = np.array([" ", "'", ".", "|"])
        halves = dots.reshape(rows, 2, columns)
        picked = halves[:, 0] + 2 * halves[:, 1]
        return ["".join(line) for line in marks[picked.astype(int)]]
    cells = dots.reshape(rows, 4, columns, 2)
    codes = np.einsum("rdcx,dx->rc", cells, _DOTS) + _BRAILLE
    return ["".join(map(chr, line)).replace(chr(_BRAILLE), " ") for line in codes]


def _place(values: NDArray[np.float64], places: int, top: float) -> NDArray[np.int64]:
    return np.clip(((top - values) / (2 * top) * places).astype(np.int64), 0, places - 1)


def _ms(symbols: Symbols, seconds: float, *, last: bool = False) -> str:
    text = f"{1000 * seconds:.0f} ms"
    return text if last else f"{symbols.tick} {text}"


def _axis(columns: int, symbols: Symbols, ticks: list[tuple[float, str]], end: str) -> Text:
    marks = [symbols.horizontal] * columns
    marks[columns - len(end) :] = end
    free = columns - len(end) - 1
    used = 0
    for fraction, label in ticks:
        at = int(fraction * columns)
        if at >= used and at + len(label) + 1 <= free:
            marks[at : at + len(label)] = label
            marks[at + len(label)] = " "
            used = at + len(label) + 2
    return Text(" " * GUTTER + "".join(marks[:columns]), style=styles.FAINT, no_wrap=True)
