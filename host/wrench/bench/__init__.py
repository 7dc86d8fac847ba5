"""The virtual bench: an emulated board, and the machine around it."""

EMULATORS = ("rp2040js", "rp2040py")
"""Of the chip: the first, and a second opinion."""
DEFAULT_EMULATOR = EMULATORS[0]
