"""What a soak lets pass, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wrench.hil.soak_facts import Counters, Cycle, Files, Soaked, broken

RATE_HZ = 3225.5

WELL = Cycle(
    number=1,
    boot=1,
    uptime_s=60.0,
    device_s=60.0,
    driven_s=31.0,
    counters=Counters(frames=1600, lost_samples_resting=7, overruns_resting=60, runs=3),
    heap_free_bytes=38_400,
    heap_longest_bytes=13_000,
    garbage_bytes=0,
    garbage_s=30.0,
    longest_interval_us=5_100,
    latest_ms=0.8,
    sample_rate_hz=RATE_HZ,
    streamed_s=20.0,
    settings_saves=6,
    oldest_event=1,
    newest_event=30,
    erased=22,
    programmed=226,
)
FILES = Files(57.0, 1_228_800, 45_056, 151_552, 61_000)


def after(**changes: object) -> list[Cycle]:
    """Four cycles of one boot, of which the last one differs."""
    made = [
        replace(
            WELL,
            number=n,
            uptime_s=60.0 * n,
            device_s=60.0 * n,
            settings_saves=5 + n,
            newest_event=30 * n,
        )
        for n in range(1, 5)
    ]
    return [*made[:-1], replace(made[-1], **changes)]  # pyright: ignore[reportArgumentType]


def test_steady_cycles_break_no_rule() -> None:
    cycles = after()
    for n in range(1, len(cycles) + 1):
        assert broken(cycles[:n], [FILES], RATE_HZ) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"heap_free_bytes": 38_100}, "the heap shrinks: 38100 bytes free, 38400 after"),
        ({"garbage_bytes": 512}, "running takes memory: 512 bytes in 30 s"),
        ({"longest_interval_us": 6_001}, "a control interval of 6001 us"),
        ({"latest_ms": 7.0}, "drifted by 6.2 ms"),
        ({"latest_ms": -7.0}, "behind the bench's"),
        ({"sample_rate_hz": 3200.0}, "samples a second"),
        ({"newest_event": 80}, "the log goes back"),
        ({"oldest_event": 200}, "before it begins"),
        ({"settings_saves": 3}, "have become 3"),
        ({"settings_saves": 40}, "saved 32 times"),
        ({"counters": Counters(missing_frames=2)}, "frames are missing .*: 2"),
        ({"counters": Counters(dropped_running=1)}, "frames had no room"),
        ({"counters": Counters(lost_samples_running=1)}, "samples lost while the motor turned"),
        ({"counters": Counters(overruns_running=1)}, "control ticks late"),
    ],
    ids=lambda it: next(iter(it)) if isinstance(it, dict) else "",
)
def test_what_grows_or_drifts_is_told(changes: dict[str, object], said: str) -> None:
    told = broken(after(**changes), [FILES], RATE_HZ)
    assert told.startswith("cycle 4: ")
    with pytest.raises(AssertionError, match=said):
        assert not told, told


def test_another_boot_is_measured_by_its_own_beginning() -> None:
    cycles = after(boot=2, heap_free_bytes=38_000, latest_ms=9.0)
    assert broken(cycles, [FILES], RATE_HZ) == ""


def test_a_filesystem_may_fill_with_the_log_alone() -> None:
    grown = replace(FILES, free=FILES.free - 400_000, log=FILES.log + 400_000)
    assert broken([], [FILES, grown], RATE_HZ) == ""
    assert "the filesystem fills" in broken(
        [], [FILES, replace(grown, free=grown.free - 50_000)], RATE_HZ
    )
    assert "beside the log" in broken(
        [], [FILES, replace(FILES, others=FILES.others + 9_000)], RATE_HZ
    )


def test_all_cycles_are_told_together() -> None:
    soaked = Soaked()
    for one in (*after(), FILES):
        soaked.add(one)
    told = soaked.facts()
    assert soaked.counters.runs == 12
    assert told["heap_free_bytes"] == [38_400, 38_400]
    assert told["device_s"] == 240.0
    rows = {name: seen for name, seen, _ in soaked.rows()}
    assert rows["frames"] == "6,400"
    assert rows["heap free after a collection"] == "38,400 bytes"


def test_nothing_seen_yet_can_be_told() -> None:
    assert all(len(row) == 3 for row in Soaked().rows())
