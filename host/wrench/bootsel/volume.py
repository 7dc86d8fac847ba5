"""The volume RPI-RP2 that a board in BOOTSEL shows: the way to it for a user who may not use USB
directly. It can be written and not read back."""

from __future__ import annotations

import errno
import os
import re
import string
import sys
import time
from collections.abc import Callable
from pathlib import Path

from wrench.bootsel.pipes import locations
from wrench.errors import FlashError
from wrench.image.uf2 import pack_uf2

_INFO = "INFO_UF2.TXT"
_CHUNK_BYTES = 65_536
_GONE_S = 20.0
# The board restarts as soon as it has the last block, under the file system's feet.
_GONE = (errno.EIO, errno.ENODEV, errno.ENXIO, errno.ENOENT)


def volume_of(
    location: str, sysfs: Path = Path("/sys"), mounts: Path = Path("/proc/mounts")
) -> Path | None:
    """Where the volume of the board at a USB location is mounted; None where it is not.

    Linux tells which volume belongs to which USB location. On other systems it is the only one
    there is, if only one board is in BOOTSEL.
    """
    if sys.platform.startswith("linux"):
        disks = {disk.name for disk in (sysfs / "bus/usb/devices").glob(f"{location}/**/block/*")}
        for line in mounts.read_text().splitlines():
            device, place, *_ = line.split()
            if re.sub(r"\d+$", "", Path(device).name) in disks:
                return Path(re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), place))
        return None
    if sys.platform == "win32":
        places = [Path(f"{letter}:/") for letter in string.ascii_uppercase]
    else:
        places = sorted(Path("/Volumes").glob("RPI-RP2*"))
    found = [place for place in places if (place / _INFO).exists()]
    return found[0] if len(found) == 1 and len(locations()) <= 1 else None


def copy_image(image: bytes, volume: Path, progress: Callable[[int, int], None]) -> None:
    """Put the image on the volume; the board takes it, and restarts. Raises FlashError."""
    content = pack_uf2(image)
    try:
        with (volume / "wrench.uf2").open("wb") as file:
            for at in range(0, len(content), _CHUNK_BYTES):
                file.write(content[at : at + _CHUNK_BYTES])
                file.flush()
                os.fsync(file.fileno())
                progress(min(at + _CHUNK_BYTES, len(content)), len(content))
    except OSError as error:
        if error.errno not in _GONE:
            raise FlashError(
                f"cannot write {volume} ({error.strerror}); copy the image there by hand"
            ) from error
    until = time.monotonic() + _GONE_S
    while (volume / _INFO).exists():
        if time.monotonic() >= until:
            raise FlashError(
                f"the board did not take the image from {volume}; unplug it, hold BOOTSEL while "
                "you plug it in, and flash again"
            )
        time.sleep(0.1)
