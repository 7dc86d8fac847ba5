"""What a rig can do and see, by the names that tests ask for with `@pytest.mark.needs(...)`."""

from __future__ import annotations

from collections.abc import Iterable

CAPABILITIES = {
    # What is observed, independent of the firmware.
    "motor pins": "watch the motor's pins",
    "shaft": "know the shaft's true speed",
    "light": "watch the board's light",
    # What is done to the board.
    "power": "cut the board's power",
    "cable": "pull the USB cable",
    "silent host": "hold the port open without reading from it",
    "button": "press the board's button",
    "service jumper": "fit the service jumper",
    # What is done to the machine.
    "e-stop": "open the e-stop's contact",
    "load": "set the load of the shaft",
    "jam": "hold the shaft",
    "spin": "drive the shaft from outside",
    "wear": "wear the bearing, and mend it",
    "knock": "strike the housing",
    "heat": "set the temperatures of bearing and driver",
    "supply": "set the supply's voltage",
    "supplies": "lose and restore each supply by itself",
    "tacho": "cut the tacho's lead",
    "thermistor": "cut and short a thermistor's lead",
    "current": "disturb the current sensor",
    "motor lead": "cut the lead from driver to motor",
    "driver fault": "have the driver tell a fault",
    "sensor plug": "pull the vibration sensor's plug",
    "sensor faults": "break the vibration sensor in every way",
    "signal": "saturate the vibration sensor, or make it noisy",
    # What only an emulated board has.
    "exact instants": "act at a given nanosecond of device time",
    "machine": "have a machine in any condition",
    "other boards": "be another board",
    "other images": "have another MicroPython image",
    "flash content": "have other content of the flash chip, and read it",
    "emulator": "look into the emulated chip",
}
"""Each capability, and what a rig that has it can do."""


class UnableError(Exception):
    """A rig was asked for what it cannot do."""


def missing(needed: Iterable[str], able: Iterable[str]) -> list[str]:
    """Those of `needed` that are not among `able`, in the order of `CAPABILITIES`. Raises KeyError
    for a name that is none."""
    needed, able = set(needed), set(able)
    unknown = sorted(needed - set(CAPABILITIES))
    if unknown:
        raise KeyError(f"no capability is called {', '.join(unknown)}")
    return [name for name in CAPABILITIES if name in needed - able]
