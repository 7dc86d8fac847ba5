"""What a watch makes of what a session gives, and how the panels draw it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import struct
from typing import Any

import pytest
from demo_run import frame, status, window

from wrench.link import Frame
from wrench.monitor import panels, styles
from wrench.monitor.happenings import happening
from wrench.monitor.panels import View
from wrench.monitor.session import Answer, Batch, Connected, Item, LinkReport, Told, Waiting
from wrench.monitor.symbols import ASCII, UNICODE, Symbols
from wrench.monitor.watch import Watch
from wrench.readout import Losses
from wrench_firmware import records, wire

NOON = dt.datetime(2024, 5, 1, 12, 0, 0, tzinfo=dt.UTC)
SIZES = [(80, 24), (120, 40), (200, 60), (60, 20)]
DRAWN = {
    "title": panels.title,
    "speed": panels.speed,
    "news": panels.news,
    "velocity": panels.velocity,
    "peak": panels.peak,
    "waveform": panels.waveform,
    "spectrum": panels.spectrum_panel,
    "readings": panels.readings,
    "by_axis": panels.by_axis,
    "link": panels.link_panel,
    "link_line": panels.link_line,
    "events": panels.events,
    "small": panels.small,
    "keys": panels.keys,
}
SETTLED = 1 << wire.FLAGS.index("window settled")
UP = LinkReport(connected=True, latency_s=0.02, frame_age_s=0.03, bytes_per_s=25_000.0)


class Scene:
    """A watch whose clock stands where it is put."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.watch = Watch(lambda: self.now_s, lambda: NOON)
        self.report = UP

    def take(self, *items: Item, **report: Any) -> None:
        """Give it these."""
        self.report = dataclasses.replace(self.report, **report)
        self.watch.take(Batch(list(items), self.report))

    def connect(self, boot: int = 4, *, again: bool = False) -> None:
        """The board greets."""
        greeting = frame("greeting", 0.0, boot_count=boot, sample_rate_hz=3200)
        greeting.values.update(board_name="bench drill", firmware_version="0.2.0")
        greeting.values.update(unique_id=bytes(8).hex())
        self.take(Connected(greeting, again), connected=True)

    def text(self, name: str, width: int = 100, height: int = 12, **view: Any) -> str:
        """A panel as it is read."""
        chosen = View(view.pop("symbols", UNICODE), **view)
        return "\n".join(it.plain for it in DRAWN[name](self.watch, chosen, width, height))

    def events(self) -> list[str]:
        """The texts of the events, oldest first."""
        return [line.text for line in self.watch.events]


@pytest.fixture
def scene() -> Scene:
    """A board that runs at its cap."""
    made = Scene()
    made.connect()
    for step in range(120):
        at = 1.0 + 0.25 * step
        now = status(at, "running", "derate cap", 700, flags=SETTLED)
        made.take(now, window(at, 650 + 10 * step))
    made.take(
        levels("vibration", 1200, 1800, 4500),
        levels("acceleration peak", None, None, 12_000),
        levels("over-current", 2500, 3000, 4000),
    )
    return made


def levels(protection: str, alarm: int | None, limit: int | None, trip: int | None) -> Frame:
    """A levels frame."""
    values = {"protection": protection, "alarm": alarm, "limit": limit, "trip": trip}
    return frame("levels", 31.0, **values)


def log(*events: tuple[int, int, str, int, int]) -> Frame:
    """A log frame: (device time in us, boot, name, detail, value) of each event."""
    tail = b"".join(
        struct.pack(
            records.EVENT_FORMAT, n, time_us, boot, wire.EVENTS.index(name), detail, value, 1, 0
        )
        for n, (time_us, boot, name, detail, value) in enumerate(events, 1)
    )
    told = frame("log", 31.0)
    return Frame("log", told.values, told.time_us, 0, 0, 0, tail)


def event(time_s: float, code: str, detail: int = 0, value: int = 0) -> Frame:
    """An event frame."""
    return frame("event", time_s, code=code, detail=detail, value=value)


def block(time_s: float, first: int) -> Frame:
    """A waveform frame of 32 samples."""
    told = frame("waveform", time_s, first_sample=first, samples=32, scale_ug=4000)
    tail = b"".join(struct.pack("<3h", n, -n, 250) for n in range(32))
    return Frame("waveform", told.values, told.time_us, 0, 0, 0, tail)


