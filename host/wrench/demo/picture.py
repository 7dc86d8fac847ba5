"""Makes the README's picture from a real run: `python -m wrench.demo.picture docs/demo.svg`.

The demo runs as fast as the machine can, and its screen is kept as it stands some seconds after a
protecting limit has first come down on the speed.
"""

from __future__ import annotations

import io
import re
from contextlib import suppress
from pathlib import Path

import click
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from wrench.demo.record import Phase, Record
from wrench.demo.screen import render
from wrench.demo.setup import Options
from wrench.demo.story import tell
from wrench.errors import BenchError
from wrench.image import Step
from wrench.monitor.symbols import UNICODE

_COLUMNS, _LINES = 92, 28
_AFTER_S = 5.0
_FONTS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"


class _TakenError(Exception):
    """The picture has been taken: the run need not go on."""


class _Photographer:
    def __init__(self) -> None:
        self.lines: list[Text] | None = None

    def step(self, step: Step) -> None:
        """Nothing to see yet."""

    def begin(self, record: Record) -> None:
        """Nothing to see yet."""

    def tick(self, record: Record) -> None:
        """Wait for the moment."""
        limited_s = record.phases.get(Phase.LIMITED)
        if limited_s is not None and record.now_s >= limited_s + _AFTER_S:
            self.lines = render(record, _COLUMNS, _LINES, UNICODE)
            raise _TakenError


def svg(lines: list[Text], title: str, columns: int = _COLUMNS) -> str:
    """Lines of a screen as an SVG that needs nothing from the network."""
    console = Console(
        record=True,
        width=columns,
        force_terminal=True,
        color_system="truecolor",
        file=io.StringIO(),
    )
    console.print(Text("\n", no_wrap=True).join(lines))
    form = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    form = form.replace("Fira Code, monospace", _FONTS)
    return console.export_svg(title=title, code_format=form, unique_id="wrench-demo")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--seed", type=int, default=1, show_default=True)
def main(file: Path, seed: int) -> None:
    """Write the picture of a run to FILE."""
    photographer = _Photographer()
    with suppress(_TakenError):
        tell(Options(seed=seed, speed=0.0), photographer)
    if photographer.lines is None:
        raise BenchError("this run was never limited; choose another --seed")
    file.write_text(svg(photographer.lines, "wrench demo"), encoding="utf-8")


if __name__ == "__main__":
    main()
