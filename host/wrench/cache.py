"""Where Wrench keeps what it can fetch or build again: images, toolchains, the emulator."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder(name: str) -> Path:
    """A folder in the cache, created if need be: `$WRENCH_CACHE`, else the user's cache folder of
    this system.
    """
    root = os.environ.get("WRENCH_CACHE") or platformdirs.user_cache_dir("wrench", appauthor=False)
    folder = Path(root) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
