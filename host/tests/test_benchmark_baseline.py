"""`make bench` beside its committed baseline: what counts as worse, and what the command does."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import baseline
import figure
import pytest
import run
import yardstick
from baseline import Known, Verdict, judge
from figure import Figure

DEVICE = "ms of device time"


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (100.0, Verdict.SAME),
        (102.04, Verdict.SAME),
        (102.06, Verdict.WORSE),
        (97.96, Verdict.SAME),
        (97.94, Verdict.BETTER),
    ],
)
def test_device_time_may_be_worse_by_a_little(value: float, verdict: Verdict) -> None:
    assert judge(Figure("x", value, DEVICE, "<= 500"), Known(100.0, DEVICE)) is verdict


def test_it_may_be_worse_by_what_the_luck_of_the_phase_is_worth() -> None:
    known = Known(100.0, DEVICE, spread=10.0)
    assert judge(Figure("x", 109.9, DEVICE), known) is Verdict.SAME
    assert judge(Figure("x", 110.1, DEVICE), known) is Verdict.WORSE


def test_a_target_tells_which_way_is_worse() -> None:
    known = Known(99.9, "% of them")
    assert judge(Figure("x", 99.8, "% of them", ">= 99"), known) is Verdict.WORSE
    assert judge(Figure("x", 100.0, "% of them", ">= 99"), known) is Verdict.BETTER
    assert judge(Figure("x", 99.8, "% of them", "<= 99"), known) is Verdict.BETTER


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [(0, 0, Verdict.SAME), (0, 1, Verdict.WORSE), (3, 0, Verdict.BETTER), (3, 2, Verdict.WORSE)],
)
def test_what_is_counted_is_exact(before: int, now: int, verdict: Verdict) -> None:
    assert judge(Figure("x", now, "B", "== 0"), Known(before, "B")) is verdict


def test_a_wall_clock_figure_is_never_compared_and_a_ratio_within_a_run_widely() -> None:
    for unit in ("s", "ms", "x real time", "a second", "frames/s", "% of a core", "CPU s per s"):
        assert judge(Figure("x", 1e9, unit), Known(1.0, unit)) is Verdict.UNCOMPARED
    known = Known(10.0, yardstick.UNIT)
    assert judge(Figure("x", 14.9, yardstick.UNIT), known) is Verdict.SAME
    assert judge(Figure("x", 15.1, yardstick.UNIT), known) is Verdict.WORSE


def test_a_figure_that_is_measured_in_another_unit_is_new() -> None:
    assert judge(Figure("x", 5.0, DEVICE), Known(5.0, "s of device time")) is Verdict.NEW
    assert judge(Figure("x", 5.0, DEVICE), None) is Verdict.NEW


def test_the_worst_of_several_seeds_is_kept_with_their_spread() -> None:
    def measure(seed: int) -> Iterator[Figure]:
        yield Figure("less", float(seed), DEVICE, "<= 9")
        yield Figure("more", float(seed), "% of them", ">= 0")

    found = [(it.value, it.spread) for it in figure.worst(measure)]
    assert found == [(3.0, 2.0), (1.0, 2.0)]


def test_a_cost_is_the_least_beside_the_least_fixed_work(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    fixed_s, took_s = iter([2.0, 3.0, 2.5, 9.0, 4.0]), iter([8.0, 7.0, 50.0, 6.0, 6.5])
    monkeypatch.setattr(yardstick, "fixed_work_s", lambda: next(fixed_s))
    monkeypatch.setattr(yardstick.time, "process_time", lambda: clock[0])

    def work() -> None:
        clock[0] += next(took_s)

    assert yardstick.beside_fixed_work(work) == 3.0


# -- the command -----------------------------------------------------------------------------------


@dataclass
class Done:
    """How the command ended, and what it said."""

    code: int
    stdout: str
    stderr: str


Bench = Callable[..., Done]


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bench:
    """The command's --last after a run that measured `figures`, with `known` as the baseline."""

    def look(figures: list[Figure] | None, known: Any, *options: str, parts: str = "speed") -> Done:
        (tmp_path / "build").mkdir(exist_ok=True)
        if figures is not None:
            told = {"parts": parts.split(), "figures": [vars(it) for it in figures]}
            (tmp_path / "build/bench.json").write_text(json.dumps(told))
        (tmp_path / "baseline.json").write_text(json.dumps(known))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["run", "--last", "--baseline", "baseline.json", *options])
        code: object = 0
        try:
            run.main()
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        if isinstance(code, str):  # as Python does
            return Done(1, said.out, said.err + code)
        assert isinstance(code, int)
        return Done(code, said.out, said.err)

    return look


