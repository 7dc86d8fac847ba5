"""Finding a board's ports, opening them, and the sentences for what can be wrong with them."""

from __future__ import annotations

import contextlib
import errno
import os
import pty
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import serial
from scripted_board import ScriptedBoard
from serial.rfc2217 import PortManager
from serial.urlhandler import protocol_loop

from wrench import transport
from wrench.bench.registry import Registration, RunningBench
from wrench.errors import PortError
from wrench.link import Link
from wrench.transport import (
    BoardConnection,
    BoardPorts,
    Port,
    attached,
    choose,
    open_port,
    open_shared,
)
from wrench_firmware import wire

pytestmark = pytest.mark.usefixtures("own_cache")


def usb(
    device: str, location: str | None, number: str | None = "e661", vid: int = 0x2E8A
) -> object:
    return SimpleNamespace(
        vid=vid, pid=0x0005, device=device, location=location, serial_number=number
    )


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The serial ports that the computer lists; empty at first."""
    listed: list[object] = []
    monkeypatch.setattr(transport.list_ports, "comports", lambda: listed)
    return listed


@pytest.fixture
def bench(plugged: list[object]) -> Iterator[Registration]:
    """A bench that is registered and serves nothing."""
    del plugged
    entry = RunningBench(
        os.getpid(),
        "A board (emulated)",
        "/boards/a.toml",
        "socket://127.0.0.1:1",
        "socket://127.0.0.1:2",
        2,
        "/tmp/none-console",
        "/tmp/none-link",
    )
    registration = Registration(entry)
    yield registration
    registration.withdraw()


# ---- finding -------------------------------------------------------------------------------------


def test_console_and_link_are_told_apart_by_their_interface(plugged: list[object]) -> None:
    plugged += [usb("/dev/ttyACM1", "1-1.2:1.2"), usb("/dev/ttyACM0", "1-1.2:1.0")]
    (board,) = attached()
    assert (board.console, board.link) == ("/dev/ttyACM0", "/dev/ttyACM1")


def test_ports_of_two_boards_are_not_mixed(plugged: list[object]) -> None:
    plugged += [
        usb("/dev/ttyACM0", "1-1:1.0"),
        usb("/dev/ttyACM1", "1-2:1.0"),
        usb("/dev/ttyACM2", "1-2:1.2"),
        usb("/dev/ttyACM3", "1-1:1.2"),
        usb("/dev/ttyUSB0", "1-3:1.0", vid=0x0403),
    ]
    found = [(board.console, board.link) for board in attached()]
    assert found == [("/dev/ttyACM0", "/dev/ttyACM3"), ("/dev/ttyACM1", "/dev/ttyACM2")]


def test_without_interface_numbers_the_serial_number_keeps_ports_together(
    plugged: list[object],
) -> None:
    plugged += [
        usb("/dev/cu.usbmodem11", "20-1", "aa"),
        usb("/dev/cu.usbmodem12", "20-1", "aa"),
        usb("/dev/cu.usbmodem21", "20-2", "bb"),
    ]
    found = [(board.console, board.link) for board in attached()]
    assert found == [
        ("/dev/cu.usbmodem11", "/dev/cu.usbmodem12"),
        ("/dev/cu.usbmodem21", None),
    ]


def test_a_bench_shows_the_ports_that_its_board_shows(bench: Registration) -> None:
    assert [(b.console, b.link) for b in attached()] == [(bench.bench.console, bench.bench.link)]
    bench.shows(1)
    assert [(b.console, b.link) for b in attached()] == [(bench.bench.console, None)]
    bench.shows(0)
    assert [(b.console, b.link) for b in attached()] == [(None, None)]


def test_nothing_attached_says_how_to_get_a_board(plugged: list[object]) -> None:
    assert plugged == []
    with pytest.raises(PortError, match="wrench bench up"):
        choose(None)


def test_two_boards_need_a_choice_and_either_port_makes_it(
    bench: Registration, plugged: list[object]
) -> None:
    plugged += [usb("/dev/ttyACM0", "1-1:1.0"), usb("/dev/ttyACM1", "1-1:1.2")]
    with pytest.raises(PortError, match=r"2 boards.*ttyACM1.*--port"):
        choose(None)
    assert choose("/dev/ttyACM0") == choose("/dev/ttyACM1") == attached()[1]
    assert choose(bench.bench.console) == choose(bench.bench.link) == attached()[0]
    assert choose("socket://localhost:2") == attached()[0]


def test_a_pty_of_a_bench_stands_for_its_board(bench: Registration) -> None:
    assert choose("/tmp/none-link") == choose("/tmp/none-console") == attached()[0]
    assert bench.bench.functions == 2


def test_an_unknown_port_is_taken_as_given(plugged: list[object]) -> None:
    assert plugged == []
    assert choose("/dev/ttyS9") == BoardPorts("/dev/ttyS9", "/dev/ttyS9", "/dev/ttyS9")


# ---- what --port takes ---------------------------------------------------------------------------


@pytest.fixture
def two(plugged: list[object]) -> list[BoardPorts]:
    """Two boards on USB; the numbers of their ports are mixed."""
    plugged += [
        usb("/dev/ttyACM0", "1-1.2:1.0", "E661A"),
        usb("/dev/ttyACM1", "1-1.3:1.0", "E661B"),
        usb("/dev/ttyACM2", "1-1.3:1.2", "E661B"),
        usb("/dev/ttyACM3", "1-1.2:1.2", "E661A"),
    ]
    return attached()


def test_a_serial_number_or_a_location_names_a_board(two: list[BoardPorts]) -> None:
    first, second = two
    assert (first.serial_number, first.location) == ("E661A", "1-1.2")
    assert choose("E661B") == choose("e661b") == choose("1-1.3") == second
    assert choose("1-1.2") == first


def test_a_pattern_names_the_board_whose_devices_alone_fit(two: list[BoardPorts]) -> None:
    assert choose("/dev/ttyACM[12]") == two[1]
    assert choose("/dev/ttyACM0*") == two[0]
    with pytest.raises(PortError, match=r"ttyACM\* fits 2 boards.*1-1\.2.*1-1\.3.*--port"):
        choose("/dev/ttyACM*")
    with pytest.raises(PortError, match=r"no serial port fits /dev/ttyXYZ\?; name one of those"):
        choose("/dev/ttyXYZ?")


def test_a_pattern_may_fit_a_bench_or_a_device_of_which_nothing_is_known(
    bench: Registration, plugged: list[object], tmp_path: Path
) -> None:
    plugged += [usb("/dev/ttyACM0", "1-1:1.0")]
    assert choose("/tmp/none-l*").key == attached()[0].key
    assert bench.bench.functions == 2
    (tmp_path / "adapter7").write_text("")
    name = str(tmp_path / "adapter7")
    assert choose(str(tmp_path / "adapter*")) == BoardPorts(name, name, name)


@pytest.mark.parametrize(
    ("port", "said"),
    [
        ("2-7.1", "no board at USB location 2-7.1; name one of those attached"),
        ("E661C", "'E661C' is no serial port, and no board's USB serial number or location"),
    ],
)
def test_what_names_no_board_is_told_with_those_there_are(
    two: list[BoardPorts], port: str, said: str
) -> None:
    assert len(two) == 2
    with pytest.raises(PortError, match=re.escape(said)) as error:
        choose(port)
    assert "1-1.2: /dev/ttyACM3" in str(error.value)


def test_without_any_board_the_sentence_says_how_to_get_one(plugged: list[object]) -> None:
    assert plugged == []
    for port in ("1-1", "E661", "/dev/ttyXYZ*"):
        with pytest.raises(PortError, match="no board is attached: plug one in"):
            choose(port)


def test_boards_with_the_same_serial_number_are_told_apart_by_location(
    plugged: list[object],
) -> None:
    plugged += [usb("/dev/ttyACM0", "1-1:1.0", "aa"), usb("/dev/ttyACM1", "1-2:1.0", "aa")]
    with pytest.raises(PortError, match="2 boards have the USB serial number aa"):
        choose("aa")
    assert choose("1-2").console == "/dev/ttyACM1"


def test_a_board_that_was_named_by_its_number_is_found_at_another_place(
    two: list[BoardPorts], plugged: list[object]
) -> None:
    by_number, by_place = BoardConnection("E661A"), BoardConnection("1-1.2")
    assert by_number.look() == by_place.look() == two[0]
    plugged[:] = [usb("/dev/ttyACM8", "3-1:1.0", "E661A"), usb("/dev/ttyACM9", "3-1:1.2", "E661A")]
    assert by_number.look().link == "/dev/ttyACM9"
    assert by_place.look().link is None


@pytest.mark.parametrize("url", ["rfc2217://host:4000?ign_set_control", "socket://host:7"])
def test_a_url_is_no_pattern(plugged: list[object], url: str) -> None:
    assert plugged == []
    assert choose(url) == BoardPorts(url, url, url)


# ---- opening -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (serial.SerialException(errno.EBUSY, "Resource busy"), "in use by another program"),
        (serial.SerialException(errno.EACCES, "Permission denied"), "no permission"),
        (serial.SerialException(errno.ENOENT, "No such file"), "there is no /dev/it"),
        (serial.SerialException("PermissionError(13, 'Access is denied.')"), "no permission"),
        (ValueError("nonsense"), "cannot open /dev/it"),
    ],
)
def test_what_keeps_a_port_from_opening_is_told(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(transport.serial, "serial_for_url", fail)
    with pytest.raises(PortError, match=said):
        open_port("/dev/it")


def test_a_device_that_another_program_holds_is_told_as_busy() -> None:
    master, slave = pty.openpty()
    first = open_port(os.ttyname(slave))
    with pytest.raises(PortError, match="in use by another program"):
        open_port(os.ttyname(slave))
    first.close()
    open_port(os.ttyname(slave)).close()
    os.close(slave)
    os.close(master)


def test_a_device_that_goes_is_told_by_every_method() -> None:
    master, slave = pty.openpty()
    port = open_port(os.ttyname(slave))
    os.close(slave)
    os.write(master, b"last")
    assert port.read(4) == b"last"
    os.close(master)
    with pytest.raises(PortError, match="has gone"):
        port.read(1)
    with pytest.raises(PortError, match="has gone"):
        port.write(b"x")
    port.close()


def test_a_link_that_does_not_show_says_what_to_do() -> None:
    with pytest.raises(PortError, match="wrench flash"):
        open_port(None, "link")


# ---- over TCP ------------------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        yield server


def _url(server: socket.socket) -> str:
    return f"socket://127.0.0.1:{server.getsockname()[1]}"


def test_reading_waits_for_all_bytes_but_not_longer_than_the_time_out(
    listener: socket.socket,
) -> None:
    port = open_port(_url(listener))
    far, _ = listener.accept()
    far.sendall(b"abcdef")
    assert port.read(4) == b"abcd"
    assert port.in_waiting == 2
    port.timeout = 0.05
    started = time.monotonic()
    assert port.read(4) == b"ef"
    assert 0.04 < time.monotonic() - started < 1
    port.write(b"back")
    assert far.recv(10) == b"back"
    far.close()
    port.close()


def test_what_was_sent_before_the_board_went_is_still_read(listener: socket.socket) -> None:
    port = open_port(_url(listener))
    far, _ = listener.accept()
    far.sendall(b"bye")
    far.close()
    assert port.read(10) == b"bye"
    with pytest.raises(PortError, match="has gone"):
        port.read(1)
    with pytest.raises(PortError, match="has gone"):
        assert port.in_waiting
    with pytest.raises(PortError, match="has gone"):
        port.write(b"x")


def test_being_hung_up_on_at_once_means_another_program_has_the_port(
    listener: socket.socket,
) -> None:
    def refuse() -> None:
        listener.accept()[0].close()

    refusing = threading.Thread(target=refuse)
    refusing.start()
    with pytest.raises(PortError, match="in use by another program"):
        open_port(_url(listener))
    refusing.join()


def test_where_nobody_listens_the_sentence_says_how_to_start_a_board(
    listener: socket.socket,
) -> None:
    url = _url(listener)
    listener.close()
    with pytest.raises(PortError, match="wrench bench up"):
        open_port(url)


@pytest.mark.parametrize("url", ["socket://", "socket://x", "socket://h:port", "socket://h:99999"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(PortError, match="is no address"):
        open_port(url)


# ---- over RFC 2217 -------------------------------------------------------------------------------


class ScriptedDevice(protocol_loop.Serial):
    """A serial port of this computer on whose other end a scripted board is."""

    def __init__(self) -> None:
        super().__init__("loop://", timeout=0)
        self.board = ScriptedBoard()

    def read(self, size: int = 1) -> bytes:
        return self.board.read(size)

    def write(self, b: Any, /) -> int:
        self._held += b
        *whole, rest = self._held.split(b"\0")
        self._held = rest
        return self.board.write(b"".join(frame + b"\0" for frame in whole))

    _held = b""


class Rfc2217Server:
    """What pyserial's example of an RFC 2217 server does, for one client after the other."""

    def __init__(self) -> None:
        self.device = ScriptedDevice()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._listener.getsockname()[1]}"
        self._over = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def sendall(self, data: bytes) -> None:
        """As PortManager's connection: answers to the client's options."""
        self.write(data)

    def write(self, data: bytes) -> None:
        """The same, by its other name."""
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.sendall(data)

    _client: socket.socket | None = None

    def _serve(self) -> None:
        self._listener.settimeout(0.05)
        while not self._over:
            try:
                self._client, _ = self._listener.accept()
            except OSError:
                continue
            manager = PortManager(cast(Any, self.device), cast(Any, self))
            self._client.settimeout(0.01)
            while not self._over:
                try:
                    data = self._client.recv(1024)
                    if not data:
                        break
                    self.device.write(b"".join(manager.filter(data)))
                except TimeoutError:
                    pass
                except OSError:
                    break
                waiting = self.device.board.read(self.device.board.in_waiting)
                if waiting:
                    self.write(b"".join(manager.escape(waiting)))
            self._client.close()
            self._client = None

    def close(self) -> None:
        """Stop serving."""
        self._over = True
        self._thread.join()
        self._listener.close()


