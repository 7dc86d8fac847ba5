"""How strongly a family of harmonics stands in envelope spectra, for every fundamental at once, and
how that compares with families that belong to nothing.

The null hypothesis is the signal's own: the same score at decoy fundamentals in the same spectra,
which share its noise, its impulses, its gears and whatever else is in it. A p-value is the rank of
a candidate among them, so that it holds whatever the distribution of the noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from wrench.analysis.measurement import FloatArray
from wrench.diagnosis.envelopes import EnvelopeLines, FloatRows

SLIP = 0.016
"""Rolling elements slip, and a contact angle under load is not that of the drawing: a fundamental
is looked for within this fraction of the kinematic one, up and down."""
LOWEST, HIGHEST = 0.28, 13.0
"""Fundamentals that are scored, in multiples of the shaft's speed."""
HARMONICS = 3
_USUAL = 5.0
_WEIGHTS = (1.0, 0.6, 0.4)
_SMEARED = 0.005
"""Half width of a line whose interval wanders, as a fraction of its order."""
_DECOYS_WITHIN = math.log(2.2)
_DECOYS_A_REACH = 4
_APART = 2.2
_RATIOS = (1.0, 2.0, 0.5, 3.0, 1.0 / 3.0, 1.5, 2.0 / 3.0, 0.75, 4.0 / 3.0)
_BESIDE = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0)
_STRONGEST = 30.0
_STRONGEST_BROAD = 100.0


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of every fundamental: `orders` (k,) with equal ratios, `best` (channels, k) the best
    row's score for each kind of line, `row` (channels, k) which that was; `blur` half of what a
    line of the shaft hides, in orders."""

    orders: FloatArray
    best: FloatRows
    row: npt.NDArray[np.int32]
    blur: float

    def around(self, order: float, slip: float) -> slice:
        """The fundamentals within a slip of `order`."""
        low, high = np.searchsorted(self.orders, [order * (1.0 - slip), order * (1.0 + slip)])
        return slice(int(low), max(int(high), int(low) + 1))


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a family stands among decoys.

    `order` is the fundamental found; `excess` its score above the decoys' median in units of the
    distance from there to their 90th percentile; `p` the share of decoys that reach it, in which
    it counts itself as half of the decoys that one line reaches, so that it is never 0; `reached`
    how many of `decoys` do;
    `row` the row of envelope spectra that shows it best, and `is_smeared` whether its lines are
    broad.
    """

    order: float
    excess: float
    p: float
    row: int
    is_smeared: bool
    decoys: int
    reached: int = 0


