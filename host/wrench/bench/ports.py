"""A board's serial functions, offered to other programs as ports.

An `Outlet` joins one serial function of the board to one client at a time, as a USB cable does:
who connects while the function is absent waits for it, and loses the port when the function goes.
Clients come over TCP (`TcpPort`) and through pseudo-terminals (`PtyPort`).
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
from pathlib import Path
from typing import Protocol

from wrench.bench.virtual import VirtualBench
from wrench.errors import BenchError

HELD_BYTES = 65_536
"""What a client that does not read may leave waiting before the host stops reading the board."""

_CHUNK_BYTES = 16_384
# What full-speed USB carries in a step of 5 ms, 19 packets of 64 bytes in a frame (USB 2.0 5-9).
_MOST_BYTES_A_STEP = 5 * 19 * 64


class Client(Protocol):
    """A program at the other end of a port. Its methods never wait."""

    def fileno(self) -> int:
        """For `select`."""
        ...

    def receive(self) -> bytes | None:
        """What it has sent; empty where that is nothing, None when it has gone."""
        ...

    def send(self, data: bytes) -> int | None:
        """Bytes of `data` that it has taken; None when it has gone."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


class Outlet:
    """One serial function of a board, for at most one client at a time.

    DTR is high while a client is there and the function is present. A `VirtualBench` calls
    `received` and `lost`; whoever steps it calls `before_step` before every step.
    """

    def __init__(self, bench: VirtualBench, function: int) -> None:
        self.client: Client | None = None
        self._bench = bench
        self._function = function
        self._attached = False
        self._leaving = False
        self._rested = True
        self._reading = True
        self._to_board = bytearray()
        self._to_client = bytearray()

    @property
    def attached(self) -> bool:
        """True while a client holds the function open."""
        return self._attached

    @property
    def wants_input(self) -> bool:
        """True while `pump` should be called when the client has sent something."""
        return self.client is not None and not self._leaving and len(self._to_board) < _CHUNK_BYTES

    def offer(self, client: Client) -> bool:
        """Let a client in; False, and it is hung up on, where there is one already."""
        if self.client is not None:
            client.close()
            return False
        self.client = client
        return True

    def pump(self) -> None:
        """Take what the client has sent."""
        if self.client is None or self._leaving:
            return
        data = self.client.receive()
        if data is None:
            self._leaving = True
        else:
            self._to_board += data

    def before_step(self) -> None:
        """Let clients in and out, and bytes through."""
        if self.client is None:
            self._rested = True
            return
        here = self._bench.serial_functions > self._function
        wanted = not self._leaving or bool(self._to_board)
        # Between two clients the board must see DTR low for at least one step.
        if here and wanted and self._rested and not self._attached:
            self._attached, self._reading = True, True
            self._bench.attach(self._function, self)
        if self._attached and self._to_board:
            self._send()
        elif self._leaving:
            self._end()
        self._rested = True
        self._flush()

    def received(self, data: bytes) -> None:
        """Bytes from the board."""
        self._to_client += data
        self._flush()

    def lost(self) -> None:
        """The board has gone from the bus: the client's port is gone too."""
        self._flush()
        self._end()

    def close(self) -> None:
        """Hang up on the client."""
        if self.client is not None:
            self._end()

    def _send(self) -> None:
        room = _MOST_BYTES_A_STEP - self._bench.unsent_bytes(self._function)
        if room > 0:
            self._bench.send(self._function, bytes(self._to_board[:room]))
            del self._to_board[:room]
        elif self._leaving:
            self._to_board.clear()  # nobody waits for a board that does not read

    def _flush(self) -> None:
        while self._to_client and self.client is not None and not self._leaving:
            taken = self.client.send(bytes(self._to_client[:_CHUNK_BYTES]))
            if taken is None:
                self._leaving = True
            elif taken == 0:
                break
            else:
                del self._to_client[:taken]
        if self._attached:
            limit = HELD_BYTES if self._reading else HELD_BYTES // 2
            if self._reading != (len(self._to_client) < limit):
                self._reading = not self._reading
                self._bench.hold_reading(self._function, self._reading)

    def _end(self) -> None:
        if self._attached:
            self._bench.detach(self._function)
        if self.client is not None:
            self.client.close()
        self.client = None
        self._attached = self._leaving = self._rested = False
        self._to_board.clear()
        self._to_client.clear()


