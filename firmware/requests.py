"""What a host, or a person at the button, asks for: carried out, or refused with the reason that
goes into the reply.
"""

from micropython import const

from . import commands, governor, protection, records, settings
from . import wire_format as wire

# The governor's and the protection's refusals as `wire.REASONS`.
_BY_GOVERNOR = {
    governor.DONE: commands.DONE,
    governor.NOT_READY: commands.NOT_READY,
    governor.NOT_RESET: commands.TRIPPED,
    governor.TURNING: commands.TURNING,
    governor.NOT_TURNING: commands.NOTHING_THERE,
    governor.NOT_TRIPPED: commands.NOT_TRIPPED,
    governor.CAUSE_PRESENT: commands.CAUSE_PRESENT,
    governor.TOO_SOON: commands.TOO_SOON,
    governor.OUT_OF_RANGE: commands.OUT_OF_RANGE,
    governor.NO_SELF_TEST: commands.NOT_READY,
    governor.LEAVING: commands.NOT_READY,
}
_BY_PROTECTION = {
    protection.DONE: commands.DONE,
    protection.UNKNOWN: commands.NOTHING_THERE,
    protection.FIXED: commands.FIXED,
    protection.LESS_PROTECTIVE: commands.LESS_PROTECTIVE,
    protection.OUT_OF_ORDER: commands.OUT_OF_ORDER,
    protection.OUT_OF_RANGE: commands.OUT_OF_RANGE,
}
_FULL_SPEED_PERMILLE = const(1000)
_LATEST_MS = 1 << 43
# In one run, of those commands that cost memory: 260 bytes to set the time, 620 to set a level, of
# 34 kB that are free then.
_MOST_COSTLY = const(24)


