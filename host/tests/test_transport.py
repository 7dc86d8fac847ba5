"""Finding a board's ports, opening them, and the sentences for what can be wrong with them."""

from __future__ import annotations

import errno
import os
import pty
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import serial

from wrench import transport
from wrench.bench.registry import Registration, RunningBench
from wrench.errors import PortError
from wrench.transport import BoardConnection, BoardPorts, attached, choose, open_port

pytestmark = pytest.mark.usefixtures("own_cache")


def usb(device: str, location: str | None, number: str = "e661", vid: int = 0x2E8A) -> object:
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


def test_a_pty_of_a_bench_stands_for_its_board(bench: Registration) -> None:
    chosen = choose("/tmp/none-link")
    assert (chosen.console, chosen.link) == ("/tmp/none-console", "/tmp/none-link")
    assert chosen.key == attached()[0].key
    assert bench.bench.functions == 2


def test_an_unknown_port_is_taken_as_given(plugged: list[object]) -> None:
    assert plugged == []
    assert choose("/dev/ttyS9") == BoardPorts("/dev/ttyS9", "/dev/ttyS9", "/dev/ttyS9")


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

    monkeypatch.setattr(transport, "open_port", fake_open)
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
