"""Each protection is caused physically, on a board without a host, and looked at on the pin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from rig import BOARD, Rig, variant

from wrench.bench.plant import Drive
from wrench.boards import Board, load_board
from wrench.errors import RefusedError
from wrench_firmware import wire

Act = Callable[[Rig], None]

THREE_SUPPLIES = load_board("pico-adxl345-i2c-pwm-enable")
TWO_THERMISTORS = load_board("pico-mpu6050-two-pwm")
CREST = variant("crest", protection__vibration="crest_trip = 8.0")
ENVELOPE = variant("envelope", protection__vibration="envelope_trip_g = 0.3")


def nothing(rig: Rig) -> None:
    """The cause is gone as soon as the motor stands."""
    rig.hold(None)


@dataclass(frozen=True)
class Case:
    """One way to bring a protection about.

    `stays`: the cause is there for as long as `mend` has not been called, also with the motor off.
    `after_s` and `within_s` are from the cause to the pin. `ceiling` is in 1/1000 of rated speed.
    """

    name: str
    fault: str
    cause: Act
    within_s: float
    mend: Act = nothing
    after_s: float = 0.0
    stays: bool = True
    ceiling: int = 300
    board: Board = BOARD


def knocks(strength_g: float, every_steps: int) -> Act:
    """Something strikes the housing again and again."""

    def begin(rig: Rig) -> None:
        count = [0]

        def strike() -> None:
            count[0] += 1
            if count[0] % every_steps == 0:
                rig.plant.knock(strength_g)

        rig.hold(strike)

    return begin


def cut_motor_lead(rig: Rig) -> None:
    """What the driver puts out no longer reaches the motor."""
    rig.machine.driver.driven = lambda seen: Drive(0.0, False)


def spin(speed_rpm: float) -> Act:
    """Something else drives the shaft."""
    return lambda rig: rig.hold(lambda: rig.plant.set_speed(speed_rpm))


def heat(**celsius: float) -> Act:
    """A part is at this temperature and stays there."""
    return lambda rig: rig.hold(lambda: rig.plant.set_temperatures(**celsius))


def cooled(rig: Rig) -> None:
    """And is cool again."""
    rig.hold(None)
    rig.plant.set_temperatures(bearing_c=25.0, driver_c=25.0)


def sensor(**faults: object) -> Act:
    """The sensor's chip goes wrong; nothing given mends it."""
    return lambda rig: rig.machine.set_sensor_fault(**faults)


def supply(volts: float) -> Act:
    """The supply's voltage without load."""
    return lambda rig: rig.plant.set_supply(volts)


def all_supplies(act: str) -> Act:
    """All supplies are pulled, or are as they were."""

    def do(rig: Rig) -> None:
        for each in rig.plant.supplies:
            getattr(each, act)()

    return do


WINDOW_S = BOARD.vibration.window_ms / 1000
DELAY_S = 0.3
# The first window that is wholly bad may begin almost a window after the cause; the trip has 0.1 s.
VIBRATION_S = 2 * WINDOW_S + DELAY_S + 0.1