# ---- sizes -----------------------------------------------------------------------------------
@pytest.mark.parametrize("symbols", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize(("width", "height"), [(40, 6), (78, 5), (100, 19), (200, 4), (46, 14)])
def test_every_panel_has_its_exact_size(
    scene: Scene, name: str, width: int, height: int, framed: bool, symbols: Symbols
) -> None:
    scene.take(event(31.0, "alarm", wire.FAULTS.index("bearing too hot"), 71_300))
    lines = DRAWN[name](scene.watch, View(symbols, framed=framed), width, height)
    assert len(lines) in (1, height)
    assert {line.cell_len for line in lines} == {width}
    if symbols is ASCII:
        assert all(line.plain.isascii() for line in lines)


@pytest.mark.parametrize("name", DRAWN)
def test_every_panel_can_be_drawn_before_anything_is_known(name: str) -> None:
    watch = Watch(lambda: 0.0)
    for framed in (True, False):
        assert DRAWN[name](watch, View(UNICODE, framed=framed), 80, 8)


# ---- speed and its reasons -------------------------------------------------------------------
def test_speed_stands_against_the_cap_with_its_limit(scene: Scene) -> None:
    shown = scene.text("speed", 100, 4)
    for words in (
        "running, held by the derate cap",
        "70.0 %",
        "derate cap 70 %",
        "shaft 2,100 rpm",
    ):
        assert words in shown


def test_a_protecting_limit_is_named_and_explained(scene: Scene) -> None:
    scene.take(status(40.0, "limiting", "vibration", 520))
    assert "limiting, held by vibration" in scene.text("speed", 100, 4)
    assert "runs slower for it" in scene.text("news", 100, 3)
    assert "LIMITING" in scene.text("title", 100, 1)


def test_a_trip_is_named_and_says_where_to_look(scene: Scene) -> None:
    scene.take(status(40.0, "tripped", "none", 0, fault="seizure"))
    assert "TRIPPED by seizure, motor off" in scene.text("speed", 100, 4)
    assert "turn the shaft by hand" in " ".join(scene.text("news", 100, 3).split())


def test_an_alarm_is_explained(scene: Scene) -> None:
    alarm = 1 << wire.FAULTS.index("bearing too hot")
    scene.take(status(40.0, "running", "derate cap", 700, alarms=alarm))
    assert "Alarm: bearing too hot. The board stops if it gets worse." in scene.text("news", 100, 4)


def test_whose_run_it_is(scene: Scene) -> None:
    assert panels.owner(scene.watch) == "a run started at the board"
    owned = 1 << wire.FLAGS.index("run owned by link")
    scene.take(status(40.0, "running", "derate cap", 700, flags=owned))
    assert panels.owner(scene.watch) == "another host's run"
    scene.take(owns_run=True)
    assert "stops when the monitor ends" in panels.owner(scene.watch)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_how_to_stop_and_to_quit_is_in_sight_at_every_width(scene: Scene, width: int) -> None:
    shown = scene.text("keys", width, 1)
    for key in (" s stop", " r run", " +-", " x", " c", " a", " t", " p", " ? help", " q quit"):
        assert key in shown
    assert ("+- speed" in shown) == (width >= 80)
    assert " s stop" not in scene.text("keys", width, 1, control=False)


# ---- trends and readings ---------------------------------------------------------------------
def test_trends_have_their_levels_by_name(scene: Scene) -> None:
    shown = scene.text("velocity", 100, 14)
    for words in ("alarm  1.2", "limit  1.8", "trip  4.5", "1.84 mm/s", "1 min"):
        assert words in shown
    assert "trip   12" in scene.text("peak", 100, 14)


def test_a_window_that_has_not_settled_is_no_velocity(scene: Scene) -> None:
    before = len(scene.watch.velocity)
    scene.take(status(32.0, "idle", "none", 0, flags=0), window(32.0, 9_000))
    assert len(scene.watch.velocity) == before
    scene.take(status(33.0, "idle", "none", 0, flags=SETTLED), window(33.0, 300))
    assert scene.watch.velocity[-1] == (33.0, 0.3)


def test_levels_that_are_not_known_yet_are_announced() -> None:
    scene = Scene()
    scene.connect()
    scene.take(status(1.0, "running", "derate cap", 700), window(1.0, 650))
    assert "levels are read at rest" in scene.text("velocity", 100, 14)


def test_readings_have_units_and_what_is_not_measured_a_dash(scene: Scene) -> None:
    shown = scene.text("readings", 60, 14)
    for words in ("current   1.80 A", "supply   11.90 V", "bearing  24.5 °C", "kurtosis"):
        assert words in shown
    bare = Scene()
    bare.connect()
    nothing = dict(status(1.0, "idle", "none", 0).values) | dict.fromkeys(
        [name for name, _ in wire.QUANTITIES]
    )
    bare.take(frame("status", 1.0, **nothing))
    assert "current" in bare.text("readings", 60, 14)
    assert "0.00 A" not in bare.text("readings", 60, 14)
    assert "no tacho" in bare.text("speed", 100, 4)


@pytest.mark.parametrize(
    ("current_ma", "style"),
    [
        (1_800, styles.TITLE),
        (2_600, styles.WATCH),
        (3_200, styles.LIMITED),
        (4_000, styles.BAD),
    ],
)
def test_a_reading_has_the_colour_of_the_level_that_it_has_reached(
    scene: Scene, current_ma: int, style: str
) -> None:
    values = dict(status(40.0, "running", "none", 700).values) | {"current_ma": current_ma}
    scene.take(frame("status", 40.0, **values))
    line = panels.readings(scene.watch, View(UNICODE), 60, 14)[1]
    at = line.plain.index(f"{current_ma / 1000:.2f} A")
    assert style in [str(span.style) for span in line.spans if span.start <= at < span.end]


def test_the_trends_forget_what_is_older_than_an_hour(scene: Scene) -> None:
    scene.take(status(4000.0, "idle", "none", 0, flags=SETTLED), window(4000.0, 300))
    assert list(scene.watch.velocity) == [(4000.0, 0.3)]
    assert [at for at, _ in scene.watch.histories["supply"]] == [4000.0]


def test_each_of_several_supplies_is_shown(scene: Scene) -> None:
    values = dict(status(40.0, "running", "none", 700).values)
    values |= {"supply_1_mv": 12_010, "supply_2_mv": 12_630, "supply_3_mv": None}
    scene.take(frame("status", 40.0, **values))
    shown = scene.text("readings", 60, 14)
    assert "supply 1 12.01 V" in shown
    assert "supply 2 12.63 V" in shown
    assert "supply 3" not in shown


def test_a_lost_link_leaves_a_gap_in_the_trend(scene: Scene) -> None:
    scene.take(Waiting("gone"), connected=False)
    scene.connect(again=True)
    scene.take(status(55.0, "idle", "none", 0, flags=SETTLED), window(55.0, 700))
    values = [value for _, value in scene.watch.velocity]
    assert values[-2] is None
    row = scene.text("velocity", 100, 14).splitlines()[-3]
    assert "  " in row.strip("│ ")


# ---- losses and the link ---------------------------------------------------------------------
def test_losses_are_in_sight_at_every_width(scene: Scene) -> None:
    scene.take(losses=Losses(frames=1234, samples=17, missing=5, broken=3))
    wide = scene.text("link_line", 120, 1)
    assert "17 samples; frames 5 missing, 3 bad, 1234 dropped" in wide
    assert "lost 17 s, frames 5 m 3 b 1234 d" in scene.text("link_line", 80, 1)
    panel = scene.text("link", 46, 14)
    for words in ("samples lost          17", "frames missing        5", "board  1,234"):
        assert words in panel
    assert "25.0 kB/s" in wide
    assert "latency 20 ms" in wide


@pytest.mark.parametrize(
    ("losses", "row"),
    [
        (Losses(samples=7), "samples lost"),
        (Losses(missing=7), "frames missing"),
        (Losses(broken=7), "frames bad"),
        (Losses(frames=7), "dropped by the board"),
    ],
)
def test_each_kind_of_loss_is_red_by_itself(scene: Scene, losses: Losses, row: str) -> None:
    for lost, count, style in ((Losses(), 0, styles.GOOD), (losses, 7, styles.BAD)):
        scene.take(losses=lost)
        (line,) = panels.link_line(scene.watch, View(UNICODE), 120, 1)
        found = [str(it.style) for it in line.spans if line.plain[it.start : it.end].strip()]
        assert found[-1] == style
        (told,) = [it for it in scene.text("link", 46, 16).splitlines() if row in it]
        assert f" {count} " in told


def test_what_is_missing_of_the_waveform_is_said_until_the_end(scene: Scene) -> None:
    scene.take(block(31.00, 0), block(31.01, 32), waveform_on=True)
    assert "missing" not in scene.text("waveform", 60, 8)
    scene.take(block(31.05, 160))
    assert "96 missing" in scene.text("waveform", 60, 8)
    assert "96 samples" in scene.text("link", 46, 16)
    # A stretch for which it was not asked is not missing.
    scene.take(waveform_on=False)
    scene.take(block(33.0, 6400), waveform_on=True)
    assert "96 missing" in scene.text("waveform", 60, 8)
    scene.connect(5, again=True)
    assert "96 samples" in scene.text("link", 46, 16)


def test_what_is_old_is_said_to_be(scene: Scene) -> None:
    scene.take(frame_age_s=0.3)
    assert "old" not in scene.text("news", 100, 3)
    scene.take(frame_age_s=4.2, latency_s=4.0)
    assert "what is shown may be 4 s old" in scene.text("news", 100, 3)


def test_without_a_link_nothing_looks_live(scene: Scene) -> None:
    scene.take(Waiting("it has gone; plug it in"), connected=False)
    assert "NO LINK" in scene.text("title", 80, 1)
    assert "as it was at" in scene.text("speed", 80, 4)
    assert scene.text("news", 80, 1).startswith(" Waiting for the board: it has gone")
    assert "no link" in scene.text("waveform", 60, 8)
    styles = {
        str(line.style)
        for line in panels.velocity(scene.watch, View(UNICODE), 80, 10)
        if line.plain.strip()
    }
    assert styles == {"bright_black"}


def test_why_there_is_no_waveform(scene: Scene) -> None:
    scene.take(waveform="the link carries 5.8 kB/s, and the waveform alone takes 26")
    assert "carries 5.8 kB/s" in scene.text("waveform", 60, 8)
    assert "carries 5.8 kB/s" in scene.text("spectrum", 60, 8)


# ---- events ----------------------------------------------------------------------------------
def test_events_have_both_times(scene: Scene) -> None:
    scene.take(event(31.25, "trip", wire.FAULTS.index("vibration"), 4_700))
    assert "12:00:00    31.25  TRIP: vibration, 4.70 mm/s" in scene.text("events", 80, 8)
    assert "31.25  TRIP: vibration" in scene.text("events", 40, 8)


def test_what_happened_before_comes_from_the_black_box_once(scene: Scene) -> None:
    scene.take(event(31.25, "trip", 1, 4_700))
    scene.take(
        log(
            (900_000, 3, "run", 1, 600),
            (1_000_000, 4, "boot", 0, 4),
            (2_000_000, 4, "run", 1, 700),
            (31_250_400, 4, "trip", 1, 4_700),
        )
    )
    assert scene.events() == [
        "boot 4, by power-on",
        "run towards 70 %, by link",
        "TRIP: vibration, 4.70 mm/s",
    ]


def test_what_happened_while_the_link_was_lost_is_told_in_its_place(scene: Scene) -> None:
    scene.take(event(31.0, "run", 1, 700))
    scene.take(Waiting("gone"), connected=False)
    scene.connect(again=True)
    scene.take(log((31_000_000, 4, "run", 1, 700), (33_000_000, 4, "trip", 24, 455)))
    scene.take(event(40.0, "reset", 1, 24))
    assert scene.events() == [
        "run towards 70 %, by link",
        "link lost: gone",
        "TRIP: link lost, 455 ms",
        "the board is there again",
        "trip reset by link: link lost",
    ]


def test_another_boot_forgets_readings_and_keeps_events(scene: Scene) -> None:
    scene.take(event(31.0, "run", 1, 700))
    scene.connect(5, again=True)
    assert not scene.watch.velocity
    assert scene.watch.status is None
    assert not scene.watch.levels
    assert scene.events() == [
        "run towards 70 %, by link",
        "the board is there again; it has started anew, boot 5",
    ]


def test_answers_are_said_for_a_while(scene: Scene) -> None:
    scene.take(Answer("run", (450,), "tripped: reset first"))
    assert "the board did not run: tripped: reset first" in scene.text("news", 100, 3)
    scene.take(Answer("run", (450,), "the link was lost", unknown=True))
    assert scene.text("news", 100, 3).startswith(" run: the link was lost")
    scene.take(Answer("stop", ()))
    assert scene.text("news", 100, 3).startswith(" stopped")
    scene.now_s += 20.0
    assert "stopped" not in scene.text("news", 100, 3)


def test_what_the_session_did_is_an_event(scene: Scene) -> None:
    scene.take(Told("the screen stood still for 5 s: the motor was stopped"))
    assert scene.events()[-1].startswith("the screen stood still")


@pytest.mark.parametrize("code", wire.EVENTS)
@pytest.mark.parametrize("detail", [0, 1, 27, 200])
def test_every_event_has_words(code: str, detail: int) -> None:
    assert happening(code, detail, wire.ABSENT).text
    assert str(wire.ABSENT) not in happening("alarm", detail, wire.ABSENT).text


def test_a_frozen_watch_stays(scene: Scene) -> None:
    still = scene.watch.frozen()
    scene.take(window(60.0, 900), event(60.0, "stop", 1))
    assert len(still.velocity) == len(scene.watch.velocity) - 1
    assert len(still.events) == len(scene.watch.events) - 1
