"""Makes the parts, and runs the loop.

Three contexts share the core. The guard (5,000 turns a second, a hard interrupt in assembler) stops
the motor by itself and carries samples into a ring. The control tick (200 a second, between two
bytecodes of the loop) protects and drives. The loop turns samples into features, frames, events
and answers, and sleeps. Nothing in the loop can keep the motor running: the tick feeds the watchdog
only when the loop has come round since the last feed, and the guard's dead-man waits for the tick.
"""

from . import buffers  # isort: skip

import gc
import os
import sys
import time

import machine
import micropython
from machine import Pin, Timer
from micropython import const

from . import acquire, commands, protection, settings, sleep_rp2, startup, telemetry
from . import quantities as q
from . import wire_format as wire
from .blackbox import BlackBox
from .conditions import Conditions
from .console import Console
from .control import TICK_HZ, Control
from .features import Features
from .governor import SELF_TEST, Governor
from .guard_rp2 import Guard
from .history import History
from .inputs import Inputs
from .motor import make_motor
from .panel import RESET, START, STOP, Button, Light
from .probation import Probation
from .protection import Protection
from .requests import Requests
from .sampler import Sampler
from .speed_loop import SpeedLoop
from .storage_rp2 import open_storage, stamp
from .supplies import Supplies
from .usb_link import UsbLink

VERSION = "0.2.0"

_PANEL_MS = const(20)
_BLOCK = const(32)
_SMALL_BLOCK = const(16)
_NO_HOLD = const(15)
_SLOW_INPUTS = const(6)
_PROVED_TICKS = const(2000)
_RX_BYTES = const(512)

_FLAG_ENABLED = const(1)
_FLAG_ESTOP_OPEN = const(2)
_FLAG_LINK_OWNED = const(4)
_FLAG_SETTLED = const(8)
_FLAG_UNLOCKED = const(16)
_FLAG_GUARANTEED = const(32)
_FLAG_WALL_TIME = const(64)
_FLAG_CLOSED_LOOP = const(128)


def _image():
    try:
        import wrench_image

        return wire.IMAGES.index(wrench_image.KIND)
    except ImportError:
        return 0


def _build(name, default):
    try:
        import wrench_build

        return getattr(wrench_build, name, default)
    except ImportError:
        return default


def _features(board, sensor):
    axes = board.VIBRATION_AXES
    return Features(
        board.VIBRATION_WINDOW_SAMPLES,
        board.VIBRATION_RATE_HZ,
        sensor.count_ug,
        sensor.full_scale_counts,
        axes,
        axes if board.VIBRATION_BUS == "adc" else (0, 1, 2),
        board.VELOCITY_BAND_LOW_HZ,
        board.VELOCITY_BAND_HIGH_HZ,
        board.ENVELOPE_LOW_HZ,
        board.ENVELOPE_HIGH_HZ,
    )


