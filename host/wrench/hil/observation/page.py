"""All tests of a run as one HTML file that needs nothing else: what failed with its timelines, the
latencies that were measured, and how long everything took."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wrench import __version__


@dataclass(frozen=True)
class Latency:
    """A time that a test has measured, and what it may be at most, both in s."""

    name: str
    test: str
    seconds: float
    bound: float | None


@dataclass
class TestTold:
    """How a test went. `outcome` is pytest's word; `words` describe its boards' last second, one
    text for each, `files` are the stems of its timelines' files. `device_s` is None for a test
    without a board."""

    __test__ = False  # pytest collects by such names

    name: str
    outcome: str = "passed"
    wall_s: float = 0.0
    device_s: float | None = None
    failure: str = ""
    reason: str = ""
    words: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)


@dataclass(frozen=True)
class _Shown:
    uri: str
    vcd: str
    alt: str


@dataclass(frozen=True)
class _Row:
    anchor: str
    name: str
    outcome: str
    wall_s: float
    device_s: float | None
    failure: str
    reason: str
    words: Sequence[str]
    pictures: Sequence[_Shown]


def render(tests: Sequence[TestTold], folder: Path, title: str, wall_s: float) -> bytes:
    """The page; pictures are taken from the folder, where the page is to be too."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415  (only now)

    environment = Environment(
        loader=PackageLoader("wrench.hil.observation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = [_row(number, test, folder) for number, test in enumerate(tests)]
    text = environment.get_template("page.html.jinja").render(
        title=title,
        summary=_summary(tests, wall_s),
        tests=rows,
        latencies=[one for test in tests for one in test.latencies],
        version=__version__,
    )
    return text.encode()


def _row(number: int, test: TestTold, folder: Path) -> _Row:
    pictures: list[_Shown] = []
    for index, stem in enumerate(test.files):
        path = folder / f"{stem}.png"
        if path.is_file():
            uri = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
            alt = test.words[index] if index < len(test.words) else ""
            pictures.append(_Shown(uri, f"{stem}.vcd", alt))
    return _Row(
        f"test-{number}",
        test.name,
        test.outcome,
        test.wall_s,
        test.device_s,
        test.failure,
        test.reason,
        test.words,
        pictures,
    )


def _summary(tests: Sequence[TestTold], wall_s: float) -> str:
    counts = Counter(test.outcome for test in tests)
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    device_s = sum(test.device_s or 0.0 for test in tests)
    return f"{told or 'no test'}; {device_s:,.1f} s of device time, {wall_s:,.1f} s by the clock"
