"""What a hub and its clients say to each other: a letter, and what belongs to it.

Messages travel over `multiprocessing.connection`, whose handshake proves on both sides that the
other knows the hub's key. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from typing import Protocol, cast

WELCOME = b"w"  # from the hub, first: JSON, {"client": number, "port": name}
DATA = b"d"  # from the hub: whole frames of the board; from a client: commands
GOODBYE = b"g"  # from the hub, last: a sentence
LET_GO = b"l"  # from a client: end now, if nobody else is there

MOST_DATA_BYTES = 65_536
MOST_COMMAND_BYTES = 4096


class End(Protocol):
    """An end of a connection: a socket's here, a pipe's on Windows."""

    def fileno(self) -> int: ...
    def poll(self, timeout: float | None = 0.0, /) -> bool: ...
    def recv_bytes(self, maxlength: int | None = None, /) -> bytes: ...
    def send_bytes(self, buf: bytes, /) -> None: ...
    def close(self) -> None: ...


def greet_client(end: End, authkey: str) -> None:
    """The hub's side of the handshake; raises AuthenticationError, EOFError or OSError."""
    key, connection = bytes.fromhex(authkey), cast(Connection, end)
    deliver_challenge(connection, key)
    answer_challenge(connection, key)


def greet_hub(end: End, authkey: str) -> None:
    """The client's side of it."""
    key, connection = bytes.fromhex(authkey), cast(Connection, end)
    answer_challenge(connection, key)
    deliver_challenge(connection, key)


def welcome(client: int, port: str) -> bytes:
    """A hub's first message."""
    return WELCOME + json.dumps({"client": client, "port": port}).encode()


def client_number(message: bytes) -> int:
    """The number in a welcome. Raises ValueError where it is none."""
    try:
        return int(json.loads(message[1:])["client"])
    except (KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError("no welcome") from error
