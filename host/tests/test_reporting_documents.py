"""A report as a file: complete in itself, searchable, with what the board told, in its units."""

from __future__ import annotations

import base64
import re
import shutil
import struct
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import worn_drill
from known_signals import of, sine

from wrench.analysis.analyse import analyse
from wrench.analysis.load import load
from wrench.analysis.result import Analysis
from wrench.analysis.trend import Panel
from wrench.reporting.summary import summary
from wrench.reporting.write import write


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a board, with a block lost on the way."""
    path = tmp_path_factory.mktemp("drill") / "worn <b>&drill.mcap"
    return worn_drill.record(path, lost_blocks=frozenset({40}))


@pytest.fixture(scope="module")
def drill(recording: Path) -> Analysis:
    return analyse(load(recording))


@pytest.fixture(scope="module")
def page(drill: Analysis, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("html") / "report.html"
    write(drill, path)
    return path.read_text(encoding="utf-8")


def panel(analysis: Analysis, key: str) -> Panel:
    return next(one for one in analysis.panels if one.key == key)


# -- what the board told -----------------------------------------------------------------------


def test_readings_keep_their_quantity_and_come_in_units_for_people(drill: Analysis) -> None:
    velocity = panel(drill, "velocity")
    assert velocity.unit == "mm/s"
    for axis, mm_s in worn_drill.VELOCITY_MM_S.items():
        series = velocity.lines[axis]
        known = series.value[np.isfinite(series.value)]
        assert known == pytest.approx(mm_s)
        # Nothing is believed of the board's filters before they have settled.
        unknown = np.isnan(series.value)
        assert unknown[series.time_s < worn_drill.SETTLED_S - 0.1].all()
        assert not unknown[series.time_s > worn_drill.SETTLED_S + 0.1].any()
    assert panel(drill, "temperature").lines["bearing"].value == pytest.approx(worn_drill.CELSIUS)
    assert list(panel(drill, "temperature").lines) == ["bearing"]  # there is no other sensor
    assert panel(drill, "supply").lines[""].value == pytest.approx(12.0)
    assert np.nanmax(panel(drill, "current").lines[""].value) == pytest.approx(1.5)
    speed = panel(drill, "speed").lines
    assert np.nanmax(speed["measured"].value) == pytest.approx(worn_drill.RPM)
    assert np.nanmax(speed["commanded"].value) == pytest.approx(worn_drill.RPM, rel=1e-3)
    levels = {level.name: level.value for level in velocity.levels}
    assert levels == {"alarm": 1.2, "limit": 1.8, "trip": 4.5}


def test_the_worn_race_is_found_where_the_geometry_puts_it(drill: Analysis) -> None:
    told = summary(drill)
    assert told["axis"] == "y"
    assert told["stretch"]["speed_rpm"] == pytest.approx(worn_drill.RPM, rel=1e-3)
    assert told["overall"]["x"]["velocity_rms_mm_s"] == pytest.approx(3.68, rel=0.02)
    readings = {one["mark"]: one for one in told["envelope"]["readings"]}
    for mark in ("BPFO", "2 BPFO", "3 BPFO"):
        one = readings[mark]
        assert one["found_order"] == pytest.approx(one["order"], rel=0.01)
        assert one["amplitude_g"] > 20.0 * one["around_g"]
    for mark in ("BPFI", "2 BSF", "FTF"):
        assert readings[mark]["amplitude_g"] < 0.1 * readings["BPFO"]["amplitude_g"]


def test_a_lost_block_is_a_gap_and_is_said_first(drill: Analysis, page: str) -> None:
    (gap,) = drill.gaps
    assert gap.end_s - gap.start_s == pytest.approx(32 / worn_drill.RATE_HZ, rel=0.1)
    warning = re.search(r'<p class="warning">(.*?)</p>', page, re.DOTALL)
    assert warning
    assert "no waveform for 10" in warning[1].lower()
    assert "frames missing 1" in warning[1].lower()


def test_events_are_told_with_their_reading_and_their_meaning(page: str) -> None:
    assert "TRIP: vibration, 4.60 mm/s" in page
    assert "run towards 70 %, by link" in page
    assert "22:13:31" in page  # the wall time of the trip


def test_a_recording_without_waveform_shows_what_it_has(tmp_path: Path) -> None:
    found = analyse(load(worn_drill.record(tmp_path / "quiet.mcap", waveform=False)))
    assert "No waveform: spectra, envelope and waterfalls are left out." in found.missing
    assert {one.key for one in found.panels} >= {"velocity", "temperature", "speed"}
    write(found, tmp_path / "quiet.html")
    assert 'id="vibration"' in (tmp_path / "quiet.html").read_text(encoding="utf-8")


# -- files ---------------------------------------------------------------------------------------


class Links(HTMLParser):
    """What a page would fetch, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))
        self.fetched += [value or "" for name, value in attrs if name in {"src", "href", "srcset"}]


def test_html_needs_nothing_but_itself(page: str) -> None:
    links = Links()
    links.feed(page)
    assert len(links.pictures) == 10
    head = "data:image/svg+xml;base64,"
    assert all(value.startswith(head) for value in links.fetched)
    assert not links.tags & {"script", "link", "iframe", "object", "b"}
    assert "@import" not in page
    assert "url(" not in page
    for picture in links.pictures:
        assert picture["alt"]
        svg = base64.b64decode(str(picture["src"]).removeprefix(head)).decode()
        for target in re.findall(r"(?:href|src)=\"([^\"]+)\"", svg) + re.findall(
            r"url\(([^)]*)\)", svg
        ):
            assert target.startswith(("#", "data:"))
    assert "worn &lt;b&gt;&amp;drill.mcap" in page
    assert len(page) < 3e6


def test_captions_name_scale_window_resolution_and_band(page: str) -> None:
    text = re.sub(r"\s+", " ", page)
    for words in (
        "RMS amplitude of each line",
        "Hann window, mean of",
        "noise bandwidth",
        "resolution 0.5 Hz",
        "band-pass from 600 to 1400 Hz (as the board file has it)",
        "velocity RMS, mm/s",
        "Velocity from 10 to 1000 Hz",
        "speed is measured by the board",
    ):
        assert words in text, words


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext (poppler)")
def test_pdf_has_text_that_can_be_searched(drill: Analysis, tmp_path: Path) -> None:
    write(drill, tmp_path / "report.pdf")
    run = subprocess.run(
        ["pdftotext", "-layout", tmp_path / "report.pdf", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    text = run.stdout
    assert "worn <b>&drill.mcap" in text
    assert "TRIP: vibration" in text
    for section in ("Recording", "Overall values", "Events", "Spectra", "Envelope", "Waterfalls"):
        assert re.search(rf"^\s*{section}\s*$", text, re.MULTILINE), section
    assert text.count("made by wrench") == text.count("\f")


def test_the_same_analysis_makes_the_same_png(tmp_path: Path) -> None:
    found = analyse(of(sine(200.0, 4.0)))
    for name in ("a.png", "b.png"):
        write(found, tmp_path / name)
    data = (tmp_path / "a.png").read_bytes()
    assert struct.unpack(">II", data[16:24]) == (1488, 2104)
    assert data == (tmp_path / "b.png").read_bytes()
