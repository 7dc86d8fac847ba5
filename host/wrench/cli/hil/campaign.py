"""`wrench hil campaign`: random faults on emulated boards, against what must hold."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wrench.cli.options import JSON
from wrench.cli.progress import showing
from wrench.errors import ReportError, RuleBrokenError
from wrench.units import counted

if TYPE_CHECKING:
    from wrench.hil.campaign import Told
    from wrench.hil.story import Story

_TOLD_EVERY_S = 10.0


@click.command()
@click.option(
    "--faults", type=click.IntRange(min=1), default=1000, show_default=True, help="How many."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another one, other stories.")
@click.option("--jobs", type=click.IntRange(min=1), help="Boards at once; default: one a core.")
@click.option(
    "--report",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("wrench-hil"),
    show_default=True,
    help="Where a picture and a VCD file of a story that breaks a rule go.",
)
@JSON
def campaign(*, faults: int, seed: int, jobs: int | None, folder: Path, as_json: bool) -> None:
    """Random stories of faults and commands on emulated boards, until one breaks a rule.

    A story that breaks one is shrunk to the least that still does, printed as a test, and shown in
    a picture and a VCD file.
    """
    from wrench.hil import campaign as run  # noqa: PLC0415  (has the bench)
    from wrench.hil.content import prepare  # noqa: PLC0415

    with showing("hil campaign") as steps:
        prepare(run.BOARDS, steps)
    began_s = due_s = time.monotonic()
    stories = had = in_a_run = 0
    device_s = 0.0
    broken: Told | None = None
    shown: list[Path] = []
    with contextlib.closing(run.campaign(seed, faults, jobs)) as telling:
        for told in telling:
            stories, had, device_s = stories + 1, had + told.faults, device_s + told.device_s
            in_a_run += told.driven_faults
            if told.violation:
                broken = told
                break
            now_s = time.monotonic()
            if not as_json and now_s >= due_s:
                due_s = now_s + _TOLD_EVERY_S
                click.echo(_so_far(stories, had, in_a_run, device_s, now_s - began_s), err=True)
    took_s = time.monotonic() - began_s
    if broken:
        click.echo(f"{broken.violation}; looking for the least that does that", err=True)
        broken = run.shrunk(broken, show=lambda it: _progress(len(it.acts)))
        if not as_json:
            click.echo(broken.story.as_code("story"))
        shown = _show(broken.story, folder)
    facts = {
        "seed": seed,
        "stories": stories,
        "faults": had,
        "faults_in_a_run": in_a_run,
        "device_s": round(device_s, 1),
        "faults_per_s": round(had / took_s, 2),
        "violation": str(broken.violation) if broken else None,
        "story": broken.story.as_code("story") if broken else None,
        "timeline": [str(path) for path in shown],
    }
    click.echo(json.dumps(facts) if as_json else _so_far(stories, had, in_a_run, device_s, took_s))
    if broken:
        raise RuleBrokenError(
            f"a rule does not hold ({broken.violation}); the story above tells how, and belongs "
            "into hil_tests"
        )


def _show(story: Story, folder: Path) -> list[Path]:
    """Once more, into files; that these cannot be written loses nothing of what has been told."""
    from wrench.hil.campaign import tell  # noqa: PLC0415  (has the bench)

    try:
        written = tell(story, folder).written
    except ReportError as error:
        click.echo(f"warning: {error}", err=True)
        return []
    if written is None:
        return []
    click.echo(f"what the board did: {written.picture}, {written.vcd}", err=True)
    return [written.picture, written.vcd]


def _progress(acts: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{acts} acts ", nl=False, err=True)


def _so_far(stories: int, faults: int, in_a_run: int, device_s: float, took_s: float) -> str:
    rate = faults / took_s if took_s else 0.0
    return (
        f"{counted(faults, 'fault')} survived, {in_a_run:,} with the motor turning; "
        f"stories: {stories:,}; device time: {device_s / 3600:.2f} h; {rate:.1f} faults a second"
    )
