"""`make bench`: every figure that the product promises, measured, beside its target.

Figures of the chip are in device time; figures of the virtual bench are ratios within this run.
Prints a table with the processor's model and writes build/bench.json: a list of {name, value, unit,
target, met}.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import controller
import monitor_load
import sharing
from figure import Figure
from host_tools import host_tools

from wrench.bench.assemble import assemble, bare_flash
from wrench.bench.emulator import StepSeen
from wrench.bench.virtual import CONSOLE, LINK, VirtualBench
from wrench.boards import load_board
from wrench.deploy import deployment
from wrench.flash import flash, restart
from wrench.image import build, find
from wrench.image.progress import silent
from wrench.link import Link
from wrench.raw_repl import RawRepl

MISS_CYCLES = 50
BOARD = load_board("pico-adxl345")


def flashed(image: str) -> bytes:
    """The content of a flash chip with that image and the firmware on it."""
    with assemble(BOARD, bare_flash(find(image))).bench as bench:
        console = bench.open(CONSOLE)
        flash(console, deployment(BOARD))
        return bench.read_flash()


def started(bench: VirtualBench) -> Link:
    """Power-up to a run at the derate cap."""
    link = Link(bench.open(LINK))
    link.hello()
    while (frame := link.receive(1.0)) and not (frame.name == "status" and frame["mode"] == "idle"):
        pass
    drain(bench, link, 0.5)
    link.run(1000)
    return link


def startup() -> Iterator[Figure]:
    """Device time from power-up to the first frame, at the second boot: files are there."""
    for image in ("stock", "wrench", "wrench-frozen"):
        with assemble(BOARD, flashed(image)).bench as bench:
            Link(bench.open(LINK)).hello()
            bench.advance(3.0)
            bench.cut_power()
            bench.advance(0.3)
            bench.restore_power()
            greeting = Link(bench.open(LINK)).hello()
            target = "<= 1.0" if image == "wrench-frozen" else ""
            name = f"power-up to first telemetry, {image}"
            yield Figure(name, greeting.time_us / 1e6, "s of device time", target)


def speed(content: bytes, seconds: float, miss_cycles: int) -> Iterator[Figure]:
    """Real-time factor and busy fraction of a running drill."""
    with assemble(BOARD, content, xip_miss_cycles=miss_cycles).bench as bench:
        link = started(bench)
        drain(bench, link, 6.0)
        before = bench.seen
        wall = time.perf_counter()
        start = bench.now_s
        drain(bench, link, seconds)
        wall = time.perf_counter() - wall
        after = bench.seen
        assert before and after
        span = bench.now_s - start
        busy = 100 * (1 - (after.idle_ns - before.idle_ns) / (after.now_ns - before.now_ns))
        model = "cache model on" if miss_cycles else "no cache model"
        target = "" if miss_cycles else ">= 2.0"
        busy_target = "<= 25" if miss_cycles else ""
        yield Figure(f"virtual bench, {model}", span / wall, "x real time", target)
        yield Figure(f"CPU busy, {model}", busy, "% of 125 MHz", busy_target)


def losses(content: bytes, minutes: float) -> Iterator[Figure]:
    """Samples and frames lost over a long run."""
    with assemble(BOARD, content).bench as bench:
        link = started(bench)
        drain(bench, link, 1.0)
        assert bench.seen
        before = bench.seen.devices[0]["overruns"]
        drain(bench, link, 60 * minutes)
        device = bench.seen.devices[0]
        yield Figure(
            f"samples lost in {minutes:g} min", device["overruns"] - before, "samples", "== 0"
        )
        yield Figure("samples read twice or early", device["early_reads"], "samples", "== 0")
        yield Figure(
            "frames lost on the link",
            link.decoder.missing_frames + link.decoder.bad_frames,
            "frames",
            "== 0",
        )


def determinism(content: bytes) -> Iterator[Figure]:
    """Two stepped runs with one seed: 1 where every serial byte is the same."""
    digests = []
    for _ in range(2):
        digest = hashlib.sha256()
        with assemble(BOARD, content, condition="demo", seed=7).bench as bench:

            def take(seen: StepSeen, into: Any = digest) -> None:
                for _, data in seen.serial:
                    into.update(data)

            bench.on_step.append(take)
            drain(bench, started(bench), 10.0)
        digests.append(digest.hexdigest())
    yield Figure(
        "two stepped runs byte-identical", float(digests[0] == digests[1]), "1 is yes", "== 1"
    )


def redeploy(content: bytes) -> Iterator[Figure]:
    """Device time of `wrench flash` with everything there already, from the REPL on."""
    with assemble(BOARD, content).bench as bench:
        link = Link(bench.open(LINK))
        link.hello()
        link.command("maintenance")
        bench.advance(1.0)
        console = bench.open(CONSOLE)
        begin = bench.now_s
        report = flash(console, deployment(BOARD))
        assert not report.changed
        yield Figure(
            "flash with nothing changed", bench.now_s - begin, "s of device time", "<= 1.0"
        )
        restart(console)


def first_deploy() -> Iterator[Figure]:
    """A bare board's first flashing against `mpremote cp -r` of the same files: mpremote's own way
    of writing a file, in its pieces of 256 bytes.
    """
    bare, wanted = bare_flash(find("stock")), deployment(BOARD)
    with assemble(BOARD, bare).bench as bench:
        console = bench.open(CONSOLE)
        begin = bench.now_s
        flash(console, wanted)
        ours_s = bench.now_s - begin
    with assemble(BOARD, bare).bench as bench:
        repl = RawRepl(bench.open(CONSOLE))
        begin = bench.now_s
        repl.enter_raw_repl(soft_reset=False)
        for folder in sorted({path.rpartition("/")[0] for path in wanted.files} - {""}):
            if not repl.fs_exists(folder):
                repl.fs_mkdir(folder)
        for path, data in wanted.files.items():
            repl.fs_writefile(path, data)
        theirs_s = bench.now_s - begin
    yield Figure("first flash of a bare board", ours_s, "s of device time", "")
    yield Figure("the same by mpremote, beside it", theirs_s / ours_s, "x as long", ">= 1")


def image() -> Iterator[Figure]:
    """Wall time of building our own image, toolchain and sources present."""
    build("wrench", progress=silent)
    begin = time.perf_counter()
    build("wrench", progress=silent, fresh=True)
    yield Figure("image build, toolchain present", time.perf_counter() - begin, "s", "<= 90")


def drain(bench: VirtualBench, link: Link, seconds: float) -> None:
    """Let device time pass while frames are read."""
    end = bench.now_s + seconds
    while bench.now_s < end:
        if link.receive(1.0) is None:
            raise SystemExit("the board has fallen silent")


def processor() -> str:
    """The model of this machine's processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="device time of the loss figure"
    )
    parser.add_argument("--no-image", action="store_true", help="leave out the image build")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    arguments = parser.parse_args()
    print(
        f"{processor()}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )
    figures: list[Figure] = []

    def take(measured: Iterator[Figure]) -> None:
        for figure in measured:
            figures.append(figure)
            verdict = {True: "met", False: "MISSED", None: ""}[figure.met]
            print(
                f"{figure.name:42} {figure.value:9.4g} "
                f"{figure.unit:17} {figure.target:7} {verdict}",
                flush=True,
            )

    content = flashed("stock")
    take(startup())
    take(redeploy(content))
    take(first_deploy())
    take(monitor_load.load(content))
    take(speed(content, 20.0, 0))
    take(speed(content, 20.0, MISS_CYCLES))
    take(controller.stopping(content))
    take(controller.speed(content))
    take(controller.vibration(content))
    take(controller.hang())
    take(controller.allocation())
    take(controller.intervals())
    take(controller.kernels())
    take(host_tools(content))
    take(determinism(content))
    take(losses(content, arguments.minutes))
    take(sharing.figures())
    if not arguments.no_image:
        take(image())
    output = Path("build/bench.json")
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps([asdict(f) | {"met": f.met} for f in figures], indent=1) + "\n")
    if arguments.check and any(f.met is False for f in figures):
        sys.exit(1)


if __name__ == "__main__":
    main()
