"""The campaign: random stories against the invariants, on all cores; a failure is shrunk to the
least that still fails, and written as a regression test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from random import Random

from wrench.bench.emulator import ChipClock
from wrench.hil.acts import drawn, perform
from wrench.hil.at_once import at_once
from wrench.hil.audit import audit
from wrench.hil.invariants import Invariants, Violation
from wrench.hil.observation.write import Written, write
from wrench.hil.story import Act, Story
from wrench.hil.trial import Trial

ACTS = 60
"""In a story: starting a board and looking it over at the end takes as long as twenty."""
_WRITTEN_AS = "story"

BOARDS = (
    ("pico-adxl345", "stock"),
    ("pico-adxl345", "wrench"),
    ("pico-mpu6050-two-pwm", "stock"),
    ("pico-adxl345-i2c-pwm-enable", "wrench"),
)

CLOCKS_PPM = (0.0, 0.0, 0.0, 0.0, -100.0, 100.0, -20_000.0, 20_000.0)
"""How fast the chip's crystal runs: right, as a good one may be off, and as a cheap copy's may."""


@dataclass(frozen=True)
class Told:
    """How a story ended: `violation` is None where every rule held; `device_s` is device time,
    `driven_faults` are those of its faults that met a motor that was driven.
    `written` are its timeline's files, where they were asked for and there was a violation."""

    story: Story
    faults: int
    driven_faults: int
    device_s: float
    violation: Violation | None
    written: Written | None = None


def tell(story: Story, folder: Path | None = None) -> Told:
    """Let a story happen to an emulated board. Deterministic: the same story ends the same.

    Where it breaks a rule, its timeline is written into the folder. Raises ReportError where that
    fails.
    """
    faults = driven_faults = 0
    violation = written = None
    trial = Trial(story.board, story.image, story.seed, ChipClock(story.clock_ppm))
    timeline = trial.rig.timeline(calls=False) if folder else None
    try:
        Invariants(trial)
        trial.begin()
        for act in story.acts:
            if timeline:
                timeline.note(str(act))
            driven = trial.rig.duty_at_pin > 0.0
            if perform(trial, act):
                faults += 1
                driven_faults += driven
        if timeline:
            timeline.note("everything is mended")
        audit(trial)
    except Violation as broken:
        violation = broken
        if folder and timeline:
            timeline.fail(str(broken), broken.time_s)
            title = f"{story.board}, image {story.image}, seed {story.seed}"
            written = write(timeline.excerpt(), folder, _WRITTEN_AS, title)
    finally:
        device_s = trial.now_s
        trial.bench.close()
    return Told(story, faults, driven_faults, device_s, violation, written)


def survive(story: Story) -> None:
    """For a regression test: raises Violation where a rule does not hold."""
    told = tell(story)
    if told.violation:
        raise told.violation


def made(seed: int, number: int, acts: int = ACTS) -> Story:
    """The story of that number in the campaign of that seed."""
    chance = Random(f"{seed}/{number}")
    board, image = BOARDS[number % len(BOARDS)]
    machine = chance.randrange(1 << 16)
    happens = tuple(drawn(chance) for _ in range(acts))
    return Story(board, image, machine, happens, chance.choice(CLOCKS_PPM))


def campaign(
    seed: int, faults: int, jobs: int | None = None, acts: int = ACTS
) -> Generator[Told, None, None]:
    """Tell stories until they have had so many faults between them; those that fail come too.

    Closing the generator ends the stories that are being told.
    """
    had = 0
    with closing(at_once(_told, ((seed, number, acts) for number in count()), jobs)) as telling:
        for told in telling:
            had += told.faults
            yield told
            if had >= faults:
                return


def _told(seed: int, number: int, acts: int) -> Told:
    return tell(made(seed, number, acts))


def shrunk(told: Told, seconds: float = 600.0, show: Callable[[Story], None] | None = None) -> Told:
    """The shortest story found within so many seconds of the clock that breaks the same rule."""
    assert told.violation
    until_s = time.monotonic() + seconds
    rule = told.violation.rule
    best = told

    def still(acts: tuple[Act, ...]) -> bool:
        nonlocal best
        if time.monotonic() > until_s:
            return False
        again = tell(replace(best.story, acts=acts))
        if again.violation is None or again.violation.rule != rule:
            return False
        best = again
        if show:
            show(best.story)
        return True

    size = max(1, len(told.story.acts) // 2)
    while size:
        at = 0
        while at < len(best.story.acts):
            acts = best.story.acts
            if not still(acts[:at] + acts[at + size :]):
                at += size
        size //= 2
    for at in range(len(best.story.acts)):
        acts = best.story.acts
        if at >= len(acts):
            break
        for shorter_s in (0.005, 0.1, 1.0):
            if shorter_s < acts[at].then_s and still(
                (*acts[:at], replace(acts[at], then_s=shorter_s), *acts[at + 1 :])
            ):
                break
    return best
