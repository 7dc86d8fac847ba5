"""Progress of work that takes long, on standard error."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from wrench.errors import ImageError

if TYPE_CHECKING:
    from wrench import image as images


class UserInterruptError(ImageError):
    """The user ended it with Ctrl-C; the cache is left so that the next run goes on from there."""

    exit_code = 130


class Display:
    """Shows steps on stderr: one live line for each phase, or plain lines where that is a file."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._phase = ""
        self._quarter = -1
        self._started_s = 0.0

    def __call__(self, step: images.Step) -> None:
        """Show a step."""
        if step.phase != self._phase:
            self._started_s, self._quarter = time.monotonic(), -1
        first = step.phase != self._phase
        self._phase = "" if step.done else step.phase
        percent = "" if step.fraction is None or step.done else f"{step.fraction:4.0%} "
        took_s = time.monotonic() - self._started_s
        took = f" ({took_s:.0f} s)" if step.done and took_s >= 1 else ""
        line = f"{step.phase:>9}: {percent}{step.text}{took}"
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            end = "\n" if step.done else ""
            click.echo(f"\r\x1b[K{line if step.done else line[:width]}{end}", err=True, nl=False)
            return
        quarter = int((step.fraction or 0) * 4)
        if first or step.done or quarter > self._quarter:
            click.echo(line, err=True)
        self._quarter = max(quarter, self._quarter)

    def close(self) -> None:
        """Leave the cursor on a fresh line."""
        if self._live and self._phase:
            click.echo(err=True)


@contextmanager
def showing(command: str) -> Iterator[Display]:
    """A display for `command`, left tidy however it ends; Ctrl-C becomes one sentence."""
    display = Display()
    try:
        yield display
    except KeyboardInterrupt:
        display.close()
        raise UserInterruptError(
            f"interrupted; run `wrench {command}` again, it continues where it stopped"
        ) from None
    except BaseException:
        display.close()
        raise
