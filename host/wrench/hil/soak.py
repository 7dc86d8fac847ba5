"""A soak: one emulated board with the real firmware, run for hours of device time, cycle after
cycle, watched for whatever grows, drifts or wraps.

The board's timer begins shortly before a wrap at each boot, another one each time, so that the
firmware lives through it while it runs, trips and is reset.
"""

from __future__ import annotations

import ast
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from wrench.bench.emulator import ChipClock
from wrench.bench.virtual import CONSOLE
from wrench.errors import LinkError, PortError
from wrench.hil.acts import perform
from wrench.hil.audit import mend
from wrench.hil.heap import Heap, HeapSeen
from wrench.hil.invariants import Invariants, Violation
from wrench.hil.soak_facts import WRAPS_US, Counters, Cycle, Files, broken
from wrench.hil.story import Act, act
from wrench.hil.trial import NEVER_S, Trial
from wrench.link import Frame, Link
from wrench.raw_repl import RawRepl, TransportError

_STRIDE_S = 0.025
_LONG_RUN_EVERY = 8
_QUIET_S = 3.0
_COASTS_S = 1.0
_RESETS_S = 20.0
_STARTS_S = 10.0
_CONSOLE_S = 10.0
_TURNING = ("starting", "running", "limiting")
_SETTINGS_MAGIC = b"WrS1"
_BLOCK = 4096
_LOOK = f"""
import gc, os
def blocks(n):
    n += 8 * (n // {_BLOCK} + 1)
    return (n + {_BLOCK - 1}) // {_BLOCK} * {_BLOCK}
def size(d):
    n = 0
    try: entries = list(os.ilistdir(d))
    except AttributeError: return 0  # what the firmware has mounted is in a file
    for e in entries:
        p = d.rstrip('/') + '/' + e[0]
        n += size(p) if e[1] & 0x4000 else blocks(e[3])
    return n
s = os.statvfs('/')
try: log = size('/wrench_log')
except OSError: log = 0
gc.collect()
print((s[0] * s[3], log, size('/') - log, gc.mem_free()))
"""


@dataclass(frozen=True)
class Lengths:
    """How long things take, in s. A boot ends in maintenance after `boot_s`, when the numbers of
    its frames have wrapped; every eighth cycle is one long run."""

    runs: int = 3
    run_s: tuple[float, float] = (6.0, 14.0)
    long_run_s: float = 600.0
    boot_s: float = 2400.0


USUAL = Lengths()


def soak(
    hours: float,
    seed: int,
    board: str = "pico-adxl345",
    image: str = "stock",
    lengths: Lengths = USUAL,
) -> Iterator[Cycle | Files]:
    """Run a board for so many hours of device time; yields what each cycle, and each maintenance,
    has seen.

    Raises Violation where a rule of the campaign does not hold, the board does not do as it is
    told, or something grows or drifts beyond its bounds (`soak_facts`); the cycle that shows that
    has been yielded. Raises BoardFileError, ImageError, BenchError, FlashError before it begins.
    """
    soaked = _Soak(seed, board, image, lengths)
    try:
        yield from soaked.run(hours * 3600.0)
    finally:
        soaked.close()


