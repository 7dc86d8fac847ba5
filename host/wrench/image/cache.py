"""Where images and everything they are made from are kept between runs.

An image is stored under a name that contains its checksum, beside a JSON file that describes it.
Both appear by renaming, the description last, so that a reader needs no lock.
Whoever changes anything else in the cache holds its one lock.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from wrench.cache import cache_root
from wrench.errors import ImageError
from wrench.image.contents import inspect
from wrench.image.progress import Progress, Step
from wrench.lock import take

_KEPT_PER_KIND = 8
"""Older images of the same kind are deleted; each is about 0.7 MB."""


@dataclass(frozen=True)
class Image:
    """A checked MicroPython image on the disk."""

    path: Path
    kind: str
    """"stock", "wrench" or "wrench-frozen"."""
    version: str
    """MicroPython's version, such as "1.25.0"."""
    sha256: str
    """Of the UF2 file, in hexadecimal."""
    source: str
    """Where it came from, in words."""
    created: float = 0.0
    """When it was stored, in seconds since 1970."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """What went into a built image; empty for others."""

    def to_json(self) -> dict[str, object]:
        """Return it as plain values, the path as a string, the size in bytes added."""
        size_bytes = self.path.stat().st_size
        return asdict(replace(self, inputs=dict(self.inputs))) | {
            "path": str(self.path),
            "size_bytes": size_bytes,
        }


def cache_dir() -> Path:
    """Return the cache: `$WRENCH_CACHE`, or the user's cache directory for wrench."""
    return cache_root()


@contextmanager
def explained_os_errors() -> Iterator[None]:
    """Turn a full disk or a cache that cannot be written into an ImageError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full() from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST):
            raise ImageError(
                f"cannot write the cache {cache_dir()} ({error.strerror}); "
                "set WRENCH_CACHE to a directory that you can write"
            ) from error
        raise


def disk_full() -> ImageError:
    """The error for a disk that filled up while working."""
    return ImageError(
        f"the disk with the cache {cache_dir()} is full; free some space there, or set "
        "WRENCH_CACHE to a directory on another disk, and run it again"
    )


def need_space(size_bytes: int, what: str) -> None:
    """Raise ImageError unless the cache's disk has `size_bytes` free for `what`."""
    root = cache_dir()
    with explained_os_errors():
        root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(root).free
    if free < size_bytes:
        raise ImageError(
            f"{what} needs {size_bytes >> 20} MB in the cache {root}, where {free >> 20} MB are "
            "free; free some space, or set WRENCH_CACHE to a directory on another disk"
        )


@contextmanager
def locked(progress: Progress) -> Iterator[int]:
    """Hold the cache's lock; yields its file descriptor, to be inherited by child processes.

    A child that outlives a killed parent so keeps the next run waiting instead of colliding.
    """
    with explained_os_errors():
        cache_dir().mkdir(parents=True, exist_ok=True)
        descriptor = os.open(cache_dir() / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        told = False
        while True:
            if take(descriptor):
                break
            if not told:
                progress(Step("wait", "another wrench is working on the cache, waiting for it"))
                told = True
            time.sleep(0.2)
        if told:
            progress(Step("wait", "the other wrench has finished", done=True))
        yield descriptor
    finally:
        os.close(descriptor)


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that others see all of it or none of it."""
    with explained_os_errors():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def store(raw: bytes, source: str, inputs: Mapping[str, str] | None = None) -> Image:
    """Check the bytes of a UF2 file, put it into the cache and return it.

    Raises:
        ImageError: it is not a usable image (see `contents.inspect`), or cannot be written.
    """
    found = inspect(raw, source)
    sha256 = hashlib.sha256(raw).hexdigest()
    path = _images_dir() / f"{found.kind}-{found.version}-{sha256[:12]}.uf2"
    image = Image(path, found.kind, found.version, sha256, source, time.time(), inputs or {})
    write_atomic(path, raw)
    description = asdict(replace(image, inputs=dict(image.inputs)))
    del description["path"]
    write_atomic(path.with_suffix(".json"), json.dumps(description, indent=2).encode() + b"\n")
    _prune(found.kind)
    return image


def images(progress: Progress) -> list[Image]:
    """Return the sound images in the cache, newest first; a corrupt one is reported and deleted."""
    found: list[Image] = []
    for description in sorted(_images_dir().glob("*.json")):
        path = description.with_suffix(".uf2")
        try:
            fields = json.loads(description.read_bytes())
            image = Image(path=path, **fields)
            sound = hashlib.sha256(path.read_bytes()).hexdigest() == image.sha256
        except (OSError, ValueError, TypeError):
            sound, image = False, None
        if sound and image is not None:
            found.append(image)
        elif description.exists():  # else another process has just deleted it
            progress(Step("cache", f"{path} is corrupt, discarding it", done=True))
            discard(path)
    return sorted(found, key=lambda image: image.created, reverse=True)


def discard(path: Path) -> None:
    """Delete an image and its description, as far as the cache can be written."""
    for name in (path.with_suffix(".json"), path):
        try:
            name.unlink(missing_ok=True)
        except OSError:
            continue


def _prune(kind: str) -> None:
    paths = list(_images_dir().glob(f"{kind}-[0-9]*.uf2"))
    paths.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in paths[_KEPT_PER_KIND:]:
        discard(path)


def _images_dir() -> Path:
    return cache_dir() / "images"
