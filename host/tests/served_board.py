"""A live scripted board behind a TCP port, for programs of their own process."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from live_board import LiveBoard

from wrench.errors import PortError

_LOOK_S = 0.01


class ServedBoard:
    """Serves one connection at a time, from its making until `close`; a closed link stops a run
    that it owns, as a board does it. Where it `holds_bytes`, it drops and counts the frames for
    which it has no room until the host has taken others, as a board does it too."""

    def __init__(self, holds_bytes: int | None = None) -> None:
        self.board = LiveBoard(time.monotonic)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._over = False
        self._holds_bytes = holds_bytes
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> ServedBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._listener.close()
        self._thread.join()

    def heard(self) -> set[str]:
        """Names of the commands that have come."""
        return {name for _, name, _ in self.board.heard}

    def _serve(self) -> None:
        self._listener.settimeout(0.1)
        while not self._over:
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with client, contextlib.suppress(OSError, PortError):
                client.settimeout(_LOOK_S)
                self._attend(client)
            if self.board.mode in ("starting", "running", "limiting"):
                self.board.trip("link lost")

    def _attend(self, client: socket.socket) -> None:
        if self._holds_bytes is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._holds_bytes)
        board = self.board.open()
        held, leaving = b"", b""
        while not self._over:
            try:
                data = client.recv(4096)
                if not data:
                    return
                *whole, held = (held + data).split(b"\0")
                for frame in whole:
                    board.write(frame + b"\0")
            except TimeoutError:
                pass
            if size := board.in_waiting:
                frames = board.read(size)
                if self._holds_bytes is None or len(leaving) < self._holds_bytes:
                    leaving += frames
                else:
                    board.dropped_frames += frames.count(b"\0")
            if leaving:
                with contextlib.suppress(TimeoutError):
                    leaving = leaving[client.send(leaving) :]
