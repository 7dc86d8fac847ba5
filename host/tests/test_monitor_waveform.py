"""The newest seconds of the waveform, its spectrum, and the file of a capture."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from board_stream import BLOCK, SCALE_UG, Stream, counts_of

from wrench.link import Decoder, Frame
from wrench.monitor.capture_file import CaptureError, capture
from wrench.monitor.plot import Scale, spectrum_lines, waveform_lines
from wrench.monitor.recent import Recent
from wrench.monitor.symbols import ASCII, UNICODE, Symbols
from wrench.monitor.waveform import Waveform, spectrum, spectrum_samples
from wrench.readout import Losses
from wrench.recording import Recording
from wrench.recording.facts import facts

RATE_HZ = 3200


def block(first: int, count: int = 32, *, scale_ug: int = 4000, tail: bytes | None = None) -> Frame:
    """A waveform frame whose x counts up, y down, z rests."""
    x = (np.arange(first, first + count) % 1000).astype("<i2")
    counts = np.stack([x, -x, np.zeros_like(x)], axis=1)
    values = {"first_sample": first % (1 << 32), "samples": count, "scale_ug": scale_ug}
    time_us = (first + count) * 1_000_000 // RATE_HZ
    return Frame("waveform", values, time_us, 0, 0, 0, counts.tobytes() if tail is None else tail)


def filled(blocks: int, seconds: float = 10.0) -> Waveform:
    """A waveform of so many blocks without a gap."""
    held = Waveform(RATE_HZ, seconds)
    for number in range(blocks):
        held.add(block(32 * number))
    return held


def test_the_newest_samples_are_in_g_and_in_order() -> None:
    held = filled(10)
    assert held.newest(3, 0) == pytest.approx([1.268, 1.272, 1.276])
    assert held.newest(3, 1) == pytest.approx([-1.268, -1.272, -1.276])
    assert len(held.newest(100_000, 2)) == 320


def test_only_the_last_seconds_are_kept() -> None:
    held = filled(1000, seconds=0.5)
    assert held.seconds == pytest.approx(0.5, abs=0.02)
    assert held.blocks[-1].first == 32 * 999


def test_a_gap_is_counted_and_never_drawn_across() -> None:
    held = filled(4)
    held.add(block(32 * 4 + 7))
    assert held.missing_samples == 7
    assert len(held.newest(1000, 0)) == 32


def test_what_the_sensor_lost_is_never_drawn_across() -> None:
    held = filled(4)
    after = block(32 * 4)
    held.add(Frame(after.name, after.values, after.time_us, 0, 0, 9, after.tail))
    assert len(held.newest(1000, 0)) == 32
    held.add(Frame(after.name, block(32 * 5).values, after.time_us, 0, 0, 9, after.tail))
    assert len(held.newest(1000, 0)) == 64


def test_what_was_not_asked_for_is_not_missing() -> None:
    held = filled(4)
    held.interrupted()
    held.add(block(90_000))
    assert held.missing_samples == 0
    assert len(held.newest(1000, 0)) == 32


def test_the_boards_count_may_wrap() -> None:
    held = Waveform(RATE_HZ, 10.0)
    wrap = 1 << 30
    last = block(wrap - 32)
    held.add(last)
    after = block(0)
    held.add(Frame(after.name, after.values, last.time_us + 10_000, 0, 0, 0, after.tail))
    assert held.missing_samples == 0
    assert len(held.newest(1000, 0)) == 64


def test_another_boot_begins_anew() -> None:
    held = filled(100)
    held.add(block(0))
    assert held.missing_samples == 0
    assert held.seconds == 0.01


def test_a_cut_block_is_taken_as_far_as_it_goes() -> None:
    held = Waveform(RATE_HZ, 1.0)
    held.add(block(0, 32, tail=bytes(6 * 5 + 3)))
    assert len(held.newest(100, 0)) == 5


@pytest.mark.parametrize("hz", [50.0, 400.0, 1181.25])
def test_a_tone_stands_at_its_frequency_with_its_amplitude(hz: float) -> None:
    count = spectrum_samples(RATE_HZ)
    time_s = np.arange(count) / RATE_HZ
    found = spectrum(1.0 + 0.25 * np.sin(2 * np.pi * hz * time_s), RATE_HZ)
    at_hz, amplitude_g = found.highest
    assert at_hz == pytest.approx(hz, abs=found.step_hz)
    assert amplitude_g == pytest.approx(0.25, rel=0.16)  # a Hann window's scallop loss
    assert found.amplitude_g[0] < 0.01


@pytest.mark.parametrize("chosen", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize(("width", "height"), [(40, 4), (100, 20), (20, 2)])
def test_pictures_have_an_exact_size(chosen: Symbols, width: int, height: int) -> None:
    values = np.sin(np.arange(640) * 0.1)
    drawn = waveform_lines(values, width, height, chosen, top=1.0, length_s=0.2)
    drawn += spectrum_lines(spectrum(values[:512], RATE_HZ), width, height, chosen, top=1.0)
    assert [line.cell_len for line in drawn] == [width] * (2 * height)
    if chosen is ASCII:
        assert all(line.plain.isascii() for line in drawn)


def test_one_blow_among_thousands_of_samples_is_seen() -> None:
    values = np.zeros(26_667)
    values[12_345] = 1.0
    for symbols in (UNICODE, ASCII):
        lines = waveform_lines(values, 60, 9, symbols, top=1.0, length_s=1.0)
        assert lines[0].plain[8:].strip()


def test_a_narrow_line_keeps_its_height() -> None:
    time_s = np.arange(16_384) / 26_667
    found = spectrum(np.sin(2 * np.pi * 5000.0 * time_s), 26_667)
    lines = spectrum_lines(found, 60, 9, UNICODE, top=1.0)
    highest = max(range(8, 60), key=lambda at: sum(line.plain[at] != " " for line in lines[:-1]))
    assert (highest - 8) / 52 == pytest.approx(5000 / 13_333, abs=0.03)


def test_a_scale_grows_at_once_and_does_not_dance() -> None:
    scale = Scale(0.01)
    assert [scale.fit(v) for v in (0.011, 0.3, 0.26, 0.24, 0.05)] == [0.02, 0.5, 0.5, 0.5, 0.05]


# ---- captures --------------------------------------------------------------------------------
def kept_of(stream: Stream, seconds: float = 10.0) -> Recent:
    """What is kept of a board's stream."""
    wall_ns = itertools.count(1_800_000_000 * 10**9, 10**6)
    recent = Recent(seconds, wall_ns.__next__)
    decoder, losses = Decoder(), Losses()
    for frame in decoder.feed(stream.bytes()):
        recent.add(frame, losses.update(frame, decoder))
    return recent


