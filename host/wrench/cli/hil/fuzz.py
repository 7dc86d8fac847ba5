"""`wrench hil fuzz`: hostile bytes on the wire, to an emulated board and to the host."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from wrench.cli.options import JSON
from wrench.cli.progress import showing
from wrench.errors import RuleBrokenError
from wrench.units import counted

if TYPE_CHECKING:
    from wrench.hil.invariants import Violation

_TOLD_EVERY_S = 10.0


@click.command()
@click.option(
    "--frames", type=click.IntRange(min=1), default=20_000, show_default=True, help="Each way."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another one, other frames.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes at once; default: one a core.")
@click.option(
    "--against",
    type=click.Choice(("chip", "host", "both")),
    default="both",
    show_default=True,
    help="An emulated board, what reads a board here, or one after the other.",
)
@JSON
def fuzz(*, frames: int, seed: int, jobs: int | None, against: str, as_json: bool) -> None:
    """Random, mutated and hostile frames, until one breaks a rule.

    What breaks one is shrunk to the fewest frames that still do, and printed as a test.
    """
    from wrench.hil import fuzz as run  # noqa: PLC0415  (has the bench)
    from wrench.hil.content import prepare  # noqa: PLC0415

    if against != "host":
        with showing("hil fuzz") as steps:
            prepare(run.BOARDS, steps)
    facts: dict[str, Any] = {"seed": seed}
    broken: Violation | None = None
    show = None if as_json else lambda text: click.echo(text, err=True)
    for way, tell in (("host", _host), ("chip", _chip)):
        if broken is None and against in (way, "both"):
            told = _Told(show)
            broken = tell(told, seed, frames, jobs)
            facts[way] = told.as_json() | {"violation": str(broken) if broken else None}
            if not as_json:
                click.echo(told.line())
    if as_json:
        click.echo(json.dumps(facts))
    if broken:
        raise RuleBrokenError(
            f"a rule does not hold ({broken}); the frames above show how, and belong into a test"
        )


@dataclass
class _Told:
    """What has been sent one way, and when to tell of it."""

    show: Callable[[str], None] | None
    facts: dict[str, Any] = field(default_factory=dict)
    began_s: float = field(default_factory=time.monotonic)
    due_s: float = field(default_factory=time.monotonic)

    def add(self, **more: float) -> None:
        """Count these, and tell where it is time to."""
        for name, number in more.items():
            self.facts[name] = self.facts.get(name, 0) + number
        now_s = time.monotonic()
        if self.show and now_s >= self.due_s:
            self.due_s = now_s + _TOLD_EVERY_S
            self.show(self.line())

    def as_json(self) -> dict[str, Any]:
        """As JSON takes it."""
        wall_s = time.monotonic() - self.began_s
        rates = {"frames_per_s": round(self.facts.get("frames", 0) / wall_s, 1)}
        if device_s := self.facts.get("device_s"):
            rates["frames_per_device_s"] = round(self.facts["frames"] / device_s, 1)
        return {name: round(number, 1) for name, number in self.facts.items()} | rates

    def line(self) -> str:
        """For people."""
        facts = self.as_json()
        frames = counted(facts.get("frames", 0), "frame")
        if "device_s" in facts:
            return (
                f"chip: {frames} withstood, {facts['sound']:,.0f} of them sound and "
                f"{facts['carried_out']:,.0f} carried out; boards: {facts['boards']:,.0f}; "
                f"device time: {facts['device_s'] / 3600:.2f} h; "
                f"{facts['frames_per_s']:,.0f} frames a second"
            )
        return (
            f"host: {frames} read, {facts.get('taken', 0):,.0f} of them taken; "
            f"{facts['frames_per_s']:,.0f} frames a second"
        )


def _chip(told: _Told, seed: int, frames: int, jobs: int | None) -> Violation | None:
    from wrench.hil import fuzz as run  # noqa: PLC0415

    with contextlib.closing(run.against_chip(seed, frames, jobs)) as telling:
        for one in telling:
            seen = one.seen
            told.add(
                boards=1,
                frames=seen.frames,
                bytes=seen.bytes,
                sound=seen.sound,
                carried_out=seen.carried_out,
                device_s=one.device_s,
                sending_s=seen.sending_s,
                run_frames=sum(number for number, _ in seen.run_took),
                run_heap_bytes=sum(taken for _, taken in seen.run_took),
            )
            if one.violation:
                break
        else:
            return None
    click.echo(f"{one.violation}; looking for the fewest frames that do that", err=True)
    least = run.shrunk(one, show=lambda it: _progress(sum(b.frames for b in it.batches)))
    click.echo(least.stint.as_code("fuzz"), err=True)
    return least.violation


def _host(told: _Told, seed: int, frames: int, jobs: int | None) -> Violation | None:
    from wrench.hil import fuzz as run  # noqa: PLC0415
    from wrench.hil import fuzz_host  # noqa: PLC0415

    with contextlib.closing(run.against_host(seed, frames, run.captured(), jobs)) as telling:
        for one in telling:
            told.add(frames=one.seen.frames, taken=one.seen.taken, bytes=one.seen.bytes)
            if one.violation:
                break
        else:
            return None
    least = fuzz_host.shrunk(one)
    click.echo(least.batch.as_code("fuzz"), err=True)
    return least.violation


def _progress(frames: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{frames} frames ", nl=False, err=True)
