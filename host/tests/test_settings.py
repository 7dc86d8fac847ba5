"""Settings: a power cut leaves the old values or the new ones; older schemas are understood."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from flash_model import Flash, PowerCutError, storage_module
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

settings = storage_module("settings")
storage = storage_module("storage_rp2")

NAMES = [row[0] for row in settings.TABLE]


def on_flash(flash: Flash, *, used: bool = False, ceiling_permille: int = 700) -> tuple[Any, int]:
    kept = settings.open_settings(flash, ceiling_permille)
    return kept, kept.load(used)


def on_file(path: Path, *, used: bool = False) -> tuple[Any, int]:
    kept = settings.open_settings(storage.SettingsFile(str(path)), 700)
    return kept, kept.load(used)


def state(kept: Any) -> tuple[list[int], list[int]]:
    return list(kept.values), list(kept.levels)


def change(kept: Any, number: int) -> None:
    kept.set(settings.RUN_SECONDS, number)
    kept.set(settings.PROBATION_STEP, number % 3)
    for k in range(len(kept.levels)):
        kept.levels[k] = number * 1000 + k


def page_of_version_1(number: int, *values: int) -> bytes:
    body = struct.pack("<IHHI4i", 0x31537257, 1, 12 + 16 + 4, number, *values)
    return (body + struct.pack("<I", zlib.crc32(body))).ljust(256, b"\xff")


@pytest.fixture(params=["flash", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Opens the same settings again and again, as boots do."""
    if request.param == "file":
        return lambda **given: on_file(tmp_path / "settings.bin", **given)
    flash = Flash(8)
    return lambda **given: on_flash(flash, **given)


def test_a_table_is_in_order() -> None:
    for index, name in (
        (settings.OPERATOR_CEILING, "ceiling_permille"),
        (settings.PROBATION_STEP, "probation_step"),
        (settings.PROBATION_HEALTHY_MS, "probation_healthy_ms"),
        (settings.PROBATION_HOLD, "probation_hold"),
        (settings.BEARINGS, "bearings"),
        (settings.BOOTS, "boots"),
        (settings.RUN_SECONDS, "run_seconds"),
        (settings.LEVELS, "levels"),
    ):
        assert NAMES[index] == name
    assert len(NAMES) == settings.COUNT
    for _, unit, factory, least, most in settings.TABLE:
        assert unit
        assert least <= factory <= most < 1 << 30


def test_a_new_board_has_the_factory_s_values(place: Any) -> None:
    kept, how = place(used=False)
    assert how == settings.FRESH
    assert not kept.corrupt
    assert kept.get(settings.OPERATOR_CEILING) == kept.factory(settings.OPERATOR_CEILING) == 700
    assert list(kept.values)[1:] == [row[2] for row in settings.TABLE][1:]


def test_what_was_saved_is_there_at_the_next_boot(place: Any) -> None:
    for number in range(1, 120):
        kept, how = place(used=number > 1)
        assert how == (settings.LOADED if number > 1 else settings.FRESH)
        if number > 1:
            assert kept.get(settings.RUN_SECONDS) == number - 1
            assert list(kept.levels) == [(number - 1) * 1000 + k for k in range(48)]
        change(kept, number)
        kept.save()


def test_values_out_of_range_are_refused(place: Any) -> None:
    kept, _ = place()
    for index in range(settings.COUNT):
        before = kept.get(index)
        assert not kept.set(index, kept.most(index) + 1)
        assert not kept.set(index, kept.least(index) - 1)
        assert kept.get(index) == before
        assert kept.set(index, kept.most(index))
        assert kept.get(index) == kept.most(index)


def test_the_factory_s_values_on_demand_keep_the_counters(place: Any) -> None:
    kept, _ = place()
    change(kept, 5)
    kept.set(settings.OPERATOR_CEILING, 300)
    kept.set(settings.BEARINGS, 4)
    kept.save()
    kept.factory_reset()
    again, how = place()
    assert how == settings.LOADED
    assert again.get(settings.OPERATOR_CEILING) == 700
    assert again.get(settings.PROBATION_STEP) == 0
    assert set(again.levels) == {0}
    assert again.get(settings.RUN_SECONDS) == 5
    assert again.get(settings.BEARINGS) == 4


# ---- damage --------------------------------------------------------------------------------------


def test_values_that_cannot_be_read_are_told_and_the_factory_s_in_force() -> None:
    flash = Flash(8)
    kept, _ = on_flash(flash)
    change(kept, 9)
    kept.save()
    for at in range(0, 2 * 4096, 256):
        flash.data[at + 20] ^= 0x0F
    kept, how = on_flash(flash, used=True)
    assert (how, kept.corrupt) == (settings.CORRUPT, True)
    assert kept.get(settings.RUN_SECONDS) == 0
    kept.factory_reset()
    assert not kept.corrupt
    assert on_flash(flash)[1] == settings.LOADED


def test_what_is_not_there_on_a_board_that_has_run_is_a_loss(place: Any) -> None:
    kept, how = place(used=True)
    assert (how, kept.corrupt) == (settings.CORRUPT, True)


def test_a_damaged_file_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "settings.bin"
    kept, _ = on_file(path)
    kept.save()
    for content in (b"", path.read_bytes()[:-200], b"\0" * 256):
        path.write_bytes(content)
        kept, how = on_file(path, used=True)
        assert (how, kept.corrupt) == (settings.CORRUPT, True)


def test_what_another_firmware_left_in_the_region_is_no_damage() -> None:
    flash = Flash(8, fill=b"littlefs")
    kept, how = on_flash(flash, used=False)
    assert (how, kept.corrupt) == (settings.FRESH, False)
    change(kept, 3)
    kept.save()
    kept, how = on_flash(flash)
    assert how == settings.LOADED
    assert kept.get(settings.RUN_SECONDS) == 3


