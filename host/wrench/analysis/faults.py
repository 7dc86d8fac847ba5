"""Where a bearing's faults would show, and what stands there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wrench.analysis.spectrum import HANN_BANDWIDTH, Spectrum
from wrench.boards.schema import Bearing

SLIP = 0.02
"""Fault frequencies lie within this fraction of the kinematic ones, up and down: rolling elements
slip by 1 to 2 %, and dimensions are known to less than that."""

FAMILIES = ("shaft", "FTF", "BSF", "BPFO", "BPFI")
"""The shaft itself, the cage, a ball's spin, balls passing the outer race, the inner race."""
# A spot on a ball strikes both races: a ball's fault shows at even multiples of its spin.
_HARMONICS = {
    "shaft": (1, 2, 3),
    "FTF": (1, 2),
    "BSF": (1, 2, 4),
    "BPFO": (1, 2, 3, 4),
    "BPFI": (1, 2, 3),
}
_AROUND = 0.5
_LOWEST_LINES = 2.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A harmonic of a family, in multiples of the shaft's speed: where it is expected without slip,
    and the band in which it may lie."""

    family: str
    harmonic: int
    order: float
    low: float
    high: float

    @property
    def name(self) -> str:
        """As "BPFO", "2 BPFO" or "1x"."""
        if self.family == "shaft":
            return f"{self.harmonic}x"
        return self.family if self.harmonic == 1 else f"{self.harmonic} {self.family}"


@dataclass(frozen=True, slots=True)
class Reading:
    """The highest line in a mark's band: where, how high (RMS), and the median of the lines from
    half an order below the band to half an order above it. Where it is no peak it is but the flank
    of a line beside the band: `amplitude` is then the most that the mark's own line can have."""

    mark: Mark
    order: float
    amplitude: float
    around: float
    is_peak: bool


def fundamental_orders(bearing: Bearing | None) -> dict[str, float]:
    """Fundamental of each family as a multiple of the shaft's speed; the shaft's alone without a
    bearing."""
    orders = {"shaft": 1.0}
    if bearing is not None:
        orders |= {
            "FTF": bearing.ftf_order,
            "BSF": bearing.bsf_order,
            "BPFO": bearing.bpfo_order,
            "BPFI": bearing.bpfi_order,
        }
    return orders


def marks(bearing: Bearing | None) -> list[Mark]:
    """Every mark that is drawn, by family and harmonic."""
    found = []
    for family, order in fundamental_orders(bearing).items():
        slip = 0.0 if family == "shaft" else SLIP
        for harmonic in _HARMONICS[family]:
            at = harmonic * order
            found.append(Mark(family, harmonic, at, at * (1.0 - slip), at * (1.0 + slip)))
    return found


def read(spectrum: Spectrum, mark: Mark, order_of: float = 1.0) -> Reading | None:
    """The highest line of a spectrum in a mark's band, which is widened to what the spectrum can
    tell apart; None where the spectrum does not reach it, or cannot tell it from 0. `order_of` is
    a line's frequency in units of the spectrum's for order 1: 1 for a spectrum of orders, the
    shaft's Hz for one in Hz.
    """
    blur = 0.5 * HANN_BANDWIDTH / spectrum.length / order_of
    orders = spectrum.frequency / order_of
    if not len(orders) or mark.high + blur > orders[-1] or is_too_low(spectrum, mark, order_of):
        return None
    inside = np.flatnonzero((orders >= mark.low - blur) & (orders <= mark.high + blur))
    if not len(inside):
        return None
    amplitude = spectrum.amplitude
    top = int(inside[np.argmax(amplitude[inside])])
    near = (orders >= mark.low - blur - _AROUND) & (orders <= mark.high + blur + _AROUND)
    near[inside] = False
    # The line at 0 has nothing in it: the mean was taken out.
    near &= orders > blur
    around = float(np.median(amplitude[near])) if near.any() else 0.0
    beside = amplitude[max(0, top - 1) : top + 2]
    is_peak = bool(amplitude[top] >= np.max(beside))
    return Reading(mark, float(orders[top]), float(amplitude[top]), around, is_peak)


def is_too_low(spectrum: Spectrum, mark: Mark, order_of: float = 1.0) -> bool:
    """The mark lies within half the main lobe of the window at 0, which the mean's removal empties:
    segments would have to be longer."""
    return mark.order * order_of < _LOWEST_LINES * spectrum.resolution
