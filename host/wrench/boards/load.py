"""Finding, reading and validating board files."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import wrench
from wrench.boards.problems import InvalidBoardError, Problem, from_validation
from wrench.boards.schema import Board


def load_board(path_or_name: str | os.PathLike[str]) -> Board:
    """The board of a file.

    `path_or_name` is a path, or a bare name such as "pico-adxl345", which is looked up in the
    directories of `board_directories`. A text with a slash or the ending .toml is a path.

    Raises InvalidBoardError (a BoardFileError) for whatever is wrong with the file, from its
    absence to one value out of range; its `problems` lists all that could be found.
    """
    path = _find(path_or_name)
    shown = _shown(path)
    text = _read(path, shown)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(shown, error) from error
    # Integers of thousands of digits, and lists nested as deep, stop the parser itself.
    except (ValueError, RecursionError) as error:
        raise _broken(shown, "a number or a list in it is absurdly long; correct it") from error
    taken = [
        Problem(key, f"unknown key {key}; remove it, the file's name gives the board's {key}")
        for key in ("name", "path")
        if key in data
    ]
    values: dict[str, Any] = {**data, "name": path.stem, "path": path}
    try:
        board = Board.model_validate(values)
    except ValidationError as error:
        raise InvalidBoardError(
            shown, taken + _told(from_validation(error, Board, values, text), path)
        ) from error
    if taken:
        raise InvalidBoardError(shown, taken)
    return board


def known_boards() -> list[Path]:
    """The board files that a bare name can mean, by name; valid or not."""
    found: dict[str, Path] = {}
    for directory in board_directories():
        for path in directory.glob("*.toml"):
            found.setdefault(path.stem, path)
    return [found[name] for name in sorted(found)]


def board_directories() -> list[Path]:
    """Where bare names are looked up, first match wins: `boards/` in the working directory, in the
    checkout that this package runs from, and in the installed package."""
    package = Path(wrench.__file__).resolve().parent
    candidates = [Path.cwd() / "boards", package / "board_files"]
    checkout = package.parents[1]
    if (checkout / "pyproject.toml").is_file():
        candidates.insert(1, checkout / "boards")
    existing = [directory for directory in candidates if directory.is_dir()]
    return list({directory.resolve(): directory for directory in reversed(existing)}.values())[::-1]


def _find(path_or_name: str | os.PathLike[str]) -> Path:
    name = os.fspath(path_or_name)
    path = Path(name)
    bare = isinstance(path_or_name, str) and len(path.parts) == 1 and path.suffix != ".toml"
    if not bare or name in (".", "..") or "/" in name or os.sep in name:
        return path
    known = known_boards()
    for candidate in known:
        if candidate.stem == name:
            return candidate
    names = [candidate.stem for candidate in known]
    close = difflib.get_close_matches(name, names, n=1)
    advice = f"did you mean {close[0]}?" if close else "`wrench boards list` shows all"
    reason = f"no board has this name; {advice}"
    if path.is_file():
        reason = f"no board file: the name of one ends in .toml; {advice}"
    raise InvalidBoardError(name, [Problem("", reason)])


def _read(path: Path, shown: str) -> str:
    if path.is_dir():
        raise _broken(shown, "it is a directory; give a board file, such as boards/NAME.toml")
    try:
        # A byte order mark, which some editors write, is no fault.
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise _broken(
            shown, "there is no such file; `wrench boards list` shows those known"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InvalidBoardError(
            shown, [Problem("", "this line is not UTF-8; save the file as UTF-8", line)]
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _broken(shown, f"it cannot be read ({reason}); check the path") from error


def _broken(shown: str, text: str) -> InvalidBoardError:
    return InvalidBoardError(shown, [Problem("", text)])


def _not_toml(shown: str, error: tomllib.TOMLDecodeError) -> InvalidBoardError:
    message, _, place = str(error).partition(" (at ")
    line = re.search(r"line (\d+)", place)
    what = message[:1].lower() + message[1:]
    text = f"not valid TOML, {what}; correct the line"
    if line is None:
        text = f"not valid TOML, {what} at the end of the file; complete it"
    return InvalidBoardError(shown, [Problem("", text, int(line[1]) if line else None)])


def _told(problems: list[Problem], path: Path) -> list[Problem]:
    """The file's name is no key of it: tell a bad one as what it is."""
    return [
        Problem("", f"{path.stem!r} is no name for a board; rename the file with a-z, 0-9, - and _")
        if problem.key == "name"
        else problem
        for problem in problems
    ]


def _shown(path: Path) -> str:
    """The path as short as it stays right: relative where it lies below the working directory."""
    try:
        return str(path.relative_to(Path.cwd())) if path.is_absolute() else str(path)
    except ValueError:
        return str(path)
