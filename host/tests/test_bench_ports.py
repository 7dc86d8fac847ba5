"""Ports of a served board, without a board: who gets in, what reaches whom, what a loss does."""

from __future__ import annotations

import os
import socket
import sys
import termios
import time
from pathlib import Path
from typing import cast

import pytest

from wrench.bench.ports import HELD_BYTES, Outlet, PtyPort, TcpPort
from wrench.bench.virtual import SerialEnd, VirtualBench
from wrench.errors import BenchError


class FakeBench:
    """The part of a bench that an outlet uses: it shows functions and notes what is done to it."""

    def __init__(self) -> None:
        self.serial_functions = 2
        self.unsent = 0
        self.sent = b""
        self.end: SerialEnd | None = None
        self.reading = True
        self.dtr: list[bool] = []

    def attach(self, function: int, port: SerialEnd) -> None:
        del function
        self.end = port
        self.dtr.append(True)

    def detach(self, function: int) -> None:
        del function
        self.end = None
        self.dtr.append(False)

    def hold_reading(self, function: int, reading: bool) -> None:
        del function
        self.reading = reading

    def send(self, function: int, data: bytes) -> None:
        del function
        self.sent += data

    def unsent_bytes(self, function: int) -> int:
        del function
        return self.unsent


class Desk:
    """An outlet with its TCP port, and programs that connect to it."""

    def __init__(self) -> None:
        self.bench = FakeBench()
        self.outlet = Outlet(cast(VirtualBench, self.bench), 1)
        self.port = TcpPort(0, self.outlet)
        self.programs: list[socket.socket] = []

    def connect(self) -> socket.socket:
        program = socket.create_connection(("127.0.0.1", self.port.number))
        program.settimeout(2)
        self.programs.append(program)
        self.port.accept()
        return program

    def step(self, count: int = 1) -> None:
        for _ in range(count):
            time.sleep(0.002)  # what a program has sent is on its way through the kernel
            if self.outlet.wants_input:
                self.outlet.pump()
            self.outlet.before_step()

    def close(self) -> None:
        for program in self.programs:
            program.close()
        self.outlet.close()
        self.port.close()


@pytest.fixture
def desk():
    made = Desk()
    yield made
    made.close()


def test_bytes_go_both_ways_and_dtr_is_high_while_a_program_is_there(desk: Desk) -> None:
    program = desk.connect()
    program.sendall(b"to the board")
    desk.step(2)
    assert desk.bench.sent == b"to the board"
    assert desk.bench.end is not None
    desk.bench.end.received(b"to the program")
    assert program.recv(100) == b"to the program"
    program.close()
    desk.step(3)
    assert desk.bench.dtr == [True, False]


def test_who_comes_before_the_function_shows_is_held_with_what_it_sends(desk: Desk) -> None:
    desk.bench.serial_functions = 1
    desk.connect().sendall(b"early")
    desk.step(3)
    assert desk.bench.dtr == []
    assert desk.bench.sent == b""
    desk.bench.serial_functions = 2
    desk.step()
    assert desk.bench.dtr == [True]
    assert desk.bench.sent == b"early"


def test_a_second_program_is_hung_up_on_and_the_first_keeps_the_port(desk: Desk) -> None:
    first = desk.connect()
    desk.step()
    second = desk.connect()
    assert second.recv(1) == b""
    assert desk.bench.end is not None
    desk.bench.end.received(b"x")
    assert first.recv(1) == b"x"
    assert desk.bench.dtr == [True]


def test_a_board_that_goes_takes_its_ports_with_it_after_what_it_said_last(desk: Desk) -> None:
    program = desk.connect()
    desk.step()
    program.sendall(b"unread by the board")
    time.sleep(0.01)
    assert desk.bench.end is not None
    desk.bench.end.received(b"bye")
    desk.outlet.lost()
    assert program.recv(100) == b"bye"
    assert program.recv(100) == b""
    assert desk.bench.dtr == [True, False]


def test_what_a_program_sends_before_it_closes_arrives_before_dtr_falls(desk: Desk) -> None:
    program = desk.connect()
    desk.step()
    program.sendall(b"stop")
    program.close()
    time.sleep(0.01)
    desk.outlet.pump()
    desk.outlet.pump()
    desk.outlet.before_step()
    assert desk.bench.sent == b"stop"
    assert desk.bench.dtr == [True]
    desk.step()
    assert desk.bench.dtr == [True, False]


