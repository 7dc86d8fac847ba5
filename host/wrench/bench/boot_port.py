"""The boot ROM's interface of an emulated board in BOOTSEL: for this process on device time, and
for other programs over TCP."""

from __future__ import annotations

from collections import deque

from wrench.bench.ports import Client
from wrench.bench.virtual import VirtualBench
from wrench.bootsel.pipes import PACKET_BYTES, packets
from wrench.errors import FlashError, PortError


class BootPort:
    """A `wrench.bootsel.Pipe` whose waiting lets device time pass.

    Raises PortError where the board is not in BOOTSEL within `timeout_s` of device time.
    """

    title = "the emulated board"

    def __init__(self, bench: VirtualBench, timeout_s: float = 3.0) -> None:
        until = bench.now_s + timeout_s
        while not bench.in_bootsel:
            if bench.now_s >= until:
                raise PortError(f"{self.title} is not in BOOTSEL; power it up with BOOTSEL held")
            bench.advance(0)
        self._bench = bench
        self._held: deque[bytes] = deque()
        bench.on_packets = self._held.extend

    def write(self, data: bytes) -> None:
        """Queue a transfer; an empty one is an empty packet."""
        self._bench.send_packets(packets(data))

    def read(self, size: int, timeout_s: float) -> bytes:
        """One transfer of at most `size` bytes; raises FlashError where none comes."""
        until = self._bench.now_s + timeout_s
        data = b""
        while True:
            while not self._held:
                if self._bench.now_s >= until or not self._bench.in_bootsel:
                    raise FlashError(f"{self.title} in BOOTSEL does not answer; flash again")
                self._bench.advance(0)
            packet = self._held.popleft()
            data += packet
            if len(data) >= size or len(packet) < PACKET_BYTES:
                return data

    def close(self) -> None:
        """Nobody listens any more."""
        self._bench.on_packets = None


class BootOutlet:
    """Joins the boot ROM's interface to one TCP client at a time (`wrench.bootsel`, BenchPipe): a
    packet is its length in a byte, and its bytes. Whoever steps the bench calls `before_step`
    before every step."""

    def __init__(self, bench: VirtualBench) -> None:
        self.client: Client | None = None
        self._bench = bench
        self._to_board = bytearray()
        self._to_client = bytearray()
        bench.on_packets = self._received

    @property
    def wants_input(self) -> bool:
        """True while `pump` should be called when the client has sent something."""
        return self.client is not None

    def offer(self, client: Client) -> bool:
        """Let a client in; False, and it is hung up on, where it cannot be."""
        if self.client is not None or not self._bench.in_bootsel:
            client.close()
            return False
        self.client = client
        return True

    def pump(self) -> None:
        """Take what the client has sent."""
        data = self.client.receive() if self.client is not None else b""
        if data is None:
            self.close()
        else:
            self._to_board += data

    def before_step(self) -> None:
        """Let whole packets through, and hang up where the board has left BOOTSEL."""
        whole: list[bytes] = []
        held = self._to_board
        while held and len(held) > held[0]:
            whole.append(bytes(held[1 : 1 + held[0]]))
            del held[: 1 + held[0]]
        if whole:
            self._bench.send_packets(whole)
        self._flush()
        if not self._bench.in_bootsel:
            self.close()

    def close(self) -> None:
        """Hang up on the client."""
        if self.client is not None:
            self.client.close()
        self.client = None
        self._to_board.clear()
        self._to_client.clear()

    def _received(self, packets: list[bytes]) -> None:
        for packet in packets:
            self._to_client += bytes([len(packet)]) + packet
        self._flush()

    def _flush(self) -> None:
        if self.client is None or not self._to_client:
            return
        taken = self.client.send(bytes(self._to_client))
        if taken is None:
            self.close()
        else:
            del self._to_client[:taken]
