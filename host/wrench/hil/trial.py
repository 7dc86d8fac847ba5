"""One board through one story: the rig, the host beside it, and what is known to be true of both.

What is known comes from outside the firmware: from what was done to the machine, from the pins, and
from the bytes on the link. `invariants` hold the firmware to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from wrench.bench.emulator import NOMINAL, ChipClock, StepSeen
from wrench.bench.virtual import LINK
from wrench.boards import Board, load_board
from wrench.errors import LinkError, PortError, RefusedError
from wrench.framing import END, body_of
from wrench.hil.content import content_of
from wrench.hil.virtual_rig import VirtualRig
from wrench.link import Frame, Link
from wrench_firmware import wire

_REPLY_S = 0.5
_RETURNS_S = 6.0
NEVER_S = math.inf


@dataclass
class Known:
    """What is true, and since when, in s of device time; `math.inf` is never."""

    estop_open_s: float = NEVER_S
    blind_s: float = NEVER_S
    blind_bound_s: float = 0.0
    blind_in_run: bool = False
    """That can be seen in a run alone: its time counts from the beginning of one."""
    broken: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Other reasons to stop: since when, and how long the motor may go on."""
    tacho_good: bool = True
    asked_to_run: bool = False
    """Since the last boot somebody has asked for a run: over the link, or at the button."""
    owned: bool = False
    """The run is the link's, so that its heartbeat has to come."""
    heard_s: float = 0.0
    """When the board was last given a heartbeat or a run."""
    closed_s: float = NEVER_S
    tripped_s: float = NEVER_S
    """When the board said that it has tripped, until it is reset."""


@dataclass(frozen=True)
class Trip:
    """A trip that a status frame told of."""

    fault: str
    boot: int
    time_s: float


