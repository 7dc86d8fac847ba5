"""The protocol between board and host: the one definition that both sides import.

A frame is COBS(head, payload, CRC) followed by one 0x00. The CRC is CRC-32/ISO-HDLC over head and
payload, little-endian like every number here. Frames from the board begin with `DATA_HEAD`, frames
from the host with `COMMAND_HEAD`.

Empty frames (a lone 0x00) mean nothing and are skipped: the board pads its USB transfers with them.
"""

import binascii
import struct

VERSION = 2

# Every frame from the board: what it is, its number among all frames the board has sent, 64-bit
# device time since power-up or reset, how many frames the board had no room for, and how many
# samples were lost.
DATA_HEAD = (
    ("kind", "B", ""),
    ("reserved", "B", ""),
    ("sequence", "H", ""),
    ("time_us", "Q", "us"),
    ("dropped_frames", "H", ""),
    ("lost_samples", "H", "of the sensor, at least: a FIFO found full counts once"),
)
# Every frame from the host: what it is, and a number that comes back in the reply.
COMMAND_HEAD = (
    ("kind", "B", ""),
    ("reserved", "B", ""),
    ("sequence", "H", ""),
)

# A quantity with this value is not measured by the board; with the other it should be, and its
# reading is impossible: a broken wire, a dead chip.
ABSENT = -0x40000000
BROKEN = -0x3FFFFFFF

# What the board knows about the machine and itself, in the order of `quantities`, each an int32 in
# the status frame.
QUANTITIES = (
    ("speed_rpm", "1/min"),
    ("current_ma", "mA"),
    ("supply_mv", "mV, of what feeds the motor"),
    ("supply_1_mv", "mV"),
    ("supply_2_mv", "mV"),
    ("supply_3_mv", "mV"),
    ("bearing_mdegc", "0.001 degC"),
    ("driver_mdegc", "0.001 degC"),
    ("velocity_um_s", "um/s RMS, worst axis"),
    ("peak_mg", "mg, worst axis"),
    ("crest_centi", "1/100, worst axis"),
    ("envelope_mg", "mg, worst axis"),
    ("kurtosis_centi", "1/100, worst axis"),
    ("once_per_turn_um_s", "um/s, amplitude at 1x"),
    ("rms_mg", "mg, worst axis"),
    ("power_mw", "mW, into the motor"),
    ("estop_open", "0 or 1"),
    ("driver_fault", "0 or 1"),
    ("sensor_silent_ms", "ms"),
    ("sensor_stuck_ms", "ms"),
    ("sensor_saturated", "0 or 1"),
    ("sensor_noisy", "0 or 1"),
    ("sensor_identity", "0 or 1: another chip answers"),
    ("samples_lost", "in the last second; a clock that is off loses all"),
    ("heartbeat_age_ms", "ms"),
    ("control_interval_us", "us, longest of the last second"),
    ("standing_ms", "ms driven without a turn"),
    ("seizing", "1/1000 of what counts as a seizure"),
    ("tacho_silent_ms", "ms driven without a turn at the current of a motor that turns"),
    ("late_ticks", "control intervals above 6 ms in the last second"),
    ("supplies_healthy", "of those that feed the motor"),
)

GREETING = 1
STATUS = 2
FEATURES = 3
EVENT = 4
REPLY = 5
WAVEFORM = 6
LOG = 7
CAPTURE = 8
SETTING = 9
LEVEL = 10
HELLO = 64
HEARTBEAT = 65
RUN = 66
STOP = 67
SET_LIMIT = 68
RESET_TRIP = 69
STREAM = 70
MAINTENANCE = 71
READ_LOG = 72
READ_CAPTURE = 73
GET_SETTING = 74
SET_SETTING = 75
FACTORY_RESET = 76
GET_LEVELS = 77
SET_LEVEL = 78
SET_TIME = 79
NEW_BEARING = 80
HOLD_PROBATION = 81