class Taker(Protocol):
    """What a port hands its clients to."""

    def offer(self, client: Client) -> bool:
        """Let a client in; False where it was hung up on."""
        ...


class TcpPort:
    """A port of this computer (127.0.0.1 alone) that offers an outlet; 0 takes any free one."""

    def __init__(self, number: int, outlet: Taker) -> None:
        self.outlet = outlet
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if os.name == "posix":  # elsewhere the option would let two programs share the port
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", number))
            self._socket.listen(4)
        except OSError as error:
            self._socket.close()
            raise BenchError(
                f"port {number} cannot be used ({error.strerror}); choose another with --port"
            ) from error
        self._socket.setblocking(False)
        self.number: int = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        """What pyserial, `mpremote connect` and `--port` take."""
        return f"socket://127.0.0.1:{self.number}"

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def accept(self) -> None:
        """Let the program that has connected in, or hang up on it."""
        try:
            connection, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return
        self.outlet.offer(_TcpClient(connection))

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


class _TcpClient:
    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The kernel's own buffer would else hide for minutes that nobody reads.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CHUNK_BYTES)

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> bytes | None:
        try:
            return self._socket.recv(_CHUNK_BYTES) or None
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError:
            return None

    def send(self, data: bytes) -> int | None:
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            return None

    def close(self) -> None:
        # What is unread at close becomes a reset, which would destroy bytes that are on their way.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            while self._socket.recv(_CHUNK_BYTES):
                pass
        self._socket.close()


def pty_needed() -> None:
    """Raises BenchError on a system without pseudo-terminals."""
    if sys.platform == "win32":
        raise BenchError(
            "this system has no pseudo-terminals; leave out --pty and use the socket:// ports"
        )


class PtyPort:
    """A pseudo-terminal that offers an outlet: a serial device to every program.

    `path` names the same port for as long as the bench runs; `device` is where it leads now, and
    changes when a program loses it, as a real board's name may. Linux and macOS only.
    """

    def __init__(self, path: Path, outlet: Outlet) -> None:
        pty_needed()
        self.outlet = outlet
        self.path = path
        self._master = -1
        self._lent = False
        self._renew()

    def poll(self) -> None:
        """See whether a program has opened the port."""
        if self._lent:
            return
        watcher = select.poll()
        watcher.register(self._master, select.POLLIN)
        events = watcher.poll(0)
        if any(event & select.POLLHUP and not event & select.POLLIN for _, event in events):
            return
        self._lent = True
        self.outlet.offer(_PtyClient(self._master, self))

    def returned(self, hung_up: bool) -> None:
        """The program has closed the port, or is to lose it."""
        self._lent = False
        if hung_up or not self._forget_unread():
            self._renew()

    def close(self) -> None:
        """Take the port away."""
        self.path.unlink(missing_ok=True)
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def _renew(self) -> None:
        import pty  # noqa: PLC0415  (Windows has none of these)
        import tty  # noqa: PLC0415

        if self._master >= 0:
            os.close(self._master)
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self.device = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        staged = self.path.with_suffix(".new")
        staged.unlink(missing_ok=True)
        staged.symlink_to(self.device)
        staged.replace(self.path)

    def _forget_unread(self) -> bool:
        """What the last program left unread is not for the next one."""
        import termios  # noqa: PLC0415

        try:
            slave = os.open(self.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:
            return False
        try:
            termios.tcflush(slave, termios.TCIOFLUSH)
        finally:
            os.close(slave)
        return True


class _PtyClient:
    def __init__(self, master: int, port: PtyPort) -> None:
        self._master = master
        self._port = port
        self._gone = False

    def fileno(self) -> int:
        return self._master

    def receive(self) -> bytes | None:
        try:
            data = os.read(self._master, _CHUNK_BYTES)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError:
            data = b""
        self._gone = not data
        return data or None

    def send(self, data: bytes) -> int | None:
        try:
            return os.write(self._master, data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._gone = True
            return None

    def close(self) -> None:
        self._port.returned(hung_up=not self._gone)
