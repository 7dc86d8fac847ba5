"""The rig of a real board: its description, its helper, and what it refuses to begin with. The
board is an emulated one behind a port; the helper is another, with plain MicroPython, whose pins
are wired to the first."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from paired_boards import PairedBoards

from wrench.errors import RigError
from wrench.hil.capabilities import UnableError
from wrench.hil.content import variant
from wrench.hil.helper_board import HelperBoard
from wrench.hil.real_rig import RealRig, able_on
from wrench.hil.rig_file import RigFile, load_rig

SLOW_PWM = variant("slow-pwm", motor="pwm_frequency_hz = 5000")
WIRES = {"GP22": 3, "GP15": 4, "GP14": 5, "GP25": 6, "GP12": 7}
"""E-stop, enable, PWM, light, button."""


def described(tmp_path: Path, more: str = "", wires: dict[str, int] | None = None) -> RigFile:
    lines = [f"{gpio} = {at}" for gpio, at in (WIRES if wires is None else wires).items()]
    text = f'board = "{SLOW_PWM.path}"\n{more}\n[helper]\nport = "COM9"\n[helper.wires]\n'
    path = tmp_path / "rig.toml"
    path.write_text(text + "\n".join(lines))
    return load_rig(path)


@dataclass
class Paired:
    boards: PairedBoards
    helper: HelperBoard

    def rig(self, described: RigFile) -> RealRig:
        boards = self.boards
        return RealRig(
            described,
            SLOW_PWM,
            boards,
            self.helper,
            clock=lambda: boards.now_s,
            sleep=boards.pass_time,
        )


@pytest.fixture
def paired() -> Iterator[Paired]:
    boards = PairedBoards(SLOW_PWM, {int(gpio[2:]): at for gpio, at in WIRES.items()})
    yield Paired(boards, HelperBoard(boards.open_helper()))
    boards.close()


@pytest.mark.emulator
def test_the_helper_works_the_switches_and_times_what_the_motors_pins_do(
    paired: Paired, tmp_path: Path
) -> None:
    rig = paired.rig(described(tmp_path))
    greeting = rig.verify()
    assert greeting["board_name"] == SLOW_PWM.name
    rig.begin()
    assert rig.highest_duty == 0.0
    rig.run(300)
    seen = paired.boards.tested.bench.seen
    assert seen
    assert rig.duty_at_pin == pytest.approx(seen.pins[14].high, abs=0.03)
    assert rig.duty_at_pin > 0.1
    assert rig.highest_duty == 1.0, "the enable pin has risen"
    begin_s = rig.machine.press_estop()
    took_s = rig.off_after(begin_s, 0.1)
    # There and back over the wires takes two steps of the boards.
    assert 0.0 < took_s <= 0.001 + 0.0101 + rig.slack_s
    assert rig.trips() == "e-stop"
    assert rig.duty_at_pin == 0.0
    on, flashes = rig.watch_light(2.0)
    assert (on, flashes) == (pytest.approx(0.05, abs=0.05), 1)
    with pytest.raises(UnableError, match="set the load"):
        rig.machine.set_load(1.0)
    rig.close()
    assert paired.boards.tested.machine.drive.duty == 0.0
    rig.begin()
    rig.run_alone(200)
    assert rig.duty_at_pin > 0.0


@pytest.mark.emulator
def test_a_rig_that_is_not_as_described_does_not_begin(paired: Paired, tmp_path: Path) -> None:
    other = described(tmp_path, 'unique_id = "00"')
    with pytest.raises(RigError, match=r"board's id is .*should be '00'; plug in the board"):
        paired.rig(other).verify()
    crossed = described(tmp_path, wires={"GP22": 6, "GP15": 4, "GP14": 5})
    with pytest.raises(RigError, match="does not notice when the rig opens the e-stop"):
        paired.rig(crossed).verify()


def test_what_a_rig_can_do_follows_from_its_wires_and_commands(tmp_path: Path) -> None:
    assert able_on(described(tmp_path), SLOW_PWM) == {"motor pins", "e-stop", "button", "light"}
    one = described(tmp_path, wires={"GP15": 1})
    assert able_on(one, SLOW_PWM) == frozenset(), "the PWM pin is not watched"
    more = described(
        tmp_path,
        '[commands]\npower = {on = ["relay", "1"], off = ["relay", "0"]}\n'
        'load = {set = ["brake", "{value}"]}',
        {"GP5": 1},
    )
    assert able_on(more, SLOW_PWM) == {"power", "load"}
    no_button = variant("no-button", button="")
    assert "button" not in able_on(described(tmp_path), no_button)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('board = "x"\nboard_file = 3', "board_file: extra inputs"),
        ('board = "x"\n[helper]\nport = "p"\n[helper.wires]\nGP99 = 1', "no GPIO GP99"),
        ('board = "x"\n[helper]\nport = "p"\n[helper.wires]\nGP1 = 4\nGP2 = 4', "same GPIO"),
        ('board = "x"\n[commands]\nload = {set = ["brake"]}', "no argument has {value}"),
        ('board = "x"\n[commands]\npower = {on = ["a"]}', "commands.power.off: field required"),
        ("board = ", "cannot be read"),
    ],
)
def test_a_description_that_is_wrong_is_told_in_a_sentence(
    text: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "rig.toml"
    path.write_text(text)
    with pytest.raises(RigError) as refused:
        load_rig(path)
    assert told in str(refused.value)
    assert "docs/hil.md" in str(refused.value)


def test_a_description_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RigError, match=r"there is no .*none\.toml"):
        load_rig(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["no-such-program"], "did not run"),
        ([sys.executable, "-c", "import sys; sys.exit('no relay')"], "failed with 1: no relay"),
    ],
)
@pytest.mark.emulator
def test_a_command_that_fails_is_told(
    command: list[str], told: str, paired: Paired, tmp_path: Path
) -> None:
    words = ", ".join(repr(word) for word in command)
    rig = paired.rig(
        described(tmp_path, f"[commands]\npower = {{on = [{words}], off = [{words}]}}")
    )
    with pytest.raises(RigError, match=told):
        rig.cut_power()
