"""Wires the objects together and runs the loop.

Two contexts share the core. The control tick (200 Hz, a timer's callback between two bytecodes of
the loop) checks the protecting inputs, and at every fourth lets the governor decide the speed and
drives the motor. The loop moves samples, features, frames and commands, and sleeps. The watchdog is
fed by the tick, and only when the loop has come round since the last feed.
"""

import gc
import os
import sys
import time

import machine
import micropython
from machine import Pin, Timer
from micropython import const

from . import commands, protection, sleep_rp2, startup, telemetry, wire
from .features import Features
from .governor import IDLE, LIMITING, STARTING, TRIPPED, Governor
from .inputs import Inputs
from .motor import make_motor
from .protection import Protection
from .sampler import Sampler
from .usb_link import UsbLink

VERSION = "0.1.0"

_TICK_HZ = const(200)
_TICK_MS = const(5)
_TICK_US = const(5000)
_STATUS_TICKS = const(8)  # 25 Hz
_SPEED_MASK = const(3)
_SPEED_MS = const(20)
_PROVED_TICKS = const(2000)
_WATCHDOG_MS = const(250)
_LATE_US = const(6000)
_TX_BYTES = const(6143)
_RX_BYTES = const(512)

_FLAG_ENABLED = const(1)
_FLAG_ESTOP_OPEN = const(2)
_FLAG_LINK_OWNED = const(4)
_FLAG_SETTLED = const(8)


def _sensor(board):
    """The driver module of the board's sensor is imported here alone: the others cost no memory."""
    if board.VIBRATION_DRIVER == "adxl345":
        from .drivers.adxl345 import Adxl345

        return Adxl345(board)
    raise ValueError("no driver for " + board.VIBRATION_DRIVER)


def _image():
    try:
        import wrench_image

        return wire.IMAGES.index(wrench_image.KIND)
    except ImportError:
        return 0


def _firmware_hash():
    try:
        import wrench_build

        return wrench_build.FIRMWARE_HASH
    except ImportError:
        return 0


