"""The envelope of a band, and its spectrum: what a bearing's blows leave behind.

After Randall and Antoni, "Rolling element bearing diagnostics: a tutorial", MSSP 25 (2011), and
for the choice of the band after Antoni, "Fast computation of the kurtogram", MSSP 21 (2007), with
band-passes by the Fourier transform instead of a tree of filters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from wrench.analysis import fourier
from wrench.analysis.measurement import FloatArray, Part
from wrench.analysis.shaft import Shaft

_EDGE = 0.1
_RINGS = 3.0
_OVERSAMPLED = 6.0
_LEVELS = (1, 2, 3, 4, 6, 8, 12, 16)
_BLOCK_S = 1.0
_LOWEST = 0.05
_HIGHEST = 0.95
_MOST_BLOCKS = 64


@dataclass(frozen=True, slots=True)
class Band:
    """A band of carriers, and why this one, in words."""

    low_hz: float
    high_hz: float
    why: str

    @property
    def width_hz(self) -> float:
        """What the envelope can contain at most."""
        return self.high_hz - self.low_hz


def envelope(part: Part, rate_hz: float, band: Band) -> tuple[Part, float] | None:
    """The envelope of what lies in a band, in g, and its rate in Hz; None where `part` is shorter
    than what its ends spoil.

    The magnitude of the analytic signal: a sine of peak 1 g in the band has an envelope of 1 g. The
    band is flat, its edges fall outside over a tenth of its width.
    """
    count = len(part.values)
    spoiled = int(np.ceil(_RINGS / band.width_hz * rate_hz))
    if count <= 4 * spoiled:
        return None
    size = fourier.fast_length(count, real=True)
    spectrum = fourier.forward(part.values - np.mean(part.values), size)
    baseband, env_rate = _baseband(spectrum, size, rate_hz, band, _OVERSAMPLED)
    magnitude = np.abs(baseband)
    cut = int(np.ceil(spoiled * env_rate / rate_hz))
    used = int(np.floor(count * env_rate / rate_hz)) - cut
    begin_s = part.start_s + cut / env_rate
    return Part(begin_s, begin_s + (used - cut) / env_rate, magnitude[cut:used]), env_rate


def by_turns(part: Part, rate_hz: float, shaft: Shaft, per_turn: float) -> Part | None:
    """The same at equal angles of the shaft, `per_turn` samples a turn; times become turns.

    None where the speed is not known, or the shaft hardly turns.
    """
    times_s = part.start_s + np.arange(len(part.values)) / rate_hz
    if not np.isfinite(shaft.speed_hz(times_s[:: max(1, len(times_s) // 100)])).all():
        return None
    turns = shaft.turns(times_s)
    first, last = np.ceil(turns[0] * per_turn), np.floor(turns[-1] * per_turn)
    if last - first < 2:
        return None
    wanted = np.arange(first, last) / per_turn
    # Where the shaft stands, many instants have one angle: the earliest is as good as any.
    rising = np.concatenate([[True], np.diff(turns) > 0.0])
    places = np.interp(wanted, turns[rising], np.flatnonzero(rising).astype(np.float64))
    values = ndimage.map_coordinates(part.values, places[np.newaxis], order=3, mode="nearest")
    return Part(float(wanted[0]), float(wanted[0]) + len(wanted) / per_turn, values)


def choose_band(parts: Iterable[Part], rate_hz: float, least_hz: float) -> Band | None:
    """The band whose envelope is the most impulsive: the greatest kurtosis over a bank of filters
    from a half to 1/32 of the range, none narrower than `least_hz`.

    Of each band the median over blocks of 1 s counts, so that one blow does not decide. None where
    there is less than one block of 0.05 s.
    """
    low_hz, high_hz = _LOWEST * 0.5 * rate_hz, _HIGHEST * 0.5 * rate_hz
    bank = _bank(low_hz, high_hz, least_hz)
    blocks = _blocks(parts, rate_hz)
    if not blocks:
        return None
    found: list[list[float]] = [[] for _ in bank]
    for block in blocks:
        size = fourier.fast_length(len(block), real=True)
        spectrum = fourier.forward(block - np.mean(block), size)
        for kept, band in zip(found, bank, strict=True):
            kept.append(_kurtosis(spectrum, size, len(block), rate_hz, band))
    middles = [float(np.median(one)) for one in found]
    best = int(np.argmax(middles))
    seconds = len(blocks[0]) / rate_hz
    why = (
        f"chosen by spectral kurtosis ({middles[best]:.1f}; 0 for noise) from {len(bank)} bands, "
        f"median of {len(blocks)} blocks of {seconds:.3g} s"
    )
    return Band(bank[best].low_hz, bank[best].high_hz, why)


def _baseband(
    spectrum: fourier.ComplexArray, size: int, rate_hz: float, band: Band, oversampled: float
) -> tuple[fourier.ComplexArray, float]:
    """The complex envelope of a band and its rate, from the half spectrum of `size` samples."""
    spacing = rate_hz / size
    edge_hz = _EDGE * band.width_hz
    first = max(1, int(np.floor((band.low_hz - edge_hz) / spacing)))
    after = min(len(spectrum), int(np.ceil((band.high_hz + edge_hz) / spacing)) + 1)
    frequency = np.arange(first, after) * spacing
    outside = np.maximum(band.low_hz - frequency, frequency - band.high_hz) / edge_hz
    weight = 0.5 * (1.0 + np.cos(np.pi * np.clip(outside, 0.0, 1.0)))
    kept = spectrum[first:after] * weight
    length = fourier.fast_length(int(np.ceil(oversampled * len(kept))))
    return fourier.backward(kept, length) * (2.0 * length / size), length * spacing


def _bank(low_hz: float, high_hz: float, least_hz: float) -> list[Band]:
    whole = high_hz - low_hz
    bank = []
    for level in _LEVELS:
        width = whole / level
        if level > 1 and width < least_hz:
            break
        # Each level twice, the second time shifted by half a band.
        starts = [low_hz + 0.5 * step * width for step in range(2 * level - 1)]
        bank += [Band(start, start + width, "") for start in starts]
    return bank


def _blocks(parts: Iterable[Part], rate_hz: float) -> Sequence[FloatArray]:
    runs = [part.values for part in parts]
    longest = max((len(run) for run in runs), default=0)
    size = min(int(_BLOCK_S * rate_hz), longest)
    if size < 0.05 * rate_hz:
        return []
    blocks = [run[at : at + size] for run in runs for at in range(0, len(run) - size + 1, size)]
    step = -(-len(blocks) // _MOST_BLOCKS)
    return blocks[::step]


def _kurtosis(
    spectrum: fourier.ComplexArray, size: int, count: int, rate_hz: float, band: Band
) -> float:
    """Of the complex envelope: 0 for Gaussian noise, -1 for a sine."""
    baseband, env_rate = _baseband(spectrum, size, rate_hz, band, 1.0)
    cut = int(np.ceil(_RINGS / band.width_hz * env_rate))
    used = int(count * env_rate / rate_hz)
    power = np.abs(baseband[cut : used - cut]) ** 2
    if len(power) < 8:
        return -1.0
    mean = float(np.mean(power))
    return float(np.mean(power**2)) / mean**2 - 2.0 if mean > 0.0 else -1.0
