"""The screen from its start to its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

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
) -> bool:
    """Show a started session until the user quits; stops a run that it owns, and ends it.

    `symbols` are those that this terminal can show, unless given. Returns whether a run of its own
    was stopped at the end.
    """
    symbols = symbols or symbols_for(sys.stdout.encoding, os.environ)
    app = (ControlApp if control else MonitorApp)(session, symbols, folder=folder, ended=ended)
    try:
        app.run(mouse=False)
    finally:
        owned = session.owns_run
        session.end()
    return owned or app.left_run
