"""Device time: the chip's 64-bit timer, in microseconds since the last reset."""

import micropython


@micropython.viper
def stamp(target: ptr8, at: int):
    """The time as 8 bytes, little-endian, to target[at:], read so that a carry between its halves
    is seen (datasheet section 4.6).
    """
    timer = ptr32(0x40054000)
    high = timer[9]
    low = timer[10]
    while timer[9] != high:
        high = timer[9]
        low = timer[10]
    i = 0
    while i < 4:
        target[at + i] = (low >> (8 * i)) & 0xFF
        target[at + 4 + i] = (high >> (8 * i)) & 0xFF
        i += 1
