"""What may happen in a story: commands, faults of machine, sensors, link and power, and
their mending.

Each kind says how it is done to a `Trial`, how its arguments are drawn, how often it comes, and
whether it counts as a fault. All of them may come at any time and in any order: what makes no sense
at the moment does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from wrench.bench.virtual import LINK
from wrench.hil.mending import mend, reset, run_again
from wrench.hil.story import Act, Value, pause_s
from wrench.hil.trial import NEVER_S, Trial
from wrench.link import encode
from wrench_firmware import wire

Do = Callable[..., bool | None]
"""Does it to a trial; False where it came to nothing."""
Draw = Callable[[Random], dict[str, Value]]


@dataclass(frozen=True)
class Kind:
    """One kind of act."""

    do: Do
    draw: Draw
    weight: int
    fault: Callable[[Mapping[str, Value]], bool]


def _nothing(chance: Random) -> dict[str, Value]:
    del chance
    return {}


def _no(arguments: Mapping[str, Value]) -> bool:
    del arguments
    return False


def _yes(arguments: Mapping[str, Value]) -> bool:
    del arguments
    return True


def _unless(name: str, *well: Value) -> Callable[[Mapping[str, Value]], bool]:
    """A fault, unless that argument is one of these."""
    return lambda arguments: arguments[name] not in well


KINDS: dict[str, Kind] = {}


def _kind(
    weight: int, draw: Draw = _nothing, *, fault: Callable[[Mapping[str, Value]], bool] = _no
) -> Callable[[Do], Do]:
    def keep(do: Do) -> Do:
        KINDS[do.__name__] = Kind(do, draw, weight, fault)
        return do

    return keep


def perform(trial: Trial, act: Act) -> bool:
    """Do it, and let its time pass; returns whether it was a fault."""
    kind = KINDS[act.name]
    came_to_something = kind.do(trial, **act.arguments) is not False
    trial.pass_time(act.then_s)
    return came_to_something and kind.fault(act.arguments)


def drawn(chance: Random) -> Act:
    """An act at random."""
    names = list(KINDS)
    name = chance.choices(names, [KINDS[one].weight for one in names])[0]
    return Act(name, pause_s(chance), KINDS[name].draw(chance))


# ---- what an operator does -----------------------------------------------------------------------
@_kind(14, lambda chance: {"permille": chance.choice((150, 300, 500, 700, 1000, 1, 65_535))})
def run(trial: Trial, permille: int) -> None:
    """A run is asked for over the link."""
    if trial.command(lambda link: link.run(permille)) == "done":
        trial.known.owned = True


@_kind(4)
def stop(trial: Trial) -> None:
    """The motor is stopped over the link."""
    if trial.command(lambda link: link.stop()) == "done":
        trial.known.owned = False


@_kind(8)
def reset_trip(trial: Trial) -> None:
    """A trip is reset."""
    reset(trial)


@_kind(40, lambda chance: {"permille": chance.choice((300, 700, 1000))})
def mend_and_run(trial: Trial, permille: int) -> None:
    """Everything is mended and the motor run again: at a motor that rests, few faults can do
    harm."""
    mend(trial)
    run_again(trial, permille)


@_kind(3, lambda chance: {"permille": chance.choice((0, 100, 400, 700, 701, 1000, 65_535))})
def set_ceiling(trial: Trial, permille: int) -> None:
    """The operator's lasting limit is set."""
    trial.may_have_ceilings.add(permille)
    trial.has_set = True
    trial.command(lambda link: link.command("set_limit", permille))


@_kind(
    4,
    lambda chance: {
        "protection": chance.choice(wire.FAULTS[1:]),
        "level": chance.choice(wire.LEVELS),
        "value": chance.choice((-1, 0, 1, 900, 3_900, 4_400, 94_000, 2**31 - 1, -(2**31))),
    },
)
def set_level(trial: Trial, protection: str, level: str, value: int) -> None:
    """A level is set, mostly one that makes no sense."""
    trial.has_set = True
    trial.command(lambda link: link.set_level(protection, level, value))


