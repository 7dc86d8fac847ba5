"""Our board: where the raw tail lies, that booting spares it and keeps user data."""

import json
import types
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import pytest
from test_image_contents import make_wrench

from wrench import image
from wrench.errors import ImageError
from wrench.image import builder, cache, contents, sources, toolchain
from wrench.image.progress import silent

BOARD = resources.files("wrench.image") / "board" / "WRENCH_PICO"


def run_frozen(name: str, modules: Mapping[str, object]) -> dict[str, object]:
    """Run a frozen module under CPython with stand-ins for what it imports."""
    scope: dict[str, object] = {
        "__builtins__": vars(__import__("builtins"))
        | {"__import__": lambda name, *rest: modules[name]}
    }
    exec((BOARD / "modules" / name).read_text(), scope)
    return scope


@pytest.fixture
def layout() -> types.SimpleNamespace:
    modules = {
        "micropython": types.SimpleNamespace(const=lambda value: value),
        "wrench_kind": types.SimpleNamespace(KIND="wrench"),
    }
    return types.SimpleNamespace(**run_frozen("wrench_image.py", modules))


class Storage:
    """rp2.Flash and vfs, as far as _boot.py uses them; `mounting` is what each attempt does."""

    def __init__(self, *mounting: BaseException | None) -> None:
        self.mounting = list(mounting)
        self.log: list[object] = []

    def boot(self, layout: types.SimpleNamespace) -> None:
        storage = self

        class VfsLfs2:
            def __init__(self, device: tuple[int, int], progsize: int) -> None:
                storage.log.append(("open", device, progsize))
                error = storage.mounting.pop(0)
                if error is not None:
                    raise error

            @staticmethod
            def mkfs(device: tuple[int, int], progsize: int) -> None:
                storage.log.append(("mkfs", device, progsize))

        rp2 = types.SimpleNamespace(Flash=lambda start, len: (start, len))
        vfs = types.SimpleNamespace(
            VfsLfs2=VfsLfs2, mount=lambda fs, where: storage.log.append(("mount", where))
        )
        run_frozen(
            "_boot.py",
            {"vfs": vfs, "rp2": rp2, "machine": object(), "wrench_image": layout},
        )


def test_the_tail_is_the_last_256_kib_of_the_storage(layout: types.SimpleNamespace) -> None:
    assert layout.STORAGE_LEN == contents.STORAGE_LEN == 352 * 4096
    assert layout.RAW_START + layout.RAW_LEN == layout.STORAGE_LEN
    assert layout.RAW_LEN == 256 * 1024
    assert layout.RAW_START % layout.BLOCK_LEN == 0


def test_an_existing_filesystem_is_kept(layout: types.SimpleNamespace) -> None:
    storage = Storage(None)
    storage.boot(layout)
    front = (0, layout.RAW_START)
    assert storage.log == [("open", front, 256), ("mount", "/")]
    assert layout.formatted is False


@pytest.mark.parametrize("number", [22, 84])
def test_a_filesystem_is_made_on_the_front_only(layout: types.SimpleNamespace, number: int) -> None:
    storage = Storage(OSError(number), None)
    storage.boot(layout)
    front = (0, layout.RAW_START)
    made = [("open", front, 256), ("mkfs", front, 256), ("open", front, 256), ("mount", "/")]
    assert storage.log == made
    assert layout.formatted is True


def test_running_out_of_memory_erases_nothing(layout: types.SimpleNamespace) -> None:
    storage = Storage(MemoryError())
    with pytest.raises(MemoryError):
        storage.boot(layout)
    assert not [entry for entry in storage.log if entry[0] == "mkfs"]  # type: ignore[index]


def firmware(tmp_path: Path) -> Path:
    root = tmp_path / "firmware"
    for name in ("__init__.py", "app.py", "drivers/__init__.py", "drivers/chip.py"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    for name in ("tests/test_app.py", "test_x.py", "__pycache__/app.pyc", "notes.md"):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    return root


def test_what_is_frozen_is_the_firmware_without_its_tests(tmp_path: Path) -> None:
    frozen = builder._firmware_files(firmware(tmp_path))
    assert sorted(frozen) == ["__init__.py", "app.py", "drivers/__init__.py", "drivers/chip.py"]


def test_firmware_that_cannot_start_is_not_frozen(tmp_path: Path) -> None:
    root = firmware(tmp_path)
    (root / "app.py").unlink()
    with pytest.raises(ImageError, match=r"has no app\.py"):
        builder._firmware_files(root)


def test_staging_makes_exactly_what_is_wanted(tmp_path: Path) -> None:
    root, tree, board = firmware(tmp_path), tmp_path / "tree", tmp_path / "board"
    pins = tree / "ports/rp2/boards/RPI_PICO/pins.csv"
    pins.parent.mkdir(parents=True)
    pins.write_text("GP0,GPIO0\n")
    builder._stage("wrench-frozen", tree, board, root)
    staged = board / "firmware/wrench_firmware/app.py"
    assert staged.read_text() == "# app.py\n"
    assert (board / "pins.csv").read_text() == "GP0,GPIO0\n"
    before = staged.stat().st_mtime_ns
    (root / "drivers/chip.py").unlink()
    builder._stage("wrench-frozen", tree, board, root)
    assert staged.stat().st_mtime_ns == before  # untouched, so that nothing is compiled again
    assert not (board / "firmware/wrench_firmware/drivers/chip.py").exists()
    builder._stage("wrench", tree, board, None)
    assert not (board / "firmware").exists()


def test_a_changed_firmware_asks_for_a_new_frozen_image_only(tmp_path: Path) -> None:
    root = firmware(tmp_path)

    def inputs(kind: str) -> str:
        return json.dumps(builder.known_inputs(kind, root, "gcc 12", {"a.dsc": "00"}))

    frozen, plain = inputs("wrench-frozen"), inputs("wrench")
    (root / "app.py").write_text("pass\n")
    assert inputs("wrench-frozen") != frozen
    assert inputs("wrench") == plain


def test_an_image_is_reused_only_when_nothing_known_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRENCH_CACHE", str(tmp_path / "cache"))
    inputs = builder.known_inputs("wrench", None, "gcc 12", {"a.dsc": "00"})
    stored = cache.store(make_wrench(), "a build", inputs)
    cache.store(make_wrench(extra=b"x"), "a file")  # nothing is known of what went into it
    assert builder._matching("wrench", inputs, silent) == stored
    without_compiler = builder.known_inputs("wrench", None, None, {"a.dsc": "00"})
    assert builder._matching("wrench", without_compiler, silent) == stored
    assert builder._matching("wrench", inputs | {"compiler": "gcc 14"}, silent) is None
    assert builder._matching("wrench", inputs | {"board": "0"}, silent) is None


def test_a_real_build() -> None:
    """Takes 0.2 s when the image is cached and about 45 s on two cores when it is not."""
    if toolchain.find() is None or sources.fetched() is None:
        pytest.skip("`wrench image build` has not been run here")
    built = image.build("wrench")
    assert built.kind == "wrench"
    base, data = image.read_uf2(built.path)
    assert base == 0x10000000
    assert b"Wrench Pico with RP2040" in data
