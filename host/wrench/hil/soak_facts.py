"""What a soak sees, and what it must not see: growth, drift, and counters that count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

WRAPS_US = {
    "ticks_us": 1 << 30,
    "sign of the timer's low word": 1 << 31,
    "timer's low word": 1 << 32,
    "ticks_ms": 1000 << 30,
}
"""Counts of the chip's microsecond timer at which something wraps; the last one wraps all."""

HEAP_SLACK_BYTES = 256
"""What may be in use after a cycle beyond the most after the two first ones of the same boot."""
WARM_CYCLES = 2
GARBAGE_BYTES_PER_H = 2048.0
"""What a run may take of the heap, in which nothing is collected until it is over."""
INTERVAL_US = 6000
DRIFT_MS = 6.0
"""Between the board's time and the bench's, within a boot: a step of the bench, and a bit."""
LATEST_MS = 60.0
"""From a frame's time to its arrival, for the fastest of a cycle."""
RATE_PPM = 100.0
"""Between the sample rate that the board's time shows, and the sensor's."""
BLOCK_MS = 40.0
"""By how much a block's time may be off at either end of a stretch, together: blocks wait for
ticks, and for the features of a window."""
SAVES_PER_CYCLE = 12
FILES_SLACK_BYTES = 8192
"""Two blocks of the filesystem."""


@dataclass(frozen=True)
class Counters:
    """What has been counted in a cycle. Those `running` grew from one status to the next while the
    motor turned, those `resting` otherwise, when a sector of flash may be erased."""

    frames: int = 0
    missing_frames: int = 0
    bad_frames: int = 0
    dropped_running: int = 0
    dropped_resting: int = 0
    bad_commands: int = 0
    stray_bytes: int = 0
    lost_samples_running: int = 0
    lost_samples_resting: int = 0
    overruns_running: int = 0
    overruns_resting: int = 0
    sequence_wraps: int = 0
    ticks_us_wraps: int = 0
    timer_wraps: int = 0
    ticks_ms_wraps: int = 0
    runs: int = 0
    trips: int = 0

    def __add__(self, other: Counters) -> Counters:
        both = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return Counters(**both)


@dataclass(frozen=True)
class Cycle:
    """One cycle of a soak. Device times in s; `boot` numbers the boots of this soak."""

    number: int
    boot: int
    uptime_s: float
    device_s: float
    driven_s: float
    counters: Counters
    heap_free_bytes: int
    """After a collection, with the motor off."""
    heap_longest_bytes: int
    garbage_bytes: int
    """Taken from the heap between the begin and the end of the cycle's runs."""
    garbage_s: float
    """Of running, in which that was."""
    longest_interval_us: int
    """Of the control loop while the motor turned."""
    latest_ms: float
    """The board's time behind the bench's, for the frame that came fastest."""
    sample_rate_hz: float | None
    """By the board's time, in the longest stretch of waveform; None where nothing was streamed."""
    streamed_s: float
    """How long that was."""
    settings_saves: int
    oldest_event: int
    newest_event: int
    erased: int
    programmed: int
    """Sectors and pages of the flash chip in this cycle."""


@dataclass(frozen=True)
class Files:
    """What lay in the filesystem when the board was in maintenance, in bytes."""

    device_s: float
    free: int
    log: int
    """The black box, where it is in files."""
    others: int
    repl_heap_free: int


def broken(cycles: Sequence[Cycle], files: Sequence[Files], rate_hz: float) -> str:
    """The rule that the last of these cycles, or of these files, breaks, as a sentence; "" where
    all is well. `rate_hz` is what the sensor's own clock makes."""
    if cycles:
        now = cycles[-1]
        before = [one for one in cycles[:-1] if one.boot == now.boot]
        for found in (
            _counted(now.counters),
            _heap(now, before),
            _time(now, before, rate_hz),
            _storage(now, cycles[-2] if len(cycles) > 1 else None),
        ):
            if found:
                return f"cycle {now.number}: {found}"
    return _files(files)


_EXPECTED_NONE = {
    "missing_frames": "frames are missing without a word from the board",
    "bad_frames": "frames came damaged",
    "dropped_running": "frames had no room while the motor turned, though the host reads",
    "bad_commands": "commands counted as damaged, and none was",
    "stray_bytes": "stray bytes counted, and none was sent",
    "lost_samples_running": "samples lost while the motor turned",
    "overruns_running": "control ticks late while the motor turned",
}


def _counted(counters: Counters) -> str:
    for name, what in _EXPECTED_NONE.items():
        if count := getattr(counters, name):
            return f"{what}: {count}"
    return ""