@_kind(
    3,
    lambda chance: {
        "number": chance.randrange(12),
        "value": chance.choice((-1, 0, 1, 15, 500, 2**31 - 1)),
    },
)
def set_setting(trial: Trial, number: int, value: int) -> None:
    """A setting is set, mostly to what it cannot be."""
    if number == 0:
        trial.may_have_ceilings.add(value)
    trial.has_set = True
    trial.command(lambda link: link.command("set_setting", number, value))


@_kind(2, lambda chance: {"unix_ms": chance.choice((0, 1_750_000_000_000, 2**63 - 1))})
def set_time(trial: Trial, unix_ms: int) -> None:
    """The wall time is told."""
    trial.command(lambda link: link.set_time(unix_ms))


@_kind(3, lambda chance: {"on": chance.random() < 0.7})
def stream(trial: Trial, on: bool) -> None:
    """The waveform is turned on or off."""
    trial.command(lambda link: link.command("stream", int(on)))


@_kind(
    4, lambda chance: {"what": chance.choice(("hello", "log", "captures", "settings", "levels"))}
)
def ask(trial: Trial, what: str) -> None:
    """Something is asked, whole."""
    asked: dict[str, Callable[[Any], object]] = {
        "hello": lambda link: link.hello(),
        "log": lambda link: list(link.log()),
        "captures": lambda link: link.captures(),
        "settings": lambda link: link.settings(),
        "levels": lambda link: [link.levels(name) for name in wire.FAULTS[1:]],
    }
    trial.command(asked[what])


@_kind(2, lambda chance: {"name": chance.choice(("factory_reset", "new_bearing", "maintenance"))})
def ask_to(trial: Trial, name: str) -> None:
    """What may be done only while the motor is off."""
    if name == "factory_reset":
        trial.may_have_ceilings.add(1000)
    if trial.command(lambda link: link.command(name)) == "done" and name == "maintenance":
        trial.in_maintenance = True


@_kind(6, lambda chance: {"seconds": chance.choice((0.02, 0.2, 1.2, 3.3))})
def press_button(trial: Trial, seconds: float) -> None:
    """The board's button is held so long: it stops, starts, or resets."""
    trial.known.asked_to_run = True
    trial.known.owned = False
    trial.known.tripped_s = NEVER_S if seconds > 3.0 else trial.known.tripped_s
    trial.machine.press_button()
    trial.pass_time(seconds)
    trial.machine.press_button(False)


# ---- what happens to the machine -----------------------------------------------------------------
@_kind(
    6,
    lambda chance: {"fraction": chance.choice((0.0, 0.3, 0.6, 1.0, 2.0, 3.0))},
    fault=_unless("fraction", 0.3, 0.6, 1.0),
)
def load(trial: Trial, fraction: float) -> None:
    """The process loads the shaft."""
    trial.plant.set_load(fraction)


@_kind(3, fault=_yes)
def jam(trial: Trial) -> None:
    """The bit catches."""
    trial.plant.jam()


@_kind(3)
def free(trial: Trial) -> None:
    """It comes loose."""
    trial.plant.free()


@_kind(
    3, lambda chance: {"wear": chance.choice((0.01, 0.3, 0.7, 1.0))}, fault=_unless("wear", 0.01)
)
def wear(trial: Trial, wear: float) -> None:
    """The bearing is worn that far."""
    trial.plant.set_wear(wear)


@_kind(2, lambda chance: {"strength_g": chance.choice((2.0, 8.0, 20.0))}, fault=_yes)
def knock(trial: Trial, strength_g: float) -> None:
    """Something strikes the housing."""
    trial.plant.knock(strength_g)


@_kind(
    3,
    lambda chance: {"bearing_c": chance.choice((25.0, 75.0, 85.0, 120.0))},
    fault=_unless("bearing_c", 25.0),
)
def heat(trial: Trial, bearing_c: float) -> None:
    """The bearing is that hot now."""
    trial.plant.set_temperatures(bearing_c=bearing_c)