def test_one_rotten_page_is_not_the_end() -> None:
    flash = Flash(8)
    kept, _ = on_flash(flash)
    change(kept, 3)
    kept.save()
    for newest in (0, 256):
        flash.data[newest + 30] ^= 0x04
        assert on_flash(flash, used=True)[0].get(settings.RUN_SECONDS) == 3
        flash.data[newest + 30] ^= 0x04
    flash.data[256 + 30] ^= 0x04
    kept, how = on_flash(flash, used=True)
    assert how == settings.LOADED
    assert kept.get(settings.RUN_SECONDS) == 3


def test_flash_that_keeps_nothing_is_told() -> None:
    flash = Flash(8)
    kept, _ = on_flash(flash)
    kept.save()
    program = flash.program

    def stuck(sector: int, page: int, buffer: Any, start: int, end: int) -> None:
        program(sector, page, buffer, start, end)
        flash.data[sector * 4096 + page * 256 + 50] ^= 1

    flash.program = stuck
    change(kept, 1)
    with pytest.raises(OSError, match="5"):
        kept.save()
    assert on_flash(flash)[0].get(settings.RUN_SECONDS) == 0


# ---- power cuts ----------------------------------------------------------------------------------


@hypothesis_settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.sampled_from([b"\xff", b"\0", b"\x5a\xa5\xc3"]),
    st.lists(
        st.tuples(
            st.integers(0, 8),
            st.one_of(st.none(), st.tuples(st.integers(1, 6), st.integers(0, 99))),
        ),
        max_size=40,
    ),
)
def test_whenever_power_goes_the_old_values_or_the_new_ones_are_there(
    fill: bytes, plan: list[tuple[int, tuple[int, int] | None]]
) -> None:
    flash = Flash(8, fill=fill)
    kept, how = on_flash(flash, used=False)
    assert how == settings.FRESH
    old = state(kept)
    number = 0
    used = False
    for saves, cut in plan:
        if cut:
            flash.cut(*cut)
        try:
            for _ in range(saves):
                number += 1
                change(kept, number)
                kept.save()
                old = state(kept)
                used = True
        except PowerCutError:
            new = state(kept)
            kept, how = on_flash(flash, used=used)
            assert not kept.corrupt
            assert state(kept) in (old, new)
            old = state(kept)
    flash.cut(10**9, 0)
    change(kept, number + 1)
    kept.save()
    assert state(on_flash(flash)[0]) == state(kept)


def test_sectors_are_erased_in_turn_and_seldom() -> None:
    flash = Flash(8)
    kept, _ = on_flash(flash)
    for number in range(1, 321):
        change(kept, number)
        kept.save()
    assert max(flash.erases) <= 11
    assert flash.erases[2:] == [0] * 6
    assert abs(flash.erases[0] - flash.erases[1]) <= 1


def test_a_file_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings.bin"
    kept, _ = on_file(path)
    change(kept, 1)
    kept.save()

    def no_rename(*_: object) -> None:
        raise PowerCutError

    monkeypatch.setattr(storage.os, "rename", no_rename)
    change(kept, 2)
    with pytest.raises(PowerCutError):
        kept.save()
    assert on_file(path)[0].get(settings.RUN_SECONDS) == 1
    (tmp_path / "settings.bin.new").write_bytes(b"half")
    assert on_file(path)[0].get(settings.RUN_SECONDS) == 1


# ---- older schemas -------------------------------------------------------------------------------


def test_settings_of_version_1_are_taken_over() -> None:
    flash = Flash(8)
    flash.data[0:256] = page_of_version_1(1, 500, 2, 90_000, 3600)
    flash.data[256:512] = page_of_version_1(2, 450, 3, 95_000, 7200)
    kept, how = on_flash(flash)
    assert (how, kept.corrupt) == (settings.MIGRATED, False)
    assert kept.get(settings.OPERATOR_CEILING) == 450
    assert kept.get(settings.PROBATION_STEP) == 3
    assert kept.get(settings.PROBATION_HEALTHY_MS) == 95_000
    assert kept.get(settings.RUN_SECONDS) == 7200
    assert kept.get(settings.PROBATION_HOLD) == kept.factory(settings.PROBATION_HOLD)
    assert set(kept.levels) == {0}
    before = state(kept)
    kept.save()
    again, how = on_flash(flash)
    assert (how, state(again)) == (settings.LOADED, before)


def test_a_migration_that_is_cut_is_done_again() -> None:
    for seed in range(8):
        flash = Flash(8)
        flash.data[0:256] = page_of_version_1(2, 450, 3, 95_000, 7200)
        kept, _ = on_flash(flash)
        flash.cut(1, seed)
        with pytest.raises(PowerCutError):
            kept.save()
        again, how = on_flash(flash)
        assert how in (settings.MIGRATED, settings.LOADED)
        assert state(again) == state(kept)


def test_a_later_schema_is_not_understood() -> None:
    flash = Flash(8)
    body = struct.pack("<IHHI4i", 0x31537257, 3, 32, 1, 1, 2, 3, 4)
    page = (body + struct.pack("<I", zlib.crc32(body))).ljust(256, b"\xff")
    flash.data[0:256] = flash.data[256:512] = page
    assert on_flash(flash, used=True)[1] == settings.CORRUPT


def test_a_value_beyond_today_s_range_is_brought_into_it() -> None:
    flash = Flash(8)
    flash.data[0:256] = page_of_version_1(1, 5000, -3, 0, 0)
    kept, _ = on_flash(flash)
    assert kept.get(settings.OPERATOR_CEILING) == 1000
    assert kept.get(settings.PROBATION_STEP) == 0
