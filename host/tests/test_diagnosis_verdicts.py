"""A damaged part is named, at any speed; what is not damaged is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from struck_bearing import RATE_HZ, bearing, vibration

from wrench.analysis.measurement import Series
from wrench.bench.plant.bearing import DefectKind
from wrench.boards.schema import Bearing
from wrench.diagnosis import synthetic
from wrench.diagnosis.diagnose import Diagnosis, Machine, diagnose
from wrench.diagnosis.window import Window

VERDICTS = {"outer": "outer race", "inner": "inner race", "ball": "ball/cage"}
AXES = ("x", "y", "z")


def judge(
    values: np.ndarray, rpm: float | Series | None, known: Bearing | None, rate_hz: float = RATE_HZ
) -> Diagnosis:
    axes = AXES[: values.shape[1]]
    return diagnose(Window(values, rate_hz, axes, rpm), Machine(bearing=known))


@pytest.mark.parametrize("snr_db", [-3.0, 6.0])
@pytest.mark.parametrize("rpm", [1400.0, 2100.0, 2950.0])
@pytest.mark.parametrize("kind", ["outer", "inner", "ball"])
def test_each_part_is_named_at_three_speeds_and_two_levels(
    kind: DefectKind, rpm: float, snr_db: float
) -> None:
    found = judge(vibration(kind, rpm, snr_db), rpm, bearing())
    assert found.verdict == VERDICTS[kind], found.reasons
    assert found.confidence is not None
    assert found.confidence > 0.8


@pytest.mark.parametrize("seed", range(4))
def test_a_sound_machine_is_called_healthy(seed: int) -> None:
    found = judge(vibration(None, 2100.0, 0.0, seed=seed), 2100.0, bearing())
    assert found.verdict == "healthy", found.reasons


@pytest.mark.parametrize("kind", ["outer", "inner"])
def test_a_bearing_of_another_geometry_is_not_blamed(kind: DefectKind) -> None:
    other = Bearing(balls=12, ball_diameter_mm=4.0, pitch_diameter_mm=23.0)
    found = judge(vibration(kind, 2100.0, 6.0), 2100.0, other)
    assert found.verdict == "undetermined"
    assert "belongs to no part of this bearing" in found.reasons[0]


@pytest.mark.parametrize("kind", ["outer", "inner"])
def test_a_bearing_that_nobody_knows_still_shows_how_often_it_is_struck(kind: DefectKind) -> None:
    found = judge(vibration(kind, 2100.0, 6.0), 2100.0, None)
    assert found.verdict == "bearing, part unknown"
    assert found.unknown is not None
    true = bearing().bpfo_order if kind == "outer" else bearing().bpfi_order
    assert found.unknown.order == pytest.approx(true, rel=0.025)
    assert found.unknown.comes_and_goes == (kind == "inner")


@pytest.mark.parametrize("state", synthetic.NOTHING_TO_NAME)
def test_nothing_of_a_sound_bearing_is_named(state: synthetic.State) -> None:
    for seed in range(3):
        drawn = synthetic.draw(np.random.default_rng([7, seed]), state)
        found = judge(
            drawn.acceleration_g, 60.0 * drawn.told_speed_hz, drawn.bearing, drawn.rate_hz
        )
        assert found.verdict not in VERDICTS.values(), (state, seed, found.reasons)


@pytest.mark.parametrize("state", ["unbalance", "misalignment", "rub"])
def test_shaft_and_rub_are_told(state: synthetic.State) -> None:
    expected = "rub/lubrication" if state == "rub" else "unbalance/misalignment"
    drawn = synthetic.draw(np.random.default_rng([8, 1]), state)
    found = judge(drawn.acceleration_g, 60.0 * drawn.told_speed_hz, drawn.bearing, drawn.rate_hz)
    assert found.verdict == expected, found.reasons


def test_too_little_grease_shows_beside_the_healthy_machine() -> None:
    quiet = vibration(None, 2100.0, 0.0)
    before = judge(quiet, 2100.0, bearing())
    carpet = {one.axis: one.carpet_g for one in before.levels}
    machine = Machine(bearing=bearing(), carpet_g=carpet)
    dry = quiet + 0.1 * np.random.default_rng(9).standard_normal(quiet.shape)
    found = diagnose(Window(dry, RATE_HZ, AXES, 2100.0), machine)
    assert found.verdict == "rub/lubrication"


def test_a_speed_that_runs_up_is_followed_by_its_tacho() -> None:
    random = np.random.default_rng(3)
    count = int(6.0 * 12000.0)
    time_s = np.arange(count) / 12000.0
    speed_hz = 25.0 + 1.5 * time_s
    turns = np.cumsum(speed_hz) / 12000.0
    order = bearing().bpfo_order
    blows = np.interp(np.arange(1, int(turns[-1] * order)) / order, turns, np.arange(count))
    train = np.zeros(count)
    train[blows.astype(int)] = 1.0 + 0.1 * random.standard_normal(len(blows))
    ring = np.exp(-time_s[:400] * 600.0) * np.sin(2.0 * math.pi * 3300.0 * time_s[:400])
    values = 0.5 * np.convolve(train, ring)[:count] + 0.1 * random.standard_normal(count)
    tacho = Series(time_s[::600], 60.0 * speed_hz[::600])
    found = judge(values[:, np.newaxis], tacho, bearing(), 12000.0)
    assert found.verdict == "outer race", found.reasons
    blind = judge(values[:, np.newaxis], 60.0 * float(np.mean(speed_hz)), bearing(), 12000.0)
    assert blind.verdict != "outer race"
