"""What the messages of a recording look like: protobuf schemas made from the wire's definition.

One message type for each kind of frame from the board, with its fields under the wire's names.
Every number is a field of its own, since that is what plotting tools draw. A field that numbers one
of the wire's lists of names becomes two, the name and the number; a field of bits likewise, the
names of those that are set and the bits.

The waveform becomes a message for each sample, `Sample`, and one for each frame that brought some,
`Block`. Those two have a fixed layout in the file, so that they are written and read as arrays.
An event becomes a second message besides its own: a `foxglove.Log`, which log panels list.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

from wrench.chronicle import described
from wrench.link import TABLES, Frame
from wrench.readout import Losses, named_bits
from wrench_firmware import wire

PACKAGE = "wrench"
ENCODING = "protobuf"
WAVEFORM_TOPIC = "/waveform"
BLOCKS_TOPIC = "/waveform_blocks"
LOSSES_TOPIC = "/losses"
LOG_TOPIC = "/event_log"
MESSAGE_OPCODE = 5
MESSAGE_HEAD_BYTES = 9  # opcode and length, before what the length counts

_Proto = descriptor_pb2.FieldDescriptorProto
_FIXED: dict[int, tuple[str, int]] = {
    _Proto.TYPE_FLOAT: ("<f4", 5),
    _Proto.TYPE_FIXED32: ("<u4", 5),
    _Proto.TYPE_FIXED64: ("<u8", 1),
}
_NUMBERS = {
    "B": _Proto.TYPE_UINT32,
    "H": _Proto.TYPE_UINT32,
    "I": _Proto.TYPE_UINT32,
    "Q": _Proto.TYPE_UINT64,
    "i": _Proto.TYPE_DOUBLE,
}
_BITS = {"flags": wire.FLAGS, "alarms": wire.FAULTS}
_INFO, _WARNING, _ERROR = 2, 3, 4
_LEVELS = {
    "trip": _ERROR,
    "exception": _ERROR,
    "alarm": _WARNING,
    "limit": _WARNING,
    "samples lost": _WARNING,
    "stray bytes": _WARNING,
}
# What an event's detail numbers.
_DETAILS: dict[str, tuple[str, ...]] = {
    "trip": wire.FAULTS,
    "alarm": wire.FAULTS,
    "alarm over": wire.FAULTS,
    "limit": wire.LIMITS,
}


@dataclass(frozen=True)
class _Field:
    """A field: its name, protobuf type and unit, and what it is in a frame."""

    name: str
    type: int
    unit: str
    of: Callable[[Frame], Any]


class FrameType:
    """The messages that one kind of frame becomes."""

    def __init__(self, name: str, fields: Iterable[_Field]) -> None:
        self.topic = f"/{name}"
        self._fields = list(fields)
        self.units = {field.name: field.unit for field in self._fields if field.unit}
        title = "".join(part.capitalize() for part in name.split("_"))
        self.name = f"{PACKAGE}.{title}"
        file = _file(title, [(field.name, field.type) for field in self._fields])
        self.schema = _file_set(file)
        self._message = message_factory.GetMessageClass(
            _pool.AddSerializedFile(file.SerializeToString()).message_types_by_name[title]
        )

    def encode(self, frame: Frame) -> bytes:
        """The message of a frame."""
        made = self._message(**{field.name: field.of(frame) for field in self._fields})
        return made.SerializeToString()


class FixedType:
    """Messages whose bytes all have the same layout: fields that protobuf stores in 4 or 8 bytes,
    each of them always there.

    `record` is the numpy type of a whole MCAP message record, with the fields `channel_id`,
    `sequence`, `log_time`, `publish_time` and those of the message.
    """

    def __init__(self, topic: str, title: str, fields: list[tuple[str, int, str]]) -> None:
        self.topic = topic
        self.name = f"{PACKAGE}.{title}"
        self.units = {name: unit for name, _, unit in fields if unit}
        self.schema = _file_set(_file(title, [(name, type_) for name, type_, _ in fields]))
        layout: list[tuple[str, str]] = [
            ("opcode", "u1"),
            ("length", "<u8"),
            ("channel_id", "<u2"),
            ("sequence", "<u4"),
            ("log_time", "<u8"),
            ("publish_time", "<u8"),
        ]
        self._constants: dict[str, int] = {"opcode": MESSAGE_OPCODE}
        for number, (name, type_, _) in enumerate(fields, 1):
            code, wire_type = _FIXED[type_]
            layout += [(f"tag_{name}", "u1"), (name, code)]
            self._constants[f"tag_{name}"] = number << 3 | wire_type
        self.record = np.dtype(layout)
        self._constants["length"] = self.record.itemsize - MESSAGE_HEAD_BYTES
        codes = {"<f4": "Bf", "<u4": "BI", "<u8": "BQ"}
        self._payload = struct.Struct(
            "<" + "".join(codes[_FIXED[type_][0]] for _, type_, _ in fields)
        )
        self._tags = [self._constants[f"tag_{name}"] for name, _, _ in fields]

    def empty(self, count: int, channel_id: int) -> np.ndarray[Any, Any]:
        """That many records of a channel; times, sequence and fields are left to fill in."""
        records = np.zeros(count, self.record)
        for name, value in self._constants.items():
            records[name] = value
        records["channel_id"] = channel_id
        return records

    def encode(self, *values: float) -> bytes:
        """One message, its values in the order of the fields."""
        pairs = zip(self._tags, values, strict=True)
        return self._payload.pack(*(part for pair in pairs for part in pair))


class LogType:
    """Events as Foxglove's `foxglove.Log`: time, level, text, and the board's name."""

    topic = LOG_TOPIC
    name = "foxglove.Log"
    units: dict[str, str] = {}  # noqa: RUF012  (as of the other types)

    def __init__(self) -> None:
        stamp = descriptor_pb2.FileDescriptorProto.FromString(
            timestamp_pb2.DESCRIPTOR.serialized_pb
        )
        file = descriptor_pb2.FileDescriptorProto(
            name="foxglove/Log.proto",
            package="foxglove",
            syntax="proto3",
            dependency=[stamp.name],
        )
        message = file.message_type.add(name="Log")
        levels = message.enum_type.add(name="Level")
        for number, level in enumerate(("UNKNOWN", "DEBUG", "INFO", "WARNING", "ERROR", "FATAL")):
            levels.value.add(name=level, number=number)
        for number, (name, type_, type_name) in enumerate(
            [
                ("timestamp", _Proto.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
                ("level", _Proto.TYPE_ENUM, ".foxglove.Log.Level"),
                ("message", _Proto.TYPE_STRING, None),
                ("name", _Proto.TYPE_STRING, None),
                ("file", _Proto.TYPE_STRING, None),
                ("line", _Proto.TYPE_FIXED32, None),
            ],
            1,
        ):
            field = message.field.add(
                name=name, number=number, label=_Proto.LABEL_OPTIONAL, type_name=type_name
            )
            field.type = cast(Any, type_)
        self.schema = descriptor_pb2.FileDescriptorSet(file=[stamp, file]).SerializeToString()
        pool = descriptor_pool.DescriptorPool()
        pool.Add(stamp)
        pool.Add(file)
        self._message = message_factory.GetMessageClass(pool.FindMessageTypeByName(self.name))

    def encode(self, event: Frame, log_time_ns: int, board: str) -> bytes:
        """The message of the frame `event`."""
        code = event["code"]
        seconds, nanos = divmod(log_time_ns, 1_000_000_000)
        made = self._message(
            timestamp={"seconds": seconds, "nanos": nanos},
            level=_LEVELS.get(code, _INFO),
            message=described(code, event["detail"], event["value"]),
            name=board,
        )
        return made.SerializeToString()


def losses_message(device_time_us: int, losses: Losses) -> bytes:
    """The message of what was lost since the recording began."""
    return LOSSES.encode(
        device_time_us, losses.frames, losses.samples, losses.missing, losses.broken
    )


def event_detail(event: str, detail: int) -> str:
    """The name that an event's detail stands for, empty where it is a number."""
    names = _DETAILS.get(event, ())
    return names[detail] if detail < len(names) else ""


