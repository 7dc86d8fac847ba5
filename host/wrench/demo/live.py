"""The run on a terminal: lines while the board is set up, then one screen redrawn in place."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from wrench.demo.record import Record
from wrench.demo.screen import render
from wrench.image import Step
from wrench.monitor import styles
from wrench.monitor.bars import bar
from wrench.monitor.keyboard import silent_keyboard
from wrench.monitor.symbols import Symbols

_REFRESH_S = 0.08
_SHARE = 12
_BAR_COLUMNS = 24


class Terminal(AbstractContextManager["Terminal"]):
    """A watcher of the story that draws; leaving the context restores the terminal in any case.

    The screen uses the terminal's alternate page: nothing of it scrolls, and the lines before and
    after it stay together.
    """

    def __init__(self, console: Console, symbols: Symbols) -> None:
        self._console = console
        self._symbols = symbols
        self._live: Live | None = None
        self._keyboard = silent_keyboard()
        self._record: Record | None = None
        self._due = 0.0

    def __enter__(self) -> Terminal:
        self._keyboard.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._end_live()
        finally:
            self._keyboard.__exit__(kind, error, trace)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._record:
            width, height = console.size
            yield Text("\n", no_wrap=True, overflow="crop").join(
                render(self._record, width, height, self._symbols)
            )

    # ---- Watcher ---------------------------------------------------------------------------------
    def step(self, step: Step) -> None:
        """A finished step stays as a line; the one that goes on is redrawn below."""
        line = Text(f"{step.phase:>9}  ", style=styles.FAINT, no_wrap=True, overflow="ellipsis")
        if step.fraction is not None and not step.done:
            line.append_text(bar(step.fraction, _BAR_COLUMNS, self._symbols, style=styles.ACCENT))
            line.append("  ")
        line.append(self._symbols.fold(step.text), styles.PLAIN)
        if step.done:
            self._end_live()
            self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True)
            return
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(line, refresh=True)

    def begin(self, record: Record) -> None:
        """Turn to the screen."""
        self._end_live()
        for note in record.notes:
            self._console.print(
                Text(f"{'note':>9}  ", styles.FAINT) + Text(self._symbols.fold(note), styles.PLAIN)
            )
        self._record = record
        self._live = Live(self, console=self._console, screen=True, auto_refresh=False)
        self._live.start(refresh=True)

    def tick(self, record: Record) -> None:
        """Redraw where it is time to; drawing takes at most a small share of the wall time."""
        now = time.monotonic()
        if self._live is None or now < self._due:
            return
        self._live.refresh()
        took_s = time.monotonic() - now
        self._due = now + max(_REFRESH_S, _SHARE * took_s)

    def _end_live(self) -> None:
        if self._live:
            live, self._live = self._live, None
            live.stop()
