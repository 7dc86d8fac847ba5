"""`wrench flash` and `wrench maintenance`: the firmware on a board, and the way to its REPL."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from wrench import readout
from wrench.cli import completion
from wrench.cli.options import JSON, PORT
from wrench.cli.progress import showing
from wrench.transport import BoardConnection

# What compiles and installs takes part of a second to import; `wrench flash --help` goes without.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from wrench import image as images
    from wrench.install import Installed


@click.command()
@PORT
@click.option(
    "--board",
    "board_file",
    metavar="FILE",
    shell_complete=completion.board_files,
    help="How the board is wired: the name of a board file or its path.",
)
@click.option(
    "--image",
    "image_name",
    metavar="KIND|FILE",
    shell_complete=completion.images,
    help="Install MicroPython too: stock, wrench, wrench-frozen, or a UF2 file. Without it, that "
    "is done where it is needed.",
)
@click.option(
    "--erase",
    is_flag=True,
    help="Erase the whole flash chip first: files, settings and the black box are lost.",
)
@JSON
def flash(
    port: str | None, board_file: str | None, image_name: str | None, erase: bool, as_json: bool
) -> None:
    """Install the firmware on a board, start it and verify it; sends only what changed.

    A board that hangs, or whose files are damaged, is mended by holding its BOOTSEL button while it
    is plugged in, and `wrench flash --erase`.
    """
    from wrench import image as images
    from wrench.boards import load_board
    from wrench.install import board_of, install

    given = None if board_file is None else load_board(board_file)
    connection = BoardConnection(port)
    board = given or board_of(connection, None)

    def find() -> images.Image:
        with showing("flash") as steps:
            return images.find_named(image_name or "stock", steps)

    # What is asked for is there before the board is sent where it needs it.
    asked = None if image_name is None else find()

    with _Display() as display:
        done = install(
            connection,
            board,
            find=lambda: asked or find(),
            known=images.cached,
            image_asked=image_name is not None,
            erase=erase,
            step=display.step,
            progress=display.progress,
        )
    click.echo(json.dumps(_facts(done), indent=2) if as_json else _summary(done))


@click.command()
@PORT
@JSON
def maintenance(port: str | None, as_json: bool) -> None:
    """Stop operating and give the board's console to mpremote."""
    from wrench.install import BACK_S, enter_maintenance

    connection = BoardConnection(port)
    enter_maintenance(connection)
    connection.wait_for(lambda ports: ports.console is not None, BACK_S)
    console = connection.look().console
    if as_json:
        click.echo(json.dumps({"console": console}))
        return
    click.echo("the board is in maintenance; its motor is off")
    click.echo(f"its REPL:          mpremote connect {console}")
    click.echo(f"operate it again:  mpremote connect {console} reset")


def _summary(done: Installed) -> str:
    report, board = done.report, done.greeting["board_name"]
    version = f"firmware {done.greeting['firmware_hash']:08x} for {board}"
    if not report.changed:
        return f"nothing changed: the board has {version}, and operates"
    removed = f", {len(report.removed)} removed" if report.removed else ""
    return (
        f"installed {version}: {len(report.written)} files{removed}, "
        f"{report.bytes_sent / 1000:.1f} kB; the board operates"
    )


def _facts(done: Installed) -> dict[str, Any]:
    report = done.report
    return {
        "board": readout.values(done.greeting),
        "image_bytes_written": done.image.written_bytes if done.image else 0,
        "files_written": report.written,
        "files_removed": report.removed,
        "bytes_sent": report.bytes_sent,
    }


class _Display:
    """A line for each step and a bar for the bytes; plain lines where there is no terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn("  sending"),
            BarColumn(),
            DownloadColumn(),
            console=Console(file=sys.stderr),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", visible=False)
        self._told = False

    def step(self, text: str) -> None:
        """Something begins."""
        if self._bar.finished:
            self._bar.stop()  # which takes the bar away; one of no visible task would stay
        self._bar.console.print(text, highlight=False)

    def progress(self, done: int, total: int) -> None:
        """Bytes done, of all."""
        if self._bar.disable and not self._told:
            self.step(f"sending {total / 1000:.1f} kB")
            self._told = True
        self._bar.update(self._task, completed=done, total=total, visible=True)
        if done < total:
            self._bar.start()

    def __enter__(self) -> _Display:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
