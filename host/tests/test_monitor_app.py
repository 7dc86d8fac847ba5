"""The live screen under textual's pilot: every key, sizes, an unplug."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from live_board import LiveBoard
from served_board import ServedBoard
from textual.pilot import Pilot
from textual.widgets import Input, Static
from throttled_port import ThrottledPort

from wrench.monitor.app import ControlApp, Dialog, MonitorApp, Panel, SpeedDialog
from wrench.monitor.session import Session
from wrench.monitor.symbols import ASCII, UNICODE, Symbols
from wrench.recording import Recording
from wrench.transport import Port, open_port

PATIENCE_S = 20.0
Body = Callable[["Screen"], Awaitable[None]]


class Screen:
    """An app on a board, as a person has it before them."""

    def __init__(self, app: MonitorApp, board: LiveBoard, pilot: Pilot[None]) -> None:
        self.app, self.board, self.pilot = app, board, pilot

    async def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until it is so."""
        until = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < until, "\n".join(self.lines())
            await self.pilot.pause(0.02)

    async def press(self, *keys: str) -> None:
        """Type."""
        await self.pilot.press(*keys)

    async def shows(self, *texts: str) -> None:
        """Wait until all of these are on the screen."""
        await self.wait_for(lambda: all(text in self.text() for text in texts))

    def panel(self, name: str) -> Panel:
        """A panel by its name."""
        return self.app.screen_stack[0].query_one(f"#{name}", Panel)

    def lines(self) -> list[str]:
        """The panels that are shown, line by line."""
        panels = [it for it in self.app.screen_stack[0].query(Panel) if it.display and it.size]
        return [line.plain for panel in panels for line in panel.lines]

    def text(self) -> str:
        """The same in one piece."""
        return "\n".join(self.lines())

    def heard(self, name: str) -> list[tuple[int, ...]]:
        """Arguments of the commands of that name that the board has heard."""
        return [arguments for _, heard, arguments in self.board.heard if heard == name]

    async def ask_speed(self) -> SpeedDialog:
        """Press r, and wait until a speed can be typed."""
        await self.press("r")
        await self.wait_for(
            lambda: isinstance(self.app.focused, Input) and not self.app.focused.selection.is_empty
        )
        dialog = self.app.screen
        assert isinstance(dialog, SpeedDialog)
        return dialog

    async def run(self) -> None:
        """Start a run at 45 %."""
        await self.ask_speed()
        await self.press("4", "5", "enter")
        await self.wait_for(lambda: self.app.watch_board.report.owns_run)
        await self.shows("RUNNING", "45.0 %", "asked 45 %")