def test_a_capture_is_a_recording(tmp_path: Path) -> None:
    stream = Stream(14.0, dropped=frozenset({900}))
    recent = kept_of(stream)
    path, seconds = capture(tmp_path, recent.frames(), stream.greeting())
    assert list(tmp_path.iterdir()) == [path]
    assert path.suffix == ".mcap"
    assert seconds == pytest.approx(10.0, abs=0.1)
    with Recording(path) as recording:
        told = facts(recording)
        waveform = recording.waveform()
    assert told["complete"]
    assert told["board"]["board_name"] == "a board"
    assert told["duration_s"] == pytest.approx(10.0, abs=0.1)
    assert told["topics"]["/status"]["messages"] == pytest.approx(125, abs=2)
    assert told["losses"]["frames_dropped_by_board"] == 1
    assert [gap["why"] for gap in told["waveform"]["gaps"]] == ["dropped by the board"]
    newest = np.array(counts_of(whole_of(stream)[-1])) * (SCALE_UG / 1e6)
    assert waveform.acceleration_g[-1] == pytest.approx(newest)
    assert waveform.rate_hz == pytest.approx(stream.true_hz, rel=1e-4)


def test_a_capture_begins_where_the_waveform_was_not_asked_for(tmp_path: Path) -> None:
    recent = kept_of(Stream(3.0))
    recent.interrupted()
    before = recent.frozen()
    later = Stream(2.0, begin_us=7_000_000, first_sample=90_000)
    decoder = Decoder()
    for frame in decoder.feed(later.bytes()):
        recent.add(frame, Losses())
    path, _ = capture(tmp_path, recent.frames(), later.greeting())
    with Recording(path) as recording:
        assert not recording.gaps()
        assert recording.waveform().acceleration_g.shape[0] == len(whole_of(later))
    # What came before is there to be written until then.
    _, seconds = capture(tmp_path, before.frames(), later.greeting())
    assert seconds == pytest.approx(3.0, abs=0.1)


def test_no_waveform_is_no_capture(tmp_path: Path) -> None:
    stream = Stream(1.0)
    kept = [it for it in kept_of(stream).frames() if it.frame.name != "waveform"]
    with pytest.raises(CaptureError, match="panel Waveform says why"):
        capture(tmp_path, kept, stream.greeting())
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    stream = Stream(1.0)
    with pytest.raises(CaptureError, match=r"cannot write .* start the monitor in another folder"):
        capture(tmp_path / "missing", kept_of(stream).frames(), stream.greeting())


def whole_of(stream: Stream) -> range:
    """The numbers of its samples."""
    blocks = int(stream.seconds * stream.true_hz / BLOCK)
    return range(stream.first_sample, stream.first_sample + blocks * BLOCK)
