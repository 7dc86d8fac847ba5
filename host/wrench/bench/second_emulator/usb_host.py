"""The computer at the other end of the USB cable, and the bus between it and rp2040py's registers.

rp2040py's controller completes every transfer at once and calls a host that knows one serial
function. Here a transfer stays pending until the host's token comes, as on a bus: what the device
has ready is what its buffer control registers in DPRAM say then (RP2040 datasheet, 4.1.2.5).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from rp2040py import RP2040
from rp2040py.peripherals.usb import RPUSBController

_SOF_RD, _SIE_CTRL, _SIE_STATUS, _INTE = 0x48, 0x4C, 0x50, 0x90
_PULLUP, _SUSPENDED, _BUS_RESET, _DEV_SOF = 1 << 16, 1 << 4, 1 << 19, 1 << 17
_FIRST_BUFFER, _LAST_BUFFER, _CONTROL_DATA = 0x80, 0xFC, 0x100
_AVAILABLE, _FULL, _STALL, _LENGTH = 1 << 10, 1 << 15, 1 << 11, 0x3FF
_DOUBLE, _EVERY_BUFFER, _SECOND_HALF, _SECOND_AT = 1 << 30, 1 << 29, 16, 64
_PACKET = 64

_SET_ADDRESS, _GET_DESCRIPTOR, _SET_CONFIGURATION = 5, 6, 9
_SET_LINE_CODING, _SET_LINE_STATE = 0x20, 0x22
_DEVICE, _CONFIGURATION, _INTERFACE, _ENDPOINT = 1, 2, 4, 5
_COMMUNICATION, _ACM, _DATA = 2, 2, 10
_CODING_115200_8N1 = bytes([0x00, 0xC2, 0x01, 0x00, 0, 0, 8])

_DEBOUNCE_NS = 100e6  # USB 2.0, 7.1.7.3
_RESET_NS = 10e6  # 7.1.7.5: of a root port
_RECOVERY_NS = 10e6
_IDLE_NS = 3e6  # 7.1.7.6: a bus that is idle for 3 ms is suspended
_FRAME_NS = 1e6
_CONTROL_NS = 20e3
_GAP_NS = 100e3  # between requests: the device has taken the status stage by then
_OUT_NS = 50e3
_PATIENCE_NS = 5e9  # 9.2.6.1
_TRIES = 4


class Controller(RPUSBController):
    """rp2040py's device registers, with `Host` behind them."""

    def __init__(self, rp2040: RP2040, name: str) -> None:
        super().__init__(rp2040, name)
        self.host: Host | None = None

    def read_uint32(self, offset: int) -> int:
        if offset == _SOF_RD and self.host is not None:
            self._int_raw &= ~_DEV_SOF
            self.check_interrupts()
            return self.host.frame_number
        return super().read_uint32(offset)

    def write_uint32(self, offset: int, value: int) -> None:
        super().write_uint32(offset, value)
        if self.host is None:
            return
        if offset == _SIE_CTRL:
            self.host.see_pull_up(bool(value & _PULLUP))
        elif offset == _INTE:
            self.host.plan_frame()
        elif offset == _SIE_STATUS and self.raw_write_value & _SUSPENDED:
            self.suspended(False)

    def dpram_updated(self, offset: int, value: int) -> None:
        if _FIRST_BUFFER <= offset <= _LAST_BUFFER and self.host is not None:
            self.host.buffer_written((offset - _FIRST_BUFFER) >> 3, bool(offset & 4), value)

    # -- what the bus does to the controller ---------------------------------------------
    @property
    def wants_frames(self) -> bool:
        """Whether the device wants to hear of starts of frame."""
        return bool(self._int_enable & _DEV_SOF)

    def frame(self) -> None:
        """A start of frame."""
        self._int_raw |= _DEV_SOF
        self.check_interrupts()

    def suspended(self, is_suspended: bool) -> None:
        """The bus has been idle too long, or is so no more."""
        self._sie_status = self._sie_status & ~_SUSPENDED | (_SUSPENDED if is_suspended else 0)
        self._sie_status_updated()

    def bus_reset(self) -> None:
        """The host resets the bus."""
        self._sie_status |= _BUS_RESET
        self._sie_status_updated()

    def control_word(self, endpoint: int, out: bool) -> int:
        """The buffer control register."""
        return self._word(_FIRST_BUFFER + 8 * endpoint + 4 * out)

    def _word(self, at: int, value: int | None = None) -> int:
        ram: Any = self.rp2040.usb_dpram
        if value is not None:
            ram[at : at + 4] = value.to_bytes(4, "little")
        return int.from_bytes(ram[at : at + 4], "little")

    def _settings(self, endpoint: int, out: bool) -> int:
        return self._word(8 * endpoint + 4 * out) if endpoint else 0

    def _data_at(self, endpoint: int, out: bool) -> int:
        return self._settings(endpoint, out) & 0xFFC0 if endpoint else _CONTROL_DATA

    def take(self, endpoint: int, second: bool = False) -> bytes:
        """The host has read the packet that the device had ready."""
        word, settings = self.control_word(endpoint, False), self._settings(endpoint, False)
        shift = _SECOND_HALF if second else 0
        at = self._data_at(endpoint, False) + (_SECOND_AT if second else 0)
        data = bytes(self.rp2040.usb_dpram[at : at + (word >> shift & _LENGTH)])
        word &= ~((_AVAILABLE | _FULL) << shift)
        self._word(_FIRST_BUFFER + 8 * endpoint, word)
        more = bool(settings & _DOUBLE and word >> _SECOND_HALF & _AVAILABLE)
        if not more or settings & _EVERY_BUFFER:
            self._indicate_buffer_ready(endpoint, False)
        return data

    def put(self, endpoint: int, data: bytes) -> None:
        """The host has sent a packet into the buffer that the device had ready."""
        at = self._data_at(endpoint, True)
        ram: Any = self.rp2040.usb_dpram
        ram[at : at + len(data)] = data
        word = self.control_word(endpoint, True) & ~(_AVAILABLE | _LENGTH) | _FULL | len(data)
        self._word(_FIRST_BUFFER + 8 * endpoint + 4, word)
        self._indicate_buffer_ready(endpoint, True)

    def setup(self, packet: bytes) -> None:
        """The host has sent a setup packet."""
        self.send_setup_packet(packet)


