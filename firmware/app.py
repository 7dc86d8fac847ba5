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
from machine import Timer
from micropython import const

from . import acquire, clock_rp2, commands, console, protection, settings, startup, telemetry
from . import quantities as q
from . import wire_format as wire
from .blackbox import BlackBox
from .conditions import Conditions
from .control import TICK_HZ, Control
from .features import Features
from .governor import Governor
from .guard_rp2 import Guard
from .history import History
from .inputs import Inputs
from .journal import Journal
from .loop import Loop
from .motor import make_motor
from .probation import Probation
from .protection import Protection
from .requests import Requests
from .sampler import Sampler
from .speed_loop import SpeedLoop
from .storage_rp2 import open_storage
from .supplies import Supplies
from .usb_link import UsbLink

VERSION = "0.2.0"

_BLOCK = const(32)
_SMALL_BLOCK = const(16)
_SLOW_INPUTS = const(6)
_RX_BYTES = const(512)
_FIRST_SAMPLE_MS = const(30)

_BEGUN_AGAIN = (protection.SENSOR_ABSENT, protection.WRONG_SENSOR, protection.SENSOR_SILENT)


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
        self.blackbox = BlackBox(log_storage, clock_rp2.stamp)
        self.settings = settings.open_settings(settings_storage, self.governor.cap_permille)
        self.kept = self._restore()
        window = board.VIBRATION_WINDOW_SAMPLES
        self.sampler = Sampler(
            self.source.ring, self.source.engine, _BLOCK if window % _BLOCK == 0 else _SMALL_BLOCK
        )
        self.features = _features(board, self.source.sensor)
        self.telemetry = telemetry.Telemetry(self.link)
        self.requests = Requests(self)
        self.commands = commands.Commands(
            self.link, self.telemetry, self.requests.handle, self.requests.admit
        )
        self.control = Control(self)
        self.history = History(self.sampler, board.VIBRATION_RATE_HZ, self.source.scale_ug)
        self.journal = Journal(self)
        self.loop = Loop(self)

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
        self._who = self._identity(cause)
        governor = self.governor
        governor.self_test_begins()
        self.journal.log(wire.EVENT_BOOT, cause, self.boot)
        if self.unlocked:
            self.journal.log(wire.EVENT_UNLOCKED, 0, 0)
        if cause == startup.WATCHDOG:
            governor.trip(protection.FIRMWARE_HUNG)
        if self.kept == settings.CORRUPT:
            governor.trip(protection.SETTINGS_CORRUPT)
        self.greet()
        self.link.service()
        fault = self.source.start()
        self.journal.log(wire.EVENT_SELF_TEST, fault, 0)
        if fault:
            governor.trip(fault)

    def run(self, cause):
        """Operate until maintenance is asked for; then reset into it."""
        gc.collect()
        control = self.control
        timer = Timer()
        self.guard.start(machine.freq())
        try:
            self._self_test(cause)
            self._measure()
            control.start()
            timer.init(freq=TICK_HZ, mode=Timer.PERIODIC, callback=control.tick)
            control.rest()
            self.loop.run()
        finally:
            timer.deinit()  # the tick drives the motor: it must not outlive the loop
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

    # -- for requests --------------------------------------------------------------------
    def still_failing(self, fault):
        """True where a sensor that was not there, or not the right one, still is not.

        A silent one is begun again whatever the trip: what it told last, which may be the trip's
        cause, stands until it tells anew.
        """
        begun_again = fault in _BEGUN_AGAIN
        if begun_again or self.protection.present(protection.SENSOR_SILENT):
            failing = self.source.start()
            if not failing:
                self.values[q.SENSOR_IDENTITY] = 0
                time.sleep_ms(_FIRST_SAMPLE_MS)
            return begun_again and failing != 0
        return False

    def greet(self):
        """Say who this is."""
        self.telemetry.greeting(self._who)

    def _identity(self, cause):
        board = self.board
        return (
            wire.VERSION,
            _image(),
            cause,
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
        self.journal.log(wire.EVENT_MAINTENANCE, 0, 0)
        self.loop.leaving = True


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
        console.wait_for_host()
        sys.print_exception(error)  # pyright: ignore[reportAttributeAccessIssue]
        raise
    finally:
        motor.off()
        micropython.kbd_intr(3)