class _Soak:
    def __init__(self, seed: int, board: str, image: str, lengths: Lengths = USUAL) -> None:
        self._lengths = lengths
        self._chance = Random(f"{seed}/soak")
        self._boot = 0
        trial = self._trial = Trial(board, image, seed, ChipClock(begins_us=self._near_a_wrap()))
        trial.stride_s = _STRIDE_S
        Invariants(trial)
        trial.on_frame.append(self._see)
        trial.bench.on_step.append(lambda seen: self._flash(seen.flash))
        self._flashed = {"sector_erases": 0}
        self._cycles: list[Cycle] = []
        self._files: list[Files] = []
        self._booted_s = 0.0
        self._heap: Heap | None = None
        self._new_cycle()
        self._status: Frame | None = None
        self._frame: Frame | None = None
        self._link: Link | None = None
        self._of_link = (0, 0)

    def close(self) -> None:
        self._trial.bench.close()

    def _near_a_wrap(self) -> int:
        """What the timer begins with at the next boot: 8 to 60 s before something wraps."""
        wraps = list(WRAPS_US.values())
        at = wraps[(len(wraps) - 1 + self._boot) % len(wraps)]
        return at - round(self._chance.uniform(8e6, 60e6))

    def run(self, duration_s: float) -> Iterator[Cycle | Files]:
        trial = self._trial
        trial.begin()
        while trial.now_s < duration_s:
            self._new_cycle()
            resets = len(trial.bench.resets)
            number = len(self._cycles) + 1
            self._recover()
            long = number % _LONG_RUN_EVERY == 0
            self._a_long_run() if long else self._some_runs()
            self._at_rest()
            if len(trial.bench.resets) != resets:
                raise Violation("soak", trial.now_s, "the board has been reset, and nobody did it")
            yield self._told(number)
            self._judge()
            due = number == 1 or trial.now_s - self._booted_s > self._lengths.boot_s
            if due or trial.now_s >= duration_s:
                yield self._maintain()
                self._judge()

    def _judge(self) -> None:
        rate_hz = self._trial.machine.signal.rate_hz  # the sensor's own: no two have the same
        if found := broken(self._cycles, self._files, rate_hz):
            raise Violation("soak", self._trial.now_s, found)

    # -- what is done --------------------------------------------------------------------
    def _do(self, *acts: Act) -> None:
        for one in acts:
            perform(self._trial, one)

    def _recover(self) -> None:
        """Everything whole, the motor off, no trip latched."""
        trial = self._trial
        mend(trial)
        trial.pass_time(0.3)
        until_s = trial.now_s + _RESETS_S
        outcome = ""
        while trial.now_s < until_s:
            outcome = trial.command(lambda link: link.stop())
            trial.known.owned = False
            if outcome == "done":
                mode = self._mode()
                if mode == "idle":
                    return
                outcome = trial.command(lambda link: link.command("reset_trip"))
                if outcome == "done":
                    trial.known.tripped_s = NEVER_S
            trial.pass_time(0.2)
        raise Violation("recovers", trial.now_s, f"{_RESETS_S:g} s after it was mended: {outcome}")

    def _mode(self) -> str:
        link = self._trial.link()
        try:
            return str(link.status()["mode"]) if link else "no link"
        except (LinkError, PortError) as error:
            return str(error)

    def _start(self, permille: int) -> None:
        trial = self._trial
        until_s = trial.now_s + _STARTS_S
        outcome = ""
        while trial.now_s < until_s:
            outcome = trial.command(lambda link: link.run(permille))
            if outcome == "done":
                trial.known.owned = True
                trial.pass_time(0.5)
                if trial.rig.duty_at_pin > 0.0:
                    return
                outcome = f"no duty; {self._mode()}"
            trial.pass_time(0.3)
        raise Violation("runs", trial.now_s, f"a run does not begin: {outcome}")

    def _some_runs(self) -> None:
        chance = self._chance
        for _ in range(self._lengths.runs):
            self._run(chance.uniform(*self._lengths.run_s), changes_s=(0.5, 3.0))
            self._end(chance.choice(("stop", "stop", "stop", "estop", "jam", "leave")))
            self._recover()

    def _a_long_run(self) -> None:
        self._run(self._lengths.long_run_s, changes_s=(5.0, 30.0))
        self._end("stop")
        self._recover()

    def _run(self, duration_s: float, changes_s: tuple[float, float]) -> None:
        """A run with changing speed and load, streaming now and then, and questions."""
        trial, chance = self._trial, self._chance
        self._start(chance.choice((200, 400, 700, 1000)))
        begins = self._used()
        began_s = trial.now_s
        self._counters = replace(self._counters, runs=self._counters.runs + 1)
        while trial.now_s < began_s + duration_s:
            then_s = chance.uniform(*changes_s)
            what = chance.choice(("speed", "load", "load", "stream", "ask", "ceiling"))
            if what == "speed":
                self._do(act("run", then_s, permille=chance.choice((150, 300, 500, 700, 1000))))
            elif what == "load":
                self._do(act("load", then_s, fraction=chance.choice((0.0, 0.3, 0.6, 1.0))))
            elif what == "stream":
                self._do(act("stream", then_s, on=chance.random() < 0.7))
            elif what == "ask":
                question = chance.choice(("hello", "settings", "levels"))
                self._do(act("ask", then_s, what=question))
            else:
                self._do(act("set_ceiling", then_s, permille=chance.choice((500, 600, 700))))
            if trial.known.tripped_s != NEVER_S:
                fault = trial.trips[-1].fault if trial.trips else "nothing"
                raise Violation("soak", trial.now_s, f"it has tripped for {fault!r} without cause")
        self._garbage_bytes += max(0, self._used() - begins)
        self._garbage_s += trial.now_s - began_s

    def _end(self, how: str) -> None:
        trial = self._trial
        if how == "stop":
            self._do(act("stop", _COASTS_S))
        elif how == "leave":
            self._keep_of_link()
            self._do(act("close_port", 2.0))
        else:
            stimulus = act("estop", 1.0, pressed=True, after_ms=self._chance.uniform(0.0, 5.0))
            self._do(stimulus if how == "estop" else act("jam", 4.0))
            if self._mode() != "tripped":
                raise Violation("soak", trial.now_s, f"{how}, and it has not tripped")
            self._counters = replace(self._counters, trips=self._counters.trips + 1)
        if trial.rig.duty_at_pin > 0.0:
            raise Violation("soak", trial.now_s, f"{how}, and the motor is still driven")

    def _at_rest(self) -> None:
        chance = self._chance
        self._do(act("stream", 0.2, on=False))
        for what in ("log", "captures", "settings", "levels"):
            self._do(act("ask", 0.2, what=what))
        self._do(act("set_time", 0.2, unix_ms=1_750_000_000_000 + round(1e3 * self._trial.now_s)))
        self._do(act("set_ceiling", 1.5, permille=chance.choice((650, 700))))
        if chance.random() < 0.5:
            self._keep_of_link()
            self._do(act("close_port", chance.uniform(0.1, 5.0)))
        self._recover()
        # A run that is over has been collected after; so has one that begins.
        free = longest = 0
        until_s = self._trial.now_s + _QUIET_S
        self._start(200)
        self._do(act("stop", 0.0))
        while self._trial.now_s < until_s:
            self._trial.pass_time(0.05)
            seen = self._look_at_heap()
            if seen.free > free:
                free, longest = seen.free, seen.longest_free
        self._heap_free, self._heap_longest = free, longest

    # -- maintenance ---------------------------------------------------------------------
    def _maintain(self) -> Files:
        """Into maintenance, a look at the files, and a restart, by another way each time."""
        trial = self._trial
        self._recover()
        trial.pass_time(2.0)
        outcome = trial.command(lambda link: link.command("maintenance"))
        if outcome != "done":
            raise Violation("soak", trial.now_s, f"maintenance is refused: {outcome}")
        trial.in_maintenance = True
        self._keep_of_link()
        trial.rig.leave()
        trial.pass_time(1.0)
        found = self._look_at_files()
        self._files.append(found)
        self._restart()
        return found

    def _look_at_files(self) -> Files:
        trial = self._trial
        try:
            with_console = trial.bench.open(CONSOLE, _CONSOLE_S)
            repl = RawRepl(with_console)
            repl.enter_raw_repl(soft_reset=False)
            said = repl.exec(_LOOK).decode()
            with_console.close()
        except (PortError, TransportError) as error:
            raise Violation(
                "soak", trial.now_s, f"the console says nothing in maintenance: {error}"
            ) from error
        free, log, others, heap_free = ast.literal_eval(said)
        return Files(trial.now_s, free, log, others, heap_free)

    def _restart(self) -> None:
        trial = self._trial
        self._boot += 1
        trial.bench.begin_timer_at(self._near_a_wrap())
        if self._boot % 2:
            trial.cut_power(0.0, at_write=False, off_s=0.2)
        else:
            self._do(act("reset_pin", 0.0))
            trial.in_maintenance = False
        self._booted_s = trial.now_s
        self._heap = self._status = self._frame = None
        trial.pass_time(1.0)
        self._recover()

    # -- what is seen --------------------------------------------------------------------
    def _new_cycle(self) -> None:
        self._counters = Counters()
        self._driven_s = 0.0
        self._garbage_bytes = 0
        self._garbage_s = 0.0
        self._heap_free = self._heap_longest = 0
        self._longest_us = 0
        self._latest_ms = NEVER_S
        self._stretch: tuple[int, int] | None = None
        self._block_before = 0
        self._streamed = (0, 0)
        self._flashed_before = dict(getattr(self, "_flashed", {}))

    def _flash(self, counts: dict[str, int]) -> None:
        self._flashed = counts

    def _look_at_heap(self) -> HeapSeen:
        bench = self._trial.bench
        if self._heap is None:
            self._heap = Heap(bench.read_memory)
        return self._heap.look()

    def _used(self) -> int:
        return self._look_at_heap().used

    def _see(self, frame: Frame) -> None:
        trial = self._trial
        self._latest_ms = min(self._latest_ms, 1e3 * (trial.now_s - trial.told_s(frame)))
        more = Counters(frames=1)
        last = self._frame
        if last is not None and frame.time_us >= last.time_us:
            more += Counters(
                sequence_wraps=int(frame.sequence < last.sequence),
                ticks_us_wraps=(frame.time_us >> 30) - (last.time_us >> 30),
                timer_wraps=(frame.time_us >> 32) - (last.time_us >> 32),
                ticks_ms_wraps=frame.time_us // (1000 << 30) - last.time_us // (1000 << 30),
            )
        self._frame = frame
        self._counters += more
        if frame.name == "status":
            self._see_status(frame)
        elif frame.name == "waveform":
            self._see_block(frame)

    def _see_status(self, frame: Frame) -> None:
        last, self._status = self._status, frame
        if last is None or frame.time_us < last.time_us:
            return
        turning = last["mode"] in _TURNING and frame["mode"] in _TURNING
        dropped = frame.dropped_frames - last.dropped_frames & 0xFFFF
        lost = frame.lost_samples - last.lost_samples & 0xFFFF
        overruns = frame["control_overruns"] - last["control_overruns"] & 0xFFFF
        self._counters += Counters(
            bad_commands=frame["bad_frames"] - last["bad_frames"] & 0xFFFF,
            stray_bytes=frame["stray_bytes"] - last["stray_bytes"] & 0xFFFF,
            dropped_running=dropped if turning else 0,
            dropped_resting=0 if turning else dropped,
            lost_samples_running=lost if turning else 0,
            lost_samples_resting=0 if turning else lost,
            overruns_running=overruns if turning else 0,
            overruns_resting=0 if turning else overruns,
        )
        if turning:
            self._driven_s += (frame.time_us - last.time_us) / 1e6
            self._longest_us = max(self._longest_us, frame["control_interval_us"] or 0)

    def _see_block(self, frame: Frame) -> None:
        """Samples and time of the longest stretch without a gap, of those while the motor turns: at
        rest, blocks wait for the flash."""
        first = frame["first_sample"]
        turning = self._status is not None and self._status["mode"] in _TURNING
        follows = first - self._block_before == frame["samples"]
        self._block_before = first
        if not turning:
            self._stretch = None
        elif self._stretch is None or not follows:
            self._stretch = first, frame.time_us
        else:
            stretch = first - self._stretch[0], frame.time_us - self._stretch[1]
            self._streamed = max(self._streamed, stretch)

    def _keep_of_link(self) -> None:
        """What the link has counted is of this cycle."""
        link = self._trial.rig.open_link
        if link is None:
            return
        if link is not self._link:
            self._link, self._of_link = link, (0, 0)
        now = link.decoder.missing_frames, link.decoder.bad_frames
        self._counters += Counters(
            missing_frames=now[0] - self._of_link[0], bad_frames=now[1] - self._of_link[1]
        )
        self._of_link = now

    def _told(self, number: int) -> Cycle:
        trial = self._trial
        self._keep_of_link()
        link = trial.link()
        if link is None:
            raise Violation("answers", trial.now_s, "no link")
        log, _ = link.read_log(0)
        samples, us = self._streamed
        flashed, before = self._flashed, self._flashed_before
        told = Cycle(
            number=number,
            boot=self._boot + 1,
            uptime_s=trial.now_s - self._booted_s,
            device_s=trial.now_s,
            driven_s=self._driven_s,
            counters=self._counters,
            heap_free_bytes=self._heap_free,
            heap_longest_bytes=self._heap_longest,
            garbage_bytes=self._garbage_bytes,
            garbage_s=self._garbage_s,
            longest_interval_us=self._longest_us,
            latest_ms=self._latest_ms,
            sample_rate_hz=1e6 * samples / us if us else None,
            streamed_s=us / 1e6,
            settings_saves=settings_saves(trial.bench.read_flash()),
            oldest_event=log["oldest"],
            newest_event=log["newest"],
            erased=flashed["sector_erases"] - before.get("sector_erases", 0),
            programmed=flashed["page_programs"] - before.get("page_programs", 0),
        )
        self._cycles.append(told)
        return told


def settings_saves(flash: bytes) -> int:
    """The number of the newest save of the settings anywhere in a flash chip's content; 0 where
    there is none."""
    newest = 0
    at = flash.find(_SETTINGS_MAGIC)
    while at >= 0:
        _, _, length, number = struct.unpack_from("<IHHI", flash, at)
        page = flash[at : at + length]
        if length > 16 and zlib.crc32(page[:-4]) == int.from_bytes(page[-4:], "little"):
            newest = max(newest, number)
        at = flash.find(_SETTINGS_MAGIC, at + 1)
    return newest
