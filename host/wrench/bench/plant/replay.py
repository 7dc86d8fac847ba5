"""Plays a recording of a real bearing into the sensor.

A recording is played as it is: it is not scaled, and does not follow the speed of the shaft.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from wrench.analysis.files import Samples
from wrench.bench.plant.playback import Playback, samples_of
from wrench.bench.plant.vibration import FloatArray
from wrench.errors import BenchError

_FADE_S = 8e-3


class Replay:
    """A recording at a sensor's rate, in a loop.

    Parameters
    ----------
    playback
        Which recording, and what its file does not tell.
    sensor_rate_hz
        The sensor's true rate. The recording is resampled to it with a linear-phase low-pass
        (polyphase, Kaiser window) that passes 0.84 and stops 1.0 of half the lower rate.
    range_g
        The sensor's range; what exceeds it is clipped, counted and said in `notes`.
    seed
        Where a continuous recording starts. One that is made of snippets starts at its beginning.
    span
        Part of the recording to use, as fractions from 0 to 1.
    seconds
        Length to play before it starts again. Of a recording made of snippets, evenly spaced ones
        are chosen, the first and the last of the span among them; of a continuous one, the
        beginning of the span.

    Attributes
    ----------
    notes
        What was done to the recording, one sentence each.
    duration_s
        Of one loop.
    rpm
        Speed of the recorded shaft, where it is known; it is not that of the plant.
    tacho_rpm
        What a tacho is to show, where it is to show the recorded shaft; else None.
    clipped_fraction
        Of all samples.

    Raises
    ------
    RecordingError
        The file is missing or no recording.
    BenchError
        Span and seconds leave nothing of it.

    Notes
    -----
    Snippets were not recorded one after the other. They overlap by 8 ms and are faded into each
    other with equal power (sine and cosine), as is the end into the beginning; a plain join makes
    a click at each, ten a second with PRONOSTIA's.
    """

    def __init__(
        self,
        playback: Playback,
        sensor_rate_hz: float,
        range_g: float = 16.0,
        seed: int = 0,
        *,
        span: tuple[float, float] = (0.0, 1.0),
        seconds: float | None = None,
    ) -> None:
        recording = samples_of(playback, range_g)
        self.notes: list[str] = list(recording.notes)
        self.rpm = recording.rpm
        self.tacho_rpm = self.rpm if playback.turns_tacho else None
        self.sensor_rate_hz = sensor_rate_hz
        if not 0.0 <= span[0] < span[1] <= 1.0:
            raise BenchError(
                f"span {span[0]} to {span[1]} is no part of a recording; "
                "give two rising fractions from 0 to 1"
            )
        if seconds is not None and not seconds > 0.0:
            raise BenchError("a replay of no length plays nothing; give more than 0 seconds")
        fade = max(1, round(_FADE_S * sensor_rate_hz))
        in_snippets = len(recording.snippets) > 1
        if in_snippets:
            snippets = self._choose(recording, span, seconds, fade)
        else:
            snippets = self._cut(recording, span, seconds)
        played = _resample(snippets, recording.rate_hz, sensor_rate_hz)
        if played.shape[1] < 2 * fade + 2:
            raise BenchError(
                "less than 20 ms of the recording is left to play; take a wider span or a longer "
                "recording"
            )
        loop = _join(played, fade)
        over = np.abs(loop) > range_g
        self.clipped_fraction = float(np.mean(np.any(over, axis=1)))
        if self.clipped_fraction > 0.0:
            self.notes.append(
                f"{_percent(self.clipped_fraction)} of samples exceed ±{range_g:g} g "
                "and are clipped."
            )
        self._loop: FloatArray = np.zeros((len(loop), 3))
        self._loop[:, : loop.shape[1]] = np.clip(loop, -range_g, range_g)
        self.duration_s = len(loop) / sensor_rate_hz
        self._at = 0
        if not in_snippets:
            self._at = int(np.random.default_rng(seed).integers(len(loop)))
        if recording.rate_hz < 0.999 * sensor_rate_hz:
            self.notes.append(
                f"The recording was made at {recording.rate_hz:g} Hz: there is nothing above "
                f"{recording.rate_hz / 2:g} Hz."
            )
        if self.rpm and not self.tacho_rpm:
            self.notes.append(
                f"The recorded shaft turned at {self.rpm:.0f} rpm; the tacho shows the motor's own."
            )
        elif self.tacho_rpm:
            self.notes.append(
                f"The tacho shows the recorded shaft's {self.tacho_rpm:.0f} rpm while the motor "
                "turns."
            )
        self.notes.append(
            f"It plays {self.duration_s:.1f} s and then starts again, whatever the shaft does."
        )

    def take(self, count: int) -> FloatArray:
        """The next `count` samples, (count, 3) in g; columns the recording lacks are 0."""
        index = (self._at + np.arange(count)) % len(self._loop)
        self._at = int((self._at + count) % len(self._loop))
        return self._loop[index]

    def _choose(
        self, recording: Samples, span: tuple[float, float], seconds: float | None, fade: int
    ) -> npt.NDArray[np.float32]:
        total = len(recording.snippets)
        first = min(total - 1, math.floor(span[0] * total))
        last = max(first, math.ceil(span[1] * total) - 1)
        available = last - first + 1
        wanted = available
        if seconds is not None:
            length = recording.snippets.shape[1] / recording.rate_hz - fade / self.sensor_rate_hz
            wanted = max(1, min(available, round(seconds / length)))
        chosen = np.unique(np.rint(np.linspace(first, last, wanted)).astype(int))
        if len(chosen) < total:
            self.notes.append(
                f"{len(chosen)} of {total} snippets are played, evenly spaced from "
                f"number {first + 1} to number {last + 1}."
            )
        return recording.snippets[chosen]

    def _cut(
        self, recording: Samples, span: tuple[float, float], seconds: float | None
    ) -> npt.NDArray[np.float32]:
        total = recording.snippets.shape[1]
        first, last = math.floor(span[0] * total), math.ceil(span[1] * total)
        if seconds is not None:
            # One fade more, which the join at the end of the loop uses up.
            last = min(last, first + math.ceil((seconds + _FADE_S) * recording.rate_hz))
        return recording.snippets[:, first:last]


def _resample(snippets: npt.NDArray[np.float32], rate_hz: float, to_hz: float) -> FloatArray:
    ratio = Fraction(to_hz / rate_hz).limit_denominator(500)
    data = snippets.astype(np.float64)
    if ratio == 1:
        return data
    # 80 dB from the Nyquist frequency of the slower side on, flat to 0.84 of it.
    slower = max(ratio.numerator, ratio.denominator)
    count = 64 * slower + 1
    ideal = np.sinc(0.92 / slower * (np.arange(count) - count // 2))
    taps = ideal * np.kaiser(count, 8.0)
    taps /= np.sum(taps)
    from scipy import signal  # noqa: PLC0415  (1.1 s, for a bench that plays nothing)

    return signal.resample_poly(
        data, ratio.numerator, ratio.denominator, axis=1, window=taps, padtype="mean"
    )


def _join(snippets: FloatArray, fade: int) -> FloatArray:
    """One loop (m, axes) from snippets (k, n, axes) that overlap by `fade` samples."""
    count, length, axes = snippets.shape
    hop = length - fade
    turn = 0.5 * np.pi * (np.arange(fade) + 0.5) / fade
    weighted = snippets.copy()
    weighted[:, :fade] *= np.sin(turn)[:, np.newaxis]
    weighted[:, -fade:] *= np.cos(turn)[:, np.newaxis]
    loop = np.zeros((count * hop, axes))
    for index in range(count):
        start = index * hop
        whole = weighted[index]
        loop[start : start + hop] += whole[:hop]
        tail = (start + hop) % len(loop)
        loop[tail : tail + fade] += whole[hop:]
    return loop


def _percent(fraction: float) -> str:
    percent = 100.0 * fraction
    return f"{percent:.1f} %" if percent >= 0.1 else "Less than 0.1 %"
