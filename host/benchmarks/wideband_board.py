"""Figures of a board with a wideband sensor, on the image it needs, with the cache model on."""

from __future__ import annotations

import time
from collections.abc import Iterator

from figure import Figure

from wrench.boards import load_board
from wrench.hil.content import content_of
from wrench.hil.virtual_rig import VirtualRig

_BOARD = load_board("pico-iis3dwb")
_IMAGE = "wrench-frozen"
_MISS_CYCLES = 50
_STEADY_S = 10.0
_SPAN_S = 10.0


def _running() -> VirtualRig:
    rig = VirtualRig(_BOARD, content_of(_BOARD, _IMAGE), xip_miss_cycles=_MISS_CYCLES)
    rig.run(1000)
    rig.pass_time(_STEADY_S - rig.bench.now_s)
    return rig


def busy() -> Iterator[Figure]:
    """How much of the core a steady run takes, without the waveform and with it; and how fast the
    virtual bench is then."""
    rig = _running()
    with rig.bench:
        share, _ = _busy(rig)
        yield Figure("wideband: CPU busy", share, "% of 125 MHz", "<= 15")
        rig.link.command("stream", 1)
        rig.pass_time(1.0)
        share, speed = _busy(rig)
        yield Figure("wideband: CPU busy, with the waveform", share, "% of 125 MHz", "<= 25")
        yield Figure("wideband: virtual bench", speed, "x real time", ">= 1.0")


def _busy(rig: VirtualRig) -> tuple[float, float]:
    before, begin = rig.bench.seen, time.perf_counter()
    rig.pass_time(_SPAN_S)
    took_s, after = time.perf_counter() - begin, rig.bench.seen
    assert before
    assert after
    span_ns = after.now_ns - before.now_ns
    return 100 * (1 - (after.idle_ns - before.idle_ns) / span_ns), span_ns / 1e9 / took_s


def losses(minutes: float) -> Iterator[Figure]:
    """Of a long run with the waveform: what was lost, and the longest control interval."""
    rig = _running()
    with rig.bench:
        rig.link.command("stream", 1)
        rig.pass_time(1.0)
        assert rig.status
        before = rig.status
        longest_us = 0
        for _ in range(round(60 * minutes)):
            rig.pass_time(1.0)
            longest_us = max(longest_us, rig.status["control_interval_us"])
        status = rig.status
        assert status["mode"] == "running", status["fault"]
        lost = (status.lost_samples - before.lost_samples) & 0xFFFF
        dropped = (status.dropped_frames - before.dropped_frames) & 0xFFFF
        yield Figure("wideband: samples lost in the long run", lost, "samples", "== 0")
        yield Figure("wideband: frames dropped in it", dropped, "frames", "== 0")
        name = "wideband: longest control interval"
        yield Figure(name, longest_us / 1e3, "ms of device time", "<= 6")