def score(lines: EnvelopeLines) -> Scores:
    """Scores of all fundamentals: the square roots of the lines' strengths at its harmonics, summed
    with falling weights. Lines of the shaft count as none."""
    step = lines.order_step
    # Two lines at the highest harmonic of a usual fundamental: no line falls between two scores.
    ratio = max(2.0 * step / (HARMONICS * _USUAL), 1e-4)
    # No further than where all harmonics are there: with fewer, a score means less.
    highest = min(HIGHEST, float(lines.orders[-1]) / (HARMONICS + 0.02))
    orders = np.exp(np.arange(math.log(LOWEST), math.log(highest), ratio))
    shaft = lines.is_shaft()
    excess = np.minimum(lines.power / lines.background, np.float32(_STRONGEST**2))
    excess[:, shaft] = 0.0
    sharp = ndimage.maximum_filter1d(np.sqrt(excess), 3, axis=-1)
    # A broad line: the mean over its width, in units of how much that varies where there is none.
    wide = np.array([at for at, row in enumerate(lines.rows) if row.is_wide])
    # A line of one width alone makes no broad one, however high.
    of_wide = np.minimum(excess[wide], np.float32(_STRONGEST_BROAD))
    of_wide[:, shaft] = 1.0
    running = np.cumsum(of_wide, axis=-1, dtype=np.float64)
    length = excess.shape[-1]
    coarse = max(1, int(0.2 * _SMEARED / ratio))
    middles = orders[::coarse]
    narrow = np.zeros((len(excess), len(orders)), np.float32)
    broad = np.zeros((len(wide), len(middles)), np.float32)
    for harmonic, weight in zip(range(1, HARMONICS + 1), _WEIGHTS, strict=True):
        line = np.round(harmonic * orders / step).astype(np.int64)
        after = int(np.searchsorted(line, length))
        narrow[:, :after] += np.float32(weight) * np.take(sharp, line[:after], axis=1)
        at = harmonic * middles / step
        half = np.maximum(3.0, _SMEARED * at)
        low, high = (at - half).astype(np.int64), (at + half).astype(np.int64)
        after = int(np.searchsorted(high, length))
        low, high = np.maximum(low[:after], 0), high[:after]
        width = high - low
        level = (np.take(running, high, axis=1) - np.take(running, low, axis=1)) / width - 1.0
        level *= np.sqrt(width / lines.spread)
        broad[:, :after] += np.float32(weight) * np.sqrt(np.maximum(level, 0.0))
    of_broad = np.minimum(np.arange(len(orders)) // coarse, len(middles) - 1)
    best = np.stack([narrow.max(axis=0), broad.max(axis=0)[of_broad]])
    row = np.stack([narrow.argmax(axis=0), wide[broad.argmax(axis=0)][of_broad]]).astype(np.int32)
    return Scores(orders, best, row, lines.hidden)


def stand(scores: Scores, order: float, *, slip: float = SLIP) -> Standing:
    """Where the family with a fundamental near `order` stands among decoys from less than half to
    more than twice of it, which are related neither to it nor to the shaft."""
    inside = scores.around(order, slip)
    found = scores.best[:, inside]
    reach = max(1, round(slip / math.log(scores.orders[1] / scores.orders[0])))
    wide = ndimage.maximum_filter1d(scores.best, 2 * reach + 1, axis=-1)
    decoys = wide[:, _decoys(scores, order, slip, reach)]
    if decoys.shape[1] == 0:
        return Standing(order, 0.0, 1.0, 0, False, 0)
    middle = np.median(decoys, axis=1)
    high = np.percentile(decoys, 90.0, axis=1)
    scale = np.maximum(high - middle, 0.05 * middle + 1e-6)
    of_decoys = np.max((decoys - middle[:, None]) / scale[:, None], axis=0)
    of_found = (found - middle[:, None]) / scale[:, None]
    channel, at = np.unravel_index(int(np.argmax(of_found)), of_found.shape)
    excess = float(of_found[channel, at])
    reached = int(np.sum(of_decoys >= excess))
    where = inside.start + int(at)
    return Standing(
        float(scores.orders[where]),
        excess,
        (_DECOYS_A_REACH + reached) / (_DECOYS_A_REACH + len(of_decoys)),
        int(scores.row[channel, where]),
        bool(channel == 1),
        len(of_decoys),
        reached,
    )


def related(order: float, to: float, apart: float) -> bool:
    """Whether two families share lines: a simple ratio, or lines of the shaft's speed beside."""
    if any(abs(math.log(order / (to * ratio))) < apart for ratio in _RATIOS):
        return True
    return any(
        abs(order - (to + beside)) < apart * order
        or abs(2.0 * order - (to + beside)) < apart * order
        for beside in _BESIDE
    )


def _decoys(scores: Scores, order: float, slip: float, reach: int) -> npt.NDArray[np.int64]:
    """Indices of decoys, spaced so that neighbours overlap by half."""
    orders = scores.orders
    first = max(reach, int(np.searchsorted(orders, order * math.exp(-_DECOYS_WITHIN))))
    after = min(len(orders) - reach, int(np.searchsorted(orders, order * math.exp(_DECOYS_WITHIN))))
    every = np.arange(first, max(first, after), max(1, reach // _DECOYS_A_REACH))
    apart = _APART * slip
    kept = [
        at
        for at in every.tolist()
        if not related(float(orders[at]), order, apart)
        and not is_near_shaft(float(orders[at]), slip, scores.blur)
    ]
    return np.asarray(kept, dtype=np.int64)


def is_near_shaft(order: float, slip: float, blur: float) -> bool:
    """Some of its lines could be the shaft's own, within a slip."""
    return abs(order - round(order)) < 0.8 * slip * order + blur or order < LOWEST * (1.0 + slip)