class Requests:
    """Carries out commands on the app's parts."""

    def __init__(self, app):
        self._app = app
        # What is told, in lists that are there for good: nothing is collected while the motor
        # turns, so that a question may cost no memory then.
        self._log = [0] * 4
        self._capture = [0] * 4
        self._setting = [0] * 6
        self._levels = [0] * 8
        self._costly = 0
        self._handlers = {
            wire.HELLO: self._hello,
            wire.HEARTBEAT: self._heartbeat,
            wire.RUN: self._run,
            wire.STOP: self._stop,
            wire.SET_LIMIT: self._set_limit,
            wire.RESET_TRIP: self._reset_trip,
            wire.STREAM: self._stream,
            wire.MAINTENANCE: self._maintenance,
            wire.READ_LOG: self._read_log,
            wire.READ_CAPTURE: self._read_capture,
            wire.GET_SETTING: self._get_setting,
            wire.SET_SETTING: self._set_setting,
            wire.FACTORY_RESET: self._factory_reset,
            wire.GET_LEVELS: self._get_levels,
            wire.SET_LEVEL: self._set_level,
            wire.SET_TIME: self._set_time,
            wire.NEW_BEARING: self._new_bearing,
            wire.HOLD_PROBATION: self._hold_probation,
        }

    def admit(self, kind):
        """DONE, or why a command is refused whatever its arguments are: to read them costs memory,
        too.
        """
        if wire.SET_LEVEL <= kind <= wire.SET_TIME and self._app.governor.turning:  # these two
            if self._costly >= _MOST_COSTLY:
                return commands.TURNING
            self._costly += 1
        return commands.DONE

    def handle(self, kind, arguments):
        """Carry out one command of the link; returns a reason."""
        return self._handlers[kind](*arguments)

    # -- running -------------------------------------------------------------------------
    def _heartbeat(self):
        if self._app.control.owned_by_link:
            self._app.conditions.heartbeat()
        return commands.DONE

    def _run(self, speed_permille):
        return self.run(speed_permille, True)

    def run(self, speed_permille, owned_by_link):
        """Start a run, or change its speed."""
        app = self._app
        if app.governor.mode == governor.IDLE:
            if app.values[protection.q.ESTOP_OPEN]:
                return commands.ESTOP_OPEN
            # No trip while the motor rests: a board on USB alone would have one all the time.
            if app.protection.present(protection.BROWN_OUT):
                return commands.SUPPLY_LOW
            if not app.features.settled:
                return commands.NOT_READY
            app.control.begin_run()
            self._costly = 0
            reason = app.governor.run(speed_permille)
            if reason == governor.DONE:
                app.control.owned_by_link = owned_by_link
        else:
            reason = app.governor.run(speed_permille)
            if reason == governor.DONE and owned_by_link:
                # From now on whoever has taken it over must stay there.
                app.conditions.heartbeat()
                app.control.owned_by_link = True
        if reason == governor.DONE:
            app.journal.log(wire.EVENT_RUN, 1 if owned_by_link else 0, speed_permille)
        return _BY_GOVERNOR[reason]

    def start_here(self):
        """The start button: as fast as the limits allow, and no host is needed."""
        return self.run(_FULL_SPEED_PERMILLE, False)

    def _stop(self):
        self.stop(True)
        return commands.DONE

    def stop(self, by_link):
        """Off at once, whoever asks."""
        app = self._app
        turning = app.governor.turning
        app.governor.stop()
        app.motor.off()
        app.control.owned_by_link = False
        if turning:
            app.journal.log(wire.EVENT_STOP, 1 if by_link else 0, 0)

    def _reset_trip(self):
        return self.reset(True)

    def reset(self, by_link):
        """Leave tripped, where the cause is gone."""
        app = self._app
        fault = app.governor.fault
        if not fault and app.governor.mode != governor.MAINTENANCE:
            # Nor is one that comes from now on: nobody has looked at its cause.
            return commands.NOT_TRIPPED
        app.loop.tell()  # however soon somebody resets it, a trip has been told
        # A sensor that has been plugged in again is started first, and then looked at.
        present = app.still_failing(fault) or app.protection.present(fault)
        if fault and not present:
            # First: a tick that found the guard's cause with no fault latched would trip again.
            app.guard.clear()
            app.motor.revive()
        reason = app.governor.reset(present)
        if reason == governor.DONE:
            app.journal.log(wire.EVENT_RESET, 1 if by_link else 0, fault)
            app.loop.tell()  # so that the next one, of the same cause, is another one
        return _BY_GOVERNOR[reason]

    def _set_limit(self, permille):
        app = self._app
        if permille > app.governor.cap_permille:
            return commands.ABOVE_CEILING
        app.governor.hold_below(permille)
        app.journal.keep(settings.OPERATOR_CEILING, permille)
        return commands.DONE

    def _maintenance(self):
        reason = self._app.governor.maintain()
        if reason == governor.DONE:
            self._app.leave()
        return _BY_GOVERNOR[reason]

    def _new_bearing(self):
        app = self._app
        if app.governor.turning:
            return commands.TURNING
        app.probation.new_bearing()
        app.journal.keep_probation()
        bearings = app.settings.get(settings.BEARINGS) + 1
        app.journal.keep(settings.BEARINGS, bearings)
        app.journal.log(wire.EVENT_NEW_BEARING, 0, bearings)
        return commands.DONE

    def _hold_probation(self, step):
        app = self._app
        probation = app.probation
        if step > probation.steps:
            return commands.OUT_OF_RANGE
        probation.hold(step)
        app.journal.keep_probation()
        app.journal.log(wire.EVENT_PROBATION, probation.step, probation.ceiling_permille)
        return commands.DONE

    # -- telling -------------------------------------------------------------------------
    def _hello(self):
        self._app.greet()
        return commands.DONE

    def _stream(self, on):
        if on > 1:
            return commands.OUT_OF_RANGE
        self._app.loop.streaming = on == 1
        return commands.DONE

    def _read_log(self, first):
        app = self._app
        log = app.blackbox
        if self._in_files_and_turning():
            return commands.TURNING
        telemetry = app.telemetry
        count = log.read(first, telemetry.buffer, telemetry.tail_at(wire.LOG))
        told = self._log
        told[0] = log.oldest
        told[1] = log.newest
        told[2] = first
        told[3] = count
        telemetry.answer(wire.LOG, count * records.EVENT_BYTES, told)
        return commands.DONE

    def _read_capture(self, slot, offset):
        app = self._app
        log = app.blackbox
        if slot >= log.slots:
            return commands.OUT_OF_RANGE
        if self._in_files_and_turning():
            return commands.TURNING
        telemetry = app.telemetry
        at = telemetry.tail_at(wire.CAPTURE)
        count = log.read_capture(slot, offset, telemetry.buffer, at)
        told = self._capture
        told[0] = slot
        told[1] = log.slots
        told[2] = log.capture_bytes(slot)
        told[3] = offset
        telemetry.answer(wire.CAPTURE, count, told)
        return commands.DONE

    def _in_files_and_turning(self):
        """Each look into a file costs 5 kB, which is not collected before the run is over."""
        return self._app.governor.turning and not self._app.blackbox.guarantee

    def _set_time(self, unix_ms):
        if not 0 < unix_ms < _LATEST_MS:
            return commands.OUT_OF_RANGE
        self._app.blackbox.set_wall_time(unix_ms)
        self._app.loop.wall_time_known = True
        return commands.DONE

    # -- settings and levels -------------------------------------------------------------
    def _get_setting(self, number):
        table = settings.TABLE
        if number >= len(table):
            return commands.OUT_OF_RANGE
        kept = self._app.settings
        told = self._setting
        told[0] = number
        told[1] = len(table)
        told[2] = kept.get(number)
        told[3] = kept.factory(number)
        told[4] = kept.least(number)
        told[5] = kept.most(number)
        self._app.telemetry.answer(wire.SETTING, 0, told)
        return commands.DONE

    def _set_setting(self, number, value):
        if number >= len(settings.TABLE):
            return commands.OUT_OF_RANGE
        if number != settings.OPERATOR_CEILING:
            return commands.FIXED
        return self._set_limit(value) if value >= 0 else commands.OUT_OF_RANGE

    def _factory_reset(self):
        app = self._app
        if app.governor.turning:
            return commands.TURNING
        try:
            app.settings.factory_reset()
        except OSError:
            return commands.NOT_KEPT
        app.protection.restore()
        app.governor.hold_below(app.governor.cap_permille)
        app.probation.new_bearing()
        app.probation.hold(app.probation.steps)
        app.journal.keep_probation()
        app.journal.log(wire.EVENT_SETTINGS, 0, 0)
        return commands.DONE

    def _get_levels(self, fault):
        app = self._app
        levels = app.protection.levels(fault)
        if levels is None:
            return commands.NOTHING_THERE
        told = self._levels
        told[0] = fault
        for i in range(len(levels)):
            told[1 + i] = levels[i]
        app.telemetry.answer(wire.LEVELS, 0, told)
        return commands.DONE

    def _set_level(self, fault, which, value):
        app = self._app
        if not -0x40000000 < value < 0x3FFFFFFF:
            return commands.OUT_OF_RANGE
        reason = app.protection.lower(fault, which, value)
        if reason == protection.DONE:
            app.journal.keep_levels()
            app.journal.log(wire.EVENT_LEVELS, fault << 2 | which, value)
        return _BY_PROTECTION[reason]
