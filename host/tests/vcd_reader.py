"""VCD files as another parser than ours reads them."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any


class Dump:
    """A file's signals by their names, such as "pins.enable"."""

    def __init__(self, path: Path) -> None:
        # Imported, it has broken pipes end the process.
        before = signal.getsignal(signal.SIGPIPE) if hasattr(signal, "SIGPIPE") else None
        from vcdvcd import VCDVCD  # noqa: PLC0415

        if before is not None:
            signal.signal(signal.SIGPIPE, before)
        self.read: Any = VCDVCD(str(path))

    def changes(self, name: str) -> list[tuple[int, str]]:
        """Of a signal: when, and to what."""
        return self.read[name].tv
