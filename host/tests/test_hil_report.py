"""A test that fails shows what its board did: true to the nanosecond, in the terminal, as files, in
JUnit's XML and on one page, from xdist's workers too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from vcd_reader import Dump

FAILING = """
import json
import pytest
from pathlib import Path
from wrench.hil.content import BOARD, content_of
from wrench.hil.pytest_report import TIMELINES
from wrench.hil.virtual_rig import VirtualRig

@pytest.fixture
def rig(request):
    made = VirtualRig(BOARD, content_of(BOARD))
    request.node.stash.setdefault(TIMELINES, []).append(made.timeline())
    yield made
    made.close()

@pytest.mark.parametrize("what", ["a/b"])
def test_stops(rig, latency, what):
    seen = {str(gpio): [] for gpio in (14, 15)}
    def watch(step):
        for gpio in (14, 15):
            seen[str(gpio)] += step.pins[gpio].edges_ns
    rig.bench.on_step.append(watch)
    rig.run(700, until_steady=False)
    rig.pass_time(0.4)
    rig.machine.press_estop(after_ns=1.3e6)
    latency("e-stop", rig.off_after(rig.bench.now_s + 1.3e-3, 0.2), 0.001)
    rig.trips()
    Path("seen.json").write_text(json.dumps(seen))
    assert rig.fault == "none", "it has tripped"
"""
OTHERS = """
import pytest

def test_is_well(latency):
    latency("quick", 0.25)

def test_has_no_relay():
    pytest.skip("no relay on this rig")

def test_is_late(latency):
    latency("late", 0.3, 0.2)
"""


def run(folder: Path, *options: str) -> str:
    """What pytest says of the tests in a folder, some of which fail."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of tests."""
    folder = tmp_path_factory.mktemp("reported")
    (folder / "test_failing.py").write_text(FAILING)
    (folder / "test_others.py").write_text(OTHERS)
    return folder


@pytest.fixture(scope="module")
def said(reported: Path) -> str:
    """What a run of them on two workers, with a report, has said."""
    return run(reported, "-n", "2", "--hil-report", "report", "--junitxml", "junit.xml")


def test_the_dump_has_the_edges_that_the_bench_gave(said: str, reported: Path) -> None:
    del said
    [path] = (reported / "report").glob("*.vcd")
    dump = Dump(path)
    given = json.loads((reported / "seen.json").read_text())
    seen = {int(gpio): edges for gpio, edges in given.items()}
    enable = [at for at, _ in dump.changes("pins.enable")[1:]]
    assert enable == [round(one) for one in seen[15]]
    assert [level for _, level in dump.changes("pins.enable")] == ["0", "1", "0"]
    pwm = dump.changes("pins.PWM")
    assert {round(one) for one in seen[14]} <= {at for at, _ in pwm}
    assert "x" not in {level for _, level in pwm}, "all edges of so short a run are kept"
    assert len(pwm) > 3 * len(seen[14]), "the bench gives 64 a step"
    estop = dump.changes("pins.estop")[-1][0]
    assert 0 < enable[-1] - estop < 1_000_000
    transfers = [level for _, level in dump.changes("buses.SPI0_adxl345")]
    assert transfers.count("1") > 1_000


def test_the_terminal_and_junit_name_the_files(said: str, reported: Path) -> None:
    [picture] = (reported / "report").glob("*.png")
    assert picture.name.startswith("test_failing.test_stops-a-b-")
    assert "board pico-adxl345 in its last second" in said
    assert str(picture) in said
    assert "press estop" in said
    assert f"hil report: {reported / 'report' / 'index.html'}" in said
    cases = {
        case.get("name"): [
            (str(one.get("name")), str(one.get("value"))) for one in case.iter("property")
        ]
        for case in ElementTree.parse(reported / "junit.xml").iter("testcase")
    }
    told = dict(cases["test_stops[a/b]"])
    assert len(told) == len(cases["test_stops[a/b]"]), "each of them once"
    assert told["timeline"] == str(picture)
    assert told["timeline vcd"] == str(picture.with_suffix(".vcd"))
    assert told["latency: e-stop"].endswith("of at most 1 ms")
    assert float(told["device time"].split()[0]) > 1.0
    assert cases["test_is_late"] == [("latency: late", "300 of at most 200 ms")]
    assert cases["test_is_well"] == [("latency: quick", "250 ms")]


def test_the_page_has_all_tests_and_the_picture(said: str, reported: Path) -> None:
    del said
    page = (reported / "report" / "index.html").read_text()
    [picture] = (reported / "report").glob("*.png")
    for text in (
        "2 failed, 1 passed, 1 skipped",
        "data:image/png;base64,",
        picture.with_suffix(".vcd").name,
        "no relay on this rig",
        "it has tripped",
        "late took 300 ms, not 200 ms at most",
        "150 %",
    ):
        assert text in page, text
    assert page.count("<img ") == 1
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_without_the_option_the_last_second_is_told_and_nothing_written(tmp_path: Path) -> None:
    (tmp_path / "test_board.py").write_text(FAILING)
    lines = [line.strip() for line in run(tmp_path).splitlines()]
    begin = next(i for i, line in enumerate(lines) if "in its last second" in line)
    told = lines[begin + 1 :]
    for start, end in (
        ("enable", ""),
        ("PWM duty", ""),
        ("mode", ""),
        ("test", "press estop True"),
        ("board", "TRIP: e-stop"),
    ):
        assert any(it.startswith(start) and it.endswith(end) for it in told), (start, end, told)
    assert next(it for it in told if it.startswith("enable")).split()[-3] == "at"
    assert not [*tmp_path.rglob("*.png"), *tmp_path.rglob("index.html")]
