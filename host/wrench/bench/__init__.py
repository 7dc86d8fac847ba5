"""The virtual bench: an emulated board, and the machine around it."""

EMULATORS = ("rp2040js", "rp2040py")
"""Of the chip: the first, and a second opinion."""
DEFAULT_EMULATOR = EMULATORS[0]

CORES = ("translated", "fast", "library")
"""Of rp2040js: the first translates what runs often to WebAssembly, the second interprets, the
third is rp2040js's own. They agree in every cycle."""
DEFAULT_CORE = CORES[0]
