"""A board watched for as long as a monitor lives: read in a thread of its own, asked, and found
again after an unplug.

Nothing that draws can delay a heartbeat or a stop: both are sent from the thread, which waits for
nothing longer than a turn of 20 ms. What comes goes into a bounded queue, where the newest status,
features and waveform win; events, answers and counters of losses are never skipped.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from wrench.errors import LinkError, PortError, WrenchError
from wrench.link import Frame, Link
from wrench.monitor.quality import Rate, WaveformGate
from wrench.monitor.readings import TURNING
from wrench.operation import SILENCE_S
from wrench.readout import Losses
from wrench.transport import BoardConnection, Port
from wrench_firmware import wire

LEVELS_SHOWN = (
    "vibration",
    "acceleration peak",
    "over-current",
    "bearing too hot",
    "driver too hot",
)
EVENTS_READ = 24
_TURN_S = 0.02
_READ_S = 0.001
_LOOK_S = 0.2
_LOOK_AGAIN_S = 0.5
_ASK_EVERY_S, _ASK_OFTEN_S = 2.0, 0.5
_ANSWER_S = 3.0
_LOST_S = 20.0  # an answer that late is none: by then its number may be another command's
_STOP_AGAIN_S = 0.3
_STOP_HELD_S = 10.0  # a stop that found no link is sent to a board that is back that soon
_ENDING_S = 1.0
_SCREEN_STANDS_S = 5.0
_STREAM_AGAIN_S = 3.0
_PING = "get_setting"  # not `hello`: its long answer can delay a control tick of a board that runs
_BEYOND_ALL = 0x3FFF_FFFF  # a sequence that no event reaches
_FRAMES_A_TURN = 1024
_HELD_AT_MOST = 4096
_TRIAL_BYTES = 2500
_TRIAL_S = (0.02, 0.12)
_TRIAL_LATE_S = 0.25  # less may have waited for this computer
_RUN_SHOWS_US = 1_000_000
_DROPPABLE = ("status", "features", "waveform")


@dataclass(frozen=True)
class Connected:
    """The board has answered; `again` where the link had been lost before."""

    greeting: Frame
    again: bool = False


@dataclass(frozen=True)
class Waiting:
    """The board is not there; `reason` is a sentence."""

    reason: str


@dataclass(frozen=True)
class Answer:
    """What became of a command that the user gave; `refusal` is empty where it was carried out.
    Where it is `unknown` what became of it, `refusal` says why."""

    command: str
    values: tuple[int, ...]
    refusal: str = ""
    unknown: bool = False


@dataclass(frozen=True)
class Told:
    """Something that this program did by itself, as a sentence."""

    text: str


Item = Frame | Connected | Waiting | Answer | Told


@dataclass(frozen=True)
class LinkReport:
    """How the link stands. Losses are since the monitor began, over all its connections.

    `frame_age_s` is the age of the newest frame, at most: the time since it came and what an answer
    takes. `latency_s` is that answer's time; None before the first one. `waveform` says why there
    is none, or is empty. `skipped` counts frames that this program was too slow to show.
    """

    connected: bool = False
    owns_run: bool = False
    target_permille: int = 0
    losses: Losses = field(default_factory=Losses)
    bytes_per_s: float = 0.0
    frame_age_s: float | None = None
    latency_s: float | None = None
    waveform_on: bool = False
    waveform: str = ""
    skipped: int = 0


@dataclass(frozen=True)
class Batch:
    """What has come since the last one, in order, and how the link stands now."""

    items: list[Item]
    report: LinkReport


@dataclass
class _Asked:
    name: str
    values: tuple[int, ...]
    sent_s: float
    by_user: bool
    owned_before: bool = False
    late: bool = False
    """Whether it has waited longer than an answer should take."""


@dataclass
class _Trial:
    """A little waveform, to see whether it comes as fast as the board sends it."""

    on: int
    off: int | None = None
    off_s: float | None = None
    blocks: list[tuple[float, int, int]] = field(default_factory=list)
    """Seconds of the clock, device time in us, bytes that had come."""

    @property
    def late_s(self) -> float:
        """How much farther apart the blocks came than they were sent."""
        if not self.blocks:
            return 0.0
        first_s, first_us, _ = self.blocks[0]
        return max(
            came_s - first_s - (time_us - first_us) / 1e6 for came_s, time_us, _ in self.blocks
        )

    @property
    def bytes_per_s(self) -> float:
        """At what pace they came."""
        first_s, _, first = self.blocks[0]
        last_s, _, last = self.blocks[-1]
        return (last - first) / max(last_s - first_s, 1e-3)


class Session:
    """A board over its link, until `end`.

    Parameters:
        open_port: opens the board's link; raises PortError. Called again whenever the link is lost.
        for_screen: ask for what a screen shows besides what the board sends by itself: levels, the
            black box's last events, and the raw waveform where the link carries it.
        commands: whether `run`, `stop` and `reset_trip` may be used; where not, nothing that moves
            or frees a motor leaves here, whatever is asked.
        patience_s: how long the screen may stand still before a run that it owns is stopped.
    """

    def __init__(
        self,
        open_port: Callable[[], Port],
        *,
        for_screen: bool = False,
        commands: bool = True,
        patience_s: float = _SCREEN_STANDS_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_port = open_port
        self._for_screen = for_screen
        self._may_command = commands
        self._patience_s = patience_s
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._lock = threading.Condition()
        self._ended = False
        self._failure: BaseException | None = None
        # What is shared, under the lock.
        self._commands: deque[tuple[str, tuple[int, ...]]] = deque()
        self._items: deque[Item] = deque()
        self._report = LinkReport()
        self._skipped = 0
        self._looked_s = clock()
        # The thread's own.
        self._link: Link | None = None
        self._ever = False
        self._told_reason = ""
        self._retry_s = 0.0
        self._stop_asked_s: float | None = None
        self._past = Losses()
        self._losses = Losses()
        self._clear_connection()

    def _clear_connection(self) -> None:
        self._asked: dict[int, _Asked] = {}
        self._questions: deque[tuple[str, tuple[int, ...]]] = deque()
        self._question: int | None = None
        self._ping_s = 0.0
        self._levels_due: deque[int] = deque()
        self._turning = True
        self._time_us = 0
        self._latency_s: float | None = None
        self._came_s = self._clock()
        self._rate = Rate()
        self._trial: _Trial | None = None
        self._gate: WaveformGate | None = None
        self._streamed_s = self._clock()
        self._target = 0
        self._stopping_s: float | None = None
        self._stop_by_user = False
        self._run_us: int | None = None
        self._turned = False

    # ---- for whoever shows it (any thread) -------------------------------------------------------
    def start(self) -> None:
        """Begin to read, in a thread."""
        self._thread = threading.Thread(target=self._run, name="wrench-link", daemon=True)
        self._thread.start()

    def run(self, speed_permille: int) -> None:
        """Start a run, or change its speed; it belongs to this session from then on, and its end is
        the run's."""
        self._post("run", speed_permille)

    def stop(self) -> None:
        """Stop the motor: sent at once, before anything that waits, and again until the board has
        answered."""
        with self._lock:
            self._commands.clear()
        self._post("stop")

    def reset_trip(self) -> None:
        """Leave tripped."""
        self._post("reset_trip")

    @property
    def owns_run(self) -> bool:
        """Whether a run is on that belongs to this session."""
        with self._lock:
            return self._report.owns_run

    def take(self) -> Batch:
        """What has come since the last call. Also says that the screen is alive: where it stands
        still, a run that it owns is stopped.

        Raises what has ended the thread, if anything has.
        """
        with self._lock:
            return self._taken()

    def wait(self, timeout_s: float) -> Batch:
        """The same, and waits that long for something to come."""
        with self._lock:
            if not self._items and not self._failure:
                self._lock.wait(timeout_s)
            return self._taken()

    def end(self) -> bool:
        """Stop a run that this session owns, hang up and end the thread. Returns whether every stop
        that was asked for, here or before, has been answered."""
        with self._lock:
            self._ended = True
            self._lock.notify_all()
        if self._thread is not None:
            self._thread.join(2 * _ENDING_S)
            if self._thread.is_alive():
                return False
        return self._stop_asked_s is None

    def _taken(self) -> Batch:
        if self._failure is not None:
            raise self._failure
        self._looked_s = self._clock()
        items = list(self._items)
        self._items.clear()
        return Batch(items, replace(self._report, skipped=self._skipped))

    def _post(self, name: str, *values: int) -> None:
        if not self._may_command:
            raise PermissionError(f"{name}: this session only watches")
        with self._lock:
            self._commands.append((name, values))
            self._lock.notify_all()

    # ---- the thread ------------------------------------------------------------------------------
    def _run(self) -> None:
        try:
            while not self._ended:
                self.turn()
        except Exception as error:
            with self._lock:
                self._failure = error
                self._lock.notify_all()
        finally:
            self._hang_up()

    def connect(self) -> None:
        """Open the port and greet the board. Raises PortError, LinkError."""
        port = self._open_port()
        link = Link(port)
        try:
            greeting = link.hello()
        except WrenchError:
            port.close()
            raise
        self._clear_connection()
        self._losses = Losses()
        self._link = link
        self._gate = WaveformGate(greeting["sample_rate_hz"])
        if self._for_screen:
            self._levels_due.extend(wire.FAULTS.index(it) for it in LEVELS_SHOWN)
            self._questions.append(("read_log", (_BEYOND_ALL,)))
        self._told_reason = ""
        self._put(Connected(greeting, self._ever))
        self._ever = True
        asked_s, self._stop_asked_s = self._stop_asked_s, None
        if asked_s is not None and self._clock() - asked_s < _STOP_HELD_S:
            self._send("stop", (), by_user=True)

    def turn(self, wait_s: float = _TURN_S) -> None:
        """One turn of the thread: wait for a command of the user's, send it, read what there is,
        and ask what is to be asked."""
        if self._link is None:
            self._look(wait_s)
        else:
            try:
                self._send_commands(wait_s)
                self._read()
                self._attend()
            except (PortError, LinkError) as error:
                self._lose(str(error))
        self._tell()

    def _look(self, wait_s: float) -> None:
        with self._lock:
            if not self._commands and not self._ended:
                self._lock.wait(wait_s)
            refused = list(self._commands)
            self._commands.clear()
        for name, values in refused:
            if name == "stop":
                self._stop_asked_s = self._clock()
            self._put(Answer(name, values, "the board is not there"))
        if self._clock() < self._retry_s or self._ended:
            return
        try:
            self.connect()
        except (PortError, LinkError) as error:
            self._retry_s = self._clock() + _LOOK_AGAIN_S
            self._wait_for_board(str(error))

    def _wait_for_board(self, reason: str) -> None:
        if reason != self._told_reason:
            self._told_reason = reason
            self._put(Waiting(reason))

    def _lose(self, reason: str) -> None:
        assert self._link is not None
        owned = self._link.owns_run
        self._link.port.close()
        self._link = None
        self._past = _sum(self._past, self._losses)
        self._losses = Losses()
        for asked in self._asked.values():
            if asked.by_user:
                self._put(Answer(asked.name, asked.values, "the link was lost", unknown=True))
        self._clear_connection()
        self._retry_s = self._clock()
        if owned:
            self._put(Told("the link is lost: the board stops the run that this monitor owned"))
        self._wait_for_board(reason)

    # -- sending -------------------------------------------------------------------------
    def _send_commands(self, wait_s: float) -> None:
        with self._lock:
            if not self._commands and not self._ended:
                self._lock.wait(wait_s)
            commands = list(self._commands)
            self._commands.clear()
        for name, values in commands:
            self._send(name, values, by_user=True)

    def _send(self, name: str, values: tuple[int, ...], *, by_user: bool) -> int:
        link = self._link
        assert link is not None
        now_s = self._clock()
        owned = link.owns_run
        if name == "stop":
            link.owns_run = False
            self._run_us = None
            self._stopping_s = now_s
            self._stop_by_user = self._stop_by_user or by_user
            if self._stop_asked_s is None:
                self._stop_asked_s = now_s
        sequence = link.post(name, *values)
        self._asked[sequence] = _Asked(name, values, now_s, by_user, owned)
        if name == "run":
            link.owns_run = True
            self._stopping_s = self._stop_asked_s = None
            self._stop_by_user = False
            if not owned:
                self._run_us, self._turned = None, False
        return sequence

    # -- reading -------------------------------------------------------------------------
    def _read(self) -> None:
        link = self._link
        assert link is not None
        for _ in range(_FRAMES_A_TURN):
            frame = link.receive(_READ_S)
            if frame is None:
                break
            self._came_s = self._clock()
            if frame.time_us < self._time_us:
                raise LinkError("the board was reset")
            self._time_us = frame.time_us
            self._losses.update(frame, link.decoder)
            if frame.name == "reply":
                self._replied(frame)
                continue
            if frame.name == "waveform":
                self._streamed_s = self._came_s
                if self._trial:
                    self._trial.blocks.append((self._came_s, frame.time_us, link.received_bytes))
                    continue
            elif frame.name == "status":
                self._turning = frame["mode"] in TURNING
                self._follow_run(frame)
            elif frame.name == "event" and frame["code"] == "levels":
                self._levels_due.append(frame["detail"] >> 2)
            elif frame.name == "log":
                self._read_on(frame)
            self._put(frame)
            if self._commands:
                break  # a stop does not wait until everything is read
        self._rate.update(self._clock(), link.received_bytes)

    def _replied(self, frame: Frame) -> None:
        link = self._link
        assert link is not None
        sequence = frame["command_sequence"]
        asked = self._asked.pop(sequence, None)
        if asked is None:
            return
        # The board answers in order: what was asked before has lost its answer.
        for earlier in [number for number, it in self._asked.items() if it.sent_s < asked.sent_s]:
            self._give_up(earlier)
        done = frame["reason"] == "done"
        if asked.name == _PING:
            self._latency_s = self._clock() - asked.sent_s
        if self._question == sequence:
            self._question = None
        if self._trial:
            self._tried(sequence, done)
        if asked.name == "run":
            if done:
                self._target = asked.values[0]
            else:
                link.owns_run = asked.owned_before and link.owns_run
        elif asked.name == "stop":
            # Of those that were sent for one key any will do.
            asked.by_user, self._stop_by_user = self._stop_by_user, False
            self._stopping_s = self._stop_asked_s = None
        elif asked.name == "stream" and not done and self._gate:
            self._gate.denied(self._clock(), frame["reason"])
        if asked.by_user:
            self._put(Answer(asked.name, asked.values, "" if done else frame["reason"]))

    def _read_on(self, log: Frame) -> None:
        """The first answer tells which events there are; those are asked for then."""
        if log["first"] == _BEYOND_ALL and log["newest"] >= log["oldest"]:
            first = max(log["oldest"], log["newest"] + 1 - EVENTS_READ)
            self._questions.append(("read_log", (first,)))

    def _follow_run(self, status: Frame) -> None:
        """A run that this session owns has ended where the board says so."""
        link = self._link
        assert link is not None
        if any(it.name == "run" for it in self._asked.values()):
            return
        if link.taken_over:
            link.taken_over = False
            self._run_us = None
            self._put(Told("another command has taken the run over"))
        if not link.owns_run:
            return
        if self._run_us is None:
            self._run_us = status.time_us
        mode = status["mode"]
        self._turned = self._turned or mode in TURNING
        late = self._turned or status.time_us - self._run_us > _RUN_SHOWS_US
        if mode == "tripped" or (late and mode not in TURNING):
            link.owns_run = False
            self._run_us = None
            if mode != "tripped":
                self._put(Told("the run was ended at the board, or by another host"))

    # -- what is to be done between frames -------------------------------------------------
    def _attend(self) -> None:
        link = self._link
        assert link is not None
        now_s = self._clock()
        if now_s - self._came_s > SILENCE_S:
            raise LinkError(f"the board has sent nothing for {SILENCE_S:g} s")
        self._mind_the_screen(now_s)
        if self._stopping_s is not None and now_s - self._stopping_s > _STOP_AGAIN_S:
            self._send("stop", (), by_user=False)
        for sequence, asked in list(self._asked.items()):
            if now_s - asked.sent_s > _LOST_S:
                self._give_up(sequence)
            elif now_s - asked.sent_s > _ANSWER_S and not asked.late:
                self._unanswered(sequence, f"the board has not answered for {_ANSWER_S:g} s")
        # The answer takes heap of the board, which collects none in a run.
        if self._levels_due and not self._turning and not self._questions:
            self._questions.append(("get_levels", (self._levels_due.popleft(),)))
        if self._question is None and self._questions:
            name, values = self._questions.popleft()
            self._question = self._send(name, values, by_user=False)
        elif now_s >= self._ping_s and not any(
            it.name == _PING and not it.late for it in self._asked.values()
        ):
            young = self._gate is not None and self._gate.on_probation(now_s)
            self._ping_s = now_s + (_ASK_OFTEN_S if young else _ASK_EVERY_S)
            self._send(_PING, (0,), by_user=False)
        self._mind_the_waveform(now_s)

    def _unanswered(self, sequence: int, why: str) -> None:
        """Its answer may still come, behind all that a slow link has to carry before it."""
        asked = self._asked[sequence]
        asked.late = True
        if self._question == sequence:
            self._question = None
        if asked.by_user:
            self._put(Answer(asked.name, asked.values, why, unknown=True))

    def _give_up(self, sequence: int) -> None:
        asked = self._asked[sequence]
        if not asked.late and asked.name != "stop":  # which is sent again
            self._unanswered(sequence, "the board's answer was lost")
        del self._asked[sequence]
        if self._trial and sequence in (self._trial.on, self._trial.off):
            self._trial = None

    def _waited_s(self, now_s: float) -> float:
        """How long the answer that tells the latency has been waited for by now."""
        sent_s = [it.sent_s for it in self._asked.values() if it.name == _PING]
        return now_s - min(sent_s) if sent_s else 0.0

    def _mind_the_screen(self, now_s: float) -> None:
        link = self._link
        assert link is not None
        if link.owns_run and now_s - self._looked_s > self._patience_s:
            self._send("stop", (), by_user=False)
            self._put(
                Told(f"the screen stood still for {self._patience_s:g} s: the motor was stopped")
            )

    def _mind_the_waveform(self, now_s: float) -> None:
        gate = self._gate
        if gate is None or not self._for_screen or self._questions or self._question:
            return  # a link that is measured carries nothing out of the ordinary
        if gate.on:
            late_s = max(self._waited_s(now_s), self._latency_s or 0.0)
            if not gate.judge(now_s, late_s, self._losses.frames):
                self._send("stream", (0,), by_user=False)
            elif now_s - self._streamed_s > _STREAM_AGAIN_S:
                self._stream(now_s)  # somebody else has turned it off
        elif self._trial is None:
            if gate.due(now_s):
                self._trial = _Trial(self._send("stream", (1,), by_user=False))
        elif self._trial.off_s is not None and now_s >= self._trial.off_s:
            self._trial.off_s = None
            self._trial.off = self._send("stream", (0,), by_user=False)

    def _tried(self, sequence: int, done: bool) -> None:
        """Replies to a trial's two commands: between them its blocks come, in order."""
        trial, gate = self._trial, self._gate
        assert trial is not None
        assert gate is not None
        now_s = self._clock()
        if sequence == trial.on:
            if not done:
                self._trial = None
                return
            least_s, most_s = _TRIAL_S
            trial.off_s = now_s + min(most_s, max(least_s, _TRIAL_BYTES / gate.needs_bytes_per_s))
        elif sequence == trial.off:
            self._trial = None
            carried = trial.bytes_per_s if trial.late_s > _TRIAL_LATE_S else None
            if gate.tried(now_s, carried, self._losses.frames):
                self._stream(now_s)

    def _stream(self, now_s: float) -> None:
        self._streamed_s = now_s
        self._send("stream", (1,), by_user=False)

    # -- what others see -------------------------------------------------------------------
    def _put(self, item: Item) -> None:
        with self._lock:
            self._items.append(item)
            if len(self._items) > _HELD_AT_MOST:
                self._skip()
            if not (isinstance(item, Frame) and item.name == "waveform"):
                self._lock.notify_all()

    def _skip(self) -> None:
        """Forget the older half of what a newer picture replaces."""
        old = len(self._items) // 2
        kept: deque[Item] = deque()
        for number, item in enumerate(self._items):
            if number < old and isinstance(item, Frame) and item.name in _DROPPABLE:
                self._skipped += 1
            else:
                kept.append(item)
        self._items = kept

    def _tell(self) -> None:
        link, gate = self._link, self._gate
        now_s = self._clock()
        latency_s = self._latency_s
        if latency_s is not None:
            latency_s = max(latency_s, self._waited_s(now_s))
        report = LinkReport(
            connected=link is not None,
            owns_run=link is not None and link.owns_run,
            target_permille=self._target,
            losses=_sum(self._past, self._losses),
            bytes_per_s=self._rate.bytes_per_s,
            frame_age_s=None if latency_s is None else now_s - self._came_s + latency_s,
            latency_s=latency_s,
            waveform_on=gate is not None and gate.on,
            waveform=gate.refusal if gate else "",
        )
        with self._lock:
            self._report = report

    def _hang_up(self) -> None:
        link = self._link
        if link is None:
            return
        with contextlib.suppress(WrenchError):
            wanted = any(name == "stop" for name, _ in self._commands)
            if wanted or link.owns_run or self._stopping_s is not None:
                self._send("stop", (), by_user=False)
            if self._trial or (self._gate and self._gate.on):
                link.post("stream", 0)
            until = self._clock() + _ENDING_S
            self._commands.clear()
            while self._stopping_s is not None and self._clock() < until:
                self._read()
        with contextlib.suppress(WrenchError):
            link.port.close()
        self._link = None
        self._tell()


def _sum(one: Losses, other: Losses) -> Losses:
    return Losses(
        one.frames + other.frames,
        one.samples + other.samples,
        one.missing + other.missing,
        one.broken + other.broken,
    )


def board_opener(port: str | None) -> Callable[[], Port]:
    """A function that opens the link of the board at `port` (as `transport.choose` takes it), and
    finds it again when it has another name then, or another board when that one has not come back
    and `port` means the other now. Its first call waits as long as a board takes to start."""
    connection: BoardConnection | None = None

    def open_port() -> Port:
        nonlocal connection
        if connection is None:
            connection = BoardConnection(port)
            return connection.open_link()
        try:
            return connection.open_link(_LOOK_S)
        except PortError:
            # Its place tells a board from others, and it may hang on another socket now.
            with contextlib.suppress(PortError):
                found = BoardConnection(port)
                opened = found.open_link(_LOOK_S)
                connection = found
                return opened
            raise

    return open_port
