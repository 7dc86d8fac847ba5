"""The demo's summary and plain lines are made from the data of the run."""

from __future__ import annotations

import dataclasses
import io

from demo_run import play, status, window

from wrench.demo.plain import Lines
from wrench.demo.record import Phase
from wrench.demo.summary import summary
from wrench.image import Step
from wrench.monitor.symbols import ASCII, UNICODE, symbols_for


def test_summary_tells_the_run() -> None:
    text = summary(play())
    for words in (
        "asked for 70 % of its rated 3,000 rpm",
        "The derate cap held the command at 70 % from 5.0 s on, with the shaft at 2,100 rpm",
        "At 14.0 s the bearing vibration became the limit that binds",
        "from 70 % to 35 % of rated",
        "At 31.50 s the controller tripped: vibration, at 4.70 with the trip level at 4.5 mm/s",
        "0.50 s after the end of the first of the windows in a row",
        "at the pin, whatever the firmware says, the motor was off at 31.50 s, 0.50 s after",
        "the shaft stood 1.5 s later",
        "from 21 % to 68 % of seizure",
        "about 26 days",
        "110,400 samples were taken and judged, 0 lost",
        "0 lost. 34 s of device time took 27 s",
    ):
        assert words in text, words


def test_summary_without_a_trip_is_honest() -> None:
    run = play(12.0)
    run.recording, run.wear = "IR021.npz", None
    run.enter(Phase.ENDED)
    text = summary(run)
    assert "The sensor felt IR021.npz, played as it is" in text
    assert "No protecting limit had to bind" in text
    assert "There was no trip: at 12.0 s, the recording's end" in text
    assert "never seen off at the pin" in text
    assert "seizure" not in text


def test_losses_since_the_run_began_are_told() -> None:
    run = play(4.0)
    later = status(4.1, "starting", "ramp", 500, bad_frames=1)
    run.take(dataclasses.replace(later, lost_samples=7, dropped_frames=2), 3, 1)
    assert (run.losses.samples, run.losses.frames_dropped, run.losses.frames_missing) == (7, 2, 3)
    assert run.losses.bad_frames == 2
    assert "7 lost; " in summary(run)
    assert "7 lost." in summary(run)


def test_only_the_last_windows_in_a_row_count_for_the_trip() -> None:
    run = play(20.0)
    for at, velocity in ((20.25, 4_600), (20.5, 4_400), (20.75, 4_600), (21.0, 4_600)):
        run.take(window(at, velocity), 0, 0)
    assert run.above_trip_s == 20.75


def test_plain_lines_have_no_control_characters_and_one_reading_a_second() -> None:
    out = io.StringIO()
    lines = Lines(out, UNICODE)
    lines.step(Step("flash", "1 of 2 kB \x1b[31m", 0.5))
    lines.step(Step("flash", "done", 1.0, done=True))
    run = play(1.6)
    lines.begin(run)
    for quarter in range(7, 145):
        lines.tick(play(quarter / 4))
    text = out.getvalue()
    assert all(character.isprintable() for character in text.replace("\n", ""))
    assert text.count("mm/s, peak") == 36
    assert text.count("phase: ") == len(Phase)
    for event in play().events:
        assert text.count(event.text + "\n") == 1


def test_plain_lines_in_ascii() -> None:
    out = io.StringIO()
    Lines(out, ASCII).tick(play(20.0))
    assert out.getvalue().isascii()


def test_characters_follow_encoding_and_locale() -> None:
    assert symbols_for("utf-8", {"LANG": "de_DE.UTF-8"}) is UNICODE
    assert symbols_for("utf-8", {}) is UNICODE
    assert symbols_for("ascii", {"LANG": "C.UTF-8"}) is ASCII
    assert symbols_for("cp1252", {}) is ASCII
    assert symbols_for("utf-8", {"LANG": "C", "LC_CTYPE": "C.UTF-8"}) is ASCII
    assert symbols_for("utf-8", {"LC_ALL": "C"}) is ASCII
    assert symbols_for("utf-8", {"LC_ALL": "en_GB.UTF-8", "LANG": "C"}) is UNICODE
    assert symbols_for(None, {}) is ASCII