def _heap(now: Cycle, before: Sequence[Cycle]) -> str:
    if len(before) >= WARM_CYCLES:
        least = min(one.heap_free_bytes for one in before[:WARM_CYCLES])
        if now.heap_free_bytes < least - HEAP_SLACK_BYTES:
            return (
                f"the heap shrinks: {now.heap_free_bytes} bytes free, {least} after the first "
                f"cycles of this boot, {now.uptime_s - before[WARM_CYCLES - 1].uptime_s:.0f} s ago"
            )
    # The first seconds of a run make what is there for good.
    allowed = GARBAGE_BYTES_PER_H * now.garbage_s / 3600.0 + HEAP_SLACK_BYTES
    if now.garbage_bytes > allowed:
        return (
            f"running takes memory: {now.garbage_bytes} bytes in {now.garbage_s:.0f} s, in which "
            "nothing is collected"
        )
    return ""


def _time(now: Cycle, before: Sequence[Cycle], rate_hz: float) -> str:
    if now.longest_interval_us > INTERVAL_US:
        return f"a control interval of {now.longest_interval_us} us while the motor turned"
    if not -1.0 < now.latest_ms < LATEST_MS:
        return f"the board's time is {now.latest_ms:.1f} ms behind the bench's"
    if before and abs(now.latest_ms - before[0].latest_ms) > DRIFT_MS:
        drift_ms = now.latest_ms - before[0].latest_ms
        return f"the board's time has drifted by {drift_ms:.1f} ms in {now.uptime_s:.0f} s"
    if now.sample_rate_hz is not None:
        off_ppm = 1e6 * (now.sample_rate_hz / rate_hz - 1.0)
        if abs(off_ppm) > RATE_PPM + 1e3 * BLOCK_MS / now.streamed_s:
            return f"{now.sample_rate_hz:.2f} samples a second, {off_ppm:.0f} ppm off"
    return ""


def _storage(now: Cycle, last: Cycle | None) -> str:
    if now.newest_event < now.oldest_event:
        return f"the log ends at {now.newest_event}, before it begins at {now.oldest_event}"
    if last is None:
        return ""
    if now.newest_event < last.newest_event or now.oldest_event < last.oldest_event:
        return (
            f"the log goes back: {last.oldest_event} to {last.newest_event} before, "
            f"{now.oldest_event} to {now.newest_event} now"
        )
    saves = now.settings_saves - last.settings_saves
    if saves < 0:
        return f"the settings of save {last.settings_saves} have become {now.settings_saves}"
    if saves > SAVES_PER_CYCLE:
        return f"the settings were saved {saves} times"
    return ""


def _files(files: Sequence[Files]) -> str:
    if len(files) > 1:
        first, now = files[0], files[-1]
        if now.others > first.others + FILES_SLACK_BYTES:
            return (
                f"the filesystem fills: {now.others} bytes beside the log, {first.others} at first"
            )
        # The log may grow to its size; nothing else may take room.
        taken = first.free - now.free - max(0, now.log - first.log)
        if taken > FILES_SLACK_BYTES:
            return f"the filesystem fills: {taken} bytes less free than its files account for"
    return ""


