"""Is each of the deliberate defects in `list.toml` caught? `make defects` runs this.

A copy of the firmware with the defect goes before the real one, and the tests run until one of them
fails; at the end those that have caught something must pass with the firmware as it is. Prints the
table of README.md, and writes it there with `--write`. Exit code 1 where a defect has survived.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree

TESTS = Path(__file__).parents[1]
LIST = Path(__file__).with_name("list.toml")
README = TESTS / "README.md"
BEGIN, END = "<!-- defects -->\n", "<!-- end of defects -->\n"
PACKAGE = "wrench_firmware"
_CAUGHT = (1, 2)  # pytest's exit codes: a test has failed; the run was cut short


@dataclass(frozen=True)
class Defect:
    """In a file of the firmware, `instead` stands for `line`."""

    name: str
    file: str
    line: str
    instead: str
    likely: tuple[str, ...]

    def made(self, folder: Path) -> None:
        """The firmware with the defect, as a package in this folder."""
        target = folder / PACKAGE
        with resources.as_file(resources.files(PACKAGE)) as firmware:
            shutil.copytree(firmware, target, ignore=shutil.ignore_patterns("__pycache__"))
        path = target / self.file
        text = path.read_text()
        if text.count(self.line) != 1:
            sys.exit(f"{self.name}: the line is {text.count(self.line)} times in {self.file}")
        path.write_text(text.replace(self.line, self.instead))


def defects(names: Sequence[str]) -> list[Defect]:
    """Those of the list whose name has one of these in it; all where there is none."""
    rows = tomllib.loads(LIST.read_text())["defect"]
    found = [Defect(**{**row, "likely": tuple(row["likely"])}) for row in rows]
    return [it for it in found if not names or any(name in it.name for name in names)]


def first_failing(tests: Sequence[str], firmware: Path | None) -> str:
    """The first test that does not pass with that firmware; empty where all do."""
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder, "junit.xml")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        command += ["--tb=no", f"--junitxml={xml}", *tests]
        path = [str(firmware)] if firmware else []
        path += filter(None, [os.environ.get("PYTHONPATH")])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
        done = subprocess.run(
            command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, check=False
        )
        if not done.returncode:
            return ""
        if done.returncode not in _CAUGHT:
            sys.exit(f"the tests do not run:\n{done.stdout}{done.stderr}")
        for case in ElementTree.parse(xml).iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                module = (case.get("classname") or "").rpartition(".")[2]
                return f"{module}.py::{case.get('name')}"
        return f"(none is named: {done.stdout.strip().splitlines()[-1]})"


def caught(defect: Defect) -> str:
    """The test that has caught it; empty where none has."""
    with tempfile.TemporaryDirectory() as folder:
        defect.made(Path(folder))
        likely = [str(TESTS / name) for name in defect.likely]
        all_of_them = [str(TESTS)]
        by = first_failing(likely, Path(folder)) or first_failing(all_of_them, Path(folder))
    print(f"{defect.name}: {by or 'SURVIVED'}", flush=True)
    return by


def table(found: Sequence[tuple[Defect, str]]) -> str:
    """As README.md has it."""
    rows = [f"| {it.name} | `{it.file}` | {f'`{by}`' if by else '**none**'} |" for it, by in found]
    return "\n".join(["| defect | in | caught by |", "|---|---|---|", *rows, ""])


def main() -> None:
    """Exits with 1 where a defect has survived, or a test that has caught one fails anyway."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names; none: all defects")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="defects at once")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    chosen = parser.parse_args()
    wanted = defects(chosen.names)
    with ThreadPoolExecutor(chosen.jobs) as pool:
        found = list(zip(wanted, pool.map(caught, wanted), strict=True))
    by = sorted({str(TESTS / name) for _, name in found if name})
    anyway = first_failing(by, None) if by else ""
    print(f"\n{table(found)}")
    if chosen.write and not chosen.names:
        before, _, rest = README.read_text().partition(BEGIN)
        README.write_text(f"{before}{BEGIN}{table(found)}{END}{rest.partition(END)[2]}")
    survived = [it.name for it, name in found if not name]
    if anyway:
        sys.exit(f"{anyway} fails without any defect, so that it has caught none")
    if survived:
        sys.exit(f"{len(survived)} of {len(found)} have survived: {', '.join(survived)}")
    print(f"all {len(found)} are caught, and the tests that caught them pass without a defect")


if __name__ == "__main__":
    main()
