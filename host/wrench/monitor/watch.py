"""What is known about a board that is watched: newest readings, their history, what happened."""

from __future__ import annotations

import copy
import datetime as dt
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from wrench.blackbox import Event, decode_events
from wrench.link import Frame
from wrench.monitor import readings, styles
from wrench.monitor.happenings import happening
from wrench.monitor.readings import Status, Window
from wrench.monitor.recent import Recent
from wrench.monitor.session import Answer, Batch, Connected, Item, LinkReport, Told, Waiting
from wrench.monitor.waveform import Waveform

KEPT_S = 3600.0
CAPTURED_S = 10.0
_EVENTS_KEPT = 10_000
_READING_EVERY_S = 1.0
_SAME_US = 100_000

Points = deque[tuple[float, float | None]]


@dataclass(frozen=True)
class Line:
    """An event with its time: device seconds, and the wall time at which it came, which is None
    for one that the black box has told later. `time_s` is None for what only this program knows."""

    time_s: float | None
    came: dt.datetime | None
    text: str
    style: str


@dataclass(frozen=True)
class Levels:
    """Levels of a protection in the unit that its graph has; None for one that is not there."""

    alarm: float | None
    limit: float | None
    trip: float | None


@dataclass(frozen=True)
class Message:
    """The answer to the user's last command, and when it came (seconds of the clock)."""

    text: str
    style: str
    came_s: float


