"""The link's own USB serial function: a second CDC-ACM port beside the console's. Nothing here ever
waits for the host.

Bytes go out in transfers of 63 + 64 k bytes, padded with 0x00 (an empty frame to COBS): the last
packet is then always short, so the host hands it on at once, and every length has its memoryview
made beforehand, so nothing is allocated.
"""

import machine
import micropython
from micropython import const

from .framing import copy

_CLASS_CDC = const(2)
_SUBCLASS_ACM = const(2)
_CLASS_CDC_DATA = const(10)
_SET_LINE_CODING = const(0x20)
_GET_LINE_CODING = const(0x21)
_SET_CONTROL_LINE_STATE = const(0x22)
_REQUEST_CLASS_INTERFACE_OUT = const(0x21)
_REQUEST_CLASS_INTERFACE_IN = const(0xA1)
_STAGE_SETUP = const(1)
_DTR = const(1)
_PACKET = const(64)
_ENOUGH_BYTES = const(
    1984
)  # a transfer costs about 100,000 cycles to start and 1,500 for each packet
_LONGEST_WAIT_CALLS = const(2)


def _descriptor(first_interface, first_endpoint, name_index):
    """Interface association, CDC-ACM control interface and data interface (USB CDC 1.2, sections 5
    and PSTN 5.3).
    """
    control = first_interface
    data = first_interface + 1
    notify = 0x80 | first_endpoint
    out = first_endpoint + 1
    return bytes(
        (8, 11, control, 2, _CLASS_CDC, _SUBCLASS_ACM, 0, name_index)
        + (9, 4, control, 0, 1, _CLASS_CDC, _SUBCLASS_ACM, 0, name_index)
        + (5, 0x24, 0x00, 0x20, 0x01)
        + (5, 0x24, 0x01, 0x00, data)
        + (4, 0x24, 0x02, 0x02)
        + (5, 0x24, 0x06, control, data)
        + (7, 5, notify, 3, 8, 0, 16)
        + (9, 4, data, 0, 2, _CLASS_CDC_DATA, 0, 0, 0)
        + (7, 5, out, 2, _PACKET, 0, 0)
        + (7, 5, 0x80 | out, 2, _PACKET, 0, 0)
    )


@micropython.viper
def _clear(target: ptr8, at: int, end: int):
    while at < end:
        target[at] = 0
        at += 1


class UsbLink:
    """One serial port to the host.

    `open` is True while a host holds the port open (DTR). `closed` becomes True when one lets go of
    it, and stays so until the caller takes it back: the next host may be there before the caller
    looks. `dropped_bytes` counts what `write` had no room for.
    """

    def __init__(self, fill, send, rx_bytes, name="Wrench link"):
        transfers = len(fill) // _PACKET
        self._fill = fill
        self._send = send
        self._room = transfers * _PACKET - 1
        self._fill_views = self._views(self._fill, transfers)
        self._send_views = self._views(self._send, transfers)
        self._filled = 0
        self._sending = False
        self._waited = 0
        self._packet = bytearray(_PACKET)
        self._packet_bytes = 0
        self._receiving = False
        self.received = bytearray(rx_bytes)
        self.received_bytes = 0
        self._line_coding = bytearray(b"\x00\xc2\x01\x00\x00\x00\x08")
        self.open = False
        self.closed = False
        self.configured = False
        self.dropped_bytes = 0
        device = machine.USBDevice()
        console = device.BUILTIN_DEFAULT
        self._control = console.itf_max
        self._out = console.ep_max + 1
        self._in = 0x80 | self._out
        extra = _descriptor(console.itf_max, console.ep_max, console.str_max)
        config = bytearray(console.desc_cfg) + extra
        config[2] = len(config) & 0xFF
        config[3] = len(config) >> 8
        config[4] = console.itf_max + 2
        self._device = device
        self._buffers = (console.desc_dev, config)
        strings = {console.str_max: name}
        device.active(False)
        device.builtin_driver = console  # pyright: ignore[reportAttributeAccessIssue]
        device.config(
            console.desc_dev,
            config,
            strings,
            self._on_open,
            self._on_reset,
            self._on_control,
            self._on_transfer,
        )
        device.active(True)

    def _views(self, buffer, transfers):
        whole = memoryview(buffer)
        return tuple(whole[: _PACKET * (k + 1) - 1] for k in range(transfers))

    @micropython.native
    def write(self, data, length):
        """Queue the first `length` bytes of `data` whole, or not at all; returns True where they
        were queued.
        """
        end = self._filled + length
        if not self.open or end > self._room:
            self.dropped_bytes += length
            return False
        copy(data, 0, self._fill, self._filled, length)
        self._filled = end
        return True

    @micropython.native
    def service(self):
        """Start what can be started: the next transfer out, the next packet in. Call it at every
        control tick.

        What is queued waits for one more call unless it is worth a transfer of its own.
        """
        if not self.configured:
            return
        self._waited += 1
        if (
            self._filled
            and not self._sending
            and (self._filled >= _ENOUGH_BYTES or self._waited >= _LONGEST_WAIT_CALLS)
        ):
            self._waited = 0
            transfer = self._filled // _PACKET
            _clear(self._fill, self._filled, _PACKET * (transfer + 1) - 1)
            self._fill, self._send = self._send, self._fill
            self._fill_views, self._send_views = self._send_views, self._fill_views
            self._filled = 0
            self._sending = True
            if not self._device.submit_xfer(self._in, self._send_views[transfer]):
                self._sending = False
        if self._packet_bytes and self.received_bytes + self._packet_bytes <= len(self.received):
            copy(self._packet, 0, self.received, self.received_bytes, self._packet_bytes)
            self.received_bytes += self._packet_bytes
            self._packet_bytes = 0
        if not self._receiving and not self._packet_bytes:
            self._receiving = self._device.submit_xfer(self._out, self._packet)

    def _on_open(self, descriptor):
        self.configured = True

    def _on_reset(self):
        self.closed = True
        self.configured = self.open = self._sending = self._receiving = False
        self._filled = self._packet_bytes = self.received_bytes = 0

    def _on_control(self, stage, request):
        if request[4] != self._control:
            return False
        kind = request[0]
        if kind == _REQUEST_CLASS_INTERFACE_OUT:
            if request[1] == _SET_LINE_CODING:
                return self._line_coding if stage == _STAGE_SETUP else True
            if request[1] == _SET_CONTROL_LINE_STATE:
                if stage == _STAGE_SETUP:
                    self.open = bool(request[2] & _DTR)
                    if not self.open:
                        self.closed = True
                return True
        elif kind == _REQUEST_CLASS_INTERFACE_IN and request[1] == _GET_LINE_CODING:
            return self._line_coding if stage == _STAGE_SETUP else True
        return False

    def _on_transfer(self, endpoint, result, length):
        if endpoint == self._in:
            self._sending = False
        elif endpoint == self._out:
            self._receiving = False
            self._packet_bytes = length if result == 0 else 0
