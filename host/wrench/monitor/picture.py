"""Makes the README's picture of the monitor from a real run, with a bench in another terminal:
`wrench bench up --scenario demo`, then `python -m wrench.monitor.picture docs/monitor.svg`.

The screen is kept as it stands some seconds after a protecting limit has come down on the speed;
then the motor is stopped.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click
from rich.text import Text

from wrench.cli.options import PORT
from wrench.demo.picture import svg
from wrench.errors import BenchError
from wrench.monitor.app import ControlApp, Panel
from wrench.monitor.session import Session, board_opener
from wrench.monitor.symbols import UNICODE

_COLUMNS, _LINES = 108, 36
_AFTER_S, _PATIENCE_S = 8.0, 180.0
_SPEED_PERMILLE = 700


def _screen(app: ControlApp) -> list[Text]:
    """The panels as they lie beside each other."""
    panels = [panel for panel in app.screen_stack[0].query(Panel) if panel.region.area]
    panels.sort(key=lambda panel: panel.region.x)
    return [
        Text.assemble(
            *(
                panel.lines[y - panel.region.y]
                for panel in panels
                if panel.region.y <= y < panel.region.bottom
            )
        )
        for y in range(_LINES)
    ]


async def _taken(session: Session) -> list[Text]:
    app = ControlApp(session, UNICODE)
    async with app.run_test(size=(_COLUMNS, _LINES)) as pilot:
        give_up_s = time.monotonic() + _PATIENCE_S
        limited_s: float | None = None
        asked = False
        while time.monotonic() < give_up_s:
            await pilot.pause(0.05)
            status = app.watch_board.status
            if status is None:
                continue
            if status.mode == "idle" and not asked and len(app.watch_board.levels) > 1:
                session.run(_SPEED_PERMILLE)
                asked = True
            if status.mode == "limiting" and limited_s is None:
                limited_s = status.time_s
            if limited_s is not None and status.time_s > limited_s + _AFTER_S:
                return _screen(app)
    raise BenchError("no limit has come down; start the bench with --scenario demo")


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@PORT
def main(path: Path, port: str | None) -> None:
    """Write the picture."""
    session = Session(board_opener(port), for_screen=True)
    session.connect()
    session.start()
    try:
        lines = asyncio.run(_taken(session))
    finally:
        session.end()
    path.write_text(svg(lines, "wrench monitor", _COLUMNS), encoding="utf-8")


if __name__ == "__main__":
    main()
