"""A cache of a test's own, in which only what is expensive to make is shared."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from wrench.cache import cache_folder

_SHARED = ("emulator", "images", "flashed", "changed", "installed", "build", "sources")


def link_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make `folder` the cache; what is expensive to make leads to the real one. Hubs are its own,
    too."""
    folder.mkdir()
    for name in _SHARED:
        (folder / name).symlink_to(cache_folder(name), target_is_directory=True)
    monkeypatch.setenv("WRENCH_CACHE", str(folder))
    # The name of a socket must be short.
    monkeypatch.setenv("WRENCH_RUNTIME", tempfile.mkdtemp(prefix="wr-"))
    return folder