class Trial:
    """A board under test, and all that happens to it.

    `may_have_ceilings` holds what the operator's lasting limit may be now, in 1/1000. `on_frame` is
    called with each frame that the attending host takes in. `stride_s` is how much time passes
    before it looks again, a step at least: more makes a long trial faster.
    """

    def __init__(self, board: str, image: str, seed: int, clock: ChipClock = NOMINAL) -> None:
        self.board: Board = load_board(board)
        self.image = image
        self.rig = VirtualRig(self.board, content_of(self.board, image), seed=seed, clock=clock)
        self.bench = self.rig.bench
        self.machine = self.rig.wired
        self.plant = self.rig.plant
        self.known = Known()
        self.trips: list[Trip] = []
        self.powered = True
        self.plugged = True
        self.reading = True
        self.attending = True
        self.may_have_ceilings: set[int] = set()
        self.has_set = False
        """Settings or levels may be others than the board file's."""
        self.ended_s: list[float] = []
        """When power was cut or the chip reset."""
        self.in_maintenance = False
        self.on_frame: list[Callable[[Frame], None]] = []
        self.stride_s = 0.0
        self._powered_s = 0.0
        self._boot = 0
        self._resets = 0
        self._sent: list[bytes] = []
        self.bench.on_step.append(self._watch)

    @property
    def now_s(self) -> float:
        """Device time."""
        return self.bench.now_s

    def begin(self) -> None:
        """Power comes; wait until the board could run."""
        self.pass_time(0.2)
        until_s = self.now_s + 4.0
        while self.now_s < until_s:
            self.pass_time(0.1)
            if (link := self.link()) and link.status()["mode"] == "idle":
                self.may_have_ceilings = {link.setting(0)[it] for it in ("value", "factory")}
                return

    # -- time ----------------------------------------------------------------------------
    def pass_time(self, duration_s: float) -> None:
        """Let time pass; the host reads, and keeps its run alive, while it attends."""
        end_s = self.now_s + duration_s
        while self.now_s < end_s - 1e-6:
            self.bench.advance(min(self.stride_s, end_s - self.now_s))
            self.take_frames()

    def take_frames(self) -> None:
        """What has come, while the host attends."""
        link = self.rig.open_link
        if link is None or not self.attending:
            return
        try:
            while frame := link.receive(0.0):
                self._take(frame)
        except PortError:
            self.lose_link()

    def _take(self, frame: Frame) -> None:
        for watcher in self.on_frame:
            watcher(frame)
        if frame.name == "greeting":
            self._boot = frame["boot_count"]
        if frame.name != "status":
            return
        told_s = self.told_s(frame)
        if frame["mode"] == "tripped":
            if self.known.tripped_s == NEVER_S:
                self.trips.append(Trip(frame["fault"], self._boot, self.now_s))
            self.known.tripped_s = min(self.known.tripped_s, told_s)
        elif told_s > self.known.tripped_s:
            self.known.tripped_s = NEVER_S

    def told_s(self, frame: Frame) -> float:
        """When the board says that it has sent a frame, in device time."""
        return self._boot_s + self.bench.clock.since_boot_s(frame.time_us)

    @property
    def _boot_s(self) -> float:
        """When the board last began anew."""
        reset_s = self.bench.resets[-1][0] / 1e9 if self.bench.resets else 0.0
        return max(reset_s, self._powered_s)

    def _watch(self, seen: StepSeen) -> None:
        if len(self.bench.resets) != self._resets or not seen.powered:
            self._resets = len(self.bench.resets)
            self.begin_anew()

    def begin_anew(self) -> None:
        """The chip has been reset, or has no power: nobody has asked it for anything yet."""
        if not self.ended_s or self.now_s - self.ended_s[-1] > 0.001:
            self.ended_s.append(self.now_s)
        self.known.asked_to_run = self.known.owned = False
        self.known.tripped_s = NEVER_S

    # -- the host ------------------------------------------------------------------------
    def link(self) -> Link | None:
        """The link, opened where it is not; None where the board shows none, or nobody reads."""
        if not (self.powered and self.plugged and self.reading and self.attending):
            return None
        if self.rig.open_link is None:
            if self.bench.serial_functions <= LINK:
                return None
            try:
                opened = self.rig.link
                self._listen_in(opened)
                self._boot = opened.hello(_RETURNS_S)["boot_count"]
            except (LinkError, PortError):
                self.lose_link()
                return None
            self.known.closed_s = NEVER_S
        return self.rig.open_link

    def _listen_in(self, link: Link) -> None:
        write = link.port.write

        def writing(data: bytes) -> int | None:
            for coded in data.split(END):
                body = body_of(coded) if coded else None
                if body and body[0] == wire.RUN:
                    self.known.asked_to_run = True
                if body and body[0] in (wire.RUN, wire.HEARTBEAT):
                    self.known.heard_s = self.now_s
            return write(data)

        link.port.write = writing  # type: ignore[method-assign]

    def write(self, data: bytes) -> bool:
        """Bytes to the board that this host's `Link` knows nothing of; whether they have gone."""
        link = self.link()
        if link is None:
            return False
        try:
            link.port.write(data)
        except PortError:
            self.lose_link()
            return False
        return True

    def lose_link(self) -> None:
        """The port has gone. Where the cable is out the board is told nothing of it: a run ends for
        want of a heartbeat."""
        if self.rig.open_link is not None and self.plugged:
            self.known.closed_s = min(self.known.closed_s, self.now_s)
        self.rig.leave()

    def command(self, do: Callable[[Link], object]) -> str:
        """Have the host command something: "done", the board's reason, or what is wrong with the
        link."""
        link = self.link()
        if link is None:
            return "no link"
        try:
            do(link)
        except RefusedError as refusal:
            return refusal.reason
        except (LinkError, PortError) as error:
            if isinstance(error, PortError):
                self.lose_link()
            return f"link: {error}"
        finally:
            self.take_frames()
        return "done"

    # -- faults --------------------------------------------------------------------------
    def breaks(self, name: str, *, within_s: float, broken: bool) -> None:
        """Something that has to stop the motor `within_s` is broken from now on, or is mended."""
        if not broken:
            self.known.broken.pop(name, None)
        elif name not in self.known.broken:
            self.known.broken[name] = (self.now_s, within_s)

    def blinds(self, within_s: float | None, *, in_run: bool = False) -> None:
        """The sensor is blind from now on, which has to stop the motor `within_s`, or so long after
        the beginning of a run (`in_run`); None: it is not."""
        known = self.known
        known.blind_s = NEVER_S if within_s is None else self.now_s
        known.blind_bound_s = within_s or 0.0
        known.blind_in_run = in_run

    def tacho(self, *, good: bool) -> None:
        """The tacho's lead is cut, or mended."""
        self.known.tacho_good = good

    def cut_power(self, after_ns: float, *, at_write: bool, off_s: float) -> None:
        """Power goes, and comes back after `off_s`."""
        self.bench.cut_power(after_ns, at_write=at_write)
        end_s = self.now_s + (1.0 if at_write else 0.02)
        while self.now_s < end_s and (self.bench.seen is None or self.bench.seen.powered):
            self.pass_time(0.005)
        self.bench.cut_power()
        self.powered = False
        self.rig.leave()
        self.begin_anew()
        self.pass_time(off_s)
        self._powered_s = self.now_s
        self.bench.restore_power()
        self.powered = True
        self.in_maintenance = False
