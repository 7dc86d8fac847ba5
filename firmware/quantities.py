"""What is measured, by number: one `array('i')` that inputs, features and conditions write, and
that protection, governor, telemetry and the black box read. Units are in the names.
"""

import array

from micropython import const

# The board does not measure it.
ABSENT = const(-0x40000000)
# The board should measure it, and what it reads is impossible: a thermistor that is open, a meter
# that does not answer.
BROKEN = const(-0x3FFFFFFF)

SPEED_RPM = const(0)
CURRENT_MA = const(1)
SUPPLY_MV = const(2)  # of the bus: the best healthy supply
SUPPLY_1_MV = const(3)
SUPPLY_2_MV = const(4)
SUPPLY_3_MV = const(5)
BEARING_MDEGC = const(6)
DRIVER_MDEGC = const(7)
VELOCITY_UM_S = const(8)  # RMS; this and what follows to RMS_MG: worst axis of the last window
PEAK_MG = const(9)
CREST_CENTI = const(10)
ENVELOPE_MG = const(11)
KURTOSIS_CENTI = const(12)
ONCE_PER_TURN_UM_S = const(13)
RMS_MG = const(14)
POWER_MW = const(15)

ESTOP_OPEN = const(16)  # 0 or 1
DRIVER_FAULT = const(17)  # 0 or 1
SENSOR_SILENT_MS = const(18)
SENSOR_STUCK_MS = const(19)
SENSOR_SATURATED = const(20)  # 0 or 1
SENSOR_NOISY = const(21)  # 0 or 1
SENSOR_IDENTITY = const(22)  # 0 or 1: it is another one, or has lost its settings
SAMPLES_LOST = const(23)  # in the last second
HEARTBEAT_AGE_MS = const(24)
CONTROL_INTERVAL_US = const(25)  # the longest of the last second
STANDING_MS = const(26)  # driven, and the tacho shows no movement
SEIZING = const(27)  # 1/1000 of what counts as a seizure
TACHO_SILENT_MS = const(28)  # like STANDING_MS, while the current is that of a motor that turns
LATE_TICKS = const(29)  # control intervals above 6 ms in the last second
SUPPLIES_HEALTHY = const(30)

COUNT = const(31)


def make_values():
    """The array of values; nothing is measured yet."""
    return array.array("i", [ABSENT] * COUNT)
