# Runs on MicroPython: firmware/framing.py for test_framing.py, one JSON request a line.
import binascii
import json
import sys

sys.path.insert(0, sys.argv[1])
framing = __import__(sys.argv[2] + ".framing").framing


def crc(data):
    frame = bytearray(data) + bytearray(4)
    end = framing.append_crc(frame, len(data), framing.CRC_TABLE)
    return [bytes(frame), end]


def crc_matches(data):
    return framing.crc_matches(data, len(data), framing.CRC_TABLE)


def encode(data):
    at = 3
    target = bytearray(b"\xaa" * (at + len(data) + len(data) // 254 + 2 + 1))
    end = framing.cobs_encode(data, len(data), target, at)
    return [
        bytes(target[at:end]),
        target[:at] == b"\xaa" * at and target[end:] == b"\xaa" * (len(target) - end),
    ]


def decode(data):
    frame = bytearray(data) + b"\xaa" * 300  # not to be read
    end = framing.cobs_decode(frame, len(data))
    return [bytes(frame[: max(end, 0)]), end]


def find_zero(data, start, end):
    return framing.find_zero(data, start, end)


def copy(data, start, at, count):
    target = bytearray(b"\xaa" * (at + count + 2))
    framing.copy(data, start, target, at, count)
    return bytes(target)


def plain(value):
    if isinstance(value, bytes):
        return binascii.hexlify(value).decode()
    return [plain(v) for v in value] if isinstance(value, list) else value


while True:
    line = sys.stdin.readline()
    if not line:
        break
    name, calls = json.loads(line)
    function = globals()[name]
    print(json.dumps([plain(function(binascii.unhexlify(c[0]), *c[1:])) for c in calls]))
