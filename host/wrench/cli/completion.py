"""What the shell offers for the values of options and arguments.

Each is asked for in a process of its own while somebody waits, so each imports what it needs.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem


def ports(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Every attached board, by the name that is easiest to tell it by; other names are files."""
    from wrench.transport import attached

    boards = attached()
    names = {(it.link or it.console or it.location): it.title for it in boards}
    offered = [
        CompletionItem(name, help=title)
        for name, title in names.items()
        if name is not None and name.startswith(typed)
    ]
    return offered or [CompletionItem(typed, type="file")]


def board_files(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """The names of known board files, and paths."""
    from wrench.boards import known_boards

    return _or_file((path.stem for path in known_boards()), typed)


def scenarios(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """The machine's conditions."""
    from wrench.bench.scenarios import SCENARIOS

    return [
        CompletionItem(it.name, help=it.description)
        for it in SCENARIOS.values()
        if it.name.startswith(typed)
    ]


def images(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """The kinds of image, and paths."""
    from wrench.image import KINDS

    return _or_file(KINDS, typed)


def settings(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """The names of what a board keeps."""
    from wrench.board_settings import kinds

    return _beginning((kind.name for kind in kinds()), typed)


def protections(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """What `wrench limits set` takes first."""
    from wrench.levels import CEILING, WATCHED

    return _beginning([CEILING, *(name.replace(" ", "-") for name in WATCHED)], typed)


def levels(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """The levels of a protection."""
    from wrench_firmware import wire

    return _beginning(wire.LEVELS, typed)


def _beginning(names: Iterable[str], typed: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(typed)]


def _or_file(names: Iterable[str], typed: str) -> list[CompletionItem]:
    return _beginning(names, typed) or [CompletionItem(typed, type="file")]
