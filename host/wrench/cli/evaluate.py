"""`wrench evaluate`: the diagnosis judged on recordings whose truth is known, or on synthetic
machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wrench.boards.schema import Bearing
from wrench.cli.analyse import BEARING
from wrench.cli.options import JSON

if TYPE_CHECKING:
    pass


@click.command()
@click.argument("data_dir", required=False, type=click.Path(path_type=Path), metavar="[DATA_DIR]")
@BEARING
@click.option(
    "--synthetic",
    type=click.IntRange(min=1),
    metavar="N",
    help="Judge on so many synthetic machines instead.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.png",
    help="Draw the reliability diagram.",
)
@JSON
def evaluate(
    *,
    data_dir: Path | None,
    bearing: Bearing | None,
    synthetic: int | None,
    seed: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Judge the diagnosis itself: a table of verdicts beside the truth, and totals.

    DATA_DIR holds recordings and labels.csv (file, truth, and where they are known grade, bearing,
    rpm, fs), or recordings named as Case Western Reserve University's are.
    """
    from wrench.diagnosis import evaluation, synthetic_trial  # noqa: PLC0415
    from wrench.diagnosis.reliability import Claim  # noqa: PLC0415

    if (data_dir is None) == (synthetic is None):
        raise click.UsageError("give a folder of recordings, or --synthetic N")
    if output is not None and output.suffix.lower() != ".png":
        raise click.UsageError(f"{output} does not end in .png; the diagram is drawn as PNG")
    claims: list[Claim]
    if data_dir is not None:
        judged = list(
            _told(evaluation.judge_recordings(evaluation.labels(data_dir), bearing), as_json)
        )
        totals = evaluation.totals(judged)
        claims = evaluation.claims(judged)
        rows: list[dict[str, Any]] = [evaluation.row(one) for one in judged]
    else:
        assert synthetic is not None
        trial = synthetic_trial.run(synthetic, seed)
        totals, claims, rows = trial.totals(), trial.claims, trial.rows()
    if as_json:
        click.echo(json.dumps({"records": rows, "totals": totals}, indent=2))
    else:
        for name, value in totals.items():
            click.echo(f"{name}: {value}")
    if output is not None:
        from wrench.diagnosis import reliability  # noqa: PLC0415

        size = reliability.draw(claims, output)
        click.echo(f"{output}: {size / 1e3:.0f} kB", err=as_json)


def _told(found: Any, quiet: bool) -> Any:
    """The same, each shown as it comes."""
    from wrench.diagnosis.evaluation import HEADER, line  # noqa: PLC0415

    if not quiet:
        click.echo(HEADER)
    for one in found:
        if not quiet:
            click.echo(line(one))
        yield one
