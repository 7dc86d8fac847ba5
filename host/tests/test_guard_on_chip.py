"""The guard on the emulated chip: it turns on time, moves every sample, switches off by itself.

The chip runs the guard and its engine alone, at the REPL: what holds here holds whatever the rest
of the firmware does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from on_chip import PartChip, modules

from wrench.bench.emulator import StepRequest, StepSeen
from wrench.hil.chip import Wiring

HERE = Path(__file__).parent
MODULES = ("__init__", "guard_rp2", "acquire_rp2")
ENABLE_PIN, CS_PIN, INT1_PIN, ESTOP_PIN = 15, 17, 20, 22
RATE_HZ = 3200
NO_CURRENT, TRIP_CODES = 2048, 1000
PINS, CURRENT, DEAD_MAN = 1, 2, 4
US = 1000.0


class World(Wiring):
    """An ADXL345 that feels a ramp of two counts a sample, and what the ADC's pins see."""

    def __init__(self) -> None:
        device: dict[str, object] = {
            "kind": "adxl345",
            "bus": "spi",
            "spi": 0,
            "cs": CS_PIN,
            "int1": INT1_PIN,
            "period_ns": 1e9 / RATE_HZ,
        }
        super().__init__([ENABLE_PIN, CS_PIN], [device])
        self._next = 0
        self.adc = {0: NO_CURRENT, 1: 1000, 2: 3000}

    def power_on(self, now_ns: int) -> list[tuple[float, int, int | None]]:
        del now_ns
        return [(0.0, ESTOP_PIN, 0)]

    def step(self, request: StepRequest, start_ns: int, seen: StepSeen | None) -> None:
        super().step(request, start_ns, seen)
        end = (start_ns + request.duration_ns) * RATE_HZ // 1_000_000_000 + 2
        x = (np.arange(self._next, end) * 2) % 8192 - 4096
        self._next = end
        request.signal[0] = np.stack([x, ~x, x], axis=1).astype("<i2").tobytes()


class Chip(PartChip):
    """A board with the guard on it."""

    def __init__(self, world: World) -> None:
        super().__init__(modules(*MODULES), wiring=world)
        self.world = world

    def enable_falls_ns(self, duration_s: float) -> list[float]:
        """Device times at which the enable pin fell in what comes now."""
        self.pass_time(duration_s)
        return [1e9 * at_s for at_s, level in self.edges_s(ENABLE_PIN) if level == 0]


@pytest.fixture(scope="module")
def chip() -> Iterator[Chip]:
    with Chip(World()) as chip:
        chip.run((HERE / "guard_device.py").read_text())
        chip.run("guard.start(machine.freq())\nstart_sensor()")
        yield chip


@pytest.mark.parametrize("busy", [False, True])
def test_it_turns_on_time_and_takes_every_sample_once(chip: Chip, busy: bool) -> None:
    before = chip.bench.seen.devices[0] if chip.bench.seen else {}
    turns, samples, wrong, overflows = chip.run(f"watch({busy})")
    after = chip.bench.seen.devices[0] if chip.bench.seen else {}
    assert turns == pytest.approx(5000, abs=3)
    assert samples == pytest.approx(RATE_HZ, abs=3)
    assert (wrong, overflows) == (0, 0)
    for fault in ("early_reads", "spi_faults"):
        assert after[fault] == before[fault]


def cs_high_ns(chip: Chip, source: str) -> list[float]:
    """How long CS was high between two reads, for all that were seen while the chip ran this."""
    level, rose_ns = 1, None
    high_ns: list[float] = []

    def look(seen: StepSeen) -> None:
        nonlocal level, rose_ns
        pin = seen.pins[CS_PIN]
        if pin.rises + pin.falls != len(pin.edges_ns):
            rose_ns = None  # more edges than it remembers
        else:
            for at_ns in pin.edges_ns:
                level = 1 - level
                if level:
                    rose_ns = at_ns
                elif rose_ns is not None:
                    high_ns.append(at_ns - rose_ns)
        level = pin.level

    chip.bench.on_step.append(look)
    chip.run(source)
    chip.bench.on_step.remove(look)
    return high_ns