@dataclass
class Request:
    """One control transfer."""

    kind: int
    request: int
    value: int
    index: int = 0
    length: int = 0
    data: bytes = b""
    received: bytearray = field(default_factory=bytearray)

    @property
    def packet(self) -> bytes:
        """Its setup packet."""
        return struct.pack("<BBHHH", self.kind, self.request, self.value, self.index, self.length)


@dataclass
class Serial:
    """One CDC-ACM function."""

    control: int
    into_host: int = 0
    out_of_host: int = 0
    waiting: bytearray = field(default_factory=bytearray)
    is_open: bool = False
    reading: bool = True
    sending: bool = False


Enumeration = Generator[Request, bytes, list[Serial]]


class Host:
    """Enumerates what is on the bus and moves the bytes of its serial functions."""

    def __init__(self, controller: Controller, packet_ns: float) -> None:
        self._usb = controller
        self._clock: Any = controller.rp2040.clock
        self._packet_ns = packet_ns
        self.plugged = True
        self._pull_up = False
        self._running = False  # frames come
        self._last_frame = 0
        self._resetting = False
        self._tries = 0
        self.functions: list[Serial] = []
        self.wanted: dict[int, tuple[bool, bool]] = {}
        self.on_data: Callable[[int, bytes], None] = lambda _i, _data: None
        self.on_detach: Callable[[], None] = lambda: None
        self._requests: list[Request] = []
        self._request: Request | None = None
        self._received: bytes | None = None
        self._resting = False
        self._stage = ""
        self._armed: set[bool] = set()  # control endpoint: directions in which it is ready
        self._script: Enumeration | None = None
        self._ready: dict[int, bool] = {}  # IN endpoint: whether its second buffer is next
        self._in_flight: int | None = None
        self._turn = 0
        alarm = self._clock.create_alarm
        self._attach_alarm = alarm(self._begin_reset)
        self._reset_alarm = alarm(self._reset_over)
        self._recovery_alarm = alarm(self._enumerate)
        self._idle_alarm = alarm(lambda: controller.suspended(True))
        self._frame_alarm = alarm(self._frame)
        self._control_alarm = alarm(self._move_control)
        self._gap_alarm = alarm(self._rested)
        self._patience_alarm = alarm(lambda: self._complete(None))
        self._in_alarm = alarm(self._in_done)
        self._out_alarms: dict[int, Any] = {}
        controller.host = self
        controller.on_reset_received = self._reset_taken

    # -- cable and bus -------------------------------------------------------------------
    def plug(self, plugged: bool) -> None:
        """Put the cable in, or pull it."""
        if plugged != self.plugged:
            self.plugged = plugged
            self._attach() if plugged else self._detach()

    def see_pull_up(self, is_up: bool) -> None:
        """The device shows itself on the bus, or hides."""
        if is_up != self._pull_up:
            self._pull_up = is_up
            self._attach() if is_up else self._detach()

    def _attach(self) -> None:
        if self._pull_up:
            self._idle_alarm.schedule(_IDLE_NS)
        self._tries = 0
        if self.plugged and self._pull_up:
            self._attach_alarm.schedule(_DEBOUNCE_NS)

    def _detach(self) -> None:
        # A Pico does not see VBUS: for the chip, a pulled cable is an idle bus (4.1.2.6.4).
        if self._pull_up:
            self._idle_alarm.schedule(_IDLE_NS)
        else:
            self._idle_alarm.cancel()
        self._attach_alarm.cancel()
        self._abandon()
        had, self.functions = self.functions, []
        if had:
            self.on_detach()

    def _abandon(self) -> None:
        self._last_frame = self.frame_number
        self._running = False
        for alarm in (
            self._reset_alarm,
            self._recovery_alarm,
            self._frame_alarm,
            self._control_alarm,
            self._gap_alarm,
            self._patience_alarm,
            self._in_alarm,
            *self._out_alarms.values(),
        ):
            alarm.cancel()
        self._out_alarms = {}
        self._requests, self._request, self._script = [], None, None
        self._received, self._resting = None, False
        self._ready, self._in_flight = {}, None
        self._armed.clear()

    def _begin_reset(self) -> None:
        self._idle_alarm.cancel()
        self._usb.suspended(False)
        self._resetting = True
        self._reset_alarm.schedule(_RESET_NS)

    def _reset_over(self) -> None:
        self._usb.bus_reset()

    def _reset_taken(self) -> None:
        if self._resetting:
            self._resetting = False
            self._running = True
            self.plan_frame()
            self._recovery_alarm.schedule(_RECOVERY_NS)

    @property
    def frame_number(self) -> int:
        """As the device sees it: it stays where it was when the bus is dead."""
        return int(self._clock.nanos / _FRAME_NS) & 0x7FF if self._running else self._last_frame

    def plan_frame(self) -> None:
        """Frames are shown only while the device wants to hear of them."""
        self._frame_alarm.cancel()
        if self._running and self._usb.wants_frames:
            self._frame_alarm.schedule(_FRAME_NS - self._clock.nanos % _FRAME_NS)

    def _frame(self) -> None:
        self._usb.frame()
        self.plan_frame()

    # -- control transfers ---------------------------------------------------------------
    def _enumerate(self) -> None:
        self._script = _enumeration()
        self._advance(None)

    def _advance(self, received: bytes | None) -> None:
        script = self._script
        assert script is not None
        try:
            self._requests.append(next(script) if received is None else script.send(received))
        except StopIteration as end:
            self._script = None
            self._configured(end.value)
        self._next_request()

    def _next_request(self) -> None:
        if self._request is not None or not self._requests or self._resting:
            return
        request = self._request = self._requests.pop(0)
        self._stage = "status in"
        if request.length:
            self._stage = "in" if request.kind & 0x80 else "out"
        self._armed.clear()
        self._patience_alarm.schedule(_PATIENCE_NS)
        self._usb.setup(request.packet)

    def _move_control(self) -> None:
        request = self._request
        if request is None:
            return
        out = self._stage in ("out", "status out")
        if out not in self._armed:
            return
        self._armed.discard(out)
        if self._stage == "out":
            self._usb.put(0, request.data)
            self._stage = "status in"
        elif self._stage == "in":
            data = self._usb.take(0)
            request.received += data
            if len(data) < _PACKET or len(request.received) >= request.length:
                self._stage = "status out"
        elif self._stage == "status in":
            self._usb.take(0)
            self._complete(bytes(request.received))
            return
        else:
            self._usb.put(0, b"")
            self._complete(bytes(request.received))
            return
        if self._armed:
            self._control_alarm.schedule(_CONTROL_NS)

    def _complete(self, received: bytes | None) -> None:
        request = self._request
        self._request = None
        self._patience_alarm.cancel()
        self._control_alarm.cancel()
        if request is None:
            return
        if self._script is not None:
            if received is None or len(received) < (request.length if request.kind & 0x80 else 0):
                self._abandon()
                self._tries += 1
                if self._tries < _TRIES:
                    self._begin_reset()
                return
            self._received = received
        self._resting = True
        self._gap_alarm.schedule(_GAP_NS)

    def _rested(self) -> None:
        received, self._received = self._received, None
        self._resting = False
        if received is not None:
            self._advance(received)
        else:
            self._next_request()

    # -- serial functions ----------------------------------------------------------------
    def _configured(self, functions: list[Serial]) -> None:
        self.functions = functions
        for i, function in enumerate(functions):
            is_open, reading = self.wanted.get(i, (False, True))
            self.want(i, is_open, reading)
            if self._usb.control_word(function.out_of_host, True) & _AVAILABLE:
                self._move_out(function)

    def want(self, index: int, is_open: bool, reading: bool) -> None:
        """The port is opened or closed, and read from or not."""
        self.wanted[index] = is_open, reading
        if index >= len(self.functions):
            return
        function = self.functions[index]
        function.reading = reading
        if function.is_open != is_open:
            function.is_open = is_open
            if is_open:
                coding = _CODING_115200_8N1
                self._requests.append(
                    Request(0x21, _SET_LINE_CODING, 0, function.control, len(coding), coding)
                )
            else:
                function.waiting.clear()
            lines = 3 if is_open else 0
            self._requests.append(Request(0x21, _SET_LINE_STATE, lines, function.control))
            self._next_request()
        self._move_in()

    def write(self, index: int, data: bytes) -> None:
        """Send bytes to a function."""
        if index < len(self.functions):
            self.functions[index].waiting += data
            self._move_out(self.functions[index])

    def buffer_written(self, endpoint: int, out: bool, value: int) -> None:
        """The device has written a buffer control register."""
        if endpoint == 0:
            if value & _STALL and self._request is not None:
                self._complete(None)
            elif value & _AVAILABLE:
                self._armed.add(out)
                if self._request is not None:
                    self._control_alarm.schedule(_CONTROL_NS)
        elif out:
            for function in self.functions:
                if function.out_of_host == endpoint and value & _AVAILABLE:
                    self._move_out(function)
        elif value & _AVAILABLE:
            self._ready[endpoint] = False
            self._move_in()
        elif not value >> _SECOND_HALF & _AVAILABLE:
            # Taken back. With the second buffer's bit alone the first one's comes 12 cycles later.
            self._ready.pop(endpoint, None)

    def _move_out(self, function: Serial) -> None:
        ready = self._usb.control_word(function.out_of_host, True) & _AVAILABLE
        if function.sending or not function.waiting or not ready:
            return
        function.sending = True
        alarm = self._clock.create_alarm(lambda: self._out_done(function))
        self._out_alarms[function.out_of_host] = alarm
        alarm.schedule(_OUT_NS)

    def _out_done(self, function: Serial) -> None:
        function.sending = False
        room = self._usb.control_word(function.out_of_host, True)
        if room & _AVAILABLE and function.waiting:
            size = min(room & _LENGTH, _PACKET)
            data = bytes(function.waiting[:size])
            del function.waiting[:size]
            self._usb.put(function.out_of_host, data)

    def _move_in(self) -> None:
        if self._in_flight is not None:
            return
        for i in range(len(self.functions)):
            index = (self._turn + i) % len(self.functions)
            function = self.functions[index]
            if function.is_open and function.reading and function.into_host in self._ready:
                self._in_flight, self._turn = index, index + 1
                self._in_alarm.schedule(self._packet_ns)
                return

    def _in_done(self) -> None:
        index, self._in_flight = self._in_flight, None
        if index is None or index >= len(self.functions):
            return
        endpoint = self.functions[index].into_host
        second = self._ready.pop(endpoint, None)
        if second is not None:
            word = self._usb.control_word(endpoint, False)
            if not second and word >> _SECOND_HALF & _AVAILABLE:
                self._ready[endpoint] = True
            self.on_data(index, self._usb.take(endpoint, second))
        self._move_in()


