"""What is told and kept: events to the host and to the black box, and what must survive a reset."""

from micropython import const

from . import settings
from . import wire_format as wire

_NO_HOLD = const(15)


class Journal:
    """Writes events, and puts what has changed into the settings."""

    def __init__(self, app):
        self._telemetry = app.telemetry
        self._blackbox = app.blackbox
        self._settings = app.settings
        self._protection = app.protection
        self._governor = app.governor
        self._probation = app.probation
        self._history = app.history
        self._boot = app.boot
        self._save_due = False

    def log(self, code, detail, value):
        """Tell the host, and the black box; returns the event's sequence."""
        self._telemetry.event(code, detail, value)
        if code == wire.EVENT_TRIP:
            return self._blackbox.trip(code, detail, value)
        return self._blackbox.append(code, detail, value)

    def tell_fault(self, fault, control):
        """A trip: its cause, its value, what it costs in probation, and the waveform around it."""
        sequence = self.log(wire.EVENT_TRIP, fault, control.fault_value)
        if self._probation.trip(fault):
            self.log(wire.EVENT_PROBATION, 0, self._probation.ceiling_permille)
        self.keep_probation()
        self._history.trip(control.fault_at, sequence, fault)

    def tell_alarms(self, alarms, changed):
        """Alarms that have come or gone, one bit for each fault."""
        fault = 1
        while changed >> fault:
            if changed >> fault & 1:
                code = wire.EVENT_ALARM if alarms >> fault & 1 else wire.EVENT_ALARM_OVER
                self.log(code, fault, self._protection.value_of(fault))
            fault += 1

    # -- settings: written once the motor is off -----------------------------------------
    def keep_probation(self):
        """What the bearing has earned; it counts from now on."""
        probation = self._probation
        self._governor.hold_probation(probation.ceiling_permille)
        kept = self._settings
        kept.set(settings.PROBATION_STEP, probation.step)
        kept.set(settings.PROBATION_HEALTHY_MS, probation.healthy_ms)
        held = probation.held_step
        kept.set(settings.PROBATION_HOLD, held if held < probation.steps else _NO_HOLD)
        self._save_due = True

    def keep_levels(self):
        """The levels that are not the board's."""
        changed = self._protection.export()
        levels = self._settings.levels
        for i in range(len(levels)):
            levels[i] = changed[i] if i < len(changed) else 0
        self._settings.set(settings.LEVELS, min(len(changed) // 2, settings.MOST_LEVELS))
        self._save_due = True

    def keep(self, setting, value):
        """One setting."""
        self._settings.set(setting, value)
        self._save_due = True

    def save(self):
        """Write the settings, where they have changed; the motor must be off."""
        if not self._save_due:
            return
        self._save_due = False
        self._settings.set(settings.BOOTS, self._boot)
        try:
            self._settings.save()
        except OSError:
            self.log(wire.EVENT_SETTINGS, 1, 0)
