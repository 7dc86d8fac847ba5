"""What is made from the protocol is the protocol."""

from pathlib import Path

import pytest

from wrench import wire_page
from wrench_firmware import wire

PAGE = Path(__file__).parents[2] / "docs" / "wire.md"
CHIP = PAGE.parents[1] / "firmware" / "wire_format.py"


def test_the_page_is_what_the_definition_makes() -> None:
    assert PAGE.read_text(encoding="utf-8") == wire_page.markdown(), (
        "run `python -m wrench.wire_page docs/wire.md firmware/wire_format.py`"
    )


def test_what_the_chip_imports_is_what_the_definition_makes() -> None:
    assert CHIP.read_text(encoding="utf-8") == wire_page.chip_module(), (
        "run `python -m wrench.wire_page docs/wire.md firmware/wire_format.py`"
    )


def test_every_message_has_a_meaning_and_nothing_else_has() -> None:
    assert set(wire_page.MEANINGS) == {name for name, _ in wire.MESSAGES.values()}


@pytest.mark.parametrize("name", [name for name, _ in wire.QUANTITIES])
def test_every_quantity_is_in_it(name: str) -> None:
    assert f"| `{name}` | i32 |" in PAGE.read_text(encoding="utf-8")
