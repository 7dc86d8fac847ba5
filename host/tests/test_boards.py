"""Board files: what is found in a bad one, and how it is told."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from wrench.boards import Board, InvalidBoardError, known_boards, load_board
from wrench.boards.problems import from_validation
from wrench.errors import BoardFileError

BOARDS = Path(__file__).parents[2] / "boards"
TEXT = (BOARDS / "pico-adxl345.toml").read_text(encoding="utf-8")
DATA = tomllib.loads(TEXT)

Edit = dict[str, Any]
Write = Callable[[str], Path]
Problems = Callable[[Edit], list[str]]
ABSENT = object()


def edited(edits: Edit, base: dict[str, Any] = DATA) -> dict[str, Any]:
    """The content of a shipped file with dotted keys set, or removed by ABSENT."""
    data: dict[str, Any] = copy.deepcopy(base)
    for key, value in edits.items():
        *sections, last = key.split(".")
        here = data
        for section in sections:
            here = here.setdefault(section, {})
        if value is ABSENT:
            del here[last]
        else:
            here[last] = value
    return data


def as_toml(data: dict[str, Any], prefix: str = "") -> str:
    plain = {key: value for key, value in data.items() if not isinstance(value, dict)}
    lines = [f"[{prefix}]"] if prefix and plain else []
    lines += [f"{key} = {literal(value)}" for key, value in plain.items()]
    for key, value in data.items():
        if isinstance(value, dict):
            lines.append(as_toml(value, f"{prefix}.{key}" if prefix else key) or f"[{key}]")
    return "\n".join(lines)


def literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).replace("'", '"') if isinstance(value, list) else repr(value)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a text to x.toml in the working directory; the path as a user would give it."""
    monkeypatch.chdir(tmp_path)

    def _write(text: str) -> Path:
        (tmp_path / "x.toml").write_text(text, encoding="utf-8")
        return Path("x.toml")

    return _write


@pytest.fixture
def problems(write: Write) -> Problems:
    """The sentences about a shipped file with these edits; fails when it loads."""

    def _problems(edits: Edit) -> list[str]:
        with pytest.raises(InvalidBoardError) as caught:
            load_board(write(as_toml(edited(edits))))
        return [problem.text for problem in caught.value.problems]

    return _problems


def test_shipped_boards_are_valid():
    assert BOARDS / "pico-adxl345.toml" in known_boards()
    for path in known_boards():
        assert load_board(path).name == path.stem


def test_values_reach_the_model():
    board = load_board("pico-adxl345")
    assert board.path == BOARDS / "pico-adxl345.toml"
    assert (board.motor.pwm_pin, board.motor.derate_cap) == (14, 0.70)
    assert board.vibration.window_ms == 250
    assert board.vibration.covers_iso_band
    assert board.temperatures.driver is None
    assert board.protection.link.timeout_ms == 450
    with pytest.raises(ValidationError, match="frozen"):
        board.motor.derate_cap = 0.8  # pyright: ignore[reportAttributeAccessIssue]


def test_bearing_orders():
    bearing = load_board("pico-adxl345").bearing
    assert bearing is not None
    # From the published formulas, worked by hand for 7 balls of 3.969 mm on 15 mm.
    assert bearing.bpfo_order == pytest.approx(2.5739, abs=1e-4)
    assert bearing.bpfi_order == pytest.approx(4.4261, abs=1e-4)
    assert bearing.bsf_order == pytest.approx(1.7573, abs=1e-4)
    assert bearing.ftf_order == pytest.approx(0.3677, abs=1e-4)


def test_a_minimal_board_has_none_for_what_it_lacks(write: Write):
    absent = ["tacho", "current", "temperatures", "supplies", "button", "led", "service", "bearing"]
    limits = ["current", "temperatures", "supplies", "speed", "seizure", "link"]
    data = edited(dict.fromkeys([*absent, *(f"protection.{key}" for key in limits)], ABSENT))
    board = load_board(write(as_toml(data)))
    assert board.tacho is board.current is board.supply_bus is board.bearing is None
    assert board.supplies == {}
    assert board.temperatures.bearing is None


# What is told.


