"""A board's link through its hub: finding the hub, starting it where there is none, and the port
that its client has.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from typing import Any

from wrench.errors import PortError
from wrench.sharing import messages
from wrench.sharing.messages import End
from wrench.sharing.place import PROTOCOL, Hub, Place, SharingError, running
from wrench.sharing.queues import numbers_of

_PATIENCE_S = 10.0
_ANSWER_S = 5.0
_LOOK_EVERY_S = 0.02
_LET_GO_S = 2.0

_started: list[subprocess.Popen[Any]] = []  # so that Python does not complain that they live


class SharedPort:
    """A board's link, shared with other processes through the hub at `connection`; as
    `wrench.transport.Port`, on the clock.

    `sequences` are the numbers that commands sent through it must have: replies to others are not
    for this client. Every method raises PortError, with what the hub said last, once it is over;
    what came before is read first.

    Making one raises PortError where the hub has no place, EOFError or OSError where it goes.
    """

    def __init__(self, connection: End, hub: Hub, url: str) -> None:
        self.port = url
        self.timeout: float | None = 1.0
        self.hub = hub
        self._connection = connection
        self._buffer = bytearray()
        self._gone: str | None = None
        if not connection.poll(_ANSWER_S):
            raise EOFError
        message = connection.recv_bytes(messages.MOST_COMMAND_BYTES)
        if message.startswith(messages.GOODBYE):
            raise PortError(message[1:].decode(errors="replace"))
        self.sequences = numbers_of(messages.client_number(message))

    @property
    def in_waiting(self) -> int:
        """Bytes that `read` returns without waiting."""
        if not self._buffer:
            self._take(0.0)
            if not self._buffer:
                self._check()
        return len(self._buffer)

    def read(self, size: int = 1) -> bytes:
        """`size` bytes, or fewer when `timeout` passes before they have come."""
        until = None if self.timeout is None else time.monotonic() + self.timeout
        while len(self._buffer) < size:
            if self._gone is not None and self._buffer:
                break
            self._check()
            left = None if until is None else until - time.monotonic()
            if left is not None and left < 0.0:
                break
            self._take(left)
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def write(self, data: bytes) -> int:
        """Send commands."""
        self._check()
        try:
            self._connection.send_bytes(messages.DATA + data)
        except OSError as error:
            # Why it is over may wait behind what has not been read.
            while self._gone is None:
                self._take(None)
            raise PortError(self._gone) from error
        return len(data)

    def close(self) -> None:
        """Leave the hub."""
        self._connection.close()
        self._gone = self._gone or f"{self.port} is closed"

    def ask_to_let_go(self) -> str:
        """Have the hub end, and leave it; returns why it does not."""
        sentence = ""
        with contextlib.suppress(EOFError, OSError):
            self._connection.send_bytes(messages.LET_GO)
            while self._connection.poll(_ANSWER_S):
                message = self._connection.recv_bytes()
                if message.startswith(messages.GOODBYE):
                    sentence = message[1:].decode(errors="replace")
                    break
        self.close()
        return sentence

    def _take(self, limit_s: float | None) -> None:
        """What comes, waiting for it that long."""
        if self._gone is not None:
            return
        try:
            if not self._connection.poll(limit_s):
                return
            message = self._connection.recv_bytes()
        except (EOFError, OSError):
            self._gone = (
                f"the process that shared {self.port} with other wrench commands has ended; the "
                "board stops a run of its own accord; try again"
            )
            return
        if message.startswith(messages.DATA):
            self._buffer += memoryview(message)[1:]
        elif message.startswith(messages.GOODBYE):
            self._gone = message[1:].decode(errors="replace") or (
                f"{self.port} is not shared any more; try again"
            )

    def _check(self) -> None:
        if self._gone is not None:
            raise PortError(self._gone)


def connect(url: str) -> SharedPort:
    """Open a port through its hub, which is started where there is none.

    Raises PortError where the port cannot be opened, SharingError where sharing is impossible here.
    """
    place = Place(url)
    until = time.monotonic() + _PATIENCE_S
    started = False
    while True:
        shared = _join(place)
        if shared is not None:
            return shared
        if started and (complaint := place.complaint()):
            raise PortError(complaint)
        if time.monotonic() > until:
            raise PortError(f"{url} is being opened and closed by other wrench commands; try again")
        started = _start(place) == "ready"
        if not started:
            time.sleep(_LOOK_EVERY_S)


def let_go(url: str) -> None:
    """Have the hub of a port, if there is one, close it now instead of a little later. Raises
    PortError where other processes use it."""
    try:
        place = Place(url)
    except SharingError:
        return
    until = time.monotonic() + _LET_GO_S
    refused = ""
    # A client that has just left may be known for a moment longer.
    while (shared := _join(place)) is not None:
        refused = shared.ask_to_let_go() or refused
        if time.monotonic() > until:
            raise PortError(refused or f"process {shared.hub.pid} does not give {url} free; end it")
        time.sleep(_LOOK_EVERY_S)
    while any(hub.port == place.key for hub in running()) and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)


def _join(place: Place) -> SharedPort | None:
    """A place at the hub of a port; None where there is no hub any more."""
    hub = place.hub()
    if hub is None:
        return None
    if hub.protocol != PROTOCOL:
        if not place.is_held():
            return None  # it has been killed, and its traces are cleared away by the next one
        raise PortError(
            f"{place.url} is shared by another version of wrench (process {hub.pid}); end its "
            "commands and try again"
        )
    try:
        connection = Client(hub.address)
    except (OSError, EOFError):
        return None
    try:
        if not connection.poll(_ANSWER_S):
            raise PortError(
                f"the process that shares {place.url}, {hub.pid}, does not answer; end it and try "
                "again"
            )
        messages.greet_hub(connection, hub.authkey)
        return SharedPort(connection, hub, place.url)
    except (EOFError, OSError, ValueError, AuthenticationError):
        connection.close()
        return None
    except PortError:
        connection.close()
        raise


def _start(place: Place) -> str:
    """Start a hub and wait until it has the port: "ready", or "taken" where another one has it."""
    if not sys.executable:
        raise SharingError("no Python to start a hub with")
    command = [sys.executable, "-P", "-m", "wrench.sharing.hub", place.url]
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        apart = {"creationflags": flags}
    try:
        descriptor = os.open(place.complaints, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as complaints:
            hub = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                **apart,
            )
    except OSError as error:
        raise SharingError(f"no hub can be started ({error})") from error
    assert hub.stdout
    with hub.stdout:
        line = hub.stdout.readline()
    if sys.platform == "win32":
        _started.append(hub)
    else:
        hub.wait()  # what was started has started another one and ended
    try:
        told = json.loads(line)
        state, sentence = str(told["state"]), str(told["sentence"])
    except (ValueError, KeyError, TypeError) as error:
        raise SharingError(f"the hub failed; see {place.complaints}") from error
    if state == "refused":
        raise PortError(sentence)
    if state == "failed":
        raise SharingError(sentence)
    return state
