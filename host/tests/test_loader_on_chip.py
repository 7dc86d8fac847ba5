"""The loader on the emulated chip reads each module from where it lies, whatever it read before."""

from __future__ import annotations

import struct

import pytest
from micropython_vm import FIRMWARE
from on_chip import PartChip

from wrench.deploy import compile_module

BLOCKS_END = (4096, 8188, 12276, 16368)
"""Where the blocks of a file end in littlefs: each begins with pointers to earlier ones."""
PACK = struct.pack("<10240H", *range(10240))
INDEX = 'FILES = {}\nFOLDERS = ("/wrench_firmware",)\n'

READ = """
import json, wrench_loader
pack = wrench_loader._Pack()
files = wrench_loader.FILES
buffer = bytearray(255)
wrong = []
for end in %r:
    for place in range(end, end + 4080, 34):
        files["/one"] = (end - 700, 700)
        files["/other"] = (place, 64)
        one = pack.open("/one", "rb")
        while one.readinto(buffer):
            pass
        pack.open("/other", "rb").readinto(buffer)
        if buffer[0] | buffer[1] << 8 != place // 2:
            wrong.append((end, place))
print(json.dumps(wrong))
"""


@pytest.mark.parametrize("image", ["stock", "wrench"])
def test_a_module_is_read_right_after_one_that_ends_with_a_block(image: str) -> None:
    loader = compile_module("loader.py", (FIRMWARE / "loader.py").read_bytes())
    files = {
        "/lib/wrench_loader.mpy": loader,
        "/lib/wrench_index.mpy": compile_module("wrench_index.py", INDEX.encode()),
        "/lib/wrench.pack": PACK,
    }
    with PartChip(files, image=image) as chip:
        assert chip.run(READ % (BLOCKS_END,)) == []