def test_the_sentence_names_file_line_key_and_remedy(write: Write):
    line = TEXT.splitlines().index("[tacho]") + 2
    with pytest.raises(BoardFileError) as caught:
        load_board(write(TEXT.replace("pin = 21", "pin = 14")))
    assert str(caught.value) == (
        f"x.toml:{line}: motor.pwm_pin and tacho.pin both use GP14; give one of them another pin"
    )


def test_several_problems_are_counted_and_all_available(write: Write):
    text = as_toml(edited({"motor.derate_cap": 0.9, "vibration.range_g": 5, "estop.pim": 3}))
    with pytest.raises(InvalidBoardError) as caught:
        load_board(write(text))
    assert len(caught.value.problems) == 3
    assert str(caught.value).endswith(" (and 2 more; see `wrench boards check x.toml`)")
    assert [problem.line for problem in caught.value.problems] == sorted(
        text.splitlines().index(line) + 1 for line in ("derate_cap = 0.9", "range_g = 5", "pim = 3")
    )


def test_a_misspelt_required_key_is_told_once(problems: Problems):
    edits = {"motor.pwm_pin": ABSENT, "motor.pmw_pin": 14}
    assert problems(edits) == ["unknown key motor.pmw_pin; did you mean motor.pwm_pin?"]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("titel", "title"),
        ("button.pins", "button.pin"),
        ("protection.vibration.velocity_trip_mms", "protection.vibration.velocity_trip_mm_s"),
        ("temperatures.bearing.beta", "temperatures.bearing.beta_k"),
        ("temperatures.bearings.pin", "temperatures.bearing"),
    ],
)
def test_misspellings_are_recognised(problems: Problems, key: str, meant: str):
    assert any(text.endswith(f"did you mean {meant}?") for text in problems({key: 1}))


def test_an_unknown_key_like_no_other_gets_the_list(problems: Problems):
    assert problems({"estop.colour": "red"}) == [
        "unknown key estop.colour; remove it, or use one of contact, pin"
    ]


@pytest.mark.parametrize("key", ["\n", "\x1b[2J", "k" * 200, ""])
def test_a_strange_key_is_shown_safely(write: Write, key: str):
    with pytest.raises(InvalidBoardError) as caught:
        load_board(write(TEXT.replace("[estop]", f"[estop]\n{json.dumps(key)} = 1")))
    message = str(caught.value)
    assert message.isprintable()
    assert "unknown key estop." in message
    assert len(message) < 150


def test_the_file_gives_the_name(problems: Problems):
    (text,) = problems({"name": "x"})
    assert text.startswith("unknown key name; remove it")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (
            "motor.kind",
            "stepper",
            'use "pwm_direction_enable", "pwm_enable", "two_pwm", "esc"',
        ),
        ("vibration.driver", "lis3dh", 'use "adxl345", "mpu6050", "mpu9250", "analog"'),
        ("vibration.bus", "uart", 'use "spi", "i2c"'),
        ("supplies.main.kind", "ina260", 'use "divider", "ina226", "ina219"'),
        ("temperatures.bearing.kind", "pt100", 'use "ntc"'),
        ("controller", "esp32", 'use "pico"'),
        ("estop.contact", "normally_open", 'use "normally_closed"'),
        ("vibration.rate_hz", 1000, "use 200, 400, 800, 1600 or 3200"),
        ("motor.pwm_pin", "GP14", "must be a whole number"),
        ("motor.pwm_pin", 14.5, "must be a whole number"),
        ("motor.pwm_pin", True, "must be a whole number"),
        ("motor.derate_cap", "0.7", "must be a number"),
        ("motor.direction_inverted", 1, "must be true or false"),
        ("title", 7, "must be text in quotes"),
        ("title", "", "at least 1 character"),
        ("vibration.axes", [], "at least 1 entry"),
        ("vibration.axes", ["x", "q"], '"q" is not known; use "x", "y" or "z"'),
        ("motor.supply_nominal_v", float("inf"), "finite"),
        ("motor.supply_nominal_v", float("nan"), "finite"),
        ("tacho", 21, "must be a section; write [tacho]"),
    ],
)
def test_wrong_values(problems: Problems, key: str, value: object, words: str):
    (text,) = problems({key: value})
    assert text.startswith(f"{key} = ")
    assert words in text


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("motor.derate_cap", 0.8, 0.851),
        ("motor.derate_cap", 0.1, 0.0),
        ("motor.derate_cap", 0.1, -0.7),
        ("motor.pwm_frequency_hz", 100, 99),
        ("vibration.baudrate_hz", 5_000_000, 5_000_001),
        ("vibration.window_samples", 8192, 8193),
        ("protection.link.timeout_ms", 480, 481),
        ("protection.link.timeout_ms", 100, 99),
        ("protection.vibration.stale_ms", 10, 9),
        ("tacho.pulses_per_rev", 64, 0),
        ("bearing.contact_angle_deg", 40.0, 90.0),
    ],
)
def test_ranges(write: Write, problems: Problems, key: str, good: object, bad: object):
    load_board(write(as_toml(edited({key: good}))))
    (text,) = problems({key: bad})
    assert text.startswith(f"{key} = {bad}")


