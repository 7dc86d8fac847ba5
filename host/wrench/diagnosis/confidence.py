"""The probability that a part is damaged, from its evidence: a logistic function.

Its weights are fitted on 1,200 synthetic machines alone (`wrench.diagnosis.synthetic`): for each
of their parts, whether it was the damaged one. No recording had a part in it.
"""

from __future__ import annotations

import math

import numpy as np

from wrench.analysis.measurement import FloatArray

WEIGHTS = np.array([-4.182, 0.813, 0.76, 0.575, 0.829, 0.022, -0.305, -0.405, -0.579, 0.028])
_NAMED = (3.1, 0.32)
MOST = 0.99
"""No confidence is above what some thousand trials can show."""


def probability(features: FloatArray) -> float:
    """Of the damage, 0 to MOST, from `bearing_faults.features`."""
    return _logistic(float(features @ WEIGHTS))


def of_named(chance: float) -> float:
    """That a name is right, of a part with this probability against which nothing else speaks:
    fitted to the names given to synthetic machines, wrong bearings among them."""
    logit = math.log(max(chance, 1e-6) / max(1.0 - chance, 1e-6))
    return _logistic(_NAMED[0] + _NAMED[1] * logit)


def _logistic(logit: float) -> float:
    return min(MOST, 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, logit)))))
