"""An excerpt as files: a picture, and a dump for a logic analyser's viewer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wrench.errors import ReportError
from wrench.hil.observation import picture, vcd
from wrench.hil.observation.excerpt import Excerpt


@dataclass(frozen=True)
class Written:
    """The two files."""

    picture: Path
    vcd: Path


def write(excerpt: Excerpt, folder: Path, name: str, title: str = "") -> Written:
    """Write both into a folder, which is made where there is none; what is there by that name is
    replaced. Raises ReportError where they cannot be written."""
    written = Written(folder / f"{name}.png", folder / f"{name}.vcd")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written.picture.write_bytes(picture.render(excerpt, title))
        written.vcd.write_text(vcd.render(excerpt, title))
    except OSError as error:
        raise ReportError(
            f"the timeline cannot be written into {folder}: {error.strerror or error}; "
            "give another folder"
        ) from error
    return written