def test_the_hard_cap_itself_is_allowed(write: Write):
    data = edited({"motor.derate_cap": 0.85, "protection.speed.over_trip_rpm": 2600})
    assert load_board(write(as_toml(data))).motor.derate_cap == 0.85


@pytest.mark.parametrize("gpio", [-1, 30])
def test_a_pin_that_the_chip_has_not(problems: Problems, gpio: int):
    (text,) = problems({"estop.pin": gpio})
    assert "estop.pin" in text


# What must hold between values.

LEVELS = [
    ("protection.vibration.velocity_{}_mm_s", [1.2, 1.8, 4.5]),
    ("protection.current.{}_a", [2.5, 3.0, 4.0]),
    ("protection.temperatures.bearing.{}_degc", [70.0, 80.0, 95.0]),
]


@pytest.mark.parametrize(("key", "levels"), LEVELS)
@pytest.mark.parametrize("swapped", [(0, 1), (1, 2), (0, 2)])
def test_levels_must_rise(
    problems: Problems, key: str, levels: list[float], swapped: tuple[int, int]
):
    a, b = swapped
    levels = list(levels)
    levels[a], levels[b] = levels[b], levels[a]
    keys = [key.format(name) for name in ("alarm", "limit", "trip")]
    found = problems(dict(zip(keys, levels, strict=True)))
    assert all("is not above" in text for text in found)
    assert any(text.startswith(keys[b] + ":") for text in found)


