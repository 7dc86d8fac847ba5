"""Spectra of squared envelopes over a fixed bank of bands, from a whitened signal.

Two ways of whitening, for what each of them loses: cepstrum pre-whitening sets every line of the
spectrum to one height, so that nothing discrete (shaft, gears, mains) is left, but also little of a
defect that strikes as regularly as a clock; whitening by a running median keeps the latter, and
only lines at multiples of the shaft's speed are levelled.

After Borghesani, Pennacchi, Randall, Sawalhi and Ricci, "Application of cepstrum pre-whitening for
the diagnosis of bearing faults under variable speed conditions", MSSP 36 (2013); Antoni, "Fast
computation of the kurtogram for the detection of transient faults", MSSP 21 (2007), for the bank;
Antoni, "Cyclic spectral analysis of rolling-element bearing signals", J. Sound Vib. 304 (2007), for
the squared envelope.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.signal import windows

from wrench.analysis import fourier
from wrench.analysis.measurement import FloatArray

FloatRows = npt.NDArray[np.float32]

LOWEST = 0.02
HIGHEST = 0.47
"""Ends of what is looked at, as fractions of the sampling rate."""
WIDE = 1.0 / 3.0
"""A band of at least this share of the whole bank is a wide one."""
_LEVELS = (1, 2, 3, 4, 6, 8, 12)
_LEVELS_PLAIN = (1, 2, 3)
_LEAST_ORDERS = 7.0
_PADDING = 2
_BACKGROUND_ORDERS = 1.0
_WHITENED_OVER_ORDERS = 6.0
_TINY = 1e-30
_WORTH_THINNING = 4
SHAFT_HALF_WIDTH = 0.012
_SHAFT_ERROR = 2e-4
_LOBE = 3.5
"""Half of what a line spreads over with a Hann window and this padding, in lines; 4 is all."""


@dataclass(frozen=True, slots=True)
class EnvelopeBand:
    """One row: which axis (a column of the window), which carriers, and how it was whitened."""

    axis: int
    low_hz: float
    high_hz: float
    whitening: str
    is_wide: bool


@dataclass(frozen=True, slots=True)
class EnvelopeLines:
    """Lines of squared envelopes, all rows over the same orders.

    `power` (rows, m) is the square of a line's amplitude relative to the mean of the squared
    envelope; `background` (rows, m) is what noise gives there on average. Line i lies at
    i × `order_step` multiples of the shaft's speed. A sine spreads over `spread` lines' worth of
    its power.
    """

    rows: tuple[EnvelopeBand, ...]
    power: FloatRows
    background: FloatRows
    order_step: float
    spread: float = 1.5 * _PADDING

    @property
    def orders(self) -> FloatArray:
        """(m,)"""
        return np.arange(self.power.shape[1]) * self.order_step

    @property
    def hidden(self) -> float:
        """Half of what a line of the shaft hides, in orders."""
        return max(SHAFT_HALF_WIDTH, _LOBE * self.order_step)

    def is_shaft(self) -> npt.NDArray[np.bool_]:
        """(m,) lines that belong to the shaft itself, and what is too slow to be told from 0."""
        orders = self.orders
        return (np.abs(orders - np.round(orders)) <= self.hidden) | (orders < 0.12)


def bank(rate_hz: float, speed_hz: float) -> list[tuple[float, float]]:
    """Bands (low, high) in Hz: the whole, and halves, thirds, quarters and so on of it, each level
    twice, the second time shifted by half a band; none narrower than seven orders of the shaft."""
    low, high = max(LOWEST * rate_hz, 8.0 * speed_hz), HIGHEST * rate_hz
    found: list[tuple[float, float]] = []
    for level in _LEVELS:
        width = (high - low) / level
        if width <= 0.0 or (level > 1 and width < _LEAST_ORDERS * speed_hz):
            break
        for place in range(2 * level - 1):
            begin = low + 0.5 * place * width
            found.append((begin, begin + width))
    return found


def envelope_lines(
    acceleration: FloatArray,
    rate_hz: float,
    speed_hz: float,
    turns: Callable[[FloatArray], FloatArray] | None,
    highest_order: float,
) -> EnvelopeLines:
    """Squared-envelope spectra of every axis, band and whitening.

    Parameters
    ----------
    acceleration
        (n, axes), finite, in any unit.
    rate_hz, speed_hz
        Of the samples, and the mean one of the shaft.
    turns
        The shaft's angle in turns at times (k,) in s since the first sample; None where its speed
        is constant.
    highest_order
        Of the lines, in multiples of the shaft's speed.
    """
    count = len(acceleration)
    duration_s = count / rate_hz
    total_turns = speed_hz * duration_s
    lines = int(highest_order * _PADDING * total_turns) + 1
    rows: list[EnvelopeBand] = []
    spectra: list[FloatRows] = []
    bands = bank(rate_hz, speed_hz)
    if not bands:
        nothing = np.empty((0, lines), np.float32)
        return EnvelopeLines((), nothing, nothing, 1.0)
    widest = bands[0][1] - bands[0][0]
    for axis in range(acceleration.shape[1]):
        values = np.asarray(acceleration[:, axis], dtype=np.float32)
        spectrum = np.asarray(fft.rfft(values - np.mean(values)))
        for whitening, levelled in (
            ("cepstrum", _level_all(spectrum)),
            ("median", _level_shaft(spectrum, duration_s, speed_hz)),
        ):
            for low_hz, high_hz in bands:
                share = (high_hz - low_hz) / widest
                if whitening == "median" and share < 0.99 / _LEVELS_PLAIN[-1]:
                    continue
                squared, env_rate_hz = _squared_envelope(
                    levelled, duration_s, low_hz, high_hz, highest_order * speed_hz
                )
                if turns is not None:
                    squared, env_rate_hz = _by_angle(
                        squared, env_rate_hz, turns, total_turns, highest_order
                    )
                    env_rate_hz *= total_turns / duration_s
                rows.append(EnvelopeBand(axis, low_hz, high_hz, whitening, share > 0.99 * WIDE))
                spectra.append(_line_power(squared, lines))
    power = np.stack(spectra)
    step = 1.0 / (_PADDING * total_turns)
    return EnvelopeLines(tuple(rows), power, background(power, _BACKGROUND_ORDERS / step), step)


def background(power: FloatRows, width: float) -> FloatRows:
    """What noise gives on average, (…, m): the running median over `width` lines, divided by ln 2,
    the median of an exponential distribution of mean 1."""
    length = power.shape[-1]
    size = int(max(8, min(width, length)))
    if length <= size:
        middle = np.median(power, axis=-1, keepdims=True)
        return np.broadcast_to(middle / np.log(2.0) + _TINY, power.shape)
    hop = size
    pieces = np.lib.stride_tricks.sliding_window_view(power, size, axis=-1)[..., ::hop, :]
    level = np.log(np.median(pieces, axis=-1) + _TINY).astype(np.float32)
    places = np.clip((np.arange(length) - 0.5 * size) / hop, 0.0, level.shape[-1] - 1.0)
    before = np.minimum(places.astype(np.int64), max(0, level.shape[-1] - 2))
    part = (places - before).astype(np.float32)
    after = np.minimum(before + 1, level.shape[-1] - 1)
    smooth = level[..., before] * (1.0 - part) + level[..., after] * part
    return np.exp(smooth) / np.float32(np.log(2.0))


def _level_all(spectrum: npt.NDArray[np.complex64]) -> npt.NDArray[np.complex64]:
    return spectrum / np.maximum(np.abs(spectrum), _TINY).astype(np.float32)


def _level_shaft(
    spectrum: npt.NDArray[np.complex64], duration_s: float, speed_hz: float
) -> npt.NDArray[np.complex64]:
    power = np.abs(spectrum) ** 2
    width = _WHITENED_OVER_ORDERS * speed_hz * duration_s
    white = spectrum / np.sqrt(background(power, width))
    orders = np.arange(len(white)) / (duration_s * speed_hz)
    near = np.abs(orders - np.round(orders)) <= np.maximum(SHAFT_HALF_WIDTH, _SHAFT_ERROR * orders)
    size = np.abs(white)
    levelled = np.where(near & (size > 1.0), white / np.maximum(size, 1.0), white)
    found: npt.NDArray[np.complex64] = levelled.astype(np.complex64)
    return found


def _squared_envelope(
    spectrum: npt.NDArray[np.complex64],
    duration_s: float,
    low_hz: float,
    high_hz: float,
    reach_hz: float,
) -> tuple[FloatRows, float]:
    """The squared envelope without its mean, relative to it, and its rate."""
    first, after = int(low_hz * duration_s), int(high_hz * duration_s)
    # What the square adds above its half rate folds back onto frequencies above `reach_hz`.
    least = (after - first) + int(reach_hz * duration_s) + 1
    length = fourier.fast_length(max(least, int(2.2 * reach_hz * duration_s)), real=True)
    signal: npt.NDArray[np.complex64] = np.asarray(fft.ifft(spectrum[first:after], length))
    squared = signal.real**2 + signal.imag**2
    mean = float(np.mean(squared))
    if not mean > 0.0:
        return np.zeros(length, np.float32), length / duration_s
    return squared / np.float32(mean) - np.float32(1.0), length / duration_s


def _by_angle(
    squared: FloatRows,
    rate_hz: float,
    turns: Callable[[FloatArray], FloatArray],
    total_turns: float,
    highest_order: float,
) -> tuple[FloatRows, float]:
    """The same at equal angles of the shaft; returns samples a turn as the rate."""
    angle = turns(np.arange(len(squared)) / rate_hz)
    per_turn = max(3.0 * highest_order, len(squared) / total_turns)
    wanted = np.arange(int(total_turns * per_turn)) / per_turn + angle[0]
    return np.interp(wanted, angle, squared).astype(np.float32), per_turn


def _line_power(squared: FloatRows, lines: int) -> FloatRows:
    """Power of `lines` lines, Hann window, padded to twice the length."""
    wanted = lines // _PADDING + 1
    if len(squared) > _WORTH_THINNING * wanted:
        # What is above the wanted lines goes before the window: most of a wide band.
        spectrum = np.asarray(fft.rfft(squared))
        length = fourier.fast_length(int(2.2 * wanted), real=True)
        thinned = np.asarray(fft.irfft(spectrum[: length // 2 + 1], length))
        squared = thinned * np.float32(length / len(squared))
    weight = _hann(len(squared))
    transformed: npt.NDArray[np.complex64]
    transformed = np.asarray(fft.rfft(squared * weight, _PADDING * len(squared)))
    spectrum = transformed[:lines]
    found = spectrum.real**2 + spectrum.imag**2
    found *= np.float32((2.0 / float(np.sum(weight))) ** 2)
    if len(found) < lines:
        found = np.pad(found, (0, lines - len(found)))
    return found


@lru_cache(maxsize=64)
def _hann(count: int) -> FloatRows:
    return windows.hann(count, sym=False).astype(np.float32)


def rows_of(lines: EnvelopeLines, wanted: Callable[[EnvelopeBand], bool]) -> Sequence[int]:
    """Indices of rows."""
    return [at for at, row in enumerate(lines.rows) if wanted(row)]
