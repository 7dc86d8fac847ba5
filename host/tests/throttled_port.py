"""A slow line between a host and a port: bytes pass at a modem's pace, one way or the other."""

from __future__ import annotations

import socket
import threading
import time

_PIECE_S = 0.02


class ThrottledPort:
    """A TCP port of this computer that passes everything on to another one, `bytes_per_s` at most
    towards the host; 5,760 is what a line of 57,600 bit/s carries.
    """

    def __init__(self, host: str, number: int, bytes_per_s: float) -> None:
        self._target = (host, number)
        self._piece = max(1, round(bytes_per_s * _PIECE_S))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._over = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._over = True
        self._listener.close()

    def _accept(self) -> None:
        while not self._over:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            board = socket.socket()
            board.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # a slow line holds little
            try:
                board.connect(self._target)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._slowly, args=(board, client), daemon=True).start()
            threading.Thread(target=self._at_once, args=(client, board), daemon=True).start()

    def _slowly(self, board: socket.socket, client: socket.socket) -> None:
        due = time.monotonic()
        try:
            while data := board.recv(self._piece):
                client.sendall(data)
                due = max(due, time.monotonic() - _PIECE_S) + _PIECE_S * len(data) / self._piece
                time.sleep(max(0.0, due - time.monotonic()))
        except OSError:
            pass
        _hang_up(client, board)

    def _at_once(self, client: socket.socket, board: socket.socket) -> None:
        try:
            while data := client.recv(4096):
                board.sendall(data)
        except OSError:
            pass
        _hang_up(client, board)


def _hang_up(*sockets: socket.socket) -> None:
    for each in sockets:
        each.close()