@pytest.mark.parametrize(("key", "levels"), LEVELS)
def test_equal_levels_are_not_in_order(problems: Problems, key: str, levels: list[float]):
    (text,) = problems({key.format("limit"): levels[2]})
    short = key.rpartition(".")[2]
    order = [short.format(name) for name in ("alarm", "limit", "trip")]
    assert text.endswith(f"make {' < '.join(order)}")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("protection.supplies.main.low_trip_v", 10.5, "low_trip_v < low_limit_v < low_alarm_v"),
        ("protection.supplies.main.low_alarm_v", 11.9, "motor.supply_nominal_v (12)"),
        ("protection.supplies.main.high_trip_v", 12.1, "motor.supply_nominal_v (12)"),
        ("protection.supplies.main.high_trip_v", 19.0, "the ADC reads up to 18.8 V"),
        ("supplies.main.nominal_v", 11.1, "its nominal_v (11.1)"),
        ("supplies.main.nominal_v", 15.0, "its nominal_v (15)"),
        ("protection.current.trip_a", 5.1, "current.range_a (5)"),
        ("protection.current.instant_a", 3.9, "below trip_a (4)"),
        ("protection.current.instant_a", 5.1, "current.range_a (5)"),
        ("protection.seizure.current_a", 4.0, "protection.current.trip_a (4)"),
        ("protection.current.hysteresis_a", 2.5, "below zero"),
        ("protection.vibration.acceleration_peak_trip_g", 16.0, "vibration.range_g (16)"),
        ("protection.speed.over_trip_rpm", 2100, "the derated speed (2100 rpm)"),
        ("protection.speed.over_trip_rpm", 3601, "use at most 3600"),
        ("protection.speed.stall_rpm", 2100, "the derated speed (2100 rpm)"),
        ("motor.min_duty", 0.70, "derate_cap (0.7)"),
        ("vibration.window_samples", 801, "use 800"),
        ("vibration.window_samples", 304, "use at least 320"),
        ("vibration.axes", ["x", "x"], "listed twice"),
        ("vibration.band_high_hz", 10, "band_low_hz (10)"),
        ("vibration.band_high_hz", 1251, "use at most 1250"),
        ("vibration.baudrate_hz", 1_999_999, "use at least 2000000"),
        ("current.divider_top_ohm", 0, "above the ADC's reference (3.3 V)"),
        ("supplies.main.divider_top_ohm", 30_000, "use a larger resistor"),
        ("temperatures.bearing.series_ohm", 1_000_000, "use a resistor nearer"),
        ("bearing.ball_diameter_mm", 15.0, "pitch_diameter_mm (15)"),
        ("bearing.balls", 13, "do not fit"),
        ("current.volts_per_amp", 0.001, "mA per ADC code"),
        ("supplies.main.divider_top_ohm", 10_000_000, "too coarse"),
        ("protection.vibration.acceleration_peak_limit_g", 12.0, "is not above"),
        ("protection.vibration.acceleration_peak_alarm_g", 12.5, "is not above"),
        ("protection.vibration.envelope_alarm_g", 16.0, "vibration.range_g (16)"),
        ("protection.vibration.noise_trip_g", 16.0, "vibration.range_g (16)"),
        ("protection.vibration.samples_lost_trip", 3200, "vibration.rate_hz (3200)"),
        ("vibration.band_low_hz", 161, "use 1 to 160"),
        ("vibration.envelope_low_hz", 641, "use 50 to 640"),
        ("vibration.envelope_low_hz", 49, "use 50 to 640"),
        ("vibration.envelope_high_hz", 600, "envelope_low_hz (600)"),
        ("vibration.envelope_high_hz", 1441, "use at most 1440"),
        ("vibration.envelope_high_hz", ABSENT, "add envelope_high_hz"),
        ("vibration.envelope_low_hz", ABSENT, "add envelope_low_hz"),
        ("motor.critical_low_percent", 40.0, "add critical_high_percent"),
        ("probation.steps_percent", [30.0, 70.0], "motor.derate_cap (70 %)"),
        ("probation.steps_percent", [50.0, 50.0], "does not rise"),
        ("probation.steps_percent", [8.0, 50.0], "motor.min_duty (8 %)"),
    ],
)
def test_rules_between_values(problems: Problems, key: str, value: object, words: str):
    found = problems({key: value})
    assert len(found) == 1, found
    assert words in found[0]


def test_the_shipped_file_of_each_kind_obeys_what_its_own_test_breaks():
    """The edits below start from these files."""
    kinds = {load_board(path).motor.kind for path in known_boards()}
    assert kinds == {"pwm_direction_enable", "pwm_enable", "two_pwm", "esc"}
    drivers = {load_board(path).vibration.driver for path in known_boards()}
    assert drivers >= {"adxl345", "mpu6050", "analog"}
    parts = [part.kind for path in known_boards() for part in load_board(path).supplies.values()]
    assert set(parts) == {"divider", "ina226", "ina219"}


THREE, MPU, PIEZO = "pico-adxl345-i2c-pwm-enable", "pico-mpu6050-two-pwm", "pico-analog-piezo-esc"