STATUS_STATE = (
    ("mode", "B", "MODES"),
    ("limit", "B", "LIMITS"),
    ("fault", "B", "FAULTS"),
    ("probation_step", "B", "0 is the first, as many as there are is the derate cap"),
    ("flags", "H", "FLAGS"),
    ("speed_command_permille", "H", "1/1000 of rated speed"),
    ("derate_cap_permille", "H", "1/1000 of rated speed"),
    ("ceiling_permille", "H", "1/1000 of rated speed: the cap, or what the operator set below"),
    ("duty_permille", "H", "1/1000"),
    ("control_overruns", "H", ""),
    ("bad_frames", "H", ""),
    ("stray_bytes", "H", "bytes on either port that were no command"),
    ("alarms", "I", "one bit for each of FAULTS"),
)

FEATURES_HEAD = (
    ("samples", "H", ""),
    ("window_ms", "H", "ms"),
    ("once_per_turn_mg", "i", "mg, amplitude at 1x"),
    ("once_per_turn_um_s", "i", "um/s, amplitude at 1x"),
)
_AXES = ("x", "y", "z")
# Per axis, in this order, each an int32.
AXIS_FEATURES = (
    ("rms_{}_mg", "mg"),
    ("peak_{}_mg", "mg"),
    ("crest_{}_centi", "1/100"),
    ("kurtosis_{}_centi", "1/100"),
    ("envelope_{}_mg", "mg"),
    ("velocity_{}_um_s", "um/s RMS"),
    ("mean_{}_mg", "mg"),
)

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
            ("boot_count", "I", ""),
            ("unique_id", "8s", ""),
            ("board_name", "32s", ""),
            ("firmware_version", "12s", ""),
            ("git_hash", "12s", ""),
            ("micropython_version", "12s", ""),
        ),
    ),
    STATUS: (
        "status",
        STATUS_STATE + tuple([(name, "i", unit) for name, unit in QUANTITIES]),
    ),
    FEATURES: (
        "features",
        FEATURES_HEAD
        + tuple([(name.format(axis), "i", unit) for name, unit in AXIS_FEATURES for axis in _AXES]),
    ),
    EVENT: (
        "event",
        (("code", "B", "EVENTS"), ("detail", "B", "by code"), ("value", "i", "by code")),
    ),
    REPLY: (
        "reply",
        (("command", "B", ""), ("reason", "B", "REASONS"), ("command_sequence", "H", "")),
    ),
    WAVEFORM: (
        "waveform",
        (("first_sample", "I", ""), ("samples", "H", ""), ("scale_ug", "H", "ug per count")),
    ),
    LOG: (
        "log",
        (
            ("oldest", "I", "sequence of the oldest event kept"),
            ("newest", "I", "sequence of the newest"),
            ("first", "I", "sequence of the first record here"),
            ("records", "H", "records of the black box that follow"),
        ),
    ),
    CAPTURE: (
        "capture",
        (
            ("slot", "B", ""),
            ("slots", "B", "how many there are"),
            ("size", "I", "bytes in this slot; 0 where it is empty"),
            ("offset", "I", "of the bytes that follow"),
        ),
    ),
    SETTING: (
        "setting",
        (
            ("setting", "B", "place in the table of settings"),
            ("settings", "B", "how many there are"),
            ("value", "i", "by setting"),
            ("factory", "i", "by setting"),
            ("least", "i", "by setting"),
            ("most", "i", "by setting"),
        ),
    ),
    LEVEL: (
        "levels",
        (
            ("protection", "B", "FAULTS"),
            ("alarm", "i", "in the unit of its quantity"),
            ("limit", "i", "in the unit of its quantity"),
            ("trip", "i", "in the unit of its quantity"),
            ("delay_ms", "i", "ms, of the trip"),
            ("board_alarm", "i", "as the board file has it"),
            ("board_limit", "i", "as the board file has it"),
            ("board_trip", "i", "as the board file has it"),
        ),
    ),
    HELLO: ("hello", ()),
    HEARTBEAT: ("heartbeat", ()),
    RUN: ("run", (("speed_permille", "H", "1/1000 of rated speed"),)),
    STOP: ("stop", ()),
    SET_LIMIT: ("set_limit", (("speed_permille", "H", "1/1000 of rated speed"),)),
    RESET_TRIP: ("reset_trip", ()),
    STREAM: ("stream", (("waveform", "B", "0 or 1"),)),
    MAINTENANCE: ("maintenance", ()),
    READ_LOG: ("read_log", (("first", "I", "sequence"),)),
    READ_CAPTURE: ("read_capture", (("slot", "B", ""), ("offset", "I", ""))),
    GET_SETTING: ("get_setting", (("setting", "B", ""),)),
    SET_SETTING: ("set_setting", (("setting", "B", ""), ("value", "i", "by setting"))),
    FACTORY_RESET: ("factory_reset", ()),
    GET_LEVELS: ("get_levels", (("protection", "B", "FAULTS"),)),
    SET_LEVEL: (
        "set_level",
        (("protection", "B", "FAULTS"), ("level", "B", "LEVELS"), ("value", "i", "by quantity")),
    ),
    SET_TIME: ("set_time", (("unix_ms", "Q", "ms since 1970, UTC"),)),
    NEW_BEARING: ("new_bearing", ()),
    HOLD_PROBATION: ("hold_probation", (("step", "B", "0 is the first"),)),
}

