# MicroPython takes the frames of larger functions from the heap and looks for room from its
# beginning on, 80,000 cycles a call where that is dense. Made first and let go when all is loaded,
# this is a hole at the beginning.
hole = [bytearray(6144)]

import wrench_loader  # noqa: E402  # pyright: ignore[reportMissingImports]

from wrench_firmware import app  # noqa: E402


def release():
    """Everything is loaded."""
    hole.clear()
    wrench_loader.release()


app.main(release)