class App:
    """One board, operating."""

    def __init__(self, board, motor, unlocked):
        self.board = board
        self.motor = motor
        self.unlocked = unlocked
        gc.collect()
        # First, because the host takes its time to see it.
        self.link = UsbLink(buffers.link_fill, buffers.link_send, _RX_BYTES)
        self.values = q.make_values()
        self.guard = Guard(motor.kill_writes())
        self.source = acquire.Source(board, self.guard)
        self.inputs = Inputs(board, self.values, self.guard)
        self.source.make_engine()
        self.conditions = Conditions(board, self.values)
        self.protection = Protection(board, self.values, unlocked)
        self.supplies = Supplies(board, self.values)
        self.governor = Governor(board)
        self.probation = Probation(
            board.PROBATION_PERMILLE, board.PROBATION_STEP_S, self.governor.cap_permille
        )
        self.speed_loop = SpeedLoop(
            self.governor.cap_permille,
            board.MOTOR_RATED_SPEED_RPM,
            self.inputs.pulses if self.inputs.has_tacho else 0,
            board.MOTOR_SUPPLY_NOMINAL_MV,
            board.MOTOR_FREE_SPEED_RPM or 0,
        )
        log_storage, settings_storage = open_storage()
        self.blackbox = BlackBox(log_storage, stamp)
        self.settings = settings.open_settings(settings_storage, self.governor.cap_permille)
        self.kept = self._restore()
        window = board.VIBRATION_WINDOW_SAMPLES
        self.sampler = Sampler(
            self.source.ring, self.source.engine, _BLOCK if window % _BLOCK == 0 else _SMALL_BLOCK
        )
        self.features = _features(board, self.source.sensor)
        self._has_envelope = board.ENVELOPE_LOW_HZ is not None
        self.telemetry = telemetry.Telemetry(self.link)
        self.requests = Requests(self)
        self.commands = commands.Commands(self.link, self.telemetry, self.requests.handle)
        self.control = Control(self)
        self.history = History(self.sampler, board.VIBRATION_RATE_HZ, self.source.scale_ug)
        self.streaming = False
        self.wall_time_known = False
        self._light = Light()
        self._button = Button()
        self._led = None if board.LED_PIN is None else Pin(board.LED_PIN, Pin.OUT, value=1)
        self._button_pin = (
            None if board.BUTTON_PIN is None else Pin(board.BUTTON_PIN, Pin.IN, Pin.PULL_UP)
        )
        self._window_ms = board.VIBRATION_WINDOW_SAMPLES * 1000 // board.VIBRATION_RATE_HZ
        self._console = Console()
        self._fault_told = 0
        self._limit_told = 0
        self._alarms_told = 0
        self._save_due = False
        self._proved = False
        self._ran = False
        self._leaving = False

    def _restore(self):
        """What the settings say, where they can be trusted; what came of reading them."""
        kept = self.settings
        outcome = kept.load(self.blackbox.recover())
        if outcome == settings.FRESH:
            kept.save()  # before anything is erased for the black box
        values = kept.values
        self.boot = self.blackbox.start(values[settings.BOOTS])
        self.governor.hold_below(values[settings.OPERATOR_CEILING])
        self.probation.restore(
            values[settings.PROBATION_STEP], values[settings.PROBATION_HEALTHY_MS]
        )
        self.probation.hold(values[settings.PROBATION_HOLD])
        self.governor.hold_probation(self.probation.ceiling_permille)
        self.protection.import_levels(kept.levels)
        return outcome

    # -- at boot -------------------------------------------------------------------------
    def _self_test(self, cause):
        """Motor off: what must be well before anything may run. Faults latch; the loop tells them.
        It ends when the first window of settled features closes.
        """
        self._cause = cause
        governor = self.governor
        governor.self_test_begins()
        self.log(wire.EVENT_BOOT, cause, self.boot)
        if self.unlocked:
            self.log(wire.EVENT_UNLOCKED, 0, 0)
        if cause == startup.WATCHDOG:
            governor.trip(protection.FIRMWARE_HUNG)
        if self.kept == settings.CORRUPT:
            governor.trip(protection.SETTINGS_CORRUPT)
        fault = self.source.start()
        self.log(wire.EVENT_SELF_TEST, fault, 0)
        if fault:
            governor.trip(fault)

    # -- the loop ------------------------------------------------------------------------
    def run(self, cause):
        """Operate until maintenance is asked for; then reset into it."""
        gc.collect()
        control = self.control
        self.guard.start(machine.freq())
        try:
            self._self_test(cause)
            self._measure()
            gc.collect()
            control.start()
            timer = Timer(freq=TICK_HZ, mode=Timer.PERIODIC, callback=control.tick)
            control.rest()
            self._operate()
            timer.deinit()
        finally:
            self.motor.off()
            self.guard.stop()
        startup.reset_into_maintenance()

    def _measure(self):
        """Every quantity once, before anything is judged: what has no value counts as broken."""
        self.inputs.read()
        for _ in range(_SLOW_INPUTS):
            self.inputs.read_slow()
        self.supplies.update(0, 0)
        self.values[q.SENSOR_IDENTITY] = 0

    def _operate(self):
        control = self.control
        sampler = self.sampler
        seen = sleep_rp2.count()
        while not self._leaving:
            control.loop_came_round = True
            self.source.engine.pump()
            first = sampler.drain()
            while first >= 0:
                self._block(first)
                first = sampler.drain()
            if sleep_rp2.count() != seen:
                seen = sleep_rp2.count()
                self._housekeeping(seen)
            sleep_rp2.wait_for_samples(sampler.counts, sampler.taken, sampler.block_samples)
            sleep_rp2.until_due(sleep_rp2.TICK_ADDRESS, self.source.count_address)
        for _ in range(10):
            self.link.service()
            time.sleep_ms(5)

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
        self.conditions.window(
            self._window_ms, features.stuck, features.saturated, features.worst_rms_mg
        )
        if features.settled:
            if self.governor.mode == SELF_TEST:
                self.governor.self_test_passed()
            self.protection.window()
            self.control.window_closed = True
        self.telemetry.features(
            features.window_samples,
            self._window_ms,
            features.once_per_turn_mg,
            features.once_per_turn_um_s,
            features.axes,
        )

    def _housekeeping(self, n):
        self.commands.poll()
        control = self.control
        if control.owned_by_link and not self.link.open:
            self.conditions.link_closed()
        governor = self.governor
        if governor.fault != self._fault_told:
            self._tell_fault(governor.fault)
        if governor.limit != self._limit_told:
            self._limit_told = governor.limit
            self.log(wire.EVENT_LIMIT, governor.limit, governor.command_permille)
        if self.protection.alarms != self._alarms_told:
            self._tell_alarms(self.protection.alarms)
        phase = n & 7
        if phase == 0:
            self._status()
        elif phase & 3 == 2:
            self._panel()
        elif phase == 5:
            self._now_and_then(n)
        may_erase = not governor.turning
        if self._ran and may_erase:
            self._rest()
        self.history.service(self.blackbox, self.protection.first)
        if self.source.engine.stuck:
            self.source.recover()
        # Right after a tick: a page takes 0.4 ms, 3 at worst, and must be over before the next.
        self.blackbox.service(True, may_erase)
        self.link.service()

    def _status(self):
        values = self.values
        probation = self.probation
        governor = self.governor
        motor = self.motor
        flags = _FLAG_ENABLED if motor.duty_permille else 0
        if values[q.ESTOP_OPEN]:
            flags |= _FLAG_ESTOP_OPEN
        if self.control.owned_by_link:
            flags |= _FLAG_LINK_OWNED
        if self.features.settled:
            flags |= _FLAG_SETTLED
        if self.unlocked:
            flags |= _FLAG_UNLOCKED
        if self.blackbox.guarantee:
            flags |= _FLAG_GUARANTEED
        if self.wall_time_known:
            flags |= _FLAG_WALL_TIME
        if self.inputs.has_tacho:
            flags |= _FLAG_CLOSED_LOOP
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

    def _panel(self):
        governor = self.governor
        if self._led:
            self._led(self._light.tick(governor.mode, governor.fault, _PANEL_MS))
        if self._button_pin:
            asked = self._button.tick(not self._button_pin.value(), governor.mode, _PANEL_MS)
            if asked == STOP:
                self.requests.stop(False)
            elif asked == START:
                self.requests.start_here()
            elif asked == RESET:
                self.requests.reset(False)

    def _now_and_then(self, n):
        """25 times a second, one thing at a time."""
        which = (n >> 3) & 31
        if which == 0:
            self._console.look()
        elif which == 8:
            self.values[q.SENSOR_IDENTITY] = self.source.check()
        elif which == 16 and self.control.step_gained:
            self.log(wire.EVENT_PROBATION, self.control.step_gained, 0)
            self.control.step_gained = 0
            self.keep_probation()
        elif which == 24 and self._save_due and not self.governor.turning:
            self._save()
        if n >= _PROVED_TICKS and not self._proved:
            self._proved = True
            startup.lived_long()

    # -- events --------------------------------------------------------------------------
    def log(self, code, detail, value):
        """Tell the host, and the black box."""
        self.telemetry.event(code, detail, value)
        if code == wire.EVENT_TRIP:
            return self.blackbox.trip(code, detail, value)
        return self.blackbox.append(code, detail, value)

    def _tell_fault(self, fault):
        self._fault_told = fault
        if not fault:
            return
        control = self.control
        control.owned_by_link = False
        sequence = self.log(wire.EVENT_TRIP, fault, control.fault_value)
        if self.probation.trip(fault):
            self.governor.hold_probation(self.probation.ceiling_permille)
            self.log(wire.EVENT_PROBATION, 0, self.probation.ceiling_permille)
        self.keep_probation()
        self.history.trip(control.fault_at, sequence, fault)

    def _tell_alarms(self, alarms):
        changed = alarms ^ self._alarms_told
        self._alarms_told = alarms
        fault = 1
        while changed >> fault:
            if changed >> fault & 1:
                code = wire.EVENT_ALARM if alarms >> fault & 1 else wire.EVENT_ALARM_OVER
                self.log(code, fault, self.protection.value_of(fault))
            fault += 1

    # -- settings ------------------------------------------------------------------------
    def keep_probation(self):
        """Put what the bearing has earned into the settings; they are written once it is off."""
        probation = self.probation
        self.governor.hold_probation(probation.ceiling_permille)
        kept = self.settings
        kept.set(settings.PROBATION_STEP, probation.step)
        kept.set(settings.PROBATION_HEALTHY_MS, probation.healthy_ms)
        held = probation.held_step
        kept.set(settings.PROBATION_HOLD, held if held < probation.steps else _NO_HOLD)
        self._save_due = True

    def keep_levels(self):
        """Put the levels that are not the board's into the settings."""
        changed = self.protection.export()
        levels = self.settings.levels
        for i in range(len(levels)):
            levels[i] = changed[i] if i < len(changed) else 0
        self.settings.set(settings.LEVELS, min(len(changed) // 2, settings.MOST_LEVELS))
        self._save_due = True

    def keep(self):
        """The settings have changed."""
        self._save_due = True

    def _rest(self):
        """A run is over, or was refused."""
        self._ran = False
        self.control.rest()
        gc.collect()
        gc.enable()

    def running(self):
        """A run begins: nothing is collected until it is over, so that no tick is late."""
        gc.collect()
        gc.disable()
        self._ran = True

    def _save(self):
        self._save_due = False
        self.settings.set(settings.BOOTS, self.boot)
        try:
            self.settings.save()
        except OSError:
            self.log(wire.EVENT_SETTINGS, 1, 0)

    # -- for requests --------------------------------------------------------------------
    def still_failing(self, fault):
        """True where a sensor that was not there, or not the right one, still is not."""
        if fault in (protection.SENSOR_ABSENT, protection.WRONG_SENSOR, protection.SENSOR_SILENT):
            return self.source.start() != 0
        return False

    def device_us(self):
        """The chip's 64-bit microsecond timer."""
        buffer = bytearray(8)
        stamp(buffer)
        return int.from_bytes(buffer, "little")

    def greet(self):
        """Say who this is."""
        board = self.board
        self.telemetry.greeting(
            wire.VERSION,
            _image(),
            self._cause,
            wire.SCHEMA_HASH,
            board.BOARD_HASH,
            _build("FIRMWARE_HASH", 0),
            board.VIBRATION_RATE_HZ,
            self.boot,
            machine.unique_id(),
            board.BOARD_NAME.encode()[:32],
            VERSION.encode(),
            _build("GIT_HASH", "").encode()[:12],
            os.uname().release.encode()[:12],
        )

    def leave(self):
        """Maintenance: the loop ends."""
        self.log(wire.EVENT_MAINTENANCE, 0, 0)
        self._leaving = True


def main(release=None):
    """Called by /main.py. The motor's pins are low before anything else is looked at. `release`
    is called once every module is there.
    """
    try:
        import wrench_board as board
    except ImportError:
        print("wrench: no board file; run `wrench flash`")
        return
    motor = make_motor(board)
    cause = startup.reset_cause()
    held_ms = startup.button_held_ms(board)
    if startup.maintenance_asked(board, held_ms):
        print("wrench: maintenance; reset to operate again")
        return
    micropython.alloc_emergency_exception_buf(100)
    micropython.kbd_intr(-1)
    try:
        app = App(board, motor, startup.unlocked(held_ms))
        if release:
            release()
        app.run(cause)
    except BaseException as error:
        motor.off()
        sys.print_exception(error)  # pyright: ignore[reportAttributeAccessIssue]
        raise
    finally:
        motor.off()
        micropython.kbd_intr(3)