def _enumeration() -> Enumeration:
    yield Request(0x00, _SET_ADDRESS, 1)
    yield Request(0x80, _GET_DESCRIPTOR, _DEVICE << 8, 0, 18)
    head = yield Request(0x80, _GET_DESCRIPTOR, _CONFIGURATION << 8, 0, 9)
    total = int.from_bytes(head[2:4], "little")
    everything = yield Request(0x80, _GET_DESCRIPTOR, _CONFIGURATION << 8, 0, total)
    yield Request(0x00, _SET_CONFIGURATION, everything[5])
    return serial_functions(everything)


def serial_functions(descriptor: bytes) -> list[Serial]:
    """The CDC-ACM functions of a configuration descriptor, in its order."""
    found: list[Serial] = []
    current: Serial | None = None
    in_data = False
    at = 0
    while at + 1 < len(descriptor) and descriptor[at] >= 2:
        part = descriptor[at : at + descriptor[at]]
        at += descriptor[at]
        if part[1] == _INTERFACE:
            in_data = part[5] == _DATA
            if (part[5], part[6]) == (_COMMUNICATION, _ACM):
                current = Serial(part[2])
                found.append(current)
            elif not in_data:
                current = None
        elif part[1] == _ENDPOINT and in_data and current is not None:
            if part[2] & 0x80:
                current.into_host = part[2] & 15
            else:
                current.out_of_host = part[2] & 15
    return [function for function in found if function.into_host and function.out_of_host]
