"""The programs that a rig's description names."""

from __future__ import annotations

import subprocess

from wrench.errors import RigError

_COMMAND_S = 30.0


def perform(command: list[str]) -> None:
    """Run a program. Raises RigError where it is not there, fails, or takes too long."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMMAND_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RigError(f"the rig's command {command[0]!r} did not run: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise RigError(
            f"the rig's command {' '.join(command)!r} failed with {done.returncode}"
            + (f": {said[-1]}" if said else "")
            + "; mend it, or take it out of the description"
        )
