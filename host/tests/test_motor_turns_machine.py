"""The firmware's motor and the bench's wiring together, for every board file: what is asked of the
motor on the chip turns the machine, and off lets it coast."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from on_chip import image_or_skip, modules

from wrench.bench.assemble import assemble, installed
from wrench.bench.virtual import CONSOLE, VirtualBench
from wrench.bench.wiring import WiredMachine
from wrench.boards import known_boards, load_board
from wrench.hil.chip import Repl

NAMES = [path.stem for path in known_boards()]
RATED_RPM = 3000
DRIVE = """
for _ in range({calls}):
    motor.drive({duty})
    time.sleep_ms(20)
print(motor.duty_permille)
"""


class Turning:
    """A board at its REPL, with its motor made, and its machine."""

    def __init__(self, bench: VirtualBench, machine: WiredMachine, name: str) -> None:
        self.bench = bench
        self.machine = machine
        self._repl = Repl(lambda: bench.open(CONSOLE))
        self.run(
            f"import time\nfrom machine import mem32\nimport {name.replace('-', '_')} as board\n"
            "from wrench_firmware.motor import make_motor\nmotor = make_motor(board)"
        )

    def run(self, source: str) -> str:
        return self._repl.execute(source, timeout_s=60.0)

    def drive(self, duty: int, seconds: float) -> int:
        """Ask for a duty 50 times a second; what the motor has made of it at the end."""
        return int(self.run(DRIVE.format(calls=round(50 * seconds), duty=duty)))

    @property
    def speed_rpm(self) -> float:
        assert self.machine.reading
        return self.machine.reading.speed_rpm


@pytest.fixture(scope="module")
def flashed() -> bytes:
    image_or_skip()
    boards = {name.replace("-", "_"): load_board(name).render() for name in NAMES}
    return installed("stock", modules("__init__", "limits", "motor", **boards))


@pytest.fixture
def turning(flashed: bytes) -> Iterator[Callable[[str], Turning]]:
    benches: list[VirtualBench] = []

    def make(name: str) -> Turning:
        assembly = assemble(load_board(name), flashed)
        benches.append(assembly.bench)
        return Turning(assembly.bench, assembly.machine, name)

    yield make
    for bench in benches:
        bench.close()


@pytest.mark.parametrize("name", NAMES)
def test_the_machine_turns_as_fast_as_asked_and_stops(
    name: str, turning: Callable[[str], Turning]
) -> None:
    board = turning(name)
    kind = board.machine.board.motor.kind
    board.bench.advance(0.1)
    assert board.speed_rpm == 0.0
    arming_s = 2.0 if kind == "esc" else 0.0
    if arming_s:
        assert board.drive(400, arming_s - 0.1) == 0
        assert board.speed_rpm == 0.0
    assert board.drive(400, 4.5) == 400
    assert board.machine.drive.duty == pytest.approx(0.4, abs=2e-3)
    assert board.machine.drive.enabled
    # Diodes take some of it, a pack of 14.8 V gives more.
    assert 0.28 * RATED_RPM < board.speed_rpm < 0.5 * RATED_RPM
    speed_rpm = board.speed_rpm
    board.run("motor.off()")
    board.bench.advance(0.02)
    assert not board.machine.drive.enabled
    assert board.machine.reading is not None
    assert board.machine.reading.motor_current_a == 0.0
    board.bench.advance(1.5)
    assert board.speed_rpm < 0.2 * speed_rpm


@pytest.mark.parametrize("name", NAMES)
def test_a_kill_stops_the_machine_whatever_is_asked_of_the_pwm(
    name: str, turning: Callable[[str], Turning]
) -> None:
    board = turning(name)
    board.drive(400, 3.5)
    assert board.machine.drive.enabled
    board.run("for address, value in motor.kill_writes(): mem32[address] = value")
    board.bench.advance(0.02)
    assert not board.machine.drive.enabled
    board.run("motor._pwm.duty_u16(60000)")
    board.bench.advance(0.1)
    assert not board.machine.drive.enabled


def test_the_pulse_of_an_esc_alone_does_not_turn_it(turning: Callable[[str], Turning]) -> None:
    """Half throttle from the start, as after a reset in the middle of a run."""
    board = turning("pico-analog-piezo-esc")
    board.run("mem32[0xD0000014] = 1 << 15; motor._pwm.duty_u16(65536 * 15 // 200)")
    board.bench.advance(3.0)
    assert board.speed_rpm == 0.0