@pytest.mark.parametrize("waiting_ms", [0, 6])
def test_the_sensor_has_time_for_its_next_entry_between_two_reads(
    chip: Chip, waiting_ms: int
) -> None:
    chip.bench.settle()
    assert chip.bench.seen
    before = dict(chip.bench.seen.devices[0])
    # 18 ms: what has waited for 6 is read on top of what comes.
    catch_up = f"engine.pause()\ntime.sleep_ms({waiting_ms})\nengine.resume()\ntime.sleep_ms(18)\n"
    high_ns = cs_high_ns(chip, 20 * catch_up if waiting_ms else "watch(True)")
    assert len(high_ns) > 500
    assert min(high_ns) >= 3_400  # "Retrieval of FIFO data"
    assert chip.bench.seen.devices[0]["early_reads"] == before["early_reads"] == 0
    assert chip.bench.seen.devices[0]["overruns"] == before["overruns"]


def test_it_measures_current_and_slow_channels(chip: Chip) -> None:
    assert chip.run("codes()") == [NO_CURRENT, 1000 * 4, 3000 * 4]


@pytest.mark.parametrize("after_us", [37, 411, 1_290])
def test_an_open_estop_is_off_within_half_a_millisecond(chip: Chip, after_us: int) -> None:
    chip.run("allow()")
    begin_ns = chip.now_s * 1e9 + after_us * US
    chip.drive(ESTOP_PIN, None, after_us * 1e-6)  # the wire breaks: the pull-up lifts it
    falls = chip.enable_falls_ns(0.01)
    chip.drive(ESTOP_PIN, 0)
    assert [0 < fall - begin_ns <= 500 * US for fall in falls] == [True]
    assert chip.run("state()") == [PINS, 1 << ESTOP_PIN, 0]


def test_a_glitch_shorter_than_a_turn_does_not_stop(chip: Chip) -> None:
    chip.run("allow()")
    for i in range(30):
        chip.drive(ESTOP_PIN, 1, (i * 607 + 5) * 1e-6)
        chip.drive(ESTOP_PIN, 0, (i * 607 + 155) * 1e-6)
    assert chip.enable_falls_ns(0.02) == []
    assert chip.run("state()") == [0, 0, 1]


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_current_at_its_instant_level_is_off_within_half_a_millisecond(
    chip: Chip, sign: int
) -> None:
    chip.run("allow()")
    chip.world.adc[0] = NO_CURRENT + sign * (TRIP_CODES - 1)
    assert chip.enable_falls_ns(0.1) == []
    begin_ns = chip.now_s * 1e9
    chip.world.adc[0] = NO_CURRENT + sign * TRIP_CODES
    falls = chip.enable_falls_ns(0.02)
    chip.world.adc[0] = NO_CURRENT
    assert [0 < fall - begin_ns <= 700 * US for fall in falls] == [True]
    assert chip.run("state()")[0] == CURRENT


def test_without_the_control_tick_it_is_off_when_the_dead_man_ends(chip: Chip) -> None:
    chip.run("arm(300)\nwhile guard.cause == 0: pass")
    assert chip.run("state()") == [DEAD_MAN, 0, 0]
    chip.run("allow()")
    chip.run(
        "arm(300)\nbegin = guard.turns\nwhile enable.value(): pass\nturned = guard.turns - begin"
    )
    assert chip.run("print(turned)") == pytest.approx(300, abs=2)


def test_a_program_that_drives_on_is_switched_off_at_every_turn(chip: Chip) -> None:
    chip.run("allow()")
    chip.drive(ESTOP_PIN, None)
    turns = chip.run("begin = guard.turns\ncause = drive()\nprint(guard.turns - begin)")
    falls = chip.falls(ENABLE_PIN)
    chip.drive(ESTOP_PIN, 0)
    chip.pass_time(0.01)
    assert chip.run("print(cause)") == PINS
    assert falls >= turns - 5 > 50
    assert chip.run("state()")[2] == 0


def test_what_it_costs(chip: Chip) -> None:
    chip.run("allow()")
    with_samples, guard_alone, nothing = chip.run("spin()")
    assert guard_alone / nothing - 1 <= 0.025
    assert with_samples / guard_alone - 1 <= 0.012
