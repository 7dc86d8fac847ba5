"""A story: what happens to a board and its machine, act by act; made at random, and written as
code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

Value = float | int | bool | str


@dataclass(frozen=True)
class Act:
    """Something that happens, by its name in `acts.KINDS`, and for how long the board is left alone
    after it: `then_s` of device time, in s."""

    name: str
    then_s: float
    arguments: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        given = "".join(f", {name}={value!r}" for name, value in self.arguments.items())
        return f"act({self.name!r}, {self.then_s:g}{given})"


@dataclass(frozen=True)
class Story:
    """A board with an image, its machine, made by `seed`, and what happens to them in order. The
    chip's crystal runs `clock_ppm` fast."""

    board: str
    image: str
    seed: int
    acts: tuple[Act, ...]
    clock_ppm: float = 0.0

    def as_code(self, name: str) -> str:
        """A regression test that tells it again."""
        acts = "\n".join(f"            {one}," for one in self.acts)
        off = f"            clock_ppm={self.clock_ppm!r},\n" if self.clock_ppm else ""
        return (
            f"def test_{name}():\n"
            "    survive(\n"
            f"        story(\n"
            f"            {self.board!r},\n"
            f"            {self.image!r},\n"
            f"            {self.seed},\n"
            f"{acts}\n"
            f"{off}"
            "        )\n"
            "    )\n"
        )


def act(name: str, then_s: float, /, **arguments: Value) -> Act:
    """One act, as a story written as code has it."""
    return Act(name, then_s, arguments)


def story(board: str, image: str, seed: int, /, *acts: Act, clock_ppm: float = 0.0) -> Story:
    """A story, as code has it."""
    return Story(board, image, seed, acts, clock_ppm)


def pause_s(chance: Random) -> float:
    """A pause between two acts, 5 ms to 1 s, short ones as likely as long ones."""
    return round(0.005 * 200.0 ** chance.random(), 3)
