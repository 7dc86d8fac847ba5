"""Hostile bytes against a board: what it must have made of every one of them is known beforehand,
and it is held to that, and to the rules of `invariants`, from outside.

Frames come in batches, several to a board, so that what one leaves behind is seen in the next. In
a batch nobody runs the motor, or its owner does, with a heartbeat, or the owner goes while the
frames go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from wrench.bench.emulator import StepSeen
from wrench.bench.virtual import CONSOLE, LINK, STEP_NS
from wrench.blackbox import decode_events
from wrench.board_settings import kinds, number_of
from wrench.boards import Board
from wrench.errors import LinkError, PortError
from wrench.hil.heap import Heap
from wrench.hil.hostile import COMMANDS, END
from wrench.hil.invariants import Invariants, Violation
from wrench.hil.trial import Trial
from wrench.hil.wire_truth import Heard, enclosed, heard, pieces
from wrench.link import Frame
from wrench_firmware import wire

REST, RUN, LEFT = "rest", "run", "left"
"""During a batch: the motor is at rest, runs for its owner, or its owner soon leaves."""

DURING = (REST, REST, RUN, REST, REST, LEFT, REST, REST)
"""What a board goes through, batch by batch."""

ANSWERS_S = 1.5
"""Within that a board answers once everything has reached it: at rest it may be erasing flash."""
_ANSWERS_RUNNING_S = 0.2
_STEP_S = STEP_NS / 1e9
_FEED_BYTES = 128  # on their way: what its USB takes in two control ticks
_CONSOLE_BYTES = 48
_COUNTED_S = 3.0  # the console is looked at every 1.28 s
_COLLECTS_S = 0.2
_COLLECTIONS = 4
_STARTS_S = 6.0
_SPEEDS = (200, 450, 1000)
_HEAP_TOLERANCE = 512
_WRAP = 0x10000
_TOLD_BYTES = 300
_LEAST_DRIVEN = 100
_LEAST_LEFT = 400
_OVERSHOOT = 1.15

_SETTINGS = [kind.name for kind in kinds()]
_CEILING, _HOLD = number_of("ceiling_permille"), number_of("probation_hold")
_BEARINGS = number_of("bearings")
_LEVELS = range(len(wire.LEVELS))
_BELOW = ("brown-out",)
"""Faults of which a lower level protects less."""
_NOBODYS = 0xE000  # commands of this program's own, from there on


def _is_run(one: Heard) -> bool:
    return one.kind == wire.RUN and bool(one.arguments) and 0 < one.arguments[0] <= 1000


def _never_at_rest(one: Heard) -> bool:
    return _is_run(one) or one.kind == wire.MAINTENANCE


def _never_in_a_run(one: Heard) -> bool:
    return _is_run(one) or one.kind in (wire.STOP, wire.HEARTBEAT, wire.SET_LEVEL)


_LEFT_OUT: dict[str, Callable[[Heard], bool]] = {
    REST: _never_at_rest,
    RUN: _never_in_a_run,
    LEFT: lambda one: _never_in_a_run(one) or one.kind == wire.MAINTENANCE,
}
"""Sound commands that would rightly do what the rules forbid: none of them is sent."""


def may_be_sent(during: str, chunk: bytes) -> bool:
    """False where a chunk has a command in it that would be carried out and is kept out."""
    out = _LEFT_OUT[during]
    return not any(one.refused is None and out(one) for one in heard(chunk) if one.kind)


@dataclass(frozen=True)
class Batch:
    """What is sent, and `during` what. Each chunk ends with a zero."""

    during: str
    chunks: tuple[bytes, ...]

    @property
    def frames(self) -> int:
        """How many frames, sound or not, that is."""
        return sum(len(pieces(chunk)) for chunk in self.chunks)


@dataclass(frozen=True)
class Stint:
    """A board with an image, its machine, made by `seed`, and what is sent to it."""

    board: str
    image: str
    seed: int
    batches: tuple[Batch, ...]

    def as_code(self, name: str) -> str:
        """A regression test that sends it again."""
        lines = ""
        for one in self.batches:
            chunks = "".join(f'                "{chunk.hex()}",\n' for chunk in one.chunks)
            lines += (
                f"            batch(\n                {one.during!r},\n{chunks}            ),\n"
            )
        return (
            f"def test_{name}():\n"
            "    withstand(\n"
            f"        stint(\n            {self.board!r},\n            {self.image!r},\n"
            f"            {self.seed},\n{lines}"
            "        )\n"
            "    )\n"
        )


def batch(during: str, *chunks: str) -> Batch:
    """A batch, as code has it: the chunks in hexadecimal."""
    return Batch(during, tuple(map(bytes.fromhex, chunks)))


def stint(board: str, image: str, seed: int, /, *batches: Batch) -> Stint:
    """A stint, as code has it."""
    return Stint(board, image, seed, batches)


def made(board: str, image: str, chance: Random, frames: int, during: Sequence[str]) -> Stint:
    """A stint with so many frames in each batch, but never so few that they end before a run whose
    owner has gone."""
    batches = tuple(
        _drawn(chance, one, max(frames, _LEAST_LEFT) if one == LEFT else frames) for one in during
    )
    return Stint(board, image, chance.randrange(1 << 16), batches)


def _drawn(chance: Random, during: str, frames: int) -> Batch:
    chunks: list[bytes] = []
    while frames > 0:
        chunk = COMMANDS.draw(chance)
        if may_be_sent(during, chunk):
            chunks.append(chunk)
            frames -= len(pieces(chunk))
    return Batch(during, tuple(chunks))


@dataclass
class Seen:
    """What came of a stint."""

    frames: int = 0
    sound: int = 0
    carried_out: int = 0
    bytes: int = 0
    sending_s: float = 0.0
    """Device time while frames were sent."""
    heap_free: list[int] = field(default_factory=list)
    """Bytes after a collection, before each batch at rest, and at the end."""
    run_took: list[tuple[int, int]] = field(default_factory=list)
    """Of each batch in a run: frames, and bytes of heap that were free before and not after."""


@dataclass(frozen=True)
class Told:
    """How a stint ended: `violation` is None where every rule held, else it came up in `batch`."""

    stint: Stint
    seen: Seen
    device_s: float
    violation: Violation | None
    batch: int = 0


def tell(it: Stint) -> Told:
    """Send a stint to an emulated board. Deterministic: the same stint ends the same."""
    trial = Fuzzed(it.board, it.image, it.seed)
    violation = None
    at = 0
    try:
        Invariants(trial)
        trial.begin()
        for at, one in enumerate(it.batches):  # noqa: B007
            trial.withstand(one)
        trial.finish()
    except Violation as broken:
        violation = broken
    except (LinkError, PortError) as error:
        violation = Violation("answers", trial.now_s, str(error))
    finally:
        device_s = trial.now_s
        trial.bench.close()
    return Told(it, trial.fuzz, device_s, violation, at)


def withstand(it: Stint) -> None:
    """For a regression test: raises Violation where a rule does not hold."""
    ended = tell(it)
    if ended.violation:
        raise ended.violation


class Kept:
    """What the board's settings and levels must be, from what it has said it has done."""

    def __init__(self, board: Board) -> None:
        self._caps = len(board.probation.steps_percent) if board.probation else 0
        self.settings: dict[int, int] = {}
        self.levels: dict[tuple[int, int], int | None] = {}
        self._factory: dict[int, int] = {}
        self._board: dict[tuple[int, int], int | None] = {}

    def read(self, settings: Iterable[Frame], levels: Iterable[Frame]) -> None:
        """As the board tells them now; from here on they are known."""
        for frame in settings:
            self.settings[frame["setting"]] = frame["value"]
            self._factory[frame["setting"]] = frame["factory"]
        for frame in levels:
            fault = wire.FAULTS.index(frame["protection"])
            for which in _LEVELS:
                self.levels[fault, which] = frame[wire.LEVELS[which]]
                self._board[fault, which] = frame[f"board_{wire.LEVELS[which]}"]

    def done(self, one: Heard) -> None:
        """The board has carried it out."""
        arguments: list[int] = list(one.arguments or ())
        match one.kind:
            case wire.SET_LIMIT:
                self.settings[_CEILING] = arguments[0]
            case wire.SET_SETTING:
                self.settings[arguments[0]] = arguments[1]
            case wire.NEW_BEARING:
                self.settings[_BEARINGS] += 1
            case wire.HOLD_PROBATION:
                held = arguments[0]
                self.settings[_HOLD] = held if held < self._caps else 15
            case wire.SET_LEVEL:
                self.levels[arguments[0], arguments[1]] = arguments[2]
            case wire.FACTORY_RESET:
                for setting in (_CEILING, _HOLD):
                    self.settings[setting] = self._factory[setting]
                self.levels.update(self._board)
            case _:
                pass

    def allowed(self, one: Heard) -> str:
        """What the board must not have carried out, in words."""
        if one.kind != wire.SET_LEVEL or not one.arguments:
            return ""
        fault, which, value = one.arguments
        least = self._board[fault, which]
        is_below = wire.FAULTS[fault] in _BELOW
        if least is None:
            return ""  # one more level protects more
        if value < least if is_below else value > least:
            return f"{_named(one)}: less protective than the board file's {least}"
        return ""

    def compare(self, settings: Iterable[Frame], levels: Iterable[Frame]) -> str:
        """What is not as it must be, in words; "" where all is."""
        for frame in settings:
            number, value = frame["setting"], frame["value"]
            if not frame["least"] <= value <= frame["most"]:
                return f"the setting {_SETTINGS[number]} is {value}, out of its range"
            if number in (_CEILING, _HOLD, _BEARINGS) and value != self.settings[number]:
                return (
                    f"the setting {_SETTINGS[number]} is {value}, "
                    f"and was last set to {self.settings[number]}"
                )
        for frame in levels:
            fault = wire.FAULTS.index(frame["protection"])
            for which in _LEVELS:
                value, must = frame[wire.LEVELS[which]], self.levels[fault, which]
                if value != must:
                    return (
                        f"the {wire.LEVELS[which]} of {frame['protection']} is {value}, not {must}"
                    )
        return ""