def test_the_board_sees_dtr_low_between_two_programs(desk: Desk) -> None:
    desk.connect()
    desk.step()
    desk.outlet.close()
    desk.connect()
    before = list(desk.bench.dtr)
    desk.outlet.before_step()
    assert desk.bench.dtr == before, "the step after the first program has DTR low"
    desk.outlet.before_step()
    assert desk.bench.dtr == [*before, True]


def test_a_program_that_does_not_read_makes_the_host_stop_reading_the_board(desk: Desk) -> None:
    program = desk.connect()
    desk.step()
    sent = 0
    while desk.bench.reading:
        assert sent < 64 * HELD_BYTES, "the outlet took everything without end"
        assert desk.bench.end is not None
        desk.bench.end.received(bytes(4096))
        sent += 4096
    assert sent >= HELD_BYTES
    got = 0
    until = time.monotonic() + 5
    while not desk.bench.reading and time.monotonic() < until:
        got += len(program.recv(65_536))
        desk.outlet.before_step()
    assert desk.bench.reading
    while got < sent:
        got += len(program.recv(65_536))
        desk.outlet.before_step()
    assert got == sent, "nothing is lost on the way"


def test_a_board_that_does_not_read_makes_a_program_wait(desk: Desk) -> None:
    program = desk.connect()
    desk.step()
    desk.bench.unsent = 1 << 20
    program.setblocking(False)
    sent, taken = 0, 1
    while taken:
        assert sent < 32 << 20, "the outlet takes everything without end"
        try:
            taken = program.send(bytes(65_536))
        except BlockingIOError:
            taken = 0
        sent += taken
        desk.step()
    assert desk.bench.sent == b""


def test_a_port_that_is_taken_is_told_with_its_number(desk: Desk) -> None:
    with pytest.raises(BenchError, match=rf"port {desk.port.number} cannot be used"):
        TcpPort(desk.port.number, desk.outlet)


# ---- pseudo-terminals ----------------------------------------------------------------------------


@pytest.fixture
def pty_port(tmp_path: Path):
    if sys.platform == "win32":
        pytest.skip("no pseudo-terminals here")
    bench = FakeBench()
    port = PtyPort(tmp_path / "console", Outlet(cast(VirtualBench, bench), 0))
    yield port, bench
    port.outlet.close()
    port.close()


def _turn(port: PtyPort, count: int = 2) -> None:
    for _ in range(count):
        port.poll()
        if port.outlet.wants_input:
            port.outlet.pump()
        port.outlet.before_step()


def _open(path: str | Path) -> int:
    return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


def test_opening_a_pty_raises_dtr_and_closing_it_drops_it(
    pty_port: tuple[PtyPort, FakeBench],
) -> None:
    port, bench = pty_port
    _turn(port)
    assert bench.dtr == []
    device = port.device
    slave = _open(port.path)
    os.write(slave, b"\x03\x04\r\n\xff")
    _turn(port)
    assert bench.dtr == [True]
    assert bench.sent == b"\x03\x04\r\n\xff", "a raw terminal changes no byte"
    assert not termios.tcgetattr(slave)[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
    os.close(slave)
    _turn(port)
    assert bench.dtr == [True, False]
    assert port.device == device, "who closes a port finds it again under the same name"


def test_what_one_program_left_unread_is_not_for_the_next(
    pty_port: tuple[PtyPort, FakeBench],
) -> None:
    port, bench = pty_port
    slave = _open(port.path)
    _turn(port)
    assert bench.end is not None
    bench.end.received(b"old")
    os.close(slave)
    _turn(port)
    slave = _open(port.path)
    _turn(port, 3)
    assert bench.end is not None
    bench.end.received(b"new")
    assert os.read(slave, 100) == b"new"
    os.close(slave)


def test_a_lost_board_hangs_up_the_pty_and_its_name_leads_to_the_next(
    pty_port: tuple[PtyPort, FakeBench],
) -> None:
    port, bench = pty_port
    slave = _open(port.path)
    _turn(port)
    port.outlet.lost()
    assert os.read(slave, 1) == b""
    with pytest.raises(OSError, match="Input/output error"):
        os.write(slave, b"x")
    again = _open(port.path)
    os.write(again, b"hello")
    _turn(port, 3)
    assert bench.sent == b"hello"
    os.close(again)
    os.close(slave)