IMAGES = ("stock", "wrench", "wrench-frozen")
RESET_CAUSES = ("power-on", "watchdog", "software", "crash")
MODES = (
    "boot",
    "self-test",
    "idle",
    "starting",
    "running",
    "limiting",
    "tripped",
    "maintenance",
)
# What holds the speed where it is. The order is that of the numbers on the wire.
LIMITS = (
    "none",
    "operator",
    "derate cap",
    "probation",
    "ramp",
    "critical speed",
    "vibration",
    "acceleration peak",
    "crest factor",
    "envelope",
    "current",
    "bearing temperature",
    "driver temperature",
    "supply",
)
# What has stopped the motor for good: it latches until it is reset with its cause gone.
FAULTS = (
    "none",
    "vibration",
    "acceleration peak",
    "crest factor",
    "envelope",
    "over-current",
    "short circuit",
    "stall",
    "seizure",
    "bearing too hot",
    "driver too hot",
    "brown-out",
    "supply too high",
    "over-speed",
    "tacho lost",
    "e-stop",
    "driver fault",
    "sensor absent",
    "sensor silent",
    "sensor stuck",
    "sensor saturated",
    "sensor noisy",
    "wrong sensor",
    "samples lost",
    "link lost",
    "control overrun",
    "firmware hung",
    "firmware exception",
    "settings corrupt",
)
LEVELS = ("alarm", "limit", "trip")
FLAGS = (
    "motor enabled",
    "e-stop open",
    "run owned by link",
    "window settled",
    "unlocked at the board",
    "events survive a power cut",
    "wall time known",
    "closed loop",
)
EVENTS = (
    "boot",
    "run",
    "stop",
    "limit",
    "trip",
    "reset",
    "alarm",
    "alarm over",
    "probation",
    "maintenance",
    "settings",
    "levels",
    "unlocked",
    "new bearing",
    "wall time",
    "stray bytes",
    "self-test",
    "samples lost",
    "exception",
)
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
    "too soon after the last stop",
    "less protective than the board file: hold the button at power-up first",
    "levels must rise from alarm to limit to trip",
    "this cannot be changed",
    "nothing there",
    "probation can be held back, not hurried",
    "the flash does not keep it",
    "the motor's supply is too low",
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
    text += repr((IMAGES, RESET_CAUSES, MODES, LIMITS, FAULTS, LEVELS, FLAGS, EVENTS, REASONS))
    return binascii.crc32(text.encode()) & 0xFFFFFFFF
