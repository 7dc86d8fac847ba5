"""The firmware itself goes wrong while the motor turns: it hangs, or it raises."""

from importlib import resources

import pytest
from rig import BOARD, Rig

from wrench.bench.assemble import assemble, bare_flash
from wrench.bench.virtual import CONSOLE, LINK
from wrench.deploy import compile_module, deployment
from wrench.flash import flash
from wrench.image import find
from wrench.link import Link

APP = "/lib/wrench_firmware/app.mpy"
PLACES = {
    "in the loop": "            self._streaming = argument == 1\n",
    "in the control tick": "            self._last_us = now\n",
}
MISHAPS = {
    "hangs": "while self._streaming or kind == wire.STREAM: pass",
    "hangs with interrupts off": "machine.disable_irq()\n                while True: pass",
    "raises": "raise RuntimeError('a fault put there by the test')",
}


def broken_app(source: str, place: str, mishap: str) -> str:
    """The app, in which a `stream` command sets off the mishap."""
    line = PLACES[place]
    assert source.count(line) == 1
    indent = " " * 12
    if place == "in the loop":
        return source.replace(line, f"{indent}if argument == 1:\n{indent}    {mishap}\n")
    mishap = mishap.replace(" or kind == wire.STREAM", "")
    return source.replace(line, f"{line}{indent}if self._streaming:\n{indent}    {mishap}\n")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mishap", MISHAPS)
def test_the_motor_stops_by_itself(place, mishap, app_source, bare):
    files = deployment(BOARD)
    broken = broken_app(app_source, place, MISHAPS[mishap])
    files.files[APP] = compile_module("app.py", broken.encode())
    with assemble(BOARD, bare).bench as bench:
        flash(bench.open(CONSOLE), files)
        content = bench.read_flash()
    assembly = assemble(BOARD, content)
    with assembly.bench as bench:
        rig = Rig(bench, assembly.machine)
        rig.run(500)
        rig.link.port.write(rig.stream_command())
        begin = bench.now_s
        assert rig.off_after(begin, 0.4) <= 0.3
        bench.advance(2.0)
        assert rig.duty_at_pin == 0.0
        if mishap != "raises" or place == "in the loop":
            assert bench.resets, "the watchdog has not reset the chip"
        rig.highest_duty = 0.0
        if bench.resets:
            rig.link = Link(bench.open(LINK))
        rig.link.hello()
        rig.listen(1.0)
        assert rig.mode in ("idle", "tripped")
        assert rig.highest_duty == 0.0


def test_after_three_crashes_in_a_row_the_console_is_the_hosts(app_source, bare):
    files = deployment(BOARD)
    crashing = app_source.replace(
        "        seen = 0\n", "        raise RuntimeError('a fault put there by the test')\n", 1
    )
    assert crashing != app_source
    files.files[APP] = compile_module("app.py", crashing.encode())
    with assemble(BOARD, bare).bench as bench:
        flash(bench.open(CONSOLE), files)
        bench.cut_power()
        bench.advance(0.1)
        bench.restore_power()
        bench.advance(6.0)
        assert 2 <= len(bench.resets) <= 4
        console = bench.open(CONSOLE)
        bench.advance(0.2)
        console.read_available()
        console.write(b"\r\nprint(6 * 7)\r\n")
        bench.advance(0.2)
        assert b"42" in console.read_available()
        assert flash(console, deployment(BOARD)).changed


@pytest.fixture(scope="module")
def app_source() -> str:
    """The text of the firmware's app.py."""
    return resources.files("wrench_firmware").joinpath("app.py").read_text()


@pytest.fixture(scope="module")
def bare() -> bytes:
    """A flash chip with the image alone."""
    return bare_flash(find("stock"))
