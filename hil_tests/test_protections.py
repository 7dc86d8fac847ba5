"""Each protection is caused physically, on a board without a host, and looked at on the pin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from wrench.boards import Board, load_board
from wrench.errors import RefusedError
from wrench.hil.content import BOARD, variant
from wrench.hil.rig import Rig
from wrench_firmware import wire

Act = Callable[[Rig], object]

THREE_SUPPLIES = load_board("pico-adxl345-i2c-pwm-enable")
TWO_THERMISTORS = load_board("pico-mpu6050-two-pwm")
CREST = variant("crest", protection__vibration="crest_trip = 8.0")
ENVELOPE = variant("envelope", protection__vibration="envelope_trip_g = 0.3")
SEIZES_SOON = variant("seizes-soon", protection__seizure="delay_ms = 250")


def nothing(rig: Rig) -> None:
    """The cause is gone as soon as the motor stands."""
    rig.machine.let_be()


@dataclass(frozen=True)
class Case:
    """One way to bring a protection about.

    `stays`: the cause is there for as long as `mend` has not been called, also with the motor off.
    `needs`: what the rig must be able to do to bring it about.
    `asked_after_s`: what measures it is itself deaf while flash is erased for the waveform.
    `after_s` and `within_s` are from the cause to the pin. `ceiling` is in 1/1000 of rated speed.
    """

    name: str
    fault: str
    cause: Act
    within_s: float
    mend: Act = nothing
    after_s: float = 0.0
    stays: bool = True
    asked_after_s: float = 0.0
    ceiling: int = 300
    needs: tuple[str, ...] = ()
    board: Board | None = None
    """None: the one under test."""


def sensor(**faults: object) -> Act:
    """The sensor's chip goes wrong; nothing given mends it."""
    return lambda rig: rig.machine.set_sensor_fault(**faults)


def supply(volts: float) -> Act:
    """The supply's voltage without load."""
    return lambda rig: rig.machine.set_supply(volts)


WINDOW_S = BOARD.vibration.window_ms / 1000
DELAY_S = 0.3
# The first window that is wholly bad may begin almost a window after the cause; the trip has 0.1 s.
VIBRATION_S = 2 * WINDOW_S + DELAY_S + 0.1

