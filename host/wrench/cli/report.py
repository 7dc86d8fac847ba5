"""`wrench report` and `wrench view`: what a recording shows."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wrench.boards.schema import Bearing
from wrench.cli.options import JSON, Moment, refuse_backwards
from wrench.errors import ReportError, damaged

if TYPE_CHECKING:
    from wrench.analysis.load import Told
    from wrench.analysis.measurement import Measurement
    from wrench.analysis.result import Choices

_MOST = 1e7


class Positive(click.ParamType[float]):
    """A number above 0, and not beyond all bounds."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Fails where it is none."""
        number = click.FLOAT.convert(value, param, ctx)
        if not 0.0 < number < _MOST:
            self.fail(f"{value!r} is not between 0 and {_MOST:,.0f}")
        return number


class ReportPath(click.Path):
    """A file whose ending names a form of report; converts to a Path."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Fails where the ending names none."""
        from wrench.reporting.write import form_of  # noqa: PLC0415  (not for `wrench --help`)

        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        try:
            form_of(path)
        except ReportError as error:
            self.fail(str(error))
        return path


class Band(click.ParamType[tuple[float, float]]):
    """A band in Hz, "600-1400"; converts to its two ends."""

    name = "band"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Fails where it is not two rising frequencies above 0."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:-|–|:|\.\.)\s*(\d+(?:\.\d+)?)\s*(?:Hz)?", value)
        if match is None or not 0.0 < float(match[1]) < float(match[2]):
            self.fail(f"{value!r} is no band; give two rising frequencies in Hz, such as 600-1400")
        return float(match[1]), float(match[2])


class Geometry(click.ParamType[Bearing]):
    """A bearing, "BALLS,BALL_MM,PITCH_MM" or with the contact angle in degrees as a fourth."""

    name = "bearing"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Bearing:
        """Fails where it is no bearing."""
        if isinstance(value, Bearing):
            return value
        from wrench.diagnosis.bearings import by_dimensions  # noqa: PLC0415  (not for `--help`)

        try:
            return by_dimensions(str(value))
        except ValueError:
            self.fail(
                f"{value!r} is no bearing; give the number of balls, a ball's diameter and the "
                "pitch diameter in mm, such as 9,7.94,39.04"
            )


def _choices(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say what to look at, and what the file does not tell."""

    @click.argument("file", metavar="FILE")
    @click.option("--from", "start_s", type=Moment(), help="Of the recording, as 12.5 or 2min.")
    @click.option("--to", "end_s", type=Moment(), help="The end of it.")
    @click.option("--axis", help="The one to show alone; default: that with the most vibration.")
    @click.option("--band", "band_hz", type=Band(), help="Of the envelope in Hz, as 600-1400.")
    @click.option(
        "--rpm",
        type=Positive(),
        help="The shaft's constant speed, where the file does not tell it.",
    )
    @click.option("--board", metavar="NAME|FILE", help="A board file: its bearing, levels, bands.")
    @click.option(
        "--bearing",
        type=Geometry(),
        metavar="N,D,P[,A]",
        help="Balls, ball and pitch in mm.",
    )
    @click.option(
        "--fs",
        type=Positive(),
        help="The sampling rate in Hz of a file that does not tell it.",
    )
    @functools.wraps(command)
    def with_choices(
        *,
        file: str,
        start_s: float | None,
        end_s: float | None,
        axis: str | None,
        band_hz: tuple[float, float] | None,
        rpm: float | None,
        board: str | None,
        bearing: Bearing | None,
        fs: float | None,
        **others: Any,
    ) -> None:
        from wrench.analysis.load import Told  # noqa: PLC0415  (not for `wrench --help`)
        from wrench.analysis.result import Choices  # noqa: PLC0415
        from wrench.boards import load_board  # noqa: PLC0415

        refuse_backwards(start_s, end_s, "--to")
        told = Told(fs, rpm, load_board(board) if board else None, bearing)
        command(file=file, told=told, choices=Choices(start_s, end_s, axis, band_hz), **others)

    return with_choices


@click.command()
@_choices
@click.option(
    "-o",
    "--output",
    type=ReportPath(),
    metavar="FILE",
    help="Ending in .html, .pdf or .png (one page); default: the recording's name and .html.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there already.")
@JSON
def report(
    *, file: str, told: Told, choices: Choices, output: Path | None, force: bool, as_json: bool
) -> None:
    """Make a report of a recording: its vibration over time, spectra, and the bearing's fault
    frequencies.

    FILE is a recording of Wrench (.mcap), or one that others made: .npz, .mat, .wav,
    .uff, .csv (in g where they do not tell).
    """
    from wrench.analysis.analyse import analyse  # noqa: PLC0415
    from wrench.analysis.files import find_recording  # noqa: PLC0415
    from wrench.reporting.standing import standing_at, standing_text  # noqa: PLC0415
    from wrench.reporting.summary import summary  # noqa: PLC0415
    from wrench.reporting.write import write  # noqa: PLC0415

    path = output or Path(find_recording(file).stem + ".html")
    if path.exists() and not force:
        raise ReportError(f"{path} is there already; give another name with -o, or --force")
    if not path.parent.is_dir():
        raise ReportError(f"there is no folder {path.parent}; make it, or name another with -o")
    measurement = _load(file, told)
    analysis = analyse(measurement, choices)
    size = write(analysis, path)
    if as_json:
        click.echo(json.dumps({"report": str(path), "bytes": size, **summary(analysis)}, indent=2))
    else:
        for sentence in analysis.missing:
            click.echo(sentence)
        stood = standing_at(measurement, analysis.start_s)
        if stood is not None:
            click.echo(standing_text(stood))
        click.echo(f"{path}: {size / 1e6:.1f} MB")
    _tell_damage(measurement)


@click.command()
@_choices
def view(*, file: str, told: Told, choices: Choices) -> None:
    """Look at a recording in a window: mark a stretch of the waveform to see its spectra."""
    from wrench.reporting import viewer  # noqa: PLC0415

    measurement = _load(file, told)
    viewer.show(measurement, choices)
    _tell_damage(measurement)


def _tell_damage(measurement: Measurement) -> None:
    if measurement.damage:
        raise damaged(measurement.source, measurement.damage)


def _load(file: str, told: Told) -> Measurement:
    from wrench.analysis.load import load  # noqa: PLC0415

    return load(file, told)
