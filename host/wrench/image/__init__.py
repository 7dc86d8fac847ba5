"""The MicroPython image for a board: found in the cache, downloaded, or built.

Two kinds exist. "stock" is what micropython.org offers for the Raspberry Pi Pico. "wrench" is the
same with a raw flash region for the black box; "wrench-frozen" also holds the firmware itself.
"""

from __future__ import annotations

from pathlib import Path

from wrench.errors import ImageError
from wrench.image import cache
from wrench.image.builder import build, check_kind, ready_built
from wrench.image.cache import Image, cache_dir
from wrench.image.contents import KINDS, MICROPYTHON_VERSION
from wrench.image.official import download
from wrench.image.progress import Progress, Step, silent
from wrench.image.uf2 import read_uf2

__all__ = [
    "KINDS",
    "MICROPYTHON_VERSION",
    "Image",
    "ImageError",
    "Progress",
    "Step",
    "build",
    "cache_dir",
    "cached",
    "find",
    "find_named",
    "read_uf2",
]


def find(
    kind: str = "stock", file: str | Path | None = None, progress: Progress | None = None
) -> Image:
    """Return an image, by the first of these ways that works.

    A given file (checked and kept in the cache; its own kind counts), the cache, the official
    download (stock only), a build from Debian sources.

    Parameters:
        kind: "stock", "wrench" or "wrench-frozen".
        file: the path of a UF2 file.
        progress: is called with each step.

    Raises:
        ImageError: there is no way to it; the message says what to do.
    """
    report = progress or silent
    check_kind(kind)
    if file is not None:
        return _from_file(Path(file), report)
    if kind != "stock":
        return ready_built(kind, None, report) or build(kind, progress=report)
    for image in cache.images(report):
        if image.kind == "stock":
            return image
    try:
        raw = download(report)
        return cache.store(raw, "the official download")
    except ImageError as error:
        report(Step("download", f"{error.args[0].partition(';')[0]}; building it", done=True))
    return build("stock", progress=report)


def find_named(kind_or_file: str, progress: Progress | None = None) -> Image:
    """As `find`, for the name of a kind or the path of a UF2 file. Raises ImageError."""
    if kind_or_file in KINDS:
        return find(kind_or_file, progress=progress)
    if not Path(kind_or_file).is_file():
        raise ImageError(
            f"{kind_or_file!r} is neither a UF2 file nor a kind of image; "
            f"choose one of: {', '.join(KINDS)}"
        )
    return find(file=kind_or_file, progress=progress)


def cached(progress: Progress | None = None) -> list[Image]:
    """Return the images in the cache, newest first; corrupt ones are reported and deleted."""
    return cache.images(progress or silent)


def _from_file(path: Path, progress: Progress) -> Image:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"cannot read {path} ({error.strerror}); pass the path of a UF2 file with --file"
        ) from error
    image = cache.store(raw, f"the file {path.name}")
    progress(Step("file", f"{path} is {image.kind} {image.version}", done=True))
    return image