def play(
    body: Body,
    *,
    size: tuple[int, int] = (100, 40),
    control: bool = True,
    commands: bool | None = None,
    folder: Path | None = None,
    symbols: Symbols = UNICODE,
    board: LiveBoard | None = None,
    open_port: Callable[[], Port] | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> LiveBoard:
    """Run a body against a screen; returns the board as it was left. `open_port` leads to `board`
    where it is not in this thread."""
    board = board or LiveBoard(time.monotonic)
    commands = control if commands is None else commands
    session = Session(open_port or board.open, for_screen=True, commands=commands)
    app = (ControlApp if control else MonitorApp)(session, symbols, folder=folder, ended=ended)

    async def perform() -> None:
        async with app.run_test(size=size) as pilot:
            screen = Screen(app, board, pilot)
            await screen.shows("IDLE", "0.64 mm/s")
            await body(screen)

    session.connect()
    session.start()
    try:
        asyncio.run(perform())
    finally:
        session.end()
    return board


# ---- keys that command -------------------------------------------------------------------------
def test_a_run_asks_for_a_speed_and_tells_whose_it_is() -> None:
    async def body(screen: Screen) -> None:
        await screen.ask_speed()
        assert screen.heard("run") == []
        await screen.press("4", "5", "enter")
        await screen.shows("RUNNING", "it is this monitor's, and the motor stops when it ends")
        assert screen.heard("run") == [(450,)]
        await screen.wait_for(lambda: len(screen.heard("heartbeat")) > 3)

    assert play(body).mode == "idle"  # it ended with the screen


def test_what_is_no_speed_is_said_and_not_sent() -> None:
    async def body(screen: Screen) -> None:
        dialog = await screen.ask_speed()
        field = dialog.query_one(Input)
        for typed in ("", "0", "150", "1..5"):
            field.value = ""
            await screen.press(*["full_stop" if it == "." else it for it in typed], "enter")
            await screen.wait_for(
                lambda: "0.1 to 100" in str(dialog.query_one("#wrong", Static).content)
            )
            dialog.query_one("#wrong", Static).update("")
            assert screen.app.screen is dialog
        assert screen.heard("run") == []
        await screen.press("escape")
        assert not isinstance(screen.app.screen, SpeedDialog)

    play(body)


def test_stop_needs_no_question() -> None:
    async def body(screen: Screen) -> None:
        for number, key in enumerate(("space", "s", "S"), 1):
            await screen.run()
            await screen.press(key)
            await screen.shows("IDLE", "stopped")
            assert len(screen.heard("stop")) == number
            assert not screen.app.watch_board.report.owns_run

    play(body)


def test_stop_works_from_every_dialog() -> None:
    async def body(screen: Screen) -> None:
        for key, opened_by in (("space", "r"), ("s", "r"), ("s", "question_mark"), ("space", "q")):
            await screen.run()
            await screen.press(opened_by)
            await screen.wait_for(lambda: len(screen.app.screen_stack) == 2)
            await screen.wait_for(
                lambda by=opened_by: by != "r" or isinstance(screen.app.focused, Input)
            )
            await screen.press(key)
            await screen.shows("IDLE")
            assert len(screen.app.screen_stack) == 1

    play(body)


def test_faster_and_slower() -> None:
    async def body(screen: Screen) -> None:
        await screen.press("plus")
        await screen.shows("there is no run of this monitor's")
        assert screen.heard("run") == []
        await screen.run()
        await screen.press("plus", "plus", "minus")
        await screen.wait_for(lambda: screen.heard("run") == [(450,), (500,), (550,), (500,)])
        await screen.press(*["plus"] * 5)
        await screen.shows("70 % is the derate cap")
        assert max(screen.heard("run")) == (700,)
        await screen.ask_speed()
        await screen.press("6", "8", "enter")
        await screen.shows("asked 68 %")
        await screen.press("plus")
        await screen.wait_for(lambda: screen.heard("run")[-2:] == [(680,), (700,)])

    play(body)


def test_a_trip_is_shown_and_reset() -> None:
    async def body(screen: Screen) -> None:
        await screen.run()
        screen.board.trip("vibration", 4_700)
        await screen.shows(
            "TRIPPED by vibration", "TRIP: vibration, 4.70 mm/s", "something is loose"
        )
        await screen.press("x")
        await screen.shows("IDLE", "the trip is cleared")

    play(body)


def test_a_refusal_is_said() -> None:
    async def body(screen: Screen) -> None:
        await screen.press("x")
        await screen.shows("the board did not reset the trip: not tripped")

    play(body)


def test_a_capture_is_a_file(tmp_path: Path) -> None:
    async def body(screen: Screen) -> None:
        await screen.shows("Waveform x: 0.4")
        await screen.press("c")
        await screen.shows("s of waveform are in")

    play(body, folder=tmp_path)
    (path,) = tmp_path.iterdir()
    with Recording(path) as recording:
        assert len(recording.waveform()) >= 32
        assert not recording.gaps()


def test_another_hosts_run_is_taken_over_only_after_a_warning() -> None:
    async def body(screen: Screen) -> None:
        screen.board.mode, screen.board.command_permille = "running", 600
        await screen.shows("RUNNING")
        await screen.press("plus")
        await screen.shows("r starts one, or takes one over")
        assert screen.heard("run") == []
        dialog = await screen.ask_speed()
        assert "another host's run; this monitor takes it over" in dialog._text

    board = play(body)
    assert board.mode == "running"  # it was not this monitor's: nothing stops it


# ---- quitting ----------------------------------------------------------------------------------
def test_quit_without_a_run_asks_nothing() -> None:
    async def body(screen: Screen) -> None:
        await screen.press("q")
        await screen.wait_for(lambda: not screen.app.is_running)

    assert not play(body).commands("stop")


@pytest.mark.parametrize(("key", "then"), [("q", "enter"), ("ctrl+c", "ctrl+c")])
def test_quit_with_a_run_asks_and_stops(key: str, then: str) -> None:
    async def body(screen: Screen) -> None:
        await screen.run()
        await screen.press(key)
        await screen.wait_for(lambda: isinstance(screen.app.screen, Dialog))
        await screen.press("escape")
        await screen.wait_for(lambda: not isinstance(screen.app.screen, Dialog))
        await screen.pilot.pause(0.2)
        assert screen.board.mode == "running"
        await screen.press("question_mark", key)
        await screen.wait_for(lambda: len(screen.app.screen_stack) == 3)
        await screen.press(then)
        await screen.wait_for(lambda: not screen.app.is_running)
        assert screen.app.left_run

    assert play(body).mode == "idle"


def test_a_signal_to_end_is_no_question() -> None:
    signals: list[str] = []

    async def body(screen: Screen) -> None:
        await screen.run()
        signals.append("SIGTERM")
        await screen.wait_for(lambda: not screen.app.is_running)

    assert play(body, ended=lambda: bool(signals)).mode == "idle"


# ---- keys that look ----------------------------------------------------------------------------
def test_axis_and_trend() -> None:
    async def body(screen: Screen) -> None:
        await screen.shows("Waveform x: 0.40 g peak", "Spectrum x")
        await screen.press("a")
        await screen.shows("Waveform y", "Spectrum y")
        await screen.press("a")
        await screen.shows("Waveform z: 0.00 g peak")
        await screen.press("t")
        await screen.shows("10 min")

    play(body)


def test_pause_stops_the_picture_and_not_the_link() -> None:
    async def body(screen: Screen) -> None:
        await screen.shows("Waveform x: 0.4")
        await screen.press("p")
        await screen.shows("PAUSED at")
        frozen = [line.plain for line in screen.panel("waveform").lines]
        read_us = screen.app.watch_board.now_s
        await screen.wait_for(lambda: screen.app.watch_board.now_s > read_us + 0.5)
        assert [line.plain for line in screen.panel("waveform").lines] == frozen
        screen.board.trip("e-stop")
        await screen.shows("TRIPPED by e-stop")
        assert "e-stop" not in "\n".join(it.plain for it in screen.panel("events").lines)
        await screen.press("p")
        await screen.wait_for(
            lambda: "TRIP: e-stop" in "\n".join(it.plain for it in screen.panel("events").lines)
        )

    play(body)


def test_help_closes_with_any_key() -> None:
    async def body(screen: Screen) -> None:
        await screen.press("question_mark")
        await screen.wait_for(lambda: isinstance(screen.app.screen, Dialog))
        await screen.press("a")
        await screen.wait_for(lambda: not isinstance(screen.app.screen, Dialog))
        assert screen.app.view.axis == 0

    play(body)


def test_read_only_has_no_key_that_commands() -> None:
    every = [*"abcdefghijklmnoprstuvwxyzSRXC+-= ", "space", "enter", "up", "down", "escape"]

    async def body(screen: Screen) -> None:
        for key in every:
            await screen.press(
                {"+": "plus", "-": "minus", "=": "equals_sign", " ": "space"}.get(key, key)
            )
        await screen.pilot.pause(0.3)
        asked = {name for _, name, _ in screen.board.heard}
        assert asked <= {"hello", "get_setting", "get_levels", "read_log", "stream"}
        assert "read-only" in screen.text()
        assert "stop" not in "".join(it.plain for it in screen.panel("keys").lines)

    play(body, control=False, commands=True)


def test_what_has_no_room_is_in_the_help() -> None:
    async def body(screen: Screen) -> None:
        screen.board.mode, screen.board.limit = "limiting", "vibration"
        await screen.shows("LIMITING", "? for all")
        news = " ".join(line.plain for line in screen.panel("news").lines)
        assert "another host's run" not in news.lower()
        await screen.press("question_mark")
        await screen.wait_for(lambda: isinstance(screen.app.screen, Dialog))
        dialog = screen.app.screen.query_one(".dialog")
        assert "Another host's run." in str(dialog.query_one(Static).content)
        await screen.wait_for(lambda: dialog.max_scroll_y > 0)
        assert dialog.region.height <= 20
        await screen.press("pagedown", "pagedown", "pagedown")
        await screen.wait_for(lambda: dialog.scroll_y == dialog.max_scroll_y)
        assert isinstance(screen.app.screen, Dialog)
        await screen.press("x")
        await screen.wait_for(lambda: not isinstance(screen.app.screen, Dialog))

    play(body, size=(60, 20))


# ---- sizes and symbols -------------------------------------------------------------------------
@pytest.mark.parametrize("symbols", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize(
    ("size", "beside"),
    [
        ((80, 24), ["velocity", "waveform", "peak", "spectrum", "readings", "events", "link-line"]),
        ((200, 60), ["velocity", "waveform", "peak", "spectrum", "by-axis", "link", "events"]),
        ((120, 40), ["velocity", "waveform", "peak", "spectrum", "by-axis", "events", "link-line"]),
        ((40, 10), ["small"]),
    ],
)
def test_layout_by_size(size: tuple[int, int], beside: list[str], symbols: Symbols) -> None:
    async def body(screen: Screen) -> None:
        panels = screen.app.screen_stack[0].query(Panel)
        shown = [it for it in panels if it.is_on_screen and it.size.area]
        assert set(beside) <= {it.id for it in shown}
        if "small" in beside:
            await screen.shows("lost 0 s, frames 0 m 0 b 0 d")
        else:
            await screen.shows("g peak", "latency")
        for panel in shown:
            await screen.wait_for(lambda it=panel: len(it.lines) == it.size.height)
            assert {line.cell_len for line in panel.lines} == {panel.size.width}
            if not symbols.unicode:
                assert all(line.plain.isascii() for line in panel.lines)
        # Together they cover the terminal, and none covers another.
        cells = sum(it.region.area for it in shown)
        assert cells == size[0] * size[1]

    play(body, size=size, symbols=symbols)


def test_a_terminal_that_changes_its_size() -> None:
    async def body(screen: Screen) -> None:
        for size in ((60, 20), (200, 60), (50, 15), (80, 24), (120, 40)):
            await screen.pilot.resize_terminal(*size)
            shows = "the screen needs" if size[0] < 60 else "? help"
            await screen.shows(shows)
            # Every one of them at once, however seldom it changes by itself.
            await screen.wait_for(lambda: all(fits(it) for it in shown(screen)))

    def shown(screen: Screen) -> list[Panel]:
        panels = screen.app.screen_stack[0].query(Panel)
        return [it for it in panels if it.is_on_screen and it.size.area]

    def fits(panel: Panel) -> bool:
        return {line.cell_len for line in panel.lines} == {panel.size.width}

    play(body, size=(80, 24))


# ---- the link ----------------------------------------------------------------------------------
def test_an_unplug_and_a_replug() -> None:
    async def body(screen: Screen) -> None:
        await screen.run()
        screen.board.unplug()
        await screen.shows("NO LINK", "Waiting for the board: there is no board; plug it in")
        await screen.press("r")
        await screen.shows("the board is not there")
        assert len(screen.app.screen_stack) == 1
        screen.board.plug_in()
        await screen.shows("TRIPPED by link lost", "the board is there again")
        assert screen.heard("run") == [(450,)]
        assert not screen.app.watch_board.report.owns_run

    play(body)


def test_a_slow_line_that_carries_more_than_it_can() -> None:
    async def body(screen: Screen) -> None:
        await screen.wait_for(
            # The line's 5.76 kB/s, and what it let through at once or a busy machine did not.
            lambda: re.search(r"no waveform: the link carries [3-6]\.\d kB/s", screen.text())
        )
        await screen.run()
        screen.board.streams = True  # another host has asked for it
        await screen.shows("The link is slow: what is shown may be")
        await screen.wait_for(lambda: re.search(r"[1-9]\d* dropped", screen.text()))
        await screen.press("t")
        await screen.shows("10 min", "RUNNING")
        asked_us = screen.board.time_us
        await screen.press("s")
        await screen.wait_for(lambda: screen.heard("stop"))
        # Long before the answer can have come.
        assert screen.board.commands("stop")[0] - asked_us < 2_000_000
        await screen.shows("RUNNING", "stop is sent")
        screen.board.streams = False
        await screen.shows("IDLE", "stopped")

    with ServedBoard(holds_bytes=4096) as served:
        number = int(served.url.rpartition(":")[2])
        line = ThrottledPort("127.0.0.1", number, 5760.0)
        try:
            play(body, board=served.board, open_port=lambda: open_port(line.url))
        finally:
            line.close()


def test_losses_are_shown() -> None:
    async def body(screen: Screen) -> None:
        screen.board.lost_samples, screen.board.dropped_frames = 12, 0
        screen.board.send_raw(b"noise\0")
        await screen.shows("12 samples", "1 bad")

    play(body)
