"""Ctrl-C as a request instead of an exception, for commands that have something to finish."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def asked_to_end() -> Iterator[Callable[[], bool]]:
    """While inside, Ctrl-C, termination and a closed terminal interrupt nothing.

    Yields a function that says whether one of them has come.
    """
    came = False

    def note(_number: int, _frame: object) -> None:
        nonlocal came
        came = True

    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP"):
        numbers.append(signal.SIGHUP)
    before = [signal.signal(number, note) for number in numbers]
    try:
        yield lambda: came
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
