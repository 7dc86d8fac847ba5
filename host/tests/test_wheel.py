"""The wheel carries what a checkout has: firmware, boards, emulator, our image's board."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=False
    )
    if tracked.returncode:
        pytest.skip("not a git checkout")
    for name in tracked.stdout.decode().splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(folder), str(source)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize(
    ("folder", "package", "pattern"),
    [
        ("firmware", "wrench_firmware", "*.py"),
        ("firmware/drivers", "wrench_firmware/drivers", "*.py"),
        ("hil_tests", "wrench_hil_tests", "*.py"),
        ("boards", "wrench/board_files", "*.toml"),
        ("host/wrench", "wrench", "**/*.py"),
        ("host/wrench/bench/emulator", "wrench/bench/emulator", "*.mjs"),
        ("host/wrench/bench/emulator", "wrench/bench/emulator", "package*.json"),
        ("host/wrench/bench/emulator", "wrench/bench/emulator", ".npmrc"),
        ("host/wrench/bench/emulator/devices", "wrench/bench/emulator/devices", "*.mjs"),
        ("host/wrench/image/board", "wrench/image/board", "**/*"),
        ("host/wrench/triage", "wrench/triage", "*.csv"),
    ],
)
def test_the_wheel_has_what_the_checkout_has(names, folder, package, pattern):
    here = [
        p for p in (ROOT / folder).glob(pattern) if p.is_file() and "__pycache__" not in p.parts
    ]
    here = [p for p in here if "node_modules" not in p.parts]
    assert here
    missing = [
        str(p) for p in here if f"{package}/{p.relative_to(ROOT / folder).as_posix()}" not in names
    ]
    assert not missing


def test_the_wheel_has_no_tests_but_those_of_boards_and_no_type_stubs(names):
    assert not [
        n
        for n in names
        if (
            Path(n).name.startswith(("test_", "conftest")) and not n.startswith("wrench_hil_tests/")
        )
        or "/tests/" in n
        or n.endswith(".pyi")
    ]
