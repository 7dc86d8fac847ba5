"""Writes a file whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from wrench.errors import ReportError


def write_whole(path: Path, content: bytes) -> int:
    """Write a file; returns its size in bytes.

    What was there before stays until the new one is whole. Raises ReportError where the file
    cannot be written.
    """
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        staged.write_bytes(content)
        staged.replace(path)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise ReportError(
            f"{path} cannot be written ({error.strerror or error}); "
            "name another place with -o, or make room"
        ) from error
    return len(content)