def _frame_type(kind: int) -> FrameType:
    name, fields = wire.MESSAGES[kind]
    made = [
        _Field("device_time_us", _Proto.TYPE_UINT64, "us", lambda frame: frame.time_us),
        _Field("frame_sequence", _Proto.TYPE_UINT32, "", lambda frame: frame.sequence),
        _Field("dropped_frames", _Proto.TYPE_UINT32, "", lambda frame: frame.dropped_frames),
        _Field("lost_samples", _Proto.TYPE_UINT32, "", lambda frame: frame.lost_samples),
    ]
    for field in fields:
        made += _fields_of(*field)
    if kind == wire.EVENT:
        made.append(
            _Field(
                "detail_name",
                _Proto.TYPE_STRING,
                "",
                lambda frame: event_detail(frame["code"], frame["detail"]),
            )
        )
    if kind == wire.REPLY:
        made.append(
            _Field(
                "command_name",
                _Proto.TYPE_STRING,
                "",
                lambda frame: wire.MESSAGES.get(frame["command"], ("",))[0],
            )
        )
    if kind in (wire.LOG, wire.CAPTURE):
        made.append(_Field("data", _Proto.TYPE_BYTES, "", lambda frame: frame.tail))
    return FrameType(name, made)


def _fields_of(name: str, code: str, unit: str) -> list[_Field]:
    if code.endswith("s"):
        return [_Field(name, _Proto.TYPE_STRING, "", lambda frame: frame[name])]
    if unit in TABLES:
        table = TABLES[unit]
        return [
            _Field(name, _Proto.TYPE_STRING, "", lambda frame: frame[name]),
            _Field(
                f"{name}_number",
                _Proto.TYPE_UINT32,
                ", ".join(f"{number} {text}" for number, text in enumerate(table)),
                lambda frame: _number(table, frame[name]),
            ),
        ]
    if name in _BITS:
        table = _BITS[name]
        return [
            _Field(
                name,
                _Proto.TYPE_STRING,
                "",
                lambda frame: ", ".join(named_bits(frame[name], table)),
            ),
            _Field(
                f"{name}_bits",
                _Proto.TYPE_UINT32,
                ", ".join(f"bit {number} {text}" for number, text in enumerate(table)),
                lambda frame: frame[name],
            ),
        ]
    if code == "i":
        # What is not measured is no zero.
        return [_Field(name, _Proto.TYPE_DOUBLE, unit, lambda frame: _or_nan(frame[name]))]
    return [_Field(name, _NUMBERS[code], unit, lambda frame: frame[name])]


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _number(table: tuple[str, ...], name: str) -> int:
    return table.index(name) if name in table else int(name.removeprefix("unknown "))


