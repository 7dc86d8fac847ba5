"""The virtual bench: an emulated board, and the machine around it."""

EMULATORS = ("rp2040js", "rp2040py")
"""Of the chip: the first, and a second opinion."""
DEFAULT_EMULATOR = EMULATORS[0]

CORES = ("fast", "translated", "library")
"""Of rp2040js: the first interprets, the second translates what runs often to WebAssembly, the
third is rp2040js's own. They agree in every cycle."""
DEFAULT_CORE = "fast"
LONG_RUN_CORE = "translated"
"""Measured, two boards on two cores: 1.3 x the interpreter's work in 9 s of device time, 0.94 x in
36 s, 0.76 x from then on."""
