"""The live screen: panels on a terminal, and the keys."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.driver import Driver
from textual.geometry import Region
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, Static

from wrench.errors import WrenchError
from wrench.monitor import panels, styles
from wrench.monitor.capture_file import capture
from wrench.monitor.panels import Draw, View
from wrench.monitor.session import Session
from wrench.monitor.symbols import Symbols
from wrench.monitor.watch import Watch

_SCROLLS = {"up": -1, "down": 1, "pageup": -10, "pagedown": 10}
STOP_KEYS = ("space", "s", "S")
_TICK_S = 0.05
_SHARE = 12
_STEP_PERMILLE = 50
_ASKED_LATELY_S = 1.5
_BOXED_HEIGHT, _TALL_HEIGHT = 34, 44
_WIDE_WIDTH, _WIDEST_WIDTH = 120, 170

_LOOK_KEYS = """\
a  next axis of waveform and spectrum   t  trends over 1, 10, 60 min
p  pause the picture, not the link      ?  this help   q  quit
"""
_CONTROL_KEYS = """\
s, space  stop the motor, at once, from anywhere
r  run, or ask for another speed. The run is this monitor's: it sends
   the heartbeat; when it ends, however it ends, the motor stops.
+  -  5 % faster, slower           x  reset a trip whose cause has gone
c  write the last 10 s, waveform and all, into a recording (.mcap)
"""
_HELP = """\
Speed     command: what the limits leave of the speed asked for, in % of
          rated speed; duty: of the PWM. The mark is the derate cap.
Velocity  RMS of the worst axis. Acceleration: peak of the worst axis.
          Alarm, limit and trip are the board's levels.
Waveform  one axis, its mean removed. Spectrum: amplitudes, Hann window.
Link      age of the newest frame, at most; latency of an answer.
Lost      samples by the sensor; frames missing on the way (m), bad (b:
          a wrong CRC), dropped by the board for want of room (d);
          all since this monitor began.
"""


class Panel(Widget):
    """A part of the screen that draws itself from the watch, line by line; only lines that have
    changed go to the terminal.
    """

    def __init__(self, draw: Draw, every_s: float, *, live: bool = False, name: str) -> None:
        """`live` panels go on while the picture is paused."""
        super().__init__(id=name)
        self._draw_lines = draw
        self._every_s = every_s
        self._due_s = 0.0
        self._drawn_for: tuple[int, int] | None = None
        self.live = live
        self.lines: list[Text] = []
        self._strips: list[Strip] = []

    def redraw(self, watch: Watch, view: View, now_s: float, *, anyhow: bool = False) -> None:
        """Draw anew where it is time to, or the size is another; drawing takes at most a small
        share of the processor."""
        width, height = self.size
        fits = self._drawn_for == (width, height)
        if not width or not height or (now_s < self._due_s and fits and not anyhow):
            return
        self._drawn_for = width, height
        began_s = time.thread_time()
        lines = self._draw_lines(watch, view, width, height)[:height]
        console = self.app.console
        before, self.lines = self.lines, lines
        changed = [
            at
            for at, line in enumerate(lines)
            if at >= len(before) or line != before[at] or line.spans != before[at].spans
        ]
        if len(before) != len(lines) or len(self._strips) != len(lines):
            changed = list(range(len(lines)))
            self._strips = [Strip.blank(width)] * len(lines)
        for at in changed:
            segments = [part for part in lines[at].render(console) if part.text]
            self._strips[at] = Strip(segments).adjust_cell_length(width)
        if changed:
            self.refresh(*(Region(0, at, width, 1) for at in changed))
        took_s = time.thread_time() - began_s
        self._due_s = now_s + max(self._every_s, _SHARE * took_s)

    def render_line(self, y: int) -> Strip:
        """A line as it was drawn last."""
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width)


class Dialog(ModalScreen[bool]):
    """Text, and keys that close it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close(False)", show=False),
        Binding("enter", "close(True)", show=False),
    ]

    def __init__(self, text: str, symbols: Symbols, *, any_key: bool = False) -> None:
        super().__init__(classes="" if symbols.unicode else "ascii")
        self._text = symbols.fold(text)
        self._any_key = any_key

    def compose(self) -> ComposeResult:
        """The text in a frame."""
        with Vertical(classes="dialog"):
            yield Static(self._text, markup=False)

    def action_close(self, agreed: bool) -> None:
        """Answer and go."""
        self.dismiss(agreed)

    def on_key(self, event: events.Key) -> None:
        """Any key closes a text that asks nothing, but those that move what has not the room."""
        if lines := _SCROLLS.get(event.key):
            event.stop()
            self.query_one(".dialog").scroll_relative(y=lines, animate=False)
        elif self._any_key:
            event.stop()
            self.dismiss(False)