class App:
    """One board, operating."""

    def __init__(self, board, motor):
        self.board = board
        self.motor = motor
        self.governor = Governor(
            board.DERATE_CAP_PERMILLE,
            board.RAMP_UP_PERMILLE_PER_S,
            board.RAMP_DOWN_PERMILLE_PER_S,
            board.VELOCITY_LIMIT_UM_S,
            board.VELOCITY_HYSTERESIS_UM_S,
            board.MOTOR_RATED_SPEED_RPM if board.TACHO_PIN is not None else 0,
        )
        self.inputs = Inputs(board)
        self.protection = Protection(board)
        self.sensor = _sensor(board)
        self.sampler = Sampler(self.sensor)
        self.features = Features(
            board.VIBRATION_WINDOW_SAMPLES, board.VIBRATION_RATE_HZ, self.sensor.count_ug
        )
        self.link = UsbLink(_TX_BYTES, _RX_BYTES)
        self.telemetry = telemetry.Telemetry(self.link)
        self.commands = commands.Commands(self.link, self.telemetry, self.handle)
        self._schema_hash = wire.schema_hash()
        self._ready_mask = 1 << board.VIBRATION_INT1_PIN
        self._min_duty = board.MOTOR_MIN_DUTY_PERMILLE
        self._nominal_mv = board.MOTOR_SUPPLY_NOMINAL_MV
        self._owned_by_link = False
        self._streaming = False
        self._scale_ug = self.sensor.count_ug
        self._window_ms = board.VIBRATION_WINDOW_SAMPLES * 1000 // board.VIBRATION_RATE_HZ
        self._led = None if board.LED_PIN is None else Pin(board.LED_PIN, Pin.OUT, value=0)
        self._tripped_with = 0
        self._limit_reported = 0
        self.overruns = 0
        self._last_us = 0
        self._loop_came_round = False
        self._watchdog = None
        self._leaving = False

    # -- the control tick ----------------------------------------------------------------
    def control(self, _timer):
        """Runs 200 times a second, between two bytecodes of the loop. An exception stops the motor
        for good.
        """
        try:
            now = time.ticks_us()
            if time.ticks_diff(now, self._last_us) > _LATE_US:
                self.overruns += 1
            self._last_us = now
            n = sleep_rp2.tick(_TICK_US)
            governor = self.governor
            inputs = self.inputs
            inputs.read()
            turning = STARTING <= governor.mode <= LIMITING
            fault = self.protection.check(inputs, turning, self._owned_by_link, _TICK_MS)
            if fault and governor.mode != TRIPPED:
                self.motor.off()
                governor.trip(fault)
            elif not turning:
                self.motor.off()
            if not n & _SPEED_MASK:
                inputs.read_slow()
                self._set_speed()
            if self._loop_came_round and self._watchdog:
                self._loop_came_round = False
                self._watchdog.feed()
        except BaseException as error:
            self.motor.off()
            self.governor.trip(protection.EXCEPTION)
            self._exception = error

    def _set_speed(self):
        """50 times a second: what the governor wants, onto the pin; scaled down where the supply is
        above nominal.
        """
        if not self.governor.tick(_SPEED_MS):
            self.motor.off()
            return
        duty = self.governor.duty(self.inputs.speed_rpm, _SPEED_MS)
        supply = self.inputs.supply_mv
        if supply > self._nominal_mv:
            duty = duty * self._nominal_mv // supply
        if duty < self._min_duty:
            self.motor.off()  # it would not turn, only heat
            return
        self.motor.drive(duty)

    # -- the loop ------------------------------------------------------------------------
    def run(self):
        """Operate until maintenance is asked for; then reset into it."""
        gc.collect()
        self._start_sensor()
        self._last_us = time.ticks_us()
        self._timer = Timer(freq=_TICK_HZ, mode=Timer.PERIODIC, callback=self.control)
        self._watchdog = machine.WDT(timeout=_WATCHDOG_MS)
        self.governor.ready()
        seen = 0
        while not self._leaving:
            self._loop_came_round = True
            while self.sampler.drain():
                self._block()
            if sleep_rp2.count() != seen:
                seen = sleep_rp2.count()
                self._housekeeping(seen)
            sleep_rp2.until_due_or_pin(sleep_rp2.TICK_ADDRESS, self._ready_mask)
        self.motor.off()
        for _ in range(10):
            self.link.service()
            time.sleep_ms(5)
        startup.reset_into_maintenance()

    def _start_sensor(self):
        try:
            self.sampler.start()
        except OSError as error:
            print("sensor:", error)
            self.governor.trip(protection.SENSOR_ABSENT)

    def _block(self):
        sampler = self.sampler
        self.protection.samples()
        self.telemetry.lost_samples = sampler.overflows
        if self._streaming:
            self.telemetry.waveform(
                sampler.taken - sampler.block_samples,
                sampler.samples,
                sampler.block_samples,
                self._scale_ug,
            )
        features = self.features
        if features.add(sampler.samples, 0, sampler.block_samples):
            if features.settled:
                self.protection.window(
                    features.worst_velocity_um_s, features.worst_peak_mg, self._window_ms
                )
                self.governor.window(features.worst_velocity_um_s)
            self.telemetry.features(features, self._window_ms)

    def _housekeeping(self, n):
        self.commands.poll()
        if self._owned_by_link and not self.link.open:
            self.protection.link_closed()
        self._report_changes()
        if not n % _STATUS_TICKS:
            self.telemetry.status(
                self.governor,
                self.motor,
                self.inputs,
                self.features,
                self._flags(),
                self.overruns,
                self.commands.bad_frames,
            )
            if self._led:
                self._led(self.governor.turning or n & 64)
        if n == _PROVED_TICKS:
            startup.lived_long()
        self.link.service()

    def _flags(self):
        flags = _FLAG_ENABLED if self.motor.duty_permille else 0
        if self.inputs.estop_open:
            flags |= _FLAG_ESTOP_OPEN
        if self._owned_by_link:
            flags |= _FLAG_LINK_OWNED
        if self.features.settled:
            flags |= _FLAG_SETTLED
        return flags

    def _report_changes(self):
        governor = self.governor
        if governor.fault != self._tripped_with:
            self._tripped_with = governor.fault
            if governor.fault:
                self._owned_by_link = False
                self.telemetry.event(
                    telemetry.EVENT_TRIP, governor.fault, self.features.worst_velocity_um_s
                )
        if governor.limit != self._limit_reported:
            self._limit_reported = governor.limit
            self.telemetry.event(telemetry.EVENT_LIMIT, governor.limit, governor.command_permille)

    def telemetry_greeting(self):
        """Say who this is."""
        board = self.board
        self.telemetry.greeting(
            wire.VERSION,
            _image(),
            startup.reset_cause(),
            self._schema_hash,
            board.BOARD_HASH,
            _firmware_hash(),
            board.VIBRATION_RATE_HZ,
            machine.unique_id(),
            board.BOARD_NAME.encode()[:24],
            VERSION.encode(),
            os.uname().release.encode()[:12],
        )

    # -- commands ------------------------------------------------------------------------
    def handle(self, kind, argument):
        """Carry out one command; returns the reason that goes into the reply."""
        governor = self.governor
        if kind == wire.HEARTBEAT:
            self.protection.heartbeat()
            return commands.DONE
        if kind == wire.STOP:
            governor.stop()
            self._owned_by_link = False
            self.telemetry.event(telemetry.EVENT_STOP, 0, 0)
            return commands.DONE
        if kind == wire.RUN:
            return self._run(argument)
        if kind == wire.HELLO:
            self.telemetry_greeting()
            return commands.DONE
        if kind == wire.SET_LIMIT:
            if argument > governor.cap_permille:
                return commands.ABOVE_CEILING
            governor.hold_below(argument)
            return commands.DONE
        if kind == wire.RESET_TRIP:
            if governor.mode != TRIPPED:
                return commands.NOT_TRIPPED
            if self.protection.present(governor.fault, self.inputs):
                return commands.CAUSE_PRESENT
            governor.reset()
            self.telemetry.event(telemetry.EVENT_RESET, 0, 0)
            return commands.DONE
        if kind == wire.STREAM:
            if argument > 1:
                return commands.OUT_OF_RANGE
            self._streaming = argument == 1
            return commands.DONE
        if kind == wire.MAINTENANCE:
            if governor.turning:
                return commands.TURNING
            governor.maintain()
            self._leaving = True
            return commands.DONE
        return commands.UNKNOWN_COMMAND

    def _run(self, speed_permille):
        governor = self.governor
        if not 0 < speed_permille <= 1000:
            return commands.OUT_OF_RANGE
        if governor.mode == TRIPPED:
            return commands.TRIPPED
        if self.inputs.estop_open:
            return commands.ESTOP_OPEN
        if not self.features.settled:
            return commands.NOT_READY
        if governor.mode == IDLE:
            self.protection.forget()
        self.protection.heartbeat()
        self._owned_by_link = True
        governor.run(speed_permille)
        self.telemetry.event(telemetry.EVENT_RUN, 0, speed_permille)
        return commands.DONE


def main():
    """Called by /main.py. The motor's pins are low before anything else is looked at."""
    try:
        import wrench_board as board
    except ImportError:
        print("wrench: no board file; run `wrench flash`")
        return
    motor = make_motor(board)
    if startup.maintenance_asked(board):
        print("wrench: maintenance; reset to operate again")
        return
    micropython.alloc_emergency_exception_buf(100)
    micropython.kbd_intr(-1)
    try:
        App(board, motor).run()
    except BaseException as error:
        motor.off()
        sys.print_exception(error)  # pyright: ignore[reportAttributeAccessIssue]
        raise
    finally:
        motor.off()
        micropython.kbd_intr(3)
