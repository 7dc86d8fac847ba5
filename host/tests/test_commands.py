"""Commands beside a board: what is sent, what is shown, and that it fits the terminal."""

from __future__ import annotations

import datetime as dt
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from served_bench import Told, wrench
from served_board import ServedBoard

from wrench import fleet
from wrench.cli.log import Since
from wrench.cli.options import Duration, Speed
from wrench.cli.tables import aligned, folded
from wrench.doctor import Verdict, examine
from wrench.transport import BoardPorts
from wrench_firmware import records, wire

NARROW, WIDE = 80, 200


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process that shares the port, and no bench of anybody else."""
    blocked = tmp_path / "a file"
    blocked.touch()
    monkeypatch.setenv("WRENCH_RUNTIME", str(blocked))
    monkeypatch.setenv("WRENCH_CACHE", str(tmp_path / "cache"))


class Kept(ServedBoard):
    """A served board with a setting and levels that can be set."""

    def __init__(self) -> None:
        super().__init__()
        self.ceiling = 700
        self.trip_um_s = 4500
        self._plain, self.board.answer = self.board.answer, self._answer

    def _answer(self, name: str, sequence: int) -> None:
        board, arguments = self.board, self.board.heard[-1][2]
        if name == "get_setting":
            known = {"setting": arguments[0], "settings": 8, "value": self.ceiling}
            board.send("setting", **known, factory=700, least=0, most=1000)
        elif name in ("set_setting", "set_limit"):
            self.ceiling = arguments[-1]
        elif name == "set_level":
            self.trip_um_s = arguments[-1]
        elif name == "get_levels" and wire.FAULTS[arguments[0]] == "vibration":
            own = {"alarm": 1200, "limit": 1800, "trip": self.trip_um_s}
            files = {"board_alarm": 1200, "board_limit": 1800, "board_trip": 4500}
            board.send("levels", protection=arguments[0], delay_ms=300, **own, **files)
        elif name == "read_log":
            kept = board.log[max(0, arguments[0] - 1) :]
            told = {"oldest": 1, "newest": len(board.log), "first": arguments[0]}
            board.send("log", **told, records=len(kept), tail=b"".join(kept))
        else:
            return self._plain(name, sequence)
        return board.reply(name, sequence)

    def sent(self, name: str) -> list[tuple[int, ...]]:
        """The arguments of the commands of that name."""
        return [arguments for _, heard, arguments in self.board.heard if heard == name]

    def remember(
        self, second: float, event: str, detail: int = 0, value: int = 0, count: int = 1
    ) -> None:
        """An event in the black box."""
        code = wire.EVENTS.index(event)
        entry = (len(self.board.log) + 1, round(1e6 * second), 7, code, detail, value, count, 4)
        self.board.log.append(struct.pack(records.EVENT_FORMAT, *entry))


@pytest.fixture
def served() -> Iterator[Kept]:
    running = Kept()
    with running:
        yield running


@pytest.fixture
def at(served: Kept) -> Callable[..., Told]:
    """A command at this board."""

    def run(*arguments: str, **how: Any) -> Told:
        group = arguments[:2] if arguments[0] == "settings" else arguments[:1]
        return wrench(*group, "--port", served.url, *arguments[len(group) :], **how)

    return run


# ---- the terminal's width ------------------------------------------------------------------------


def test_a_reading_fits_a_narrow_terminal_and_is_one_line_in_a_pipe(
    served: Kept, at: Callable[..., Told]
) -> None:
    served.board.measured |= {"speed_rpm": 17_999, "velocity_um_s": 45_000, "current_ma": 12_340}
    limit = max(wire.LIMITS, key=len)
    plain = served.board._run

    def run(permille: int) -> str:
        done = plain(permille)
        served.board.limit = limit
        return done

    served.board._run = run
    told = at("run", "--speed", "60%", "--for", "200ms", columns=NARROW)
    assert told.returncode == 0, told.stderr
    reading, ended = told.stdout.splitlines()
    assert len(reading) <= NARROW
    for words in ("running", "60 %", "17999 rpm", "45.00 mm/s", "24 °C", "12.3 A", limit):
        assert words in reading
    assert ended == "stopped"
    for columns in (WIDE, None):
        reading, _ = at(
            "run", "--speed", "60%", "--for", "200ms", columns=columns
        ).stdout.splitlines()
        assert len(reading) > NARROW
        assert reading.endswith("nothing lost")


def test_an_error_fits_the_terminal() -> None:
    told = wrench("stop", "--port", "socket://127.0.0.1:9", columns=24)
    assert told.returncode == 5
    assert told.stderr.splitlines()[1].startswith("  ")
    assert len(wrench("stop", "--port", "socket://127.0.0.1:9").stderr.splitlines()) == 1


def test_on_a_narrow_terminal_losses_and_alarms_go_below(
    served: Kept, at: Callable[..., Told]
) -> None:
    alarms = ("vibration", "bearing too hot", "over-current", "samples lost", "brown-out")
    mask = sum(1 << wire.FAULTS.index(name) for name in alarms)
    served.board.measured |= {"alarms": mask}
    seen = 0

    def losing() -> None:
        nonlocal seen
        seen += 1
        served.board.lost_samples = seen

    plain = served.board._status

    def status() -> None:
        losing()
        plain()

    served.board._status = status
    told = at("run", "--speed", "60%", "--for", "1500ms", columns=NARROW)
    lines = told.stdout.splitlines()
    assert all(len(line) <= NARROW for line in lines)
    said = " ".join(told.stdout.split())
    for name in alarms:
        assert name in said
    assert " samples, 0 frames on the way" in said


@pytest.mark.parametrize("columns", [NARROW, WIDE])
def test_a_status_fits(at: Callable[..., Told], columns: int) -> None:
    told = at("status", columns=columns)
    assert all(len(line) <= columns for line in told.stdout.splitlines())
    said = " ".join(told.stdout.split())
    assert "bench drill firmware 0.2.0" in said
    assert "11.90 V" in said
    assert "ceiling: 70 % of rated speed" in said


def test_a_line_is_broken_between_words_and_goes_on_indented() -> None:
    assert folded("a b", None) == ["a b"]
    assert folded("one two three four five six", 24, 2) == ["one two three four five", "  six"]
    assert folded("one two three four five six", 15, 2) == ["one two three four five six"]
    url = "socket://127.0.0.1:5311/and/so/on"
    assert folded(f"look at {url} now", 25, 2) == ["look at", f"  {url}", "  now"]
    rows = [["KEY", "WHAT"], ["x", "one two three four five six seven eight"]]
    assert aligned(rows, 30) == [
        "KEY  WHAT",
        "x    one two three four five",
        "     six seven eight",
    ]
    assert aligned(rows)[1] == "x    one two three four five six seven eight"


# ---- what is typed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30", 30),
        ("30 s", 30),
        ("2m", 120),
        ("2min", 120),
        ("1,5h", 5400),
        ("3d", 259_200),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["0", "-5s", "5 weeks", "s", ""])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "permille"), [("60%", 600), ("60", 600), ("0.1 %", 1), ("100%", 1000), ("33,3%", 333)]
)
def test_speeds(text: str, permille: int) -> None:
    assert Speed().convert(text, None, None) == permille


@pytest.mark.parametrize("text", ["0", "0.04", "-5%", "100.1%", "fast", "", "60 rpm"])
def test_what_is_no_speed(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Speed().convert(text, None, None)


def test_since_takes_what_people_write() -> None:
    now = dt.datetime.now().astimezone()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)

    def since(text: str) -> dt.datetime:
        return Since().convert(text, None, None)

    second = dt.timedelta(seconds=5)
    for text, ago in (("2h", {"hours": 2}), ("2h ago", {"hours": 2}), ("3d", {"days": 3})):
        assert abs(since(text) - (now - dt.timedelta(**ago))) < second
    assert since("today") == midnight
    assert since("yesterday").date() == now.date() - dt.timedelta(days=1)
    assert since("yesterday").time() == dt.time()
    assert since("14:00") == midnight.replace(hour=14)
    assert since("2026-03-01 14:00") == dt.datetime(2026, 3, 1, 14).astimezone()
    assert since("2026-03-01") == dt.datetime(2026, 3, 1).astimezone()
    assert since("2026-03-01T14:00Z") == dt.datetime(2026, 3, 1, 14, tzinfo=dt.UTC)
    for text in ("2026", "soon", "25:00", "2026-02-30", "", "99999999999d"):
        with pytest.raises(click.BadParameter, match="is not a time; give how long ago"):
            since(text)


def test_a_run_of_another_is_not_taken_over_by_accident(
    served: Kept, at: Callable[..., Told]
) -> None:
    served.board.mode, served.board.command_permille = "running", 300
    refused = at("run", "--speed", "60%", "--for", "200ms")
    assert refused.returncode == 7
    assert "the motor turns already, at 30 %" in refused.stderr
    assert not served.sent("run")


# ---- the black box -------------------------------------------------------------------------------


def test_the_log_is_in_order_of_time_and_tells_the_commands_apart(
    served: Kept, at: Callable[..., Told]
) -> None:
    at_s = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC).timestamp()
    served.remember(1.0, "boot", 0, 7)
    served.remember(9.0, "stop", 1)
    served.remember(4.0, "run", 1, 600, 2)  # two of them, written after the stop
    served.remember(20.0, "wall time", 0, round(at_s))
    served.remember(30.5, "run", 1, 400)
    served.remember(31.5, "trip", wire.FAULTS.index("e-stop"), 1)
    told = at("log")
    head, *rows = told.stdout.splitlines()
    assert head.split() == ["WHEN", "BOOT", "SECONDS", "EVENT"]
    assert [row.split(maxsplit=4)[3:] for row in rows] == [
        ["1.000", "boot 7, by power-on"],
        ["4.000", "run towards 60 %, by link; the first of 2 within 4 s"],
        ["9.000", "stop, by link"],
        ["20.000", "wall time set"],
        ["30.500", "start towards 40 %, by link"],
        ["31.500", "TRIP: e-stop"],
    ]
    when = dt.datetime.fromtimestamp(at_s + 11.5).astimezone()
    assert rows[-1].startswith(f"{when:%Y-%m-%d %H:%M:%S}     7")
    assert all(len(line) <= NARROW for line in at("log", columns=NARROW).stdout.splitlines())
    facts = json.loads(at("log", "--json").stdout)
    assert [it["sequence"] for it in facts] == [1, 3, 2, 4, 5, 6]
    assert facts[4]["text"] == "start towards 40 %, by link"


def test_the_log_can_be_cut_down(served: Kept, at: Callable[..., Told]) -> None:
    served.remember(1.0, "boot", 0, 7)
    served.remember(2.0, "trip", wire.FAULTS.index("e-stop"), 1)
    served.remember(3.0, "stop", 1)
    assert at("log", "--trips").stdout.splitlines()[1:] == ["-        7      2.000  TRIP: e-stop"]
    undated = at("log", "--since", "2h")
    assert undated.stdout == "no such event\n"
    assert undated.stderr == "3 events without a wall time are left out\n"
    served.remember(10.0, "wall time", 0, round(dt.datetime.now().timestamp()) - 7200)
    served.remember(3700.0, "stop", 1)
    cut = at("log", "--since", "90min")
    assert [row.split(maxsplit=4)[4] for row in cut.stdout.splitlines()[1:]] == ["stop, by link"]
    assert not cut.stderr


# ---- limits and settings -------------------------------------------------------------------------


def test_limits_are_shown_and_set(served: Kept, at: Callable[..., Told]) -> None:
    shown = at("limits", columns=NARROW).stdout.splitlines()
    assert shown[0] == "speed up to 70 % of rated speed, the derate cap"
    row = "vibration 0.64 mm/s 1.20 mm/s 1.80 mm/s 4.50 mm/s 300 ms"
    assert " ".join(shown[2].split()) == row
    assert shown[-1] == "all levels are the board file's"
    done = at("limits", "set", "Vibration", "trip", "4000", "um/s")
    assert done.returncode == 0, done.stderr
    assert served.sent("set_level") == [(wire.FAULTS.index("vibration"), 2, 4000)]
    assert "4.00 mm/s" in done.stdout
    assert at("limits").stdout.splitlines()[-1] == (
        "vibration: trip is 4.00 mm/s, in the board file 4.50 mm/s"
    )
    assert at("limits", "set", "speed", "55%").returncode == 0
    assert served.sent("set_limit") == [(550,)]
    assert "vibration trip: 4.00 mm/s, board file 4.50 mm/s" in at("settings", "diff").stdout


def test_settings_are_shown_and_set(served: Kept, at: Callable[..., Told]) -> None:
    table = at("settings", "get", columns=NARROW)
    assert all(len(line) <= NARROW for line in table.stdout.splitlines())
    head, row, *_ = at("settings", "get", "ceiling-permille").stdout.splitlines()
    assert head.split() == ["SETTING", "VALUE", "FACTORY", "RANGE", "MEANING"]
    assert row.split()[:6] == ["ceiling_permille", "700", "700", "0", "to", "1000"]
    assert at("settings", "diff").stdout == "all is as the board file has it\n"
    done = at("settings", "set", "ceiling_permille", "550")
    assert done.returncode == 0, done.stderr
    assert served.sent("set_setting") == [(0, 550)]
    assert "ceiling_permille: 55.0 %, factory 70.0 %" in at("settings", "diff").stdout


def test_a_factory_reset_needs_a_yes(served: Kept, at: Callable[..., Told]) -> None:
    no = at("settings", "factory", typed="n\n")
    assert (no.returncode, no.stdout) == (0, "nothing was changed\n")
    assert at("settings", "factory").returncode == 2
    assert not served.sent("factory_reset")
    assert at("settings", "factory", typed="y\n").returncode == 0
    assert at("settings", "factory", "--yes").returncode == 0
    assert len(served.sent("factory_reset")) == 2


# ---- which board, and what to do about it --------------------------------------------------------

BENCH = "pico-adxl345"


@pytest.mark.parametrize(
    ("board_name", "bench", "command"),
    [
        ("pico-adxl345", False, "`wrench flash`"),
        (None, True, "`wrench flash`"),
        (None, False, "`wrench flash --board FILE`"),
        ("somebody-elses", False, "`wrench flash --board FILE`"),
    ],
)
def test_a_board_that_does_not_say_how_it_is_wired_has_to_be_told(
    board_name: str | None, bench: bool, command: str
) -> None:
    known = Path(__file__).parents[2] / "boards" / "pico-adxl345.toml"
    ports = BoardPorts("a board", "/dev/ttyACM0", None, "usb 1-1", str(known) if bench else None)
    assert fleet.flash_command(ports, board_name) == command
    there = BoardPorts("a board", None, None, "usb 1-1", ports.board, boot="usb:1-1")
    if board_name is None:
        assert fleet.look(there).to_do == f"install its image and its firmware with {command}"


@pytest.mark.parametrize(
    ("firmware", "board", "said"),
    [
        (0, 0, ""),
        (1, 0, "its firmware is another one"),
        (0, 1, "its board file has changed"),
        (1, 1, "its firmware is another one, and its board file has changed"),
    ],
)
def test_what_is_not_as_it_would_be_flashed_is_said(firmware: int, board: int, said: str) -> None:
    known = fleet.board_named("pico-adxl345")
    assert known is not None
    seen = fleet.Attached(
        BoardPorts("a board", None, "/dev/ttyACM1", "usb 1-1"),
        "operating",
        "",
        board_name="pico-adxl345",
        board_hash=known.hash ^ board,
        firmware_hash=fleet.current_firmware_hash() ^ firmware,
    )
    assert seen.outdated == said
    assert seen.up_to_date is (said == "")


def test_without_a_board_that_is_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wrench.transport.attached", list)
    monkeypatch.setattr("wrench.doctor.examination.attached", list)
    monkeypatch.setattr("wrench.fleet.attached", list)
    first, *_ = examine()
    assert (first.about, first.verdict) == ("board", Verdict.BAD)
    assert first.seen == "no board is attached"
    told = wrench("doctor", columns=NARROW)
    assert told.returncode == 1
    said = click.unstyle(told.stdout)
    assert said.startswith("BAD  board: no board is attached\n     -> plug one in, or start")
    assert all(len(line) <= NARROW for line in said.splitlines())
    assert " ".join(told.stderr.split()) == (
        "wrench: to be mended: board; do what is said about it above, and run `wrench doctor` again"
    )
    listed = wrench("boards")
    assert (listed.returncode, listed.stdout.partition(";")[0]) == (0, "no board is attached")
    assert json.loads(wrench("boards", "--json").stdout) == []


def test_a_board_of_another_firmware_is_listed_with_what_to_do(
    served: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = BoardPorts("a drill", None, served.url, "bench 1")
    monkeypatch.setattr("wrench.fleet.attached", lambda: [there])
    told = wrench("boards", columns=NARROW)
    head, row, *advice = told.stdout.splitlines()
    assert head.split(maxsplit=4) == ["WHERE", "STATE", "BOARD", "MICROPYTHON", "UP TO DATE"]
    assert row.split()[:2] == [served.url, "operating"]
    assert row.endswith("no")
    assert " ".join(" ".join(advice).split()) == (
        f"{served.url}: its firmware is another one; install with `wrench flash --board FILE`"
    )
    assert all(len(line) <= NARROW for line in told.stdout.splitlines())


def test_a_port_of_nothing_known_that_cannot_be_opened_is_no_state_of_a_board() -> None:
    told = wrench("flash", "--port", "socket://127.0.0.1:9")
    assert told.returncode == 5
    told = wrench("doctor", "--port", "socket://127.0.0.1:9", "--json")
    assert told.returncode == 1
    assert json.loads(told.stdout)[-1]["seen"].startswith("nothing listens")


def test_flash_looks_for_its_image_before_it_touches_the_board(served: Kept) -> None:
    told = wrench("flash", "--port", served.url, "--board", BENCH, "--image", "jiggle")
    assert told.returncode == 3
    assert not served.board.heard
