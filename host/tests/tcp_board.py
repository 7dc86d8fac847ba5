"""A board behind a TCP port, as a bench serves it, that does as told: for tests with processes."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from scripted_board import KINDS, command_of, data_frame

from wrench_firmware import wire

PATIENCE_S = 30.0
STATUS_EVERY_S = 0.04


class TcpBoard:
    """Serves one program at a time; hangs up on a second one, as a bench does.

    It sends a status frame 25 times a second and answers every command but a heartbeat, unless
    `answers` is cleared. `left_behind` is what the program before has left unfinished. `heard`
    holds the commands with their sequence and arguments, `opened` how often a program came, `left`
    when the last one went (of the clock).
    """

    def __init__(self) -> None:
        self.heard: list[tuple[str, int, tuple[int, ...]]] = []
        self.garbage: list[bytes] = []
        self.opened = 0
        self.left: float | None = None
        self.answers = True
        self.left_behind = b""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self._client: socket.socket | None = None
        self._sequence = 0
        self._lock = threading.Lock()
        self._over = False
        self._threads = [threading.Thread(target=task) for task in (self._serve, self._tell)]
        for thread in self._threads:
            thread.start()

    def send(self, name: str, **values: Any) -> None:
        """Send a frame, numbered and stamped."""
        with self._lock:
            frame = data_frame(name, self._sequence, time.monotonic_ns() // 1000, **values)
            self._sequence += 1
            if self._client is not None:
                try:
                    self._client.sendall(frame)
                except OSError:
                    return

    def names(self) -> list[str]:
        """The names of the commands heard."""
        return [name for name, _, _ in self.heard]

    def vanish(self) -> None:
        """The port is gone, as at a reset; the next program finds it again."""
        with self._lock:
            if self._client is not None:
                with contextlib.suppress(OSError):
                    self._client.shutdown(socket.SHUT_RDWR)

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        """Wait until it holds."""
        until = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True

    def close(self) -> None:
        """Hang up and stop serving."""
        self._over = True
        self._server.close()
        self.vanish()
        for thread in self._threads:
            thread.join()

    def _tell(self) -> None:
        while not self._over:
            self.send("status", mode=wire.MODES.index("idle"))
            time.sleep(STATUS_EVERY_S)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            self._server.settimeout(0.1)
        while not self._over:
            try:
                client, _ = self._server.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.opened += 1
            with self._lock:
                self._client = client
            self._attend(client)
            with self._lock:
                self._client = None
            client.close()
            self.left = time.monotonic()

    def _attend(self, client: socket.socket) -> None:
        held = self.left_behind
        client.settimeout(0.1)
        while not self._over:
            self._turn_away()
            try:
                data = client.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return
            *frames, held = (held + data).split(b"\0")
            for frame in filter(None, frames):
                self._hear(frame)

    def _turn_away(self) -> None:
        with contextlib.suppress(OSError):  # nobody, or closed by close() in between
            self._server.settimeout(0.0)
            self._server.accept()[0].close()
        with contextlib.suppress(OSError):
            self._server.settimeout(0.1)

    def _hear(self, frame: bytes) -> None:
        try:
            name, sequence, arguments = command_of(frame)
        except Exception:
            self.garbage.append(frame)
            return
        self.heard.append((name, sequence, arguments))
        if not self.answers:
            return
        if name == "hello":
            self.send("greeting", version=wire.VERSION, schema_hash=wire.schema_hash())
        if name != "heartbeat":
            self.send("reply", command=KINDS[name], command_sequence=sequence)
