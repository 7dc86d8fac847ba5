"""The screen from its start to its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from textual.driver import Driver

from wrench.monitor.app import ControlApp, MonitorApp
from wrench.monitor.session import Session
from wrench.monitor.symbols import Symbols, symbols_for


def show(
    session: Session,
    *,
    control: bool = True,
    folder: Path | None = None,
    ended: Callable[[], bool] = lambda: False,
    symbols: Symbols | None = None,
    driver_class: type[Driver] | None = None,
) -> str:
    """Show a started session until the user quits; stops a run that it owns, and ends it.

    `symbols` and `driver_class` are what this terminal needs, unless given. Returns what became of
    the motor, where a run of its own was on; else nothing.
    """
    symbols = symbols or symbols_for(sys.stdout.encoding, os.environ)
    kind = ControlApp if control else MonitorApp
    app = kind(session, symbols, folder=folder, ended=ended, driver_class=driver_class)
    owned = False
    try:
        app.run(mouse=False)
    finally:
        owned = session.owns_run
        answered = session.end()
    if not answered:
        return (
            "the board has not answered the stop; without this program's heartbeat it stops by "
            "itself: look at it"
        )
    return "the motor is stopped" if owned or app.left_run else ""