@pytest.fixture
def remote() -> Iterator[Rfc2217Server]:
    server = Rfc2217Server()
    yield server
    server.close()


@pytest.mark.parametrize("opened", [open_port, open_shared])
def test_a_board_is_reached_over_rfc_2217(
    remote: Rfc2217Server, opened: Callable[[str], Port]
) -> None:
    port = opened(remote.url)
    link = Link(port)
    greeting = link.hello()
    assert greeting["version"] == wire.VERSION
    link.command("get_setting", 0xFF)  # 0xFF is what telnet escapes
    heard = [name for _, name, _ in remote.device.board.heard]
    assert heard == ["hello", "get_setting"]
    port.timeout = 0.2
    assert port.read(1) == b""
    port.close()


def test_a_remote_port_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        number = unused.getsockname()[1]
    with pytest.raises(PortError, match=f"cannot open rfc2217://127.0.0.1:{number}"):
        open_port(f"rfc2217://127.0.0.1:{number}")


# ---- ports that vanish and come back -------------------------------------------------------------


def test_a_link_that_comes_back_under_another_name_is_followed(
    plugged: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugged += [usb("/dev/ttyACM0", "1-1:1.0"), usb("/dev/ttyACM1", "1-1:1.2")]
    connection = BoardConnection("/dev/ttyACM1")
    opened: list[str | None] = []
    looks = 0

    def fake_open(url: str | None, what: str) -> object:
        if url != "/dev/ttyACM7":
            raise PortError(f"no {what}")
        opened.append(url)
        return object()

    def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        plugged.clear()
        if looks > 2:
            plugged.extend([usb("/dev/ttyACM6", "1-1:1.0"), usb("/dev/ttyACM7", "1-1:1.2")])

    monkeypatch.setattr(transport, "open_shared", fake_open)
    monkeypatch.setattr(transport.time, "sleep", sleep)
    connection.open_link(5)
    assert opened == ["/dev/ttyACM7"]


def test_a_board_in_maintenance_is_told_as_such(bench: Registration) -> None:
    bench.shows(1)
    connection = BoardConnection()
    assert connection.board == "/boards/a.toml"
    with pytest.raises(PortError, match=r"console and no link.*wrench flash"):
        connection.open_link(0.01)
    bench.shows(0)
    with pytest.raises(PortError, match="shows no port"):
        connection.open_console(0.01)
    assert not connection.wait_for(lambda ports: ports.link is not None, 0.01)
    bench.shows(2)
    assert connection.wait_for(lambda ports: ports.link is not None, 0.01)
