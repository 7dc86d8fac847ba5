"""What stood already when that which is shown begins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import worn_drill
from click.testing import CliRunner

from wrench.analysis.measurement import Happening, Measurement, State
from wrench.cli import wrench
from wrench.reporting.standing import Standing, standing_at, standing_text
from wrench_firmware import wire


def event(time_s: float, name: str, of: str) -> Happening:
    names = wire.LIMITS if name == "limit" else wire.FAULTS
    return Happening(time_s, name, names.index(of), None)


STATES = (
    State(0.08, "running", "derate cap", "none", ("over-current",)),
    State(5.0, "running", "derate cap", "none", ("over-current", "vibration")),
    State(7.0, "limiting", "vibration", "none", ("over-current", "vibration")),
    State(8.0, "limiting", "vibration", "none", ("vibration",)),
    State(12.0, "limiting", "vibration", "none", ("vibration", "over-current")),
    State(20.0, "tripped", "none", "vibration", ()),
)
EVENTS = (
    event(2.0, "limit", "vibration"),  # of one that was over again
    event(3.0, "alarm", "vibration"),  # of an alarm that was over again
    event(4.95, "alarm", "vibration"),
    event(11.99, "alarm", "over-current"),
    event(19.97, "trip", "vibration"),
)


def at(time_s: float) -> Standing:
    found = standing_at(Measurement("run", 30.0, states=STATES, happenings=EVENTS), time_s)
    assert found is not None
    return found


def test_alarms_stand_since_the_event_that_told_of_them() -> None:
    found = at(10.0)
    assert (found.time_s, found.mode, found.limit, found.trip) == (
        10.0,
        "limiting",
        "vibration",
        "",
    )
    assert found.alarms == ("vibration",)
    # No event told of the limit: since the first status that shows it.
    assert found.since_s == {"alarm vibration": 4.95, "limit vibration": 7.0}


def test_what_stood_from_the_first_is_from_before_the_recording() -> None:
    found = at(6.0)
    assert found.since_s["alarm over-current"] is None
    assert found.since_s["limit derate cap"] is None
    assert found.since_s["alarm vibration"] == 4.95
    assert at(0.0).time_s == 0.08  # before that the board has told nothing


def test_one_that_came_again_stands_since_it_came_again() -> None:
    assert at(15.0).since_s["alarm over-current"] == 11.99


def test_a_trip_is_told_and_what_held_the_speed_is_not() -> None:
    found = at(25.0)
    assert (found.trip, found.limit, found.alarms) == ("vibration", "", ())
    assert found.since_s == {"trip vibration": 19.97}
    assert standing_text(found) == (
        "Where this begins, at 25.000 s, the board is in mode “tripped”, tripped by vibration "
        "since 19.970 s; no alarm stands."
    )


def test_nobody_stands_for_who_has_told_nothing() -> None:
    assert standing_at(Measurement("run", 30.0), 1.0) is None


def test_a_report_of_a_stretch_in_alarm_says_so_wherever_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    worn_drill.record(tmp_path / "run.mcap", waveform=False)
    given = ["report", "run.mcap", "--from", "9.5", "--to", "10.1"]
    plain = CliRunner().invoke(wrench, given)
    sentence = (
        "Where this begins, at 9.500 s, the board is in mode “running”. "
        "Alarms that stand already: vibration since 9.000 s."
    )
    assert "No events in what is shown.\n" in plain.output
    assert f"{sentence}\n" in plain.output
    page = Path("run.html").read_text(encoding="utf-8")
    assert f'<p class="warning">{sentence} Nothing else happens.</p>' in page
    told = json.loads(CliRunner().invoke(wrench, [*given, "--force", "--json"]).output)
    assert told["events"] == []
    assert told["at_start"]["alarms"] == ["vibration"]
    assert told["at_start"]["since_s"] == {"alarm vibration": pytest.approx(9.0, abs=1e-4)}
