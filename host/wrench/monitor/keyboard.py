"""Keeps typed characters off a screen that is being drawn."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silent_keyboard() -> Iterator[None]:
    """Turn the terminal's echo off; what was typed meanwhile is forgotten. Ctrl-C works as ever.

    Does nothing where standard input is no terminal, or the system has no termios.
    """
    try:
        import termios  # noqa: PLC0415  (Windows has none)

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (ImportError, OSError, ValueError, AttributeError):
        yield
        return
    except Exception as error:
        if type(error).__name__ != "error":  # termios.error, where standard input is no terminal
            raise
        yield
        return
    quiet = list(before)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    try:
        termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
