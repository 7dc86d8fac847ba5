"""The protocol between board and host: the one definition that both sides import.

A frame is COBS(head, payload, CRC) followed by one 0x00. The CRC is CRC-32/ISO-HDLC over head and
payload, little-endian like every number here. Frames from the board begin with `DATA_HEAD`, frames
from the host with `COMMAND_HEAD`.

Empty frames (a lone 0x00) mean nothing and are skipped: the board pads its USB transfers with them.
"""

import binascii
import struct

VERSION = 1

# Every frame from the board: what it is, its number among all frames the board has sent, 64-bit
# device time since power-up or reset, how many frames the board had no room for, and how many
# samples the sensor lost.
DATA_HEAD = (
    ("kind", "B", ""),
    ("reserved", "B", ""),
    ("sequence", "H", ""),
    ("time_us", "Q", "us"),
    ("dropped_frames", "H", ""),
    ("lost_samples", "H", ""),
)
# Every frame from the host: what it is, and a number that comes back in the reply.
COMMAND_HEAD = (
    ("kind", "B", ""),
    ("reserved", "B", ""),
    ("sequence", "H", ""),
)

GREETING = 1
STATUS = 2
FEATURES = 3
EVENT = 4
REPLY = 5
WAVEFORM = 6
HELLO = 64
HEARTBEAT = 65
RUN = 66
STOP = 67
SET_LIMIT = 68
RESET_TRIP = 69
STREAM = 70
MAINTENANCE = 71

# kind: (name, fields); a field is (name, struct code, unit). The order of fields is the order on
# the wire.
MESSAGES = {
    GREETING: (
        "greeting",
        (
            ("version", "H", ""),
            ("image", "B", "IMAGES"),
            ("reset_cause", "B", "RESET_CAUSES"),
            ("schema_hash", "I", ""),
            ("board_hash", "I", ""),
            ("firmware_hash", "I", ""),
            ("sample_rate_hz", "I", "Hz"),
            ("unique_id", "8s", ""),
            ("board_name", "24s", ""),
            ("firmware_version", "12s", ""),
            ("micropython_version", "12s", ""),
        ),
    ),
    STATUS: (
        "status",
        (
            ("mode", "B", "MODES"),
            ("limit", "B", "LIMITS"),
            ("fault", "B", "FAULTS"),
            ("flags", "B", "FLAGS"),
            ("speed_command_permille", "H", "1/1000 of rated speed"),
            ("derate_cap_permille", "H", "1/1000 of rated speed"),
            ("duty_permille", "H", "1/1000"),
            ("speed_rpm", "H", "1/min"),
            ("velocity_um_s", "I", "um/s RMS, worst axis"),
            ("acceleration_peak_mg", "H", "mg, worst axis"),
            ("bearing_temperature_cdeg", "h", "0.01 degC"),
            ("current_ma", "h", "mA"),
            ("supply_mv", "H", "mV"),
            ("control_overruns", "H", ""),
            ("bad_frames", "H", ""),
        ),
    ),
    FEATURES: (
        "features",
        (
            ("samples", "H", ""),
            ("window_ms", "H", "ms"),
            ("rms_x_mg", "H", "mg"),
            ("rms_y_mg", "H", "mg"),
            ("rms_z_mg", "H", "mg"),
            ("peak_x_mg", "H", "mg"),
            ("peak_y_mg", "H", "mg"),
            ("peak_z_mg", "H", "mg"),
            ("crest_x_centi", "H", "1/100"),
            ("crest_y_centi", "H", "1/100"),
            ("crest_z_centi", "H", "1/100"),
            ("reserved", "H", ""),
            ("velocity_x_um_s", "I", "um/s RMS"),
            ("velocity_y_um_s", "I", "um/s RMS"),
            ("velocity_z_um_s", "I", "um/s RMS"),
        ),
    ),
    EVENT: ("event", (("code", "H", "EVENTS"), ("detail", "H", ""), ("value", "i", "by code"))),
    REPLY: (
        "reply",
        (("command", "B", ""), ("reason", "B", "REASONS"), ("command_sequence", "H", "")),
    ),
    WAVEFORM: (
        "waveform",
        (("first_sample", "I", ""), ("samples", "H", ""), ("scale_ug", "H", "ug per count")),
    ),
    HELLO: ("hello", ()),
    HEARTBEAT: ("heartbeat", ()),
    RUN: ("run", (("speed_permille", "H", "1/1000 of rated speed"),)),
    STOP: ("stop", ()),
    SET_LIMIT: ("set_limit", (("speed_permille", "H", "1/1000 of rated speed"),)),
    RESET_TRIP: ("reset_trip", ()),
    STREAM: ("stream", (("waveform", "B", "0 or 1"),)),
    MAINTENANCE: ("maintenance", ()),
}

IMAGES = ("stock", "wrench", "wrench-frozen")
RESET_CAUSES = ("power-on", "watchdog", "software", "crash")
MODES = ("boot", "idle", "starting", "running", "limiting", "tripped", "maintenance")
# What holds the speed where it is. The order is that of the numbers on the wire.
LIMITS = ("none", "operator", "derate cap", "ramp", "bearing vibration", "supply")
# What has stopped the motor for good: it latches until it is reset with its cause gone.
FAULTS = (
    "none",
    "vibration",
    "e-stop",
    "sensor absent",
    "sensor stale",
    "samples lost",
    "over-current",
    "over-temperature",
    "brown-out",
    "link lost",
    "control overrun",
    "firmware exception",
)
FLAGS = ("motor enabled", "e-stop open", "run owned by link", "window settled")
EVENTS = ("boot", "run", "stop", "limit", "trip", "reset", "link lost", "exception", "maintenance")
REASONS = (
    "done",
    "unknown command",
    "wrong length",
    "out of range",
    "above the board's ceiling",
    "tripped: reset first",
    "the cause of the trip is still there",
    "e-stop is open",
    "motor is turning: stop first",
    "sensor not ready",
    "not tripped",
)


def struct_format(fields):
    """The struct format of a sequence of fields, little-endian."""
    return "<" + "".join([code for _, code, _ in fields])


DATA_HEAD_FORMAT = struct_format(DATA_HEAD)
COMMAND_HEAD_FORMAT = struct_format(COMMAND_HEAD)
DATA_HEAD_BYTES = struct.calcsize(DATA_HEAD_FORMAT)
COMMAND_HEAD_BYTES = struct.calcsize(COMMAND_HEAD_FORMAT)
CRC_BYTES = 4
MAX_COMMAND_BYTES = 64
MAX_DATA_BYTES = 1024


def schema_hash():
    """32 bits that differ when any message, field, order or list of names differs."""
    tables = (VERSION, DATA_HEAD, COMMAND_HEAD)
    text = repr(tables) + repr([(kind, MESSAGES[kind]) for kind in sorted(MESSAGES)])
    text += repr((IMAGES, RESET_CAUSES, MODES, LIMITS, FAULTS, FLAGS, EVENTS, REASONS))
    return binascii.crc32(text.encode()) & 0xFFFFFFFF
