"""What each fault, alarm and limit means to the person in front of the machine, and where to look;
and what to do about a refusal.

The keys are the names of `wire.FAULTS`, `wire.LIMITS` and `wire.REASONS`. An alarm has the name of
the fault that it may become.
"""

from __future__ import annotations

from typing import NamedTuple


class Hint(NamedTuple):
    """`means`: what has happened. `look`: what to look at first."""

    means: str
    look: str

    def __str__(self) -> str:
        return f"{self.means} {self.look}"


FAULT_HINTS: dict[str, Hint] = {
    "none": Hint("Nothing has stopped the motor.", "Nothing needs to be done."),
    "vibration": Hint(
        "The machine shakes beyond its trip level: something is loose, unbalanced or worn out.",
        "Turn the shaft by hand and feel for play and roughness; then look at bolts and chuck.",
    ),
    "acceleration peak": Hint(
        "Single blows beyond the trip level: parts hit each other.",
        "Look for a cracked race or ball, a loose coupling, or a tool that catches.",
    ),
    "crest factor": Hint(
        "Sharp blows stand out of the rest of the vibration, as from a fresh spall in a bearing.",
        "Listen at the bearing with a rod, and turn it slowly by hand.",
    ),
    "envelope": Hint(
        "The bearing rings at high frequency, as from metal on metal or a damaged race.",
        "Look at the bearing's grease and races; compare with the last readings at this speed.",
    ),
    "over-current": Hint(
        "The motor drew more than its trip level for longer than the delay.",
        "Take off load or feed, and turn the shaft by hand; if it is free, look at the motor's "
        "brushes and at the current sensor's zero.",
    ),
    "short circuit": Hint(
        "The current passed the level at which the board stops at once.",
        "Look for a blocked shaft, then for a short in the motor's wires and in the driver, with "
        "the supply off.",
    ),
    "stall": Hint(
        "The motor is driven and the shaft does not turn.",
        "Turn the shaft by hand; if it is free, look at the motor's wires and the driver's enable.",
    ),
    "seizure": Hint(
        "High current and a shaft far slower than asked for: something holds it.",
        "With the supply off turn the shaft by hand: a tool that is caught, or a bearing that has "
        "seized.",
    ),
    "bearing too hot": Hint(
        "The bearing's housing passed its trip temperature, or its thermometer is broken.",
        "Let it cool, look at its grease and its fit; at an impossible reading, at the sensor's "
        "wires.",
    ),
    "driver too hot": Hint(
        "The motor's driver passed its trip temperature, or its thermometer is broken.",
        "Look at its heat sink and air; at an impossible reading, at the sensor's wires.",
    ),
    "brown-out": Hint(
        "What feeds the motor sagged below its trip level, or a supply is low.",
        "Measure each supply under load; look at battery, fuse and connectors.",
    ),
    "supply too high": Hint(
        "A supply is above what the driver is trusted with.",
        "Measure the supply before switching anything on again; look for a wrong adapter.",
    ),
    "over-speed": Hint(
        "The shaft turned faster than it ever may.",
        "Look at the driver for a transistor that conducts for ever, and for a load that drives "
        "the motor.",
    ),
    "tacho lost": Hint(
        "The tacho is silent while the current is that of a motor that turns.",
        "Look at the tacho's magnet or mark, its gap and its wires; then whether the shaft did "
        "turn.",
    ),
    "e-stop": Hint(
        "The emergency stop is pressed, or its wire is broken.",
        "Look why it was pressed before releasing it; if it was not, at its wire and connector.",
    ),
    "driver fault": Hint(
        "The motor's driver says that it has a fault of its own.",
        "Look for heat, for a short at its outputs and at its supply.",
    ),
    "sensor absent": Hint(
        "The vibration sensor did not answer at power-up.",
        "Look at its supply and bus wires; the board prints what it heard on the console.",
    ),
    "sensor silent": Hint(
        "The vibration sensor has stopped giving samples, and the machine cannot be watched.",
        "Look at its wires where they bend, then at its supply.",
    ),
    "sensor stuck": Hint(
        "The vibration sensor repeats the same numbers: it no longer measures.",
        "Switch the board off and on; if it comes back, look at the sensor's supply and wires.",
    ),
    "sensor saturated": Hint(
        "The vibration sensor stands at the end of its range and sees nothing beyond.",
        "Look whether it hangs loose; on an analog sensor, at its supply and zero.",
    ),
    "sensor noisy": Hint(
        "The vibration sensor shows vibration although the motor is off.",
        "Look at its mounting and shield, and for another machine that shakes this one.",
    ),
    "wrong sensor": Hint(
        "Another chip than the board file's answers, or it has lost its settings.",
        "Compare the sensor with the board file; look at its supply for dips.",
    ),
    "samples lost": Hint(
        "More samples were lost in a second than the features can bear, or the sensor's clock is "
        "off by more than a fifth.",
        "Slow down the sensor's rate in the board file, look at noise on its bus, or replace it.",
    ),
    "link lost": Hint(
        "The host that started the run is gone, and the board stopped for its sake.",
        "Look at the cable and at the host; a run from the button at the board needs no host.",
    ),
    "control overrun": Hint(
        "The board's control loop came too late, so that its delays could not be trusted.",
        "Read the log out and report it: this is the firmware's fault, not the machine's.",
    ),
    "firmware hung": Hint(
        "The firmware stood still and the watchdog restarted the board.",
        "Read the log out and report it; look at the board's supply for dips.",
    ),
    "firmware exception": Hint(
        "The firmware met something that it could not handle, and stopped the motor.",
        "Read the log out and report it: its last event says where.",
    ),
    "settings corrupt": Hint(
        "The settings in flash cannot be read; the board file's values are in force.",
        "Reset to factory settings and set limits and levels again.",
    ),
}

