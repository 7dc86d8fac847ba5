"""Samples of the waveform with their device times, and what is missing between them."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scripted_board import data_frame

from wrench.link import Decoder, Frame
from wrench.waveform import WaveformReader

PERIOD_US = 310.0  # of a sensor that is 0.8 % fast
BLOCK = 32


def frame(first: int, time_us: float, lost: int = 0, samples: int = BLOCK) -> Frame:
    counts = np.arange(3 * samples, dtype="<i2")
    data = data_frame(
        "waveform",
        time_us=round(time_us),
        lost=lost,
        first_sample=first % (1 << 30),
        samples=samples,
        scale_ug=4000,
        tail=counts.tobytes(),
    )
    (decoded,) = Decoder().feed(data)
    return decoded


def stamped(first: int, noise: random.Random | None = None) -> Frame:
    """A block as the board sends it: when its last sample is there, or up to 3 ms later."""
    late_us = noise.uniform(0.0, 3000.0) if noise else 0.0
    return frame(first, 1e6 + (first + BLOCK - 1) * PERIOD_US + late_us)


def test_counts_become_g_in_rows_of_x_y_z() -> None:
    block = WaveformReader(3200).take(frame(64, 1e6))
    assert block.acceleration_g.shape == (BLOCK, 3)
    assert block.acceleration_g[1] == pytest.approx([0.012, 0.016, 0.020])
    assert block.first == 64
    assert block.time_us[-1] == 1_000_000
    assert np.diff(block.time_us) == pytest.approx(312.5), "the nominal rate, until it is measured"


def test_every_sample_gets_its_time_whatever_the_boards_delays() -> None:
    noise = random.Random(1)
    reader = WaveformReader(3200)
    blocks = [reader.take(stamped(BLOCK * n, noise)) for n in range(600)]
    times = np.concatenate([block.time_us for block in blocks])
    assert np.all(np.diff(times) > 0)
    true = 1e6 + np.arange(len(times)) * PERIOD_US
    settled = len(times) // 3
    assert np.abs(times - true)[settled:].max() < 200.0
    measured = (times[-1] - times[settled]) / (len(times) - 1 - settled)
    assert measured == pytest.approx(PERIOD_US, rel=1e-4)


def test_frames_lost_on_the_way_are_missing_samples_and_no_shift_in_time() -> None:
    reader = WaveformReader(3200)
    blocks = [reader.take(stamped(BLOCK * n)) for n in range(200) if not 100 <= n < 103]
    assert [block.missing for block in blocks if block.missing] == [3 * BLOCK]
    assert not any(block.broken for block in blocks)
    assert blocks[-1].time_us[-1] == pytest.approx(1e6 + (200 * BLOCK - 1) * PERIOD_US, abs=1.0)


def test_samples_lost_by_the_sensor_break_the_line() -> None:
    reader = WaveformReader(3200)
    for n in range(100):
        reader.take(stamped(BLOCK * n))
    # 50,000 us in which the sensor counted nothing.
    late = frame(100 * BLOCK, 1e6 + (101 * BLOCK - 1) * PERIOD_US + 50_000, lost=7)
    block = reader.take(late)
    assert (block.broken, block.missing) == (True, 0)
    assert block.time_us[-1] == late.time_us
    assert np.all(np.diff(block.time_us) > 0)


def test_the_count_of_samples_goes_on_where_the_board_begins_anew_in_30_bits() -> None:
    reader = WaveformReader(3200)
    start = (1 << 30) - BLOCK
    blocks = [reader.take(stamped(start + BLOCK * n)) for n in range(3)]
    assert [block.first - start for block in blocks] == [0, BLOCK, 2 * BLOCK]
    assert not any(block.missing or block.broken for block in blocks)


def test_a_board_that_was_reset_begins_a_new_line() -> None:
    reader = WaveformReader(3200)
    for n in range(50):
        reader.take(stamped(1_000_000 + BLOCK * n))
    block = reader.take(frame(0, 500_000))
    assert (block.first, block.broken, block.missing) == (0, True, 0)
    assert block.time_us[-1] == 500_000


def test_a_tail_that_is_too_short_is_taken_as_far_as_it_goes() -> None:
    short = frame(0, 1e6)
    cut = Frame(short.name, short.values, short.time_us, 0, 0, 0, short.tail[:15])
    assert len(WaveformReader(3200).take(cut).acceleration_g) == 2
