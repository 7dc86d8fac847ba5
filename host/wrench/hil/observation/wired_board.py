"""The timeline of an assembled board: its board file's pins and chips by their names, what is done
to its machine, and what the board and its host say to each other."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from wrench.bench.emulator.traffic import Transfer
from wrench.bench.virtual import LINK, VirtualBench
from wrench.bench.wiring import WiredMachine
from wrench.boards import Board
from wrench.chronicle import described
from wrench.framing import END, body_of
from wrench.hil.observation.excerpt import Line, Note, Told
from wrench.hil.observation.timeline import Timeline
from wrench.link import Decoder, Frame
from wrench_firmware import wire

_COMMAND_HEAD = struct.Struct(wire.COMMAND_HEAD_FORMAT)
_STATES = ("mode", "limit", "fault")
_NOT_NOTED = ("heartbeat",)
_MACHINE = (
    "break_thermistor",
    "cut_tacho",
    "mend_thermistor",
    "offset_current",
    "press_button",
    "press_estop",
    "set_driver_fault",
    "set_sensor_fault",
    "set_service_jumper",
    "set_supply_chip_fault",
)
_PLANT = (
    "free",
    "heat_bearing",
    "heat_driver",
    "jam",
    "knock",
    "set_ambient",
    "set_defect",
    "set_load",
    "set_rub",
    "set_speed",
    "set_supply",
    "set_temperatures",
    "set_wear",
)
_SIGNAL = ("add_noise", "cut", "saturate", "stick")
_SUPPLY = ("lose", "restore", "set_resistance", "set_voltage")
_BENCH = (
    "cut_power",
    "drive_pin",
    "hold_button",
    "hold_reading",
    "plug_usb",
    "press_reset",
    "restore_power",
)


def timeline_of(
    board: Board, bench: VirtualBench, machine: WiredMachine, *, calls: bool = True
) -> Timeline:
    """The timeline of an assembled board from now on. `calls`: whatever is done to its machine and
    bench is noted; else only what is told to `Timeline.note`."""
    timeline = Timeline(
        bench,
        lines_of(board),
        name=board.name,
        chips=_chips(machine.devices),
        serial=("console", "link"),
        explain=explain,
    )
    if calls:
        timeline.note_calls(machine, _MACHINE)
        timeline.note_calls(machine.machine, _PLANT)
        timeline.note_calls(bench, _BENCH)
        signal = machine.signal
        timeline.note_calls(signal, [name for name in _SIGNAL if hasattr(signal, name)], "sensor")
        names = [name for name, _ in board.ordered_supplies] or ["supply"]
        for name, supply in zip(names, machine.supplies, strict=True):
            timeline.note_calls(supply, _SUPPLY, f"supply {name}")
    return timeline


def lines_of(board: Board) -> list[Line]:
    """The digital pins of a board file but those of its buses, named by their keys: the motor's
    first."""
    enable = board.motor.enable_pin
    focus = board.motor.pwm_pin if enable is None else enable
    lines = [
        Line(_name(use.key), use.gpio, pwm=use.function == "PWM", watched=use.gpio == focus)
        for use in board.pins
        if use.function in ("GPIO", "PWM") and not use.key.endswith(".cs_pin")
    ]
    motors = {use.gpio for use in board.pins if use.key.startswith("motor.")}
    order = [focus, *sorted(motors)]
    return sorted(lines, key=lambda it: order.index(it.gpio) if it.gpio in order else 99 + it.gpio)


def _name(key: str) -> str:
    """ "motor.enable_pin" is the enable, "led.pin" the led."""
    section, _, name = key.rpartition(".")
    name = name.removesuffix("pin").rstrip("_")
    if section == "motor":
        return name.replace("_", " ").replace("pwm", "PWM")
    return f"{section.replace('.', ' ')} {name}".replace("vibration", "sensor").strip()


def _chips(devices: Sequence[dict[str, object]]) -> dict[tuple[str, int | None, int], str]:
    names: dict[tuple[str, int | None, int], str] = {}
    for index, device in enumerate(devices):
        kind = str(device["kind"])
        number = device.get(str(device["bus"]))
        bus = number if isinstance(number, int) else None
        address = device.get("address")
        if device["bus"] == "spi":
            names["spi", bus, index] = kind
        elif isinstance(address, int):
            names["i2c", bus, address] = f"{kind} at {address:#04x}"
    return names


def explain(packets: Sequence[Transfer], began_ns: Sequence[float]) -> Told:
    """What went over the link: `states` of mode, limit and fault as status frames tell them, notes
    of the host's commands but heartbeats, and of the board's events."""
    states: dict[str, list[tuple[float, str]]] = {name: [] for name in _STATES}
    notes: list[Note] = []
    for told_ns, frame in _frames(packets, began_ns):
        if frame.name == "status":
            for name in _STATES:
                if not states[name] or states[name][-1][1] != frame[name]:
                    states[name].append((told_ns, frame[name]))
        elif frame.name == "event":
            text = described(frame["code"], frame["detail"], frame["value"])
            notes.append(Note(told_ns, text, by="board"))
        elif frame.name == "greeting":
            notes.append(Note(told_ns, f"greeting, boot {frame['boot_count']}", by="board"))
    notes += _commands(packets)
    return Told({name: found for name, found in states.items() if found}, notes)


def _frames(
    packets: Sequence[Transfer], began_ns: Sequence[float]
) -> Iterator[tuple[float, Frame]]:
    """What the board has said, each with the device time that it gives."""
    decoder = Decoder()
    for packet in packets:
        if packet.chip == LINK and packet.sent_bytes:
            at = bisect_right(began_ns, packet.begin_ns)
            boot_ns = began_ns[at - 1] if at else 0.0
            for frame in decoder.feed(packet.sent):
                yield boot_ns + frame.time_us * 1e3, frame


def _commands(packets: Sequence[Transfer]) -> Iterator[Note]:
    held = b""
    for packet in packets:
        if packet.chip != LINK or not packet.received_bytes:
            continue
        *whole, held = (held + packet.received).split(END)
        for coded in whole:
            body = body_of(coded) if coded else None
            if body is None or body[0] not in wire.MESSAGES:
                continue
            name, fields = wire.MESSAGES[body[0]]
            if name in _NOT_NOTED:
                continue
            layout = struct.Struct(wire.struct_format(fields))
            payload = body[_COMMAND_HEAD.size :]
            values = layout.unpack(payload) if len(payload) == layout.size else ()
            text = " ".join([name.replace("_", " "), *map(str, values)])
            yield Note(packet.end_ns, text, by="host")
