"""What the lines of a family look like, beyond that they are there: how deep they modulate, and
whether the fundamental is really theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wrench.diagnosis.combs import Scores, Standing
from wrench.diagnosis.envelopes import EnvelopeLines

_SMEARED = 0.008
_HALVES = (0.5, 1.5)
_THIRDS = (1.0 / 3.0, 2.0 / 3.0)
_TINY = 1e-9
_OF_BLOWS = 0.2
_ALONE, _FAINT = 0.1, 0.15
_OF_TRAIN = 0.3
_DEEP_TRAIN = 0.5
_SLOWEST = 1.2
_TRIED = 8
_APART = 0.01


@dataclass(frozen=True, slots=True)
class Family:
    """The lines of a family.

    `depth` is the amplitude of the first line in the best of the wide bands, relative to the mean
    of the squared envelope there: 0 for none, 1 for a full modulation, at most 2 for blows with
    nothing between. `harmonics` are amplitudes of the first four lines in the same row; `between`
    the greatest at half-multiples of the fundamental, or at its thirds, which would make it a
    harmonic of another; `beside` the greatest at one shaft order away from the first line.
    `random_depth` is that of bands whose discrete lines are levelled.
    """

    standing: Standing
    depth: float
    floor: float
    row: int
    harmonics: tuple[float, ...]
    between: float
    beside: float
    random_depth: float

    @property
    def is_beat(self) -> bool:
        """Lines that go when discrete lines are levelled, and are not those of a train of blows as
        regular as a clock, which has many and deep ones: tones beat, nothing strikes."""
        if self.random_depth >= _OF_BLOWS * self.depth:
            is_alone = max(self.harmonics[1:]) < _ALONE * self.harmonics[0]
            return is_alone and self.random_depth < _FAINT
        is_train = min(self.harmonics) > _OF_TRAIN * self.harmonics[0]
        return self.depth < _DEEP_TRAIN or not is_train

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
    halves, thirds = (
        [float(_amplitudes(lines, own, part * order)[0]) for part in parts]
        for parts in (_HALVES, _THIRDS)
    )
    # One line at a third may be another part's; the third harmonic of a family has both below it.
    between = max(*halves, min(thirds))
    beside = max(
        float(_amplitudes(lines, own, abs(order + side))[0]) if abs(order + side) > 0.3 else 0.0
        for side in (-1.0, 1.0)
    )
    floor = float(np.sqrt(np.median(lines.background[row])))
    levelled = [
        depth
        for depth, at in zip(depths, wide, strict=True)
        if lines.rows[at].whitening == "cepstrum"
    ]
    return Family(
        standing,
        float(np.max(depths)),
        floor,
        row,
        harmonics,
        between,
        beside,
        float(max(levelled)),
    )


def strongest(
    lines: EnvelopeLines, scores: Scores, is_explained: Callable[[float], bool]
) -> tuple[float, float]:
    """Order and depth of the deepest fundamental above 1 of those that score highest, without what
    `is_explained` by something else, or is the shaft's; (0, 0) where there is none."""
    best = np.max(scores.best, axis=0)
    near_shaft = np.abs(scores.orders - np.round(scores.orders))
    near_shaft -= np.maximum(0.01 * scores.orders, lines.hidden)
    open_to = (scores.orders > _SLOWEST) & (near_shaft > 0.0)
    wide = [index for index, row in enumerate(lines.rows) if row.is_wide]
    found = (0.0, 0.0)
    tried = 0
    while tried < _TRIED and open_to.any():
        at = int(np.argmax(np.where(open_to, best, -1.0)))
        order = float(scores.orders[at])
        open_to &= np.abs(scores.orders / order - 1.0) > _APART
        if is_explained(order):
            continue
        tried += 1
        depth = float(np.max(_amplitudes(lines, wide, order)))
        if depth > found[1]:
            found = (order, depth)
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
    return np.sqrt(np.maximum(excess, 0.0) / lines.spread)
