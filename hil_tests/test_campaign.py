"""A short campaign holds, a defect of the firmware does not survive it, and what a campaign has
found stays mended."""

from __future__ import annotations

from importlib import resources

import pytest

from wrench.hil import content
from wrench.hil.campaign import BOARDS, campaign, made, survive
from wrench.hil.content import BOARD, content_with
from wrench.hil.invariants import Violation
from wrench.hil.story import act, story

pytestmark = pytest.mark.needs("emulator")

_SHORT = 16


@pytest.mark.parametrize("number", range(len(BOARDS)), ids=[" ".join(it) for it in BOARDS])
def test_a_short_campaign_is_survived(number: int) -> None:
    survive(made(2026, number, _SHORT))


def test_a_campaign_ends_when_it_has_had_its_faults() -> None:
    told = list(campaign(seed=3, faults=2, jobs=1, acts=4))
    assert [one.story for one in told] == [made(3, n, 4) for n in range(len(told))]
    assert not any(one.violation for one in told)
    assert sum(one.faults for one in told[:-1]) < 2 <= sum(one.faults for one in told)


def broken(monkeypatch: pytest.MonkeyPatch, module: str, line: str, instead: str) -> None:
    """The firmware with that defect is what every board has."""
    text = (resources.files("wrench_firmware") / module).read_text()
    assert text.count(line) == 1, line
    with_it = content_with({module: text.replace(line, instead)})
    monkeypatch.setitem(content._contents, (BOARD.name, BOARD.hash, "stock"), with_it)


RUN = act("run", 0.3, permille=1000)


DEFECTS = {
    "the link's timeout does not count": (
        "link lost",
        "control.py",
        "                conditions |= protection.OWNED\n",
        "                pass\n",
        (RUN, act("host_hangs", 0.1, seconds=0.6)),
    ),
    "the cap is 10 % off": (
        "cap",
        "governor.py",
        "        self.cap_permille = min(board.DERATE_CAP_PERMILLE, HARD_CAP_PERMILLE)\n",
        "        self.cap_permille = board.DERATE_CAP_PERMILLE * 11 // 10\n",
        (RUN, act("load", 5.0, fraction=0.3)),
    ),
    "a silent sensor is no fault": (
        "blind",
        "protection.py",
        "        add(SENSOR_SILENT, q.SENSOR_SILENT_MS, trip=board.VIBRATION_STALE_MS)\n",
        "",
        (RUN, act("sensor", 0.5, what="interrupt cut")),
    ),
}
"""Rule that is broken; module, line of it and what stands there instead; acts that show it."""


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_of_the_firmware_is_found(monkeypatch: pytest.MonkeyPatch, defect: str) -> None:
    rule, module, line, instead, acts = DEFECTS[defect]
    broken(monkeypatch, module, line, instead)
    with pytest.raises(Violation, match=rule):
        survive(story("pico-adxl345", "stock", 1, *acts))


def test_half_a_frame_left_behind_costs_nobody_an_answer() -> None:
    survive(story("pico-adxl345", "wrench", 39937, act("garbage", 0.005, size=3000, seed=994)))


def test_a_sensor_whose_clock_runs_away_at_rest_ends_the_next_run() -> None:
    survive(
        story(
            "pico-adxl345-i2c-pwm-enable",
            "wrench",
            7770,
            act("sensor", 0.005, what="clock runs away"),
            act("press_button", 0.005, seconds=3.3),
            clock_ppm=-100.0,
        )
    )


def test_no_run_begins_on_a_supply_that_is_too_low() -> None:
    survive(
        story(
            "pico-adxl345-i2c-pwm-enable",
            "wrench",
            33396,
            act("supply", 0.5, volts=5.0),
            act("run", 0.3, permille=500),
        )
    )


def test_a_trip_told_by_a_sensor_that_then_fell_silent_can_be_reset() -> None:
    knock = act("knock", 0.2, strength_g=20.0)
    survive(
        story(
            "pico-adxl345",
            "stock",
            7,
            act("mend_and_run", 0.5, permille=700),
            knock,
            knock,
            act("knock", 0.05, strength_g=20.0),
            act("sensor", 0.5, what="supply dips"),
        )
    )
