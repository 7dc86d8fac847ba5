"""Tells the story: to a terminal as a screen, to anything else as lines, to both a summary."""

from __future__ import annotations

import os
import sys
import textwrap

from rich.console import Console
from rich.text import Text

from wrench.demo.interrupts import Interrupts
from wrench.demo.live import Terminal
from wrench.demo.plain import Lines
from wrench.demo.record import Record
from wrench.demo.setup import Options
from wrench.demo.story import tell
from wrench.demo.summary import summary
from wrench.monitor import styles
from wrench.monitor.symbols import Symbols, symbols_for

_WIDEST = 96


def present(options: Options, *, plain: bool = False) -> Record:
    """Run the demo on standard output; returns what happened.

    Raises
    ------
    WrenchError
        See `story.tell`.
    KeyboardInterrupt
        It was interrupted; the terminal is as it was, and the emulator has ended.
    """
    symbols = symbols_for(sys.stdout.encoding, os.environ)
    console = Console(highlight=False, markup=False, emoji=False)
    interrupts = Interrupts()
    with interrupts.watching():
        if plain or not sys.stdout.isatty() or not console.is_terminal or console.is_dumb_terminal:
            record = tell(options, Lines(sys.stdout, symbols), interrupts)
            print(f"\n{_paragraph(record, symbols, 80)}")
        else:
            with Terminal(console, symbols) as terminal:
                record = tell(options, terminal, interrupts)
            _show_end(record, console, symbols)
    return record


def _show_end(record: Record, console: Console, symbols: Symbols) -> None:
    console.print()
    for event in record.events:
        line = Text(f"{event.time_s:9.2f}  ", style=styles.FAINT)
        console.print(line.append(symbols.fold(event.text), styles.PLAIN))
    console.print()
    console.print(Text(_paragraph(record, symbols, console.width)))


def _paragraph(record: Record, symbols: Symbols, width: int) -> str:
    return textwrap.fill(symbols.fold(summary(record)), max(20, min(width - 1, _WIDEST)))
