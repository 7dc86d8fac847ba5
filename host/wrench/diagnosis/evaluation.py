"""The diagnosis judged: on recordings whose truth is known, and on synthetic machines by the
thousand.

Recordings are judged as a user would, by `wrench.diagnosis.diagnose`, with nothing of the truth.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly
from scipy.stats import binom

from wrench.analysis.files import SUFFIXES, read_samples
from wrench.analysis.measurement import FloatArray
from wrench.boards.schema import Bearing
from wrench.diagnosis import reliability
from wrench.diagnosis.bearings import by_name, fault_orders
from wrench.diagnosis.combs import SLIP, is_near_shaft, score, stand
from wrench.diagnosis.diagnose import Diagnosis, Machine, diagnose
from wrench.diagnosis.reliability import Claim
from wrench.diagnosis.window import Window
from wrench.errors import ReportError

LABELS = "labels.csv"
TRUTHS = ("healthy", "inner", "outer", "ball", "cage")
GRADES = ("clear", "with effort", "partly", "no")
"""How diagnosable a record is, after Smith and Randall, "Rolling element bearing diagnostics using
the Case Western Reserve University data", MSSP 64-65 (2015)."""
_DIAGNOSABLE = ("clear", "with effort")
_GRADES = {
    130: "clear",
    156: "clear",
    209: "clear",
    105: "with effort",
    144: "with effort",
    169: "with effort",
    197: "with effort",
    222: "with effort",
    234: "with effort",
    3005: "with effort",
    185: "partly",
    118: "no",
    3001: "no",
}
# Case Western Reserve University, drive end, 12 kHz: first records of each fault, four loads each.
_CWRU = (
    (97, "healthy"),
    (105, "inner"),
    (118, "ball"),
    (130, "outer"),
    (144, "outer"),
    (169, "inner"),
    (185, "ball"),
    (197, "outer"),
    (209, "inner"),
    (222, "ball"),
    (234, "outer"),
    (246, "outer"),
    (258, "outer"),
    (3001, "inner"),
    (3005, "ball"),
)
_CWRU_OUTER_12 = {156: "outer", 158: "outer", 159: "outer", 160: "outer"}
_IN_NAMES = (
    (r"(?i)normal", "healthy"),
    (r"(?<![A-Za-z])IR\d{3}", "inner"),
    (r"(?<![A-Za-z])OR\d{3}", "outer"),
    (r"(?<![A-Za-z])B\d{3}", "ball"),
)
_CWRU_HEALTHY_RATE_HZ = 48000.0
_CWRU_RATE_HZ = 12000.0
_VERDICT_OF = {
    "inner": "inner race",
    "outer": "outer race",
    "ball": "ball/cage",
    "cage": "ball/cage",
    "healthy": "healthy",
}
NAMES_A_FAULT = (
    "inner race",
    "outer race",
    "ball/cage",
    "bearing, part unknown",
    "unbalance/misalignment",
    "rub/lubrication",
)
_OF_BEARING = ("inner race", "outer race", "ball/cage")
_DECOYS = 12
_DECOY_RATIOS = (0.5, 1.0, 2.0)
_DECOYS_APART = 2.25 * SLIP


