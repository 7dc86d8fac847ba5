"""`wrench hil smoke` and `wrench hil full`: the tests that are the same for an emulated and a real
board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from wrench.bench import DEFAULT_EMULATOR, EMULATORS
from wrench.cli.options import PORT
from wrench.cli.progress import showing
from wrench.errors import RigError

_OPTIONS: list[Callable[[Any], Any]] = [
    click.option(
        "--bench",
        type=click.Choice(["virtual", "serial"]),
        help="virtual: an emulated board for each test; serial: a real one. Default: serial with "
        "--port or --rig, else virtual.",
    ),
    PORT,
    click.option("--board", metavar="FILE", help="Name or path of the board file."),
    click.option(
        "--rig",
        type=click.Path(dir_okay=False, path_type=Path),
        help="What is wired to the real board (docs/hil.md).",
    ),
    click.option(
        "--emulator",
        type=click.Choice(EMULATORS),
        default=DEFAULT_EMULATOR,
        show_default=True,
        help="Of the emulated boards' chip.",
    ),
    click.option("--jobs", type=click.IntRange(min=1), help="Boards at once; default: one a core."),
    click.option(
        "--report",
        type=click.Path(file_okay=False, path_type=Path),
        help="Write a page of all tests, and pictures of what failed, into a folder.",
    ),
    click.option(
        "--junit",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write JUnit's XML as well.",
    ),
]


def _with_options(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command()
@_with_options
def smoke(**chosen: Any) -> None:
    """The least that a board must do, in seconds: boot, run, stop, and stop in time."""
    _run("smoke", **chosen)


@click.command()
@_with_options
def full(**chosen: Any) -> None:
    """All tests of the board, in minutes."""
    _run("full", **chosen)


def _run(
    suite: str,
    *,
    bench: str | None,
    port: str | None,
    board: str | None,
    rig: Path | None,
    emulator: str,
    jobs: int | None,
    report: Path | None,
    junit: Path | None,
) -> None:
    from wrench.hil import suites  # noqa: PLC0415
    from wrench.hil.rig_file import load_rig  # noqa: PLC0415  (has pydantic)

    bench = bench or ("serial" if port or rig else "virtual")
    if bench == "virtual" and (port or rig):
        raise RigError("an emulated board has no port and no rig; leave out --bench virtual")
    options = [f"--bench={bench}", f"--emulator={emulator}"]
    for name, value in (
        ("port", port),
        ("board", board),
        ("rig", rig),
        ("hil-report", report),
        ("junitxml", junit),
    ):
        if value is not None:
            options.append(f"--{name}={value}")
    if rig is not None:
        load_rig(rig).load_board()
    if bench == "serial":
        jobs = 1
    else:
        from wrench.hil.content import BOARD, prepare  # noqa: PLC0415  (has the bench)

        with showing(f"hil {suite}") as steps:
            prepare([(board or BOARD.name, "stock")], steps)
    suites.run(suite, options, jobs)
