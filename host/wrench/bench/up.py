"""A virtual bench from its options to its end: what `wrench bench up` does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from wrench import image as images
from wrench.analysis.files import find_recording
from wrench.bench.assemble import Assembly, assemble, bare_flash
from wrench.bench.emulator.runtime import installed_emulator
from wrench.bench.flash_file import FlashFile
from wrench.bench.plant import Playback, scenario
from wrench.bench.ports import pty_needed
from wrench.bench.serve import BenchServer
from wrench.boards import load_board


@dataclass(frozen=True)
class Options:
    """What to bring up.

    `pace` is the most device seconds in a second of the clock. `image` is a kind or a file; None is
    what the board has, and "stock" where it has nothing. `first_port` is the console's.
    """

    board: str
    scenario: str = "healthy"
    seed: int = 1
    pace: float = 1.0
    pty: bool = False
    replay: Playback | None = None
    image: str | None = None
    fresh: bool = False
    first_port: int | None = None


def up(
    options: Options,
    ending: Callable[[], AbstractContextManager[Callable[[], bool]]],
    say: Callable[[str], None],
    progress: images.Progress,
) -> None:
    """Boot the board, tell its ports, and serve them.

    `ending` is entered once the board runs, and gives a function that says when to end.

    Raises BoardFileError, BenchError, ImageError.
    """
    board = load_board(options.board)
    scenario(options.scenario)
    if options.replay is not None:
        find_recording(options.replay.path)
    if options.pty:
        pty_needed()
    installed_emulator(say)
    with FlashFile(board.name) as flash_file:
        flash, notes = _flash(flash_file, options, progress)
        assembly = assemble(
            board,
            flash,
            condition=options.scenario,
            seed=options.seed,
            replay=options.replay,
        )
        with (
            assembly.bench,
            ending() as ended,
            BenchServer(
                assembly,
                first_port=options.first_port,
                pty=options.pty,
                pace=options.pace,
                flash_file=flash_file,
                say=say,
            ) as server,
        ):
            _introduce(assembly, server, options, notes, say)
            server.run(ended)


def _flash(
    flash_file: FlashFile, options: Options, progress: images.Progress
) -> tuple[bytes, list[str]]:
    """What the board's flash chip holds when it starts, and what there is to say about it."""
    kept, note = (None, None) if options.fresh else flash_file.load()
    as_left = f"The board is as the last bench left it ({flash_file.path})."
    if kept is not None and options.image is None:
        return kept, [as_left]
    image = images.find_named(options.image or "stock", progress)
    bare = bare_flash(image)
    if kept is not None and kept.startswith(bare.rstrip(b"\xff")):
        return kept, [as_left]
    bare_now = (
        f"The board is bare, with MicroPython {image.version} ({image.kind}); "
        "`wrench flash` installs the firmware."
    )
    return bare, [note, bare_now] if note else [bare_now]


def _introduce(
    assembly: Assembly,
    server: BenchServer,
    options: Options,
    notes: list[str],
    say: Callable[[str], None],
) -> None:
    pace = "as the clock goes" if options.pace == 1.0 else f"up to {options.pace:g} times the clock"
    say(f"{assembly.board.title}, emulated, {pace}")
    say(f"{assembly.scenario.name}: {assembly.scenario.description}")
    for note in notes + assembly.notes:
        say(note)
    say(f"console  {server.console.url}  (mpremote connect {server.console.url})")
    say(f"link     {server.link.url}  (wrench finds it by itself)")
    for name, path in (("console", server.console_pty), ("link", server.link_pty)):
        if path:
            say(f"{name:<8} {path} -> {Path(path).readlink()}")
    say("Ctrl-C ends it.")