_SUPPLY_S = 0.2


@_kind(
    5,
    lambda chance: {"volts": chance.choice((0.0, 5.0, 8.5, 10.2, 12.0, 14.0, 20.0))},
    fault=_unless("volts", 12.0),
)
def supply(trial: Trial, volts: float) -> None:
    """The supply has that voltage."""
    # In between, load and the diodes decide.
    nominal = volts / 12.0 * trial.board.motor.supply_nominal_v
    trial.plant.set_supply(nominal)
    trial.breaks("supply", within_s=_SUPPLY_S, broken=volts < 8.0 or volts > 16.0)


@_kind(
    5,
    lambda chance: {"pressed": chance.random() < 0.6, "after_ms": round(5 * chance.random(), 3)},
    fault=_unless("pressed", False),
)
def estop(trial: Trial, pressed: bool, after_ms: float) -> None:
    """The e-stop's contact opens, or closes, at any phase of the control tick."""
    trial.machine.press_estop(pressed, after_ns=after_ms * 1e6)
    known = trial.known
    if not pressed:
        known.estop_open_s = NEVER_S
    elif known.estop_open_s == NEVER_S:
        known.estop_open_s = trial.now_s + after_ms / 1e3


@_kind(3, lambda chance: {"amps": chance.choice((-6.0, 5.0, 0.0, 0.0))}, fault=_unless("amps", 0.0))
def offset_current(trial: Trial, amps: float) -> None:
    """A magnet lies beside the current sensor."""
    trial.machine.offset_current(amps)
    trial.breaks("current", within_s=0.03, broken=amps != 0.0)


@_kind(4, lambda chance: {"cut": chance.random() < 0.6}, fault=_unless("cut", False))
def tacho(trial: Trial, cut: bool) -> None:
    """The tacho's lead is cut, or mended."""
    trial.machine.cut_tacho(cut)
    trial.tacho(good=not cut)


@_kind(
    3,
    lambda chance: {"how": chance.choice(("cut", "shorted", "mended"))},
    fault=_unless("how", "mended"),
)
def thermistor(trial: Trial, how: str) -> bool:
    """The bearing's thermistor, where the board has one, breaks or is mended."""
    if trial.board.temperatures.bearing is None:
        return False
    if how == "mended":
        trial.machine.mend_thermistor("bearing")
    else:
        trial.machine.break_thermistor("bearing", shorted=how == "shorted")
    trial.breaks("thermistor", within_s=0.1, broken=how != "mended")
    return True


# ---- what happens to the sensor ------------------------------------------------------------------
# How long the motor may go on with each, as `hil_tests/test_protections.py` has it. None: the
# sensor is not blind with it.
SENSOR_FAULTS: Mapping[str, tuple[dict[str, Any], float | None]] = {
    "absent": ({"absent": True}, 0.16),
    "absent, pulled low": ({"absent": True, "floats": 0}, 0.16),
    "stuck": ({"stuck": True}, 0.85),
    "interrupt cut": ({"interrupt_dead": True}, 0.16),
    "supply dips": ({"reset": True}, None),
    "clock runs away": ({"clock": 2.0}, 0.85),
    "clock slow": ({"clock": 0.97}, None),
    "bit errors": ({"bit_errors": 1e-3}, None),
    "many bit errors": ({"bit_errors": 0.2}, None),
    "another chip": ({"identity": 0x33}, None),
    "healthy": ({}, None),
}

# At rest samples are lost whenever flash is erased.
_SEEN_IN_A_RUN = ("clock runs away",)


@_kind(
    8, lambda chance: {"what": chance.choice(list(SENSOR_FAULTS))}, fault=_unless("what", "healthy")
)
def sensor(trial: Trial, what: str) -> bool:
    """The sensor's chip is broken that way from now on, in place of what was before."""
    if trial.board.vibration.bus == "adc":
        return False
    faults, within_s = SENSOR_FAULTS[what]
    trial.machine.set_sensor_fault(**faults)
    trial.blinds(within_s, in_run=what in _SEEN_IN_A_RUN)
    return True