@dataclass(frozen=True, slots=True)
class Label:
    """The truth of a recording, and what a user would tell about it."""

    path: Path
    truth: str
    grade: str = ""
    bearing: str = ""
    rpm: float | None = None
    rate_hz: float | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A recording, or a piece of one, and what was said of it.

    `rank` is the place of the true part among the parts of the bearing, from 1; 0 where it has
    none. `decoys_below` counts decoys with p < 0.05 among `decoys`.
    """

    name: str
    truth: str
    grade: str
    found: Diagnosis
    rank: int
    decoys: int
    decoys_below: int

    @property
    def is_right(self) -> bool:
        """The verdict is the truth."""
        return self.found.verdict == _VERDICT_OF[self.truth]

    @property
    def is_wrong(self) -> bool:
        """The verdict names a fault that is not there, or calls a damaged machine healthy."""
        return not self.is_right and self.found.verdict != "undetermined"


def labels(folder: Path) -> list[Label]:
    """The recordings of a folder with their truth: by its labels.csv (file, truth, and optionally
    grade, bearing, rpm, fs), else by names as Case Western Reserve University's are.

    Raises ReportError where there is no recording whose truth is known.
    """
    if not folder.is_dir():
        raise ReportError(f"there is no folder {folder}; name one that holds recordings")
    listed = folder / LABELS
    found = list(_listed(listed)) if listed.is_file() else list(_by_name(folder))
    if not found:
        raise ReportError(
            f"{folder} has no recording whose truth is known: add {LABELS} with the columns file, "
            f"truth ({', '.join(TRUTHS)}), and where they are known grade, bearing, rpm, fs"
        )
    return found


def judge_recordings(found: Sequence[Label], bearing: Bearing | None = None) -> Iterator[Judged]:
    """Every recording; a healthy one also in quarters. Rates that differ from the most frequent one
    are resampled to it, so that a rate tells nothing."""
    rates = Counter(_samples(one)[1] for one in found)
    usual_hz = rates.most_common(1)[0][0]
    for one in found:
        values, rate_hz, rpm = _samples(one)
        values, rate_hz = _resampled(values, rate_hz, usual_hz)
        known = by_name(one.bearing) if one.bearing else bearing
        if known is None:
            raise ReportError(
                f"the bearing of {one.path.name} is not known; tell it with --bearing, or in the "
                f"column bearing of {LABELS}"
            )
        yield _judge(one.path.stem, one, values, rate_hz, (rpm, known))
        if one.truth == "healthy":
            length = len(values) // 4
            for quarter in range(4):
                piece = values[quarter * length : (quarter + 1) * length]
                name = f"{one.path.stem}, quarter {quarter + 1}"
                yield _judge(name, one, piece, rate_hz, (rpm, known))


def bound(count: int, share: float = 0.05, sure: float = 0.99) -> float:
    """The greatest share of `count` trials that is compatible with `share`."""
    return float(binom.ppf(sure, count, share)) / count if count else math.nan


def _judge(
    name: str, label: Label, values: FloatArray, rate_hz: float, told: tuple[float, Bearing]
) -> Judged:
    rpm, bearing = told
    window = Window(values, rate_hz, tuple("xyz"[: values.shape[1]]), rpm)
    found = diagnose(window, Machine(bearing=bearing))
    rank = 0
    if label.truth != "healthy":
        parts = [part.name for part in found.parts]
        if label.truth in parts:
            # Ball and cage are one verdict: the better of the two counts.
            alike = ("ball", "cage") if label.truth in ("ball", "cage") else (label.truth,)
            verdicts = list(dict.fromkeys(_VERDICT_OF[part] for part in parts))
            rank = verdicts.index(_VERDICT_OF[alike[0]]) + 1
    below, drawn = try_decoys(found, bearing, np.random.default_rng(1))
    return Judged(name, label.truth, label.grade, found, rank, drawn, below)


def try_decoys(
    found: Diagnosis, bearing: Bearing, generator: np.random.Generator
) -> tuple[int, int]:
    """How many fundamentals drawn at random, which belong to nothing, get p < 0.05, and of how
    many."""
    if found.lines is None:
        return 0, 0
    scores = score(found.lines)
    own = [part.family.standing.order for part in found.parts]
    own += list(fault_orders(bearing).values())
    if found.unknown is not None:
        own.append(found.unknown.order)
    drawn: list[float] = []
    below = 0
    for _ in range(20 * _DECOYS):
        order = float(np.exp(generator.uniform(math.log(1.4), math.log(7.0))))
        near = [order / (one * ratio) for one in own for ratio in _DECOY_RATIOS]
        near += [order / one for one in drawn]
        # Two that overlap would be one trial counted twice.
        taken = any(abs(ratio - 1.0) < _DECOYS_APART for ratio in near)
        if taken or is_near_shaft(order, SLIP, scores.blur):
            continue
        drawn.append(order)
        below += stand(scores, order).p < 0.05
        if len(drawn) == _DECOYS:
            break
    return below, len(drawn)


def _samples(label: Label) -> tuple[FloatArray, float, float]:
    samples = read_samples(label.path, fs=label.rate_hz, allow_nan=True)
    rpm = label.rpm if label.rpm is not None else samples.rpm
    if rpm is None:
        raise ReportError(
            f"the speed of {label.path.name} is not known; add a column rpm to {LABELS}"
        )
    values = samples.snippets.reshape(-1, samples.snippets.shape[2]).astype(np.float64)
    return values, samples.rate_hz, rpm


def _resampled(values: FloatArray, rate_hz: float, to_hz: float) -> tuple[FloatArray, float]:
    if rate_hz == to_hz:
        return values, rate_hz
    up, down = round(to_hz), round(rate_hz)
    common = math.gcd(up, down)
    finite = np.nan_to_num(values)
    return np.asarray(resample_poly(finite, up // common, down // common, axis=0)), to_hz


def _listed(path: Path) -> Iterator[Label]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        for line, row in enumerate(csv.DictReader(file), 2):
            name, truth = (row.get("file") or "").strip(), (row.get("truth") or "").strip()
            if truth not in TRUTHS or not (path.parent / name).is_file():
                raise ReportError(
                    f"{path.name}, line {line}: {name or 'no file'}, {truth or 'no truth'}; give a "
                    f"file beside it and one of {', '.join(TRUTHS)}"
                )
            try:
                rpm = float(row["rpm"]) if row.get("rpm") else None
                rate_hz = float(row["fs"]) if row.get("fs") else None
            except ValueError as error:
                raise ReportError(f"{path.name}, line {line}: {error}; give numbers") from error
            grade, bearing = (row.get("grade") or "").strip(), (row.get("bearing") or "").strip()
            yield Label(path.parent / name, truth, grade, bearing, rpm, rate_hz)


def _by_name(folder: Path) -> Iterator[Label]:
    known: dict[int, str] = {
        first + load: truth for first, truth in _CWRU for load in range(4)
    } | _CWRU_OUTER_12
    paths = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    for path in sorted(paths, key=lambda path: (_number(path), path.name)):
        number = _number(path)
        truth = known.get(number) or _truth_in(path.stem)
        if truth is None:
            continue
        rate_hz = None
        if path.suffix.lower() == ".mat":
            is_healthy = truth == "healthy"
            rate_hz = _CWRU_HEALTHY_RATE_HZ if is_healthy else _CWRU_RATE_HZ
        grade = _GRADES.get(number, "")
        yield Label(path, truth, grade, "6205", None, rate_hz)


def _truth_in(name: str) -> str | None:
    """Of a drive end's record that is named after its fault, such as IR021_2 or normal_1."""
    if re.search("fan", name, re.IGNORECASE):
        return None
    return next((truth for pattern, truth in _IN_NAMES if re.search(pattern, name)), None)