CASES = (
    Case(
        "worn bearing",
        "vibration",
        lambda rig: rig.machine.set_wear(0.7),
        VIBRATION_S,
        lambda rig: rig.machine.set_wear(0.01),
        DELAY_S,
        stays=False,
        ceiling=500,
        needs=("wear",),
    ),
    Case(
        "knocking",
        "acceleration peak",
        lambda rig: rig.machine.knock_again_and_again(16.5, 0.05),
        VIBRATION_S,
        after_s=DELAY_S,
        stays=False,
        needs=("knock",),
    ),
    Case(
        "single knocks",
        "crest factor",
        lambda rig: rig.machine.knock_again_and_again(5.0, 0.2),
        VIBRATION_S,
        after_s=DELAY_S,
        stays=False,
        board=CREST,
        needs=(
            "knock",
            "other boards",
        ),
    ),
    Case(
        "spalled outer race",
        "envelope",
        lambda rig: rig.machine.set_defect("outer", 0.6),
        VIBRATION_S,
        lambda rig: rig.machine.set_defect("outer", 0.0),
        DELAY_S,
        stays=False,
        ceiling=500,
        board=ENVELOPE,
        needs=(
            "other boards",
            "wear",
        ),
    ),
    Case(
        "blunt bit",
        "over-current",
        lambda rig: rig.machine.set_load(2.0),
        0.25,
        lambda rig: rig.machine.set_load(0.6),
        0.02,
        stays=False,
        ceiling=500,
        needs=("load",),
    ),
    Case(
        "backwards current",
        "over-current",
        lambda rig: rig.machine.offset_current(-6.0),
        0.03,
        lambda rig: rig.machine.offset_current(0.0),
        stays=False,
        needs=("current",),
    ),
    Case(
        "short circuit",
        "short circuit",
        lambda rig: rig.machine.offset_current(5.0),
        0.001,
        lambda rig: rig.machine.offset_current(0.0),
        needs=("current",),
    ),
    Case(
        "motor's lead cut",
        "stall",
        lambda rig: rig.machine.cut_motor_lead(),
        3.0,
        after_s=1.0,
        stays=False,
        needs=("motor lead",),
    ),
    Case(
        "jam at crawling speed",
        "stall",
        lambda rig: rig.machine.jam(),
        1.2,
        lambda rig: rig.machine.jam(False),
        0.3,
        stays=False,
        ceiling=150,
        needs=("jam",),
    ),
    Case(
        "jam at low speed",
        "seizure",
        lambda rig: rig.machine.jam(),
        0.4,
        lambda rig: rig.machine.jam(False),
        stays=False,
        ceiling=160,
        board=SEIZES_SOON,
        needs=(
            "jam",
            "other boards",
        ),
    ),
    Case(
        "jam",
        "short circuit",
        lambda rig: rig.machine.jam(),
        0.05,
        lambda rig: rig.machine.jam(False),
        stays=False,
        ceiling=500,
        needs=("jam",),
    ),
    Case(
        "hot bearing",
        "bearing too hot",
        lambda rig: rig.machine.hold_temperatures(bearing_c=99.0),
        1.15,
        nothing,
        0.95,
        needs=("heat",),
    ),
    Case(
        "thermistor cut",
        "bearing too hot",
        lambda rig: rig.machine.break_thermistor("bearing"),
        0.1,
        lambda rig: rig.machine.mend_thermistor("bearing"),
        needs=("thermistor",),
    ),
    Case(
        "thermistor shorted",
        "bearing too hot",
        lambda rig: rig.machine.break_thermistor("bearing", shorted=True),
        0.1,
        lambda rig: rig.machine.mend_thermistor("bearing"),
        needs=("thermistor",),
    ),
    Case(
        "hot driver",
        "driver too hot",
        lambda rig: rig.machine.hold_temperatures(driver_c=104.0),
        1.2,
        nothing,
        0.95,
        board=TWO_THERMISTORS,
        needs=(
            "heat",
            "other boards",
        ),
    ),
    Case(
        "driver's thermistor cut",
        "driver too hot",
        lambda rig: rig.machine.break_thermistor("driver"),
        0.1,
        lambda rig: rig.machine.mend_thermistor("driver"),
        board=TWO_THERMISTORS,
        needs=(
            "other boards",
            "thermistor",
        ),
    ),
    Case("flat battery", "brown-out", supply(8.5), 0.1, supply(12.0), 0.045, needs=("supply",)),
    Case(
        "wrong battery",
        "supply too high",
        supply(16.0),
        0.1,
        supply(12.0),
        0.045,
        needs=("supply",),
    ),
    Case(
        "no supply",
        "brown-out",
        lambda rig: rig.machine.lose_supply(),
        0.15,
        lambda rig: rig.machine.restore_supplies(),
        board=THREE_SUPPLIES,
        needs=(
            "other boards",
            "supplies",
        ),
    ),
    Case(
        "driven from outside",
        "over-speed",
        lambda rig: rig.machine.spin(2620.0),
        0.15,
        asked_after_s=5.0,
        ceiling=700,
        needs=("spin",),
    ),
    Case(
        "tacho's lead cut",
        "tacho lost",
        lambda rig: rig.machine.cut_tacho(),
        1.2,
        lambda rig: rig.machine.cut_tacho(False),
        0.9,
        stays=False,
        needs=("tacho",),
    ),
    Case(
        "e-stop",
        "e-stop",
        lambda rig: rig.machine.press_estop(),
        0.001,
        lambda rig: rig.machine.press_estop(False),
        needs=("e-stop",),
    ),
    Case(
        "driver's fault pin",
        "driver fault",
        lambda rig: rig.machine.set_driver_fault(),
        0.001,
        lambda rig: rig.machine.set_driver_fault(False),
        board=THREE_SUPPLIES,
        needs=(
            "driver fault",
            "other boards",
        ),
    ),
    Case(
        "sensor's plug pulled",
        "sensor silent",
        sensor(absent=True),
        0.13,
        sensor(),
        0.09,
        needs=("sensor plug",),
    ),
    Case(
        "sensor's plug pulled, I2C",
        "sensor silent",
        sensor(absent=True),
        0.16,
        sensor(),
        0.09,
        board=TWO_THERMISTORS,
        needs=(
            "other boards",
            "sensor plug",
        ),
    ),
    Case(
        "sensor's interrupt cut",
        "sensor silent",
        sensor(interrupt_dead=True),
        0.13,
        sensor(),
        0.09,
        needs=("sensor faults",),
    ),
    Case(
        "converter stuck",
        "sensor stuck",
        sensor(stuck=True),
        0.85,
        sensor(),
        0.45,
        needs=("sensor faults",),
    ),
    Case(
        "sensor loose",
        "sensor saturated",
        lambda rig: rig.machine.saturate_sensor(),
        VIBRATION_S,
        lambda rig: rig.machine.saturate_sensor(False),
        DELAY_S,
        needs=("signal",),
    ),
    Case(
        "sensor's supply dips",
        "sensor silent",
        sensor(reset=True),
        0.13,
        stays=False,
        needs=("sensor faults",),
    ),
    Case(
        "sensor's clock runs away",
        "samples lost",
        sensor(clock=2.0),
        0.85,
        sensor(),
        stays=False,
        needs=("sensor faults",),
    ),
    Case(
        "sensor's clock runs away, I2C, none of it lost",
        "samples lost",
        sensor(clock=2.0),
        0.85,
        sensor(),
        stays=False,
        board=THREE_SUPPLIES,
        needs=("sensor faults", "other boards"),
    ),
    Case(
        "sensor's clock drops by a third",
        "samples lost",
        sensor(clock=0.67),
        1.1,
        sensor(),
        stays=False,
        needs=("sensor faults",),
    ),
)


