"""The loop: samples to features, frames, commands, the black box, the panel; and sleep."""

import time

import micropython
from machine import Pin
from micropython import const

from . import quantities as q
from . import sleep_rp2, startup
from . import wire_format as wire
from .console import Console
from .governor import DONE
from .panel import RESET, START, STOP, Button, Light

_PROVED_TICKS = const(2000)
_SETTLING_ROUNDS = const(2)  # of 20 ms: until what has been told is on its way to the host
# A block with its frame, in which no tick can run: begun later, it would make the tick late. So
# would one that completes a window.
_BLOCK_US = const(700)
_LAST_BLOCK_US = const(2100)

_FLAG_ENABLED = const(1)
_FLAG_ESTOP_OPEN = const(2)
_FLAG_LINK_OWNED = const(4)
_FLAG_SETTLED = const(8)
_FLAG_UNLOCKED = const(16)
_FLAG_GUARANTEED = const(32)
_FLAG_WALL_TIME = const(64)
_FLAG_CLOSED_LOOP = const(128)


class Loop:
    """What is done between control ticks, on the app's parts."""

    def __init__(self, app):
        board = app.board
        self.motor = app.motor
        self.values = app.values
        self.source = app.source
        self.inputs = app.inputs
        self.conditions = app.conditions
        self.protection = app.protection
        self.governor = app.governor
        self.probation = app.probation
        self.control = app.control
        self.sampler = app.sampler
        self.features = app.features
        self.link = app.link
        self.telemetry = app.telemetry
        self.commands = app.commands
        self.requests = app.requests
        self.blackbox = app.blackbox
        self.history = app.history
        self.journal = app.journal
        self.streaming = False
        self.wall_time_known = False
        self.leaving = False
        self._flags = _FLAG_UNLOCKED if app.unlocked else 0
        if self.blackbox.guarantee:
            self._flags |= _FLAG_GUARANTEED
        if self.inputs.has_tacho:
            self._flags |= _FLAG_CLOSED_LOOP
        self._has_envelope = board.ENVELOPE_LOW_HZ is not None
        self._window_ms = board.VIBRATION_WINDOW_SAMPLES * 1000 // board.VIBRATION_RATE_HZ
        self._light = Light()
        self._button = Button()
        self._led = None if board.LED_PIN is None else Pin(board.LED_PIN, Pin.OUT, value=1)
        self._button_pin = (
            None if board.BUTTON_PIN is None else Pin(board.BUTTON_PIN, Pin.IN, Pin.PULL_UP)
        )
        self._console = Console()
        self._looked_ms = self._window_at_ms = time.ticks_ms()
        self._limit_told = 0
        self._alarms_told = 0
        self._fault_told = 0
        self._mode_told = 0
        self._settling = 0
        self._passed = False
        self._exception_told = False
        self._proved = False

    def run(self):
        """Until maintenance is asked for."""
        control = self.control
        sampler = self.sampler
        counts = sampler.counts
        drain = sampler.drain
        count = sleep_rp2.count
        sleep = sleep_rp2.until_due
        due_within = sleep_rp2.due_within
        wait_for_samples = sleep_rp2.wait_for_samples
        tick_address = sleep_rp2.TICK_ADDRESS
        count_address = self.source.count_address
        block = sampler.block_samples
        features = self.features
        seen = count()
        while not self.leaving:
            control.loop_came_round = True
            first = drain()
            while first >= 0:
                last = features.taken + block >= features.window_samples
                while due_within(_LAST_BLOCK_US if last else _BLOCK_US):
                    wait_for_samples(counts, sampler.taken, block)
                    sleep(tick_address, count_address)
                self._block(first)
                first = drain()
            ticks = count()
            if ticks != seen:
                seen = ticks
                self._housekeeping(seen)
            wait_for_samples(counts, sampler.taken, block)
            sleep(tick_address, count_address)
        for _ in range(10):
            self.link.service()
            time.sleep_ms(5)

    @micropython.native
    def _block(self, first):
        sampler = self.sampler
        count = sampler.block_samples
        if self.streaming:
            self.telemetry.waveform(
                sampler.taken - count, sampler.samples, first, count, self.source.scale_ug
            )
        features = self.features
        self.inputs.shaft_angle(features.shaft, sampler.counts, sampler.taken - count)
        if features.add(sampler.samples, first, count):
            self._window()

    @micropython.native
    def _window(self):
        features = self.features
        values = self.values
        values[q.VELOCITY_UM_S] = features.worst_velocity_um_s
        values[q.PEAK_MG] = features.worst_peak_mg
        values[q.CREST_CENTI] = features.worst_crest_centi
        values[q.KURTOSIS_CENTI] = features.worst_kurtosis_centi
        values[q.RMS_MG] = features.worst_rms_mg
        if self._has_envelope:
            values[q.ENVELOPE_MG] = features.worst_envelope_mg
        if self.inputs.has_tacho:
            values[q.ONCE_PER_TURN_UM_S] = features.once_per_turn_um_s
        now_ms = time.ticks_ms()
        took_ms = time.ticks_diff(now_ms, self._window_at_ms)
        self._window_at_ms = now_ms
        self.conditions.pace(self._window_ms, took_ms, features.window_samples)
        self.conditions.window(
            self._window_ms, features.stuck, features.saturated, features.worst_rms_mg
        )
        if features.settled:
            if not self._passed:
                # Also after a trip at boot: what has been mended since has passed.
                self._passed = self.governor.self_test_passed() == DONE
            self.protection.window()
            self.control.window_closed = True
        self.telemetry.features(
            features.window_samples,
            self._window_ms,
            features.once_per_turn_mg,
            features.once_per_turn_um_s,
            features.axes,
        )

    @micropython.native
    def _housekeeping(self, n):
        """After each tick: commands at once, the rest in turn."""
        link = self.link
        if link.received_bytes:
            self.commands.poll()
        control = self.control
        if link.closed or not link.open:
            link.closed = False
            if control.owned_by_link:
                self.conditions.link_closed()
        phase = n & 3
        if phase == 0:
            self.tell()
        elif phase == 1:
            self._panel()
        elif phase == 2:
            governor = self.governor
            # A stop is told, a trip queued as well, before anything takes an erase's time.
            may_erase = (
                not control.turned
                and not governor.turning
                and self._settling == 0
                and governor.mode == self._mode_told
                and governor.fault == self._fault_told
            )
            if self._settling:
                self._settling -= 1
            if may_erase and control.ran:
                control.rest()
            self.history.service(self.blackbox, self.protection.first)
            # Right after a tick: a page takes 0.4 ms, 3 at worst, and must be over before the next.
            self.blackbox.service(True, may_erase)
        elif n & 15 == 15:
            self._status()
        else:
            self._now_and_then(n)
        if phase != 2 and not control.turned and self._may_write():
            # A waveform is written faster than its ring is overwritten: a page a tick.
            self.blackbox.service(True, True)
        if n & 1 or link.received_bytes:
            link.service()

    def _may_write(self):
        return not self.governor.turning and self.blackbox.capturing

    @micropython.native
    def tell(self):
        """What has changed since the last time."""
        governor = self.governor
        if governor.fault != self._fault_told:
            self._fault_told = governor.fault
            if governor.fault:
                self.journal.tell_fault(governor.fault, self.control)
        if governor.limit != self._limit_told:
            self._limit_told = governor.limit
            self.journal.log(wire.EVENT_LIMIT, governor.limit, governor.command_permille)
        if governor.mode != self._mode_told:
            self._mode_told = governor.mode
            self._settling = _SETTLING_ROUNDS
            self._status()
        alarms = self.protection.alarms
        if alarms != self._alarms_told:
            self.journal.tell_alarms(alarms, alarms ^ self._alarms_told)
            self._alarms_told = alarms
        if self.source.engine.stuck:
            self.source.recover()
        if self.control.exception and not self._exception_told:
            self._exception_told = True
            self.journal.log(wire.EVENT_EXCEPTION, 0, 0)
            print("control:", self.control.exception)

    @micropython.native
    def _status(self):
        values = self.values
        probation = self.probation
        governor = self.governor
        motor = self.motor
        flags = self._flags
        if motor.duty_permille:
            flags |= _FLAG_ENABLED
        if values[q.ESTOP_OPEN]:
            flags |= _FLAG_ESTOP_OPEN
        if self.control.owned_by_link:
            flags |= _FLAG_LINK_OWNED
        if self.features.settled:
            flags |= _FLAG_SETTLED
        if self.wall_time_known:
            flags |= _FLAG_WALL_TIME
        self.telemetry.lost_samples = self.source.engine.overflows + self.sampler.lost
        self.telemetry.status(
            governor,
            probation.step,
            flags,
            governor.cap_permille,
            governor.ceiling_permille,
            motor.duty_permille,
            self.control.late,
            self.commands.bad_frames,
            self.commands.stray_bytes + self._console.stray_bytes,
            self.protection.alarms,
            values,
        )

    @micropython.native
    def _panel(self):
        governor = self.governor
        now_ms = time.ticks_ms()
        elapsed_ms = time.ticks_diff(now_ms, self._looked_ms)
        self._looked_ms = now_ms
        if self._led:
            self._led(self._light.tick(governor.mode, governor.fault, elapsed_ms))
        if self._button_pin:
            asked = self._button.tick(not self._button_pin.value(), governor.mode, elapsed_ms)
            if asked == STOP:
                self.requests.stop(False)
            elif asked == START:
                self.requests.start_here()
            elif asked == RESET:
                self.requests.reset(False)

    @micropython.native
    def _now_and_then(self, n):
        """37 times a second; each thing once in 1.28 s, apart from the others."""
        which = n & 255
        if which == 3:
            self._console.look()
        elif which == 67:
            self.values[q.SENSOR_IDENTITY] = self.source.check()
        elif which == 131 and self.control.step_gained:
            self.journal.log(wire.EVENT_PROBATION, self.control.step_gained, 0)
            self.control.step_gained = 0
            self.journal.keep_probation()
        elif which == 195 and not self.governor.turning:
            self.journal.save()
        if n >= _PROVED_TICKS and not self._proved:
            self._proved = True
            startup.lived_long()