class Watch:
    """Takes what a `Session` gives. Quantities are in the units of `readings`.

    Attributes of one name with a quantity are histories: (device time in s, value), None where a
    gap begins.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        wall: Callable[[], dt.datetime] = lambda: dt.datetime.now().astimezone(),
    ) -> None:
        self._clock = clock
        self._wall = wall
        self.report = LinkReport()
        self.greeting: Frame | None = None
        self.waiting = "looking for the board"
        self.waiting_since_s = clock()
        self.status: Status | None = None
        self.window: Window | None = None
        self.waveform: Waveform | None = None
        self.recent = Recent(CAPTURED_S)
        self.levels: dict[str, Levels] = {}
        self.message: Message | None = None
        self.events: deque[Line] = deque(maxlen=_EVENTS_KEPT)
        self.velocity: Points = deque()
        self.peak: Points = deque()
        self.histories: dict[str, Points] = {
            name: deque() for name in ("current", "supply", "bearing", "driver", "power")
        }
        self._known: deque[tuple[int, str, int, int]] = deque(maxlen=1000)
        self._seen_us = 0
        self._reading_s = 0.0

    @property
    def now_s(self) -> float:
        """Device time of the newest frame."""
        return self._seen_us / 1e6

    @property
    def live(self) -> bool:
        """Whether what is shown is now."""
        return self.report.connected and self.status is not None

    @property
    def board_name(self) -> str:
        """As the board says it."""
        if self.greeting is None:
            return ""
        return self.greeting["board_name"]

    def message_within(self, seconds: float) -> Message | None:
        """The last message, where it came that recently."""
        message = self.message
        if message is None or self._clock() - message.came_s > seconds:
            return None
        return message

    def frozen(self) -> Watch:
        """A copy that stays as it is now."""
        still = copy.copy(self)
        still.velocity, still.peak = self.velocity.copy(), self.peak.copy()
        still.histories = {name: points.copy() for name, points in self.histories.items()}
        still.events = self.events.copy()
        still.recent = self.recent.frozen()
        still.waveform = copy.copy(self.waveform)
        if still.waveform is not None:
            still.waveform.blocks = still.waveform.blocks.copy()
        return still

    def take(self, batch: Batch) -> None:
        """Take what has come."""
        before = self.report
        self.report = batch.report
        if before.waveform_on and not self.report.waveform_on:
            self._interrupted()
        for item in batch.items:
            self._take(item)

    def say(self, text: str, style: str = styles.PLAIN) -> None:
        """Show a message for some seconds."""
        self.message = Message(text, style, self._clock())

    def _take(self, item: Item) -> None:
        if isinstance(item, Frame):
            self._frame(item)
        elif isinstance(item, Connected):
            self._connected(item)
        elif isinstance(item, Waiting):
            was_there, self.waiting = self.waiting == "", item.reason
            if was_there:
                self.waiting_since_s = self._clock()
                self._add(None, f"link lost: {item.reason}", styles.BAD)
            self._gap()
        elif isinstance(item, Told):
            self._add(None, item.text, styles.WATCH)
            self.say(item.text, styles.WATCH)
        else:
            self._answered(item)

    def _connected(self, item: Connected) -> None:
        new, old = item.greeting, self.greeting
        self.greeting, self.waiting = new, ""
        same = ("unique_id", "boot_count", "sample_rate_hz")
        anew = old is None or any(new[name] != old[name] for name in same)
        if anew:
            self._begin_anew(new)
        if item.again:
            restarted = f"; it has started anew, boot {new['boot_count']}" if anew else ""
            self._add(None, f"the board is there again{restarted}", styles.GOOD)

    def _begin_anew(self, greeting: Frame) -> None:
        """Another board, or the same after a reset: its time is another."""
        for history in (self.velocity, self.peak, *self.histories.values()):
            history.clear()
        self._known.clear()
        self._seen_us = 0
        self._reading_s = 0.0
        self.status = self.window = None
        self.levels.clear()
        self.recent.clear()
        missing = self.waveform.missing_samples if self.waveform else 0
        self.waveform = Waveform(greeting["sample_rate_hz"] or 1, CAPTURED_S)
        self.waveform.missing_samples = missing

    def _gap(self) -> None:
        for history in (self.velocity, self.peak, *self.histories.values()):
            if history and history[-1][1] is not None:
                history.append((self.now_s, None))
        self._interrupted()

    def _interrupted(self) -> None:
        self.recent.interrupted()
        if self.waveform:
            self.waveform.interrupted()

    # ---- frames ----------------------------------------------------------------------------------
    def _frame(self, frame: Frame) -> None:
        self._seen_us = max(self._seen_us, frame.time_us)
        self.recent.add(frame, self.report.losses)
        if frame.name == "waveform":
            if self.waveform:
                self.waveform.add(frame)
        elif frame.name == "status":
            self._status(readings.status(frame))
        elif frame.name == "features":
            self.window = window = readings.window(frame)
            # What the integrator begins with is no vibration.
            if self.status is None or self.status.settled:
                self._point(self.velocity, window.time_s, window.velocity_mm_s)
            self._point(self.peak, window.time_s, window.peak_g)
        elif frame.name == "event":
            told = happening(frame["code"], frame["detail"], frame["value"])
            self._known.append((frame.time_us, frame["code"], frame["detail"], frame["value"]))
            self._add(frame.time_us / 1e6, *told)
        elif frame.name == "levels":
            self._levels(frame)
        elif frame.name == "log":
            self._log(decode_events(frame.tail))

    def _status(self, status: Status) -> None:
        self.status = status
        if status.time_s < self._reading_s:
            return
        self._reading_s = status.time_s + _READING_EVERY_S
        values = {
            "current": status.current_a,
            "supply": status.supply_v,
            "bearing": status.bearing_c,
            "driver": status.driver_c,
            "power": status.power_w,
        }
        for name, value in values.items():
            if value is not None:
                self._point(self.histories[name], status.time_s, value)

    def _point(self, history: Points, time_s: float, value: float) -> None:
        history.append((time_s, value))
        while history[0][0] < time_s - KEPT_S:
            history.popleft()

    def _levels(self, frame: Frame) -> None:
        per_unit = 1000

        def scaled(name: str) -> float | None:
            value = frame[name]
            return None if value is None else value / per_unit

        self.levels[frame["protection"]] = Levels(scaled("alarm"), scaled("limit"), scaled("trip"))

    def _log(self, events: list[Event]) -> None:
        """What the black box knows of this boot and no frame has told: what happened before the
        monitor began, or while the link was lost."""
        if self.greeting is None:
            return
        boot = self.greeting["boot_count"] & 0xFFFF
        missed: list[Line] = []
        for event in events:
            key = (event.time_us, event.name, event.detail, event.value)
            if event.boot != boot or event.name == "wall time" or self._is_known(*key):
                continue
            self._known.append(key)
            told = happening(event.name, event.detail, event.value)
            times = f" ({event.count} times)" if event.count > 1 else ""
            missed.append(Line(event.time_us / 1e6, None, told.text + times, told.style))
        self._merge(missed)

    def _is_known(self, time_us: int, code: str, detail: int, value: int) -> bool:
        return any(
            (code, detail, value) == known[1:] and abs(time_us - known[0]) < _SAME_US
            for known in self._known
        )

    def _merge(self, missed: list[Line]) -> None:
        """Put lines in the order of device time among those of this boot."""
        lines = list(self.events)
        for line in missed:
            assert line.time_s is not None
            at = len(lines)
            while at > 0:
                other = lines[at - 1].time_s
                if other is not None and other <= line.time_s:
                    break
                if other is None and lines[at - 1].text.startswith("link lost"):
                    break
                at -= 1
            lines.insert(at, line)
        self.events = deque(lines, maxlen=_EVENTS_KEPT)

    # ---- words -----------------------------------------------------------------------------------
    def _add(self, time_s: float | None, text: str, style: str) -> None:
        self.events.append(Line(time_s, self._wall(), text, style))

    def _answered(self, answer: Answer) -> None:
        name = answer.command.replace("_", " ")
        if answer.unknown:
            self.say(f"{name}: {answer.refusal}", styles.BAD)
        elif answer.refusal:
            verb = {"run": "run", "reset_trip": "reset the trip"}.get(answer.command, name)
            self.say(f"the board did not {verb}: {answer.refusal}", styles.BAD)
        elif answer.command == "run":
            self.say(
                f"run towards {answer.values[0] / 10:g} %; it is this monitor's, and the motor "
                "stops when it ends",
                styles.GOOD,
            )
        elif answer.command == "stop":
            self.say("stopped", styles.GOOD)
        elif answer.command == "reset_trip":
            self.say("the trip is cleared; the motor is off", styles.GOOD)
        else:
            self.say(f"{name}: done", styles.GOOD)