class Fuzzed(Trial):
    """A board that hostile bytes are sent to."""

    def __init__(self, board: str, image: str, seed: int) -> None:
        super().__init__(board, image, seed)
        self.fuzz = Seen()
        self.kept = Kept(self.board)
        self._expected: deque[Heard] = deque()
        self._answers: list[Frame] = []
        self._status: Frame | None = None
        self._on_its_way = 0
        self._bad_frames = self._stray_bytes = 0
        self._number = _NOBODYS
        self._newest = 0
        self._had_resets = 0
        self._begun = False
        self._told_trip = ""
        self._speed_permille = 0
        self._lost_before = 0
        self._chance = Random(seed)
        self._console: Any = None
        self.bench.on_step.append(self._look)

    def begin(self) -> None:
        """Power comes; wait until the board could run, and read what it keeps."""
        super().begin()
        self._console = self.bench.open(CONSOLE)
        self.pass_time(0.2)
        self._console.read_available()
        self._had_resets = len(self.bench.resets)
        self._begun = True
        self.kept.read(*self._told())
        self.bench.on_step.append(self._no_reset)

    # -- bytes ---------------------------------------------------------------------------
    def send(self, chunks: Iterable[bytes]) -> None:
        """Send them as fast as the board takes them."""
        for chunk in chunks:
            while self._on_its_way >= _FEED_BYTES:
                self.pass_time(_STEP_S)
            for one in heard(chunk):
                if one.kind is None:
                    self._bad_frames += 1
                    self._stray_bytes += one.stray_bytes
                elif one.answered:
                    self._expected.append(one)
            self._on_its_way += len(chunk)
            self.bench.send(LINK, chunk)

    def _look(self, seen: StepSeen) -> None:
        self._on_its_way = seen.unsent[LINK] if len(seen.unsent) > LINK else 0

    def _no_reset(self, seen: StepSeen) -> None:
        if len(self.bench.resets) > self._had_resets:
            time_ns, reason = self.bench.resets[self._had_resets]
            said = self._console.read_available()[:_TOLD_BYTES]
            cause = "software" if reason & 2 else "its watchdog" if reason else "its pin"
            raise Violation(
                "reset", time_ns / 1e9, f"the chip was reset by {cause}; it has printed {said!r}"
            )

    def drain(self, within_s: float) -> None:
        """Until the board has taken everything and answered what is to be answered."""
        self._number = _NOBODYS | (self._number + 1) & 0xFFF
        hello = wire.HELLO.to_bytes(1, "little") + b"\0" + self._number.to_bytes(2, "little")
        self.send([END + enclosed(hello) + END])
        while self._on_its_way:
            self.pass_time(_STEP_S)
        until_s = self.now_s + within_s
        while self._expected:
            if self.now_s > until_s:
                first = self._expected[0]
                raise Violation(
                    "answers", self.now_s, f"no reply within {within_s:g} s to {_named(first)}"
                )
            self.pass_time(_STEP_S)

    # -- answers -------------------------------------------------------------------------
    def _take(self, frame: Frame) -> None:
        super()._take(frame)
        if not self._begun:
            return
        if frame.name == "reply":
            self._match(frame)
        elif frame.name == "status":
            self._status = frame
            self._judge_speed(frame)
        elif frame.name == "event" and frame["code"] == "trip":
            self._told_trip = wire.FAULTS[frame["detail"]]
        elif frame.name != "waveform":
            self._answers.append(frame)

    def _match(self, reply: Frame) -> None:
        """Replies come in the order of the commands; none is there that nobody has sent."""
        sequence, kind = reply["command_sequence"], reply["command"]
        while self._expected:
            one = self._expected.popleft()
            if (one.kind, one.sequence) == (kind, sequence):
                break
            if not self._may_be_lost(reply):
                raise Violation("replies", self.now_s, f"there is no reply to {_named(one)}")
        else:
            raise Violation(
                "replies", self.now_s, f"a reply ({reply['reason']}) to {kind}, which nobody sent"
            )
        reason = reply["reason"]
        if one.refused is not None and reason != one.refused:
            raise Violation(
                "replies", self.now_s, f"{_named(one)}: {reason}, and not {one.refused}"
            )
        if one.refused is None and reason in ("unknown command", "wrong length"):
            raise Violation("replies", self.now_s, f"{_named(one)}: {reason}")
        self.fuzz.sound += 1
        if reason == "done":
            self.fuzz.carried_out += 1
            self.kept.done(one)
            if wrong := self.kept.allowed(one):
                raise Violation("settings", self.now_s, wrong)

    def _may_be_lost(self, reply: Frame) -> bool:
        """Before this reply the board had no room for a frame, or one was spoiled on the way, which
        has not been accounted for."""
        link = self.rig.open_link
        if link is None:
            return False
        lost = link.decoder.missing_frames + reply.dropped_frames
        if lost <= self._lost_before:
            return False
        self._lost_before += 1
        return True

    def _judge_speed(self, status: Frame) -> None:
        if self._speed_permille and status["speed_command_permille"] > self._speed_permille:
            raise Violation(
                "asked",
                self.now_s,
                f"the speed is {status['speed_command_permille']}, and its owner has asked for "
                f"{self._speed_permille}",
            )

    def _ask(self, *asked: tuple[int, bytes]) -> list[Frame]:
        """What the board tells after these commands."""
        self._answers.clear()
        for kind, payload in asked:
            self._number = _NOBODYS | (self._number + 1) & 0xFFF
            head = bytes([kind, 0]) + self._number.to_bytes(2, "little")
            self.send([enclosed(head + payload) + END])
        self.drain(ANSWERS_S)
        return list(self._answers)

    def _told(self) -> tuple[list[Frame], list[Frame]]:
        """Every setting, and the levels of every protection."""
        asked = [(wire.GET_SETTING, bytes([n])) for n in range(len(_SETTINGS))]
        asked += [(wire.GET_LEVELS, bytes([n])) for n in range(1, len(wire.FAULTS))]
        frames = self._ask(*asked)
        settings = [frame for frame in frames if frame.name == "setting"]
        if [frame["setting"] for frame in settings] != list(range(len(_SETTINGS))):
            raise Violation("settings", self.now_s, f"only {len(settings)} can be read")
        return settings, [frame for frame in frames if frame.name == "levels"]

    # -- batches -------------------------------------------------------------------------
    def withstand(self, one: Batch) -> None:
        """Send a batch, and hold the board to what it must be afterwards. Raises Violation."""
        self._make_ready()
        if one.during == REST:
            self._measure_heap()
        else:
            self._start()
        free = Heap(self.bench.read_memory).look().free
        bad_frames, stray_bytes = self._counted()
        self._bad_frames = self._stray_bytes = 0
        if one.during == REST:
            # On the console it is never taken for anything.
            noise = self._chance.randbytes(_CONSOLE_BYTES)
            self._console.write(noise)
            self._stray_bytes += len(noise)
        began_s = self.now_s
        first = len(one.chunks) // 8
        self.send(one.chunks[:first])
        if one.during == LEFT:
            self._leave()
        self.send(one.chunks[first:])
        self.drain(_ANSWERS_RUNNING_S if one.during == RUN else ANSWERS_S)
        self.fuzz.sending_s += self.now_s - began_s
        self.fuzz.frames += one.frames
        self.fuzz.bytes += sum(map(len, one.chunks))
        if one.during == RUN:
            self._still_runs()
            taken = free - Heap(self.bench.read_memory).look().free
            self.fuzz.run_took.append((one.frames, taken))
        elif one.during == LEFT:
            self._has_ended()
        self._compare(bad_frames, stray_bytes)

    def finish(self) -> None:
        """After the last batch: the whole black box, and the heap."""
        self._make_ready()
        self._measure_heap()
        self._read_log(0)

    def _make_ready(self) -> None:
        """Motor off, every level as the board file has it, nothing streamed, no trip."""
        self._ask((wire.STOP, b""), (wire.STREAM, b"\0"), (wire.FACTORY_RESET, b""))
        self._speed_permille = 0
        self.known.owned = self.known.asked_to_run = False
        until_s = self.now_s + _STARTS_S
        while True:
            mode = self._next_status()["mode"]
            if mode == "idle":
                return
            if self.now_s > until_s:
                raise Violation("recovers", self.now_s, f"{mode}, and cannot be reset")
            if mode == "tripped":
                self._ask((wire.RESET_TRIP, b""))
            self.pass_time(0.1)

    def _next_status(self) -> Frame:
        self._status = None
        until_s = self.now_s + ANSWERS_S
        while self._status is None:
            if self.now_s > until_s:
                raise Violation("answers", self.now_s, f"no status within {ANSWERS_S:g} s")
            self.pass_time(_STEP_S)
        return self._status

    def _measure_heap(self) -> None:
        """A run of speed 0 is refused, after everything has been collected for it."""
        free = self.fuzz.heap_free
        found: list[int] = []
        # What is at work just then, a write to flash, has garbage of its own.
        while len(found) < _COLLECTIONS:
            self._ask((wire.RUN, bytes(2)))
            self.pass_time(_COLLECTS_S)
            found.append(Heap(self.bench.read_memory).look().free)
            # The first commands leave what the board keeps for the next ones.
            if len(free) < 2 or found[-1] >= min(free[:2]) - _HEAP_TOLERANCE:
                free.append(found[-1])
                return
        raise Violation("heap", self.now_s, f"{free} bytes were free after each batch, now {found}")

    def _start(self) -> None:
        """The owner starts the motor."""
        speed = self._chance.choice(_SPEEDS)
        until_s = self.now_s + _STARTS_S
        while (reason := self.command(lambda link: link.run(speed))) != "done":
            if self.now_s > until_s:
                raise Violation("runs", self.now_s, f"a run is refused: {reason}")
            self.pass_time(0.1)
        self.known.owned = True
        self._speed_permille = speed
        while self.rig.duty_at_pin <= 0.0:
            if self.now_s > until_s:
                raise Violation("runs", self.now_s, "the motor is not driven")
            self.pass_time(_STEP_S)
        self.rig.forget_highest()

    def _leave(self) -> None:
        """The owner goes: once his last heartbeat has come in, no other follows."""
        while self._on_its_way:
            self.pass_time(_STEP_S)
        link = self.rig.open_link
        assert link is not None
        link.owns_run = False
        self.known.heard_s = self.now_s
        self._told_trip = ""

    def _still_runs(self) -> None:
        status = self._next_status()
        if status["mode"] not in ("starting", "running", "limiting"):
            raise Violation(
                "runs", self.now_s, f"a run has ended: {status['mode']}, {status['fault']}"
            )
        ceiling = self.kept.settings[_CEILING]
        if self.rig.duty_at_pin <= 0.0 and ceiling >= _LEAST_DRIVEN:
            raise Violation("runs", self.now_s, "the motor is not driven in a run")
        rated_rpm = self.board.motor.rated_speed_rpm
        most_rpm = _OVERSHOOT * self._speed_permille / 1000 * rated_rpm
        if self.rig.highest_speed_rpm > most_rpm:
            raise Violation(
                "asked",
                self.now_s,
                f"the shaft has turned at {self.rig.highest_speed_rpm:.0f} rpm, and its owner has "
                f"asked for {self._speed_permille / 1000 * rated_rpm:.0f} rpm",
            )

    def _has_ended(self) -> None:
        until_s = self.known.heard_s + 1.0
        while self.rig.duty_at_pin > 0.0 or self.now_s < until_s:
            self.pass_time(_STEP_S)  # the rule for a lost link watches
        if self._told_trip != "link lost":
            raise Violation(
                "runs",
                self.now_s,
                f"a run whose owner has gone has ended otherwise: {self._told_trip or 'untold'}",
            )

    def _counted(self) -> tuple[int, int]:
        status = self._next_status()
        return status["bad_frames"], status["stray_bytes"]

    def _compare(self, bad_frames: int, stray_bytes: int) -> None:
        """Counters, console, settings, levels and the end of the log, after a batch."""
        must = (bad_frames + self._bad_frames) % _WRAP, (stray_bytes + self._stray_bytes) % _WRAP
        until_s = self.now_s + _COUNTED_S
        while (counted := self._counted()) != must:
            if self.now_s > until_s or counted[0] != must[0]:
                raise Violation(
                    "counters",
                    self.now_s,
                    f"bad frames and stray bytes are {counted}, and must be {must}",
                )
        said = self._console.read_available()
        if said:
            raise Violation("console", self.now_s, f"the board has printed {said!r}")
        if wrong := self.kept.compare(*self._told()):
            raise Violation("settings", self.now_s, wrong)
        self._read_log(max(0, self._newest - 5))

    def _read_log(self, first: int) -> None:
        """From that event on it is in order, and nothing of what was there has gone."""
        if self._next_status()["mode"] in ("starting", "running", "limiting"):
            return
        numbers: list[int] = []
        newest = None
        while newest is None or first <= newest:
            frames = self._ask((wire.READ_LOG, first.to_bytes(4, "little")))
            told = next((frame for frame in frames if frame.name == "log"), None)
            if told is None:
                raise Violation("log", self.now_s, f"it cannot be read from {first} on")
            newest = told["newest"] if newest is None else newest
            events = decode_events(told.tail)
            if len(events) != told["records"]:
                raise Violation("log", self.now_s, f"{told['records']} records are {len(events)}")
            if not events:
                break
            numbers += [event.sequence for event in events]
            first = numbers[-1] + 1
        if numbers != sorted(set(numbers)) or newest < self._newest:
            raise Violation("log", self.now_s, f"its events are numbered {numbers}")
        self._newest = newest


def _named(one: Heard) -> str:
    kind = one.kind or 0
    name = wire.MESSAGES[kind][0] if kind in wire.MESSAGES else f"a command of kind {kind}"
    return f"{name} {one.arguments if one.arguments is not None else ''}".strip()