def _number(path: Path) -> int:
    match = re.search(r"(\d+)$", path.stem)
    return int(match[1]) if match else -1


HEADER = (
    f"{'record':<34} {'truth':<8} {'grade':<12} {'verdict':<24} {'rank':>4} {'sure':>5}  judged"
)


def line(one: Judged) -> str:
    """A row of the table."""
    sure = "" if one.found.confidence is None else f"{100 * one.found.confidence:.0f} %"
    rank = str(one.rank) if one.rank else "-"
    judged = "right" if one.is_right else "WRONG" if one.is_wrong else "-"
    name = one.name if len(one.name) <= 34 else "…" + one.name[-33:]
    return (
        f"{name:<34} {one.truth:<8} {one.grade or '-':<12} {one.found.verdict:<24} {rank:>4} "
        f"{sure:>5}  {judged}"
    )


def row(one: Judged) -> dict[str, object]:
    """The same for programs."""
    return {
        "record": one.name,
        "truth": one.truth,
        "grade": one.grade,
        "verdict": one.found.verdict,
        "confidence": one.found.confidence,
        "rank": one.rank,
        "right": one.is_right,
        "wrong": one.is_wrong,
        "decoys": one.decoys,
        "decoys_below_0.05": one.decoys_below,
        "reasons": list(one.found.reasons),
    }


def totals(judged: Sequence[Judged]) -> dict[str, str]:
    """What it comes to, in words."""
    found: dict[str, str] = {}
    damaged = [one for one in judged if one.truth != "healthy"]
    grades = [grade for grade in GRADES if any(one.grade == grade for one in damaged)]
    for grade in [*grades, ""]:
        of_grade = [one for one in damaged if one.grade == grade]
        if not of_grade:
            continue
        first = sum(one.rank == 1 for one in of_grade)
        named = sum(one.is_right for one in of_grade)
        wrong = sum(one.is_wrong for one in of_grade)
        found[f"diagnosable: {grade or 'not graded'}"] = (
            f"{first} of {len(of_grade)} ranked first, {named} named right, {wrong} wrong"
        )
    diagnosable = [one for one in damaged if one.grade in _DIAGNOSABLE]
    if diagnosable:
        first = sum(one.rank == 1 for one in diagnosable)
        named = sum(one.is_right for one in diagnosable)
        found["all diagnosable"] = (
            f"{first} of {len(diagnosable)} ranked first, {named} named right, "
            f"{sum(one.is_wrong for one in diagnosable)} wrong"
        )
    healthy = [one for one in judged if one.truth == "healthy"]
    if healthy:
        false = sum(one.found.verdict in NAMES_A_FAULT for one in healthy)
        called = sum(one.is_right for one in healthy)
        found["healthy"] = f"{called} of {len(healthy)} called healthy, {false} false names"
    decoys = sum(one.decoys for one in judged)
    below = sum(one.decoys_below for one in judged)
    if decoys:
        found["decoys at p < 0.05"] = (
            f"{100 * below / decoys:.1f} % of {decoys} (5 % are due, {100 * bound(decoys):.1f} % "
            "allowed by chance at 99 %)"
        )
    for number, text in enumerate(reliability.lines(claims(judged)), 1):
        found[f"reliability {number}"] = text
    return found


def claims(judged: Sequence[Judged]) -> list[Claim]:
    """Named faults with their confidence, and whether they were right."""
    return [
        Claim(one.found.confidence, one.is_right)
        for one in judged
        if one.found.confidence is not None and one.found.verdict in NAMES_A_FAULT
    ]
