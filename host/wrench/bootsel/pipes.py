"""Ways to the boot ROM's interface for programs: over USB, and into a running virtual bench.

A pipe is named by a URL: "usbboot:1-1.2" for the board at that USB location, "bench:HOST:PORT" for
an emulated one.
"""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path
from typing import Any, Protocol

from wrench.errors import FlashError, PortError

USB, BENCH = "usbboot:", "bench:"
# Raspberry Pi's vendor, and the RP2040's boot ROM (datasheet section 2.8.2).
_VENDOR, _PRODUCT = 0x2E8A, 0x0003
_CLASS_VENDOR = 0xFF
PACKET_BYTES = 64
_CONNECT_S = 5.0
UDEV_RULE = 'SUBSYSTEM=="usb", ATTRS{idVendor}=="2e8a", MODE="0660", TAG+="uaccess"'


class Pipe(Protocol):
    """Transfers to and from the boot ROM."""

    @property
    def title(self) -> str:
        """A name of the board for messages."""
        ...

    def write(self, data: bytes) -> None:
        """One transfer; an empty one is an empty packet. Raises FlashError."""
        ...

    def read(self, size: int, timeout_s: float) -> bytes:
        """One transfer of at most `size` bytes; 0 waits for an empty packet. Raises FlashError."""
        ...

    def close(self) -> None:
        """Let go of the board."""
        ...


def packets(data: bytes) -> list[bytes]:
    """A transfer cut into packets; an empty one is an empty packet."""
    return [data[at : at + PACKET_BYTES] for at in range(0, len(data) or 1, PACKET_BYTES)]


def locations() -> list[str]:
    """USB locations of the boards that are in BOOTSEL, "1-1.2", in order.

    Empty where this computer has no way to list USB devices.
    """
    if sys.platform.startswith("linux"):  # without loading a library: it is asked often
        places = Path("/sys/bus/usb/devices").glob("*-*")
        return sorted(place.name for place in places if _is_boot_rom(place))
    return sorted(location for location, _ in _devices())


def open_pipe(url: str) -> Pipe:
    """Open the way to one board. Raises PortError where it is not there, or not for this user."""
    if url.startswith(BENCH):
        return BenchPipe(url)
    for location, device in _devices():
        if url == USB + location:
            return UsbPipe(device, location)
    raise PortError(
        f"no board in BOOTSEL at USB {url.removeprefix(USB)}; hold BOOTSEL while you plug it in"
    )


def _is_boot_rom(place: Path) -> bool:
    try:
        ids = [int((place / name).read_text(), 16) for name in ("idVendor", "idProduct")]
    except (OSError, ValueError):
        return False
    return ids == [_VENDOR, _PRODUCT]


def _devices() -> list[tuple[str, Any]]:
    import libusb_package  # noqa: PLC0415  (loads a shared library)
    import usb.core  # noqa: PLC0415

    try:
        backend = libusb_package.get_libusb1_backend()
        found: Any = usb.core.find(
            find_all=True, backend=backend, idVendor=_VENDOR, idProduct=_PRODUCT
        )
        devices = list(found or [])
    except (usb.core.NoBackendError, usb.core.USBError, NotImplementedError, OSError):
        return []
    return [(_location(device), device) for device in devices]


def _location(device: Any) -> str:
    """As pyserial writes it."""
    ports = ".".join(str(number) for number in device.port_numbers or ())
    return f"{device.bus}-{ports}" if ports else str(device.bus)


class UsbPipe:
    """Over libusb. Raises PortError where the board cannot be claimed."""

    def __init__(self, device: Any, location: str) -> None:
        import usb.core  # noqa: PLC0415
        import usb.util  # noqa: PLC0415

        self._usb = usb
        self._device = device
        self.title = f"the board at USB {location}"
        try:
            interface = next(
                it
                for it in device.get_active_configuration()
                if it.bInterfaceClass == _CLASS_VENDOR
            )
            usb.util.claim_interface(device, interface.bInterfaceNumber)
        except usb.core.USBError as error:
            raise PortError(_not_ours(self.title, error)) from error
        into = usb.util.ENDPOINT_IN
        ends = {usb.util.endpoint_direction(it.bEndpointAddress): it for it in interface}
        self._in, self._out = ends[into], ends[usb.util.ENDPOINT_OUT]

    def write(self, data: bytes) -> None:
        """See `Pipe`."""
        self._guarded(lambda: self._out.write(data, 5000))

    def read(self, size: int, timeout_s: float) -> bytes:
        """See `Pipe`."""
        wanted = size or PACKET_BYTES
        return bytes(self._guarded(lambda: self._in.read(wanted, round(1000 * timeout_s))))

    def close(self) -> None:
        """See `Pipe`."""
        self._usb.util.dispose_resources(self._device)

    def _guarded(self, action: Any) -> Any:
        try:
            return action()
        except self._usb.core.USBError as error:
            raise FlashError(
                f"{self.title} in BOOTSEL does not go on ({error.strerror or error}); unplug it, "
                "hold BOOTSEL while you plug it in, and flash again"
            ) from error


def _not_ours(title: str, error: Any) -> str:
    if error.errno == 13 and sys.platform.startswith("linux"):
        return (
            f"no permission for {title} in BOOTSEL; put {UDEV_RULE} into "
            "/etc/udev/rules.d/60-wrench.rules, unplug the board and plug it in again"
        )
    return f"{title} in BOOTSEL is in use by another program ({error.strerror}); close that one"


class BenchPipe:
    """Into a running bench: each packet is its length in a byte, and its bytes."""

    def __init__(self, url: str) -> None:
        self.title = "the emulated board"
        host, _, port = url.removeprefix(BENCH).rpartition(":")
        try:
            self._socket = socket.create_connection((host, int(port)), _CONNECT_S)
        except OSError as error:
            raise PortError(f"{self.title} is not in BOOTSEL any more; try again") from error
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        """See `Pipe`."""
        framed = b"".join(bytes([len(packet)]) + packet for packet in packets(data))
        try:
            self._socket.sendall(framed)
        except OSError as error:
            raise self._gone() from error

    def read(self, size: int, timeout_s: float) -> bytes:
        """See `Pipe`."""
        until = time.monotonic() + timeout_s
        data = b""
        while True:
            packet = self._packet(until)
            data += packet
            if len(data) >= size or len(packet) < PACKET_BYTES:
                return data

    def close(self) -> None:
        """See `Pipe`."""
        self._socket.close()

    def _packet(self, until: float) -> bytes:
        while not self._held or len(self._held) < 1 + self._held[0]:
            left_s = until - time.monotonic()
            if left_s <= 0.0:
                raise FlashError(f"{self.title} in BOOTSEL does not answer; flash again")
            self._socket.settimeout(left_s)
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                continue
            except OSError as error:
                raise self._gone() from error
            if not data:
                raise self._gone()
            self._held += data
        packet = bytes(self._held[1 : 1 + self._held[0]])
        del self._held[: 1 + len(packet)]
        return packet

    def _gone(self) -> FlashError:
        return FlashError(f"{self.title} has left BOOTSEL; flash again")
