"""What stops the motor for good. Each check says which fault (`wire.FAULTS`) it sees now, or none.

The caller latches the first; `present` tells whether its cause is still there.
"""

from micropython import const

NONE = const(0)
VIBRATION = const(1)
ESTOP = const(2)
SENSOR_ABSENT = const(3)
SENSOR_STALE = const(4)
SAMPLES_LOST = const(5)
OVER_CURRENT = const(6)
OVER_TEMPERATURE = const(7)
BROWN_OUT = const(8)
LINK_LOST = const(9)
CONTROL_OVERRUN = const(10)
EXCEPTION = const(11)


class Delayed:
    """True once a condition has held for `delay_ms` without a break."""

    def __init__(self, delay_ms):
        self._delay_ms = delay_ms
        self._held_ms = 0

    def update(self, condition, elapsed_ms):
        """Take one more `elapsed_ms`."""
        if not condition:
            self._held_ms = 0
            return False
        self._held_ms += elapsed_ms
        return self._held_ms > self._delay_ms


class Protection:
    """All checks of one board. Levels come from its board file; a quantity it does not measure is
    not checked.
    """

    def __init__(self, board):
        self._velocity_trip = board.VELOCITY_TRIP_UM_S
        self._peak_trip = board.ACCELERATION_PEAK_TRIP_MG
        self._vibration_delay_ms = board.VIBRATION_DELAY_MS
        self._vibration_held_ms = 0
        self._stale_ms = board.VIBRATION_STALE_MS
        self._since_samples_ms = 0
        self._current_trip = board.CURRENT_TRIP_MA
        self._current = Delayed(board.CURRENT_DELAY_MS or 0)
        self._temperature_trip = board.BEARING_TEMPERATURE_TRIP_MDEGC
        self._temperature = Delayed(board.BEARING_TEMPERATURE_DELAY_MS or 0)
        self._supply_trip = board.SUPPLY_LOW_TRIP_MV
        self._supply = Delayed(board.SUPPLY_DELAY_MS or 0)
        self._link_timeout_ms = board.LINK_TIMEOUT_MS
        self._since_heartbeat_ms = 0
        self.velocity_um_s = 0
        self.peak_mg = 0
        self._vibrating = False

    def samples(self):
        """The sensor has given samples."""
        self._since_samples_ms = 0

    def heartbeat(self):
        """The operator who owns the run is there."""
        self._since_heartbeat_ms = 0

    def link_closed(self):
        """The operator's port is closed: no heartbeat can come."""
        self._since_heartbeat_ms = self._link_timeout_ms

    def window(self, velocity_um_s, peak_mg, window_ms):
        """A window of settled features has closed.

        The delay runs from the end of the first window above the level, and is looked at when a
        window closes.
        """
        self.velocity_um_s = velocity_um_s
        self.peak_mg = peak_mg
        if velocity_um_s >= self._velocity_trip or (self._peak_trip and peak_mg >= self._peak_trip):
            self._vibrating = self._vibration_held_ms >= self._vibration_delay_ms
            self._vibration_held_ms += window_ms
        else:
            self._vibration_held_ms = 0
            self._vibrating = False

    def check(self, inputs, turning, owned_by_link, elapsed_ms):
        """The fault that is present now, or NONE. Call at every control tick."""
        self._since_samples_ms += elapsed_ms
        self._since_heartbeat_ms += elapsed_ms
        if inputs.estop_open:
            return ESTOP
        if self._since_samples_ms > self._stale_ms:
            return SENSOR_STALE
        if not turning:
            return NONE
        if self._vibrating:
            return VIBRATION
        if self._current_trip and self._current.update(
            inputs.current_ma > self._current_trip, elapsed_ms
        ):
            return OVER_CURRENT
        if self._temperature_trip and self._temperature.update(
            inputs.bearing_mdegc > self._temperature_trip or inputs.bearing_sensor_broken,
            elapsed_ms,
        ):
            return OVER_TEMPERATURE
        if self._supply_trip and self._supply.update(
            inputs.supply_mv < self._supply_trip, elapsed_ms
        ):
            return BROWN_OUT
        if owned_by_link and self._since_heartbeat_ms >= self._link_timeout_ms:
            return LINK_LOST
        return NONE

    def present(self, fault, inputs):
        """True while the cause of a latched fault is still there."""
        if fault == ESTOP:
            return inputs.estop_open
        if fault in (SENSOR_ABSENT, SENSOR_STALE):
            return self._since_samples_ms > self._stale_ms
        if fault == OVER_TEMPERATURE:
            return inputs.bearing_mdegc > self._temperature_trip or inputs.bearing_sensor_broken
        if fault == BROWN_OUT:
            return inputs.supply_mv < self._supply_trip
        return False

    def forget(self):
        """A new run begins: delays start from nothing."""
        self._current.update(False, 0)
        self._temperature.update(False, 0)
        self._supply.update(False, 0)
        self._vibration_held_ms = 0
        self._vibrating = False
        self._since_heartbeat_ms = 0
