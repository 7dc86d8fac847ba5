"""One page of `wrench monitor --web`: the screen on textual-serve's own terminal."""

from __future__ import annotations

from pathlib import Path

import click
from textual import messages
from textual.drivers.web_driver import WebDriver

from wrench.monitor.session import Session, board_opener
from wrench.monitor.show import show
from wrench.monitor.symbols import UNICODE


class PageDriver(WebDriver):
    """textual-serve's terminal, which ends the screen when the server has gone: a page that nobody
    sees must not keep a motor running.
    """

    def run_input_thread(self) -> None:
        """Read what is typed, until there is no more."""
        super().run_input_thread()
        self._nobody_there()

    def write(self, data: str) -> None:
        """Draw."""
        try:
            super().write(data)
        except OSError:
            self._nobody_there()

    def write_meta(self, data: dict[str, object]) -> None:
        """Tell the server something."""
        try:
            super().write_meta(data)
        except OSError:
            self._nobody_there()

    def _nobody_there(self) -> None:
        if not self.exit_event.is_set():
            self._app.post_message(messages.ExitApp())


@click.command()
@click.option("--port")
@click.option("--captures", "folder", type=click.Path(path_type=Path), default=".")
@click.option("--control", is_flag=True)
def main(port: str | None, folder: Path, control: bool) -> None:
    """Show a board, there or not, until the page is closed."""
    session = Session(board_opener(port), for_screen=True, commands=control)
    session.start()
    show(session, control=control, folder=folder, symbols=UNICODE, driver_class=PageDriver)


if __name__ == "__main__":
    main()
