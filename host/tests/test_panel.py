"""The light's patterns and what a press of the button means."""

from __future__ import annotations

import pytest
from firmware_host import firmware_module

from wrench_firmware import wire

panel = firmware_module("panel")
TICK_MS = 20
MODE = {name: number for number, name in enumerate(wire.MODES)}
TURNING = ("starting", "running", "limiting")


def light_over_2_s(mode: str, fault: str = "none") -> list[bool]:
    light = panel.Light()
    return [light.tick(MODE[mode], wire.FAULTS.index(fault), TICK_MS) for _ in range(100)]


def flashes(lit: list[bool]) -> int:
    return sum(now and not before for before, now in zip([False, *lit], lit, strict=False))


@pytest.mark.parametrize(
    ("mode", "on_fraction", "times"),
    [
        ("boot", 0.5, 10),
        ("self-test", 0.5, 10),
        ("idle", 0.05, 1),
        ("starting", 0.6, 4),
        ("running", 1.0, 1),
        ("limiting", 0.8, 4),
        ("maintenance", 0.0, 0),
    ],
)
def test_every_mode_has_its_pattern(mode: str, on_fraction: float, times: int) -> None:
    lit = light_over_2_s(mode)
    assert sum(lit) / len(lit) == pytest.approx(on_fraction, abs=0.03)
    assert flashes(lit) in (times, times + 1)


@pytest.mark.parametrize(
    ("fault", "group"),
    [
        ("e-stop", 1),
        ("link lost", 1),
        ("vibration", 2),
        ("seizure", 2),
        ("over-current", 3),
        ("brown-out", 3),
        ("bearing too hot", 4),
        ("sensor silent", 5),
        ("wrong sensor", 5),
        ("firmware hung", 6),
        ("settings corrupt", 6),
    ],
)
def test_a_trip_flashes_its_group(fault: str, group: int) -> None:
    assert flashes(light_over_2_s("tripped", fault)) in (group, group + 1)


@pytest.mark.parametrize("fault", wire.FAULTS[1:])
def test_every_fault_has_a_group(fault: str) -> None:
    assert any(light_over_2_s("tripped", fault))


def held(button, mode: str, duration_ms: int, *, down: bool = True) -> list[int]:
    """What the button asks for while it is held."""
    answers = [button.tick(down, MODE[mode], TICK_MS) for _ in range(duration_ms // TICK_MS)]
    return [answer for answer in answers if answer != panel.NOTHING]


@pytest.mark.parametrize("mode", TURNING)
def test_a_press_stops_within_40_ms_and_once(mode: str) -> None:
    button = panel.Button()
    button.tick(False, MODE[mode], TICK_MS)
    assert held(button, mode, 40) == [panel.STOP]
    assert held(button, mode, 10_000) == []


def test_the_press_that_stopped_does_not_start_again() -> None:
    button = panel.Button()
    button.tick(False, MODE["running"], TICK_MS)
    assert held(button, "running", 60) == [panel.STOP]
    assert held(button, "idle", 10_000) == []
    button.tick(False, MODE["idle"], TICK_MS)
    assert held(button, "idle", 1_000) == [panel.START]


def test_a_short_press_starts_nothing() -> None:
    button = panel.Button()
    button.tick(False, MODE["idle"], TICK_MS)
    assert held(button, "idle", 980) == []
    assert held(button, "idle", 500, down=False) == []


def test_three_seconds_reset_a_trip_and_do_not_start() -> None:
    button = panel.Button()
    button.tick(False, MODE["tripped"], TICK_MS)
    assert held(button, "tripped", 2_980) == []
    assert held(button, "tripped", 40) == [panel.RESET]
    assert held(button, "idle", 10_000) == []


@pytest.mark.parametrize("mode", wire.MODES)
def test_a_button_that_is_down_from_the_start_does_nothing(mode: str) -> None:
    assert held(panel.Button(), mode, 20_000) == []
