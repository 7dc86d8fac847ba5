"""A window of samples made ready for the diagnosis, and what is wrong with it, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from wrench.analysis.measurement import FloatArray, Series
from wrench.analysis.shaft import Shaft

MOST_S = 20.0
"""More than this of a window adds nothing but time; its middle is taken."""
_SILENT_G = 1e-5
_CLIPPED = 2e-4
_AT_THE_END = 4
_LEAST_SAMPLES = 256
_VARIES = 0.004
_ENOUGH_RATE_HZ = 5000.0


@dataclass(frozen=True)
class Window:
    """Acceleration of a machine for some seconds.

    Parameters
    ----------
    acceleration_g
        (n, axes) in g, NaN where a sample is no number. One vector is taken as one axis.
    rate_hz
        Samples a second.
    axes
        A name for each column.
    speed_rpm
        The shaft's speed: one number, or a series over seconds since the first sample; None where
        it is not known.
    """

    acceleration_g: FloatArray
    rate_hz: float
    axes: tuple[str, ...] = ("x",)
    speed_rpm: float | Series | None = None


@dataclass(frozen=True)
class Ready:
    """What of a window is used: `acceleration` (n, axes) finite and without its mean, the axes that
    are not silent, the mean speed in Hz and, where it varies, the angle in turns over seconds.

    `complaints` say what is wrong and what follows; `is_usable` that there is anything to judge.
    """

    acceleration: FloatArray
    rate_hz: float
    axes: tuple[str, ...]
    speed_hz: float | None
    turns: Callable[[FloatArray], FloatArray] | None
    complaints: tuple[str, ...]
    clipped: float = 0.0
    peak_g: float = 0.0
    is_usable: bool = True
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        """Of what is used."""
        return len(self.acceleration) / self.rate_hz


def prepare(window: Window) -> Ready:
    """Cut, clean and check a window. Never raises for what is in the samples."""
    values = np.atleast_2d(np.asarray(window.acceleration_g, dtype=np.float64).T).T
    complaints: list[str] = []
    first, after = _longest_finite(values)
    bad = int(np.sum(~np.isfinite(values).all(axis=1)))
    if bad:
        complaints.append(
            f"{bad:,} of {len(values):,} samples are no numbers: the longest stretch without is "
            f"used, {(after - first) / window.rate_hz:.3g} s"
        )
    most = int(MOST_S * window.rate_hz)
    if after - first > most:
        first = first + (after - first - most) // 2
        after = first + most
    values = values[first:after]
    if len(values) < _LEAST_SAMPLES:
        complaints.append(
            f"there are {len(values)} usable samples, too few to judge anything; record a second "
            "or more"
        )
        return _unusable(window, complaints)
    clipped, peak_g = _clipped(values)
    if clipped > _CLIPPED:
        complaints.append(
            f"clipped: {100 * clipped:.2g} % of the samples stand at the end of the range, "
            f"{peak_g:.3g} g; levels are higher than read, fault lines remain where they are"
        )
    centred = values - np.mean(values, axis=0)
    loud = np.std(centred, axis=0) > _SILENT_G
    silent = [name for name, is_loud in zip(window.axes, loud, strict=True) if not is_loud]
    if silent:
        which = f"axis {', '.join(silent)} is" if len(silent) < len(loud) else "the recording is"
        complaints.append(f"{which} silent: check the sensor, its wiring and its supply")
    if not loud.any():
        return _unusable(window, complaints)
    if window.rate_hz < _ENOUGH_RATE_HZ:
        complaints.append(
            f"{window.rate_hz:.0f} samples a second reach to {0.47 * window.rate_hz:.0f} Hz: "
            "a small fault rings above that and is not seen"
        )
    speed_hz, turns = _speed(window, first / window.rate_hz, len(values), complaints)
    axes = tuple(name for name, is_loud in zip(window.axes, loud, strict=True) if is_loud)
    return Ready(
        centred[:, loud],
        window.rate_hz,
        axes,
        speed_hz,
        turns,
        tuple(complaints),
        clipped,
        peak_g,
    )


def _unusable(window: Window, complaints: list[str]) -> Ready:
    nothing = np.empty((0, len(window.axes)))
    return Ready(
        nothing, window.rate_hz, window.axes, None, None, tuple(complaints), is_usable=False
    )


def _longest_finite(values: FloatArray) -> tuple[int, int]:
    finite = np.isfinite(values).all(axis=1)
    if finite.all():
        return 0, len(values)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], finite, [False]])))
    runs = edges.reshape(-1, 2)
    if not len(runs):
        return 0, 0
    best = runs[int(np.argmax(runs[:, 1] - runs[:, 0]))]
    return int(best[0]), int(best[1])


def _clipped(values: FloatArray) -> tuple[float, float]:
    """Share of samples at the very ends of what occurs, of the worst axis, and that end."""
    worst, end = 0.0, float(np.max(np.abs(values)))
    for column in values.T:
        high, low = float(np.max(column)), float(np.min(column))
        if high - low < _SILENT_G:
            continue
        near = 1e-6 * (high - low)
        for at in (high, low):
            count = int(np.sum(np.abs(column - at) <= near))
            if count >= _AT_THE_END and count / len(column) > worst:
                worst, end = count / len(column), abs(at)
    return worst, end


def _speed(
    window: Window, start_s: float, count: int, complaints: list[str]
) -> tuple[float | None, Callable[[FloatArray], FloatArray] | None]:
    told = window.speed_rpm
    if told is None:
        return None, None
    if not isinstance(told, Series):
        if not (np.isfinite(told) and told > 0.0):
            complaints.append("the shaft does not turn: nothing of a bearing can be judged")
            return None, None
        return told / 60.0, None
    shaft = Shaft(told)
    if not shaft.is_known:
        return None, None
    end_s = start_s + count / window.rate_hz
    turned = np.asarray(shaft.turns(np.array([start_s, end_s])))
    mean_hz = float(turned[1] - turned[0]) / (end_s - start_s)
    if mean_hz <= 0.5:
        complaints.append("the shaft hardly turns: nothing of a bearing can be judged")
        return None, None
    inside = told.within(start_s, end_s).value
    inside = inside[np.isfinite(inside)]
    varies = float(np.ptp(inside)) / (60.0 * mean_hz) if len(inside) > 1 else 0.0
    if varies <= _VARIES:
        return mean_hz, None
    if varies > 0.25:
        complaints.append(
            f"the speed varies by {100 * varies:.0f} %: lines are followed by angle, levels are a "
            "mean over it"
        )
    begin = float(turned[0])
    return mean_hz, lambda time_s: np.asarray(shaft.turns(start_s + time_s)) - begin