@dataclass
class Soaked:
    """All that a soak has seen, and how it is told."""

    cycles: list[Cycle] = field(default_factory=list)
    files: list[Files] = field(default_factory=list)

    def add(self, told: Cycle | Files) -> None:
        """One more."""
        if isinstance(told, Cycle):
            self.cycles.append(told)
        else:
            self.files.append(told)

    @property
    def device_s(self) -> float:
        """Device time, in s."""
        return self.cycles[-1].device_s if self.cycles else 0.0

    @property
    def counters(self) -> Counters:
        """All cycles' together."""
        return sum((one.counters for one in self.cycles), Counters())

    def facts(self) -> dict[str, object]:
        """What the whole of it comes to."""
        cycles = self.cycles
        rate_hz, _ = self._longest_stretch()
        return {
            "device_s": round(self.device_s, 1),
            "driven_s": round(sum(one.driven_s for one in cycles), 1),
            "boots": len({one.boot for one in cycles}),
            "counters": asdict(self.counters),
            "heap_free_bytes": _span([one.heap_free_bytes for one in cycles]),
            "heap_longest_bytes": _span([one.heap_longest_bytes for one in cycles]),
            "garbage_bytes_per_h": round(self._garbage_per_h()),
            "longest_interval_us": max((one.longest_interval_us for one in cycles), default=0),
            "drift_ms": round(self._drift_ms(), 2),
            "sample_rate_hz": rate_hz,
            "settings_saves": _span([one.settings_saves for one in cycles]),
            "events": cycles[-1].newest_event if cycles else 0,
            "events_kept": cycles[-1].newest_event - cycles[-1].oldest_event + 1 if cycles else 0,
            "sectors_erased": sum(one.erased for one in cycles),
            "pages_programmed": sum(one.programmed for one in cycles),
            "files_free_bytes": _span([one.free for one in self.files]),
            "files_others_bytes": _span([one.others for one in self.files]),
            "log_files_bytes": _span([one.log for one in self.files]),
        }

    def _garbage_per_h(self) -> float:
        ran_s = sum(one.garbage_s for one in self.cycles)
        return 3600.0 * sum(one.garbage_bytes for one in self.cycles) / ran_s if ran_s else 0.0

    def _longest_stretch(self) -> tuple[float | None, float]:
        """Samples a second in it, and how long it was, in s."""
        if not self.cycles:
            return None, 0.0
        longest = max(self.cycles, key=lambda one: one.streamed_s)
        return longest.sample_rate_hz, longest.streamed_s

    def _drift_ms(self) -> float:
        """The largest within a boot, either way."""
        first: dict[int, float] = {}
        drifts = [0.0]
        for one in self.cycles:
            drifts.append(one.latest_ms - first.setdefault(one.boot, one.latest_ms))
        return max(drifts, key=abs)

    def rows(self) -> list[tuple[str, str, str]]:
        """A table: what, what was seen of it, and what is to be expected."""
        told = self.facts()
        all_counted = self.counters
        rows = [
            ("boots", f"{told['boots']}", ""),
            ("motor driven", f"{sum(it.driven_s for it in self.cycles) / 3600:.2f} h", ""),
            ("runs; trips, all of them caused", f"{all_counted.runs:,}; {all_counted.trips:,}", ""),
            ("heap free after a collection", _bytes(told["heap_free_bytes"]), "the same"),
            ("heap free in one piece", _bytes(told["heap_longest_bytes"]), ""),
            ("heap taken by running", f"{told['garbage_bytes_per_h']} bytes/h", _at_most_per_h()),
            ("filesystem free", _bytes(told["files_free_bytes"]), "what the log leaves"),
            ("files of the log", _bytes(told["log_files_bytes"]), ""),
            ("all other files", _bytes(told["files_others_bytes"]), "the same"),
            ("log: events; kept", f"{told['events']:,}; {told['events_kept']:,}", ""),
            ("saves of the settings", _numbers(told["settings_saves"]), ""),
            (
                "flash: sectors erased; pages written",
                f"{told['sectors_erased']:,}; {told['pages_programmed']:,}",
                "",
            ),
            ("frames", f"{all_counted.frames:,}", ""),
        ]
        rows += [(_NAMES[it], f"{getattr(all_counted, it):,}", "0") for it in _EXPECTED_NONE]
        rows += [
            ("frames dropped at rest", f"{all_counted.dropped_resting:,}", "while flash erases"),
            ("samples lost at rest", f"{all_counted.lost_samples_resting:,}", "while flash erases"),
            ("late ticks at rest", f"{all_counted.overruns_resting:,}", "while flash erases"),
            (
                "longest control interval, running",
                f"{told['longest_interval_us']:,} us",
                f"<= {INTERVAL_US:,} us",
            ),
            (
                "drift of the board's time in a boot",
                f"{told['drift_ms']} ms",
                f"<= {DRIFT_MS:g} ms",
            ),
            ("samples a second", _rate(self._longest_stretch()), "the sensor's own"),
            ("wraps of the frames' number", f"{all_counted.sequence_wraps}", ""),
            ("wraps of ticks_us (2^30 us)", f"{all_counted.ticks_us_wraps}", ""),
            ("wraps of the timer's low word", f"{all_counted.timer_wraps}", ""),
            ("wraps of ticks_ms (2^30 ms)", f"{all_counted.ticks_ms_wraps}", ""),
        ]
        return rows


_NAMES = {
    "missing_frames": "frames missing",
    "bad_frames": "frames damaged",
    "dropped_running": "frames dropped, running",
    "bad_commands": "commands damaged",
    "stray_bytes": "stray bytes",
    "lost_samples_running": "samples lost, running",
    "overruns_running": "late ticks, running",
}


def _span(values: Sequence[Any]) -> list[Any]:
    return [min(values), max(values)] if values else []


def _numbers(span: object) -> str:
    assert isinstance(span, list)
    if not span:
        return "-"
    least, most = span
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _rate(stretch: tuple[float | None, float]) -> str:
    rate_hz, seconds = stretch
    return "-" if rate_hz is None else f"{rate_hz:,.2f} (in {seconds:.0f} s)"


def _bytes(span: object) -> str:
    shown = _numbers(span)
    return shown if shown == "-" else f"{shown} bytes"


def _at_most_per_h() -> str:
    return f"<= {GARBAGE_BYTES_PER_H:,.0f} bytes/h"
