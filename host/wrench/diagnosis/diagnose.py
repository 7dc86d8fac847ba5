"""A window of samples to a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from wrench.boards.schema import Bearing
from wrench.diagnosis import shaft_speed, unknown_bearing
from wrench.diagnosis.bearing_faults import Part, look
from wrench.diagnosis.bearings import fault_orders
from wrench.diagnosis.combs import HARMONICS, score
from wrench.diagnosis.envelopes import EnvelopeLines, envelope_lines
from wrench.diagnosis.severity import Scale, Support, scale
from wrench.diagnosis.shaft_faults import Levels, depth_once_a_turn, levels
from wrench.diagnosis.traces import HighLines, Trace
from wrench.diagnosis.unknown_bearing import Unknown
from wrench.diagnosis.window import Ready, Window, prepare

Verdict = Literal[
    "healthy",
    "unbalance/misalignment",
    "inner race",
    "outer race",
    "ball/cage",
    "bearing, part unknown",
    "rub/lubrication",
    "undetermined",
]
_OF_PART: dict[str, Verdict] = {
    "inner": "inner race",
    "outer": "outer race",
    "ball": "ball/cage",
    "cage": "ball/cage",
}
_LEAST_TURNS = 20.0
_ENOUGH_TURNS = 35.0
_HIGHEST_ORDER = 26.0
_MOST_ORDERS = 45.0
_SHAFT_SHARE = 0.5
_RUB = 0.4
_RUB_ABOVE_FLOOR = 8.0
_CARPET = 3.0
_TRACE = 4.5
_TRACE_P = 0.03
_OF_TRACE = 0.5
_DEEP = 0.25
_IMPULSIVE = 5.0
_SUSPECT_DEPTH = 0.2
_SUSPECT_P = 0.05
_OTHER_SPEED = 1.6
_OF_SHAFT = 0.95
_OF_RUB = 0.95
_OF_UNKNOWN = 0.8
_OF_HEALTHY = 0.9


@dataclass(frozen=True)
class Machine:
    """What is known about a machine. `power_kw` and `support` choose the standard's zones;
    `carpet_g` is the RMS of the upper part of the spectrum when it was healthy, per axis name."""

    bearing: Bearing | None = None
    power_kw: float | None = None
    support: Support = "rigid"
    carpet_g: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Diagnosis:
    """What a window says.

    `confidence` is the probability that the verdict is right, None for "undetermined", which
    claims nothing. `reasons` say in sentences what it rests on, `complaints` what is wrong with the
    input and what could still be concluded. `parts` are those of the bearing, the likeliest first;
    empty where there is no geometry, no speed, or too little of the signal. `axis` is the one that
    shows the verdict best. `lines` are the envelope spectra that it was read from.
    """

    verdict: Verdict
    confidence: float | None
    reasons: tuple[str, ...]
    complaints: tuple[str, ...]
    parts: tuple[Part, ...]
    unknown: Unknown | None
    traces: dict[str, Trace]
    levels: tuple[Levels, ...]
    scale: Scale
    speed_rpm: float | None
    speed_from: str
    axis: str
    ready: Ready
    lines: EnvelopeLines | None

    @property
    def velocity_mm_s(self) -> float | None:
        """RMS of the worst axis."""
        return max((one.velocity_mm_s for one in self.levels), default=None)

    @property
    def zone(self) -> str | None:
        """Of the standard, A to D; None where there is no velocity, or not over its whole band."""
        velocity = self.velocity_mm_s
        if velocity is None or not all(one.is_whole_band for one in self.levels):
            return None
        return self.scale.zone(velocity)

    @property
    def turns(self) -> float | None:
        """Of the shaft in what was judged."""
        return None if self.speed_rpm is None else self.speed_rpm / 60.0 * self.ready.duration_s


def diagnose(window: Window, machine: Machine | None = None) -> Diagnosis:
    """What a machine's vibration says. Never raises for what is in the samples: what is wrong with
    them is said in `Diagnosis.complaints`."""
    machine = machine or Machine()
    ready = prepare(window)
    return _Case(ready, machine).judge()


class _Case:
    """One window while it is judged."""

    def __init__(self, ready: Ready, machine: Machine) -> None:
        self._ready = ready
        self._machine = machine
        self._complaints = list(ready.complaints)
        self._reasons: list[str] = []
        self._parts: tuple[Part, ...] = ()
        self._unknown: Unknown | None = None
        self._traces: dict[str, Trace] = {}
        self._levels: tuple[Levels, ...] = ()
        self._lines: EnvelopeLines | None = None
        self._speed_hz: float | None = None
        self._speed_from = "not known"
        self._axis = ready.axes[0] if ready.axes else ""

    def judge(self) -> Diagnosis:
        """The verdict, by what is most telling first."""
        ready = self._ready
        if not ready.is_usable:
            return self._told("undetermined", None)
        self._find_speed()
        speed_hz = self._speed_hz
        self._levels = tuple(levels(ready.acceleration, ready.rate_hz, ready.axes, speed_hz))
        self._axis = max(self._levels, key=lambda one: one.acceleration_g).axis
        self._check_short()
        first = self._levels[0]
        if not first.is_whole_band:
            self._complaints.append(
                f"the velocity covers {first.band_hz[0]:.0f} to {first.band_hz[1]:.0f} Hz only, of "
                "the 10 to 1,000 Hz of the standards: it has no zone"
            )
        if speed_hz is not None and speed_hz * ready.duration_s >= _LEAST_TURNS:
            self._look_at_envelopes(speed_hz)
        for step in (
            self._damaged_part,
            self._unknown_family,
            self._shaft_fault,
            self._rub,
            self._too_little,
            self._suspicion,
        ):
            found = step()
            if found is not None:
                return self._told(*found)
        self._reasons.append(self._nothing_found())
        return self._told("healthy", self._sure_of_health())

    def _find_speed(self) -> None:
        ready = self._ready
        told_hz = ready.speed_hz
        if told_hz is None:
            found = shaft_speed.estimate(ready.acceleration, ready.rate_hz)
            if shaft_speed.is_clear_blind(found):
                found = shaft_speed.refine(ready.acceleration, ready.rate_hz, found.speed_hz)
                self._speed_hz = found.speed_hz
                self._speed_from = "estimated from the vibration"
                self._complaints.append(
                    f"the speed is not told; by its harmonics the shaft turns at "
                    f"{60.0 * found.speed_hz:.0f} rpm; --rpm tells it for certain"
                )
            else:
                self._complaints.append(
                    "the speed is not told, and no shaft stands out in the vibration: nothing of a "
                    "bearing can be judged; tell it with --rpm"
                )
            return
        self._speed_hz, self._speed_from = told_hz, "as told"
        if ready.turns is not None:
            self._speed_from = "measured, followed by angle"
            return
        found = shaft_speed.refine(ready.acceleration, ready.rate_hz, told_hz)
        if found.is_clear:
            self._speed_hz, self._speed_from = found.speed_hz, "as told, made exact by harmonics"
            return
        blind = shaft_speed.estimate(ready.acceleration, ready.rate_hz)
        off = blind.speed_hz / told_hz
        if shaft_speed.shows(ready.acceleration, ready.rate_hz, told_hz):
            return
        bearing = self._machine.bearing
        simple = [1.0, 0.5, 2.0, 3.0, 1.0 / 3.0, 4.0]
        simple += [] if bearing is None else list(fault_orders(bearing).values())
        if blind.clearness > _OTHER_SPEED and all(abs(off / one - 1.0) > 0.02 for one in simple):
            self._complaints.append(
                f"nothing stands at the told {60.0 * told_hz:.0f} rpm, but a shaft at "
                f"{60.0 * blind.speed_hz:.0f} rpm does: check the speed and the sampling rate "
                f"({ready.rate_hz:.0f} Hz), one of them is wrong by {off:.3g}"
            )

    def _check_short(self) -> None:
        if self._speed_hz is None:
            return
        turns = self._speed_hz * self._ready.duration_s
        if turns < _LEAST_TURNS:
            self._complaints.append(
                f"short: {turns:.0f} turns of the shaft; {_LEAST_TURNS:.0f} are needed to judge a "
                f"bearing, {_ENOUGH_TURNS:.0f} and more to call it healthy"
            )

    def _look_at_envelopes(self, speed_hz: float) -> None:
        ready, bearing = self._ready, self._machine.bearing
        highest = _HIGHEST_ORDER
        if bearing is not None:
            top = max(fault_orders(bearing).values())
            highest = min(_MOST_ORDERS, max(highest, 1.35 * HARMONICS * top))
        lines = envelope_lines(ready.acceleration, ready.rate_hz, speed_hz, ready.turns, highest)
        if not lines.rows:
            return
        self._lines = lines
        if bearing is None:
            self._unknown = unknown_bearing.find(lines, score(lines))
            return
        parts, scores = look(lines, bearing)
        self._parts = tuple(parts)
        if not parts[0].is_named:
            self._find_traces()
            self._parts = tuple(sorted(parts, key=self._likelihood, reverse=True))
            known = tuple(part.family.standing.order for part in parts)
            self._unknown = unknown_bearing.find(lines, scores, known)

    def _likelihood(self, part: Part) -> float:
        """Of a part that is not named: where no envelope is deep, traces count as well."""
        trace = self._traces.get(part.name)
        has_trace = trace is not None and _is_clear(trace)
        faint = all(one.family.depth < _DEEP for one in self._parts)
        return part.probability + (_OF_TRACE if has_trace and faint else 0.0)

    def _damaged_part(self) -> tuple[Verdict, float | None] | None:
        if not self._parts or not self._parts[0].is_named:
            return None
        part = self._parts[0]
        found = part.family
        lines = self._lines
        assert lines is not None
        row = lines.rows[found.row]
        self._axis = self._ready.axes[row.axis]
        self._reasons.append(
            f"blows come {found.standing.order:.3f} times a turn "
            f"({found.standing.order * (self._speed_hz or 0.0):.1f} a second), where "
            f"{part.expected_order:.3f} is expected of the {_part_in_words(part.name)}; they "
            f"modulate {row.low_hz:.0f} to {row.high_hz:.0f} Hz by {100 * found.depth:.0f} %"
        )
        self._reasons.append(
            f"of {found.standing.decoys} unrelated families in the same spectra "
            f"{found.standing.reached or 'none'} reach as high"
        )
        return _OF_PART[part.name], part.confidence

    def _unknown_family(self) -> tuple[Verdict, float | None] | None:
        unknown = self._unknown
        if unknown is None:
            return None
        depth = 100 * unknown.family.depth
        if self._machine.bearing is not None:
            self._reasons.append(
                f"something strikes {unknown.order:.3f} times a turn ({depth:.0f} % modulation) "
                "that belongs to no part of this bearing: check which bearing it is, the speed, "
                "and what else turns"
            )
            return "undetermined", None
        how = "comes and goes once a turn, as" if unknown.comes_and_goes else "is steady, as"
        which = "inner" if unknown.comes_and_goes else "outer"
        self._reasons.append(
            f"something strikes {unknown.order:.3f} times a turn with harmonics ({depth:.0f} % "
            f"modulation); its strength {how} that of a damaged {which} race is, here one of a "
            f"bearing with {unknown.elements} rolling elements or so"
        )
        return "bearing, part unknown", _OF_UNKNOWN

    def _shaft_fault(self) -> tuple[Verdict, float | None] | None:
        if self._speed_hz is None or self._parts_speak():
            return None
        worst = max(self._levels, key=lambda one: one.velocity_mm_s)
        chosen = self._scale()
        if not worst.is_whole_band:
            return None
        if chosen.zone(worst.velocity_mm_s) in "AB" or worst.share_of_shaft < _SHAFT_SHARE:
            return None
        first, second = worst.orders_mm_s[0], worst.orders_mm_s[1]
        self._axis = worst.axis
        what = (
            "at twice a turn as well: the shafts are out of line, or something is bent or loose"
            if second > 0.5 * first
            else "at once a turn: out of balance"
        )
        self._reasons.append(
            f"{worst.velocity_mm_s:.2f} mm/s, {100 * worst.share_of_shaft:.0f} % of its power at "
            f"the shaft's own multiples ({first:.2f}, {second:.2f}, "
            f"{worst.orders_mm_s[2]:.2f} mm/s at 1, 2 and 3 a turn), {what}"
        )
        return "unbalance/misalignment", _OF_SHAFT

    def _rub(self) -> tuple[Verdict, float | None] | None:
        for one in self._levels:
            before = self._machine.carpet_g.get(one.axis)
            if before is not None and one.carpet_g > _CARPET * before:
                self._axis = one.axis
                self._reasons.append(
                    f"the noise of the upper spectrum is {one.carpet_g / before:.1f} times that of "
                    "the healthy machine, without any family of lines: too little grease, or a rub"
                )
                return "rub/lubrication", _OF_RUB
        if self._lines is None or self._parts_speak():
            return None
        depth, floor = depth_once_a_turn(self._lines)
        if depth < max(_RUB, _RUB_ABOVE_FLOOR * floor):
            return None
        self._reasons.append(
            f"the noise of the whole spectrum swells once a turn by {100 * depth:.0f} %, and "
            "no part of a bearing shows: something rubs at one angle of the shaft"
        )
        return "rub/lubrication", _OF_RUB

    def _parts_speak(self) -> bool:
        """A part is deep and significant, though something forbids naming it."""
        return any(
            part.family.depth > 2.0 * _SUSPECT_DEPTH and part.family.standing.p <= _SUSPECT_P
            for part in self._parts
            if part.name != "cage"
        )

    def _too_little(self) -> tuple[Verdict, float | None] | None:
        turns = (self._speed_hz or 0.0) * self._ready.duration_s
        if self._speed_hz is None:
            self._reasons.append("without the shaft's speed neither a bearing nor a shaft shows")
        elif self._lines is None or turns < _ENOUGH_TURNS:
            self._reasons.append(f"{turns:.0f} turns are too few to call a bearing healthy")
        else:
            return None
        return "undetermined", None

    def _suspicion(self) -> tuple[Verdict, float | None] | None:
        """What forbids calling a machine healthy without naming a fault."""
        for part in self._parts:
            found = part.family
            row = None if self._lines is None else self._lines.rows[found.row]
            deep = found.depth > _SUSPECT_DEPTH and found.depth > 6.0 * found.floor
            if (
                row is not None
                and deep
                and found.standing.p <= _SUSPECT_P
                and row.whitening == "cepstrum"
            ):
                self._reasons.append(
                    f"the {_part_in_words(part.name)} shows ({found.standing.order:.3f} times a "
                    f"turn), but {'; '.join(part.objections)}"
                )
                return "undetermined", None
        for name, trace in self._traces.items():
            if _is_clear(trace):
                self._reasons.append(
                    f"faint lines of the {_part_in_words(name)} reach up to where only blows reach "
                    f"({trace.order:.3f} times a turn), too weak to name a fault; record again in "
                    "some weeks, or closer to the bearing"
                )
                return "undetermined", None
        worst = max(self._levels, key=lambda one: one.kurtosis)
        if worst.kurtosis > _IMPULSIVE:
            self._reasons.append(
                f"impulses (kurtosis {worst.kurtosis:.1f}) that follow no part of the machine: "
                "something loose, a passing knock, or electrical spikes"
            )
            return "undetermined", None
        zone = self._scale().zone(max(one.velocity_mm_s for one in self._levels))
        if zone in "CD" and self._levels[0].is_whole_band:
            self._reasons.append(
                f"vibration in zone {zone} that neither shaft nor bearing explains: look at the "
                "feet, the foundation, resonance, and what drives or is driven"
            )
            return "undetermined", None
        return None

    def _find_traces(self) -> None:
        bearing, speed_hz = self._machine.bearing, self._speed_hz
        if bearing is None or speed_hz is None or self._ready.turns is not None:
            return
        column = self._ready.axes.index(self._axis)
        high = HighLines(self._ready.acceleration[:, column], self._ready.rate_hz, speed_hz)
        orders = fault_orders(bearing)
        for name in ("outer", "inner", "ball"):
            trace = high.trace(orders[name])
            if trace is not None:
                self._traces[name] = trace

    def _nothing_found(self) -> str:
        if self._machine.bearing is None:
            return "nothing strikes at a rate of its own, and the shaft runs quietly"
        deepest = max(self._parts, key=lambda part: part.family.depth)
        return (
            "no part of the bearing stands out of the noise: the deepest, the "
            f"{_part_in_words(deepest.name)}, modulates it by "
            f"{100 * deepest.family.depth:.0f} %"
        )

    def _sure_of_health(self) -> float:
        chance = max((part.probability for part in self._parts), default=0.1)
        return min(_OF_HEALTHY, 1.0 - chance)

    def _scale(self) -> Scale:
        rpm = None if self._speed_hz is None else 60.0 * self._speed_hz
        return scale(self._machine.power_kw, self._machine.support, rpm)

    def _told(self, verdict: Verdict, confidence: float | None) -> Diagnosis:
        speed_rpm = None if self._speed_hz is None else 60.0 * self._speed_hz
        return Diagnosis(
            verdict,
            confidence,
            tuple(self._reasons),
            tuple(self._complaints),
            self._parts,
            self._unknown,
            self._traces,
            self._levels,
            self._scale(),
            speed_rpm,
            self._speed_from,
            self._axis,
            self._ready,
            self._lines,
        )


def _is_clear(trace: Trace) -> bool:
    return trace.excess > _TRACE and trace.p < _TRACE_P


_IN_WORDS = {
    "outer": "outer race",
    "inner": "inner race",
    "ball": "balls",
    "cage": "cage",
}


def _part_in_words(name: str) -> str:
    return _IN_WORDS[name]


def summary(found: Diagnosis) -> dict[str, Any]:
    """The same for programs, JSON's types only."""
    return {
        "verdict": found.verdict,
        "confidence": found.confidence,
        "reasons": list(found.reasons),
        "complaints": list(found.complaints),
        "speed_rpm": found.speed_rpm,
        "speed_from": found.speed_from,
        "turns": found.turns,
        "axis": found.axis,
        "velocity_mm_s": found.velocity_mm_s,
        "zone": found.zone,
        "standard": found.scale.name,
        "why_this_standard": found.scale.why,
        "parts": [
            {
                "part": part.name,
                "probability": part.probability,
                "expected_order": part.expected_order,
                "order": part.family.standing.order,
                "depth": part.family.depth,
                "p": part.family.standing.p,
                "decoys": part.family.standing.decoys,
                "objections": list(part.objections),
            }
            for part in found.parts
        ],
        "unknown_family": None
        if found.unknown is None
        else {
            "order": found.unknown.order,
            "depth": found.unknown.family.depth,
            "comes_and_goes_once_a_turn": found.unknown.comes_and_goes,
        },
        "traces": {
            name: {"order": trace.order, "excess": trace.excess, "p": trace.p}
            for name, trace in found.traces.items()
        },
        "levels": [
            {
                "axis": one.axis,
                "velocity_mm_s": one.velocity_mm_s,
                "band_hz": list(one.band_hz),
                "acceleration_g": one.acceleration_g,
                "peak_g": one.peak_g,
                "kurtosis": one.kurtosis,
                "shaft_orders_mm_s": [
                    None if math.isnan(value) else value for value in one.orders_mm_s
                ],
                "upper_spectrum_g": one.carpet_g,
            }
            for one in found.levels
        ],
    }
