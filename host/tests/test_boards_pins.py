"""Pins: what each can do, and which cannot be wired together."""

from __future__ import annotations

import copy
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from wrench.boards import Board, PinUse
from wrench.boards.rp2040 import conflicts, functions, pwm_slice, specific_function

PATH = Path(__file__).parents[2] / "boards" / "pico-adxl345.toml"
DATA = tomllib.loads(PATH.read_text(encoding="utf-8"))
USES = Board.model_validate({**DATA, "name": "x", "path": PATH}).pins
PIN_KEYS = [use.key for use in USES]
HEADER = [*range(23), 26, 27, 28]

# Rows of the datasheet's table, chosen to cross every boundary of its pattern.
DATASHEET = {
    0: ("SPI0 RX", "I2C0 SDA", "PWM0 A"),
    1: ("SPI0 CSn", "I2C0 SCL", "PWM0 B"),
    3: ("SPI0 TX", "I2C1 SCL", "PWM1 B"),
    7: ("SPI0 TX", "I2C1 SCL", "PWM3 B"),
    8: ("SPI1 RX", "I2C0 SDA", "PWM4 A"),
    15: ("SPI1 TX", "I2C1 SCL", "PWM7 B"),
    16: ("SPI0 RX", "I2C0 SDA", "PWM0 A"),
    18: ("SPI0 SCK", "I2C1 SDA", "PWM1 A"),
    23: ("SPI0 TX", "I2C1 SCL", "PWM3 B"),
    24: ("SPI1 RX", "I2C0 SDA", "PWM4 A"),
    26: ("SPI1 SCK", "I2C1 SDA", "PWM5 A"),
    29: ("SPI1 CSn", "I2C0 SCL", "PWM6 B"),
}


@pytest.mark.parametrize("gpio", DATASHEET)
def test_functions_as_in_the_datasheet(gpio: int):
    named = {f for f in functions(gpio) if f[-1].isalpha() and " " in f}
    assert named == set(DATASHEET[gpio])


def test_adc_pins():
    assert [gpio for gpio in range(30) if "ADC" in functions(gpio)] == [26, 27, 28, 29]
    assert specific_function(PinUse("supplies.main.pin", 28, "ADC")) == "ADC2"
    assert specific_function(PinUse("motor.pwm_pin", 14, "PWM")) == "PWM7 A"


def broken(pins: dict[str, int], **others: Any) -> list[str]:
    """The problems of the shipped board with these keys set."""
    data: dict[str, Any] = copy.deepcopy(DATA)
    for key, gpio in pins.items():
        *sections, last = key.split(".")
        here = data
        for section in sections:
            here = here[section]
        here[last] = gpio
    data["vibration"].update(others)
    try:
        Board.model_validate({**data, "name": "x", "path": PATH})
    except ValidationError as error:
        return [p.text for p in error.errors()[0].get("ctx", {})["problems"]]
    return []


@settings(deadline=None)
@given(st.permutations(PIN_KEYS))
def test_any_two_keys_on_one_pin_are_found(keys: list[str]):
    first, second = keys[:2]
    gpio = next(use.gpio for use in USES if use.key == first)
    found = [text for text in broken({second: gpio}) if "both use" in text]
    assert len(found) == 1
    assert first in found[0]
    assert second in found[0]
    assert f"GP{gpio};" in found[0]


def test_three_on_one_pin_are_one_problem():
    (text,) = broken({"button.pin": 22, "service.pin": 22})
    assert text == (
        "estop.pin, button.pin and service.pin all use GP22; give all but one of them another pin"
    )


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 28), st.integers(0, 5), min_size=1))
def test_duplicates_are_found_among_any_uses(counts: dict[int, int]):
    uses = [PinUse(f"k{g}.{i}", g, "GPIO") for g, n in counts.items() for i in range(n)]
    found = [re.search(r" use GP(\d+); give", text) for _, text in conflicts(uses)]
    duplicated = [gpio for gpio, n in sorted(counts.items()) if n > 1]
    assert [int(hit[1]) for hit in found if hit] == duplicated


