"""A stretch of device time as a VCD file, a picture and words: all that is told is true."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from vcd_reader import Dump

from wrench.bench.emulator.traffic import Transfer
from wrench.errors import ReportError
from wrench.hil.observation import picture, vcd, words
from wrench.hil.observation.excerpt import Excerpt, Lane, Line, LineSeen, Note, Stretch
from wrench.hil.observation.page import Latency, TestTold
from wrench.hil.observation.page import render as render_page
from wrench.hil.observation.write import write

BEGIN_NS, STEP_NS = 2e9, 5e6


def steps(*stretches: tuple[int, list[float], int, float]) -> tuple[Stretch, ...]:
    """Of each step: how many edges, those that are known in ms, the level before, the duty."""
    found: list[Stretch] = []
    for number, (edges, at_ms, before, high) in enumerate(stretches):
        begin_ns = BEGIN_NS + number * STEP_NS
        edges_ns = [begin_ns + 1e6 * one for one in at_ms]
        after = before ^ (edges & 1)
        found.append(Stretch(begin_ns, begin_ns + STEP_NS, before, after, high, edges, edges_ns))
    return tuple(found)


def excerpt(**changes: object) -> Excerpt:
    """Three steps: an enable that falls, a PWM of which many edges are not known."""
    enable = steps((0, [], 1, 1.0), (1, [2.0], 1, 0.4), (0, [], 0, 0.0))
    pwm = steps((2, [1.0, 1.5], 0, 0.1), (200, [0.1, 0.2, 0.3, 4.9], 0, 0.6), (0, [], 0, 0.0))
    spi = Transfer("spi", 0, 0, BEGIN_NS + 1e6, BEGIN_NS + 1.2e6, b"\xf2\0", b"\xff\1", 2, 2)
    nack = Transfer("i2c", 1, 64, BEGIN_NS + 3e6, BEGIN_NS + 3.1e6, b"", b"", 0, 0, refused=True)
    given: dict[str, object] = {
        "begin_ns": BEGIN_NS,
        "end_ns": BEGIN_NS + 3 * STEP_NS,
        "lines": (
            LineSeen(Line("enable", 15, watched=True), enable),
            LineSeen(Line("PWM", 14, pwm=True), pwm),
        ),
        "powered": ((BEGIN_NS, True),),
        "resets": ((BEGIN_NS + 12e6, 1),),
        "flash_writes": (("page program", BEGIN_NS + 10e6, BEGIN_NS + 10.4e6),),
        "lanes": (Lane("SPI0 adxl345", (spi,)), Lane("I2C1 0x40", (nack,))),
        "states": {"mode": [(BEGIN_NS - 1e6, "running"), (BEGIN_NS + 8e6, "tripped")]},
        "notes": (Note(BEGIN_NS + 6e6, "press estop"), Note(BEGIN_NS + 9e6, "TRIP", by="board")),
        "failure": Note(BEGIN_NS + 3 * STEP_NS, "assert 1 == 2"),
    }
    return Excerpt(**{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture
def dump(tmp_path: Path) -> Dump:
    """What another parser makes of the file."""
    path = tmp_path / "some.vcd"
    path.write_text(vcd.render(excerpt(), "$end of the\nworld"))
    return Dump(path)


def ns(after_ms: float) -> int:
    return round(BEGIN_NS + 1e6 * after_ms)


def test_a_vcd_file_has_every_known_edge_at_its_instant(dump: Dump) -> None:
    assert (float(dump.read.timescale["timescale"]), dump.read.endtime) == (1e-9, ns(15))
    assert dump.changes("pins.enable") == [(ns(0), "1"), (ns(7), "0")]
    assert dump.changes("board.powered") == [(ns(0), "1")]
    assert dump.changes("board.flash_writing") == [(ns(0), "0"), (ns(10), "1"), (ns(10.4), "0")]
    assert dump.changes("buses.SPI0_adxl345") == [(ns(0), "0"), (ns(1), "1"), (ns(1.2), "0")]
    assert dump.changes("notes.failure") == [(ns(0), "0"), (ns(15), "1")]


def test_a_vcd_file_says_where_edges_are_not_known(dump: Dump) -> None:
    assert dump.changes("pins.PWM") == [
        (ns(0), "0"),
        (ns(1), "1"),
        (ns(1.5), "0"),
        (ns(5.1), "1"),
        (ns(5.2), "0"),
        (ns(5.3), "x"),
        (ns(9.9), "0"),
    ]
    duty = [(at, float(value)) for at, value in dump.changes("pins.PWM_duty_percent")]
    assert duty == [(ns(0), 10.0), (ns(5), 60.0), (ns(10), 0.0)]


def test_bytes_and_words_are_text_in_a_vcd_file() -> None:
    text = vcd.render(excerpt())
    for value in (r">f200\x20<ff01", r"W\x20refused", r"press\x20estop", "tripped", "TRIP"):
        assert f"\ns{value} " in text, value


def hatched(drawn: Figure, view: int, lane: int) -> list[tuple[float, float]]:
    """Where a lane is hatched, in ms from the beginning of the excerpt."""
    found: list[tuple[float, float]] = []
    for band in drawn.axes[view].collections:
        box = band.get_paths()[0].get_extents()
        if band.get_hatch() and round(box.y0) == -lane:
            found.append(((box.x0 - BEGIN_NS) / 1e6, (box.x1 - BEGIN_NS) / 1e6))
    return found


def test_a_picture_hatches_what_is_not_known_and_draws_the_rest() -> None:
    drawn = picture.figure(excerpt(), "a title")
    assert hatched(drawn, 0, 0) == []
    for view in (0, 1):
        [(from_ms, until_ms)] = hatched(drawn, view, 1)
        # The edges at 5.1 and 5.2 ms are as near to it as the wide view has columns.
        assert 5.0 <= from_ms <= 5.3
        assert until_ms == pytest.approx(9.9, abs=0.15)


def test_a_picture_looks_closely_at_the_last_edge_and_its_cause() -> None:
    drawn = picture.figure(excerpt())
    low_ns, high_ns = drawn.axes[1].get_xlim()
    assert low_ns < BEGIN_NS + 6e6 < BEGIN_NS + 7e6 < high_ns
    assert high_ns - low_ns < 5e6
    assert "2.007000 s" in drawn.axes[1].get_xlabel()
    told = Note(BEGIN_NS + 4.25e6, "cap")
    exact = picture.figure(excerpt(failure=told, exact=True))
    assert "2.004250 s" in exact.axes[1].get_xlabel()


def test_a_picture_goes_back_to_what_was_done() -> None:
    done = (Note(BEGIN_NS - 4e9, "jam"), Note(BEGIN_NS - 3e9, "stop", by="host"))
    drawn = picture.figure(excerpt(begin_ns=BEGIN_NS - 9e9, notes=done))
    assert drawn.axes[0].get_xlim()[0] == pytest.approx(BEGIN_NS - 4.1e9)
    drawn = picture.figure(excerpt(begin_ns=BEGIN_NS - 9e9, notes=done[1:]))
    assert drawn.axes[0].get_xlim()[0] == pytest.approx(BEGIN_NS + 15e6 - 1e9)


def test_an_excerpt_without_a_step_can_be_shown() -> None:
    nothing = Excerpt(0.0, 0.0, failure=Note(0.0, "no board"), missing=("all of it",))
    assert picture.render(nothing).startswith(b"\x89PNG")
    assert "$enddefinitions" in vcd.render(nothing)
    assert any("all of it" in line for line in words.lines(nothing))


def test_words_tell_the_last_edges_the_duty_and_what_was_done() -> None:
    told = {line.split("  ")[0]: line for line in words.lines(excerpt())}
    assert "falls at 2.007000 s" in told["enable"]
    assert "60.0 % from 2.005000 s, then 0.0 % from 2.010000 s" in told["PWM duty"]
    assert told["mode"].endswith("tripped, told 2.008000 s")
    assert told["test"].endswith("2.006000 s  press estop")
    assert told["reset"].endswith("2.012000 s")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="another folder"):
        write(excerpt(), tmp_path / "file" / "folder", "it")


def test_a_page_takes_every_text_as_text(tmp_path: Path) -> None:
    name = "test_x.py::test_y[<b>&]"
    test = TestTold(name, "failed", 1.5, 2.25, failure="assert a < b", words=["enable <low>"])
    test.latencies.append(Latency("stop <1>", name, 0.0012, 0.001))
    page = render_page([test], tmp_path, "Tests", 3.0).decode()
    escaped = ("test_y[&lt;b&gt;&amp;]", "assert a &lt; b", "enable &lt;low&gt;")
    for text in (*escaped, "1.200", "120 %"):
        assert text in page, text
    assert "<b>" not in page
