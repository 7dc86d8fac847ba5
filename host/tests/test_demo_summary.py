"""The demo's summary and plain lines are made from the data of the run."""

from __future__ import annotations

import io

import pytest
from demo_run import blind, frame, limit, play, record, status, window

from wrench.demo.plain import Lines
from wrench.demo.record import Phase
from wrench.demo.summary import summary
from wrench.image import Step
from wrench.link import Frame
from wrench.monitor.symbols import ASCII, UNICODE, symbols_for
from wrench_firmware import wire


def test_summary_tells_the_run() -> None:
    text = summary(play())
    for words in (
        "asked for 70 % of its rated 3,000 rpm",
        "The derate cap held the command at 70 % from 5.0 s on, with the shaft at 2,100 rpm",
        "At 14.0 s the vibration became the limit that binds",
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


def test_without_a_tacho_the_summary_tells_no_speed() -> None:
    text = summary(play(seen=blind))
    assert " rpm" in text, "its rated speed is known"
    assert "the shaft" not in text
    assert "came down from 70 % to 35 % of rated." in text
    assert "from 5.0 s on. There" in text


def test_plain_lines_without_a_reading_have_a_question_mark() -> None:
    out = io.StringIO()
    Lines(out, UNICODE).tick(play(20.0, blind))
    reading = out.getvalue().splitlines()[-1]
    assert "? rpm, velocity ? mm/s, peak ? g" in reading
    assert "? °C, ? A, ? V" in reading


@pytest.mark.parametrize("velocity_um_s", [4_700, 1_000])
def test_a_trip_by_peaks_is_told_with_what_was_above_its_level(velocity_um_s: int) -> None:
    run = record()
    run.begin(0.7, 1.0)
    run.take(window(2.0, velocity_um_s, peak_mg=13_500), 0, 0)
    trip = wire.FAULTS.index("acceleration peak")
    run.take(frame("event", 2.3, code="trip", detail=trip, value=13_500), 0, 0)
    text = summary(run)
    value = "4.70 with the trip level at 4.5 mm/s" if velocity_um_s > 4_500 else "a peak of 13.5"
    assert f"tripped: acceleration peak, at {value}" in text
    assert run.events[-1].text == "TRIP: acceleration peak, 13.5 g"


def test_a_board_without_a_level_for_peaks_is_judged_by_velocity_alone() -> None:
    run = record()
    vibration = run.board.protection.vibration.model_copy(update={"acceleration_peak_trip_g": None})
    protection = run.board.protection.model_copy(update={"vibration": vibration})
    run.board = run.board.model_copy(update={"protection": protection})
    run.begin(0.7, 1.0)
    run.take(window(2.0, 1_000, peak_mg=15_900), 0, 0)
    assert run.above_trip_s is None
    run.take(window(2.25, 4_600, peak_mg=15_900), 0, 0)
    trip = wire.FAULTS.index("vibration")
    run.take(frame("event", 2.5, code="trip", detail=trip, value=4_600), 0, 0)
    assert "at 4.60 with the trip level at 4.5 mm/s" in summary(run)


def test_limits_that_protect_nothing_are_not_the_story() -> None:
    run = record()
    run.begin(0.7, 1.0)
    for at, name in ((2.0, "ramp"), (3.0, "probation"), (4.0, "critical speed")):
        run.take(limit(at, name, 450), 0, 0)
    assert run.first_limit is None
    assert [event.text for event in run.events] == [
        "probation holds 45 %",
        "critical speed holds 45 %",
    ]
    run.take(limit(5.0, "supply", 400), 0, 0)
    assert run.first_limit == (5.0, "supply")


def test_events_of_the_board_are_told_in_words() -> None:
    run = record()
    run.begin(0.7, 1.0)
    crest, envelope = wire.FAULTS.index("crest factor"), wire.FAULTS.index("envelope")
    for n, (code, detail) in enumerate(
        [
            ("wall time", 0),
            ("alarm", crest),
            ("alarm over", crest),
            ("alarm", crest),
            ("alarm", envelope),
            ("probation", 2),
            ("probation", 0),
            ("samples lost", 0),
            ("stop", 1),
        ]
    ):
        run.take(frame("event", 2.0 + n, code=code, detail=detail), 0, 0)
    assert [event.text for event in run.events] == [
        "alarm: crest factor",
        "alarm: envelope",
        "probation: step 2 earned",
        "probation begins anew",
        "samples lost",
        "stop",
    ]


def losing(frame: Frame) -> Frame:
    """That frame, the board having lost 7 samples and dropped 2 frames."""
    return Frame(frame.name, frame.values, frame.time_us, frame.sequence, 2, 7)


def test_losses_since_the_run_began_are_told() -> None:
    run = play(4.0)
    later = status(4.1, "starting", "ramp", 500, bad_frames=1)
    run.take(losing(later), 3, 1)
    assert (run.losses.samples, run.losses.frames_dropped, run.losses.frames_missing) == (7, 2, 3)
    assert run.losses.bad_frames == 2
    assert "7 lost; " in summary(run)
    assert "7 lost." in summary(run)


def test_samples_that_are_lost_while_the_board_erases_its_flash_are_not_the_run_s() -> None:
    run = play(32.0)
    after = status(32.1, "tripped", "none", 0, fault="vibration")
    run.take(losing(after), 0, 0)
    assert (run.losses.samples, run.losses.frames_dropped) == (0, 2)


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
