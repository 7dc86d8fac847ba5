"""What the lines of a family look like, beyond that they are there: how deep they modulate, and
whether the fundamental is really theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wrench.diagnosis.combs import Scores, Standing, related
from wrench.diagnosis.envelopes import EnvelopeLines

_SMEARED = 0.008
_HALVES = (0.5, 1.5)
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Family:
    """The lines of a family.

    `depth` is the amplitude of the first line in the best of the wide bands, relative to the mean
    of the squared envelope there: 0 for none, 1 for a full modulation, at most 2 for blows with
    nothing between. `harmonics` are amplitudes of the first four lines in the same row; `between`
    the greatest at half-multiples of the fundamental, which would make it the second harmonic of
    another; `beside` the greatest at one shaft order away from the first line.
    """

    standing: Standing
    depth: float
    floor: float
    row: int
    harmonics: tuple[float, ...]
    between: float
    beside: float

    @property
    def first_share(self) -> float:
        """The first line as a share of the greatest harmonic."""
        return self.harmonics[0] / max(*self.harmonics, _TINY)


def family(lines: EnvelopeLines, standing: Standing) -> Family:
    """The lines of the family that was found."""
    wide = [at for at, row in enumerate(lines.rows) if row.is_wide]
    order = standing.order
    depths = _amplitudes(lines, wide, order)
    row = wide[int(np.argmax(depths))]
    own = [row]
    harmonics = tuple(float(_amplitudes(lines, own, k * order)[0]) for k in range(1, 5))
    between = max(float(_amplitudes(lines, own, half * order)[0]) for half in _HALVES)
    beside = max(
        float(_amplitudes(lines, own, abs(order + side))[0]) if abs(order + side) > 0.3 else 0.0
        for side in (-1.0, 1.0)
    )
    floor = float(np.sqrt(np.median(lines.background[row])))
    return Family(standing, float(np.max(depths)), floor, row, harmonics, between, beside)


def strongest(
    lines: EnvelopeLines, scores: Scores, unlike: tuple[float, ...], apart: float
) -> tuple[float, float]:
    """Order and depth of the deepest fundamental above 1 that is related to none of `unlike`, nor
    the shaft's; (0, 0) where there is none."""
    best = np.max(scores.best, axis=0)
    step = lines.order_step
    found = (0.0, 0.0)
    tried = 0
    taken: list[float] = []
    for at in np.argsort(-best):
        order = float(scores.orders[at])
        if order < 1.2 or abs(order - round(order)) < max(0.01 * order + 0.012, 5.0 * step):
            continue
        if any(abs(order / one - 1.0) < 0.01 for one in taken):
            continue
        taken.append(order)
        if any(related(order, one, apart) for one in unlike):
            continue
        wide = [index for index, row in enumerate(lines.rows) if row.is_wide]
        depth = float(np.max(_amplitudes(lines, wide, order)))
        if depth > found[1]:
            found = (order, depth)
        tried += 1
        if tried >= 4 or len(taken) > 40:
            break
    return found


def _amplitudes(lines: EnvelopeLines, rows: list[int], order: float) -> np.ndarray:
    """Amplitude of what stands around an order above the background, smeared or not, (rows,)."""
    step = lines.order_step
    half = max(3.0 * step, _SMEARED * order)
    first = max(0, int(np.ceil((order - half) / step)))
    after = int(np.floor((order + half) / step)) + 1
    if first >= lines.power.shape[1]:
        return np.zeros(len(rows))
    power = lines.power[rows, first:after]
    excess = np.sum(power - lines.background[rows, first:after], axis=1)
    # A peak alone, where it holds more than the sum, which noise makes small at times.
    return np.sqrt(np.maximum(excess, 0.0) / lines.spread)
