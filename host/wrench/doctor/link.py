"""What five seconds of a board's telemetry tell: losses, answers, its clock, and its sensor."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from wrench.board import Board
from wrench.doctor.finding import Finding, bad, doubtful, good, unknown
from wrench.errors import LinkError
from wrench.link import Frame
from wrench.waveform import WaveformReader

LISTEN_S = 5.0
_SLOW_ANSWER_MS = 200.0
_CLOCK_PPM = 500.0
"""A Pico's crystal is within 30 ppm, a computer's clock within 50; a virtual bench may be late."""
_RATE_SHARE = 0.05
_GRAVITY_G = (0.85, 1.15)
_ANSWERS = 8
_STUCK_G = 1e-6


@dataclass
class Heard:
    """What has come in `host_s` seconds of the computer's clock.

    `answers_ms` are times from a question to its answer. `acceleration_g` has a row for each
    sample; `sample_us` is the device time of each.
    """

    status: Frame
    nominal_hz: float
    host_s: float
    device_s: float
    frames: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    answers_ms: list[float] = field(default_factory=list)
    acceleration_g: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))
    sample_us: np.ndarray = field(default_factory=lambda: np.empty(0))


def listen(board: Board, seconds: float = LISTEN_S) -> Heard:
    """Take in everything, the raw waveform too, for so long by the computer's clock."""
    answers: list[float] = []
    for _ in range(_ANSWERS):
        asked_s = time.monotonic()
        board.link.hello()
        answers.append(1e3 * (time.monotonic() - asked_s))
    status = board.status()
    reader = WaveformReader(board.sample_rate_hz)
    blocks: list[np.ndarray] = []
    times: list[np.ndarray] = []
    board.link.command("stream", 1)
    frames = 0
    first: tuple[float, int] | None = None
    last = (0.0, 0)
    try:
        for frame in board.frames():
            now_s = time.monotonic()
            first = first or (now_s, frame.time_us)
            last = (now_s, frame.time_us)
            frames += 1
            if frame.name == "waveform":
                block = reader.take(frame)
                blocks.append(block.acceleration_g)
                times.append(block.time_us)
            elif frame.name == "status":
                status = frame
            if now_s - first[0] >= seconds:
                break
    finally:
        board.link.command("stream", 0)
    assert first is not None
    losses = board.losses
    return Heard(
        status,
        board.sample_rate_hz,
        last[0] - first[0],
        (last[1] - first[1]) / 1e6,
        frames,
        {
            "frames dropped by the board": losses.frames,
            "frames missing": losses.missing,
            "frames broken": losses.broken,
            "samples lost by the sensor": losses.samples,
        },
        answers,
        np.concatenate(blocks) if blocks else np.empty((0, 3)),
        np.concatenate(times) if times else np.empty(0),
    )


def findings(heard: Heard, emulated: bool) -> Iterator[Finding]:
    """What was heard, judged; an `emulated` board's clock is its bench's."""
    yield loss(heard)
    yield answers(heard)
    yield clock(heard, emulated)
    yield sensor_rate(heard)
    yield sensor_signal(heard)
    yield self_test(heard.status)


def loss(heard: Heard) -> Finding:
    """Whether everything has arrived."""
    about = f"losses over {heard.host_s:.0f} s"
    lost = [f"{count} {what}" for what, count in heard.lost.items() if count]
    if not lost:
        return good(about, f"none of {heard.frames} frames, with the waveform")
    return bad(
        about,
        f"{', '.join(lost)}, of {heard.frames} frames",
        "try another cable and no hub; close programs that keep this computer busy",
    )


def answers(heard: Heard) -> Finding:
    """How soon the board answers."""
    middle_ms = float(np.median(heard.answers_ms))
    seen = f"after {middle_ms:.0f} ms (median), {max(heard.answers_ms):.0f} ms at most"
    if middle_ms <= _SLOW_ANSWER_MS:
        return good("answers", seen)
    return doubtful(
        "answers", seen, "see what keeps this computer busy; a network in between is slow"
    )


def clock(heard: Heard, emulated: bool) -> Finding:
    """The board's clock against the computer's."""
    ppm = 1e6 * (heard.device_s / heard.host_s - 1.0) if heard.host_s else 0.0
    if emulated:
        share = heard.device_s / heard.host_s if heard.host_s else 0.0
        return good("clock", f"emulated, at {share:.2f} of real time")
    # Frames come in packets, so that either end of the time may be some milliseconds off.
    doubt_ppm = 1e6 * 0.005 / max(heard.host_s, 1e-9)
    seen = f"{ppm:+.0f} ppm of this computer's, give or take {doubt_ppm:.0f}"
    if abs(ppm) <= _CLOCK_PPM + doubt_ppm:
        return good("clock", seen)
    return bad("clock", seen, "the board's crystal is wrong: all its frequencies are; replace it")


def sensor_rate(heard: Heard) -> Finding:
    """The sensor's sampling rate by the board's clock."""
    about = "sampling rate"
    if len(heard.sample_us) < heard.nominal_hz / 2:
        return unknown(about, "too few samples have come", "see what the line on losses says")
    rate_hz = (len(heard.sample_us) - 1) / ((heard.sample_us[-1] - heard.sample_us[0]) / 1e6)
    seen = f"{rate_hz:.1f} Hz by the board's clock, {heard.nominal_hz:g} Hz nominal"
    if abs(rate_hz / heard.nominal_hz - 1.0) <= _RATE_SHARE:
        return good(about, seen)
    return bad(about, seen, "the sensor is not the one of the board file, or a copy; replace it")


def sensor_signal(heard: Heard) -> Finding:
    """Whether what the sensor says can be acceleration."""
    about = "sensor's signal"
    if not len(heard.acceleration_g):
        return unknown(about, "no waveform has come", "see what the line on losses says")
    mean_g = np.linalg.norm(heard.acceleration_g.mean(axis=0))
    rms_g = heard.acceleration_g.std(axis=0)
    noise = " / ".join(f"{1e3 * axis:.1f}" for axis in rms_g)
    seen = f"steady part {mean_g:.2f} g, moving part {noise} mg RMS (x / y / z)"
    if float(rms_g.max()) < _STUCK_G:
        return bad(about, seen, "the sensor says the same all the time; look at its wiring")
    low, high = _GRAVITY_G
    if mean_g < 0.05:
        return good(about, f"{seen}; this sensor does not feel gravity")
    if not low <= mean_g <= high:
        return doubtful(
            about, f"{seen}; gravity is 1 g", "look at range and scale in the board file"
        )
    return good(about, seen)


def self_test(status: Frame) -> Finding:
    """What the board's own self-test at power-up says."""
    about = "self-test"
    mode, fault = status["mode"], status["fault"]
    if mode == "self-test":
        return doubtful(about, "still under way", "wait a second and try again")
    if mode == "tripped":
        return bad(about, f"the board is tripped: {fault}", "`wrench status` tells what to do")
    return good(about, f"passed; the board is {mode}")


def silent(error: LinkError) -> Finding:
    """The board does not answer."""
    seen, _, remedy = error.args[0].partition("; ")
    return bad("link", seen, remedy or "`wrench flash` installs the firmware")
