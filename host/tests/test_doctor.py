"""What the doctor sees: in the system's files, and in five seconds of telemetry."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from wrench import fleet
from wrench.doctor import Finding, Verdict, computer, link
from wrench.doctor.examination import what_runs
from wrench.link import Frame
from wrench.transport import BoardPorts

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="files of Linux")
NOMINAL_HZ = 3200.0


def process(root: Path, pid: int, name: str, opened: str | None = None) -> None:
    folder = root / f"proc/{pid}/fd"
    folder.mkdir(parents=True)
    (folder.parent / "comm").write_text(f"{name}\n")
    if opened is not None:
        (folder / "5").symlink_to(opened)


@LINUX
def test_whoever_else_has_the_port_is_named(tmp_path: Path) -> None:
    device = tmp_path / "ttyACM1"
    device.touch()
    process(tmp_path, 11, "bash")
    assert computer.users(str(device), tmp_path).verdict is Verdict.GOOD
    process(tmp_path, 12, "minicom", str(device))
    found = computer.users(str(device), tmp_path)
    assert found.verdict is Verdict.BAD
    assert "minicom (process 12)" in found.seen
    assert found.remedy


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user who is not root")
def test_a_device_that_may_not_be_opened_names_its_group(tmp_path: Path) -> None:
    device = tmp_path / "ttyACM1"
    device.touch(mode=0)
    found = computer.permission(str(device))
    assert found.verdict is Verdict.BAD
    assert "usermod -aG" in found.remedy


def test_a_device_that_may_be_opened_is_good(tmp_path: Path) -> None:
    device = tmp_path / "ttyACM1"
    device.touch()
    assert computer.permission(str(device)).verdict is Verdict.GOOD


def test_a_rule_for_boards_in_bootsel_is_found_wherever_it_lies(tmp_path: Path) -> None:
    without = computer.bootsel_rule(tmp_path)
    assert without.verdict is Verdict.DOUBTFUL
    assert computer.UDEV_RULE in without.remedy
    rules = tmp_path / "lib/udev/rules.d"
    rules.mkdir(parents=True)
    (rules / "60-picotool.rules").write_text('ATTRS{idVendor}=="2E8A", MODE="0666"\n')
    assert computer.bootsel_rule(tmp_path).verdict is Verdict.GOOD


def test_a_program_that_tries_new_ports_is_named(tmp_path: Path) -> None:
    process(tmp_path, 1, "systemd")
    assert computer.meddlers(tmp_path).verdict is Verdict.GOOD
    process(tmp_path, 70, "ModemManager")
    assert "ModemManager" in computer.meddlers(tmp_path).seen


@pytest.mark.parametrize(
    ("location", "speed", "control", "verdicts"),
    [
        ("1-1", "12", "on", {"cable": Verdict.GOOD, "hubs": Verdict.GOOD}),
        ("1-1", "1.5", "on", {"cable": Verdict.BAD, "hubs": Verdict.GOOD}),
        ("1-1.2.3.4", "12", "on", {"cable": Verdict.GOOD, "hubs": Verdict.DOUBTFUL}),
        (
            "1-1",
            "12",
            "auto",
            {"cable": Verdict.GOOD, "hubs": Verdict.GOOD, "power saving": Verdict.DOUBTFUL},
        ),
    ],
)
def test_cable_and_hubs(
    location: str, speed: str, control: str, verdicts: dict[str, Verdict], tmp_path: Path
) -> None:
    place = tmp_path / "sys/bus/usb/devices" / location
    (place / "power").mkdir(parents=True)
    (place / "speed").write_text(f"{speed}\n")
    (place / "power/control").write_text(f"{control}\n")
    assert {it.about: it.verdict for it in computer.cable(location, tmp_path)} == verdicts


def test_a_board_that_was_pulled_meanwhile_is_said(tmp_path: Path) -> None:
    (found,) = computer.cable("1-1", tmp_path)
    assert found.verdict is Verdict.UNKNOWN


@pytest.fixture
def heard(status_frame: Callable[..., Frame]) -> link.Heard:
    """A board that is well, at rest, for five seconds."""
    noise = np.random.default_rng(1).normal(0.0, 0.01, (16_000, 3))
    return link.Heard(
        status_frame(mode="idle"),
        NOMINAL_HZ,
        5.0,
        5.0001,
        550,
        {"frames missing": 0, "samples lost by the sensor": 0},
        [20.0, 22.0, 25.0],
        noise + np.array([0.0, 0.0, 1.0]),
        np.arange(16_000) * 1e6 / NOMINAL_HZ,
    )


@pytest.fixture
def status_frame() -> Callable[..., Frame]:
    def made(**values: object) -> Frame:
        return Frame("status", {"fault": "none", **values}, 0, 0, 0, 0)

    return made


def verdict(finding: Finding) -> Verdict:
    assert bool(finding.remedy) == (finding.verdict in (Verdict.BAD, Verdict.DOUBTFUL)), finding
    return finding.verdict


def test_a_board_that_is_well_has_nothing_to_do(heard: link.Heard) -> None:
    assert {verdict(finding) for finding in link.findings(heard, emulated=False)} == {Verdict.GOOD}


def test_every_loss_is_counted(heard: link.Heard) -> None:
    lost = replace(heard, lost={"frames missing": 3, "samples lost by the sensor": 0})
    found = link.loss(lost)
    assert verdict(found) is Verdict.BAD
    assert "3 frames missing" in found.seen
    assert "samples" not in found.seen


@pytest.mark.parametrize(
    ("device_s", "expected"),
    [(5.0, Verdict.GOOD), (5.0001, Verdict.GOOD), (5.05, Verdict.BAD), (4.9, Verdict.BAD)],
)
def test_a_clock_beside_the_computers(
    device_s: float, expected: Verdict, heard: link.Heard
) -> None:
    assert verdict(link.clock(replace(heard, device_s=device_s), emulated=False)) is expected
    assert verdict(link.clock(replace(heard, device_s=device_s), emulated=True)) is Verdict.GOOD


def test_answers_that_take_long_are_doubtful(heard: link.Heard) -> None:
    assert verdict(link.answers(replace(heard, answers_ms=[10.0, 900.0, 800.0]))) is (
        Verdict.DOUBTFUL
    )


@pytest.mark.parametrize(
    ("share", "expected"), [(1.008, Verdict.GOOD), (1.2, Verdict.BAD), (0.5, Verdict.BAD)]
)
def test_a_sensor_of_another_rate(share: float, expected: Verdict, heard: link.Heard) -> None:
    assert verdict(link.sensor_rate(replace(heard, sample_us=heard.sample_us / share))) is expected


def test_a_sensor_of_which_nothing_comes_is_unknown(heard: link.Heard) -> None:
    mute = replace(heard, acceleration_g=np.empty((0, 3)), sample_us=np.empty(0))
    assert link.sensor_rate(mute).verdict is Verdict.UNKNOWN
    assert link.sensor_signal(mute).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("scale", "offset_g", "expected"),
    [
        (1.0, 0.0, Verdict.GOOD),
        (0.0, 0.0, Verdict.BAD),  # the same all the time
        (2.0, 1.0, Verdict.DOUBTFUL),  # twice gravity: another range than the board file's
        (1.0, -1.0, Verdict.GOOD),  # a piezo has no steady part
    ],
)
def test_what_the_sensor_says(
    scale: float, offset_g: float, expected: Verdict, heard: link.Heard
) -> None:
    changed = heard.acceleration_g * scale + np.array([0.0, 0.0, offset_g])
    assert verdict(link.sensor_signal(replace(heard, acceleration_g=changed))) is expected


@pytest.mark.parametrize(
    ("mode", "fault", "expected"),
    [
        ("idle", "none", Verdict.GOOD),
        ("running", "none", Verdict.GOOD),
        ("self-test", "none", Verdict.DOUBTFUL),
        ("tripped", "wrong sensor", Verdict.BAD),
    ],
)
def test_what_the_boards_own_test_says(
    mode: str, fault: str, expected: Verdict, status_frame: Callable[..., Frame]
) -> None:
    assert verdict(link.self_test(status_frame(mode=mode, fault=fault))) is expected


def test_a_device_that_is_not_there_is_not_a_matter_of_permission(tmp_path: Path) -> None:
    found = computer.permission(str(tmp_path / "ttyACM9"))
    assert found.verdict is Verdict.BAD
    assert found.seen == "there is no such device"


@LINUX
def test_who_shares_the_port_is_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "ttyACM1"
    device.touch()
    process(tmp_path, 12, "wrench", str(device))
    monkeypatch.setattr(computer.sharing, "running", lambda: [SimpleNamespace(pid=12)])
    assert computer.users(str(device), tmp_path).verdict is Verdict.GOOD


def test_a_board_whose_file_is_not_known_here_says_how_to_make_it_known() -> None:
    ports = BoardPorts("a board", None, "/dev/ttyACM1", "usb 1-1")
    names = {"board_name": "somebody-elses", "board_hash": 1, "firmware_hash": 2}
    strange = fleet.Attached(ports, "operating", "flash it", **names)
    found = {finding.about: finding for finding in what_runs(strange)}
    assert verdict(found["firmware"]) is Verdict.DOUBTFUL
    assert "that board file is not known here" in found["firmware"].seen
    assert found["firmware"].remedy.startswith("run wrench where its file is")


def test_a_board_with_another_micropython_and_no_firmware() -> None:
    ports = BoardPorts("a board", "/dev/ttyACM0", None)
    bare = fleet.Attached(
        ports, "console", "install it", micropython="micropython 1.19.1", runs_firmware=False
    )
    found = {finding.about: finding for finding in what_runs(bare)}
    assert verdict(found["MicroPython"]) is Verdict.BAD
    assert verdict(found["state"]) is Verdict.BAD
    assert "firmware" not in found
