"""The firmware itself goes wrong while the motor turns: it hangs, raises, or is too slow; or what
it has kept is damaged.
"""

from functools import cache
from importlib import resources

import pytest

from wrench.bench.virtual import CONSOLE
from wrench.deploy import deployment
from wrench.errors import RefusedError
from wrench.flash import flash
from wrench.hil.content import BOARD, content_of, content_with
from wrench.hil.rig import Rig
from wrench.transport import Port
from wrench_firmware import wire
from wrench_firmware.limits import HARD_CAP_PERMILLE

# Line of a module, and what comes behind it: a `stream` command sets off the mishap.
SWITCH = {
    "control.py": ("        self.late = 0\n", "        self.broken = False\n"),
    "requests.py": (
        "        self._app.loop.streaming = on == 1\n",
        "        self._app.control.broken = True\n",
    ),
}
PLACES = {
    "in the loop": ("loop.py", "            control.loop_came_round = True\n", "control.broken"),
    "in the control tick": (
        "control.py",
        "            n = sleep_rp2.tick(TICK_US)\n",
        "self.broken",
    ),
}
MISHAPS = {
    "hangs": "while True: pass",
    "hangs with interrupts off": "machine.disable_irq()\n                while True: pass",
    "raises": "raise RuntimeError('a fault put there by the test')",
    "is late": "self.broken = False; time.sleep_ms(30)",
    "is much too late": "self.broken = False; time.sleep_ms(150)",
}


@cache
def source(path: str) -> str:
    """The text of one module of the firmware."""
    return resources.files("wrench_firmware").joinpath(path).read_text()


def behind(text: str, line: str, more: str) -> str:
    """The text with more behind its only such line."""
    assert text.count(line) == 1, line
    return text.replace(line, line + more)


@cache
def broken(place: str, mishap: str) -> bytes:
    """Flash content in which a `stream` command sets off a mishap in a place."""
    texts = {path: behind(source(path), *lines) for path, lines in SWITCH.items()}
    path, line, condition = PLACES[place]
    text = texts.get(path, source(path))
    more = f"            if {condition}:\n                {MISHAPS[mishap]}\n"
    texts[path] = "import machine, time\n" + behind(text, line, more)
    return content_with(texts)


def break_it(rig: Rig) -> float:
    """Let it happen; returns how long the driver then stays enabled."""
    rig.link.port.write(rig.stream_command())
    return rig.off_after(rig.now_s, 0.4)


RESET_BY_WATCHDOG = [
    ("in the loop", "hangs"),
    ("in the loop", "hangs with interrupts off"),
    ("in the loop", "raises"),
    ("in the control tick", "hangs"),
    ("in the control tick", "hangs with interrupts off"),
]


@pytest.mark.parametrize(("place", "mishap"), RESET_BY_WATCHDOG)
@pytest.mark.needs("motor pins", "flash content", "emulator")
def test_firmware_that_hangs_is_off_and_reset_and_says_so(place, mishap, make_rig):
    rig = make_rig(content=broken(place, mishap))
    rig.run(200)
    assert break_it(rig) <= 0.3
    fell_s = rig.fell_s
    rig.forget_highest()
    rig.pass_time(0.5)
    assert rig.fell_s == fell_s, "the driver was enabled again"
    assert rig.bench.resets, "the watchdog has not reset the chip"
    assert rig.reconnect()["reset_cause"] == "watchdog"
    rig.pass_time(0.3)
    assert (rig.mode, rig.fault) == ("tripped", "firmware hung")
    with pytest.raises(RefusedError, match="reset first"):
        rig.link.run(200)
    rig.pass_time(2.0)
    rig.link.command("reset_trip")
    rig.pass_time(0.3)
    assert (rig.mode, rig.highest_duty) == ("idle", 0.0)
    rig.run(200)
    assert rig.duty_at_pin > 0.0


@pytest.mark.needs("motor pins", "flash content", "emulator")
def test_an_exception_in_the_control_tick_stops_the_motor_for_good(make_rig):
    rig = make_rig(content=broken("in the control tick", "raises"))
    rig.run(200)
    assert break_it(rig) <= 0.03
    rig.forget_highest()
    rig.pass_time(1.0)
    assert not rig.bench.resets
    assert (rig.mode, rig.fault) == ("tripped", "firmware exception")
    assert rig.happened("trip", wire.FAULTS.index("firmware exception"))
    assert rig.highest_duty == 0.0


@pytest.mark.needs("motor pins", "flash content")
def test_a_speed_loop_gone_mad_gets_no_more_than_the_hard_cap_and_trips(make_rig):
    text, line = source("speed_loop.py"), "            return self.duty_permille * self._nominal"
    assert text.count(line) == 1
    before, after = text.split(line)
    mad = after.replace("return self.duty_permille", "return 1000 if self.duty_permille else 0")
    rig = make_rig(content=content_with({"speed_loop.py": before + line + mad}))
    rig.run(200, until_steady=False)
    assert rig.trips(3.0) in ("short circuit", "over-current", "over-speed")
    assert 0.8 < rig.highest_duty <= HARD_CAP_PERMILLE / 1000 + 0.002


