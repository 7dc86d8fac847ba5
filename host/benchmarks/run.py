"""`make bench`: every figure that the product promises, measured, beside its target and a baseline.

Figures of the chip are in device time; figures of the virtual bench are ratios within this run.
Prints a table with the processor's model and writes build/bench.json: {"parts": what was measured,
"figures": [{name, value, unit, target, spread, met, baseline, verdict}]}. Ends with exit code 1
where a figure is worse than the committed baseline (host/benchmarks/baseline.json), or is in it and
was not measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import baseline
import controller
import monitor_load
import psutil
import sharing
import yardstick
from baseline import Verdict
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
OUTPUT = Path("build/bench.json")


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
        fixed_s = yardstick.fixed_work_s()
        wall, cpu = time.perf_counter(), cpu_s()
        start = bench.now_s
        drain(bench, link, seconds)
        wall, cpu = time.perf_counter() - wall, cpu_s() - cpu
        fixed_s = min(fixed_s, *(yardstick.fixed_work_s() for _ in range(5)))
        after = bench.seen
        assert before and after
        span = bench.now_s - start
        busy = 100 * (1 - (after.idle_ns - before.idle_ns) / (after.now_ns - before.now_ns))
        model = "cache model on" if miss_cycles else "no cache model"
        target = "" if miss_cycles else ">= 2.0"
        busy_target = "<= 25" if miss_cycles else ""
        yield Figure(f"virtual bench, {model}", span / wall, "x real time", target)
        cost = cpu / span / fixed_s
        yield Figure(f"a second of it costs, {model}", cost, yardstick.UNIT)
        yield Figure(f"CPU busy, {model}", busy, "% of 125 MHz", busy_target)


def cpu_s() -> float:
    """Processor time of this process, and of the emulators that it has started."""
    processes = [psutil.Process(), *psutil.Process().children()]
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def losses(content: bytes, minutes: float) -> Iterator[Figure]:
    """Samples and frames lost over a long run."""
    with assemble(BOARD, content).bench as bench:
        link = started(bench)
        drain(bench, link, 1.0)
        assert bench.seen
        before = bench.seen.devices[0]["overruns"]
        drain(bench, link, 60 * minutes)
        device = bench.seen.devices[0]
        yield Figure("samples lost in the long run", device["overruns"] - before, "samples", "== 0")
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


def parts(minutes: float) -> dict[str, Callable[[], Iterator[Figure]]]:
    """What is measured, by the name that --only takes."""

    @cache
    def content() -> bytes:
        return flashed("stock")

    return {
        "startup": startup,
        "redeploy": lambda: redeploy(content()),
        "first-deploy": first_deploy,
        "monitor": lambda: monitor_load.load(content()),
        "speed": lambda: chain(speed(content(), 20.0, 0), speed(content(), 20.0, MISS_CYCLES)),
        "stopping": lambda: controller.stopping(content()),
        "fastest": lambda: controller.speed(content()),
        "vibration": lambda: controller.vibration(content()),
        "hang": controller.hang,
        "allocation": controller.allocation,
        "intervals": controller.intervals,
        "kernels": controller.kernels,
        "host": lambda: host_tools(content()),
        "determinism": lambda: determinism(content()),
        "losses": lambda: losses(content(), minutes),
        "sharing": sharing.figures,
        "image": image,
    }


def read_last() -> tuple[set[str], list[Figure]]:
    """What the last run has measured: the parts, and the figures. Raises SystemExit where there is
    none."""
    names = [field.name for field in fields(Figure)]
    try:
        last = json.loads(OUTPUT.read_text())
        return set(last["parts"]), [
            Figure(**{name: it[name] for name in names}) for it in last["figures"]
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SystemExit(
            f"error: {OUTPUT} holds no measurement ({error!r}); run `make bench`"
        ) from error


def line(figure: Figure, known: baseline.Known | None) -> str:
    """A line of the table: measured, target, baseline, and what to think of them."""
    verdict = baseline.judge(figure, known)
    compared = known is not None and verdict not in (Verdict.UNCOMPARED, Verdict.NEW)
    notes = ["" if figure.met is not False else "MISSED", verdict.value]
    return (
        f"{figure.name:42} {figure.value:9.4g} {figure.unit:17} {figure.target:9} "
        f"{f'{known.value:9.4g}' if compared and known else '':9}  "
        f"{', '.join(note for note in notes if note)}"
    ).rstrip()


def complaints(
    figures: list[Figure], known: dict[str, baseline.Known], whole: bool, check: bool
) -> list[str]:
    """What is wrong with these figures, one sentence each; `whole` where all were measured."""
    found: list[str] = []
    worse = [it.name for it in figures if baseline.judge(it, known.get(it.name)) is Verdict.WORSE]
    if worse:
        found.append(
            f"worse than the baseline: {'; '.join(worse)}. Look at what has changed since "
            "host/benchmarks/baseline.json was; if it is worth it, save a new baseline with "
            "`make bench BENCH='--last --save-baseline'` and commit it."
        )
    gone = known.keys() - {it.name for it in figures}
    if whole and gone:
        found.append(
            f"in the baseline, but not measured: {'; '.join(sorted(gone))}. Save a new one with "
            "`make bench BENCH='--last --save-baseline'` where that is meant."
        )
    missed = [it.name for it in figures if it.met is False]
    if check and missed:
        found.append(f"missed targets: {'; '.join(missed)}.")
    return found


def main() -> None:
    """Measure, print, compare."""
    chosen = parts(0.0)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="device time of the loss figure"
    )
    parser.add_argument("--no-image", action="store_true", help="leave out the image build")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    parser.add_argument(
        "--only", nargs="+", choices=chosen, metavar="PART", help=f"of {', '.join(chosen)}"
    )
    parser.add_argument(
        "--last", action="store_true", help=f"measure nothing: look at {OUTPUT} of the last run"
    )
    parser.add_argument(
        "--save-baseline",
        action="store_true",
        help="make these figures the baseline; what was not measured stays as it is",
    )
    parser.add_argument(
        "--baseline", type=Path, default=baseline.PATH, metavar="FILE", help="another baseline"
    )
    arguments = parser.parse_args()
    known = baseline.load(arguments.baseline)
    asked = set(arguments.only or chosen) - ({"image"} if arguments.no_image else set())
    measured, figures = read_last() if arguments.last else (asked, [])
    print(
        f"{processor()}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )
    print(f"{'':42} {'measured':>9} {'':17} {'target':9} {'baseline':>9}")
    for figure in figures:
        print(line(figure, known.get(figure.name)))
    for name, measure in parts(arguments.minutes).items():
        if arguments.last or name not in asked:
            continue
        for figure in measure():
            figures.append(figure)
            print(line(figure, known.get(figure.name)), flush=True)
    if not arguments.last:
        OUTPUT.parent.mkdir(exist_ok=True)
        facts = {"parts": sorted(asked), "figures": [told(it, known) for it in figures]}
        OUTPUT.write_text(json.dumps(facts, indent=1) + "\n")
    whole = measured >= chosen.keys() - {"image"}
    if arguments.save_baseline:
        baseline.save(figures, arguments.baseline, None if whole else known)
        return
    wrong = complaints(figures, known, whole, arguments.check)
    for sentence in wrong:
        print(f"error: {sentence}", file=sys.stderr)
    if wrong:
        sys.exit(1)


def told(figure: Figure, known: dict[str, baseline.Known]) -> dict[str, Any]:
    """A figure as bench.json has it."""
    its = known.get(figure.name)
    return asdict(figure) | {
        "met": figure.met,
        "baseline": its.value if its else None,
        "verdict": baseline.judge(figure, its).name.lower(),
    }


if __name__ == "__main__":
    main()