CASES = (
    Case(
        "worn bearing",
        "vibration",
        lambda rig: rig.plant.set_wear(0.7),
        VIBRATION_S,
        lambda rig: rig.plant.set_wear(0.01),
        DELAY_S,
        stays=False,
        ceiling=500,
    ),
    Case(
        "knocking",
        "acceleration peak",
        knocks(16.5, 10),
        VIBRATION_S,
        after_s=DELAY_S,
        stays=False,
    ),
    Case(
        "single knocks",
        "crest factor",
        knocks(5.0, 40),
        VIBRATION_S,
        after_s=DELAY_S,
        stays=False,
        board=CREST,
    ),
    Case(
        "spalled outer race",
        "envelope",
        lambda rig: rig.plant.set_defect("outer", 0.6),
        VIBRATION_S,
        lambda rig: rig.plant.set_defect("outer", 0.0),
        DELAY_S,
        stays=False,
        ceiling=500,
        board=ENVELOPE,
    ),
    Case(
        "blunt bit",
        "over-current",
        lambda rig: rig.plant.set_load(2.0),
        0.25,
        lambda rig: rig.plant.set_load(0.6),
        0.02,
        stays=False,
        ceiling=500,
    ),
    Case(
        "backwards current",
        "over-current",
        lambda rig: rig.machine.offset_current(-5.5),
        0.03,
        lambda rig: rig.machine.offset_current(0.0),
        stays=False,
    ),
    Case(
        "short circuit",
        "short circuit",
        lambda rig: rig.machine.offset_current(5.0),
        0.001,
        lambda rig: rig.machine.offset_current(0.0),
    ),
    Case("motor lead cut", "stall", cut_motor_lead, 3.0, after_s=1.0, stays=False),
    Case(
        "seizing slowly",
        "seizure",
        lambda rig: rig.plant.jam(),
        0.5,
        lambda rig: rig.plant.free(),
        stays=False,
        ceiling=190,
    ),
    Case(
        "jam",
        "short circuit",
        lambda rig: rig.plant.jam(),
        0.05,
        lambda rig: rig.plant.free(),
        stays=False,
        ceiling=500,
    ),
    Case("hot bearing", "bearing too hot", heat(bearing_c=99.0), 1.15, cooled, 0.95),
    Case(
        "thermistor cut",
        "bearing too hot",
        lambda rig: rig.machine.break_thermistor("bearing"),
        0.1,
        lambda rig: rig.machine.mend_thermistor("bearing"),
    ),
    Case(
        "thermistor shorted",
        "bearing too hot",
        lambda rig: rig.machine.break_thermistor("bearing", shorted=True),
        0.1,
        lambda rig: rig.machine.mend_thermistor("bearing"),
    ),
    Case(
        "hot driver",
        "driver too hot",
        heat(driver_c=104.0),
        1.2,
        cooled,
        0.95,
        board=TWO_THERMISTORS,
    ),
    Case(
        "driver's thermistor cut",
        "driver too hot",
        lambda rig: rig.machine.break_thermistor("driver"),
        0.1,
        lambda rig: rig.machine.mend_thermistor("driver"),
        board=TWO_THERMISTORS,
    ),
    Case("flat battery", "brown-out", supply(8.5), 0.1, supply(12.0), 0.045),
    Case("wrong battery", "supply too high", supply(16.0), 0.1, supply(12.0), 0.045),
    Case(
        "no supply",
        "brown-out",
        all_supplies("lose"),
        0.15,
        all_supplies("restore"),
        board=THREE_SUPPLIES,
    ),
    Case("driven from outside", "over-speed", spin(2700.0), 0.15),
    Case(
        "tacho's lead cut",
        "tacho lost",
        lambda rig: rig.machine.cut_tacho(),
        1.2,
        lambda rig: rig.machine.cut_tacho(False),
        0.9,
        stays=False,
    ),
    Case(
        "e-stop",
        "e-stop",
        lambda rig: rig.machine.press_estop(),
        0.001,
        lambda rig: rig.machine.press_estop(False),
    ),
    Case(
        "driver's fault pin",
        "driver fault",
        lambda rig: rig.machine.set_driver_fault(),
        0.001,
        lambda rig: rig.machine.set_driver_fault(False),
        board=THREE_SUPPLIES,
    ),
    Case("sensor's plug pulled", "sensor silent", sensor(absent=True), 0.13, sensor(), 0.09),
    Case(
        "sensor's plug pulled, I2C",
        "sensor silent",
        sensor(absent=True),
        0.16,
        sensor(),
        0.09,
        board=TWO_THERMISTORS,
    ),
    Case(
        "sensor's interrupt cut", "sensor silent", sensor(interrupt_dead=True), 0.13, sensor(), 0.09
    ),
    Case("converter stuck", "sensor stuck", sensor(stuck=True), 0.85, sensor(), 0.45),
    Case(
        "sensor loose",
        "sensor saturated",
        lambda rig: rig.machine.signal.saturate(),
        VIBRATION_S,
        lambda rig: rig.machine.signal.saturate(False),
        DELAY_S,
    ),
    Case("sensor's supply dips", "sensor silent", sensor(reset=True), 0.13, stays=False),
    Case("sensor's clock runs away", "samples lost", sensor(clock=2.0), 1.5, sensor(), stays=False),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_it_trips_without_a_host_and_is_reset_once_its_cause_is_gone(case, make_rig):
    rig = make_rig(case.board)
    rig.run_alone(case.ceiling)
    begin_s = rig.bench.now_s
    case.cause(rig)
    took_s = rig.off_after(begin_s, case.within_s + 0.02)
    assert case.after_s <= took_s <= case.within_s
    rig.highest_duty = 0.0
    rig.reconnect()
    assert (rig.mode, rig.fault) == ("tripped", case.fault)
    assert rig.happened("trip", wire.FAULTS.index(case.fault))
    if case.stays:
        with pytest.raises(RefusedError, match="still there"):
            rig.link.command("reset_trip")
    case.mend(rig)
    rig.pass_time(0.6)
    assert (rig.mode, rig.fault) == ("tripped", case.fault)
    rig.link.command("reset_trip")
    rig.pass_time(0.6)
    assert (rig.mode, rig.fault) == ("idle", "none")
    assert rig.highest_duty == 0.0
