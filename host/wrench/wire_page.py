"""What is made from the protocol's one definition, `firmware/wire.py`: the page docs/wire.md, and
`firmware/wire_format.py`, the numbers alone, which is what the chip imports.

`python -m wrench.wire_page docs/wire.md firmware/wire_format.py` writes both; a test compares.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from wrench_firmware import wire

_Fields = Sequence[tuple[str, str, str]]

MEANINGS = {
    "greeting": "Who the board is: the answer to `hello`.",
    "status": "How it stands, 25 times a second. From `speed_rpm` on, each field is a quantity of "
    f"its own: {wire.ABSENT} where the board does not measure it, {wire.BROKEN} where its sensor "
    "is broken.",
    "features": "A window of vibration has closed.",
    "event": "Something has happened; the black box has it too.",
    "reply": "The answer to every command but a heartbeat that is taken. It repeats the command's "
    "kind and sequence.",
    "waveform": "Raw samples, while `stream` is on: `samples` triples of int16 x, y, z counts "
    "follow. `first_sample` counts from the board's start.",
    "log": "Events of the black box: the answer to `read_log`. The records that follow are laid "
    "out as `firmware/records.py` says.",
    "capture": "A piece of the waveform and quantities saved at a trip: the answer to "
    "`read_capture`. Its bytes follow.",
    "setting": "One setting: the answer to `get_setting`.",
    "levels": "The levels of one protection: the answer to `get_levels`.",
    "hello": "Ask for the greeting.",
    "heartbeat": "The operator of a run is still there. Only this and `run` keep one alive.",
    "run": "Start, or change the speed of a run; 1 to 1,000. The run belongs to this link from "
    "then on.",
    "stop": "Stop the motor at once.",
    "set_limit": "The operator's lasting limit, from 0 to the board's derate cap.",
    "reset_trip": "Leave tripped. Refused while the cause is there.",
    "stream": "Turn the raw waveform on (1) or off (0).",
    "maintenance": "Give the console to the host, by a reset. Refused while the motor turns.",
    "read_log": "Read events from a sequence on, as many as fit a frame. Refused while the motor "
    "turns on the stock image, whose log is in files.",
    "read_capture": "Read a piece of a capture, from an offset on. Refused as `read_log` is.",
    "get_setting": "Read a setting.",
    "set_setting": "Change a setting; written to flash once the motor is off.",
    "factory_reset": "Every setting and level as the board file has it; the motor must be off.",
    "get_levels": "Read the levels of a protection.",
    "set_level": "Make a protection's level more protective than the board file's. Less is refused "
    "unless the button was held at power-up. In one run, the board takes this and `set_time` 24 "
    "times in all.",
    "set_time": "Tell the wall time, for the black box. See `set_level`.",
    "new_bearing": "A bearing has been installed: probation begins anew. The motor must be off.",
    "hold_probation": "Hold probation at a step, or let it go on; never ahead of what is earned.",
}

_RANGES = {
    "B": "0 to 255",
    "H": "0 to 65,535",
    "h": "-32,768 to 32,767",
    "I": "0 to 4,294,967,295",
    "i": "-2,147,483,648 to 2,147,483,647",
    "Q": "0 to 2^64 - 1",
}


def markdown() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# The protocol between board and host"
    yield ""
    yield f"Version {wire.VERSION}, schema {wire.schema_hash():08x}. Generated from "
    yield "`firmware/wire.py` by `python -m wrench.wire_page`; edit that file."
    yield ""
    yield "A frame is COBS(head, payload, CRC) and one 0x00. The CRC is CRC-32/ISO-HDLC over head "
    yield "and payload. All numbers are little-endian. A lone 0x00 is padding. A frame longer than "
    yield f"{wire.MAX_DATA_BYTES} bytes from the board before coding, or than "
    yield f"{wire.MAX_COMMAND_BYTES} from the host as coded, is none."
    yield ""
    yield "What the board does not understand (no frame, wrong CRC, too long, unknown kind, wrong "
    yield "length, out of range) changes nothing. It is counted in the status, and answered where "
    yield "it was a frame."
    yield ""
    yield "## Heads"
    yield from _table("From the board", wire.DATA_HEAD)
    yield from _table("From the host", wire.COMMAND_HEAD)
    yield ""
    yield "## From the board"
    for kind, (name, fields) in sorted(wire.MESSAGES.items()):
        if kind < wire.HELLO:
            yield from _message(kind, name, fields)
    yield ""
    yield "## From the host"
    for kind, (name, fields) in sorted(wire.MESSAGES.items()):
        if kind >= wire.HELLO:
            yield from _message(kind, name, fields)
    yield ""
    yield "## Names"
    for title, names in (
        ("IMAGES", wire.IMAGES),
        ("RESET_CAUSES", wire.RESET_CAUSES),
        ("MODES", wire.MODES),
        ("LIMITS", wire.LIMITS),
        ("FAULTS", wire.FAULTS),
        ("LEVELS", wire.LEVELS),
        ("EVENTS", wire.EVENTS),
        ("REASONS", wire.REASONS),
    ):
        yield ""
        yield f"**{title}**: " + ", ".join(f"{n} {name}" for n, name in enumerate(names))
    yield ""
    yield "**FLAGS**, by bit: " + ", ".join(f"{n} {name}" for n, name in enumerate(wire.FLAGS))


def _message(kind: int, name: str, fields: _Fields) -> Iterator[str]:
    size = struct.calcsize(wire.struct_format(fields))
    yield ""
    yield f"### {kind} {name}"
    yield f"{MEANINGS[name]} {size} bytes." if size else f"{MEANINGS[name]} No payload."
    if fields:
        yield from _table("", fields)


def _table(title: str, fields: _Fields) -> Iterator[str]:
    if title:
        yield ""
        yield f"**{title}**"
    yield ""
    yield "| at | field | type | range | unit |"
    yield "|---|---|---|---|---|"
    at = 0
    for name, code, unit in fields:
        named = getattr(wire, unit, None) if unit.isupper() else None
        text = code if code not in _RANGES else _TYPES[code]
        shown = f"0 to {len(named) - 1}" if named and unit != "FLAGS" else _range(code)
        yield f"| {at} | `{name}` | {text} | {shown} | {unit} |"
        at += struct.calcsize("<" + code)


_TYPES = {"B": "u8", "H": "u16", "h": "i16", "I": "u32", "i": "i32", "Q": "u64"}


def _range(code: str) -> str:
    return _RANGES.get(code, f"{code[:-1]} bytes, filled with 0")


def chip_module() -> str:
    """The source of `firmware/wire_format.py`: names and units cost 25 kB of the chip's memory."""
    lines = [
        '"""The numbers of `wire`, for the chip. Generated by `python -m wrench.wire_page`."""',
        "",
        f"VERSION = {wire.VERSION}",
        f"SCHEMA_HASH = 0x{wire.schema_hash():08X}",
        f"DATA_HEAD_BYTES = {wire.DATA_HEAD_BYTES}",
        f"COMMAND_HEAD_BYTES = {wire.COMMAND_HEAD_BYTES}",
        f"CRC_BYTES = {wire.CRC_BYTES}",
        f"MAX_COMMAND_BYTES = {wire.MAX_COMMAND_BYTES}",
        f"MAX_DATA_BYTES = {wire.MAX_DATA_BYTES}",
        f'STATE_FORMAT = "{wire.struct_format(wire.STATUS_STATE)}"',
        f"STATE_BYTES = {struct.calcsize(wire.struct_format(wire.STATUS_STATE))}",
        f'FEATURES_HEAD_FORMAT = "{wire.struct_format(wire.FEATURES_HEAD)}"',
        f"FEATURES_HEAD_BYTES = {struct.calcsize(wire.struct_format(wire.FEATURES_HEAD))}",
        f"QUANTITIES = {len(wire.QUANTITIES)}",
        f"AXIS_FEATURES = {len(wire.AXIS_FEATURES)}",
        "",
    ]
    kinds = sorted(wire.MESSAGES.items())
    lines += [f"{_constant(name)} = {kind}" for kind, (name, _) in kinds]
    lines += ["", "# By kind: struct format, and bytes.", "FORMATS = {"]
    for kind, (_, fields) in kinds:
        code = wire.struct_format(fields)
        lines.append(f'    {kind}: ("{code}", {struct.calcsize(code)}),')
    lines += ["}", "", f"IMAGES = {wire.IMAGES!r}".replace("'", '"'), ""]
    lines += [f"EVENT_{_constant(name)} = {n}" for n, name in enumerate(wire.EVENTS)]
    return "\n".join(lines) + "\n"


def _constant(name: str) -> str:
    return name.upper().replace(" ", "_").replace("-", "_")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(markdown(), encoding="utf-8")
    Path(sys.argv[2]).write_text(chip_module(), encoding="utf-8")