@_kind(
    3,
    lambda chance: {"how": chance.choice(("saturated", "noisy", "well"))},
    fault=_unless("how", "well"),
)
def signal(trial: Trial, how: str) -> None:
    """What the sensor feels is not the machine's."""
    trial.machine.signal.saturate(how == "saturated")
    trial.machine.signal.add_noise(0.5 if how == "noisy" else 0.0)
    window_s = trial.board.vibration.window_ms / 1e3
    trial.breaks("saturated", within_s=2 * window_s + 0.42, broken=how == "saturated")


# ---- what happens to the link --------------------------------------------------------------------
@_kind(4, fault=_yes)
def close_port(trial: Trial) -> bool:
    """The host closes its port, where one is open."""
    is_open = trial.rig.open_link is not None
    trial.lose_link()
    return is_open


@_kind(3, lambda chance: {"plugged": chance.random() < 0.5}, fault=_unless("plugged", True))
def cable(trial: Trial, plugged: bool) -> bool:
    """The USB cable is pulled, or put back."""
    if plugged == trial.plugged:
        return False
    trial.plugged = plugged
    trial.bench.plug_usb(plugged)
    trial.rig.leave()
    return True


@_kind(3, lambda chance: {"seconds": chance.choice((0.3, 0.6, 3.0))}, fault=_yes)
def host_hangs(trial: Trial, seconds: float) -> None:
    """The host neither reads what has come nor sends anything, for so long."""
    trial.attending = False
    trial.pass_time(seconds)
    trial.attending = True
    trial.take_frames()


@_kind(3, lambda chance: {"seconds": chance.choice((0.3, 0.6, 3.0))}, fault=_yes)
def host_stops_reading(trial: Trial, seconds: float) -> None:
    """The host's computer takes nothing off the bus for so long."""
    trial.bench.hold_reading(LINK, False)
    trial.attending = False
    trial.pass_time(seconds)
    trial.bench.hold_reading(LINK, True)
    trial.attending = True
    trial.take_frames()


def _garbage(chance: Random) -> dict[str, Value]:
    return {"size": chance.choice((1, 30, 300, 3000)), "seed": chance.randrange(1000)}


@_kind(4, _garbage, fault=_yes)
def garbage(trial: Trial, size: int, seed: int) -> bool:
    """Bytes that are no frames."""
    return trial.write(Random(seed).randbytes(size))


@_kind(3, lambda chance: {"size": chance.randrange(1, 12)}, fault=_yes)
def half_a_frame(trial: Trial, size: int) -> bool:
    """A command to run of which the rest never comes."""
    return trial.write(encode("run", 7, 700)[:size])


@_kind(2, lambda chance: {"count": chance.choice((20, 200))}, fault=_yes)
def flood(trial: Trial, count: int) -> bool:
    """Questions without waiting for an answer."""
    return trial.write(encode("hello", 9) * count)


# ---- what happens to power and chip --------------------------------------------------------------
def _cut(chance: Random) -> dict[str, Value]:
    return {
        "after_ms": round(5 * chance.random(), 3),
        "at_write": chance.random() < 0.5,
        "off_s": chance.choice((0.01, 0.1, 0.5)),
    }


@_kind(6, _cut, fault=_yes)
def power_cut(trial: Trial, after_ms: float, at_write: bool, off_s: float) -> None:
    """The power goes, at any instant, or in the middle of a write to flash, and comes back."""
    trial.cut_power(after_ms * 1e6, at_write=at_write, off_s=off_s)


@_kind(3, fault=_yes)
def reset_pin(trial: Trial) -> None:
    """Somebody presses the reset button."""
    trial.bench.press_reset()
    trial.pass_time(0.01)
    trial.rig.leave()
