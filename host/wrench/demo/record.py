"""What happened in one run, as data: what the board said, and what the pins did."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, field
from enum import IntEnum

from wrench.boards import Board
from wrench.link import Frame
from wrench.monitor import readings
from wrench.monitor.readings import Status, Window
from wrench_firmware import wire

# A limit that lasts while nothing is wrong; any other protects something.
_ORDINARY = ("none", "operator", "derate cap", "probation", "ramp", "critical speed")
# What is not news while a run is watched.
_UNTOLD = ("alarm over", "boot", "self-test", "wall time")


class Phase(IntEnum):
    """Where the story is. It only goes forward."""

    SPIN_UP = 0
    AT_SPEED = 1
    LIMITED = 2
    TRIPPED = 3
    ENDED = 4

    @property
    def title(self) -> str:
        """In words."""
        return ("spinning up", "at speed", "limited", "tripped", "ended")[self]


class Weight(IntEnum):
    """How bad an event is."""

    GOOD = 0
    WATCH = 1
    LIMITED = 2
    BAD = 3


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened, at that device time. `seen_by` is "board" or "bench"."""

    time_s: float
    text: str
    weight: Weight
    seen_by: str


@dataclass(slots=True)
class Losses:
    """What was lost between sensor and screen since the run began."""

    samples: int = 0
    """Until the run ends: with the motor off, the board may erase flash, which stops everything."""
    frames_dropped: int = 0
    """By the board, for want of room."""
    frames_missing: int = 0
    """On the way: gaps in the numbering, those not counted that the board itself made."""
    bad_frames: int = 0
    """With a wrong CRC or length, at either end."""

    @property
    def frames(self) -> int:
        """All frames that have not arrived whole."""
        return self.frames_dropped + self.frames_missing + self.bad_frames


@dataclass(slots=True)
class SetUp:
    """How the board was got ready: wall time in seconds."""

    image: str = ""
    files: int = 0
    bytes_sent: int = 0
    flash_wall_s: float = 0.0
    firmware_version: str = ""
    micropython_version: str = ""


