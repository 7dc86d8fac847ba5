"""A pytest plugin: what a board did when its test failed, in the terminal, and with `--hil-report
DIR` as pictures, as dumps for a logic analyser's viewer, and on one page.

A fixture that makes a bench gives its test a timeline::

    request.node.stash.setdefault(TIMELINES, []).append(Timeline(bench, lines))

Pages and pictures need matplotlib and jinja2; a run without failures loads neither.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from wrench.errors import WrenchError
from wrench.hil.observation import words
from wrench.hil.observation.page import Latency, TestTold
from wrench.hil.observation.page import render as render_page

if TYPE_CHECKING:
    from wrench.hil.observation.timeline import Timeline

TIMELINES = pytest.StashKey[list["Timeline"]]()
"""In a test's stash: the timelines of its boards."""
_LATENCIES = pytest.StashKey[list[Latency]]()
_DESCRIBED_S = 1.0
_INDEX = "index.html"
_NAMED_OTHERWISE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 100


class MeasuresLatency(Protocol):
    """Notes a time in s of device time for the report, and fails where it is above its bound."""

    def __call__(self, name: str, seconds: float, bound: float | None = None) -> None: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option."""
    parser.getgroup("hil", "hardware in the loop").addoption(
        "--hil-report",
        metavar="DIR",
        help="write the timelines of failing tests (PNG, VCD) and one page of all tests into DIR",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Where a report is wanted, begin to gather it."""
    folder = _folder_of(config)
    if folder is not None:
        config.pluginmanager.register(_Report(folder, _is_worker(config)), "wrench-hil-report")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker of xdist writes where the one who asked would have."""
    folder = _folder_of(node.config)
    if folder is not None:
        node.workerinput["wrench_hil_report"] = str(folder)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _folder_of(config: pytest.Config) -> Path | None:
    told = getattr(config, "workerinput", {}).get("wrench_hil_report")
    wanted = told or config.getoption("--hil-report")
    return Path(config.invocation_params.dir, wanted) if wanted else None


@pytest.fixture
def latency(request: pytest.FixtureRequest) -> MeasuresLatency:
    """Notes what a test has measured."""
    kept = request.node.stash.setdefault(_LATENCIES, [])

    def measured(name: str, seconds: float, bound: float | None = None) -> None:
        __tracebackhide__ = True
        kept.append(Latency(name, request.node.nodeid, seconds, bound))
        at_most = "" if bound is None else f" of at most {1e3 * bound:g}"
        measured_ms = f"{1e3 * seconds:.4g}{at_most} ms"
        request.node.user_properties.append((f"latency: {name}", measured_ms))
        if bound is not None and seconds > bound:
            pytest.fail(f"{name} took {1e3 * seconds:.4g} ms, not {1e3 * bound:g} ms at most")

    return measured


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """While the boards are still there, see what they did."""
    report = yield
    told = TestTold(item.nodeid, latencies=item.stash.get(_LATENCIES, []))
    timelines = item.stash.get(TIMELINES, [])
    if timelines:
        told.device_s = sum(timeline.now_s for timeline in timelines)
    if report.failed and call.excinfo is not None:
        instant_s = getattr(call.excinfo.value, "time_s", None)
        for number, timeline in enumerate(timelines):
            timeline.fail(_first_line(call.excinfo), instant_s)
            _tell(item, report, told, timeline, number)
    if report.when == "call" and told.device_s is not None:
        item.user_properties.append(("device time", f"{told.device_s:.6f} s"))
    # Whatever is in a report's own dictionary reaches the one who asked from a worker, too.
    report.__dict__["wrench_hil"] = asdict(told)
    report.user_properties = list(item.user_properties)
    return report


def _tell(
    item: pytest.Item,
    report: pytest.TestReport,
    told: TestTold,
    timeline: Timeline,
    number: int,
) -> None:
    named = f"board {timeline.name or number + 1}"
    try:
        text = words.lines(timeline.excerpt(_DESCRIBED_S))
        told.words.append("\n".join(text))
        if folder := _folder_of(item.config):
            from wrench.hil.observation.write import write  # noqa: PLC0415  (has matplotlib)

            stem = _stem(item.nodeid, number)
            written = write(timeline.excerpt(), folder, stem, item.nodeid)
            told.files.append(stem)
            text += [f"{written.picture}", f"{written.vcd}"]
            item.user_properties.append(("timeline", str(written.picture)))
            item.user_properties.append(("timeline vcd", str(written.vcd)))
    except WrenchError as error:
        text = [str(error)]
    report.sections.append((f"{named} in its last second", "\n".join(text)))


def _first_line(excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    return excinfo.exconly(tryshort=True).partition("\n")[0]


def _stem(nodeid: str, number: int) -> str:
    """A file's name that no other test's timeline has."""
    module, _, name = nodeid.partition("::")
    plain = f"{Path(module).stem}.{name.replace('::', '.')}"
    stem = _NAMED_OTHERWISE.sub("-", plain).strip("-")[:_LONGEST_NAME]
    digest = f"{zlib.crc32(nodeid.encode()):08x}"
    return f"{stem}-{digest[:6]}" + (f"-{number + 1}" if number else "")


class _Report:
    """Gathers how every test went, and writes the page; a worker only writes its tests' files."""

    def __init__(self, folder: Path, worker: bool) -> None:
        self._folder = folder
        self._worker = worker
        self._tests: dict[str, TestTold] = {}
        self._began_s = time.monotonic()
        self._problem = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One of a test's three phases is over."""
        if self._worker:
            return
        test = self._tests.setdefault(report.nodeid, TestTold(report.nodeid))
        test.wall_s += report.duration
        told = report.__dict__.get("wrench_hil", {})
        if told.get("device_s") is not None:
            test.device_s = told["device_s"]
        test.words += told.get("words", [])
        test.files += told.get("files", [])
        test.latencies = [Latency(**one) for one in told.get("latencies", [])]
        if report.failed:
            test.outcome = "failed" if report.when == "call" else "error"
            test.failure = "\n\n".join(filter(None, [test.failure, report.longreprtext]))
        elif hasattr(report, "wasxfail"):
            test.outcome = "xfailed" if report.skipped else "xpassed"
        elif report.skipped:
            test.outcome = "skipped"
            reason = report.longrepr
            test.reason = reason[2] if isinstance(reason, tuple) else str(reason)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write the page."""
        if self._worker:
            return
        tests = sorted(self._tests.values(), key=lambda it: it.outcome not in ("failed", "error"))
        wall_s = time.monotonic() - self._began_s
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            page = render_page(tests, self._folder, "Hardware-in-the-loop tests", wall_s)
            (self._folder / _INDEX).write_bytes(page)
        except OSError as error:
            self._problem = f"{error.strerror or error}; give --hil-report another folder"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where it is."""
        if self._worker:
            return
        path = self._folder / _INDEX
        text = f"{path} could not be written: {self._problem}" if self._problem else str(path)
        terminalreporter.write_sep("-", f"hil report: {text}")
