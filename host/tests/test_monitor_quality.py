"""When the raw waveform is asked for, and when it is given up."""

from __future__ import annotations

import pytest

from wrench.monitor.quality import Rate, WaveformGate


def test_a_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.bytes_per_s == 0.0
    for second in range(10):
        rate.update(float(second), 1000 * min(second, 5))
    assert rate.bytes_per_s == 0.0
    rate.update(10.0, 9000)
    assert rate.bytes_per_s == pytest.approx(2000.0)


def test_a_link_that_carries_it_gets_it() -> None:
    gate = WaveformGate(3200)
    assert gate.due(5.0)
    assert gate.tried(5.0, None, 0)
    assert gate.on
    assert not gate.due(5.0)
    for second in range(6, 100):
        assert gate.judge(float(second), 0.05, 0)


def test_57600_bits_do_not() -> None:
    gate = WaveformGate(3200)
    assert not gate.tried(5.0, 5760.0, 0)
    assert "5.8 kB/s" in gate.refusal
    assert not gate.due(30.0)
    assert gate.due(36.0)
    gate.tried(36.0, 5760.0, 0)
    assert not gate.due(80.0)
    assert gate.due(97.0)


def test_a_board_that_is_slower_than_its_clock_is_no_slow_link() -> None:
    assert WaveformGate(3200).tried(5.0, 16_000.0, 0)


@pytest.mark.parametrize(("latency_s", "dropped"), [(1.5, 0), (0.1, 9)])
def test_it_is_given_up_where_it_harms(latency_s: float, dropped: int) -> None:
    gate = WaveformGate(3200)
    gate.tried(5.0, None, 100)
    assert gate.judge(6.5, 0.1, 100)
    assert not gate.judge(8.0, latency_s, 100 + dropped)
    assert gate.refusal
    assert not gate.due(200.0)
    assert gate.due(308.0)


def test_what_was_dropped_before_it_is_not_its_fault() -> None:
    gate = WaveformGate(3200)
    gate.tried(5.0, None, 5000)
    assert gate.judge(7.0, 0.1, 5000)


def test_a_denial_is_not_asked_again_at_once() -> None:
    gate = WaveformGate(3200)
    gate.denied(5.0, "unknown command")
    assert not gate.due(6.0)
    assert "unknown command" in gate.refusal
