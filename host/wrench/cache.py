"""Where Wrench keeps what it can fetch or build again: images, toolchains, the emulator."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_root() -> Path:
    """`$WRENCH_CACHE`, else the user's cache folder of this system; it may not be there yet."""
    chosen = os.environ.get("WRENCH_CACHE")
    return Path(chosen).absolute() if chosen else platformdirs.user_cache_path("wrench")


def cache_folder(name: str) -> Path:
    """A folder in the cache, created if need be."""
    folder = cache_root() / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