@settings(deadline=None)
@given(st.sampled_from(HEADER))
def test_an_analog_input_needs_an_adc_pin(gpio: int):
    found = [text for text in broken({"supplies.main.pin": gpio}) if "cannot be ADC" in text]
    assert bool(found) == (gpio not in (26, 27, 28))


def test_the_advice_names_free_pins():
    (text,) = broken({"supplies.main.pin": 10})
    assert text == "supplies.main.pin: GP10 cannot be ADC; use GP28"
    (text,) = broken({"vibration.sck_pin": 9})
    assert text == "vibration.sck_pin: GP9 cannot be SPI0 SCK; use GP2, GP6 or GP18"


def test_a_full_adc_is_told():
    uses = [PinUse(f"a{g}.pin", g, "ADC") for g in (26, 27, 28)] + [PinUse("b.pin", 5, "ADC")]
    ((key, text),) = conflicts(uses)
    assert key == "b.pin"
    assert text.endswith("use one of GP26, GP27, GP28 (all in use now)")


@pytest.mark.parametrize("key", ["sck_pin", "mosi_pin", "miso_pin"])
@settings(deadline=None)
@given(gpio=st.sampled_from(HEADER))
def test_spi_pins_must_belong_to_the_bus(key: str, gpio: int):
    role = {"sck_pin": "SCK", "mosi_pin": "TX", "miso_pin": "RX"}[key]
    wrong = [text for text in broken({f"vibration.{key}": gpio}) if "cannot be" in text]
    assert bool(wrong) == (f"SPI0 {role}" not in functions(gpio))


def test_the_bus_number_counts():
    found = broken({}, bus_number=1)
    assert len(found) == 3
    assert all("cannot be SPI1" in text for text in found)


def test_chip_select_may_be_any_pin():
    assert broken({"vibration.cs_pin": 2}) == []


@pytest.mark.parametrize("gpio", [23, 24, 25, 29])
def test_pins_that_the_pico_keeps(gpio: int):
    found = broken({"button.pin": gpio})
    assert any(text.startswith(f"button.pin: GP{gpio} is ") for text in found)
    if gpio == 29:
        assert any(
            text.startswith("supplies.main.pin: GP29 is")
            for text in broken({"supplies.main.pin": 29})
        )


def test_the_light_may_be_the_picos_or_another():
    assert broken({"led.pin": 25}) == broken({"led.pin": 2}) == []
    (text,) = broken({"led.pin": 23})
    assert "regulator" in text


@settings(deadline=None)
@given(st.sampled_from(HEADER), st.sampled_from(HEADER), st.sampled_from([1000, 20_000]))
def test_pwm_slices(first: int, second: int, hz: int):
    uses = [PinUse("a.pwm_pin", first, "PWM", 20_000), PinUse("b.pwm_pin", second, "PWM", hz)]
    found = [text for _, text in conflicts(uses)]
    if first == second:
        assert "both use" in found[0]
    elif pwm_slice(first) != pwm_slice(second):
        assert found == []
    elif first % 2 == second % 2:
        assert "are the same PWM output" in found[0]
    elif hz != 20_000:
        assert "share PWM slice" in found[0]
        assert "20000 Hz and 1000 Hz" in found[0]
    else:
        assert found == []


def test_every_pin_key_is_known_as_a_pin():
    """A key named like a pin that had no role would escape all these checks."""

    def pin_keys(section: dict[str, Any], prefix: str = "") -> list[str]:
        found = []
        for key, value in section.items():
            if isinstance(value, dict):
                found += pin_keys(value, f"{prefix}{key}.")
            elif key == "pin" or key.endswith("_pin"):
                found.append(prefix + key)
        return found

    assert sorted(pin_keys(DATA)) == sorted(PIN_KEYS)
