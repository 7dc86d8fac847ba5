"""Parts of the firmware on an emulated chip, for tests of one part alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from micropython_vm import FIRMWARE

from wrench import image
from wrench.deploy import PACKAGE, compile_module
from wrench.hil.chip import Chip
from wrench.image import Image


def image_or_skip(kind: str = "stock") -> Image:
    """A MicroPython image that is in the cache; skips the test where there is none."""
    if not any(cached.kind == kind for cached in image.cached()):
        pytest.skip(f"no {kind} MicroPython image in the cache: wrench image get, or build")
    return image.find(kind)


def modules(*names: str, **others: str) -> dict[str, bytes]:
    """Modules of the firmware ("drivers/adxl345" is one in a folder) and `others` beside its
    package, compiled, by their path on the chip."""
    inside = {f"{PACKAGE}/{name}": (FIRMWARE / f"{name}.py").read_bytes() for name in names}
    texts = inside | {name: text.encode() for name, text in others.items()}
    return {f"/lib/{name}.mpy": compile_module(f"{name}.py", text) for name, text in texts.items()}


class PartChip(Chip):
    """A chip with such files on it, which tells what it has found out as JSON."""

    def __init__(
        self, files: Mapping[str, bytes | str], *, image: str = "stock", **options: Any
    ) -> None:
        image_or_skip(image)
        super().__init__(image, files, **options)

    def run(self, source: str) -> Any:
        """Run code on the chip; the JSON that it has printed, None where it has printed nothing."""
        said = self.execute(source, timeout_s=30.0)
        return json.loads(said) if said.strip() else None
