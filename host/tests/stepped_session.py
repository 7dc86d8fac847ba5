"""A session with a live board whose time passes when told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from live_board import LiveBoard

from wrench.link import Frame
from wrench.monitor.session import Answer, Item, LinkReport, Session, Told
from wrench.transport import Port


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Line:
    """The way to a board: what it sends comes `late_s` late, what it is sent at once."""

    def __init__(self, board: LiveBoard, clock: Clock) -> None:
        self.late_s = 0.0
        self.timeout: float | None = None
        self.port = "a line"
        self._board, self._clock = board, clock
        self._on_the_way: deque[tuple[float, bytes]] = deque()
        self._arrived = bytearray()

    @property
    def in_waiting(self) -> int:
        if size := self._board.in_waiting:
            self._on_the_way.append((self._clock() + self.late_s, self._board.read(size)))
        while self._on_the_way and self._on_the_way[0][0] <= self._clock():
            self._arrived += self._on_the_way.popleft()[1]
        return len(self._arrived)

    def read(self, size: int = 1, /) -> bytes:
        data = bytes(self._arrived[: min(size, self.in_waiting)])
        del self._arrived[: len(data)]
        return data

    def write(self, data: bytes, /) -> int:
        return self._board.write(data)

    def close(self) -> None:
        self._on_the_way.clear()
        self._arrived.clear()


class Bench:
    """A session and its board, over a `Line` where it is `slow`, stepped in turns of 20 ms."""

    def __init__(
        self, *, for_screen: bool = False, commands: bool = True, slow: bool = False
    ) -> None:
        self.clock = Clock()
        self.board = LiveBoard(self.clock)
        self.line = Line(self.board, self.clock)
        self._slow = slow
        self.session = Session(
            self._open, for_screen=for_screen, commands=commands, clock=self.clock
        )
        self.items: list[Item] = []
        self.report = LinkReport()
        self.looks = True

    def _open(self) -> Port:
        board = self.board.open()
        return self.line if self._slow else board

    def turn(self) -> None:
        """20 ms pass."""
        self.clock.now_s += 0.02
        self.session.turn(0.0)
        if self.looks:
            self.look()

    def look(self) -> None:
        """What a screen does."""
        batch = self.session.take()
        self.items += batch.items
        self.report = batch.report

    def pass_time(self, seconds: float) -> None:
        """Turns for that long."""
        for _ in range(round(seconds / 0.02)):
            self.turn()

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Turns until it is so, for ten seconds at most."""
        for _ in range(500):
            if condition():
                return
            self.turn()
        raise AssertionError("it has not come")

    def answers(self, command: str) -> list[Answer]:
        """What became of the user's commands of that name."""
        return [it for it in self.items if isinstance(it, Answer) and it.command == command]

    def frames(self, name: str) -> list[Frame]:
        """Frames that came, of that name."""
        return [it for it in self.items if isinstance(it, Frame) and it.name == name]

    def told(self) -> list[str]:
        """What the session has done by itself."""
        return [it.text for it in self.items if isinstance(it, Told)]
