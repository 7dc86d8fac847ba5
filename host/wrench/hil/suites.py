"""The suites of hardware-in-the-loop tests, as pytest runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from wrench.errors import BenchError, RigError, RuleBrokenError

TESTS = "wrench_hil_tests"
SUITES = {"smoke": ("-m", "smoke"), "full": ()}
_NEEDED = ("pytest", "pytest_timeout", "xdist")
_LONGEST_TEST_S = 300
_FAILED = 1
_INTERRUPTED = 2
_NO_TESTS = 5


def tests_folder() -> Path:
    """Where the tests are. Raises BenchError where they are not installed, or pytest is not."""
    lacking = [name for name in _NEEDED if find_spec(name) is None]
    found = find_spec(TESTS)
    if lacking or found is None or not found.submodule_search_locations:
        raise BenchError(
            f"the suites need what is not installed ({', '.join(lacking) or TESTS}); "
            "install it with `pip install 'wrench-bearing[hil]'`"
        )
    return Path(next(iter(found.submodule_search_locations)))


def run(suite: str, options: Sequence[str], jobs: int | None) -> None:
    """Run a suite to its end; `options` are pytest's, and `jobs` boards run at once, one a core
    where it is None.

    Raises BenchError where it cannot be run, RuleBrokenError where a test has failed,
    KeyboardInterrupt where somebody has interrupted it, and SystemExit with RigError's code where
    the tests have refused the rig, and said why.
    """
    folder = tests_folder()
    workers = ["-n", str(jobs or os.cpu_count() or 1), "--dist", "worksteal"] if jobs != 1 else []
    command = [sys.executable, "-m", "pytest", str(folder), "-q", "-p", "no:cacheprovider"]
    command += ["-p", "no:hypothesispytest"]  # where it is installed: 1.3 s in each process
    command += ["--timeout", str(_LONGEST_TEST_S), *workers, *SUITES[suite], *options]
    try:
        ended = subprocess.run(command, check=False).returncode
    except OSError as error:
        raise BenchError(f"pytest does not start: {error.strerror or error}") from error
    if ended == _INTERRUPTED:
        raise KeyboardInterrupt
    if ended == _FAILED:
        raise RuleBrokenError(
            f"the {suite} suite has not passed; what the board did is told above, and with "
            "--report DIR in pictures"
        )
    if ended == _NO_TESTS:
        raise BenchError(f"no test of the {suite} suite has been found in {folder}")
    if ended == RigError.exit_code:
        raise SystemExit(ended)  # pytest has said why
    if ended:
        raise BenchError(f"the {suite} suite has not begun; pytest has said why, above")
