"""`wrench doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from wrench.cli.options import JSON, PORT, Duration
from wrench.doctor import Finding, Verdict, examine
from wrench.errors import WrenchError

_MARKS = {
    Verdict.GOOD: ("ok", "green"),
    Verdict.DOUBTFUL: ("look", "yellow"),
    Verdict.BAD: ("BAD", "red"),
    Verdict.UNKNOWN: ("?", "blue"),
}


class UnwellError(WrenchError):
    """The doctor has found something that keeps the board from working."""


@click.command()
@PORT
@click.option(
    "--for",
    "seconds",
    type=Duration(),
    default=5.0,
    show_default="5s",
    help="How long to listen to the board.",
)
@JSON
def doctor(port: str | None, seconds: float, as_json: bool) -> None:
    """Look at this computer, the cable and a board, and say what to do about what is wrong.

    The motor stays as it is. Exits with 1 where something is bad.
    """

    def step(text: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"  {text} ...", err=True)

    found: list[Finding] = []
    for finding in examine(port, seconds, step):
        found.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    bad = [finding.about for finding in found if finding.verdict is Verdict.BAD]
    if bad:
        raise UnwellError(f"not well: {', '.join(bad)}; do what stands beside it and try again")


def _show(finding: Finding) -> None:
    mark, colour = _MARKS[finding.verdict]
    click.echo(f"{click.style(f'{mark:<5}', fg=colour)}{finding.about}: {finding.seen}")
    if finding.remedy:
        click.echo(f"     -> {finding.remedy}")