def _file(title: str, fields: list[tuple[str, int]]) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{PACKAGE}/{title}.proto", package=PACKAGE, syntax="proto3"
    )
    message = file.message_type.add(name=title)
    for number, (name, type_) in enumerate(fields, 1):
        field = message.field.add(name=name, number=number, label=_Proto.LABEL_OPTIONAL)
        field.type = cast(Any, type_)
    return file


def _file_set(file: descriptor_pb2.FileDescriptorProto) -> bytes:
    return descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()


_pool = descriptor_pool.DescriptorPool()

FRAMES: dict[str, FrameType] = {
    name: _frame_type(kind)
    for kind, (name, _) in wire.MESSAGES.items()
    if kind < wire.HELLO and kind != wire.WAVEFORM
}
SAMPLE = FixedType(
    WAVEFORM_TOPIC,
    "Sample",
    [(f"{axis}_g", _Proto.TYPE_FLOAT, "g, 9.80665 m/s2") for axis in "xyz"],
)
BLOCK = FixedType(
    BLOCKS_TOPIC,
    "Block",
    [
        ("device_time_us", _Proto.TYPE_FIXED64, "us"),
        ("first_sample", _Proto.TYPE_FIXED32, "since the board's start"),
        ("samples", _Proto.TYPE_FIXED32, ""),
        ("scale_ug", _Proto.TYPE_FIXED32, "ug per count"),
        ("frame_sequence", _Proto.TYPE_FIXED32, ""),
        ("dropped_frames", _Proto.TYPE_FIXED32, ""),
        ("lost_samples", _Proto.TYPE_FIXED32, ""),
    ],
)
LOSSES = FixedType(
    LOSSES_TOPIC,
    "Losses",
    [
        ("device_time_us", _Proto.TYPE_FIXED64, "us"),
        ("frames_dropped_by_board", _Proto.TYPE_FIXED32, "since the recording began"),
        ("samples_lost", _Proto.TYPE_FIXED32, "since the recording began"),
        ("frames_missing", _Proto.TYPE_FIXED32, "since the recording began"),
        ("frames_broken", _Proto.TYPE_FIXED32, "since the recording began"),
    ],
)
LOG = LogType()
TYPES: tuple[FrameType | FixedType | LogType, ...] = (
    *FRAMES.values(),
    SAMPLE,
    BLOCK,
    LOSSES,
    LOG,
)
CHANNELS: dict[str, int] = {type_.topic: number for number, type_ in enumerate(TYPES, 1)}
"""Number of each topic's channel, and of its schema, in every recording."""
