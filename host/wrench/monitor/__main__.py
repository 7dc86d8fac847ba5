"""One page of `wrench monitor --web`: the screen on textual-serve's own terminal."""

from __future__ import annotations

from pathlib import Path

import click

from wrench.monitor.session import Session, board_opener
from wrench.monitor.show import show
from wrench.monitor.symbols import UNICODE


@click.command()
@click.option("--port")
@click.option("--captures", "folder", type=click.Path(path_type=Path), default=".")
@click.option("--control", is_flag=True)
def main(port: str | None, folder: Path, control: bool) -> None:
    """Show a board, there or not, until the page is closed."""
    session = Session(board_opener(port), waveform=True)
    session.start()
    show(session, control=control, folder=folder, symbols=UNICODE)


if __name__ == "__main__":
    main()