KNOWN = {
    "e-stop to off": {"value": 0.3, "unit": DEVICE, "spread": 0.1},
    "hang to off": {"value": 270.0, "unit": DEVICE, "spread": 0.0},
}
SLOW = Figure("e-stop to off", 0.5, DEVICE, "<= 1")
GOOD = Figure("hang to off", 270.0, DEVICE, "<= 300")
WHOLE = (
    "startup redeploy first-deploy monitor speed stopping fastest vibration hang allocation "
    "intervals kernels host determinism losses sharing"
)


def test_worse_than_the_baseline_fails_the_command_and_is_named(bench: Bench) -> None:
    done = bench([SLOW, GOOD], KNOWN)
    assert done.code == 1
    assert "error: worse than the baseline: e-stop to off. Look at" in done.stderr
    assert "--last --save-baseline" in done.stderr
    slow, good = (
        next(line for line in done.stdout.splitlines() if it.name in line) for it in (SLOW, GOOD)
    )
    assert slow.endswith("0.3  WORSE THAN THE BASELINE")
    assert good.endswith("270  as the baseline")


def test_as_good_as_the_baseline_succeeds(bench: Bench) -> None:
    done = bench([GOOD], {"hang to off": KNOWN["hang to off"]})
    assert (done.code, done.stderr) == (0, "")


def test_a_missed_target_fails_only_where_that_is_asked(bench: Bench) -> None:
    missed = Figure("virtual bench", 0.5, "x real time", ">= 2.0")
    assert bench([missed], {}).code == 0
    done = bench([missed], {}, "--check")
    assert (done.code, done.stderr) == (1, "error: missed targets: virtual bench.\n")


def test_a_figure_that_is_no_longer_measured_fails_a_whole_run(bench: Bench) -> None:
    assert bench([GOOD], KNOWN).code == 0
    done = bench([GOOD], KNOWN, parts=WHOLE)
    assert done.code == 1
    assert "in the baseline, but not measured: e-stop to off." in done.stderr


@pytest.mark.parametrize(
    ("parts", "left"), [("speed", {"hang to off", "e-stop to off"}), (WHOLE, {"e-stop to off"})]
)
def test_a_saved_baseline_has_what_was_measured_and_what_a_part_leaves(
    bench: Bench, tmp_path: Path, parts: str, left: set[str]
) -> None:
    wall = Figure("image build", 30.0, "s")
    done = bench([SLOW, wall], KNOWN, "--save-baseline", parts=parts)
    assert (done.code, done.stderr) == (0, "")
    saved = baseline.load(tmp_path / "baseline.json")
    assert saved.keys() == left
    assert saved["e-stop to off"] == Known(0.5, DEVICE, 0.0)
    saved_json = json.loads((tmp_path / "baseline.json").read_text())
    assert bench([SLOW, wall], saved_json).code == 0


@pytest.mark.parametrize("known", ["text", {"x": {"worth": 3}}, {"x": 3}, [1]])
def test_what_is_no_baseline_is_told(bench: Bench, known: Any) -> None:
    done = bench([GOOD], known)
    assert done.code == 1
    assert done.stderr.startswith("error: baseline.json is not a baseline")


def test_without_a_run_there_is_nothing_to_look_at(bench: Bench) -> None:
    done = bench(None, {})
    assert done.code == 1
    assert "bench.json holds no measurement" in done.stderr
    assert "run `make bench`" in done.stderr


def test_the_committed_baseline_holds_what_is_compared_and_no_wall_clock() -> None:
    known = baseline.load()
    assert {"e-stop to off", "firmware hung to off", "longest kernel call"} <= known.keys()
    assert {it.unit for it in known.values()} <= baseline.TOLERANCES.keys()
