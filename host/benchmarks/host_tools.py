"""The host's tools: how fast frames are decoded, and how soon an hour's recording is open.

Both work on bytes that a running board has sent.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import yardstick
from figure import Figure

from wrench.bench.assemble import assemble
from wrench.bench.virtual import LINK
from wrench.boards import load_board
from wrench.link import Decoder, Frame, Link
from wrench.recording import Recording
from wrench.recording.facts import facts
from wrench.recording.recorder import Recorder

BOARD = load_board("pico-adxl345")
WIDEST_HZ, BLOCK = 26_667, 32  # the widest waveform that a board sends, and samples in a frame
_RECORDED_S = 20.0
_HOUR_S = 3600.0
_TRIES = 5


def host_tools(content: bytes) -> Iterator[Figure]:
    """All figures; `content` is that of the flash of a board with the firmware."""
    greeting, data = sent(content)
    yield from decoding(data)
    yield from opening(greeting, data)


def sent(content: bytes) -> tuple[Frame, bytes]:
    """What a board sends while it runs a drill with its waveform on; its greeting first."""
    with assemble(BOARD, content).bench as bench:
        port = bench.open(LINK)
        link = Link(port)
        greeting = link.hello()
        while (frame := link.receive(1.0)) and not (
            frame.name == "status" and frame["mode"] == "idle"
        ):
            pass
        begin = bench.now_s
        while bench.now_s < begin + 0.5:
            link.receive(1.0)
        link.command("stream", 1)
        link.run(1000)
        kept = bytearray()
        read = port.read

        def reading(size: int = 1) -> bytes:
            data = read(size)
            kept.extend(data)
            return data

        port.read = reading
        begin = bench.now_s
        while bench.now_s < begin + _RECORDED_S:
            link.receive(1.0)
        return greeting, bytes(kept)


def decoding(data: bytes) -> Iterator[Figure]:
    """Frames a second, as they come from a port: checked, numbered, counted."""
    widest = WIDEST_HZ / BLOCK
    rate = max(_decoded_a_second(data, fields=False) for _ in range(_TRIES))
    yield Figure("frames decoded", rate, "a second", ">= 256000")
    yield Figure("frames decoded, of the widest stream", rate / widest, "times", ">= 10")
    rate = max(_decoded_a_second(data, fields=True) for _ in range(_TRIES))
    yield Figure("frames decoded, every field taken", rate, "a second", ">= 256000")
    for name, taken in (("decoding costs", False), ("decoding costs, every field taken", True)):
        cost = yardstick.beside_fixed_work(partial(_decoded_a_second, data, fields=taken))
        yield Figure(name, cost, yardstick.UNIT)


def _decoded_a_second(data: bytes, *, fields: bool) -> float:
    decoder = Decoder()
    count = 0
    begin = time.perf_counter()
    for at in range(0, len(data), 4096):
        for frame in decoder.feed(data[at : at + 4096]):
            count += 1
            if fields:
                _ = frame.values, frame.tail
    took_s = time.perf_counter() - begin
    assert not decoder.missing_frames
    return count / took_s


def opening(greeting: Frame, data: bytes) -> Iterator[Figure]:
    """How soon an hour's recording of the waveform is open, told of, and read in part."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hour.mcap")
        record_hour(path, greeting, data)
        begin = time.perf_counter()
        with Recording(path) as recording:
            opened = time.perf_counter()
            waveform = recording.waveform(1800.0, 1810.0)
            read = time.perf_counter()
            cost = yardstick.beside_fixed_work(lambda: recording.waveform(1800.0, 1810.0))
        assert len(waveform) > 30_000
        yield Figure("1 h recording opens", opened - begin, "s", "<= 2.0")
        yield Figure("10 s out of its middle", read - opened, "s")
        yield Figure("10 s out of its middle cost", cost, yardstick.UNIT)
        cost = yardstick.beside_fixed_work(lambda: Recording(path).close())
        yield Figure("1 h recording opened costs", cost, yardstick.UNIT)
        begin = time.perf_counter()
        with Recording(path) as recording:
            told = facts(recording)
        assert not told["waveform"]["gaps"]
        assert not told["problems"]
        yield Figure("wrench info of it", time.perf_counter() - begin, "s")
        yield Figure("its size", path.stat().st_size / 1e6, "MB")


def record_hour(path: Path, greeting: Frame, data: bytes) -> None:
    """Record what the board sent again and again, with time and numbers going on, for an hour of
    device time."""
    decoder = Decoder()
    frames = list(decoder.feed(data))
    blocks = [it for it in frames if it.name == "waveform"]
    # Whole blocks: the first one comes again after the last.
    frames = [it for it in frames if blocks[0].time_us <= it.time_us < blocks[-1].time_us]
    samples = blocks[-1]["first_sample"] - blocks[0]["first_sample"]
    span_us = blocks[-1].time_us - blocks[0].time_us
    now_s = 0.0
    recorder = Recorder(path, greeting, board=BOARD, monotonic_s=lambda: now_s)
    for again in range(round(_HOUR_S * 1e6 / span_us)):
        for it in frames:
            values = it.values
            if it.name == "waveform":
                values = values | {"first_sample": values["first_sample"] + again * samples}
            time_us = it.time_us + again * span_us
            now_s = time_us / 1e6
            recorder.take(Frame(it.name, values, time_us, it.sequence, 0, 0, it.tail), decoder)
    recorder.close()