@pytest.mark.parametrize(("mishap", "within_s"), [("is late", 0.09), ("is much too late", 0.075)])
@pytest.mark.needs("motor pins", "flash content")
def test_a_control_tick_that_comes_too_late_stops_the_motor(mishap, within_s, make_rig):
    """Thirty milliseconds it notices itself; the guard's dead-man waits for sixty."""
    rig = make_rig(content=broken("in the control tick", mishap))
    rig.run(200)
    assert break_it(rig) <= within_s
    assert rig.trips() == "control overrun"
    rig.pass_time(6.0)  # while the flash is written, intervals are long
    rig.link.command("reset_trip")
    rig.pass_time(0.2)
    assert rig.mode == "idle"


@pytest.mark.needs("motor pins", "e-stop", "flash content")
def test_a_control_tick_in_the_middle_of_a_reset_does_not_trip_again(make_rig):
    line = "        reason = app.governor.reset(present)\n"
    text = "import time\n" + behind(source("requests.py"), line, "        time.sleep_ms(12)\n")
    rig = make_rig(content=content_with({"requests.py": text}))
    rig.run(200)
    rig.machine.press_estop()
    assert rig.trips() == "e-stop"
    rig.machine.press_estop(False)
    rig.pass_time(2.0)
    rig.link.command("reset_trip")
    rig.pass_time(0.3)
    assert (rig.mode, rig.fault) == ("idle", "none")
    rig.run(200)
    assert rig.duty_at_pin > 0.0


FAULT = "raise RuntimeError('a fault put there by the test')\n"
LOOP_BEGINS = "        control = self.control\n        sampler = self.sampler\n"
LINK_IS_MADE = "        self.link = UsbLink(buffers.link_fill, buffers.link_send, _RX_BYTES)\n"


def open_console(rig: Rig, within_s: float) -> Port:
    """The console, once it shows the prompt, and does what it is told there."""
    console = rig.open_console()
    said = b""

    def answers(expected: bytes) -> bool:
        nonlocal said
        said += console.read(console.in_waiting)
        return expected in said

    assert rig.wait_for(lambda: answers(b">>> "), within_s), said
    console.write(b"\r\nprint(6 * 7)\r\n")
    assert rig.wait_for(lambda: answers(b"\r\n42\r\n"), 0.5), said
    return console


@pytest.mark.parametrize("listener", ["nobody", "a terminal"])
@pytest.mark.needs("motor pins", "flash content", "emulator")
def test_after_three_crashes_in_a_row_the_console_is_the_hosts(listener, make_rig):
    """Whether or not somebody has had the console open all along."""
    changed = {"loop.py": behind(source("loop.py"), LOOP_BEGINS, f"        {FAULT}")}
    rig = make_rig(content=content_with(changed))
    bench = rig.bench
    terminal = None
    while len(bench.resets) < 3:
        if listener == "a terminal" and not (terminal and terminal.is_open):
            terminal = bench.open(CONSOLE)
        rig.pass_time(0.005)
        assert bench.now_s < 15.0
    console = open_console(rig, 3.0)
    assert rig.highest_duty == 0.0
    rig.pass_time(5.0)
    assert len(bench.resets) == 3
    assert flash(console, deployment(BOARD)).changed


@pytest.mark.parametrize("after_ms", [0, 100])
@pytest.mark.needs("motor pins", "flash content")
def test_after_a_crash_while_the_link_is_not_there_yet_the_console_is_the_hosts(after_ms, make_rig):
    """The host still counts the console as open when the board changes its descriptors."""
    crash = f"        time.sleep_ms({after_ms})\n        {FAULT}"
    changed = {"app.py": behind(source("app.py"), LINK_IS_MADE, crash)}
    rig = make_rig(content=content_with(changed))
    console = rig.open_console()
    assert rig.wait_for(lambda: not console.is_open, 2.0)
    open_console(rig, 3.0)
    assert rig.highest_duty == 0.0


@pytest.mark.parametrize("image", ["stock", "wrench"])
@pytest.mark.needs("emulator", "other images", "flash content")
def test_corrupt_settings_forbid_a_run_until_a_person_has_seen_it(image, make_rig):
    rig = make_rig(image=image)
    rig.ready()
    rig.link.command("set_limit", 300)
    rig.pass_time(2.0)
    content = bytearray(rig.bench.read_flash())
    rig.bench.close()
    damaged = 0
    at = content.find(b"WrS1")
    while at >= 0:
        content[at + 20] ^= 0x10
        damaged += 1
        at = content.find(b"WrS1", at + 1)
    assert damaged
    rig = make_rig(content=bytes(content))
    assert rig.link
    assert rig.wait_for(lambda: rig.mode == "tripped", 4.0)
    assert rig.fault == "settings corrupt"
    with pytest.raises(RefusedError, match="reset first"):
        rig.link.run(300)
    rig.pass_time(1.5)
    rig.link.command("reset_trip")
    rig.run(200)
    assert rig.status["ceiling_permille"] == 700


@pytest.mark.needs("emulator", "flash content")
def test_an_intact_board_reads_its_settings(make_rig):
    """What the test above damages is what this one reads."""
    rig = make_rig()
    rig.ready()
    rig.link.command("set_limit", 300)
    rig.pass_time(2.0)
    content = rig.bench.read_flash()
    assert content != content_of(BOARD)
    rig = make_rig(content=content)
    rig.ready()
    assert rig.status["ceiling_permille"] == 300
