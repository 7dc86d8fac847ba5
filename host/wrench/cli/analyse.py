"""`wrench analyse`: what is wrong with a machine, by its vibration."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wrench.boards.schema import Bearing
from wrench.cli.options import JSON, Moment, refuse_backwards
from wrench.cli.report import Positive
from wrench.errors import ReportError, damaged
from wrench.units import UNITS_G

if TYPE_CHECKING:
    from wrench.analysis.load import Told
    from wrench.analysis.measurement import Measurement
    from wrench.diagnosis.diagnose import Diagnosis


class BearingName(click.ParamType[Bearing]):
    """A bearing by its designation, or by dimensions as "9,7.94,39.04"."""

    name = "bearing"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Bearing:
        """Fails where it is neither."""
        from wrench.diagnosis.bearings import by_name  # noqa: PLC0415  (not for `wrench --help`)

        if isinstance(value, Bearing):
            return value
        try:
            return by_name(str(value))
        except ReportError as error:
            self.fail(str(error))


BEARING = click.option(
    "--bearing",
    "--geometry",
    type=BearingName(),
    metavar="NAME|N,D,P[,A]",
    help="A designation such as 6205, or rolling elements, their and the pitch diameter in mm.",
)


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--from", "start_s", type=Moment(), help="Of the recording, as 12.5 or 2min.")
@click.option("--to", "end_s", type=Moment(), help="The end of it.")
@click.option("--axis", help="Judge this one alone; default: all.")
@click.option("--rpm", type=Positive(), help="The shaft's speed, where the file does not tell it.")
@BEARING
@click.option("--board", metavar="NAME|FILE", help="A board file: its bearing.")
@click.option(
    "--fs", type=Positive(), help="The sampling rate in Hz of a file that does not tell it."
)
@click.option(
    "--unit",
    type=click.Choice(tuple(UNITS_G)),
    help="Of the samples of a file that does not tell it; default: g.",
)
@click.option("--power", "power_kw", type=Positive(), help="Rated power of the machine in kW.")
@click.option(
    "--support",
    type=click.Choice(["rigid", "flexible"]),
    default="rigid",
    show_default=True,
    help="What the machine stands on.",
)
@click.option(
    "--healthy", metavar="FILE", help="A recording of this machine while it was well, to compare."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.png",
    help="Draw the evidence.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there already.")
@JSON
def analyse(
    *,
    file: str,
    start_s: float | None,
    end_s: float | None,
    axis: str | None,
    rpm: float | None,
    bearing: Bearing | None,
    board: str | None,
    fs: float | None,
    unit: str | None,
    power_kw: float | None,
    support: str,
    healthy: str | None,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Say what is wrong with a machine: bearing, shaft, rub, or nothing; how sure that is, and
    since when.

    FILE is a recording of Wrench (.mcap), or one that others made: .npz, .mat, .wav,
    .uff, .csv.
    """
    from wrench.analysis.load import Told, load  # noqa: PLC0415  (not for `wrench --help`)
    from wrench.boards import load_board  # noqa: PLC0415
    from wrench.diagnosis.diagnose import Machine, diagnose, summary  # noqa: PLC0415
    from wrench.diagnosis.onset import find  # noqa: PLC0415
    from wrench.diagnosis.sentences import sentence  # noqa: PLC0415
    from wrench.diagnosis.source import window_of  # noqa: PLC0415

    refuse_backwards(start_s, end_s, "--to")
    _refuse_output(output, force=force)
    told = Told(fs, rpm, load_board(board) if board else None, bearing, unit)
    measurement = load(file, told)
    carpet = _carpet(healthy, told) if healthy else {}
    machine = Machine(
        measurement.bearing, power_kw, "flexible" if support == "flexible" else "rigid", carpet
    )
    window, first_s = window_of(measurement, start_s=start_s, end_s=end_s, axis=axis)
    found = diagnose(window, machine)
    began = find(measurement)
    end_s = measurement.duration_s
    if as_json:
        onset = None if began is None else {**asdict(began), "sentence": began.sentence(end_s)}
        more: dict[str, Any] = {
            "file": measurement.source,
            "from_s": first_s,
            "sentence": sentence(found),
        }
        more["onset"] = onset
        click.echo(json.dumps({**more, **summary(found)}, indent=2))
    else:
        for line in _lines(found, None if began is None else began.sentence(end_s)):
            click.echo(line)
    if output is not None:
        from wrench.diagnosis import picture  # noqa: PLC0415

        size = picture.save(found, measurement.source, output)
        click.echo(f"{output}: {size / 1e3:.0f} kB", err=as_json)
    _tell_damage(measurement)


def _lines(found: Diagnosis, began: str | None) -> list[str]:
    from wrench.cli.tables import folded, terminal_columns  # noqa: PLC0415
    from wrench.diagnosis.sentences import sentence  # noqa: PLC0415

    columns = terminal_columns()
    sure = "" if found.confidence is None else f", {100 * found.confidence:.0f} %"
    lines = [f"{found.verdict}{sure}", *folded(sentence(found), columns)]
    lines += [line for text in found.reasons for line in folded(f"- {text}", columns)]
    if found.zone is not None:
        text = f"- zone {found.zone} by {found.scale.name}: {found.scale.why}"
        lines += folded(text, columns)
    if began is not None:
        lines += folded(f"- {began}", columns)
    lines += [line for text in found.complaints for line in folded(f"! {text}", columns)]
    return lines


def _carpet(file: str, told: Told) -> dict[str, float]:
    """Upper spectrum of the healthy machine, by axis."""
    from wrench.analysis.load import load  # noqa: PLC0415
    from wrench.diagnosis.shaft_faults import levels  # noqa: PLC0415
    from wrench.diagnosis.source import window_of  # noqa: PLC0415
    from wrench.diagnosis.window import prepare  # noqa: PLC0415

    ready = prepare(window_of(load(file, told))[0])
    if not ready.is_usable:
        raise ReportError(
            f"{file} tells nothing of the healthy machine: {ready.complaints[-1]}; "
            "choose another for --healthy"
        )
    found = levels(ready.acceleration, ready.rate_hz, ready.axes, ready.speed_hz)
    return {one.axis: one.carpet_g for one in found}


def _refuse_output(output: Path | None, *, force: bool) -> None:
    if output is None:
        return
    if output.suffix.lower() != ".png":
        raise click.UsageError(f"{output} does not end in .png; the evidence is drawn as PNG")
    if output.exists() and not force:
        raise ReportError(f"{output} is there already; give another name with -o, or --force")
    if not output.parent.is_dir():
        raise ReportError(f"there is no folder {output.parent}; make it, or name another with -o")


def _tell_damage(measurement: Measurement) -> None:
    if measurement.damage:
        raise damaged(measurement.source, measurement.damage)
