"""A port over TCP, with pyserial's methods: what a virtual bench serves.

pyserial's own `socket://` reads byte by byte and cannot tell how much is waiting.
"""

from __future__ import annotations

import select
import socket
import time
from urllib.parse import urlsplit

from wrench.errors import PortError

_CONNECT_S = 3.0
_REFUSAL_S = 0.05
_WRITE_S = 5.0
_CHUNK_BYTES = 65_536


class TcpPort:
    """An open connection to `url`, `socket://HOST:PORT`.

    `timeout` is that of `read`, in seconds of the clock; None waits for ever. Every method raises
    PortError when the other end has gone; what it sent before is read first.

    Raises PortError where nobody listens, or another program has the port: a bench hangs up on the
    second one at once.
    """

    def __init__(self, url: str, timeout: float | None = 1.0) -> None:
        self.port = url
        self.timeout = timeout
        self._buffer = bytearray()
        self._gone = False
        host, number = _address(url)
        try:
            self._socket = socket.create_connection((host, number), timeout=_CONNECT_S)
        except ConnectionRefusedError as error:
            raise PortError(
                f"nothing listens at {url}; start a board with `wrench bench up`"
            ) from error
        except OSError as error:
            raise PortError(
                f"cannot reach {url} ({error.strerror or error}); check host and port"
            ) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._heard = False
        self._wait(_REFUSAL_S)
        if self._gone and not self._heard:
            self.close()
            raise _busy(url)

    @property
    def in_waiting(self) -> int:
        """Bytes that `read` returns without waiting."""
        if not self._buffer:
            self._wait(0.0)
            if not self._buffer:
                self._check()
        return len(self._buffer)

    def inWaiting(self) -> int:  # noqa: N802  (pyserial's old name, which mpremote uses)
        """Same as `in_waiting`."""
        return self.in_waiting

    def read(self, size: int = 1) -> bytes:
        """`size` bytes, or fewer when `timeout` passes before they have come."""
        until = None if self.timeout is None else time.monotonic() + self.timeout
        while len(self._buffer) < size:
            if self._gone and self._buffer:
                break
            self._check()
            left = None if until is None else until - time.monotonic()
            if left is not None and left < 0.0:
                break
            self._wait(left)
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def write(self, data: bytes) -> int:
        """Send all of `data`."""
        self._check()
        rest = memoryview(data)
        until = time.monotonic() + _WRITE_S
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except (BlockingIOError, InterruptedError):
                left = until - time.monotonic()
                if left < 0.0:
                    raise PortError(
                        f"{self.port} takes no more bytes; end the bench with Ctrl-C and start it "
                        "again"
                    ) from None
                select.select([], [self._socket], [], left)
            except OSError as error:
                self._gone = True
                raise self._lost() from error
        return len(data)

    def reset_input_buffer(self) -> None:
        """Forget what has come."""
        self._wait(0.0)
        self._buffer.clear()

    def close(self) -> None:
        """Hang up."""
        self._gone = True
        self._socket.close()

    def _wait(self, limit_s: float | None) -> None:
        """Take what comes, and wait for it that long."""
        if self._gone:
            return
        readable, _, _ = select.select([self._socket], [], [], limit_s)
        if not readable:
            return
        try:
            data = self._socket.recv(_CHUNK_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        self._buffer += data
        self._heard = self._heard or bool(data)
        self._gone = not data

    def _check(self) -> None:
        if self._gone:
            raise self._lost()

    def _lost(self) -> PortError:
        if not self._heard:
            return _busy(self.port)
        return PortError(
            f"{self.port} has gone (the board was reset, unplugged or its bench has ended); "
            "try again"
        )


def _busy(url: str) -> PortError:
    return PortError(f"{url} is in use by another program; close that one and try again")


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    try:
        number = parts.port
    except ValueError:
        number = None
    if not parts.hostname or number is None:
        raise PortError(f"{url} is no address; write it as socket://127.0.0.1:5310")
    return parts.hostname, number
