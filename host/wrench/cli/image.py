"""`wrench image`: the MicroPython image for a board."""

import click


@click.group()
def image() -> None:
    """Get or build the MicroPython image."""