LIMIT_HINTS: dict[str, Hint] = {
    "none": Hint("Nothing limits the speed.", "Nothing needs to be done."),
    "operator": Hint(
        "The speed is the one that was asked for, or the operator's own ceiling.",
        "Ask for more, or raise the ceiling, up to the derate cap.",
    ),
    "derate cap": Hint(
        "The speed is at the cap of the board file, which is what the bearing is trusted with.",
        "Nothing raises it: fit a better bearing, and change the board file.",
    ),
    "probation": Hint(
        "A new bearing, or one after a trip, has to earn its speed by healthy running.",
        "Let it run; each step comes by itself.",
    ),
    "ramp": Hint("The speed is on its way up or down.", "Wait for the ramp's end."),
    "critical speed": Hint(
        "The speed keeps out of a band in which the machine resonates.",
        "Ask for a speed beyond the band.",
    ),
    "vibration": Hint(
        "The machine shakes beyond its limit, and runs slower for it.",
        "Feel for play and roughness at the next stop; watch whether it grows.",
    ),
    "acceleration peak": Hint(
        "Blows beyond the limit slow the machine down.",
        "Look for loose parts and for a tool that catches.",
    ),
    "crest factor": Hint(
        "Sharp blows stand out of the vibration, and slow the machine down.",
        "Listen at the bearing; watch whether it grows.",
    ),
    "envelope": Hint(
        "The bearing rings at high frequency, and the machine runs slower for it.",
        "Grease it at the next stop; watch whether it grows.",
    ),
    "current": Hint(
        "The motor works harder than its limit, and runs slower for it.",
        "Take off load or feed.",
    ),
    "bearing temperature": Hint(
        "The bearing is hot, and the machine runs slower to cool it.",
        "Take off load; look at its grease at the next stop.",
    ),
    "driver temperature": Hint(
        "The motor's driver is hot, and the machine runs slower to cool it.",
        "Look at its heat sink and air.",
    ),
    "supply": Hint(
        "The supplies sag, or together give less than the motor wants.",
        "Measure each of them under load; look for one that is lost.",
    ),
}

REASON_HINTS: dict[str, str] = {
    "done": "nothing needs to be done",
    "unknown command": "install matching firmware with `wrench flash`",
    "wrong length": "install matching firmware with `wrench flash`",
    "out of range": "give a value that the board can take",
    "above the board's ceiling": "ask for no more than the derate cap, which `wrench limits` shows",
    "tripped: reset first": "see why with `wrench status`, mend the cause, then `wrench reset`",
    "the cause of the trip is still there": "see it with `wrench status`, mend it and reset again",
    "e-stop is open": "look why it was pressed, release it and try again",
    "motor is turning: stop first": "stop it with `wrench stop` and try again",
    "sensor not ready": "wait a few seconds and try again; `wrench status` tells how it stands",
    "not tripped": "there is nothing to reset",
    "too soon after the last stop": "wait until the shaft rests and try again",
    "less protective than the board file: hold the button at power-up first": (
        "press the board's button, switch its power on, let go after 2 to 10 s, then ask again"
    ),
    "levels must rise from alarm to limit to trip": "see all three with `wrench limits`",
    "this cannot be changed": "only the board file or the firmware sets it",
    "nothing there": "see what this board has with `wrench status` and `wrench limits`",
    "probation can be held back, not hurried": "let it run; each step comes by itself",
    "the flash does not keep it": "try again, and replace the board where it stays so",
    "the motor's supply is too low": "charge or replace it, look at its leads, and try again",
}


def fault_hint(name: str) -> Hint:
    """For a fault or an alarm by its name in `wire.FAULTS`; raises KeyError for another name."""
    return FAULT_HINTS[name]


def limit_hint(name: str) -> Hint:
    """For a limit by its name in `wire.LIMITS`; raises KeyError for another name."""
    return LIMIT_HINTS[name]


def reason_hint(name: str) -> str:
    """What to do about a refusal, by its name in `wire.REASONS`, as the end of a sentence; raises
    KeyError for another name."""
    return REASON_HINTS[name]
