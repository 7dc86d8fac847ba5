"""`wrench doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from wrench.cli.options import JSON, PORT, Duration
from wrench.cli.tables import folded, terminal_columns
from wrench.errors import WrenchError

if TYPE_CHECKING:
    from wrench.doctor import Finding

_MARKS = {
    "good": ("ok", "green"),
    "doubtful": ("look", "yellow"),
    "bad": ("BAD", "red"),
    "unknown": ("?", "blue"),
}
_INDENT = 5


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
    from wrench.doctor import examine  # noqa: PLC0415  (numpy is not for `wrench doctor --help`)

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
    bad = [finding.about for finding in found if finding.verdict == "bad"]
    if bad:
        raise UnwellError(
            f"to be mended: {', '.join(bad)}; do what is said about it above, and run "
            "`wrench doctor` again"
        )


def _show(finding: Finding) -> None:
    mark, colour = _MARKS[finding.verdict]
    columns = terminal_columns()
    head, *more = folded(f"{mark:<{_INDENT}}{finding.about}: {finding.seen}", columns, _INDENT)
    click.echo(click.style(head[:_INDENT], fg=colour) + head[_INDENT:])
    if finding.remedy:
        more += folded(f"{'->':>{_INDENT + 2}} {finding.remedy}", columns, _INDENT + 3)
    for line in more:
        click.echo(line)
