"""A short campaign holds, and a defect of the firmware does not survive it."""

from __future__ import annotations

from importlib import resources

import pytest

from wrench.hil import content
from wrench.hil.campaign import BOARDS, campaign, made, survive
from wrench.hil.content import BOARD, content_with
from wrench.hil.invariants import Violation
from wrench.hil.story import act, story

pytestmark = pytest.mark.emulator

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
