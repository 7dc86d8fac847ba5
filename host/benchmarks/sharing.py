"""What sharing a port costs: a board that sends the widest waveform, read through a hub and
directly.

Prints a table. The board is a process of its own behind TCP, as a bench serves it; its time stamps
are this computer's clock, so that each frame tells how long it took.
"""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator

from cobs import cobs
from figure import Figure

from wrench.errors import PortError
from wrench.link import Link, encode
from wrench.sharing import SharedPort, connect
from wrench.transport import Port, open_port
from wrench_firmware import wire

SAMPLES = 32
RATE_HZ = 26_667
FRAMES_S = RATE_HZ / SAMPLES
SECONDS = 6.0
FLOOD_FRAMES = 120_000
_FIELDS = wire.struct_format(wire.MESSAGES[wire.WAVEFORM][1])


def frame(sequence: int) -> bytes:
    """A waveform frame, stamped now."""
    body = struct.pack(
        wire.DATA_HEAD_FORMAT,
        wire.WAVEFORM,
        0,
        sequence & 0xFFFF,
        time.monotonic_ns() // 1000,
        0,
        0,
    )
    body += struct.pack(_FIELDS, (SAMPLES * sequence) % (1 << 30), SAMPLES, 500)
    body += bytes(range(1, 193))
    return cobs.encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"


def serve() -> None:
    """Be the board: for each program that comes, the waveform at its rate, then as fast as it is
    taken, then hang up."""
    flood = b"".join(frame(n) for n in range(1000))
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            client, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError), client:
                began = time.monotonic()
                for n in range(round(SECONDS * FRAMES_S)):
                    time.sleep(max(0.0, began + n / FRAMES_S - time.monotonic()))
                    client.sendall(frame(n))
                client.recv(1)
                for _ in range(FLOOD_FRAMES // 1000):
                    client.sendall(flood)


@contextlib.contextmanager
def board() -> Iterator[str]:
    """A board in a process of its own; its URL."""
    process = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE)
    assert process.stdout
    try:
        yield f"socket://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has taken; Linux."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(opened: Callable[[], Port]) -> dict[str, float]:
    """Delays of frames at the widest rate, frames per second at the most, and the hub's load."""
    port = opened()
    link = Link(port)
    hub = port.hub.pid if isinstance(port, SharedPort) else None
    delays_ms: list[float] = []
    began, load = time.monotonic(), 0.0
    spent = cpu_s(hub) if hub else 0.0
    while (received := link.receive(1.0)) is not None:
        delays_ms.append(time.monotonic_ns() / 1e6 - received.time_us / 1e3)
    if hub:
        load = (cpu_s(hub) - spent) / (time.monotonic() - began - 1.0)
    port.write(b"\0" if not hub else hello(link))
    port.timeout = 5.0
    size = len(frame(0))
    port.read(1)
    began, taken = time.monotonic(), 1
    with contextlib.suppress(PortError):  # the board hangs up
        while data := port.read(1) + port.read(port.in_waiting):
            taken += len(data)
    frames_s = taken / size / (time.monotonic() - began)
    lost = link.decoder.missing_frames + link.decoder.bad_frames
    port.close()
    delays_ms.sort()
    return {
        "median_ms": delays_ms[len(delays_ms) // 2],
        "p99_ms": delays_ms[len(delays_ms) * 99 // 100],
        "frames_s": frames_s,
        "load": load,
        "lost": float(lost),
    }


def hello(link: Link) -> bytes:
    """A command that the hub lets through: the sign for the board to go on."""
    return encode("hello", link._sequences[0])


def figures() -> Iterator[Figure]:
    """The table's rows."""
    os.environ["WRENCH_RUNTIME"] = tempfile.mkdtemp(prefix="wr-")
    with board() as url:
        direct = measured(lambda: open_port(url))
        began = time.monotonic()
        connect(url).close()
        start_ms = 1e3 * (time.monotonic() - began)
        began = time.monotonic()
        connect(url).close()
        join_ms = 1e3 * (time.monotonic() - began)
        time.sleep(2.0)
        shared = measured(lambda: connect(url))
    yield Figure("sharing: hub started", start_ms, "ms")
    yield Figure("sharing: hub joined", join_ms, "ms")
    for name, told in (("directly", direct), ("through the hub", shared)):
        yield Figure(f"widest waveform {name}: delay, median", told["median_ms"], "ms")
        yield Figure(f"widest waveform {name}: delay, 99 of 100", told["p99_ms"], "ms")
        yield Figure(f"widest waveform {name}: frames lost", told["lost"], "", "== 0")
        yield Figure(f"most frames {name}", told["frames_s"], "frames/s")
    yield Figure("widest waveform: load of the hub", 100 * shared["load"], "% of a core")


def main() -> None:
    """Measure and print."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for figure in figures():
        print(f"{figure.name:<55} {figure.value:>12.2f} {figure.unit}")


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
