"""`wrench setup`: everything the virtual bench needs, fetched or built beforehand."""

import click

from wrench.cli.progress import showing


@click.command()
def setup() -> None:
    """Get Node, the emulator and the MicroPython image ready, so that nothing waits later."""
    from wrench.bench.emulator.runtime import installed_emulator, node  # noqa: PLC0415
    from wrench.image import find  # noqa: PLC0415

    click.echo(f"node: {node()}")
    click.echo(f"emulator: {installed_emulator(click.echo)}")
    with showing("setup") as display:
        image = find("stock", progress=display)
    click.echo(f"image: {image.path} ({image.kind}, MicroPython {image.version})")
