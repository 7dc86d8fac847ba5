"""A rig's description: which board is on it, what is wired to its pins, what cuts its power."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from wrench.boards import Board, load_board
from wrench.errors import BoardFileError, RigError

Command = Annotated[list[str], Field(min_length=1)]
Gpio = Annotated[int, Field(ge=0, le=29)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Helper(_Section):
    """[helper]: a second board with MicroPython, whose pins are wired to the board under test."""

    port: str
    """As `--port` takes it: of its console."""

    wires: dict[str, Gpio] = Field(min_length=1)
    """The helper's GPIO that each GPIO of the board under test is wired to: `GP14 = 3`."""

    @model_validator(mode="after")
    def _sane(self) -> Helper:
        for name in self.wires:
            if not (name.startswith("GP") and name[2:].isdigit() and int(name[2:]) <= 29):
                raise ValueError(f"there is no GPIO {name}; write GP0 to GP29")
        if len(set(self.wires.values())) < len(self.wires):
            raise ValueError("two pins are wired to the same GPIO of the helper")
        return self

    def gpio_of(self, gpio: int | None) -> int | None:
        """The helper's GPIO at a GPIO of the board; None where there is no wire."""
        return None if gpio is None else self.wires.get(f"GP{gpio}")


class Switch(_Section):
    """Something with two states, each brought about by a program and its arguments."""

    on: Command
    off: Command


class Adjust(_Section):
    """Something with a value, which stands for `{value}` in the arguments."""

    set: Command

    @model_validator(mode="after")
    def _takes_it(self) -> Adjust:
        if not any("{value}" in word for word in self.set):
            raise ValueError("no argument has {value} in it")
        return self


class Commands(_Section):
    """[commands]: programs that do something to the rig. `on` is the unusual state for all but
    power and cable: pressed, fitted, jammed, cut, pulled."""

    power: Switch | None = None
    cable: Switch | None = None
    estop: Switch | None = None
    button: Switch | None = None
    service_jumper: Switch | None = None
    jam: Switch | None = None
    tacho: Switch | None = None
    thermistor: Switch | None = None
    sensor_plug: Switch | None = None
    load: Adjust | None = None
    """0 to 3 of the rated torque."""
    supply: Adjust | None = None
    """Volts."""


class RigFile(_Section):
    """A rig's description."""

    board: str = ""
    """Name or path of its board file; none for a board with another firmware than Wrench's."""
    port: str | None = None
    """As `--port` takes it; None: `--port` says it, or there is one board only."""
    unique_id: str | None = None
    """The board's, as `wrench status` shows it: no other board is tested by mistake."""
    helper: Helper | None = None
    commands: Commands = Commands()

    def load_board(self) -> Board:
        """Its board file. Raises RigError."""
        if not self.board:
            raise RigError(
                "the rig's description names no board; give it a line such as "
                'board = "pico-adxl345"'
            )
        try:
            return load_board(self.board)
        except BoardFileError as error:
            raise RigError(f"the rig's board: {error}") from error


def load_rig(path: Path) -> RigFile:
    """A rig's description from its file, in TOML. Raises RigError."""
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return RigFile.model_validate(data)
    except FileNotFoundError as error:
        raise RigError(f"there is no {path}; docs/hil.md shows what is in it") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RigError(
            f"{path} cannot be read ({error}); docs/hil.md shows what is in it"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise RigError(
            f"{path}: {where or 'it'}: {what[:1].lower()}{what[1:]}; "
            "docs/hil.md shows what is in a rig's description"
        ) from error