SMOKE = ("sensor's plug pulled",)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            id=case.name,
            marks=[pytest.mark.needs(*case.needs), *([pytest.mark.smoke] * (case.name in SMOKE))],
        )
        for case in CASES
    ],
)
@pytest.mark.needs("motor pins", "button")
def test_it_trips_without_a_host_and_is_reset_once_its_cause_is_gone(case, make_rig, latency):
    rig = make_rig(case.board)
    rig.run_alone(case.ceiling)
    begin_s = rig.now_s
    case.cause(rig)
    took_s = rig.off_after(begin_s, case.within_s + 0.02)
    assert took_s >= case.after_s
    latency(f"{case.name} to off", took_s, case.within_s)
    rig.forget_highest()
    rig.reconnect()
    assert (rig.mode, rig.fault) == ("tripped", case.fault)
    assert rig.happened("trip", wire.FAULTS.index(case.fault))
    rig.pass_time(case.asked_after_s)
    if case.stays:
        with pytest.raises(RefusedError, match="still there"):
            rig.link.command("reset_trip")
    case.mend(rig)
    rig.pass_time(0.6)
    assert (rig.mode, rig.fault) == ("tripped", case.fault)
    rig.reset()
    rig.pass_time(0.6)
    assert (rig.mode, rig.fault) == ("idle", "none")
    assert rig.highest_duty == 0.0


@pytest.mark.needs("motor pins", "button", "e-stop", "exact instants")
def test_the_estop_stops_within_a_millisecond_at_any_phase_of_the_control_tick(rig, latency):
    """Pressed, or a broken wire, which is the same at the pin."""
    rig.run_alone(200)
    for after_ms in (0.3, 1.7, 2.9, 4.6):
        rig.machine.press_estop(after_ns=after_ms * 1e6)
        latency("e-stop to off", rig.off_after(rig.now_s + after_ms / 1e3, 0.02), 0.001)
        rig.machine.press_estop(False)
        rig.pass_time(1.1)
        rig.link.command("reset_trip")
        rig.leave()
        rig.press_start()
        rig.pass_time(0.3)