@pytest.mark.parametrize(
    ("name", "edits", "key", "words"),
    [
        (MPU, {"motor.critical_high_percent": 38.0}, "motor.critical_high", "not above"),
        (MPU, {"motor.critical_high_percent": 65.0}, "motor.critical_high", "derate_cap (65 %)"),
        (PIEZO, {"motor.max_us": 1500, "motor.min_us": 1200}, "motor.max_us", "less than 400"),
        (THREE, {"vibration.baudrate_hz": 399_999}, "vibration.baudrate_hz", "at least 400000"),
        (MPU, {"vibration.baudrate_hz": 200_000}, "vibration.baudrate_hz", "at least 400000"),
        (MPU, {"vibration.band_high_hz": 261}, "vibration.band_high_hz", "use at most 260"),
        (MPU, {"vibration.band_high_hz": 391}, "vibration.band_high_hz", "use at most 260"),
        (THREE, {"vibration.band_high_hz": 313}, "vibration.band_high_hz", "use at most 312"),
        (
            MPU,
            {"vibration.envelope_low_hz": 100, "vibration.envelope_high_hz": 261},
            "vibration.envelope_high_hz",
            "use at most 260",
        ),
        (
            MPU,
            {"protection.vibration.envelope_alarm_g": 1.0},
            "protection.vibration.envelope_alarm_g",
            "no envelope without",
        ),
        (PIEZO, {"vibration.y_pin": ABSENT}, "vibration.y_pin", "no axis has a pin"),
        (PIEZO, {"vibration.rate_hz": 19_999}, "vibration.bandwidth_hz", "half of rate_hz"),
        (PIEZO, {"vibration.band_low_hz": 7}, "vibration.band_low_hz", "use 8 to 1280"),
        (
            PIEZO,
            {"vibration.x_pin": 27, "current": ABSENT, "protection.current": ABSENT},
            "vibration.rate_hz",
            "25600 Hz on 2 axes is more than the chip can work on; use at most 15000",
        ),
        (PIEZO, {"vibration.zero_g_v": 1.5}, "vibration.range_g", "-0.10 V or 3.10 V"),
        (PIEZO, {"vibration.zero_g_v": 1.8}, "vibration.range_g", "outside the ADC's 0 to 3.3 V"),
        (PIEZO, {"vibration.volts_per_g": 0.015}, "vibration.volts_per_g", "54 mg per ADC code"),
        (PIEZO, {"protection.vibration.crest_limit": 7.0}, "protection.vibration.crest", "above"),
        (
            PIEZO,
            {"protection.vibration.envelope_limit_g": 7.0},
            "protection.vibration.envelope_trip_g",
            "is not above",
        ),
        (PIEZO, {"supply_bus": ABSENT}, "supplies.adapter", "add [supply_bus]"),
        (PIEZO, {"supplies.pack.address": 0x41}, "supplies.pack.address", "0x41 is supplies.adap"),
        (THREE, {"supplies.adapter": ABSENT}, "protection.supplies.adapter", "nothing measures"),
        (MPU, {"supplies.main.shunt_mohm": 10.3}, "supplies.main.shunt_mohm", "at most 10.2"),
        (PIEZO, {"supplies.pack.shunt_mohm": 49.0}, "supplies.pack.shunt_mohm", "at most 48.0"),
        (
            MPU,
            {"protection.supplies.main.high_trip_v": 36.0},
            "protection.supplies.main.high_trip_v",
            "the 36 V that an ina226 stands",
        ),
        (
            PIEZO,
            {"protection.supplies.pack.high_trip_v": 26.0},
            "protection.supplies.pack.high_trip_v",
            "the 26 V that an ina219 stands",
        ),
        (
            THREE,
            {"supply_bus.bus_number": 0, "supply_bus.sda_pin": 8, "supply_bus.scl_pin": 9},
            "supply_bus.bus_number",
            "I2C0 is the vibration sensor's",
        ),
        (
            PIEZO,
            {"protection.seizure.current_a": 4.0},
            "protection.seizure",
            "add [tacho] or remove",
        ),
    ],
)
def test_rules_of_the_other_kinds(write: Write, name: str, edits: Edit, key: str, words: str):
    text = (BOARDS / f"{name}.toml").read_text(encoding="utf-8")
    with pytest.raises(InvalidBoardError) as caught:
        load_board(write(as_toml(edited(edits, tomllib.loads(text)))))
    (problem,) = caught.value.problems
    assert problem.key.startswith(key)
    assert words in problem.text


def test_a_bus_that_no_chip_is_on(problems: Problems):
    (text,) = problems({"supply_bus": {"bus_number": 1, "sda_pin": 2, "scl_pin": 3}})
    assert text.startswith("supply_bus: no supply is measured over it")


