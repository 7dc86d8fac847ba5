"""Boards in BOOTSEL: the real boot ROM on the emulated chip takes, checks and starts an image; and
the volume for those who may not use USB."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from wrench import image
from wrench.bench.boot_port import BootPort
from wrench.bench.virtual import CONSOLE, VirtualBench
from wrench.bootsel import Picoboot, erase_all, write_image
from wrench.bootsel.volume import copy_image, volume_of
from wrench.errors import FlashError, PortError
from wrench.flash import enter_bootsel, interpreter
from wrench.image.uf2 import FLASH_START, parse_uf2

BLANK = b"\xff" * 4096


@pytest.fixture(scope="module")
def stock() -> bytes:
    if not any(cached.kind == "stock" for cached in image.cached()):
        pytest.skip("no MicroPython image in the cache: wrench image get")
    return image.read_uf2(image.find("stock").path)[1]


def test_a_blank_chip_takes_an_image_and_starts_it_and_goes_back_to_bootsel_when_asked(
    stock: bytes,
) -> None:
    told: list[tuple[int, int]] = []
    with VirtualBench(BLANK) as bench:
        port = BootPort(bench)
        rom = Picoboot(port)
        written = write_image(rom, stock, lambda done, total: told.append((done, total)))
        assert written.written_bytes >= len(stock)
        assert [done for done, _ in told] == sorted({done for done, _ in told})
        assert told[-1][0] == told[-1][1] == written.written_bytes
        assert bench.read_flash()[: len(stock)] == stock
        assert write_image(rom, stock).written_bytes == 0
        rom.reboot()
        port.close()
        console = bench.open(CONSOLE)
        assert interpreter(console).fits
        enter_bootsel(console)
        Picoboot(BootPort(bench))


def test_an_image_that_was_cut_short_is_never_started(stock: bytes) -> None:
    """Power goes after the first sector was erased and before it is written: last of all."""
    with VirtualBench(stock) as bench:
        bench.cut_power()
        bench.hold_button(True)
        bench.advance(0.01)
        bench.restore_power()
        rom = Picoboot(BootPort(bench))
        other = bytes(4096) + stock[4096:16384] + bytes(32768)

        def cut(done: int, _: int) -> None:
            if done >= 16384:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            write_image(rom, other, cut)
        bench.cut_power()
        bench.hold_button(False)
        bench.advance(0.01)
        bench.restore_power()
        bench.advance(0.3)
        assert bench.in_bootsel, "it has started half an image"
        rom = Picoboot(BootPort(bench))
        write_image(rom, stock[:65536])
        assert bench.read_flash()[:65536] == stock[:65536]


def test_erasing_leaves_nothing(stock: bytes) -> None:
    with VirtualBench(stock[:4096].ljust(2 << 20, b"\0")) as bench:
        bench.cut_power()
        bench.hold_button(True)
        bench.advance(0.01)
        bench.restore_power()
        erase_all(Picoboot(BootPort(bench)))
        assert bench.read_flash().count(0xFF) == 2 << 20


def test_a_board_that_runs_is_not_in_bootsel(stock: bytes) -> None:
    with VirtualBench(stock) as bench:
        bench.open(CONSOLE)
        with pytest.raises(PortError, match="BOOTSEL"):
            BootPort(bench, 0.05)


class DeadPipe:
    """A board that was unplugged."""

    title = "the board at USB 1-1"

    def write(self, data: bytes) -> None:
        del data

    def read(self, size: int, timeout_s: float) -> bytes:
        del size, timeout_s
        raise FlashError("the board at USB 1-1 in BOOTSEL does not go on; unplug it")

    def close(self) -> None: ...


def test_a_board_that_does_not_answer_is_said() -> None:
    with pytest.raises(FlashError, match="unplug it"):
        Picoboot(DeadPipe())


@pytest.fixture
def two_volumes(tmp_path: Path) -> tuple[Path, Path]:
    for location, disk in (("1-1", "sdb"), ("1-1.2", "sdc")):
        below = f"bus/usb/devices/{location}/{location}:1.0/host6/target6:0:0/6:0:0:0/block/{disk}"
        (tmp_path / "sys" / below / f"{disk}1").mkdir(parents=True)
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda1 / ext4 rw 0 0\n"
        "/dev/sdb1 /media/me/RPI-RP2 vfat rw 0 0\n"
        "/dev/sdc1 /media/me/RPI\\040RP2 vfat rw 0 0\n"
    )
    return tmp_path / "sys", mounts


@pytest.mark.skipif(os.name != "posix", reason="Linux tells which volume is whose")
def test_the_volume_is_that_of_the_board_at_the_location(two_volumes: tuple[Path, Path]) -> None:
    assert volume_of("1-1", *two_volumes) == Path("/media/me/RPI-RP2")
    assert volume_of("1-1.2", *two_volumes) == Path("/media/me/RPI RP2")
    assert volume_of("1-3", *two_volumes) is None


def test_the_image_on_the_volume_is_whole_and_the_board_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "INFO_UF2.TXT").write_text("UF2 Bootloader v3.0")

    def goes(_: float) -> None:
        (tmp_path / "INFO_UF2.TXT").unlink()

    monkeypatch.setattr("time.sleep", goes)
    content = bytes(range(256)) * 700
    copy_image(content, tmp_path, lambda done, total: None)
    assert parse_uf2((tmp_path / "wrench.uf2").read_bytes(), "it") == (FLASH_START, content)


def test_a_volume_that_is_full_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FlashError, match="by hand"):
        copy_image(b"x" * 4096, tmp_path, lambda done, total: None)
