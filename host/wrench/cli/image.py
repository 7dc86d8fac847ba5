"""`wrench image`: the MicroPython image for a board."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click

from wrench import image as images
from wrench.cli.options import JSON
from wrench.cli.progress import showing
from wrench.errors import ImageError


@click.group()
def image() -> None:
    """Get or build the MicroPython image."""


@image.command()
@click.option("--file", type=click.Path(path_type=Path), help="Use this UF2 file.")
@click.option(
    "--kind",
    type=click.Choice(images.KINDS),
    default="stock",
    show_default=True,
    help="Which image, when no file is given.",
)
@JSON
def get(file: Path | None, kind: str, as_json: bool) -> None:
    """Get an image: from a file, the cache, micropython.org, or by building it.

    Prints the path of the checked image.
    """
    with showing("image get") as display:
        found = images.find(kind, file, display)
    _show(found, as_json)


@image.command()
@click.option(
    "--kind",
    type=click.Choice(("wrench", "stock")),
    default="wrench",
    show_default=True,
    help="wrench keeps a raw flash region for the black box.",
)
@click.option("--frozen", is_flag=True, help="Put the firmware into the image as well.")
@click.option("--output", type=click.Path(path_type=Path), help="Copy the image to this file.")
@click.option("--jobs", type=click.IntRange(min=1), help="Compilers at once; default: one a core.")
@JSON
def build(kind: str, frozen: bool, output: Path | None, jobs: int | None, as_json: bool) -> None:
    """Build an image from Debian's sources, without root and without installing anything.

    Prints the path of the image.
    """
    if frozen and kind == "stock":
        raise click.UsageError("--frozen goes with --kind wrench only")
    with showing("image build") as display:
        made = images.build("wrench-frozen" if frozen else kind, jobs=jobs, progress=display)
    if output is not None:
        try:
            shutil.copyfile(made.path, output)
        except OSError as error:
            raise ImageError(
                f"cannot write {output} ({error.strerror}); copy it from {made.path}"
            ) from error
    _show(made, as_json, output)


@image.command(name="list")
@JSON
def list_images(as_json: bool) -> None:
    """List the images in the cache, newest first."""
    with showing("image list") as display:
        found = images.cached(display)
    if as_json:
        click.echo(json.dumps([it.to_json() for it in found], indent=2))
        return
    for it in found:
        size_kb = it.path.stat().st_size / 1000
        click.echo(f"{it.kind:13} {it.version}  {size_kb:4.0f} kB  {it.sha256}  {it.source}")
    click.echo(f"{len(found)} in {images.cache_dir()}", err=True)


def _show(found: images.Image, as_json: bool, copy: Path | None = None) -> None:
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
        return
    click.echo(f"{found.kind} {found.version}, {found.source}", err=True)
    click.echo(f"sha256 {found.sha256}", err=True)
    click.echo(str(copy or found.path))
