"""A hub: the process that holds a board's link open and shares it. `python -m wrench.sharing.hub
URL` becomes one; `client.connect` starts it.

Threads, because they are all that waits alike for a serial port and a pipe on every system: one
reads the port, one writes to it, one lets clients in, and each client has one that listens to it
and one that sends to it. A thread that fails ends the hub: the board then sees its link close.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Listener

from wrench.errors import PortError
from wrench.framing import END
from wrench.sharing import messages
from wrench.sharing.messages import End
from wrench.sharing.place import Hub as Entry
from wrench.sharing.place import Place, SharingError
from wrench.sharing.queues import (
    MOST_CLIENTS,
    CommandQueue,
    Outbox,
    Splitter,
    command_of,
    numbers_of,
    replied_sequence,
)
from wrench.transport import Port, open_port
from wrench_firmware import wire

LINGER_S = 1.0
"""How long a hub outlives its last client; one that owned a run it does not outlive."""

OUTBOX_BYTES = 1_000_000
"""What may wait for a client: 5 s of the widest waveform."""

_FIRST_CLIENT_S = 10.0
_LOCK_S = 1.0
_FAREWELL_S = 1.0
_READ_S = 0.2
_BACKLOG = 16
# As `link.Decoder`: what is longer is no frame.
_LONGEST_DATA = 2 * wire.MAX_DATA_BYTES
_LONGEST_COMMAND = 2 * wire.MAX_COMMAND_BYTES

_STOPPED = "another command has stopped the motor before this one could start it; start it again"
_TOO_FAST = "this command asks for more than the board can answer, and was cut off; try again"
_TOO_MANY = f"{MOST_CLIENTS} commands share {{port}} already; end one and try again"
_SHARED = "{port} is in use by {others} other wrench command{s}; end what runs and try again"


class Client:
    """One process at the other end of a connection."""

    def __init__(self, number: int, connection: End) -> None:
        self.number = number
        self.numbers = numbers_of(number)
        self.connection = connection
        self.splitter = Splitter(_LONGEST_COMMAND, garbage=False)
        self.owns_run = False
        self._news = threading.Condition()
        self._outbox = Outbox(OUTBOX_BYTES)
        self._goodbye: str | None = None

    def put(self, frames: list[bytes]) -> None:
        """Frames of the board."""
        with self._news:
            if self._goodbye is None:
                self._outbox.put(frames)
                self._news.notify()

    def dismiss(self, sentence: str) -> None:
        """End it, once it has had what waits for it."""
        with self._news:
            if self._goodbye is None:
                self._goodbye = sentence
                self._news.notify()

    @property
    def dismissed(self) -> bool:
        """True once it is to be ended."""
        return self._goodbye is not None

    def send(self) -> None:
        """Send what there is, until it has been dismissed or has gone."""
        with contextlib.suppress(OSError):
            while True:
                with self._news:
                    while not self._outbox and self._goodbye is None:
                        self._news.wait()
                    data = self._outbox.take(messages.MOST_DATA_BYTES)
                if data:
                    self.connection.send_bytes(messages.DATA + data)
                elif self._goodbye is not None:
                    self.connection.send_bytes(messages.GOODBYE + self._goodbye.encode())
                    break
        hang_up(self.connection)


class Hub:
    """Shares `port` with the clients that come to `listener`.

    `run` returns when the last client has gone, or raises what the port raised. Nothing of a
    client's that is no whole frame reaches the board, and nothing that a client does, or fails to
    do, holds up the port or another client.
    """

    def __init__(self, port: Port, listener: Listener, entry: Entry) -> None:
        self._port = port
        self._listener = listener
        self._entry = entry
        self._clients: dict[int, Client] = {}
        self._last_number = 0
        self._state = threading.Condition()
        self._empty_until_s = time.monotonic() + _FIRST_CLIENT_S
        self._ended: str | None = None
        self._senders: dict[int, threading.Thread] = {}
        self._commands = CommandQueue()
        self._work = threading.Condition()

    def run(self) -> None:
        """Serve until the port goes, or nobody has been there for `LINGER_S`."""
        for task in (self._read, self._write, self._let_in):
            self._start(task)
        with self._state:
            while self._ended is None:
                left_s = None if self._clients else self._empty_until_s - time.monotonic()
                if left_s is not None and left_s <= 0.0:
                    self._ended = ""
                else:
                    self._state.wait(left_s)

    @property
    def ended(self) -> str:
        """Why it is over; "" where nobody needs it any more, or it is not over."""
        return self._ended or ""

    @property
    def met_nobody(self) -> bool:
        """True where no client has ever been there."""
        return self._last_number == 0

    def say_goodbye(self) -> None:
        """Tell every client why it is over; `run` has returned and the port is closed."""
        with self._state:
            clients = list(self._clients.values())
        for client in clients:
            client.dismiss(self.ended)
        until = time.monotonic() + _FAREWELL_S
        for sender in list(self._senders.values()):
            sender.join(max(0.0, until - time.monotonic()))

    def _start(self, task: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                task()
            except PortError as error:
                self._end(str(error))
            except BaseException:
                traceback.print_exc()
                self._end(f"what shares {self._port.port} with others has failed; try again")

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def _end(self, why: str) -> None:
        with self._state:
            if self._ended is None:
                self._ended = why
                self._state.notify_all()
        with self._work:
            self._work.notify_all()

    # ---- the port --------------------------------------------------------------------------------
    def _read(self) -> None:
        splitter = Splitter(_LONGEST_DATA, garbage=True)
        while self._ended is None:
            data = self._port.read(1)
            if not data:
                continue
            data += self._port.read(self._port.in_waiting)
            frames = splitter.feed(data)
            with self._state:
                clients = list(self._clients.values())
            for client in clients:
                client.put(frames)
            replied = [s for s in map(replied_sequence, frames) if s is not None]
            if replied:
                with self._work:
                    for sequence in replied:
                        self._commands.answered(sequence)
                    self._work.notify()

    def _write(self) -> None:
        self._port.write(END)  # whoever was there before may have left half a frame behind
        while self._ended is None:
            with self._work:
                coded = self._commands.take(time.monotonic())
                if coded is None:
                    self._work.wait(self._commands.wait_s(time.monotonic()))
            if coded is not None:
                self._port.write(coded)

    # ---- clients ---------------------------------------------------------------------------------
    def _let_in(self) -> None:
        while self._ended is None:
            try:
                connection = self._listener.accept()
            except (EOFError, ConnectionError):
                continue  # it has gone again
            # One that says nothing must not keep the next one out.
            self._start(lambda connection=connection: self._meet(connection))

    def _meet(self, connection: End) -> None:
        try:
            messages.greet_client(connection, self._entry.authkey)
        except Exception:  # whoever it is, it is none of ours: what it said may be anything
            connection.close()
            return
        client = self._enter(connection)
        if client is None:
            connection.close()
            return
        try:
            self._listen(client)
        except (EOFError, OSError):
            pass  # it has gone, or speaks no sense
        finally:
            self._leave(client)

    def _enter(self, connection: End) -> Client | None:
        """A client with a number that was not another's lately; None where there is no place."""
        with self._state:
            if self._ended is not None:
                return None
            free = [n for n in range(1, MOST_CLIENTS + 1) if n not in self._clients]
            number = next((n for n in free if n > self._last_number), free[0] if free else None)
            with contextlib.suppress(OSError):
                if number is None:
                    sentence = _TOO_MANY.format(port=self._port.port)
                    connection.send_bytes(messages.GOODBYE + sentence.encode())
                    return None
                connection.send_bytes(messages.welcome(number, str(self._port.port)))
                client = Client(number, connection)
                self._clients[number] = client
                self._last_number = number
                self._senders[number] = self._start(client.send)
                return client
        return None

    def _leave(self, client: Client) -> None:
        client.dismiss("")
        with self._work:
            self._commands.forget(client.number)
            self._work.notify()
        self._senders[client.number].join(_FAREWELL_S)
        hang_up(client.connection)
        self._senders[client.number].join()
        client.connection.close()
        with self._state:
            del self._clients[client.number], self._senders[client.number]
            if not self._clients:
                # The board stops the motor of whoever closes its port at once, and misses his
                # heartbeat half a second later.
                linger_s = 0.0 if client.owns_run else LINGER_S
                self._empty_until_s = time.monotonic() + linger_s
                self._state.notify_all()

    def _listen(self, client: Client) -> None:
        while not client.dismissed:
            message = client.connection.recv_bytes(messages.MOST_COMMAND_BYTES)
            if message.startswith(messages.DATA):
                self._take(client, message[1:])
            elif message.startswith(messages.LET_GO):
                self._let_go(client)

    def _take(self, client: Client, data: bytes) -> None:
        stopped: set[int] = set()
        with self._work:
            for frame in client.splitter.feed(data):
                command = command_of(frame)
                if command is None or command.sequence not in client.numbers:
                    continue
                if self._commands.is_full(client.number):
                    client.dismiss(_TOO_FAST)
                    return
                if command.kind in (wire.RUN, wire.HEARTBEAT):
                    client.owns_run = True
                elif command.kind == wire.STOP:
                    client.owns_run = False
                stopped |= self._commands.add(client.number, command)
            self._work.notify()
        for number in stopped:
            with self._state:
                other = self._clients.get(number)
            if other is not None:
                other.dismiss(_STOPPED)

    def _let_go(self, client: Client) -> None:
        with self._state:
            others = len(self._clients) - 1
            if not others:
                self._ended = self._ended or ""
                self._state.notify_all()
                return
        client.dismiss(
            _SHARED.format(port=self._port.port, others=others, s="s" if others > 1 else "")
        )