def test_an_esc_without_a_pin_that_cuts_it_off(write: Write):
    data = tomllib.loads((BOARDS / f"{PIEZO}.toml").read_text(encoding="utf-8"))
    with pytest.raises(InvalidBoardError) as caught:
        load_board(write(as_toml(edited({"motor.enable_pin": ABSENT}, data))))
    (problem,) = caught.value.problems
    assert problem.text.startswith("missing key motor.enable_pin; add it")


def test_keys_of_another_kind_are_unknown(write: Write, problems: Problems):
    (text,) = problems({"motor.reverse_pwm_pin": 3})
    assert text.startswith("unknown key motor.reverse_pwm_pin; ")
    (text,) = problems({"supplies.main.address": 0x40})
    assert text.startswith("unknown key supplies.main.address; remove it, or use one of")
    assert "divider_top_ohm" in text
    assert "shunt_mohm" not in text
    data = tomllib.loads((BOARDS / f"{THREE}.toml").read_text(encoding="utf-8"))
    with pytest.raises(InvalidBoardError) as caught:
        load_board(write(as_toml(edited({"vibration.rate_hz": 1600}, data))))
    (problem,) = caught.value.problems
    assert problem.text.endswith("use 200, 400 or 800")


@pytest.mark.parametrize("name", ["Main", "main supply", "1", "a" * 21, ""])
def test_names_of_supplies(name: str):
    data = copy.deepcopy(DATA)
    data["supplies"] = {name: data["supplies"]["main"]}
    data["protection"]["supplies"] = {name: data["protection"]["supplies"]["main"]}
    values = {**data, "name": "x", "path": Path("x.toml")}
    with pytest.raises(ValidationError) as caught:
        Board.model_validate(values)
    found = from_validation(caught.value, Board, values)
    assert {problem.key for problem in found} == {"supplies", "protection.supplies"}
    assert all("is no name; use up to 20 of a-z" in problem.text for problem in found)


def test_four_supplies_are_too_many(problems: Problems):
    part, limits = DATA["supplies"]["main"], DATA["protection"]["supplies"]["main"]
    names = ["main", "b", "c", "d"]
    found = problems(
        {
            "supplies": dict.fromkeys(names, part),
            "protection.supplies": dict.fromkeys(names, limits),
        }
    )
    assert found == [
        "supplies = {…} must have at most 3 entries; correct it",
        "protection.supplies = {…} must have at most 3 entries; correct it",
    ]


@pytest.mark.parametrize(
    ("part", "limits"),
    [
        ("tacho", "protection.speed"),
        ("current", "protection.current"),
        ("supplies.main", "protection.supplies.main"),
        ("temperatures.bearing", "protection.temperatures.bearing"),
    ],
)
def test_measurement_and_limits_come_together(problems: Problems, part: str, limits: str):
    found = problems({part: ABSENT})
    (without_part,) = (text for text in found if not text.startswith("protection.seizure"))
    assert without_part.startswith(f"{limits}: nothing measures it; add [{part}]")
    (without_limits,) = problems({limits: ABSENT})
    assert without_limits == f"{part}: it is measured but has no limits; add [{limits}]"


@pytest.mark.parametrize("key", ["motor", "vibration", "estop", "protection", "motor.derate_cap"])
def test_what_is_required(problems: Problems, key: str):
    (text,) = problems({key: ABSENT})
    thing = f"key {key}" if "." in key else f"section [{key}]"
    assert text.startswith(f"missing {thing}; add it")


# Files that are no board files.


