"""The demo's screen fits the terminal, says what it must, and survives any size."""

from __future__ import annotations

import io

import pytest
from demo_run import blind, play, record
from rich.console import Console
from rich.text import Text

from wrench.demo.live import Terminal
from wrench.demo.screen import render
from wrench.monitor.symbols import ASCII, UNICODE, Symbols

MOMENTS = (1.6, 4.0, 9.0, 20.0, 31.6, 36.0)


def drawn(until_s: float, width: int, height: int, symbols: Symbols = UNICODE) -> list[str]:
    return [line.plain for line in render(play(until_s), width, height, symbols)]


@pytest.mark.parametrize("until_s", MOMENTS)
@pytest.mark.parametrize("symbols", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_80_by_24_is_filled_exactly(until_s: float, symbols: Symbols) -> None:
    lines = render(play(until_s), 80, 24, symbols)
    assert len(lines) == 24
    assert {line.cell_len for line in lines} == {80}


@pytest.mark.parametrize("size", [(60, 20), (120, 40), (200, 60), (56, 20), (20, 5), (1, 1)])
@pytest.mark.parametrize("until_s", MOMENTS)
def test_any_size_is_kept_within(size: tuple[int, int], until_s: float) -> None:
    width, height = size
    lines = drawn(until_s, width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_before_the_first_frame() -> None:
    for width, height in ((80, 24), (200, 60), (30, 8)):
        lines = render(record(), width, height, UNICODE)
        assert len(lines) <= height


def test_limited_screen_names_what_holds_the_speed() -> None:
    text = "\n".join(drawn(20.0, 80, 24))
    for words in (
        "limiting, held by vibration",
        "derate cap 70 %",
        "rated 3,000 rpm",
        "seen at the pin",
        "wear compressed: 1 s = 20.6 h",
        "limit: vibration",
        "59,200 samples, 0 lost; 0 frames lost, 0 bad",
        "1.25× real time",
    ):
        assert words in text
    for name, value in (("alarm", "1.2"), ("limit", "1.8"), ("trip", "4.5")):
        assert any(name in line and value in line for line in text.splitlines())


@pytest.mark.parametrize("until_s", MOMENTS[1:])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_what_the_board_does_not_measure_is_no_number(
    size: tuple[int, int], until_s: float
) -> None:
    lines = [line.plain for line in render(play(until_s, blind), *size, UNICODE)]
    assert "no tacho" in "\n".join(lines)
    readings = [line.split() for line in lines]
    shown = {words[1]: words[2] for words in readings if len(words) > 2}
    assert (shown["shaft"], shown["bearing"], shown["motor"]) == ("-", "-", "-")
    assert shown["command"] != "-"


def test_a_small_screen_needs_no_quantity() -> None:
    assert len(render(play(20.0, blind), 30, 8, UNICODE)) <= 8


def test_tripped_screen_says_so_without_colour() -> None:
    text = "\n".join(drawn(32.0, 80, 24))
    assert "TRIPPED by vibration, motor off" in text
    assert "PWM off, seen at the pin" in text


def test_ascii_is_ascii() -> None:
    for until_s in MOMENTS:
        assert "\n".join(drawn(until_s, 120, 40, ASCII)).isascii()


def test_terminal_is_restored_after_an_error() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24)

    def fail() -> None:
        with Terminal(console, UNICODE) as terminal:
            terminal.begin(play(20.0))
            terminal.tick(play(21.0))
            raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        fail()
    text = out.getvalue()
    assert text.index("\x1b[?1049h") < text.index("\x1b[?1049l")
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_no_color_leaves_no_colour() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24, no_color=True)
    console.print(Text("\n").join(render(play(20.0), 80, 24, UNICODE)))
    assert "\x1b[3" not in out.getvalue().replace("\x1b[39m", "")
