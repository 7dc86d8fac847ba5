"""Installing the firmware on a board as it is: running, in maintenance, or bare."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wrench.boards import Board, load_board
from wrench.bootsel import USB, Picoboot, Written, erase_all, open_pipe, write_image
from wrench.bootsel.picoboot import FLASH_START
from wrench.bootsel.volume import copy_image, volume_of
from wrench.deploy import Deployment, deployment
from wrench.errors import FlashError, LinkError, PortError, RefusedError
from wrench.flash import FlashReport, enter_bootsel, flash, interpreter, restart
from wrench.fleet import board_named, look
from wrench.image import Image, read_uf2
from wrench.link import Frame, Link
from wrench.transport import BoardConnection, wait_until_gone

GONE_S = 3.0
_GLANCE_BYTES = 4096
_PROMPT, _PROMPT_S = b">>> ", 2.0
BACK_S = 12.0
"""Wall time for a board to boot and show its ports; it takes about 1.2 s of its own time."""


@dataclass(frozen=True)
class Installed:
    """What installing did, and how the board greets since. `image` is None where the board's image
    was left alone."""

    report: FlashReport
    greeting: Frame
    image: Written | None = None


def install(
    connection: BoardConnection,
    board: Board,
    *,
    find: Callable[[], Image],
    known: Callable[[], list[Image]] = list,
    image_asked: bool = False,
    erase: bool = False,
    step: Callable[[str], None] = lambda text: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Installed:
    """Bring a board to what this wrench carries for `board`, start it and verify it.

    The image first, where it is asked for, or the board is in BOOTSEL, or what runs on it cannot
    run the firmware; a board that is in BOOTSEL with one of the `known` images keeps it. A running
    board is put into maintenance first.

    Parameters:
        find: gives the image to install.
        known: gives the images that are left alone where nothing else is asked for.
        image_asked: the board is to have the image that `find` gives.
        erase: erase the whole flash chip first: files, settings and black box as well.
        step: is told what begins.
        progress: is called with bytes done and bytes in all.

    Raises:
        RefusedError: the motor turns.
        PortError: no port, a busy one, or one that does not come back.
        FlashError: the board does not take the image or the firmware, or does not start it.
        ImageError: there is no image.
    """
    step(f"compiling for {board.name}")
    wanted = deployment(board)
    if connection.look().link is not None:
        step("entering maintenance")
        enter_maintenance(connection)
    written = None
    if connection.look().boot is None:
        _to_boot_rom(connection, image_asked or erase, step)
    if (boot := connection.look().boot) is not None:
        choice = _Choice(find, known, image_asked, erase)
        written = _through_boot_rom(boot, choice, step, progress)
        _to_prompt(connection, step)
    console = connection.open_console(BACK_S)
    try:
        step("comparing with what the board has")
        report = flash(console, wanted, progress)
        step("starting it")
        restart(console)
        wait_until_gone(console, GONE_S)
    finally:
        console.close()
    return Installed(report, verify(connection, board, wanted), written)


def _to_boot_rom(connection: BoardConnection, asked: bool, step: Callable[[str], None]) -> None:
    """Have a board at its REPL enter BOOTSEL, where that is asked for or it needs another image."""
    console = connection.open_console(BACK_S)
    try:
        now = interpreter(console)
        if now.fits and not asked:
            return
        if not now.fits:
            step(f"it runs {now}, on which the firmware cannot run")
        step("entering BOOTSEL")
        enter_bootsel(console)
        wait_until_gone(console, GONE_S)
    finally:
        console.close()
    if not connection.wait_for(lambda ports: ports.boot is not None, BACK_S):
        raise FlashError(
            f"{connection.title} does not come back in BOOTSEL; unplug it, hold BOOTSEL while you "
            "plug it in, and flash again"
        )


@dataclass(frozen=True)
class _Choice:
    """Which image; as the parameters of `install`."""

    find: Callable[[], Image]
    known: Callable[[], list[Image]]
    asked: bool
    erase: bool


def _through_boot_rom(
    boot: str, choice: _Choice, step: Callable[[str], None], progress: Callable[[int, int], None]
) -> Written | None:
    """Have a board in BOOTSEL run an image: the one it has, where that will do."""
    try:
        pipe = open_pipe(boot)
    except PortError:
        volume = volume_of(boot.removeprefix(USB)) if boot.startswith(USB) else None
        if volume is None or choice.erase:
            raise
        image, content = _content(choice.find())
        step(f"copying {image.kind} {image.version} to {volume}")
        copy_image(content, volume, progress)
        return Written(len(content), len(content))
    try:
        rom = Picoboot(pipe)
        present = None if choice.asked else _present(rom, choice.known())
        if present is not None and not choice.erase:
            step(f"it has {present.kind} {present.version}")
            rom.reboot()
            return None
        image, content = _content(present or choice.find())
        if choice.erase:
            step("erasing everything")
            erase_all(rom, progress)
        step(f"writing the image: {image.kind} {image.version}")
        written = write_image(rom, content, progress)
        rom.reboot()
    finally:
        pipe.close()
    return written


def _present(rom: Picoboot, known: list[Image]) -> Image | None:
    """Which of the known images the board has."""
    for image in known:
        _, content = read_uf2(image.path)
        begins = rom.read(FLASH_START, _GLANCE_BYTES) == content[:_GLANCE_BYTES]
        if begins and rom.read(FLASH_START, len(content)) == content:
            return image
    return None


def _content(image: Image) -> tuple[Image, bytes]:
    base, content = read_uf2(image.path)
    if base != FLASH_START:
        raise FlashError(f"{image.path} does not begin where flash does; choose another --image")
    return image, content


def enter_maintenance(connection: BoardConnection) -> None:
    """Have a running board stop operating and give its console to the host.

    Does nothing where it shows no link: it is there already. Raises RefusedError with the board's
    reason, and LinkError where the board does not answer.
    """
    if connection.look().link is None:
        return
    port = connection.open_link()
    try:
        try:
            Link(port).command("maintenance")
        except RefusedError:
            raise
        except LinkError:
            if connection.look().key:
                raise
            return  # a port of which nothing is known may well be the console itself
        if not wait_until_gone(port, GONE_S):
            raise LinkError(
                f"{connection.title} does not leave operation; reset it with its service jumper "
                "fitted and try again"
            )
    finally:
        port.close()
    _await_prompt(connection)


def _await_prompt(connection: BoardConnection) -> bool:
    """A Ctrl-C that comes before the start-up has seen that maintenance is asked for would leave
    the request standing, for the boot after the next as well. False where no prompt comes."""
    console = connection.open_console(BACK_S)
    try:
        console.timeout = _PROMPT_S
        console.write(b"\r")
        said = b""
        while not said.endswith(_PROMPT) and (byte := console.read(1)):
            said += byte
    finally:
        console.close()
    return said.endswith(_PROMPT)


def _to_prompt(connection: BoardConnection, step: Callable[[str], None]) -> None:
    """A board that starts with an image may have the firmware already, and begin to operate: its
    console then goes while it is in use, and comes back beside the link."""
    until = time.monotonic() + BACK_S
    while True:
        if connection.look().link is not None:
            step("entering maintenance")
            enter_maintenance(connection)
            return
        try:
            if _await_prompt(connection):
                return
        except PortError:
            if time.monotonic() >= until:
                raise
        if time.monotonic() >= until:
            return  # whoever asks its REPL next says what is wrong


def verify(connection: BoardConnection, board: Board, wanted: Deployment) -> Frame:
    """Wait for the board to operate; returns its greeting. Raises FlashError where it is not the
    firmware and the board that are wanted."""
    try:
        port = connection.open_link(BACK_S)
    except PortError as error:
        raise FlashError(
            f"the firmware is installed and does not start ({error.args[0].partition(';')[0]}); "
            "see why with `wrench maintenance` and `mpremote`"
        ) from error
    try:
        greeting = Link(port).hello()
    finally:
        port.close()
    if greeting["firmware_hash"] != wanted.firmware_hash or greeting["board_hash"] != board.hash:
        raise FlashError(
            f"the board runs firmware {greeting['firmware_hash']:08x} for board "
            f"{greeting['board_hash']:08x}, not {wanted.firmware_hash:08x} for {board.hash:08x}; "
            "flash again"
        )
    return greeting


def board_of(connection: BoardConnection, given: str | Path | None) -> Board:
    """The board file to install: the given one, that of the bench, or what the board says it is.

    Raises FlashError where nothing tells: another board's pins could start a motor.
    """
    if given is not None:
        return load_board(given)
    if connection.board is not None:
        return load_board(Path(connection.board))
    board = board_named(look(connection.look()).board_name)
    if board is not None:
        return board
    raise FlashError(
        "this board does not say how it is wired; name its file with --board "
        "(`wrench boards list` shows those known)"
    )