@pytest.mark.needs("motor pins", "supply")
def test_a_sagging_supply_slows_the_motor_down_and_does_not_stop_it(rig):
    rig.run(500)
    rig.machine.set_supply(10.2)
    assert rig.wait_for(lambda: rig.limit == "supply", 1.0)
    assert rig.mode == "limiting"
    assert rig.wait_for(lambda: rig.status["speed_command_permille"] < 480, 2.0)
    rig.machine.set_supply(12.0)
    assert rig.wait_for(lambda: rig.mode == "running", 3.0)
    rig.machine.set_supply(8.5)
    assert rig.off_after(rig.now_s, 0.2) <= 0.1
    assert rig.trips() == "brown-out"


@pytest.mark.needs("motor pins", "load", "supplies", "other boards")
def test_the_loss_of_one_supply_of_three_lowers_the_ceiling_and_of_all_trips(make_rig):
    rig = make_rig(THREE_SUPPLIES)
    rig.run(350)
    assert rig.status["supplies_healthy"] == 3
    rig.machine.lose_supply("pack")
    rig.pass_time(1.0)
    assert rig.mode in ("running", "limiting")
    assert rig.duty_at_pin > 0.0
    assert rig.status["supplies_healthy"] == 2
    assert rig.status["alarms"] >> wire.FAULTS.index("brown-out") & 1
    rig.machine.lose_supply("battery")
    rig.machine.set_load(1.0)
    rig.pass_time(1.0)
    assert rig.duty_at_pin > 0.0
    rig.machine.lose_supply("adapter")
    assert rig.off_after(rig.now_s, 0.3) <= 0.15
    assert rig.trips() == "brown-out"


AT_BOOT = {
    "sensor absent": {"absent": True},
    "wrong sensor": {"identity": 0x33},
}


@pytest.mark.parametrize(
    "fault",
    ["sensor absent", pytest.param("wrong sensor", marks=pytest.mark.needs("sensor faults"))],
)
@pytest.mark.needs("motor pins", "button", "sensor plug")
def test_a_sensor_that_is_not_there_or_another_one_forbids_every_run(fault, rig):
    rig.machine.set_sensor_fault(**AT_BOOT[fault])
    assert rig.link
    assert rig.trips(4.0) == fault
    with pytest.raises(RefusedError, match="reset first"):
        rig.link.run(300)
    with pytest.raises(RefusedError, match="still there"):
        rig.link.command("reset_trip")
    rig.machine.press_button()
    rig.pass_time(3.2)
    rig.machine.press_button(False)
    assert rig.fault == fault
    assert rig.highest_duty == 0.0
    rig.machine.set_sensor_fault()
    rig.pass_time(0.1)
    rig.link.command("reset_trip")
    rig.run(200)
    assert rig.duty_at_pin > 0.0


@pytest.mark.needs("motor pins", "signal")
def test_a_sensor_that_is_noisy_at_rest_forbids_a_run(rig):
    rig.ready()
    rig.machine.set_sensor_noise(0.5)
    assert rig.trips(6.0) == "sensor noisy"
    with pytest.raises(RefusedError, match="still there"):
        rig.link.command("reset_trip")
    rig.machine.set_sensor_noise(0.0)
    rig.pass_time(0.6)
    rig.link.command("reset_trip")
    rig.run(200)
    assert rig.highest_duty > 0.0


@pytest.mark.needs("motor pins", "wear")
def test_a_vibration_trip_comes_within_100_ms_of_its_window_and_its_delay(rig):
    rig.run(500)
    rig.features.clear()
    rig.machine.set_wear(0.7)
    begin_s = rig.now_s
    off_s = begin_s + rig.off_after(begin_s, VIBRATION_S)
    level = round(1000 * BOARD.protection.vibration.velocity_trip_mm_s)
    beyond = [
        frame
        for frame in rig.features
        if max(frame[f"velocity_{axis}_um_s"] for axis in "xyz") >= level
    ]
    assert 0.0 <= off_s - beyond[0].time_us / 1e6 - DELAY_S <= 0.1
