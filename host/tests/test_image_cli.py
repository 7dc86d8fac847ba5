"""`wrench image` on the command line: what goes to which stream, and the exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_image_contents import make_image

from wrench import image as images
from wrench.cli.image import image
from wrench.cli.progress import Display
from wrench.image.progress import Step


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WRENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.uf2"
    path.write_bytes(make_image())
    return path


def test_get_prints_the_path_alone(file: Path) -> None:
    result = CliRunner().invoke(image, ["get", "--file", str(file)])
    assert result.exit_code == 0
    assert Path(result.stdout.strip()).read_bytes() == make_image()
    assert "stock 1.25.0" in result.stderr


def test_get_as_json(file: Path) -> None:
    result = CliRunner().invoke(image, ["get", "--file", str(file), "--json"])
    found = json.loads(result.stdout)
    assert found["kind"] == "stock"
    assert found["size_bytes"] == file.stat().st_size


def test_list(file: Path) -> None:
    assert json.loads(CliRunner().invoke(image, ["list", "--json"]).stdout) == []
    CliRunner().invoke(image, ["get", "--file", str(file)])
    (found,) = json.loads(CliRunner().invoke(image, ["list", "--json"]).stdout)
    assert found["sha256"] in CliRunner().invoke(image, ["list"]).stdout


def test_frozen_stock_makes_no_sense() -> None:
    result = CliRunner().invoke(image, ["build", "--kind", "stock", "--frozen"])
    assert result.exit_code == 2


@pytest.mark.parametrize("command", ["get", "build"])
def test_an_interrupt_is_one_line_that_says_how_to_go_on(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **options: object) -> images.Image:
        raise KeyboardInterrupt

    monkeypatch.setattr(images, "find", interrupted)
    monkeypatch.setattr(images, "build", interrupted)
    result = CliRunner().invoke(image, [command], standalone_mode=False)
    assert getattr(result.exception, "exit_code", None) == 130
    assert f"run `wrench image {command}` again" in str(result.exception)


def test_output_that_cannot_be_written_names_the_image(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = images.find(file=file)
    monkeypatch.setattr(images, "build", lambda kind, jobs, progress: built)
    out = tmp_path / "out.uf2"
    result = CliRunner().invoke(image, ["build", "--output", str(out)])
    assert result.stdout.strip() == str(out)
    assert out.read_bytes() == make_image()
    result = CliRunner().invoke(image, ["build", "--output", str(tmp_path)], standalone_mode=False)
    assert str(built.path) in str(result.exception)


def test_an_error_is_one_line_without_a_traceback() -> None:
    result = subprocess.run(
        [
            *(sys.executable, "-c", "from wrench.cli import main; main()"),
            *("image", "get", "--file", "/absent.uf2"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 3
    assert result.stderr.splitlines()[-1].startswith("wrench: cannot read /absent.uf2")
    assert len(result.stderr.splitlines()) == 1


def test_plain_lines_at_quarters_where_stderr_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    display = Display()
    for percent in range(101):
        display(Step("firmware", "compiling", percent / 100))
    display(Step("firmware", "ready", done=True))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6
    assert lines[0].split() == ["firmware:", "0%", "compiling"]
    assert lines[-1].split() == ["firmware:", "ready"]