@dataclass
class Record:
    """One run. All times are device time in seconds, but for `wall_s` and `real_time_factor`.

    `subject` says what the sensor feels, `notes` what a person must know about it. `compression`
    is how many times faster than in reality the bearing wears, 1.0 where it does not matter.
    """

    board: Board
    subject: str
    notes: list[str] = field(default_factory=list)
    compression: float = 1.0
    recording: str | None = None
    """Its name, where the sensor feels one."""
    recording_end_s: float | None = None
    setup: SetUp = field(default_factory=SetUp)
    asked: float = 0.0
    start_s: float = 0.0
    phase: Phase = Phase.SPIN_UP
    phases: dict[Phase, float] = field(default_factory=dict)
    statuses: list[Status] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    losses: Losses = field(default_factory=Losses)
    frames: int = 0
    now_s: float = 0.0
    pin_duty: float = 0.0
    pin_off_s: float | None = None
    wear: tuple[float, float] | None = None
    wall_s: float = 0.0
    real_time_factor: float | None = None
    first_limit: tuple[float, str] | None = None
    """When a protecting limit first bound, and which."""
    fault: str | None = None
    trip_s: float | None = None
    above_trip_s: float | None = None
    """End of the first of the last windows in a row that were above a trip level."""
    stop_s: float | None = None
    """When the shaft stood again, by the tacho."""
    _base: tuple[int, int, int, int] | None = None
    _told: set[str] = field(default_factory=set)
    _limit: str = "none"

    @property
    def rated_rpm(self) -> int:
        """Rated speed of the shaft."""
        return self.board.motor.rated_speed_rpm

    @property
    def samples(self) -> int:
        """Samples that the board has judged in this run."""
        return sum(window.samples for window in self.windows)

    @property
    def elapsed_s(self) -> float:
        """Device time since the run began."""
        return self.now_s - self.start_s

    def at(self, time_s: float) -> Status | None:
        """The last status at or before that time."""
        index = bisect.bisect_right(self.statuses, time_s, key=lambda status: status.time_s)
        return self.statuses[index - 1] if index else None

    # ---- what arrives ----------------------------------------------------------------------------
    def begin(self, asked: float, start_s: float) -> None:
        """The run begins: `asked` of rated speed."""
        self.asked, self.start_s, self.now_s = asked, start_s, start_s
        self.enter(Phase.SPIN_UP)

    def enter(self, phase: Phase) -> None:
        """Go forward to a phase; going back is ignored."""
        if phase > self.phase or not self.phases:
            self.phase = phase
            self.phases[phase] = self.now_s

    def tell(self, event: Event) -> None:
        """Add an event in the order of time."""
        bisect.insort(self.events, event, key=lambda known: known.time_s)

    def take(self, frame: Frame, missing: int, bad: int) -> None:
        """Take a frame of the run. `missing` and `bad` are the decoder's counts."""
        self.frames += 1
        self.now_s = max(self.now_s, frame.time_us / 1e6)
        self._count(frame, missing, bad)
        if frame.name == "status":
            self._status(readings.status(frame))
        elif frame.name == "features":
            self._window(readings.window(frame))
        elif frame.name == "event":
            self._event(frame)

    def motor_off(self, time_s: float) -> None:
        """The pins show the motor off since `time_s`."""
        if self.pin_off_s is None:
            self.pin_off_s = time_s
            self.tell(
                Event(
                    time_s,
                    "PWM off, seen at the pin",
                    Weight.BAD if self.fault else Weight.GOOD,
                    "bench",
                )
            )

    def _count(self, frame: Frame, missing: int, bad: int) -> None:
        board_bad = frame["bad_frames"] if frame.name == "status" else None
        if self._base is None:
            self._base = (frame.lost_samples, frame.dropped_frames, missing, bad)
        lost, dropped, missing_before, bad_before = self._base
        if self.phase < Phase.TRIPPED:
            self.losses.samples = (frame.lost_samples - lost) & 0xFFFF
        self.losses.frames_dropped = (frame.dropped_frames - dropped) & 0xFFFF
        self.losses.frames_missing = missing - missing_before
        if board_bad is not None:
            self.losses.bad_frames = bad - bad_before + board_bad

    def _status(self, status: Status) -> None:
        self.statuses.append(status)
        if status.mode == "tripped":
            self.enter(Phase.TRIPPED)
        elif status.mode == "limiting":
            self.enter(Phase.LIMITED)
        elif status.mode == "running":
            self.enter(Phase.AT_SPEED)
        ended = self.trip_s is not None or self.phase == Phase.ENDED
        if ended and self.stop_s is None and status.speed_rpm == 0:
            self.stop_s = status.time_s

    def _window(self, window: Window) -> None:
        self.windows.append(window)
        levels = self.board.protection.vibration
        velocity = window.velocity_mm_s
        for name, level, weight in (
            ("alarm", levels.velocity_alarm_mm_s, Weight.WATCH),
            ("limit", levels.velocity_limit_mm_s, Weight.LIMITED),
            ("trip", levels.velocity_trip_mm_s, Weight.BAD),
        ):
            if velocity >= level and name not in self._told:
                self._told.add(name)
                text = f"above {name} level, {velocity:.2f} mm/s"
                self.tell(Event(window.time_s, text, weight, "board"))
        above = velocity >= levels.velocity_trip_mm_s or window.peak_g >= (
            levels.acceleration_peak_trip_g or math.inf
        )
        if self.trip_s is None:
            if not above:
                self.above_trip_s = None
            elif self.above_trip_s is None:
                self.above_trip_s = window.time_s

    def _event(self, frame: Frame) -> None:
        time_s, code, detail, value = (
            frame.time_us / 1e6,
            frame["code"],
            frame["detail"],
            frame["value"],
        )
        if code == "limit":
            self._limited(time_s, _name("LIMITS", detail), value)
        elif code == "trip":
            self.fault = _name("FAULTS", detail)
            self.trip_s = time_s
            text = f"TRIP: {self.fault}"
            if self.fault == "vibration":
                text += f", {value / 1000:.2f} mm/s"
            elif self.fault == "acceleration peak":
                text += f", {value / 1000:.1f} g"
            self.enter(Phase.TRIPPED)
            self.tell(Event(time_s, text, Weight.BAD, "board"))
        elif code == "run":
            self.tell(Event(time_s, f"run towards {value / 10:g} % of rated", Weight.GOOD, "board"))
        elif code == "alarm":
            self._alarm(time_s, _name("FAULTS", detail))
        elif code == "probation":
            text = f"probation: step {detail} earned" if detail else "probation begins anew"
            self.tell(Event(time_s, text, Weight.WATCH, "board"))
        elif code == "stop" and self.trip_s is None:
            self.tell(Event(time_s, "stop", Weight.GOOD, "board"))
        elif code != "stop" and code not in _UNTOLD:
            self.tell(Event(time_s, str(code), Weight.WATCH, "board"))

    def _alarm(self, time_s: float, name: str) -> None:
        """Once for each kind; that of the velocity is told with its window."""
        if name not in ("vibration", self.fault) and f"alarm {name}" not in self._told:
            self._told.add(f"alarm {name}")
            self.tell(Event(time_s, f"alarm: {name}", Weight.WATCH, "board"))

    def _limited(self, time_s: float, limit: str, command_permille: int) -> None:
        if limit in ("ramp", "none") or limit == self._limit:
            return
        self._limit = limit
        if limit in _ORDINARY:
            text, weight = f"{limit} holds {command_permille / 10:.0f} %", Weight.GOOD
        else:
            text, weight = f"limit: {limit}", Weight.LIMITED
            if self.first_limit is None:
                self.first_limit = (time_s, limit)
        self.tell(Event(time_s, text, weight, "board"))


def _name(table: str, number: int) -> str:
    names: tuple[str, ...] = getattr(wire, table)
    return names[number] if number < len(names) else f"unknown {number}"
