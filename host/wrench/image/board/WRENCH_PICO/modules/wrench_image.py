"""What this image guarantees: its kind, and where the raw tail of the storage lies.

The stock image has no such module, so that `import wrench_image` failing means "stock".
Offsets and lengths are in bytes, for `rp2.Flash(start=RAW_START, len=RAW_LEN)`.
"""

import wrench_kind
from micropython import const

KIND = wrench_kind.KIND

BLOCK_LEN = const(4096)  # the smallest piece the flash can erase
STORAGE_LEN = const(352 * 4096)  # all of rp2.Flash()
RAW_LEN = const(64 * 4096)  # never touched by the filesystem or by _boot.py
RAW_START = const((352 - 64) * 4096)  # the filesystem ends here

formatted = False  # True when this boot found no filesystem that fits and made a new one