def hang_up(connection: End) -> None:
    """End a connection on which another thread may be waiting: closing alone would not wake it."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            connection.close()
        else:
            with socket.socket(fileno=os.dup(connection.fileno())) as end:
                end.shutdown(socket.SHUT_RDWR)


def main(url: str) -> None:
    """Be the hub of a port; tells whoever started it, on standard output in a line of JSON, how
    that went."""
    try:
        place = Place(url)
        until = time.monotonic() + _LOCK_S
        while (lock := place.hold()) is None:
            if time.monotonic() > until:
                _report("taken")
                return
            time.sleep(0.02)
        address = place.new_address()
        family = "AF_PIPE" if sys.platform == "win32" else "AF_UNIX"
        listener = Listener(address, family, _BACKLOG)
        port = open_port(url, timeout_s=_READ_S)
        hub = Hub(port, listener, place.register(address))
    except PortError as error:
        _report("refused", str(error))
        return
    except (SharingError, OSError) as error:
        _report("failed", str(error))
        return
    _report("ready")
    os.chdir(os.path.abspath(os.sep))  # no folder is kept from being unmounted
    try:
        hub.run()
    finally:
        if hub.ended and hub.met_nobody:
            print(hub.ended, file=sys.stderr, flush=True)
        place.withdraw(address)
        port.close()
        lock.release()
        hub.say_goodbye()
    sys.stderr.flush()
    with contextlib.suppress(OSError):
        if not place.complaints.stat().st_size:
            place.complaints.unlink()
    os._exit(0)  # threads may be waiting for what never comes


def _report(state: str, sentence: str = "") -> None:
    print(json.dumps({"state": state, "sentence": sentence}), flush=True)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


if __name__ == "__main__":
    if os.name == "posix" and os.fork():
        os._exit(0)  # who started this one need not wait for its end
    main(sys.argv[1])
