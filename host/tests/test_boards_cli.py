"""`wrench boards`, and the page about board files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from wrench.boards import Board, known_boards, load_board
from wrench.boards.reference import keys, markdown
from wrench.cli.boards import boards
from wrench.errors import BoardFileError

BOARDS = Path(__file__).parents[2] / "boards"
README = (BOARDS / "README.md").read_text(encoding="utf-8")
GOOD = BOARDS / "pico-adxl345.toml"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(boards, list(arguments))


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "bad.toml"
    text = GOOD.read_text(encoding="utf-8")
    text = text.replace("pwm_pin = 14", "pmw_pin = 14").replace(
        "timeout_ms = 450", "timeout_ms = 5"
    )
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_check_shows_the_pins_of_a_good_file():
    result = run("check", str(GOOD))
    assert result.exit_code == 0
    first, *pins = result.output.splitlines()
    assert first == f"{GOOD}: OK, hash {load_board(GOOD).hash:08x}, {len(pins)} pins"
    assert [line.split()[0] for line in pins] == [
        f"GP{n}" for n in (*range(11, 23), 25, 26, 27, 28)
    ]
    assert "  GP14  motor.pwm_pin             PWM7 A" in pins


def test_check_shows_all_problems_and_fails(bad: str):
    result = run("check", "pico-adxl345", bad)
    assert isinstance(result.exception, BoardFileError)
    assert result.exception.exit_code == 2
    assert str(result.exception).startswith("1 of 2 board files cannot be used")
    assert "pico-adxl345: OK" in result.output
    assert re.search(rf"{re.escape(bad)}:\d+: unknown key motor.pmw_pin; did you", result.output)
    assert "protection.link.timeout_ms = 5 must be at least 100" in result.output


def test_check_as_json(bad: str):
    result = run("check", "--json", str(GOOD), bad)
    assert isinstance(result.exception, BoardFileError)
    good, broken = json.loads(result.output)
    assert good["ok"] is True
    assert good["hash"] == f"{load_board(GOOD).hash:08x}"
    assert {"gpio": 14, "key": "motor.pwm_pin", "function": "PWM7 A"} in good["pins"]
    assert broken["ok"] is False
    assert [p["key"] for p in broken["problems"]] == ["motor.pmw_pin", "protection.link.timeout_ms"]
    assert all(p["line"] > 0 for p in broken["problems"])


def test_list_shows_good_and_bad_files(bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boards").mkdir()
    Path(bad).rename(tmp_path / "boards" / "bad.toml")
    result = run("list")
    assert result.exit_code == 0
    assert re.search(r"^pico-adxl345 .* adxl345 +pwm_direction_enable$", result.output, re.M)
    assert re.search(r"^pico-analog-piezo-esc .* analog +esc$", result.output, re.M)
    assert re.search(r"^bad +\(has problems; see `wrench boards check bad`\)$", result.output, re.M)


def test_keys_prints_the_table():
    assert run("keys").output == markdown() + "\n"


# The page.


def schema_keys(node: dict[str, Any], definitions: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, value in node["properties"].items():
        inner = f"{prefix}{name}."
        if "additionalProperties" in value or "patternProperties" in value:
            inner += "NAME."
        sections = list(referred(value, definitions))
        for section in sections:
            found += schema_keys(section, definitions, inner)
        if not sections:
            found.append(prefix + name)
    return found


def referred(value: dict[str, Any], definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The sections that a value can be, through unions within unions."""
    if "$ref" in value:
        yield definitions[value["$ref"].split("/")[-1]]
    named = [*value.get("patternProperties", {}).values()]
    if isinstance(value.get("additionalProperties"), dict):
        named.append(value["additionalProperties"])
    for option in [*value.get("anyOf", []), *value.get("oneOf", []), *named]:
        yield from referred(option, definitions)


def test_the_readme_lists_exactly_the_keys_of_the_schema():
    schema = Board.model_json_schema()
    expected = [k for k in schema_keys(schema, schema["$defs"]) if k not in ("name", "path")]
    listed = re.findall(r"^\| `([a-zA-Z0-9_.]+)` \|", README, re.M)
    assert set(listed) == set(expected)
    # Several rows of one key stand together, and say which kind each is for.
    assert len(list(groupby(listed))) == len(set(listed))
    several = {key for key in listed if listed.count(key) > 1}
    rows = [row for row in README.splitlines() if row.startswith("| `")]
    for row in rows:
        if row.split("`")[1] in several:
            assert re.search(r"\| \*[a-z0-9_, ]+:\* ", row), row


def test_the_readme_has_the_table_as_made_from_the_schema():
    assert markdown() in README, "boards/README.md: put in the output of `wrench boards keys`"


def test_every_key_is_explained():
    for key in keys():
        assert key.meaning, key
        assert key.range != " to ", key
        number = isinstance(key.default, str) and re.fullmatch(r"[\d.]+", key.default)
        assert not number or float(key.default) >= 0


@pytest.mark.parametrize("ending", ["_hz", "_ms", "_mm_s", "_rpm", "_v", "_a", "_degc", "_ohm"])
def test_a_unit_in_a_name_is_in_the_table(ending: str):
    units = {key.unit for key in keys() if key.key.endswith(ending)}
    assert len(units) == 1
    assert units != {""}


@pytest.mark.parametrize("path", known_boards(), ids=lambda path: path.stem)
def test_the_wiring_table_has_every_pin_of_every_board(path: Path):
    _, _, rest = README.partition(f"\n## Wiring of {path.stem}\n")
    assert rest, "boards/README.md has no section on this board"
    section, _, _ = rest.partition("\n## ")
    wired = {
        (int(gpio), key)
        for gpio, key in re.findall(r"^\| GP(\d+) \| `([a-z0-9_.]+)` \|", section, re.M)
    }
    assert wired == {(use.gpio, use.key) for use in load_board(path).pins}
    assert f"(#wiring-of-{path.stem})" in README