def told(path: Any) -> str:
    with pytest.raises(InvalidBoardError) as caught:
        load_board(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_file(tmp_path: Path):
    assert "there is no such file" in told(tmp_path / "none.toml")


def test_a_directory(tmp_path: Path):
    assert "it is a directory" in told(tmp_path)
    (tmp_path / "dir.toml").mkdir()
    assert "it is a directory" in told(str(tmp_path / "dir.toml"))


def test_not_utf8(tmp_path: Path):
    path = tmp_path / "latin.toml"
    path.write_bytes(b'# fine\ntitle = "Drehmaschine f\xfcr Holz"\n')
    assert f"{path}:2: this line is not UTF-8" in told(path)


def test_not_toml(write: Write):
    assert told(write('title = "a"\n[motor\n')).startswith("x.toml:2: not valid TOML, ")
    assert "x.toml" in told(write('title = """never closed'))
    assert "x.toml:2: not valid TOML" in told(write("a = 1\na = 2\n"))


@pytest.mark.parametrize("text", ["", "# nothing\n", "x = " + "9" * 5000, "x = " + "[" * 5000])
def test_absurd_content(write: Write, text: str):
    assert told(write(text)).startswith("x.toml")


def test_a_path_with_a_nul():
    assert "cannot be read" in told("a\0b.toml")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "it cannot be read (Permission denied); check" in told(tmp_path / "x.toml")


def test_a_byte_order_mark_is_no_fault(write: Write):
    assert load_board(write("\ufeff" + TEXT)).title == DATA["title"]


def test_a_file_name_that_is_no_board_name(tmp_path: Path):
    path = tmp_path / "board (1).toml"
    path.write_text(TEXT, encoding="utf-8")
    assert "'board (1)' is no name for a board; rename the file" in told(path)


def test_an_unknown_name():
    assert told("pico-adxl354").endswith("did you mean pico-adxl345?")
    assert told("lathe").endswith("`wrench boards list` shows all")


def test_names_are_found_from_anywhere_and_the_working_directory_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert load_board("pico-adxl345").path == BOARDS / "pico-adxl345.toml"
    (tmp_path / "boards").mkdir()
    own = tmp_path / "boards" / "pico-adxl345.toml"
    own.write_text(TEXT, encoding="utf-8")
    assert load_board("pico-adxl345").path == own


VALUES = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.text(max_size=4),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.integers(min_value=10**300, max_value=10**400),
)
FILES = [tomllib.loads(path.read_text(encoding="utf-8")) for path in known_boards()]


def keys_of(section: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, value in section.items():
        found.append(prefix + key)
        found += keys_of(value, f"{prefix}{key}.") if isinstance(value, dict) else []
    return found


EDITS = st.sampled_from(FILES).flatmap(
    lambda data: st.tuples(
        st.just(data),
        st.dictionaries(
            st.sampled_from([*keys_of(data), "extra", "supplies.extra", "motor.extra"]),
            VALUES,
            min_size=1,
            max_size=3,
        ),
    )
)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EDITS)
def test_anything_else_is_told_in_sentences(given_edits: tuple[dict[str, Any], Edit]):
    base, edits = given_edits
    edits = dict(sorted(edits.items(), key=lambda pair: -pair[0].count(".")))
    data = edited(edits, base) | {"name": "x", "path": Path("x.toml")}
    try:
        board = Board.model_validate(data)
    except ValidationError as error:
        found = from_validation(error, Board, data)
        assert found
        assert all(p.text and "\n" not in p.text and len(p.text) < 300 for p in found)
    else:
        compile(board.render(), "wrench_board.py", "exec")


class _A(BaseModel, extra="forbid"):
    kind: Literal["a"]
    pwm_pin: int


class _B(BaseModel, extra="forbid"):
    kind: Literal["b"]
    pulse_pin: int


class _Union(BaseModel, extra="forbid"):
    motor: Annotated[_A | _B, Field(discriminator="kind")]


@pytest.mark.parametrize(
    ("motor", "text"),
    [
        ({"kind": "b"}, "missing key motor.pulse_pin"),
        ({"kind": "b", "pulse_pim": 1}, "unknown key motor.pulse_pim; did you mean motor.pulse"),
        ({"kind": "a", "pwm_pin": 1.5}, "motor.pwm_pin = 1.5 must be a whole number"),
        ({"kind": "c", "pwm_pin": 1}, 'motor.kind = "c" is not known; use "a", "b"'),
        ({"pwm_pin": 1}, "missing key motor.kind"),
    ],
)
def test_unions_of_kinds_are_told_without_their_tags(motor: dict[str, Any], text: str):
    data = {"motor": motor}
    with pytest.raises(ValidationError) as caught:
        _Union.model_validate(data)
    (problem,) = from_validation(caught.value, _Union, data)
    assert problem.text.startswith(text)
