"""Long work in as many processes as there are cores, each with boards of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def at_once(
    work: Callable[..., T], arguments: Iterable[tuple[object, ...]], jobs: int | None = None
) -> Generator[T, None, None]:
    """What `work` gives for each of these, as it comes, from `jobs` processes: one a core where it
    is None. Closing the generator ends those that are under way."""
    jobs = jobs or os.cpu_count() or 1
    spawn = multiprocessing.get_context("spawn")
    left = iter(arguments)
    with ProcessPoolExecutor(jobs, spawn, initializer=_leave_interrupts) as pool:
        waiting: set[Future[T]] = set()
        try:
            while True:
                for some in islice(left, jobs - len(waiting)):
                    waiting.add(pool.submit(work, *some))
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for one in done:
                    yield one.result()
        finally:
            for child in multiprocessing.active_children():
                child.terminate()


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal; the first of them ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
