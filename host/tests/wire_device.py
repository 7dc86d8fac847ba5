# Runs on MicroPython: firmware/wire_format.py, telemetry.py and commands.py, one JSON request a
# line.
import array
import binascii
import json
import struct
import sys

sys.path.insert(0, sys.argv[1])


def module(name):
    return getattr(__import__(sys.argv[2] + "." + name), name)


wire = module("wire_format")
telemetry = module("telemetry")
commands = module("commands")

now = [0]


def stamp(target, at):
    """In place of the chip's timer, whose registers do not exist here."""
    struct.pack_into("<Q", target, at, now[0])


module("clock_rp2").stamp = stamp


class Wire:
    """A link whose host reads everything, unless its room or its port is said to be closed."""

    def __init__(self, received_bytes=64):
        self.open = True
        self.has_room = True
        self.sent = b""
        self.received = bytearray(received_bytes)
        self.received_bytes = 0

    def write(self, data, length):
        if self.has_room:
            self.sent += bytes(data[:length])
        return self.has_room


class Fields:
    """An object with these attributes."""

    def __init__(self, attributes):
        for name in attributes:
            setattr(self, name, attributes[name])


def hexed(data):
    return binascii.hexlify(data).decode()


def schema():
    """The hash and sizes that the chip knows; of each format the size that struct gives it."""
    formats = {}
    for kind in wire.FORMATS:
        layout, size = wire.FORMATS[kind]
        formats[str(kind)] = [layout, size, struct.calcsize(layout)]
    parts = [
        [wire.STATE_BYTES, struct.calcsize(wire.STATE_FORMAT)],
        [wire.FEATURES_HEAD_BYTES, struct.calcsize(wire.FEATURES_HEAD_FORMAT)],
    ]
    heads = [wire.DATA_HEAD_BYTES, wire.COMMAND_HEAD_BYTES, wire.CRC_BYTES]
    return [wire.SCHEMA_HASH, formats, heads, parts]


def numbers(module_name, names):
    return [getattr(module(module_name), name) for name in names]


def made(name, argument):
    """An argument as the firmware gets it: an object, bytes, samples or quantities, a number."""
    if isinstance(argument, dict):
        return Fields(argument)
    if isinstance(argument, str):
        return binascii.unhexlify(argument)
    if isinstance(argument, list):
        return array.array("h" if name == "waveform" else "i", argument)
    return argument


def answer(subject, kind, tail, *fields):
    """A frame with a tail, as requests make one."""
    at = subject.tail_at(kind)
    subject.buffer[at : at + len(tail)] = tail
    subject.answer(kind, len(tail), fields)


def tell(calls):
    """The bytes that a telemetry sends for calls of (time, method, arguments, times).

    `link` says whether the port is open and has room, `losses` sets the counters.
    """
    link = Wire()
    subject = telemetry.Telemetry(link)
    for now[0], name, given, times in calls:
        arguments = [made(name, argument) for argument in given]
        if name == "link":
            link.open, link.has_room = given
        elif name == "losses":
            subject.lost_samples, subject.dropped_frames = given
        elif name == "answer":
            answer(subject, *arguments)
        elif name == "greeting":
            subject.greeting(arguments)
        else:
            for _ in range(times):
                getattr(subject, name)(*arguments)
    return hexed(link.sent)


def hear(chunks, refusals):
    """What a board does with these bytes: commands carried out, bad frames, their bytes, and the
    bytes sent back.

    A command whose kind is in `refusals` is refused with that reason instead.
    """
    link = Wire(512)
    carried_out = []

    def handle(kind, arguments):
        reason = refusals.get(str(kind), commands.DONE)
        if reason == commands.DONE:
            carried_out.append([kind, list(arguments)])
        return reason

    subject = commands.Commands(link, telemetry.Telemetry(link), handle)
    for chunk in chunks:
        data = binascii.unhexlify(chunk)
        link.received[: len(data)] = data
        link.received_bytes = len(data)
        subject.poll()
        assert link.received_bytes == 0
        assert len(link.received) == 512
    return [carried_out, subject.bad_frames, subject.stray_bytes, hexed(link.sent)]


while True:
    line = sys.stdin.readline()
    if not line:
        break
    name, *arguments = json.loads(line)
    try:
        print(json.dumps(globals()[name](*arguments)))
    except Exception as error:
        print(json.dumps({"raised": repr(error)}))
