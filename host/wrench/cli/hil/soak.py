"""`wrench hil soak`: hours of device time on an emulated board, watched for growth and drift."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from wrench.cli import completion
from wrench.cli.options import JSON
from wrench.cli.progress import showing
from wrench.cli.tables import aligned
from wrench.errors import RuleBrokenError

if TYPE_CHECKING:
    from wrench.hil.soak_facts import Soaked

_TOLD_EVERY_S = 30.0


@click.command()
@click.option(
    "--hours",
    type=click.FloatRange(min=0.0, min_open=True, max=10_000.0),
    default=1.0,
    show_default=True,
    help="Of device time.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another one, other cycles.")
@click.option(
    "--board",
    default="pico-adxl345",
    show_default=True,
    shell_complete=completion.board_files,
    help="Board file: name or path.",
)
@click.option(
    "--image", default="stock", show_default=True, help="MicroPython image: a kind, or a UF2 file."
)
@JSON
def soak(*, hours: float, seed: int, board: str, image: str, as_json: bool) -> None:
    """Run an emulated board for hours of device time: runs, trips, restarts, cycle after cycle.

    Its clock begins shortly before it wraps. What grows, drifts or is lost ends it.
    """
    from wrench.hil import soak as run  # noqa: PLC0415  (has the bench)
    from wrench.hil.content import prepare  # noqa: PLC0415
    from wrench.hil.invariants import Violation  # noqa: PLC0415
    from wrench.hil.soak_facts import Soaked  # noqa: PLC0415

    with showing("hil soak") as steps:
        prepare([(board, image)], steps)
    seen = Soaked()
    began_s = due_s = time.monotonic()
    violation: Violation | None = None
    interrupted = False
    try:
        for told in run.soak(hours, seed, board, image):
            seen.add(told)
            now_s = time.monotonic()
            if not as_json and now_s >= due_s:
                due_s = now_s + _TOLD_EVERY_S
                click.echo(_so_far(seen, now_s - began_s), err=True)
    except Violation as broken:
        violation = broken
    except KeyboardInterrupt:
        interrupted = True
    took_s = time.monotonic() - began_s
    if as_json:
        facts = {
            "seed": seed,
            "board": board,
            "image": image,
            "took_s": round(took_s, 1),
            "violation": str(violation) if violation else None,
            "complete": not (violation or interrupted),
            **seen.facts(),
            "cycles": [asdict(one) for one in seen.cycles],
            "files": [asdict(one) for one in seen.files],
        }
        click.echo(json.dumps(facts))
    else:
        for line in aligned([("", "seen", "expected"), *seen.rows()]):
            click.echo(line)
        click.echo(_so_far(seen, took_s))
    if violation:
        raise RuleBrokenError(
            f"a rule does not hold ({violation}); `wrench hil soak --seed {seed} --board {board} "
            f"--image {image}` comes to it again after {violation.time_s / 3600:.2f} h"
        )
    if interrupted:
        raise click.Abort


def _so_far(seen: Soaked, took_s: float) -> str:
    hours = seen.device_s / 3600
    rate = seen.device_s / took_s if took_s else 0.0
    return f"cycles: {len(seen.cycles)}; device time: {hours:.2f} h, at {rate:.1f} x its own pace"
