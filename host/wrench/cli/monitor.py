"""`wrench monitor`: a live screen of a board, lines, or objects for pipes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wrench.cli.options import JSON, PORT, Duration
from wrench.cli.reading import reading
from wrench.cli.signals import asked_to_end

if TYPE_CHECKING:
    from wrench.monitor.session import Session


@click.command()
@PORT
@click.option("--plain", is_flag=True, help="Print lines instead of the live screen.")
@JSON
@click.option(
    "--every",
    "every_s",
    type=Duration(),
    help="At most one status in this time, with --plain (default: 1s) or --json (default: all).",
)
@click.option(
    "--captures",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=".",
    help="The folder that captures go to.  [default: this one]",
)
@click.option("--web", is_flag=True, help="Serve the screen to a browser on this computer.")
@click.option("--control", is_flag=True, help="With --web: with the keys that command the board.")
@click.option(
    "--web-port",
    type=click.IntRange(1024, 65535),
    default=8010,
    show_default=True,
    help="With --web: where, on 127.0.0.1.",
)
def monitor(
    *,
    port: str | None,
    plain: bool,
    as_json: bool,
    every_s: float | None,
    folder: Path,
    web: bool,
    control: bool,
    web_port: int,
) -> None:
    """Watch a board until q or Ctrl-C. Watching alone does not keep its motor running; a run that
    is started here (r) ends with the monitor.

    Without a terminal that can show a screen, and with --plain, prints a line a second.
    """
    if control and not web:
        raise click.UsageError("--control goes with --web; the screen here has all keys anyhow")
    if web and (plain or as_json):
        raise click.UsageError("--web shows the screen; leave out --plain and --json")
    if web:
        from wrench.monitor.web import serve  # noqa: PLC0415  (a web server is not for every start)

        serve(port, web_port=web_port, control=control, folder=folder, say=click.echo)
    elif plain or as_json or not _can_show_a_screen():
        _print(port, as_json, every_s)
    else:
        from wrench.monitor.show import show  # noqa: PLC0415  (textual takes its time)

        session = _session(port, for_screen=True)
        with asked_to_end() as ended:
            told = show(session, folder=folder, ended=ended)
        if told:
            click.echo(told)


def _session(port: str | None, *, for_screen: bool) -> Session:
    """A started session whose board has answered. Raises PortError, LinkError."""
    from wrench.monitor.session import Session, board_opener  # noqa: PLC0415  (numpy)

    session = Session(board_opener(port), for_screen=for_screen)
    session.connect()
    session.start()
    return session


def _print(port: str | None, as_json: bool, every_s: float | None) -> None:
    from wrench.monitor.lines import print_lines, print_objects  # noqa: PLC0415

    session = _session(port, for_screen=False)
    try:
        with asked_to_end() as ended:
            if as_json:
                print_objects(session, click.echo, every_s=every_s or 0.0, ended=ended)
            else:
                print_lines(
                    session, click.echo, every_s=every_s or 1.0, ended=ended, reading=reading
                )
    except BrokenPipeError:
        # Who read them has had enough; the interpreter would complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        session.end()


def _can_show_a_screen() -> bool:
    """A terminal at both ends that knows how to move a cursor."""
    dumb = os.environ.get("TERM", "") in ("dumb", "unknown", "")
    if sys.platform == "win32":
        dumb = False
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty() and not dumb
