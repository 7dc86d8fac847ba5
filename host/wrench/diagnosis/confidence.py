"""The probability that a part is damaged, from its evidence: a logistic function.

Its weights are fitted on synthetic machines alone (`python -m wrench.diagnosis.calibrate`): for
each of their parts, whether it was the damaged one.
"""

from __future__ import annotations

import math

import numpy as np

from wrench.analysis.measurement import FloatArray

WEIGHTS = np.array([-3.0, 1.0, 1.0, 0.5, 1.0, 0.5, -0.5, -0.5, -1.0, -0.5])
MOST = 0.99
"""No confidence is above what some thousand trials can show."""


def probability(features: FloatArray) -> float:
    """Of the damage, 0 to MOST, from `bearing_faults.features`."""
    logit = float(features @ WEIGHTS)
    return min(MOST, 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, logit)))))
