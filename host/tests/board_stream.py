"""What a board sends over some seconds with its waveform on, made up: blocks of a known waveform at
a known rate, status and features; as bytes, and served on a TCP port at its pace."""

from __future__ import annotations

import contextlib
import math
import random
import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cobs import cobs
from scripted_board import KINDS, coded, command_of, data_frame

from wrench.link import Decoder, Frame
from wrench_firmware import wire

BLOCK = 32
SCALE_UG = 3906
NOMINAL_HZ = 3200
TRUE_HZ = 3225.5
SECOND_US = 1_000_000


def counts_of(number: int) -> tuple[int, int, int]:
    """The sample with that number: each is another, and tells which it is."""
    return number % 4096 - 2048, 256 + round(100 * math.sin(number / 9)), -(number // 4096 % 2048)


@dataclass
class Stream:
    """A board's frames from `begin_us` on.

    `dropped` are numbers of blocks that the board has no room for; before the blocks in `overflows`
    the sensor loses so many samples, which are not in the board's count. Blocks from the first to
    the last of `held` wait in the board until the last is there, and are then sent together.
    """

    seconds: float = 5.0
    begin_us: int = 3_000_000
    first_sample: int = 100
    dropped: frozenset[int] = frozenset()
    overflows: dict[int, int] = field(default_factory=dict)
    held: tuple[int, int] = (0, -1)
    true_hz: float = TRUE_HZ
    seed: int = 1

    def greeting(self, **values: Any) -> Frame:
        """The board's greeting."""
        known = {
            "version": wire.VERSION,
            "schema_hash": wire.schema_hash(),
            "sample_rate_hz": NOMINAL_HZ,
            "board_name": b"a board",
            "unique_id": b"12345678",
        }
        data = data_frame("greeting", 0, self.begin_us, **(known | values))
        return next(Decoder().feed(data))

    def timed(self) -> Iterator[tuple[int, bytes]]:
        """Device time and bytes of each frame, in order."""
        events: list[tuple[int, str, int]] = []
        noise = random.Random(self.seed)
        period_us = 1e6 / self.true_hz
        at_us = float(self.begin_us)
        for block in range(int(self.seconds * self.true_hz / BLOCK)):
            at_us += (BLOCK + self.overflows.get(block, 0)) * period_us
            # Mostly at once, and up to 2 ms later.
            late_us: float = noise.choice((0, 0, 0, noise.randrange(2000)))
            first, last = self.held
            if first <= block <= last:
                late_us = (last - block) * BLOCK * period_us + 500 * (block - first)
            events.append((round(at_us + late_us), "waveform", block))
        for n in range(int(self.seconds * 12.5)):
            events.append((self.begin_us + n * 80_000 + 17, "status", n))
        for n in range(int(self.seconds * 4)):
            events.append((self.begin_us + n * 250_000 + 400, "features", n))
        sequence = dropped = lost = 0
        for time_us, name, n in sorted(events):
            sequence += 1
            values: dict[str, Any] = {}
            if name == "waveform":
                lost += self.overflows.get(n, 0)
                if n in self.dropped:
                    dropped += 1
                    continue
                first = self.first_sample + n * BLOCK
                triples = [counts_of(number) for number in range(first, first + BLOCK)]
                values = {
                    "first_sample": first & 0x3FFFFFFF,
                    "samples": BLOCK,
                    "scale_ug": SCALE_UG,
                    "tail": np.array(triples, "<i2").tobytes(),
                }
            elif name == "status":
                values = {"mode": 4, "speed_rpm": 1000 + n, "supply_2_mv": wire.ABSENT}
            else:
                values = {"samples": 800, "rms_x_mg": n}
            yield time_us, data_frame(name, sequence, time_us, dropped, lost, **values)

    def bytes(self) -> bytes:
        """All of them."""
        return b"".join(data for _, data in self.timed())


class ReplayServer:
    """A TCP port on which a board greets, obeys `stream`, and sends a stream at its own pace."""

    def __init__(self, seconds: float) -> None:
        self._frames = list(Stream(seconds).timed())
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self.commands: list[tuple[str, tuple[int, ...]]] = []
        self._ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._ended.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            _Peer(peer, self._ended, self.commands).send_all(self._frames)
            self._ended.wait()


class _Peer:
    """One host that is connected."""

    def __init__(
        self,
        peer: socket.socket,
        ended: threading.Event,
        commands: list[tuple[str, tuple[int, ...]]],
    ) -> None:
        self._peer = peer
        self._ended = ended
        self._commands = commands
        self._streaming = False
        self._held = b""
        self._sequence = 0

    def send_all(self, frames: list[tuple[int, bytes]]) -> None:
        """Each frame when it is due, and what is asked for meanwhile. Raises OSError once the host
        is gone."""
        began_s = time.monotonic()
        for time_us, data in frames:
            due_s = began_s + (time_us - frames[0][0]) / 1e6
            self._obey(time_us)
            while (left_s := due_s - time.monotonic()) > 0.0:
                time.sleep(min(left_s, 0.01))
                self._obey(time_us)
            if self._ended.is_set():
                return
            if self._streaming or cobs.decode(data[:-1])[0] != KINDS["waveform"]:
                self._send(data)

    def _obey(self, time_us: int) -> None:
        if not select.select([self._peer], [], [], 0.0)[0]:
            return
        data = self._peer.recv(4096)
        if not data:
            raise ConnectionResetError
        *whole, self._held = (self._held + data).split(b"\0")
        for command in filter(None, whole):
            name, sequence, arguments = command_of(command)
            self._commands.append((name, arguments))
            if name == "hello":
                self._send(_greeting(time_us))
            if name == "stream":
                self._streaming = arguments == (1,)
            told = {"command": KINDS[name], "command_sequence": sequence}
            self._send(data_frame("reply", 0, time_us, **told))

    def _send(self, data: bytes) -> None:
        """A frame with its number among those that this host gets."""
        body = bytearray(cobs.decode(data[:-1])[: -wire.CRC_BYTES])
        body[2:4] = (self._sequence & 0xFFFF).to_bytes(2, "little")
        self._sequence += 1
        self._peer.sendall(coded(bytes(body)))


def _greeting(time_us: int) -> bytes:
    return data_frame(
        "greeting",
        0,
        time_us,
        version=wire.VERSION,
        schema_hash=wire.schema_hash(),
        sample_rate_hz=NOMINAL_HZ,
        board_name=b"a board",
    )
