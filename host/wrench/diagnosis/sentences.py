"""A diagnosis in a sentence that whoever repairs the machine understands, and what to do."""

from __future__ import annotations

from wrench.diagnosis.diagnose import Diagnosis
from wrench.diagnosis.severity import ZONE_MEANS

_SAYS = {
    "healthy": "Nothing is wrong that this recording can show.",
    "unbalance/misalignment": "The shaft runs out of balance or out of line.",
    "inner race": "The bearing's inner race is damaged.",
    "outer race": "The bearing's outer race is damaged.",
    "ball/cage": "A ball or the cage of the bearing is damaged.",
    "bearing, part unknown": "Something strikes in step with the shaft as a damaged bearing does.",
    "rub/lubrication": "Something rubs, or the bearing runs dry.",
    "undetermined": "What is wrong, if anything, cannot be told from this recording.",
}
_DO = {
    "healthy": "Keep this recording to compare later ones with.",
    "unbalance/misalignment": (
        "Look for dirt, a loose part or a bent shaft; balance it, align the coupling, and tighten "
        "the feet."
    ),
    "inner race": "Order the bearing, run slower until it is there, and watch it daily.",
    "outer race": "Order the bearing, run slower until it is there, and watch it daily.",
    "ball/cage": (
        "Order the bearing and watch it closely: a ball or a cage that breaks does so suddenly."
    ),
    "bearing, part unknown": (
        "Find out which bearing it is (--bearing), and what else turns at this rate."
    ),
    "rub/lubrication": "Grease the bearing, and look for traces of rubbing on shaft and seals.",
    "undetermined": "",
}
_SURE = ((0.95, "almost certain"), (0.85, "very likely"), (0.7, "likely"), (0.0, "possible"))


def sentence(found: Diagnosis) -> str:
    """What is wrong, how sure that is, how bad, and what to do."""
    text = _SAYS[found.verdict]
    if found.confidence is not None and found.verdict != "healthy":
        text += f" That is {_sure(found.confidence)} ({100 * found.confidence:.0f} %)."
    velocity, zone = found.velocity_mm_s, found.zone
    if velocity is not None and zone is None:
        text += f" It vibrates with {velocity:.2f} mm/s in the part of the band that is there."
    elif velocity is not None and zone is not None:
        text += f" It vibrates with {velocity:.2f} mm/s: zone {zone}, {ZONE_MEANS[zone]}."
    return f"{text} {_DO[found.verdict]}".strip()


def _sure(confidence: float) -> str:
    return next(word for least, word in _SURE if confidence >= least)