class SpeedDialog(ModalScreen[int | None]):
    """Asks for a speed; gives 1/1000 of rated speed, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", show=False)]

    def __init__(self, text: str, percent: float, symbols: Symbols) -> None:
        super().__init__(classes="" if symbols.unicode else "ascii")
        self._text = symbols.fold(text)
        self._percent = percent

    def compose(self) -> ComposeResult:
        """The question, a field and what is wrong with the answer."""
        with Vertical(classes="dialog"):
            yield Static(self._text, markup=False)
            yield Input(f"{self._percent:g}", restrict=r"[0-9.,]*\s*%?", id="percent", compact=True)
            yield Static("Enter: run    Esc: do nothing", id="wrong", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take a speed."""
        match = re.fullmatch(r"(\d+(?:[.,]\d*)?)\s*%?", event.value.strip())
        permille = round(float(match[1].replace(",", ".")) * 10) if match else 0
        if not 1 <= permille <= 1000:
            self.query_one("#wrong", Static).update("a percentage of rated speed, 0.1 to 100")
            return
        self.dismiss(permille)

    def action_close(self) -> None:
        """Nothing is to be done."""
        self.dismiss(None)


class MonitorApp(App[None]):
    """Shows a board. Has no key that commands it; `ControlApp` has.

    Parameters:
        session: started; whoever made it ends it.
        folder: where captures are written.
        ended: says when to close without a question, as for a termination signal.
    """

    ENABLE_COMMAND_PALETTE = False
    CONTROL: ClassVar[bool] = False
    CSS = """
    Screen { layout: vertical; }
    ModalScreen { align: center middle; }
    Panel { width: 1fr; height: 1fr; }
    #title, #keys, #link-line { height: 1; }
    #speed { height: 3; }
    #news { height: 2; }
    #upper { height: 6fr; }
    #middle { height: 5fr; }
    #lower { height: 5; }
    #by-axis, #link, #small { display: none; }
    .boxed #speed { height: 4; }
    .tall #news { height: 3; }
    .boxed #lower { height: 10; }
    .tall #lower { height: 14; }
    .wide #readings { width: 34; }
    .wide #by-axis { display: block; width: 46; }
    .widest.boxed #link { display: block; width: 46; }
    .widest.boxed #link-line { display: none; }
    .tiny Panel, .tiny Horizontal { display: none; }
    .tiny #small { display: block; }
    .dialog { width: auto; max-width: 100%; height: auto; max-height: 100%; padding: 0 1; }
    .dialog { border: round white; overflow: hidden auto; scrollbar-size-vertical: 1; }
    .ascii .dialog { border: ascii white; }
    .dialog Static { width: auto; max-width: 100%; height: auto; }
    .dialog Input { width: 20; height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "axis", show=False),
        Binding("t", "trend", show=False),
        Binding("p", "pause", show=False),
        Binding("question_mark,h,f1", "help", show=False),
        Binding("q,ctrl+q,ctrl+c", "leave", show=False, priority=True),
    ]

    def __init__(
        self,
        session: Session,
        symbols: Symbols,
        *,
        folder: Path | None = None,
        ended: Callable[[], bool] = lambda: False,
        driver_class: type[Driver] | None = None,
    ) -> None:
        super().__init__(driver_class=driver_class, ansi_color=True)
        self._session = session
        self._ended = ended
        self._folder = folder or Path()
        self._written: deque[tuple[str, str]] = deque()
        self.watch_board = Watch(time.monotonic)
        self.view = View(symbols, control=self.CONTROL)
        self._frozen: Watch | None = None
        self._asked: tuple[float, int] | None = None
        self._farewell: Dialog | None = None
        self.left_run = False
        """Whether the user has quit while a run was on, and so stopped it."""

    def compose(self) -> ComposeResult:
        """The panels, from top to bottom."""
        yield Panel(panels.title, 0.25, live=True, name="title")
        yield Panel(panels.speed, 0.1, live=True, name="speed")
        yield Panel(panels.news, 0.2, live=True, name="news")
        with Horizontal(id="upper"):
            yield Panel(panels.velocity, 0.5, name="velocity")
            yield Panel(panels.waveform, 0.1, name="waveform")
        with Horizontal(id="middle"):
            yield Panel(panels.peak, 0.5, name="peak")
            yield Panel(panels.spectrum_panel, 0.2, name="spectrum")
        with Horizontal(id="lower"):
            yield Panel(panels.readings, 0.5, name="readings")
            yield Panel(panels.by_axis, 0.5, name="by-axis")
            yield Panel(panels.link_panel, 0.5, live=True, name="link")
            yield Panel(panels.events, 0.2, name="events")
        yield Panel(panels.link_line, 0.5, live=True, name="link-line")
        yield Panel(panels.keys, 60.0, live=True, name="keys")
        yield Panel(panels.small, 0.5, live=True, name="small")

    def on_mount(self) -> None:
        """Begin to draw."""
        self.set_interval(_TICK_S, self.tick)

    def on_resize(self, event: events.Resize) -> None:
        """Choose the layout for this size."""
        width, height = event.size
        tiny = width < panels.LEAST_WIDTH or height < panels.LEAST_HEIGHT
        self.view.framed = height >= _BOXED_HEIGHT
        if not self.screen_stack:
            return
        screen = self.screen_stack[0]
        screen.set_class(tiny, "tiny")
        screen.set_class(height >= _BOXED_HEIGHT, "boxed")
        screen.set_class(height >= _TALL_HEIGHT, "tall")
        screen.set_class(width >= _WIDE_WIDTH, "wide")
        screen.set_class(width >= _WIDEST_WIDTH, "widest")
        self.call_after_refresh(self.draw, anyhow=True)

    def tick(self) -> None:
        """Take what has come, and draw what is due."""
        if self._ended():
            self.exit()
            return
        self.watch_board.take(self._session.take())
        while self._written:
            self.watch_board.say(*self._written.popleft())
        self.draw()

    def draw(self, *, anyhow: bool = False) -> None:
        """Draw the panels that are due, or all of them."""
        if not self.screen_stack:  # a tick that is late may find the app closed
            return
        now_s = time.monotonic()
        for panel in self.screen_stack[0].query(Panel):
            source = self.watch_board
            if self._frozen is not None and not panel.live:
                source = self._frozen
            panel.redraw(source, self.view, now_s, anyhow=anyhow)

    # ---- keys that look --------------------------------------------------------------------------
    def action_axis(self) -> None:
        """Waveform and spectrum of the next axis."""
        self.view.next_axis()
        self.draw(anyhow=True)

    def action_trend(self) -> None:
        """The next length of the trends."""
        self.view.next_span()
        self.draw(anyhow=True)

    def action_pause(self) -> None:
        """Stop the picture, or let it go on; speed, mode, trips and losses stay live."""
        if self._frozen is None:
            self._frozen = self.watch_board.frozen()
            self.view.paused_s = self.watch_board.now_s
        else:
            self._frozen, self.view.paused_s = None, None
        self.draw(anyhow=True)

    def action_help(self) -> None:
        """Keys, and what the panels show."""
        keys = (_CONTROL_KEYS if self.CONTROL else "") + _LOOK_KEYS
        news = panels.news_in_full(self.watch_board, self.view)
        text = f"{news}{keys}\n{_HELP}Arrows move this; any other key closes it."
        self.push_screen(Dialog(text, self.view.symbols, any_key=True))

    def action_leave(self) -> None:
        """Quit."""
        self.exit()


class ControlApp(MonitorApp):
    """The screen with the keys that command the board."""

    CONTROL = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "run", show=False),
        Binding("plus,equals_sign,up", "change(1)", show=False),
        Binding("minus,down", "change(-1)", show=False),
        Binding("x", "reset", show=False),
        Binding("c", "capture", show=False),
    ]

    async def on_event(self, event: events.Event) -> None:
        """The stop key comes first, wherever the focus is: a binding, of any priority, would give
        way to a field that takes characters.
        """
        if isinstance(event, events.Key) and event.key in STOP_KEYS and not event.is_forwarded:
            event.stop()
            self.action_stop()
            return
        await super().on_event(event)

    def action_stop(self) -> None:
        """Stop the motor, at once."""
        self._session.stop()
        self._asked = None
        self._say("stop is sent")
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def action_run(self) -> None:
        """Ask for a speed, and run with it."""
        status = self.watch_board.status
        if status is None or not self.watch_board.live:
            self._say("the board is not there", styles.BAD)
            return
        whose = panels.owner(self.watch_board)
        text = f"Run at how many % of rated speed? The ceiling is {100 * status.ceiling:g} %.\n"
        if status.turning and not self.watch_board.report.owns_run:
            text += f"What is on now is {whose}; this monitor takes it over.\n"
        text += (
            "The run is this monitor's: it sends the heartbeat, and when the\n"
            "monitor ends, however it ends, the motor stops.\n"
        )
        asked = self._target() if status.turning else 0
        percent = (asked or round(1000 * status.ceiling)) / 10
        self.push_screen(SpeedDialog(text, percent, self.view.symbols), self._run)

    def _run(self, permille: int | None) -> None:
        if permille is not None:
            self._ask(permille)

    def _ask(self, permille: int) -> None:
        self._asked = (time.monotonic(), permille)
        self._session.run(permille)

    def _target(self) -> int:
        """The speed that was asked for last, in 1/1000; 0 where this monitor has no run."""
        if self._asked and time.monotonic() - self._asked[0] < _ASKED_LATELY_S:
            return self._asked[1]
        report = self.watch_board.report
        return report.target_permille if report.owns_run else 0

    def action_change(self, direction: int) -> None:
        """Faster or slower by 5 % of rated speed."""
        status, target = self.watch_board.status, self._target()
        if status is None or not target:
            self._say("there is no run of this monitor's; r starts one, or takes one over")
            return
        cap = round(1000 * status.cap)
        wanted = max(_STEP_PERMILLE, target + direction * _STEP_PERMILLE)
        if direction > 0 and wanted > cap:
            wanted = cap
            if target >= cap:
                self._say(f"{cap / 10:g} % is the derate cap; only another board file raises it")
                return
        self._ask(wanted)

    def action_reset(self) -> None:
        """Leave tripped."""
        self._session.reset_trip()

    def action_capture(self) -> None:
        """Write the last seconds into a recording."""
        watch = self._frozen or self.watch_board
        if watch.greeting is None:
            self._say("there is no waveform to write yet", styles.BAD)
            return
        kept, greeting = watch.recent.frames(), watch.greeting

        def write() -> None:
            try:
                path, seconds = capture(self._folder, kept, greeting)
            except WrenchError as error:
                self._written.append((str(error), styles.BAD))
            else:
                told = f"{seconds:.1f} s of waveform are in {path}"
                self._written.append((told, styles.GOOD))

        # A disk may be slow, and a stop must not wait for it.
        threading.Thread(target=write, name="capture").start()

    def action_leave(self) -> None:
        """Quit; a run of this monitor's is stopped, and that is asked first. Asked for again, it is
        meant."""
        if not self.watch_board.report.owns_run:
            self.exit()
            return
        if self._farewell in self.screen_stack:
            self._leave(True)
            return
        text = (
            "The run that is on is this monitor's, and ends with it.\n\n"
            "Enter: stop the motor and quit    Esc: stay"
        )
        self._farewell = Dialog(text, self.view.symbols)
        self.push_screen(self._farewell, self._leave)

    def _leave(self, agreed: bool | None) -> None:
        if agreed:
            self.left_run = True
            self._session.stop()
            self.exit()

    def _say(self, text: str, style: str = styles.PLAIN) -> None:
        self.watch_board.say(text, style)
        self.draw()
