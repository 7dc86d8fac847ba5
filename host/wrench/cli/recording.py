"""`wrench record`, `capture`, `info`, `export`, `recover`: recordings of a board."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wrench.cli.options import JSON, PORT, Duration, Moment, refuse_backwards
from wrench.cli.signals import asked_to_end
from wrench.errors import damaged
from wrench.link import Link
from wrench.transport import BoardConnection
from wrench.units import counted

if TYPE_CHECKING:
    from wrench.recording.session import Progress

_FILE = click.Path(dir_okay=False, path_type=Path)
_FORCE = click.option("--force", is_flag=True, help="Overwrite a file that is there already.")
_BOARD = click.option(
    "--board",
    type=_FILE,
    metavar="FILE",
    help="The file that the board was flashed from, to be attached; default: found by its hash.",
)
_FORMATS = ("uff58", "wav", "csv", "parquet")
_WHAT = ("waveform", "status", "features", "events")


@click.command()
@click.option("-o", "--output", type=_FILE, required=True, metavar="FILE.mcap", help="The file.")
@click.option("--for", "duration_s", type=Duration(), help="As 30s or 2h; default: until Ctrl-C.")
@click.option("--no-waveform", is_flag=True, help="Leave the raw waveform out.")
@_BOARD
@_FORCE
@PORT
@JSON
def record(
    *,
    output: Path,
    duration_s: float | None,
    no_waveform: bool,
    board: Path | None,
    force: bool,
    port: str | None,
    as_json: bool,
) -> None:
    """Record everything that a board sends, until Ctrl-C; its motor is left alone.

    The file opens in Foxglove and PlotJuggler as it is. Whatever ends the recording, it is readable
    up to the last second.
    """
    _record(
        port,
        as_json,
        path=output,
        board=board,
        waveform=not no_waveform,
        duration_s=duration_s,
        overwrite=force,
    )


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.0, min_open=True),
    required=True,
    metavar="N",
    help="Of device time, from the first sample on.",
)
@click.option(
    "-o", "--output", type=_FILE, metavar="FILE.mcap", help="Default: named by the date and time."
)
@_BOARD
@_FORCE
@PORT
@JSON
def capture(
    *,
    seconds: float,
    output: Path | None,
    board: Path | None,
    force: bool,
    port: str | None,
    as_json: bool,
) -> None:
    """Record so many seconds of the waveform, and all else that comes meanwhile."""
    path = output or Path(f"capture-{dt.datetime.now():%Y%m%d-%H%M%S}.mcap")
    _record(port, as_json, path=path, board=board, waveform_s=seconds, overwrite=force)


@click.command()
@click.argument("file", type=_FILE)
@JSON
def info(file: Path, as_json: bool) -> None:
    """Tell what is in a recording: how long, at which rates, what was lost and what happened."""
    from wrench.recording import Recording  # noqa: PLC0415  (not for `wrench --help`)
    from wrench.recording.facts import facts, lines  # noqa: PLC0415

    with Recording(file) as recording:
        told = facts(recording)
    click.echo(json.dumps(told, indent=2) if as_json else "\n".join(lines(told)))
    if told["problems"]:
        raise damaged(file, told["problems"])


@click.command()
@click.argument("file", type=_FILE)
@click.option("--to", "format_", type=click.Choice(_FORMATS), required=True, help="The format.")
@click.option("-o", "--output", type=_FILE, help="Default: the recording's name, ending changed.")
@click.option(
    "--what",
    type=click.Choice(_WHAT),
    default="waveform",
    show_default=True,
    help="All but the waveform go to csv and parquet only.",
)
@click.option("--from", "start_s", type=Moment(), help="Leave out what comes before, as 90s.")
@click.option("--until", "end_s", type=Moment(), help="Leave out what comes from then on.")
@_FORCE
@JSON
def export(
    *,
    file: Path,
    format_: str,
    output: Path | None,
    what: str,
    start_s: float | None,
    end_s: float | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write a recording in a format that other programs read."""
    from wrench.recording import Recording  # noqa: PLC0415
    from wrench.recording.export import ENDINGS, TABLES, Job  # noqa: PLC0415
    from wrench.recording.export import export as write  # noqa: PLC0415

    refuse_backwards(start_s, end_s, "--until")
    if what != "waveform" and format_ not in TABLES:
        raise click.UsageError(
            f"{format_} holds a waveform; export {what} to {' or '.join(TABLES)}"
        )
    ending = ENDINGS[format_] if what == "waveform" else f"-{what}{ENDINGS[format_]}"
    path = output or file.with_name(file.stem + ending)
    with Recording(file) as recording:
        done = write(Job(recording, path, what, start_s, end_s, force), format_)
        problems = recording.problems
    if as_json:
        told = {"files": [str(it) for it in done.files], "rows": done.rows, "gaps": done.gaps}
        click.echo(json.dumps(told | {"problems": problems}))
    else:
        gaps = f"{counted(done.gaps, 'gap')}, shown as such" if done.gaps else "no gaps"
        files = ", ".join(map(str, done.files))
        click.echo(f"{files}: {counted(done.rows, 'row')}, {gaps}")
    if problems:
        raise damaged(file, problems)


@click.command()
@click.argument("file", type=_FILE)
@click.option("-o", "--output", type=_FILE, help="Write a copy; default: complete the file itself.")
@_FORCE
@JSON
def recover(file: Path, output: Path | None, force: bool, as_json: bool) -> None:
    """Make a recording whole again whose writing was cut short."""
    from wrench.recording.recover import recover as mend  # noqa: PLC0415

    done = mend(file, output, force)
    if as_json:
        click.echo(json.dumps(asdict(done) | {"path": str(done.path)}))
        return
    if done.was_whole:
        click.echo(f"{done.path} is whole already")
        return
    left_out = f", {counted(done.left_out, 'damaged one')} left out" if done.left_out else ""
    cut = f"; {counted(done.cut_bytes, 'byte')} at its end cut off" if done.cut_bytes else ""
    click.echo(f"{done.path} is whole: {counted(done.chunks, 'chunk')}{left_out}{cut}")


def _record(port: str | None, as_json: bool, **options: Any) -> None:
    from wrench.recording.session import Session  # noqa: PLC0415

    show = _show_json if as_json else _show
    with asked_to_end() as ended:
        opened = BoardConnection(port).open_link()
        try:
            session = Session(Link(opened), ended=ended, show=show, **options)
            try:
                session.run()
            finally:
                if session.progress is not None:
                    _summarise(session.progress, as_json)
        finally:
            opened.close()


_Show = Callable[["Progress"], None]


def _show(now: Progress) -> None:
    rate = f"{now.rate_hz:8.0f} samples/s  " if now.samples else ""
    click.echo(f"{now.duration_s:8.1f} s  {rate}{now.size / 1e6:9.2f} MB  {now.losses}")


def _show_json(now: Progress, done: bool = False) -> None:
    told = {
        "file": str(now.path),
        "done": done,
        "duration_s": now.duration_s,
        "samples": now.samples,
        "rate_hz": now.rate_hz,
        "bytes": now.size,
        "losses": {
            name: getattr(now.losses, name) for name in ("frames", "samples", "missing", "broken")
        },
    }
    click.echo(json.dumps(told))


def _summarise(now: Progress, as_json: bool) -> None:
    if as_json:
        _show_json(now, done=True)
        return
    samples = f", {counted(now.samples, 'sample')}" if now.samples else ""
    click.echo(
        f"recorded {now.duration_s:.1f} s{samples}, {now.size / 1e6:.2f} MB in {now.path}; "
        f"{now.losses}"
    )
