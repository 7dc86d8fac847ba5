"""Vibration of the bench's own machine with a damaged spot, as a wideband sensor feels it."""

from __future__ import annotations

import math

import numpy as np

from wrench.bench.plant.bearing import BearingParameters, DefectKind, DefectTrain
from wrench.bench.plant.vibration import IIS3DWB_SITE, ModeBank, VibrationParameters
from wrench.boards.schema import Bearing

RATE_HZ = IIS3DWB_SITE.rate_hz
_STEP_S = 0.005


def bearing() -> Bearing:
    """The one in the bench's machine."""
    geometry = BearingParameters().geometry
    return Bearing(
        balls=geometry.balls,
        ball_diameter_mm=geometry.ball_diameter_mm,
        pitch_diameter_mm=geometry.pitch_diameter_mm,
    )


def vibration(
    kind: DefectKind | None, rpm: float, snr_db: float, *, seconds: float = 4.0, seed: int = 1
) -> np.ndarray:
    """(n, 3) in g: blows of a spot, `snr_db` above noise over the sensor's whole band, and the
    shaft's own line; noise and shaft alone where `kind` is None."""
    random = np.random.default_rng(seed)
    count = int(seconds * RATE_HZ)
    noise = 0.02 * random.standard_normal((count, 3))
    time_s = np.arange(count) / RATE_HZ
    angle = 2.0 * math.pi * rpm / 60.0 * time_s
    noise += 0.02 * np.cos(angle)[:, np.newaxis] * np.array([1.0, 0.8, 0.2])
    if kind is None:
        return noise
    train = DefectTrain(BearingParameters(), kind, random)
    modes = ModeBank(
        VibrationParameters().modes, IIS3DWB_SITE.bandwidth_hz, IIS3DWB_SITE.filter_order
    )
    rung = np.zeros((count, 3))
    first = 0
    while first < count:
        after = min(count, first + round(_STEP_S * RATE_HZ))
        span_s = (after - first) / RATE_HZ
        begin, end = (2.0 * math.pi * rpm / 60.0 * at / RATE_HZ for at in (first, after))
        strikes = train.advance([0.0, span_s], [begin, end])
        answer = modes.render(time_s[first:after] - time_s[first], strikes, span_s)
        if answer is not None:
            rung[first:after] = answer
        first = after
    size = float(np.std(rung)) / (0.02 * 10.0 ** (snr_db / 20.0))
    return noise + rung / size
